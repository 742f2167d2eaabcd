"""promises.md, P2: wherever an order waits when the kill comes, no byte of it leaves.

Each wait is held, the gate shut, and the wait let go: over REST, and over the WebSocket API.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.transport.ws_socket import ApiSocket
from otonom_trader.domain.errors import NotSent
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState
from otonom_trader.domain.venue_event import StreamLost, StreamResumed
from otonom_trader.testnet import LocalTestnet, MarketSpec, TestnetConfig
from tests.brokers.binance.conftest import (
    Desk,
    Gate,
    Handler,
    Request,
    StubVenue,
    answer,
    hang_up,
    refuse,
)
from tests.brokers.binance.test_against_testnet import MAKER, MANY, TRADER, SkewedClock, limit
from tests.brokers.binance.transport.test_ws_api import Stage, Told, opened

STALE = refuse(400, -1021, "Timestamp for this request is outside of the recvWindow.")


def buy() -> OrderRequest:
    return OrderRequest("BTCUSDT", "BUY", "0.01", client_order_id="mine-1")


def killed(result: OrderResult) -> bool:
    return (result.state, result.code) == (OrderState.NOT_SENT, "kill_switch")


class Hold:
    """Something that waits until it is let go."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()
        self._go_on = asyncio.Event()

    async def wait(self) -> None:
        self.waits.set()
        await self._go_on.wait()

    def let_go(self) -> None:
        self._go_on.set()

    def before(self, handler: Handler) -> Handler:
        """Answer as `handler` does, once let go."""

        async def held(request: Request, writer: asyncio.StreamWriter) -> None:
            await self.wait()
            await handler(request, writer)

        return held


async def place_and_kill(
    broker: BinanceBroker, hold: Hold, kill: Callable[[], None]
) -> OrderResult:
    """Place an order, kill while it is held, let it go, and return what it came to."""
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        order = tasks.create_task(broker.place_order(buy()))
        await hold.waits.wait()
        kill()
        hold.let_go()
    return order.result()


# Over REST


async def test_while_the_venue_s_name_is_looked_up(venue: StubVenue) -> None:
    desk = Desk.at(venue)
    port = venue.url.rpartition(":")[2]
    named = BinanceBroker("k", "s", f"http://localhost:{port}", gate=desk.gate)
    async with named:
        await named.place_order(buy())
        connector: Any = named._transport._session.connector  # type: ignore[union-attr]
        hold = Hold()
        look_up = connector._resolver.resolve

        async def held(*given: Any, **named: Any) -> Any:
            await hold.wait()
            return await look_up(*given, **named)

        connector._resolver.resolve = held
        connector.clear_dns_cache()
        drop_connections(named)
        seen = venue.bytes_seen
        assert killed(await place_and_kill(named, hold, lambda: trip(desk.gate)))
        assert venue.bytes_seen == seen


async def test_while_the_connection_is_made_secure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tmp_path / "venue.pem"
    config = TestnetConfig(
        accounts=(TRADER,),
        market=MarketSpec("empty"),
        limits=MANY,
        tls=True,
        certificate=certificate,
    )
    async with LocalTestnet(config) as market:
        trusting = ssl.create_default_context(cafile=certificate)
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
        gate, hold = Gate(), Hold()
        async with relay(market.url, hold) as (url, shakes_hands):
            broker = BinanceBroker(TRADER.api_key, TRADER.api_secret, url, gate=gate)
            async with broker:
                assert (await broker.place_order(limit("BUY", "0.1", "19000"))).ok
                drop_connections(broker)
                shakes_hands.clear()
                assert killed(await place_and_kill(broker, hold, lambda: trip(gate)))
        assert len(market.truth()["requests"]) == 1


async def test_while_the_time_is_read_anew_for_an_order_that_was_refused_for_its_time(
    desk: Desk,
) -> None:
    await desk.broker.place_order(buy())
    hold = Hold()
    desk.venue.order_answers(STALE)
    desk.venue.then("GET", "/api/v3/time", hold.before(time_of(desk.venue)))
    assert killed(await place_and_kill(desk.broker, hold, lambda: trip(desk.gate)))
    assert len(desk.venue.orders) == 2, "the one before, and the one that was refused"


async def test_while_the_time_is_read_for_the_first_time(venue: StubVenue) -> None:
    desk, hold = Desk.at(venue), Hold()
    venue.then("GET", "/api/v3/time", hold.before(time_of(venue)))
    async with desk.broker:
        assert killed(await place_and_kill(desk.broker, hold, lambda: trip(desk.gate)))
    assert venue.orders == []


async def test_while_the_symbol_s_rules_are_read(desk: Desk) -> None:
    hold = Hold()
    usual = await desk.venue._default(
        Request("GET", "/api/v3/exchangeInfo", "symbol=BTCUSDT", {}, 0)
    )
    desk.venue.then("GET", "/api/v3/exchangeInfo", hold.before(usual))
    assert killed(await place_and_kill(desk.broker, hold, lambda: trip(desk.gate)))
    assert desk.venue.orders == []


async def test_a_connection_that_died_in_the_pool_is_no_way_around_the_gate(desk: Desk) -> None:
    await desk.broker.place_order(buy())
    desk.venue.order_answers(hang_up)
    unanswered = await desk.broker.place_order(buy())
    assert unanswered.state is OrderState.UNKNOWN
    trip(desk.gate)
    assert killed(await desk.broker.place_order(buy()))
    assert len(desk.venue.orders) == 2


