"""One connection to the WebSocket API: requests answered by their number, events passed on."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping
from typing import Final, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    ProxyError,
)
from websockets.protocol import State

from otonom_trader.brokers.binance.departure import Departure, Permit, Seal
from otonom_trader.brokers.binance.errors import NO_REPLY, Reply, TlsFailed, Unreadable
from otonom_trader.brokers.binance.hosts import is_loopback
from otonom_trader.brokers.binance.limits import retry_after_seconds
from otonom_trader.brokers.binance.ws_frames import (
    Incoming,
    is_shutdown,
    read_frame,
    reply_of,
    request_frame,
)
from otonom_trader.domain.errors import NotSent, VenueUnreachable
from otonom_trader.domain.ports import Clock

Params = Mapping[str, str | int]
Sign = Callable[[Params], tuple[int | None, Params]]
"""Returns a request's timestamp (venue clock, ms) and its parameters as they are sent."""

_LARGEST_FRAME: Final = 8 * 2**20
_PING_SECONDS: Final = 20.0
_CLOSE_SECONDS: Final = 1.0
# At DEBUG the library would log frames, and with them signatures.
_log: Final = logging.getLogger("otonom_trader.websocket")
_log.setLevel(logging.WARNING)


class HandshakeRefused(VenueUnreachable):
    """The venue answered the handshake with something else than a connection: `reply`."""

    def __init__(self, message: str, reply: Reply) -> None:
        super().__init__(message, status=reply.status)
        self.reply = reply


