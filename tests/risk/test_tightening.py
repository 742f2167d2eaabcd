"""What a reload may take over: a limit that is tighter, and never one that is looser."""

from dataclasses import fields, replace
from decimal import Decimal
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import denial, judge
from otonom_trader.risk.tightening import LIMITS, loosened

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
        entries = ("BTC", "BTC-USDT", "ETH", "ETH-USDT", "LUNA-USD")
        return st.lists(st.sampled_from(entries), max_size=3, unique=True).map(tuple)
    return st.just(getattr(GUIDE, name))


guardrails = st.fixed_dictionaries({name: values(name) for name in NAMES})
amounts = st.decimals("0.1", "300", places=1)
assets = st.dictionaries(st.sampled_from(("BTC", "ETH", "SOL")), amounts, max_size=3)
proposals = st.builds(
    Proposal,
    symbol=st.sampled_from((Symbol("BTC", "USDT"), Symbol("ETH", "USDT"))),
    side=st.sampled_from(Side),
    qty=amounts,
    price=amounts,
    reference=amounts,
    mark=amounts,
    rate=st.just(D(1)),
    price_age_seconds=amounts,
    limit_price=st.none() | amounts,
    decision_age_seconds=st.none() | amounts,
)
exposures = st.builds(
    Exposure,
    equity=amounts.map(lambda amount: amount * 1000),
    age_seconds=amounts,
    positions_value=amounts,
    positions=st.frozensets(st.sampled_from(("BTC", "ETH", "SOL"))),
    holdings=assets,
    pending_buy_value=amounts,
    pending_buys=assets,
    pending_sells=assets,
)


def test_every_limit_has_a_direction() -> None:
    assert list(LIMITS) == NAMES


@settings(max_examples=300)
@given(guardrails, guardrails, proposals, exposures)
def test_what_was_denied_before_a_reload_is_denied_after_it(
    before: dict[str, Any], saved: dict[str, Any], proposal: Proposal, exposure: Exposure
) -> None:
    old = RiskGuardrails(**before)
    refused = loosened(old, RiskGuardrails(**saved))
    new = replace(old, **{name: saved[name] for name in NAMES if name not in refused})
    assert loosened(old, new) == ()
    if denial(judge(proposal, exposure, old)) is not None:
        assert denial(judge(proposal, exposure, new)) is not None


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
