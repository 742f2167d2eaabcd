"""Books of many symbols, followed over one connection.

Source: binance-facts.md, section 8; promises.md, P9 and faults 21 and 22.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from otonom_trader.brokers.binance.books.followed_book import FRESH_FOR_NS, FollowedBook, ProvenBook
from otonom_trader.brokers.binance.books.stream_frames import read_depth_update
from otonom_trader.brokers.binance.books.stream_socket import StreamSocket
from otonom_trader.brokers.binance.errors import Unreadable, check
from otonom_trader.brokers.binance.hosts import streams_url
from otonom_trader.brokers.binance.transport.governor import Toll
from otonom_trader.brokers.binance.transport.rest import PublicTransport
from otonom_trader.brokers.binance.transport.weights import DEPTH
from otonom_trader.brokers.binance.transport.ws_connect import open_socket
from otonom_trader.brokers.binance.transport.ws_keeper import Keeper
from otonom_trader.brokers.binance.wire import Depth, read
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.market import Book

_SNAPSHOT_LEVELS: Final = 1_000
_MOST_LEVELS: Final = 500
"""How deep a book may be asked for: with a margin to what a snapshot tells."""
_MOST_SYMBOLS: Final = 200  # the venue's limit is 1024; each costs time while its market moves
_FORGET_NS: Final = 3_600 * 1_000_000_000
_LOOK_SECONDS: Final = 1.0

_depth: Final = msgspec.json.Decoder(Depth)


class MarketStreams:
    """Follows the book of every symbol that is asked for, while `run` runs.

    Nothing is connected before the first is asked for. One that nobody has asked for in an hour is
    left behind when the connection is replaced.
    """

    def __init__(self, transport: PublicTransport) -> None:
        self._transport = transport
        self._clock = transport.clock
        self._url = streams_url(transport.base_url)
        self._keeper = Keeper(self._connect, self._prepare, self._clock)
        self._books: dict[str, FollowedBook] = {}
        self._asked = asyncio.Event()
        self._unmade = asyncio.Event()
        self._is_lost = False
        self.on_lost: Callable[[str], None] = lambda _reason: None
        """Told when the connection is lost, and of each attempt at another that fails."""
        self.on_resumed: Callable[[], None] = lambda: None
        """Told when there is one again."""

    def find(self, symbol: str, levels: int, since_ns: int = 0) -> ProvenBook | None:
        """Return the book of `symbol` (as the venue writes it) where it is known to be fresh.

        That is: proven within the last second, and not before `since_ns`. None otherwise; it is
        followed from now on.
        """
        if levels > _MOST_LEVELS:
            return None
        now_ns = self._clock.monotonic_ns()
        followed = self._books.get(symbol)
        if followed is None:
            self._follow(symbol, now_ns)
            return None
        followed.asked_ns = now_ns
        return self._fresh(followed, levels, max(since_ns, now_ns - FRESH_FOR_NS))

    def look(self, symbol: str, levels: int) -> ProvenBook | None:
        """As `find`, of a symbol that need not be followed for it."""
        followed = self._books.get(symbol)
        if followed is None:
            return None
        return self._fresh(followed, levels, self._clock.monotonic_ns() - FRESH_FOR_NS)

    def compare(self, symbol: str, answer: Book, limit: int, last_id: int, sent_ns: int) -> None:
        """Hold the book of `symbol` against what REST answered of its best `limit` levels."""
        followed = self._books.get(symbol)
        if followed is not None and limit <= _MOST_LEVELS:
            followed.compare(answer, limit, last_id, sent_ns, self._clock.monotonic_ns())

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._asked.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                self._keeper.run(self._took_over, lambda failure: self._lost(str(failure)))
            )
            tasks.create_task(self._tend_connection())
            tasks.create_task(self._make_books())
            while True:
                await self._clock.sleep(_LOOK_SECONDS)
                self._asked.set()
                self._unmade.set()

    def _fresh(self, followed: FollowedBook, levels: int, since_ns: int) -> ProvenBook | None:
        found = followed.find(levels, since_ns)
        if not followed.is_made:
            self._unmade.set()
        return found

    def _follow(self, symbol: str, now_ns: int) -> None:
        if len(self._books) < _MOST_SYMBOLS:
            self._books[symbol] = FollowedBook(symbol, now_ns)
            self._asked.set()

    # The connection

    def _good_socket(self) -> StreamSocket | None:
        """The connection of the moment, None where none can be relied on."""
        socket = self._keeper.current
        return socket if socket is not None and socket.is_open and not socket.why_due else None

    async def _connect(self) -> StreamSocket:
        timeout_seconds = self._transport.timeout_seconds
        toll = Toll(self._transport.governor, 0)
        connection = await open_socket(self._url, self._clock, timeout_seconds, toll)
        return StreamSocket(
            connection, self._clock, timeout_seconds, self._take, self._connection_ended
        )

    async def _prepare(self, socket: StreamSocket) -> None:
        oldest_ns = self._clock.monotonic_ns() - _FORGET_NS
        for symbol, followed in list(self._books.items()):
            if followed.asked_ns < oldest_ns:
                del self._books[symbol]
        await socket.subscribe(self._missing(socket))

    def _took_over(self) -> None:
        if self._is_lost:
            self._is_lost = False
            self.on_resumed()
        self._asked.set()
        self._unmade.set()

    def _lost(self, reason: str) -> None:
        self._is_lost = True
        self.on_lost(reason)

    def _connection_ended(self, socket: StreamSocket) -> None:
        if socket is self._keeper.current:
            self._drop_all()  # updates are missed until another takes over
            self._lost(socket.why_due)

    def _drop_all(self) -> None:
        for followed in self._books.values():
            followed.drop()

    def _take(self, stream: str, data: msgspec.Raw) -> None:
        update = read_depth_update(data)
        followed = self._books.get(update.symbol)
        if followed is None:
            return
        if stream != followed.stream:
            raise Unreadable(f"the venue told of {update.symbol[:40]!r} in {stream[:80]!r}")
        happened_ns = self._transport.venue_time.clock.earliest_ns(update.event_time)
        followed.apply(update, self._clock.monotonic_ns(), happened_ns)
        if not followed.is_made:
            self._unmade.set()

    async def _tend_connection(self) -> None:
        """Subscribe what is asked for; replace a connection that does not bring what it must."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            socket = self._good_socket()
            if socket is None:
                continue
            try:
                await socket.subscribe(self._missing(socket))
                await socket.check()
            except VenueError as failure:
                self._drop_all()  # it may have kept back more than an answer
                socket.replace(str(failure))
            self._unmade.set()
            now_ns = self._clock.monotonic_ns()
            for followed in self._books.values():
                if followed.is_overdue(now_ns):
                    followed.drop()
                    socket.replace(f"no update of {followed.symbol} came")

    def _missing(self, socket: StreamSocket) -> list[str]:
        streams = (followed.stream for followed in self._books.values())
        return [stream for stream in streams if stream not in socket.streams]

    # The books

    async def _make_books(self) -> None:
        """Read the snapshots of books that are to be made, and the venue's clock."""
        while True:
            await self._unmade.wait()
            self._unmade.clear()
            await self._transport.venue_time.freshen()
            for followed in list(self._books.values()):
                socket = self._good_socket()
                is_subscribed = socket is not None and followed.stream in socket.streams
                if is_subscribed and followed.needs_snapshot(self._clock.monotonic_ns()):
                    await self._make(followed)

    async def _make(self, followed: FollowedBook) -> None:
        followed.note_snapshot(self._clock.monotonic_ns())
        params = (("symbol", followed.symbol), ("limit", str(_SNAPSHOT_LEVELS)))
        try:
            reply = await self._transport.get(DEPTH, params)
            check(reply)
            followed.load(read(_depth, reply), _SNAPSHOT_LEVELS, reply.sent_ns)
        except VenueError:
            return  # read again after its pause; until then REST is asked for each book
