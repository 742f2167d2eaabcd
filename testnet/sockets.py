"""Who may open a WebSocket, and all that are open.

An address has 300 attempts in 5 minutes. The documentation does not say whether the WebSocket API
and the streams share them, nor how the handshake is refused: here each has its own, and a refusal
is HTTP 429 with the text of -1034.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Protocol

import msgspec
from aiohttp import WSCloseCode, web

from otonom_trader.testnet import errors
from otonom_trader.testnet.delivery import ClientConnection, Reply, page_reply
from otonom_trader.testnet.dispatch import Outcome, Venue, refusal
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.limits import Window
from otonom_trader.testnet.strikes import strike
from otonom_trader.testnet.ws_session import Session

API_DOOR: Final = "api"
_ATTEMPTS_MS: Final = 300_000


class Client(Protocol):
    """What talks over a session."""

    def started(self) -> None:
        """The handshake is done."""
        ...

    def received(self, frame: str | bytes | None) -> None:
        """A text or binary frame, or None for a ping or a pong."""
        ...

    def ended(self) -> None: ...


class Sockets:
    """Handshakes, with the faults that strike them, and the goodbye when the venue closes."""

    def __init__(self, venue: Venue) -> None:
        self._venue: Final = venue
        self._attempts: Final[dict[tuple[str, str], Window]] = {}
        # With the door each came in by.
        self._open: Final[dict[Session, str]] = {}
        venue.limits.on_ban.append(self._on_ban)

    async def serve(
        self,
        request: web.BaseRequest,
        *,
        door: str,
        weight: int,
        client: Callable[[Session], Client],
    ) -> web.StreamResponse:
        """Until the connection ends. ``client`` may raise VenueError over the URL."""
        refused = await self._struck(request)
        if refused is not None:
            return refused
        session = Session(request, self._venue.clock)
        try:
            self._admit(request, door, weight)
            talking = client(session)
        except VenueError as error:
            return _reply(refusal(error, Outcome(HTTPStatus.OK, None)))
        self._open[session] = door
        try:
            return await session.run(talking.started, talking.received)
        finally:
            self._open.pop(session)
            talking.ended()

    async def shut_down(self, seconds: float) -> None:
        """Announce it on every connection, close them, and wait so long for the clients."""
        for session in list(self._open):
            if not session.is_leaving:
                session.send(session.farewell())
            session.close(WSCloseCode.GOING_AWAY)
        try:
            async with asyncio.timeout(seconds):
                for session in list(self._open):
                    await session.ended.wait()
        except TimeoutError:
            return

    def _on_ban(self, address: str) -> None:
        """A banned address loses its connections to the WebSocket API, once what brought the ban
        is answered.
        """
        loop = asyncio.get_running_loop()
        for session, door in self._open.items():
            if door == API_DOOR and session.address == address:
                loop.call_soon(session.close, WSCloseCode.POLICY_VIOLATION, "disconnected")

    def _admit(self, request: web.BaseRequest, door: str, weight: int) -> None:
        if not web.WebSocketResponse().can_prepare(request).ok:
            raise errors.not_supported()
        now_ms, address = self._venue.clock.time_ms(), request.remote or ""
        attempts = self._attempts.setdefault((door, address), Window(_ATTEMPTS_MS))
        most = self._venue.limits.limits.connections_per_5_minutes
        if attempts.add(1, now_ms) > most:
            raise VenueError(
                -1034,
                f"Too many connection attempts from IP; current limit is {most} per '5 MINUTE'.",
                status=HTTPStatus.TOO_MANY_REQUESTS,
                retry_after_seconds=attempts.seconds_left(now_ms),
            )
        if weight:
            self._venue.limits.charge(address, weight, now_ms, is_raw=False)

    async def _struck(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """The reply to a handshake that a fault keeps from happening."""
        faults, path = self._venue.faults, request.raw_path.partition("?")[0]
        # A fault of /ws is one of every stream below it.
        door = next((each for each in ("/ws", "/stream") if path.startswith(f"{each}/")), path)
        ordered = faults.take(request.method, path)
        if ordered is None and door != path:
            ordered = faults.take(request.method, door)
        if ordered is None:
            return None
        handshake = Outcome(HTTPStatus.SWITCHING_PROTOCOLS, {})
        now_ms = self._venue.clock.time_ms()
        connection = ClientConnection(request, self._venue)
        outcome = await strike(ordered, connection, lambda: handshake, now_ms, is_request=False)
        if outcome is None:
            return web.Response()
        if ordered.fault.bans:
            self._venue.limits.ban(request.remote or "", now_ms, ordered.retry_after_s)
        if ordered.fault.page is not None:
            return page_reply(ordered.fault.page, request.raw_path).written()
        return None if outcome.error is None else _reply(outcome)


def _reply(outcome: Outcome) -> web.StreamResponse:
    body = msgspec.json.encode(outcome.content)
    return Reply(outcome.status, body, outcome.headers).written()
