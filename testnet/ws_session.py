"""One WebSocket of one client: frames in and out, pings, and how it ends.

Both kinds of WebSocket share these rules (pages "WebSocket API" and "WebSocket Streams"): a ping
every 20 seconds with a payload, a pong with the same payload within a minute, a life of 24 hours.
Close codes are undocumented; these are the ones clients report.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from otonom_trader.testnet.clock import Clock

PING_SECONDS: Final = 20
PONG_SECONDS: Final = 60
LIFE_SECONDS: Final = 86_400
# A client that reads slower than this many frames behind is cut off.
_MOST_QUEUED: Final = 20_000
_LARGEST_FRAME: Final = 1 << 20
# How long a client has to answer the venue's close.
_CLOSE_SECONDS: Final = 1.0


class Session:
    """``run`` serves the connection until it ends; everything else may be called meanwhile."""

    def __init__(self, request: web.BaseRequest, clock: Clock) -> None:
        self.address: Final = request.remote or ""
        self.connected_ms: Final = clock.time_ms()
        self._request: Final = request
        self._clock: Final = clock
        self._socket: Final = web.WebSocketResponse(
            autoping=False, timeout=_CLOSE_SECONDS, compress=False, max_msg_size=_LARGEST_FRAME
        )
        self._opened: Final = clock.monotonic()
        self._queue: Final[deque[bytes]] = deque()
        self._work: Final = asyncio.Event()
        self._pings: Final[deque[tuple[bytes, float]]] = deque()
        self._tasks: Final = asyncio.TaskGroup()
        self._children: Final[set[asyncio.Task[None]]] = set()
        self._ending: tuple[int, bytes] | None = None
        self.is_closed = False
        self.ended: Final = asyncio.Event()
        self.is_silent: Callable[[], bool] = lambda: False
        """Asked before anything is sent; what is not sent then never is."""
        self.is_leaving = False
        """Whether the client was told that the connection will close."""
        self.farewell: Callable[[], bytes] = lambda: b""
        """The serverShutdown event in this connection's form."""

    def send(self, frame: bytes) -> None:
        """Queue a text frame."""
        if self.is_closed or self._ending is not None or self.is_silent():
            return
        if len(self._queue) >= _MOST_QUEUED:
            self.abort()
            return
        self._queue.append(frame)
        self._work.set()

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye after what is queued."""
        if self._ending is None:
            self._ending = (code, reason.encode())
            self._work.set()

    def abort(self) -> None:
        """Drop the connection without another byte."""
        self.is_closed = True
        self._queue.clear()
        if self._request.transport is not None:
            self._request.transport.abort()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the connection; it ends with it."""
        if self.is_closed:
            work.close()
            return
        try:
            child = self._tasks.create_task(work)
        except RuntimeError:  # the connection is ending, and waits for what still runs
            work.close()
            return
        self._children.add(child)
        child.add_done_callback(self._children.discard)

    async def run(
        self, started: Callable[[], None], received: Callable[[str | bytes | None], None]
    ) -> web.StreamResponse:
        """Shake hands and serve. ``received`` gets each text or binary frame, and None for a ping
        or pong, as far as messages are counted.
        """
        try:
            await self._socket.prepare(self._request)
            async with self._tasks:
                writer = self._tasks.create_task(self._write())
                self.spawn(self._pulse())
                started()
                await self._read(received)
                self.is_closed = True
                if self._ending is None:
                    writer.cancel()
                for child in list(self._children):
                    child.cancel()
        except ConnectionResetError:
            pass  # the client was gone before the handshake was answered
        finally:
            self.is_closed = True
            self.ended.set()
        return self._socket

    async def _read(self, received: Callable[[str | bytes | None], None]) -> None:
        while not self.is_closed:
            message = await self._socket.receive()
            if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
                received(message.data)
            elif message.type is WSMsgType.PING:
                received(None)
                await self._pong(message.data)
            elif message.type is WSMsgType.PONG:
                received(None)
                self._acknowledge(bytes(message.data))
            else:
                return

    async def _write(self) -> None:
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                while self._queue:
                    await self._socket.send_frame(self._queue.popleft(), WSMsgType.TEXT)
                if self._ending is not None:
                    code, reason = self._ending
                    await self._socket.close(code=code, message=reason)
                    return
        except ConnectionError:
            # The client is gone; reading ends as well.
            return

    async def _pong(self, payload: bytes) -> None:
        if not self.is_silent():
            await self._quietly(self._socket.pong(payload))

    async def _pulse(self) -> None:
        """Pings, and the two ways time ends a connection."""
        beats = 0
        while True:
            beats += 1
            due = self._opened + beats * PING_SECONDS
            await self._clock.sleep(max(0.0, due - self._clock.monotonic()))
            now = self._clock.monotonic()
            # Time may have moved by more than one beat; a missed one is not made up for.
            beats = max(beats, int((now - self._opened) / PING_SECONDS))
            if now - self._opened >= LIFE_SECONDS:
                self.close(WSCloseCode.GOING_AWAY)
                return
            if self._pings and now - self._pings[0][1] >= PONG_SECONDS:
                self.close(WSCloseCode.POLICY_VIOLATION, "Pong timeout")
                return
            if self.is_silent():
                continue
            payload = str(self._clock.time_ms()).encode()
            self._pings.append((payload, now))
            await self._quietly(self._socket.ping(payload))

    def _acknowledge(self, payload: bytes) -> None:
        """A pong answers the ping whose payload it has, and those before; any other is nothing."""
        if any(payload == sent for sent, _ in self._pings):
            while self._pings.popleft()[0] != payload:
                pass

    async def _quietly(self, sending: Coroutine[Any, Any, None]) -> None:
        try:
            await sending
        except ConnectionError:
            self.is_closed = True
