"""Orders and user data over the WebSocket API, at the local exchange."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.domain.order import OrderResult, OrderState, OrderStatus
from otonom_trader.domain.order_life import has_all_fills, merge
from otonom_trader.domain.venue_event import (
    BalancesUpdate,
    OrderUpdate,
    StreamLost,
    StreamResumed,
    VenueEvent,
)
from otonom_trader.testnet import KeyConfig, LocalTestnet, MarketSpec, TestnetConfig
from tests.brokers.binance.keys import pem, public_pem
from tests.brokers.binance.test_against_testnet import MAKER, MANY, TRADER, at_market, limit

D = Decimal
ED25519 = ed25519.Ed25519PrivateKey.generate()
LOGS_ON = KeyConfig("logs-on", public_key=public_pem(ED25519))
PATIENCE_SECONDS = 10


@dataclass
class Told:
    """What a broker was told, and a way to wait for it."""

    events: list[VenueEvent] = field(default_factory=list)
    more: asyncio.Condition = field(default_factory=asyncio.Condition)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, event: VenueEvent) -> None:
        self.events.append(event)
        self.came.set()

    async def wait_for(self, kind: type[VenueEvent], count: int = 1) -> list[Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(found := [each for each in self.events if isinstance(each, kind)]) < count:
                self.came.clear()
                await self.came.wait()
        return found

    def order(self, client_order_id: str) -> OrderResult:
        """The order as its updates add up to."""
        known = OrderResult(OrderState.UNKNOWN)
        for event in self.events:
            if isinstance(event, OrderUpdate) and event.client_order_id == client_order_id:
                known = merge(known, event.result)
        return known


@dataclass
class Stage:
    venue: LocalTestnet
    broker: BinanceBroker
    maker: BinanceBroker
    told: Told

    async def fault(self, name: str, path: str = "order.place", **more: Any) -> None:
        wanted = {"path": path, "fault": name, "count": 1} | more
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.venue.url}/testnet/faults", json=wanted) as reply,
        ):
            assert reply.status == 200, await reply.text()

    def sent(self, *paths: str) -> list[str]:
        """The requests of the trader that reached the venue, by path or method."""
        requests = self.venue.truth()["requests"]
        return [one["path"] for one in requests if one["account"] == "trader"]


@asynccontextmanager
async def opened(
    transport: str = "ws", *, logs_on: bool = False, **settings: Any
) -> AsyncIterator[Stage]:
    config = TestnetConfig(
        accounts=(replace(TRADER, keys=(LOGS_ON,)), MAKER),
        market=MarketSpec("empty"),
        limits=MANY,
    )
    key = (LOGS_ON.api_key, pem(ED25519)) if logs_on else (TRADER.api_key, TRADER.api_secret)
    async with (
        LocalTestnet(config) as venue,
        BinanceBroker(*key, venue.url, order_transport=transport, **settings) as broker,
        BinanceBroker(MAKER.api_key, MAKER.api_secret, venue.url) as maker,
        asyncio.TaskGroup() as tasks,
    ):
        told = Told()
        running = tasks.create_task(broker.run(told.tell))
        await told.wait_for(StreamResumed)
        yield Stage(venue, broker, maker, told)
        running.cancel()


@pytest.mark.parametrize("logs_on", [0, 1], ids=["signed", "logged on"])
async def test_an_order_over_the_web_socket_api_is_told_of_as_over_rest(logs_on: int) -> None:
    async with opened(logs_on=bool(logs_on)) as stage:
        await stage.maker.place_order(limit("SELL", "0.3", "20000"))
        await stage.maker.place_order(limit("SELL", "0.3", "20001"))
        result = await stage.broker.place_order(at_market("BUY", "0.5", "mine"))
        assert (result.state, result.status) == (OrderState.ACCEPTED, OrderStatus.FILLED)
        assert [fill.qty for fill in result.fills] == [D("0.3"), D("0.2")]
        assert result.signed_at_ms is not None
        assert stage.sent() == ["order.place"]
        (truth,) = [one for one in stage.venue.truth()["orders"] if one["account"] == "trader"]
        assert truth["origClientOrderId"] == "mine"
        await stage.told.wait_for(OrderUpdate, 3)
        heard = stage.told.order("mine")
        assert has_all_fills(heard)
        assert (heard.status, heard.order_id) == (OrderStatus.FILLED, result.order_id)
        assert [replace(fill, at=result.fills[0].at) for fill in heard.fills] == list(result.fills)
        (balances,) = await stage.told.wait_for(BalancesUpdate)
        account = await stage.broker.get_account()
        assert balances.balances["BTC"] == account.balances["BTC"]
        assert balances.balances["USDT"] == account.balances["USDT"]


async def test_a_cancel_is_told_under_the_order_s_own_id() -> None:
    async with opened() as stage:
        await stage.broker.place_order(limit("BUY", "0.1", "19000", client_order_id="mine"))
        result = await stage.broker.cancel_order("mine", "BTCUSDT")
        assert result.status is OrderStatus.CANCELED
        assert stage.sent() == ["order.place", "order.cancel"]
        await stage.told.wait_for(OrderUpdate, 2)
        assert stage.told.order("mine").status is OrderStatus.CANCELED


@pytest.mark.parametrize("transport", ["ws", "auto"])
@pytest.mark.parametrize(
    ("fault", "executed"),
    [
        ("drop_after", 1),
        ("drop_before", 0),
        ("no_answer_after", 1),
        ("no_answer_before", 0),
        ("truncate_json", 1),
        ("error_1007", 1),
        ("error_1006", 1),
    ],
)
async def test_what_has_left_is_never_sent_again(transport: str, fault: str, executed: int) -> None:
    async with opened(transport, timeout_seconds=0.5) as stage:
        await stage.broker.get_instrument("BTCUSDT")
        await stage.fault(fault)
        result = await stage.broker.place_order(limit("BUY", "0.1", "19000", client_order_id="x"))
        assert result.state is OrderState.UNKNOWN
        assert result.message.startswith("OUTCOME UNKNOWN, do not resend:")
        assert stage.sent() == ["order.place"]
        assert len(stage.venue.truth()["orders"]) == executed


async def test_without_a_connection_nothing_is_sent_over_it_and_auto_takes_rest() -> None:
    for transport, expected in (("ws", OrderState.NOT_SENT), ("auto", OrderState.ACCEPTED)):
        async with opened(transport) as stage:
            await stage.fault("drop_before", "/ws-api/v3", method="GET", count=100)
            stage.broker._transport.ws_api._current.abort()  # type: ignore[union-attr]
            await stage.told.wait_for(StreamLost)
            result = await stage.broker.place_order(limit("BUY", "0.1", "19000"))
            assert result.state is expected
            assert stage.sent() == ["/api/v3/order"] * (expected is OrderState.ACCEPTED)


async def test_a_lost_connection_is_replaced_and_told_of() -> None:
    async with opened() as stage:
        await stage.fault("drop", "user")
        await stage.told.wait_for(StreamResumed, 2)
        result = await stage.broker.place_order(limit("BUY", "0.1", "19000", client_order_id="x"))
        assert result.ok
        await stage.told.wait_for(OrderUpdate)


async def test_a_connection_that_is_about_to_end_is_replaced_before() -> None:
    async with opened() as stage:
        first = stage.broker._transport.ws_api._current
        await stage.fault("server_shutdown", "user", ms=2000)
        await stage.told.wait_for(StreamResumed, 2)
        assert stage.broker._transport.ws_api._current is not first
        assert not [each for each in stage.told.events if isinstance(each, StreamLost)]
        for number in range(20):
            await stage.broker.place_order(
                limit("BUY", "0.1", "19000", client_order_id=f"{number}")
            )
        heard = {each.client_order_id for each in await stage.told.wait_for(OrderUpdate, 20)}
        assert heard == {str(number) for number in range(20)}


async def test_nothing_is_missed_while_a_connection_is_replaced() -> None:
    """Source: promises.md, fault 22."""
    async with opened() as stage:
        await stage.broker.place_order(limit("BUY", "1", "19000", client_order_id="mine"))
        first = stage.broker._transport.ws_api._current
        await stage.fault("server_shutdown", "user", ms=2000)
        sold = 0
        while stage.broker._transport.ws_api._current is first or sold < 30:
            assert (await stage.maker.place_order(limit("SELL", "0.001", "19000"))).ok
            sold += 1
        async with asyncio.timeout(PATIENCE_SECONDS):
            while stage.told.order("mine").filled_qty < sold * D("0.001"):
                stage.told.came.clear()
                await stage.told.came.wait()
        assert len(stage.told.order("mine").fills) == sold
