"""Each rule of judging is missed when it is taken out, by the tests that hold it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from otonom_trader.domain.order import OrderRequest
from otonom_trader.risk.checks import CHECKS
from otonom_trader.risk.limits import RiskGuardrails
from tests.broken.variants_in_process import (
    counted_when_answered,
    passes_on_missing_data,
    reservation_released_early,
    unknown_gives_its_place_back,
)
from tests.brokers import test_guarded_pace
from tests.brokers.test_guarded import UNLIMITED
from tests.risk import test_properties

NEEDS_NOTHING = {"kill_switch", "symbol_blacklist", "symbol_whitelist"}
"""Told by the order and the limits alone: nothing can be missing."""

TOGETHER = (
    {"trading_windows", "blackout_windows"},
    {
        *("max_notional_per_order", "require_confirmation_above", "max_notional_per_day"),
        *("max_open_risk_pct", "max_exposure_per_base_asset_pct"),
    },
)
"""What one of these does not know the others do not know either."""

ALONE = CHECKS.keys() - NEEDS_NOTHING - {"require_confirmation_above"} - set[str]().union(*TOGETHER)


@pytest.mark.parametrize("names", [*([name] for name in sorted(ALONE)), *map(sorted, TOGETHER)])
def test_a_check_that_passes_on_missing_data_lets_an_order_through(
    monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    for name in names:
        passes_on_missing_data(monkeypatch, name)
    passed = []
    for case in test_properties.bad_inputs():
        try:
            test_properties.test_what_is_missing_zero_below_zero_or_no_number_is_denied(
                *case.values
            )
        except AssertionError:
            passed.append(case.id)
    assert passed


D = Decimal
ORDERS = [OrderRequest("BTCUSDT", "BUY", "0.005")] * 3  # $250 each

pace = test_guarded_pace.test_orders_that_arrive_together_keep_to_pace_and_money
"""Run on one script, not on many: what fails is not to be made smaller."""


@pytest.mark.parametrize(
    "limits",
    [
        replace(UNLIMITED, max_exposure_per_base_asset_pct=D(50)),
        replace(UNLIMITED, balance_after_fees=True),
    ],
)
def test_a_reservation_that_is_released_early_lets_orders_pass_together(
    monkeypatch: pytest.MonkeyPatch, limits: RiskGuardrails
) -> None:
    orders = [replace(order, qty=order.qty * 5) for order in ORDERS]
    run_on(orders, limits)
    reservation_released_early(monkeypatch)
    with pytest.RaisesGroup(AssertionError, allow_unwrapped=True, flatten_subgroups=True):
        run_on(orders, limits)


@pytest.mark.parametrize(
    "limits",
    [
        replace(UNLIMITED, max_orders_per_minute=2),
        replace(UNLIMITED, max_orders_per_day=2),
        replace(UNLIMITED, max_notional_per_day=D(500)),
        replace(UNLIMITED, min_seconds_between_orders=D(1)),
    ],
)
def test_an_order_that_counts_when_it_is_answered_is_overtaken(
    monkeypatch: pytest.MonkeyPatch, limits: RiskGuardrails
) -> None:
    run_on(ORDERS, limits)
    counted_when_answered(monkeypatch)
    with pytest.raises(AssertionError):
        run_on(ORDERS, limits)


async def test_an_unknown_order_that_gives_its_place_back_lets_another_one_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown_gives_its_place_back(monkeypatch)
    with pytest.raises(AssertionError):
        await test_guarded_pace.test_a_place_that_an_order_gave_back_is_taken_by_the_next()


def run_on(script: list[OrderRequest], limits: RiskGuardrails) -> None:
    inner = pace.hypothesis.inner_test  # type: ignore[attr-defined]
    inner(script, limits)
