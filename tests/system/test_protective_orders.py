"""Orders that wait for a price, asked for by a decision and worked at the venue."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from otonom_trader.domain.decision import Direction
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.order import OrderType
from tests.system.rig import Rig, rig

STOP: dict[str, Any] = {
    "direction": Direction.SELL,
    "order_type": OrderType.STOP_LOSS,
    "stop_price": Decimal(19_900),
}


async def fall(one: Rig) -> None:
    """Have others trade at 19900, where one of them goes on bidding."""
    for order in (
        {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "2", "price": "19900"},
        {"side": "SELL", "type": "MARKET", "quantity": "1.5", "account": "other"},
    ):
        await one.ask("orders", {"symbol": "BTCUSDT"} | order)


async def test_a_stop_loss_waits_and_sells_when_the_price_has_fallen(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        row = await one.decide(**STOP)
        assert row.outcome is Outcome.RESTING
        assert one.broker.exposure().pending_sells == {"BTC": Decimal("0.01")}
        await fall(one)
        await one.becomes(row, Outcome.FILLED)
        assert one.broker.exposure().pending_sells == {}
        await one.agree()
        (order,) = await one.journal.orders()
        assert (order["order_type"], order["stop_price"]) == ("STOP_LOSS", "19900")


async def test_a_stop_that_is_unknown_is_found_with_its_price(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.fault("omit", "user", count=3)
        await one.fault("drop_after")
        row = await one.decide(**STOP)
        assert row.outcome is Outcome.UNKNOWN
        await one.resolve()
        assert await one.outcome(row) is Outcome.RESTING
        assert one.sent() == 1


async def test_a_stop_limit_that_the_market_leaves_behind_rests_at_its_limit(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as one:
        limit = {"order_type": OrderType.STOP_LOSS_LIMIT, "price": Decimal(19_950)}
        row = await one.decide(**STOP | limit)
        await fall(one)
        await one.recovery.refresh(one.floor)
        assert await one.outcome(row) is Outcome.RESTING
        buyer = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1"}
        await one.ask("orders", {"symbol": "BTCUSDT", "price": "19960"} | buyer)
        await one.becomes(row, Outcome.FILLED)
        await one.agree()