# Over the WebSocket API


@asynccontextmanager
async def over_ws(transport: str = "ws", **settings: Any) -> AsyncIterator[tuple[Stage, Gate]]:
    gate = Gate()
    async with opened(transport, gate=gate, **settings) as stage:
        await stage.broker.place_order(limit("BUY", "0.1", "19000", client_order_id="before"))
        yield stage, gate


async def lose_the_connection(stage: Stage) -> None:
    lost = len([one for one in stage.told.events if isinstance(one, StreamLost)])
    stage.broker._transport.ws_api._current.abort()  # type: ignore[union-attr]
    await stage.told.wait_for(StreamLost, lost + 1)


async def insist(broker: BinanceBroker) -> OrderResult:
    """Place an order again and again while it certainly does not leave, as the guard does."""
    while True:
        result = await broker.place_order(buy())
        if result.state is not OrderState.NOT_SENT or result.code == "kill_switch":
            return result
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.02)


@pytest.mark.parametrize("logs_on", [0, 1], ids=["signed", "logged on"])
@pytest.mark.parametrize("step", ["handshake", "session"])
async def test_while_the_connection_is_opened_anew(logs_on: int, step: str) -> None:
    session = "session.logon" if logs_on else "userDataStream.subscribe.signature"
    async with over_ws(logs_on=bool(logs_on)) as (stage, gate):
        sent = stage.sent()
        if step == "handshake":
            await stage.fault("delay_before", "/ws-api/v3", method="GET", ms=600)
        else:
            await stage.fault("delay_before", session, ms=600)
        await lose_the_connection(stage)
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            order = tasks.create_task(insist(stage.broker))
            await asyncio.wait([order], timeout=0.1)
            assert not order.done()
            trip(gate)
            await stage.told.wait_for(StreamResumed, 2)
        assert killed(order.result())
        assert stage.sent() == sent


async def test_the_same_order_leaves_once_it_is_open_when_nothing_trips() -> None:
    async with over_ws() as (stage, _):
        await stage.fault("delay_before", "userDataStream.subscribe.signature", ms=300)
        await lose_the_connection(stage)
        async with asyncio.timeout(10):
            assert (await insist(stage.broker)).ok
        assert len(stage.sent()) == 2


async def test_while_the_time_is_read_anew_over_rest_for_an_order_over_the_web_socket_api() -> None:
    clock, gate = SkewedClock(), Gate()
    config = TestnetConfig(
        accounts=(TRADER, MAKER), market=MarketSpec("empty"), limits=MANY, clock=clock
    )
    async with (
        LocalTestnet(config) as market,
        BinanceBroker(
            TRADER.api_key, TRADER.api_secret, market.url, order_transport="ws", gate=gate
        ) as broker,
        asyncio.TaskGroup() as tasks,
    ):
        told = Told()
        running = tasks.create_task(broker.run(told.tell))
        await told.wait_for(StreamResumed)
        assert (await broker.place_order(limit("BUY", "0.1", "19000"))).ok
        clock.skew_ms = 10_000
        broker._transport.venue_time.on_off = lambda _by_ms, _refused: trip(gate)
        assert killed(await broker.place_order(buy()))
        refused = market.truth()["requests"][1:]
        assert [(one["path"], one["code"]) for one in refused] == [("order.place", -1021)]
        running.cancel()


async def test_where_auto_falls_back_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    async with over_ws("auto") as (stage, gate):
        sent = stage.sent()

        async def lost_on_leaving(*_given: object) -> None:
            trip(gate)
            raise NotSent("order.place not sent: the connection is closed")

        monkeypatch.setattr(ApiSocket, "request", lost_on_leaving)
        assert killed(await stage.broker.place_order(buy()))
        assert stage.sent() == sent


async def test_where_the_connection_is_not_ready_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async with over_ws() as (stage, gate):
        sent = stage.sent()
        socket = stage.broker._transport.ws_api._current
        assert socket is not None
        monkeypatch.setattr(socket._connection.transport, "get_write_buffer_size", lambda: 1)
        assert (await stage.broker.place_order(buy())).code == "not_sent"
        monkeypatch.undo()
        trip(gate)
        assert killed(await stage.broker.place_order(buy()))
        assert stage.sent() == sent


# What holds and lets go


def trip(gate: Gate) -> None:
    gate.tripped = True


def time_of(venue: StubVenue) -> Handler:
    async def tell(request: Request, writer: asyncio.StreamWriter) -> None:
        await answer(200, {"serverTime": venue.time_ms()})(request, writer)

    return tell


def drop_connections(broker: BinanceBroker) -> None:
    """Have the next request open a connection of its own."""
    session = broker._transport._session
    assert session is not None
    assert session.connector is not None
    for pooled in session.connector._conns.values():
        for protocol, _ in pooled:
            protocol.close()
    session.connector._conns.clear()


@asynccontextmanager
async def relay(url: str, hold: Hold) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Pass bytes on to `url`; once the event is cleared, new connections are held."""
    passes = asyncio.Event()
    passes.set()
    port = int(url.rpartition(":")[2])
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(65_536):
                writer.write(part)
                await writer.drain()
        finally:
            writer.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        pumps.add(task)
        if not passes.is_set():
            await hold.wait()
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", passes
    finally:
        server.close()
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
