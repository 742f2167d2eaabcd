"""What holds back a sale after a halt, and what does not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.flatten import BINDING, flatten_denial
from otonom_trader.risk.pipeline import GUARDRAILS, judge
from tests.risk.samples import ACCOUNT, GUIDE, QUIET, Change, D, selling


def _verdicts(allowed: dict[str, bool]) -> tuple[Verdict, ...]:
    return tuple(Verdict(name, allowed=allowed.get(name, True), message="") for name in GUARDRAILS)


def test_what_binds_is_a_guardrail() -> None:
    assert set(GUARDRAILS) > BINDING


@given(st.dictionaries(st.sampled_from(GUARDRAILS), st.booleans()))
def test_a_sale_is_denied_by_what_binds_and_by_nothing_else(allowed: dict[str, bool]) -> None:
    denied = flatten_denial(_verdicts(allowed))
    binding = [name for name in GUARDRAILS if name in BINDING and not allowed.get(name, True)]
    assert (denied and denied.code) == (binding[0] if binding else None)


HOLDING = replace(ACCOUNT, balances={"USDT": D(100), "BTC": D(1)}, holdings={"BTC": D(1)})
LOST = replace(QUIET, day_start_equity=D(200000), orders_today=9, losses_in_a_row=5)
TIGHT = replace(
    GUIDE,
    max_daily_loss_pct=D(1),
    max_orders_per_day=9,
    max_consecutive_losses=3,
    symbol_blacklist=("BTC",),
    balance_after_fees=True,
    venue_minimums=True,
)


def _denied(change: Change) -> str | None:
    sale = replace(selling(), **change)
    denied = flatten_denial(judge(sale, HOLDING, TIGHT, "get out", LOST))
    return denied.code if denied else None


def test_neither_the_halt_nor_a_loss_nor_a_list_holds_a_sale_back() -> None:
    assert _denied({}) is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price": None}, "no_price"),
        ({"price_age_seconds": D(3600)}, "max_price_age_seconds"),
        ({"price_age_seconds": None}, "no_price"),
        ({"limit_price": D(40000)}, "price_collar_pct"),
        ({"qty": D(2)}, "balance_after_fees"),
        ({"instrument": None}, "venue_minimums"),
    ],
)
def test_what_is_not_known_or_not_there_does(change: Change, code: str) -> None:
    assert _denied(change) == code
