"""promises.md, P2: the last statement before the bytes."""

import asyncio

import pytest

from otonom_trader.brokers.binance.transport.rest import MAX_CONNECTIONS
from otonom_trader.domain.errors import OutcomeUnknown
from otonom_trader.domain.order import OrderRequest, OrderState
from tests.brokers.binance.conftest import (
    ACCOUNT,
    Desk,
    Request,
    answer,
    hang_up,
    http,
    queried_order,
)


class Held:
    """Takes all connections of the pool and holds them until released."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._free = asyncio.Event()
        self._full = asyncio.Event()
        self._holders = 0
        self.reads: list[asyncio.Task[object]] = []

    async def take(self, group: asyncio.TaskGroup) -> None:
        await self._desk.broker.get_account()
        await self._desk.broker.get_instrument("BTCUSDT")
        self._desk.venue.on("GET", "/api/v3/account", self._hold)
        self.reads = [
            group.create_task(self._desk.broker.get_account()) for _ in range(MAX_CONNECTIONS)
        ]
        await self._full.wait()

    def release(self) -> None:
        self._free.set()

    async def _hold(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self._holders += 1
        if self._holders == MAX_CONNECTIONS:
            self._full.set()
        await self._free.wait()
        writer.write(http(200, ACCOUNT))


def buy() -> OrderRequest:
    return OrderRequest("BTCUSDT", "BUY", "0.01", client_order_id="mine-1")


def count_signatures(desk: Desk) -> list[str]:
    """Return a list that grows with each query that is signed from now on."""
    signed: list[str] = []
    sign = desk.broker._transport._seal

    def note(query: str) -> tuple[int, str]:
        signed.append(query)
        return sign(query)

    desk.broker._transport._seal = note  # type: ignore[method-assign]
    return signed


async def spin() -> None:
    """Let everything that can run do so."""
    for _ in range(20):
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0)


async def test_a_kill_while_waiting_for_a_connection_leaves_no_byte_at_the_socket(
    desk: Desk,
) -> None:
    held = Held(desk)
    async with asyncio.TaskGroup() as group:
        await held.take(group)
        signed = count_signatures(desk)
        order = group.create_task(desk.broker.place_order(buy()))
        await spin()
        desk.gate.tripped = True
        bytes_seen = desk.venue.bytes_seen
        held.release()
    result = order.result()
    assert signed == []
    assert (result.state, result.code) == (OrderState.NOT_SENT, "kill_switch")
    assert result.message == "kill switch is on: drill"
    assert result.signed_at_ms is None
    assert desk.venue.bytes_seen == bytes_seen
    assert desk.venue.orders == []


async def test_the_same_order_leaves_when_nothing_trips(desk: Desk) -> None:
    held = Held(desk)
    async with asyncio.TaskGroup() as group:
        await held.take(group)
        order = group.create_task(desk.broker.place_order(buy()))
        await spin()
        held.release()
    assert order.result().ok
    assert len(desk.venue.orders) == 1


async def test_an_order_is_signed_when_it_leaves_however_long_it_waited(desk: Desk) -> None:
    held = Held(desk)
    async with asyncio.TaskGroup() as group:
        await held.take(group)
        asked_ms = desk.venue.time_ms()
        order = group.create_task(desk.broker.place_order(buy()))
        await spin()
        desk.clock.advance(0.7)
        held.release()
    signed_ms = order.result().signed_at_ms
    assert signed_ms is not None
    assert signed_ms - asked_ms >= 690


async def test_a_kill_between_signing_and_sending_keeps_the_bytes(desk: Desk) -> None:
    await desk.broker.place_order(buy())
    sign = desk.broker._transport._seal

    def sign_and_trip(query: str) -> tuple[int, str]:
        desk.gate.tripped = True
        return sign(query)

    desk.broker._transport._seal = sign_and_trip  # type: ignore[method-assign]
    bytes_seen = desk.venue.bytes_seen
    result = await desk.broker.place_order(buy())
    assert (result.state, result.code) == (OrderState.NOT_SENT, "kill_switch")
    assert desk.venue.bytes_seen == bytes_seen


async def test_a_shut_gate_holds_neither_reads_nor_cancels_back(desk: Desk) -> None:
    desk.gate.tripped = True
    desk.venue.on("DELETE", "/api/v3/order", answer(200, queried_order(status="CANCELED")))
    await desk.broker.get_account()
    await desk.broker.cancel_order("mine-1", "BTCUSDT")
    assert len(desk.venue.seen("DELETE", "/api/v3/order")) == 1
    assert desk.gate.asked == 0


async def test_a_cancel_is_not_repeated_on_a_reused_connection_that_died(desk: Desk) -> None:
    await desk.broker.place_order(buy())
    desk.venue.on("DELETE", "/api/v3/order", hang_up)
    result = await desk.broker.cancel_order("mine-1", "BTCUSDT")
    assert result.state is OrderState.UNKNOWN
    assert "lost its connection" in result.message
    assert len(desk.venue.seen("DELETE", "/api/v3/order")) == 1


async def test_a_read_is_repeated_once_and_signed_anew(desk: Desk) -> None:
    await desk.broker.get_account()
    desk.venue.then("GET", "/api/v3/account", hang_up)
    desk.clock.advance(0.05)
    await desk.broker.get_account()
    first, second = desk.venue.seen("GET", "/api/v3/account")[1:]
    assert first.is_well_signed
    assert second.is_well_signed


async def test_a_read_that_is_never_answered_is_unknown(hasty: Desk) -> None:
    await hasty.broker.get_account()
    hasty.venue.on("GET", "/api/v3/account", hang_up)
    with pytest.raises(OutcomeUnknown, match="GET /api/v3/account lost its connection"):
        await hasty.broker.get_account()


async def test_a_connection_that_is_not_ready_to_write_is_not_written_to(desk: Desk) -> None:
    # aiohttp would hand the bytes to another task, which runs after the gate was asked.
    await desk.broker.place_order(buy())
    session = desk.broker._transport._session
    assert session is not None
    connector = session.connector
    assert connector is not None
    for pooled in connector._conns.values():
        for protocol, _ in pooled:
            protocol.pause_writing()
    bytes_seen = desk.venue.bytes_seen
    result = await desk.broker.place_order(buy())
    assert (result.state, result.code) == (OrderState.NOT_SENT, "not_sent")
    assert desk.venue.bytes_seen == bytes_seen
