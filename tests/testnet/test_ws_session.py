"""How long a WebSocket lives: pings, pongs, 24 hours, and the venue's end."""

import asyncio

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request

from otonom_trader.testnet import LocalTestnet, ManualClock
from otonom_trader.testnet.ws_session import Session
from tests.testnet.wire import wire

PATHS = ["/ws-api/v3", "/ws", "/stream?streams=btcusdt@trade"]


async def ping_of(socket: aiohttp.ClientWebSocketResponse) -> bytes:
    message = await socket.receive(timeout=5)
    assert message.type is aiohttp.WSMsgType.PING
    return bytes(message.data)


@pytest.mark.parametrize("path", PATHS)
async def test_a_ping_with_a_payload_comes_every_20_seconds(
    venue: LocalTestnet, session: aiohttp.ClientSession, clock: ManualClock, path: str
) -> None:
    async with wire(session, venue.url, path, autoping=False) as client:
        await client.socket.ping()
        assert (await client.socket.receive(timeout=5)).type is aiohttp.WSMsgType.PONG
        payloads = []
        for _ in range(3):
            clock.advance(20)
            payloads.append(await ping_of(client.socket))
            await client.socket.pong(payloads[-1])
            await client.socket.ping(b"fence")
            assert (await client.socket.receive(timeout=5)).data == b"fence"
    assert len(set(payloads)) == 3
    assert all(payloads)


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_pong_for_a_minute_the_connection_ends(
    venue: LocalTestnet, session: aiohttp.ClientSession, clock: ManualClock, path: str
) -> None:
    async with wire(session, venue.url, path, autoping=False) as client:
        for _ in range(3):
            clock.advance(20)
            await ping_of(client.socket)
            # Unsolicited pongs do not count.
            await client.socket.pong(b"")
        clock.advance(20)
        assert await client.ending() == (1008, "Pong timeout")


async def test_a_late_pong_within_the_minute_keeps_it(
    venue: LocalTestnet, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    async with wire(session, venue.url, "/ws", autoping=False) as client:
        clock.advance(20)
        first = await ping_of(client.socket)
        clock.advance(20)
        await ping_of(client.socket)
        clock.advance(20)
        await ping_of(client.socket)
        await client.socket.pong(first)
        await client.socket.ping(b"fence")
        assert (await client.socket.receive(timeout=5)).data == b"fence"
        clock.advance(20)
        # The second ping's minute is over only now: the connection lived on.
        assert await ping_of(client.socket)


@pytest.mark.parametrize("path", PATHS)
async def test_after_24_hours_the_connection_ends(
    venue: LocalTestnet, session: aiohttp.ClientSession, clock: ManualClock, path: str
) -> None:
    async with wire(session, venue.url, path) as client:
        await client.socket.ping()
        clock.advance(86_399)
        await client.socket.ping(b"still there")
        clock.advance(20)
        assert (await client.ending())[0] == 1001


@pytest.mark.parametrize(
    ("path", "announced"),
    [
        ("/ws-api/v3", {"event": {"e": "serverShutdown"}}),
        ("/ws", {"e": "serverShutdown"}),
        ("/stream", {"stream": "!serverShutdown", "data": {"e": "serverShutdown"}}),
    ],
)
async def test_the_venue_announces_that_it_closes(
    config: object,
    session: aiohttp.ClientSession,
    clock: ManualClock,
    path: str,
    announced: dict[str, object],
) -> None:
    venue = LocalTestnet(config)  # type: ignore[arg-type]
    async with venue, wire(session, venue.url, path) as client, asyncio.TaskGroup() as tasks:
        await client.socket.ping()
        tasks.create_task(venue.__aexit__(None, None, None))
        code, _ = await client.ending()
    assert code == 1001
    inner = announced.get("event") or announced.get("data") or announced
    assert isinstance(inner, dict)
    inner["E"] = clock.time_ms()
    assert client.events == [announced]


async def test_a_frame_beyond_a_mebibyte_ends_the_connection(
    venue: LocalTestnet, session: aiohttp.ClientSession
) -> None:
    async with wire(session, venue.url, "/ws-api/v3") as client:
        await client.say("x" * (1 << 20) + "x")
        assert (await client.ending())[0] == 1009


@pytest.mark.parametrize("path", PATHS)
async def test_a_client_that_is_gone_before_its_handshake_is_answered_is_no_error(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
    path: str,
) -> None:
    host, port = venue.url.removeprefix("http://").split(":")
    for _ in range(5):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        writer.transport.abort()
    async with wire(session, venue.url, path) as later:
        assert not later.socket.closed
    assert caplog.records == []


async def test_what_is_to_run_beside_a_connection_that_is_ending_does_not_begin(
    clock: ManualClock,
) -> None:
    """An event may be held up for a client that leaves in that moment."""
    session, said = Session(make_mocked_request("GET", "/ws"), clock), list[str]()

    running = asyncio.Event()

    async def last_words() -> None:
        try:
            running.set()
            await asyncio.Event().wait()
        finally:
            session.spawn(say("late"))

    async def say(word: str) -> None:
        said.append(word)

    async def serve() -> None:
        async with session._tasks:
            session.spawn(say("early"))
            session.spawn(last_words())
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        handler = tasks.create_task(serve())
        await running.wait()
        handler.cancel()
    assert said == ["early"]
