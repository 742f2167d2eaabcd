"""The flood in short, and that its oracle notices an account that carries too much."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.system.flood import LIMITS, Flood, wishes
from tests.system.flood_oracle import Admitted, Limits, breaches

# The account holds a tenth and a fifth already: nearly every purchase meets a limit.
_TIGHT = replace(
    LIMITS,
    max_position_size_pct=Decimal(11),
    max_open_risk_pct=Decimal(22),
    max_orders_per_minute=60,
)
_DECISIONS, _AT_ONCE, _SEED = 240, 120, 3


@pytest.mark.parametrize(
    ("limits", "met"),
    [
        (_TIGHT, ("max_orders_per_minute",)),
        (replace(_TIGHT, max_notional_per_day=Decimal(400_000)), ("max_notional_per_day",)),
    ],
)
async def test_no_limit_is_exceeded_by_decisions_that_come_at_once(
    tmp_path: Path, limits: Limits, met: tuple[str, ...]
) -> None:
    flood = Flood(wishes(_DECISIONS, _SEED), _AT_ONCE, _SEED, is_rough=True, limits=limits)
    await flood.run(tmp_path)
    assert flood.breaches == []
    assert flood.disagreement == ""
    assert sum(flood.outcomes.values()) == _DECISIONS
    assert set(met) <= flood.denied.keys(), flood.denied


def _bought(number: int, coin: str, qty: int, at_ms: int, ended_ms: int) -> dict[str, Any]:
    return {
        "account": "trader",
        "origClientOrderId": f"order-{number}",
        "symbol": f"{coin}USDT",
        "side": "BUY",
        "origQty": str(qty),
        "executedQty": str(qty),
        "cummulativeQuoteQty": str(qty * 50),
        "time": at_ms,
        "updateTime": ended_ms,
    }


def _admitted(number: int, coin: str, qty: int) -> Admitted:
    return Admitted(
        *(number, f"order-{number}", f"{coin}USDT", "BUY", Decimal(qty)),
        price=Decimal(51),
        bid=Decimal(49),
        ask=Decimal(51),
        equity=Decimal(100_000),
    )


def _found(limits: Limits, *orders: tuple[str, int]) -> str:
    """What the oracle says of purchases in this order, each resting for a while."""
    truth = {
        "orders": [
            _bought(number, coin, qty, 1000 + number, 2000 + number)
            for number, (coin, qty) in enumerate(orders)
        ],
        "fills": [],
    }
    admitted = [_admitted(number, coin, qty) for number, (coin, qty) in enumerate(orders)]
    return "; ".join(breaches(truth, {"USDT": 100_000}, admitted, limits))


def test_the_oracle_finds_each_limit_exceeded_while_orders_still_work() -> None:
    limits = Limits(
        max_notional_per_order=Decimal(6000),
        max_position_size_pct=Decimal(10),
        max_open_risk_pct=Decimal(12),
        max_total_positions=2,
        max_orders_per_minute=3,
        max_notional_per_day=Decimal(20_000),
    )
    assert _found(limits, ("ADA", 100), ("BTC", 100)) == ""
    assert "is worth 6630.00" in _found(limits, ("ADA", 130))
    assert "ADAUSDT is 11.00 % of equity" in _found(limits, ("ADA", 110), ("ADA", 110))
    assert "open risk is 13.50 % of equity" in _found(limits, ("ADA", 90), ("BTC", 90), ("BTC", 90))
    assert "3 positions, max 2" in _found(limits, ("ADA", 1), ("BTC", 1), ("ETH", 1))
    assert "4 orders in a minute, max 3" in _found(limits, *[("ADA", 1)] * 4)
    assert "22500.00 were traded" in _found(limits, *[("ADA", 90)] * 5)
