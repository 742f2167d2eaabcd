"""The WebSocket API, kept open: logged on where the key allows it, subscribed to user data.

Source: binance-facts.md, sections 9 and 10.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from otonom_trader.brokers.binance.errors import Reply, check
from otonom_trader.brokers.binance.transport.departure import Permit
from otonom_trader.brokers.binance.transport.signing import Credentials, websocket_payload
from otonom_trader.brokers.binance.transport.time_sync import VenueClock
from otonom_trader.brokers.binance.transport.ws_connect import open_socket
from otonom_trader.brokers.binance.transport.ws_frames import Incoming
from otonom_trader.brokers.binance.transport.ws_keeper import LIFE_SECONDS, Keeper
from otonom_trader.brokers.binance.transport.ws_socket import ApiSocket, Params, Sign
from otonom_trader.domain.errors import NotSent, VenueError, VenueUnreachable
from otonom_trader.domain.ports import Clock

LOG_ON: Final = "session.logon"
SUBSCRIBE: Final = "userDataStream.subscribe"
SUBSCRIBE_SIGNED: Final = "userDataStream.subscribe.signature"
SESSION_METHODS: Final = frozenset({LOG_ON, SUBSCRIBE, SUBSCRIBE_SIGNED})


class Listener(Protocol):
    """Whoever is told what comes by itself. Called from the connection: must not wait."""

    def event(self, incoming: Incoming) -> None:
        """An event of a subscription."""

    def subscribed(self) -> None:
        """Events come from now on, over a new connection."""

    def lost(self, failure: VenueError) -> None:
        """A connection is gone, or could not be had; another one is tried for."""


@dataclass(frozen=True, slots=True)
class Access:
    """What requests are signed with: a key, and the time at the venue."""

    credentials: Credentials
    venue_clock: VenueClock

    def sign(self, params: Params) -> tuple[int, Params]:
        """Return the timestamp and `params` with it, the key and the signature."""
        timestamp_ms, timed = self.stamp(params)
        named = {**timed, "apiKey": self.credentials.api_key.reveal()}
        payload = websocket_payload({name: str(value) for name, value in named.items()})
        return timestamp_ms, {**named, "signature": self.credentials.signer.sign(payload)}

    def stamp(self, params: Params) -> tuple[int, Params]:
        """As `sign`, for a connection that is logged on: the time is enough."""
        timestamp_ms = self.venue_clock.timestamp_ms()
        window_ms = self.credentials.recv_window_ms
        return timestamp_ms, {**params, "recvWindow": window_ms, "timestamp": timestamp_ms}


class WsApi:
    """Holds one connection open while `run` runs, as a `Keeper` does.

    The next one is subscribed before the one it replaces is let go. `toll` gives each request of
    the session's own its permit; `prepare`, awaited before each connection, reads the venue's
    clock.
    """

    def __init__(
        self,
        url: str,
        access: Access,
        clock: Clock,
        timeout_seconds: float,
        allowed: frozenset[str],
        toll: Callable[[], Permit],
        prepare: Callable[[], Awaitable[None]],
        *,
        random: Random | None = None,
        life_seconds: float = LIFE_SECONDS,
    ) -> None:
        self._url = url
        self._access = access
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._allowed = allowed | SESSION_METHODS
        self._toll = toll
        self._prepare = prepare
        self._random = random
        self._life_seconds = life_seconds
        self._keeper: Keeper[ApiSocket] | None = None

    @property
    def is_open(self) -> bool:
        """Whether a request could leave now."""
        return self._current is not None and self._current.is_open

    async def request(self, method: str, params: Params, permit: Permit) -> Reply:
        """Send one request over the connection of the moment, as `ApiSocket.request` does."""
        socket = self._current
        if socket is None:
            raise NotSent(f"{method} not sent: the WebSocket API is not connected")
        return await socket.request(method, params, permit, self._sign_for(socket))

    def doubt(self, why: str) -> None:
        """Have another connection take the place of the present one, over which not all came."""
        if self._current is not None:
            self._current.doubt(why)

    async def run(self, listener: Listener) -> None:
        """Keep a connection until cancelled; `listener` is told what comes over it."""
        self._keeper = Keeper(
            lambda: self._connect(listener),
            self._subscribe,
            self._clock,
            random=self._random,
            life_seconds=self._life_seconds,
        )
        await self._keeper.run(listener.subscribed, listener.lost)

    @property
    def _current(self) -> ApiSocket | None:
        return None if self._keeper is None else self._keeper.current

    async def _connect(self, listener: Listener) -> ApiSocket:
        await self._prepare()
        connection = await open_socket(self._url, self._clock, self._timeout_seconds, self._toll())

        def broken(socket: ApiSocket) -> None:
            if socket is self._current:  # else another one has taken over
                listener.lost(VenueUnreachable(f"the WebSocket API: {socket.why_due}"))

        return ApiSocket(
            connection, self._clock, self._timeout_seconds, self._allowed, listener.event, broken
        )

    async def _subscribe(self, socket: ApiSocket) -> None:
        if self._access.credentials.signer.can_log_on:
            await self._ask(socket, LOG_ON)
            socket.logged_on = True
        await self._ask(socket, SUBSCRIBE if socket.logged_on else SUBSCRIBE_SIGNED)

    async def _ask(self, socket: ApiSocket, method: str) -> None:
        sign = _unsigned if method == SUBSCRIBE else self._access.sign
        check(await socket.request(method, {}, self._toll(), sign))

    def _sign_for(self, socket: ApiSocket) -> Sign:
        return self._access.stamp if socket.logged_on else self._access.sign


def _unsigned(params: Params) -> tuple[None, Params]:
    return None, params
