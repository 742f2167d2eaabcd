"""Orders that wait for a price, asked for by a decision and worked at the venue."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.daemon.withdrawal import Withdrawal
from otonom_trader.domain.decision import Direction
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.mode import DaemonState
from otonom_trader.domain.order import OrderType
from otonom_trader.testnet import LocalTestnet
from tests.system.rig import Jump, Rig, quote, rig, venue_config

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
        (told,) = await one.journal.executions()
        assert told["latency_ms"] is None  # nobody saw its acknowledgement


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


OCO: dict[str, Any] = {
    "direction": Direction.SELL,
    "order_type": OrderType.OCO,
    "price": Decimal(20_500),
    "stop_price": Decimal(19_900),
}
BOTH = pytest.mark.parametrize("transport", ["rest", "ws"])


async def rise(one: Rig) -> None:
    """Have somebody bid 20500 for a coin, beyond what is asked."""
    wanted = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    await one.ask("orders", {"symbol": "BTCUSDT", "orderId": "1"}, "DELETE")
    await one.ask("orders", wanted | {"quantity": "1", "price": "20500"})


@BOTH
async def test_a_pair_takes_its_profit_and_its_stop_is_gone(tmp_path: Path, transport: str) -> None:
    async with rig(tmp_path, order_transport=transport) as one:
        row = await one.decide(**OCO)
        assert row.outcome is Outcome.RESTING
        assert one.broker.exposure().pending_sells == {"BTC": Decimal("0.01")}
        await rise(one)
        await one.becomes(row, Outcome.FILLED)
        await one.agree()
        assert await one.broker.get_open_orders() == []


@BOTH
async def test_a_pair_stops_its_loss_and_its_limit_is_gone(tmp_path: Path, transport: str) -> None:
    async with rig(tmp_path, order_transport=transport) as one:
        row = await one.decide(**OCO)
        await fall(one)
        await one.becomes(row, Outcome.FILLED)
        await one.agree()
        (told,) = await one.journal.executions()
        assert told["broker_fill_price"] == "19900"


@BOTH
async def test_a_pair_that_is_unknown_is_found_by_the_id_of_its_limit(
    tmp_path: Path, transport: str
) -> None:
    async with rig(tmp_path, order_transport=transport) as one:
        await one.fault("omit", "user", count=9)
        path = {"rest": "/api/v3/orderList/oco", "ws": "orderList.place.oco"}[transport]
        await one.fault("drop_after", path)
        row = await one.decide(**OCO)
        assert row.outcome is Outcome.UNKNOWN
        await one.resolve()
        assert await one.outcome(row) is Outcome.RESTING
        await one.agree()


async def test_a_pair_whose_time_is_over_is_cancelled_whole(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        row = await one.decide(**OCO, expires_at=one.clock.now() + timedelta(seconds=60))
        one.jump.seconds += 61
        await one.recovery.refresh(one.floor)
        assert await one.outcome(row) is Outcome.CANCELLED
        await one.agree()
        assert await one.broker.get_open_orders() == []


async def test_a_pair_is_cancelled_by_a_kill_and_known_after_a_restart(tmp_path: Path) -> None:
    jump = Jump()
    async with LocalTestnet(venue_config(jump)) as venue:
        await quote(venue)
        async with rig(tmp_path, venue=venue, jump=jump) as one:
            row = await one.decide(**OCO)
        async with rig(tmp_path, venue=venue, jump=jump) as one:
            assert await one.outcome(row) is Outcome.RESTING
            assert one.state is DaemonState.RUNNING
            withdrawal = Withdrawal(one.clock, deadline_seconds=10)
            withdrawal.knows_earlier_orders = True
            await withdrawal.run(one.broker, goes_on=lambda: True)
            assert withdrawal.verified
            assert await one.broker.get_open_orders() == []
            await one.recovery.refresh(one.floor)
            assert await one.outcome(row) is Outcome.CANCELLED
            await one.agree()


async def test_a_pair_on_the_wrong_side_of_the_market_is_refused(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        above = await one.decide(**OCO | {"price": Decimal(30_000), "stop_price": Decimal(25_000)})
        assert (above.outcome, above.broker_code) == (Outcome.DENIED, "stop_price")
        below = await one.decide(**OCO | {"price": Decimal(19_950)})
        assert (below.outcome, below.broker_code) == (Outcome.REJECTED, "new_order_rejected")
        await one.agree()