class _Connect(connect):
    """A connection to the address that was asked for, and to no other."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class ApiSocket:
    """A connection that is open, for as long as `listen` runs.

    Requests may overlap. A method outside of `allowed` cannot leave: what a mode may not do is not
    open to its connection. Source: promises.md, P2 and P8.
    """

    def __init__(
        self,
        connection: ClientConnection,
        clock: Clock,
        timeout_seconds: float,
        allowed: frozenset[str],
        on_event: Callable[[Incoming], None],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._allowed = allowed
        self._on_event = on_event
        self._numbers = itertools.count(1)
        self._waiting: dict[int | str | None, asyncio.Future[Incoming | None]] = {}
        self.opened_ns = clock.monotonic_ns()
        self.logged_on = False
        self.due = asyncio.Event()
        """Set when another connection should take this one's place."""
        self.why_due = ""

    @classmethod
    async def open(
        cls,
        url: str,
        clock: Clock,
        timeout_seconds: float,
        allowed: frozenset[str],
        on_event: Callable[[Incoming], None],
    ) -> Self:
        """Connect; raises `VenueUnreachable` when that fails, `HandshakeRefused` when refused.

        Redirects are refused; proxies are taken from the environment, except to this machine.
        """
        wanted = _Connect(
            url,
            compression=None,
            max_size=_LARGEST_FRAME,
            open_timeout=timeout_seconds,
            ping_interval=_PING_SECONDS,
            ping_timeout=_PING_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            user_agent_header="otonom-trader",
            logger=_log,
            proxy=None,
        )
        if not is_loopback(wanted.ws_uri.host):
            wanted.proxy = True
        began_ns = clock.monotonic_ns()
        try:
            connection = await wanted
        except InvalidStatus as refused:
            reply = _reply(refused, began_ns, clock.monotonic_ns())
            text = f"{reply.request} was answered HTTP {reply.status}"
            raise HandshakeRefused(text, reply) from None
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ProxyError) as error:
            raise _unreachable(wanted.ws_uri.host, error) from None
        return cls(connection, clock, timeout_seconds, allowed, on_event)

    @property
    def is_open(self) -> bool:
        """Whether a request may be given to it."""
        return self._connection.state is State.OPEN

    def replace(self, why: str) -> None:
        """Ask for another connection in this one's place."""
        if not self.due.is_set():
            self.why_due = why
            self.due.set()

    async def request(self, method: str, params: Params, permit: Permit, sign: Sign) -> Reply:
        """Send one request and return what came back.

        Raises `NotSent` or what `permit` raises, both only when nothing left; all that goes wrong
        later is told by the reply.
        """
        if method not in self._allowed:
            raise NotSent(f"{method} is not open to this connection")
        number = next(self._numbers)
        departure = Departure(self._clock, permit, _seal(number, method, params, sign))
        answer: asyncio.Future[Incoming | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        incoming, lost = None, ""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                self._check_ready(method)
                # On an open connection with nothing queued, `send` writes before it first awaits.
                await self._connection.send(departure.leave())
                incoming = await answer
            if incoming is None:
                lost = "lost its connection before an answer"
        except TimeoutError:
            lost = f"was not answered within {self._timeout_seconds:g} s"
            self.replace(f"{method} {lost}")
        except ConnectionClosed:
            lost = "lost its connection before an answer"
        except asyncio.CancelledError:
            departure.answered(NO_REPLY)
            raise
        finally:
            del self._waiting[number]
        if not departure.left:
            raise NotSent(f"{method} not sent: {lost}")
        received_ns = self._clock.monotonic_ns()
        reply = reply_of(
            incoming, method, departure.sent_ns, received_ns, departure.signed_at_ms, lost
        )
        departure.answered(reply)
        return reply

    async def listen(self) -> None:
        """Take in what the venue sends until the connection ends; whoever waits is told."""
        try:
            while True:
                self._take(await self._connection.recv(decode=False))
        except ConnectionClosed:
            self.replace("the connection was closed")
        except Unreadable as error:
            # Whose answer it was cannot be told: nobody's is known.
            self.replace(str(error))
        finally:
            self.abort()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_result(None)

    def abort(self) -> None:
        """Drop the connection at once; whoever waits for an answer is told by `listen`."""
        self._connection.transport.abort()

    async def retire(self) -> None:
        """Close once everything that was sent is answered, or has had its time."""
        waiting = [answer for answer in self._waiting.values() if not answer.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=self._timeout_seconds)
        await self._connection.close()

    def _take(self, text: bytes) -> None:
        incoming = read_frame(text)
        if incoming.status is None:
            if is_shutdown(incoming):
                self.replace("the venue shuts this connection down")
            else:
                self._on_event(incoming)
            return
        if incoming.id is None:
            # The session's key is no good any more, or a frame of ours was not understood.
            self.logged_on = False
            raise Unreadable(f"the venue answers no request: {bytes(incoming.error)!r:.200}")
        answer = self._waiting.get(incoming.id)
        if answer is not None and not answer.done():
            answer.set_result(incoming)

    def _check_ready(self, method: str) -> None:
        if not self.is_open:
            raise NotSent(f"{method} not sent: the connection is closed")
        if self._connection.transport.get_write_buffer_size():
            raise NotSent(f"{method} not sent: the connection is not ready to write")


def _seal(number: int, method: str, params: Params, sign: Sign) -> Seal:
    def seal() -> tuple[int | None, str]:
        timestamp_ms, signed = sign(params)
        return timestamp_ms, request_frame(number, method, signed)

    return seal


def _reply(refused: InvalidStatus, sent_ns: int, received_ns: int) -> Reply:
    response = refused.response
    return Reply(
        "the WebSocket handshake",
        response.status_code,
        sent_ns,
        received_ns,
        body=bytes(response.body or b""),
        retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After")),
    )


def _unreachable(host: str, error: Exception) -> VenueUnreachable:
    if isinstance(error, TimeoutError):
        return VenueUnreachable(f"no WebSocket connection to {host} in time")
    if isinstance(error, OSError) and type(error).__module__ == "ssl":
        return TlsFailed(f"no secure WebSocket connection to {host}")
    why = getattr(error, "strerror", None) or type(error).__name__
    return VenueUnreachable(f"no WebSocket connection to {host}: {why}")
