"""The last step before a request's bytes leave. Source: promises.md, P2 and P8."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from aiohttp import ClientRequest, ClientResponse
from yarl import URL

from otonom_trader.domain.errors import NotSent
from otonom_trader.domain.ports import Clock

if TYPE_CHECKING:
    from aiohttp.connector import Connection

Endpoint = tuple[str, str]
"""Method and path."""

Seal = Callable[[str], tuple[int, str]]
"""Turns a query into its timestamp (venue clock, ms) and the query as it is sent, signed."""

# A repetition of these carries nothing out twice; each is signed anew.
_REPEATABLE: Final = frozenset({"GET"})


class Departure:
    """Leave for one request to go.

    `permit` is asked, synchronously, immediately before the bytes and raises to keep them; the
    signature is made there as well, so that none is ever older than its request. `left` tells
    whether anything may have reached the venue.
    """

    __slots__ = ("_clock", "_permit", "_query", "_seal", "left", "sent_ns", "signed_at_ms")

    def __init__(
        self, clock: Clock, query: str, permit: Callable[[], None], seal: Seal | None = None
    ) -> None:
        self._clock = clock
        self._query = query
        self._permit = permit
        self._seal = seal
        self.left = False
        self.sent_ns = 0
        self.signed_at_ms: int | None = None

    def leave(self, method: str, url: URL) -> URL:
        """Return the address as it goes on the wire; raises when the request must stay."""
        if self.left and method not in _REPEATABLE:
            # aiohttp repeats PUT and DELETE by itself when a reused connection dies.
            raise NotSent("the request has left once and is not repeated")
        self._permit()
        query = self._query
        self.sent_ns = self._clock.monotonic_ns()
        if self._seal:
            self.signed_at_ms, query = self._seal(query)
        # encoded=True: what was signed and what is sent must be the same bytes.
        target = URL.build(
            scheme=url.scheme,
            authority=url.raw_authority,
            path=url.raw_path,
            query_string=query,
            encoded=True,
        )
        self._permit()
        self.left = True
        return target


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
        self.url = departure.leave(self.method, self.url)
        return await super().send(conn)
