"""What a reload may take over: a limit that is tighter, and never one that is looser."""

from dataclasses import fields, replace
from decimal import Decimal
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.risk.activity import Activity
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import judge
from otonom_trader.risk.tightening import LIMITS, loosened
from tests.risk.test_properties import ORDER, OWNED, activities, exposures, proposals

D = Decimal
GUIDE = RiskGuardrails()
NAMES = [limit.name for limit in fields(RiskGuardrails)]
KINDS = get_type_hints(RiskGuardrails)


def values(name: str) -> st.SearchStrategy[Any]:
    """Values as the configuration takes them for the limit of that name."""
    kinds = {*get_args(KINDS[name])} or {KINDS[name]}
    off: st.SearchStrategy[Any] = st.none() if NoneType in kinds else st.nothing()
    if bool in kinds:
        return st.booleans()
    if int in kinds:
        return off | st.integers(1, 8)
    if Decimal in kinds:
        return off | st.decimals("0.1", "200", places=1) | st.decimals("200", "20000", places=0)
    if KINDS[name] == tuple[str, ...]:
        entries: tuple[str, ...] = ("BTC", "BTC-USDT", "ETH", "ETH-USDT", "LUNA-USD")
        if name.endswith("_windows"):
            entries = ("daily 11:00-13:00", "sun 08:00-09:00", "wed 12:00-12:01", "mon 12:00-13:00")
        return st.lists(st.sampled_from(entries), max_size=3, unique=True).map(tuple)
    return st.just(getattr(GUIDE, name))


guardrails = st.fixed_dictionaries({name: values(name) for name in NAMES})


def test_every_limit_has_a_direction() -> None:
    assert list(LIMITS) == NAMES


@given(guardrails, guardrails, proposals, exposures, activities)
def test_what_was_denied_before_a_reload_is_denied_after_it(
    before: dict[str, Any],
    saved: dict[str, Any],
    proposal: Proposal,
    exposure: Exposure,
    activity: Activity | None,
) -> None:
    old = RiskGuardrails(**before)
    refused = loosened(old, RiskGuardrails(**saved))
    new = replace(old, **{name: saved[name] for name in NAMES if name not in refused})
    assert loosened(old, new) == ()
    for case in ((proposal, exposure), (ORDER, OWNED)):
        was = judge(*case, old, None, activity)
        is_ = judge(*case, new, None, activity)
        for first, second in zip(was, is_, strict=True):
            assert first.allowed or not second.allowed, (first, second)


LOOSER: list[tuple[str, Any, Any]] = [
    ("max_notional_per_order", D(10000), D("10000.01")),
    ("max_notional_per_order", D(10000), None),
    ("max_open_risk_pct", D(25), D(26)),
    ("max_total_positions", 10, 11),
    ("max_total_positions", 10, None),
    ("max_position_size_pct", D(10), None),
    ("symbol_blacklist", ("LUNA-USD", "FTT-USD"), ("LUNA-USD",)),
    ("symbol_blacklist", ("LUNA-USD",), ()),
    ("require_confirmation_above", D(50000), None),
    ("kill_switch", True, False),
    ("max_decision_age_seconds", D(300), D(301)),
    ("max_price_age_seconds", D(5), D(6)),
    ("max_account_age_seconds", D(60), D(61)),
    ("price_collar_pct", D(1), D("1.5")),
    ("max_judging_seconds", D(1), D(2)),
    ("max_expected_slippage_pct", D(2), D(3)),
    ("max_expected_slippage_pct", D(2), None),
    ("max_spread_pct", D(1), D(2)),
    ("symbol_whitelist", ("BTC",), ("BTC", "ETH")),
    ("symbol_whitelist", ("BTC",), ()),
    ("trading_windows", ("daily 08:00-20:00",), ()),
    ("blackout_windows", ("daily 08:00-20:00",), ()),
    ("max_exposure_per_base_asset_pct", D(10), D(11)),
    ("max_notional_per_day", D(20000), None),
    ("max_orders_per_minute", 5, 6),
    ("max_orders_per_day", 100, None),
    ("min_seconds_between_orders", D(30), D(29)),
    ("min_seconds_between_orders", D(30), None),
    ("max_daily_loss_pct", D(5), D(6)),
    ("max_drawdown_pct", D(20), None),
    ("max_consecutive_losses", 3, 4),
    ("balance_after_fees", True, False),
    ("venue_minimums", True, False),
]


@pytest.mark.parametrize(("name", "tight", "loose"), LOOSER)
def test_each_limit_loosens_one_way_and_tightens_the_other(
    name: str, tight: Any, loose: Any
) -> None:
    held, let_go = replace(GUIDE, **{name: tight}), replace(GUIDE, **{name: loose})
    assert loosened(held, let_go) == (name,)
    assert loosened(let_go, held) == ()


def test_the_directions_above_are_told_of_every_limit() -> None:
    assert {name for name, _, _ in LOOSER} == set(NAMES)


def test_another_list_is_looser_where_an_entry_is_missing_from_it() -> None:
    old = replace(GUIDE, symbol_blacklist=("LUNA-USD", "FTT-USD"))
    moved = replace(GUIDE, symbol_blacklist=("FTT-USD", "LUNA-USD", "BTC-USD"))
    assert loosened(old, moved) == ()
    assert loosened(moved, old) == ("symbol_blacklist",)


def test_a_limit_of_which_no_direction_is_known_may_not_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("otonom_trader.risk.tightening.LIMITS", {})
    tighter = replace(GUIDE, max_notional_per_order=D(1))
    assert loosened(GUIDE, tighter) == ("max_notional_per_order",)
    assert loosened(GUIDE, replace(GUIDE)) == ()
