"""The last step before a request's bytes leave. Source: promises.md, P2 and P8."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from aiohttp import ClientRequest, ClientResponse
from yarl import URL

from otonom_trader.brokers.binance.errors import Reply
from otonom_trader.domain.errors import NotSent
from otonom_trader.domain.ports import Clock

if TYPE_CHECKING:
    from aiohttp.connector import Connection

Endpoint = tuple[str, str]
"""Method and path."""

Seal = Callable[[], tuple[int | None, str]]
"""Signs now; returns the timestamp (venue clock, ms) and what goes on the wire.

Where nothing is signed there is no timestamp.
"""

# A repetition of these carries nothing out twice; each is signed anew.
_REPEATABLE: Final = frozenset({"GET"})


class Permit(Protocol):
    """Whether a request may leave."""

    def check(self) -> None:
        """Return when it may; raise what keeps it."""

    def confirm(self) -> None:
        """Return when it still may, signed meanwhile; raise what keeps it."""

    def left(self) -> None:
        """Note that its bytes are written."""

    def answered(self, reply: Reply) -> None:
        """Note what came back for it, or that nothing did."""


class Departure:
    """Leave for one request to go.

    `permit` is asked, synchronously, immediately before the bytes and raises to keep them; the
    signature is made there as well, so that none is ever older than its request. `left` tells
    whether anything may have reached the venue.
    """

    __slots__ = ("_clock", "_permit", "_seal", "left", "sent_ns", "signed_at_ms")

    def __init__(self, clock: Clock, permit: Permit, seal: Seal) -> None:
        self._clock = clock
        self._permit = permit
        self._seal = seal
        self.left = False
        self.sent_ns = 0
        self.signed_at_ms: int | None = None

    def leave(self) -> str:
        """Return what goes on the wire, at once; raises when the request must stay."""
        self._permit.check()
        self.sent_ns = self._clock.monotonic_ns()
        self.signed_at_ms, sealed = self._seal()
        self._permit.confirm()
        if not self.left:
            self.left = True
            self._permit.left()
        return sealed

    def answered(self, reply: Reply) -> None:
        """Tell the permit what came back, where the request had left."""
        if self.left:
            self._permit.answered(reply)


class GuardedRequest(ClientRequest):
    """A request that leaves only with a `Departure`, and only to the endpoints of its class."""

    allowed: ClassVar[frozenset[Endpoint]] = frozenset()
    departure: Departure | None = None

    async def send(self, conn: "Connection") -> ClientResponse:
        """Ask for leave, sign and write, all without awaiting."""
        departure = self.departure
        if departure is None or (self.method, self.url.raw_path) not in self.allowed:
            raise NotSent(f"{self.method} {self.url.raw_path} is not open to this connection")
        protocol = conn.protocol
        transport = conn.transport
        # With a body, or while writing is paused, aiohttp writes from another task, later.
        if self.body or protocol is None or protocol.writing_paused:
            raise NotSent("the connection is not ready to write")
        if transport is None or transport.is_closing():
            raise NotSent("the connection was closed before the request left")
        if departure.left and self.method not in _REPEATABLE:
            # aiohttp repeats PUT and DELETE by itself when a reused connection dies.
            raise NotSent("the request has left once and is not repeated")
        # encoded=True: what was signed and what is sent must be the same bytes.
        self.url = URL.build(
            scheme=self.url.scheme,
            authority=self.url.raw_authority,
            path=self.url.raw_path,
            query_string=departure.leave(),
            encoded=True,
        )
        return await super().send(conn)
