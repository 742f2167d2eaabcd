"""One symbol's order book, kept from a snapshot and the changes after it. Pure.

Source: binance-facts.md, section 8 ("Book").
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Final

from sortedcontainers import SortedDict

from otonom_trader.brokers.binance.books.stream_frames import DepthUpdate
from otonom_trader.brokers.binance.errors import Unreadable
from otonom_trader.brokers.binance.wire import Depth, numbers
from otonom_trader.domain.market import Book, Level

# Half a minute of changes: a snapshot that takes longer is asked for again.
_MOST_WAITING: Final = 300
_DECIMALS: Final = 18  # as many as `wire.number` accepts

_Row = tuple[str, str]


class LocalBook:
    """Equal to the venue's book as it was at update `last_id`; None while it is being made.

    Updates come in by `apply` from the moment the stream is subscribed; the snapshot, read after
    that, by `load`. Two connections may bring the same updates.
    """

    def __init__(self) -> None:
        self.last_id: int | None = None
        self._bids = _Side(-1)
        self._asks = _Side(1)
        self._waiting: deque[DepthUpdate] = deque(maxlen=_MOST_WAITING)
        self._shown: dict[int, Book] = {}

    def apply(self, update: DepthUpdate) -> bool:
        """Take in one update; return whether the book is newer by it.

        One that is known already is nothing; one that does not join on what is known tells that
        some are missing, and the book must be made anew. Raises `Unreadable` for one that cannot
        be, and keeps nothing of it.
        """
        if self.last_id is None:
            self._waiting.append(update)
            return False
        if update.last_id <= self.last_id:
            return False
        if update.first_id > self.last_id + 1:
            self.drop()
            self._waiting.append(update)
            return False
        bids, asks = _levels(update.bids), _levels(update.asks)
        self._bids.change(bids)
        self._asks.change(asks)
        self.last_id = update.last_id
        self._shown.clear()
        return True

    def load(self, snapshot: Depth, limit: int) -> bool:
        """Begin with a snapshot of at most `limit` levels a side, and what has come since.

        Returns whether the book is made: not with a snapshot that ends before the updates begin.
        Raises `Unreadable` for one that cannot be.
        """
        last_id = snapshot.last_update_id
        # Sorted, since two connections bring them in one order each.
        later = sorted(
            (update for update in self._waiting if update.last_id > last_id),
            key=lambda update: update.first_id,
        )
        if later and later[0].first_id > last_id + 1:
            return False
        bids, asks = _levels(snapshot.bids), _levels(snapshot.asks)
        self.drop()
        self._bids.begin(bids, is_whole=len(bids) < limit)
        self._asks.begin(asks, is_whole=len(asks) < limit)
        self.last_id = last_id
        for update in later:
            self.apply(update)
        return self.last_id is not None

    def drop(self) -> None:
        """Forget everything: the book must be made anew."""
        self.last_id = None
        self._waiting.clear()
        self._shown.clear()

    def best(self, count: int) -> Book | None:
        """Return the best `count` levels a side, fewer only where the venue has no more.

        None while the book is being made, and where it is not known so deep, or is crossed.
        """
        book = self._shown.get(count)
        if book is not None or self.last_id is None:
            return book
        bids, asks = self._bids.best(count), self._asks.best(count)
        if bids is None or asks is None or (bids and asks and bids[0].price >= asks[0].price):
            return None
        book = self._shown[count] = Book(bids, asks)
        return book


class _Side:
    """The levels of one side that are known for certain, best first.

    A snapshot ends somewhere: beyond that only what changes later would be known, so that nothing
    is kept of it. Levels go by their price as a whole number, which is hashed and compared faster
    than a Decimal; `sign` turns the best ones to the front.
    """

    __slots__ = ("_end", "_levels", "_sign")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._levels: SortedDict[int, Level] = SortedDict()
        self._end: int | None = None

    def begin(self, levels: Sequence[tuple[int, Level]], *, is_whole: bool) -> None:
        """Take over the levels of a snapshot, which must be in order."""
        ranks = [rank * self._sign for rank, _ in levels]
        if any(map(int.__ge__, ranks, ranks[1:])) or not all(level.qty for _, level in levels):
            raise Unreadable("Binance sent an order book that is not in order")
        self._levels = SortedDict(zip(ranks, (level for _, level in levels), strict=True))
        self._end = None if is_whole else ranks[-1]

    def change(self, levels: Iterable[tuple[int, Level]]) -> None:
        """Set the quantity of each of `levels`; those with none are gone."""
        for price, level in levels:
            rank = price * self._sign
            if self._end is not None and rank > self._end:
                continue
            if level.qty:
                self._levels[rank] = level
            else:
                self._levels.pop(rank, None)

    def best(self, count: int) -> tuple[Level, ...] | None:
        """Return the best `count` levels; None where they are not all known."""
        if self._end is not None and len(self._levels) < count:
            return None
        return tuple(islice(self._levels.values(), count))


def _levels(rows: Sequence[_Row]) -> list[tuple[int, Level]]:
    figures = numbers(list(chain.from_iterable(rows)))
    prices, quantities = figures[::2], figures[1::2]
    if min(prices, default=1) <= 0 or min(quantities, default=0) < 0:
        raise Unreadable("Binance sent an order book with an impossible level")
    ranks = [_whole(price) for price, _ in rows]
    return list(zip(ranks, map(Level, prices, quantities), strict=True))


def _whole(price: str) -> int:
    """Return a price as a whole number of its smallest fraction; exact."""
    whole, _, fraction = price.partition(".")
    return int(whole + fraction.ljust(_DECIMALS, "0"))
