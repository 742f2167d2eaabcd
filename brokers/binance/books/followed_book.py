"""One symbol's local book, and until when it is known to be the venue's. Pure.

A book is served by what is proven of it, never by what is assumed: a stream in which nothing comes
looks the same whether nothing happens or the venue has forgotten us. Source: promises.md, P9.
"""

from typing import Final, NamedTuple

from otonom_trader.brokers.binance.books.local_book import LocalBook
from otonom_trader.brokers.binance.books.stream_frames import DepthUpdate
from otonom_trader.brokers.binance.wire import Depth
from otonom_trader.domain.market import Book

_SECOND: Final = 1_000_000_000
FRESH_FOR_NS: Final = _SECOND
"""How old the last proof of a book may be. A traded symbol brings one every 100 ms."""
_OVERDUE_NS: Final = 5 * _SECOND
# How far an update may seem to come from the future before the venue's clock is not believed.
_CLOCK_SLACK_NS: Final = _SECOND // 10
_FIRST_PAUSE_NS: Final = _SECOND
_LONGEST_PAUSE_NS: Final = 30 * _SECOND
_CALM_NS: Final = 60 * _SECOND


class ProvenBook(NamedTuple):
    """A book, and the monotonic time at or after which the venue's was the same."""

    book: Book
    proven_ns: int


class FollowedBook:
    """A local book with its proofs.

    These are an update, by the venue's own time of it; a snapshot; and an answer of REST that says
    the same. Each dates the book by the earliest moment that it can have been true of.
    """

    def __init__(self, symbol: str, asked_ns: int) -> None:
        self.symbol = symbol
        self.stream = f"{symbol.lower()}@depth@100ms"
        self.asked_ns = asked_ns
        """When somebody asked for it last."""
        self._book = LocalBook()
        self._proven_ns = 0
        self._agreed_id = 0
        self._awaited: tuple[int, int] | None = None
        self._snapshot_ns = asked_ns
        self._pause_ns = 0

    @property
    def is_made(self) -> bool:
        """Whether there is a book; while there is none it waits for a snapshot."""
        return self._book.last_id is not None

    def apply(self, update: DepthUpdate, received_ns: int, happened_ns: int | None) -> None:
        """Take in an update that cannot have happened before `happened_ns`.

        None where the venue's clock is not known: the book is kept, and not proven.
        """
        if not self._book.apply(update):
            return
        if update.last_id < self._agreed_id:
            # An answer that said the same was of a later book: this one is older again.
            self._proven_ns = 0
        if self._awaited is not None and update.last_id >= self._awaited[0]:
            self._awaited = None
        if happened_ns is not None and happened_ns <= received_ns + _CLOCK_SLACK_NS:
            self._prove(min(happened_ns, received_ns))

    def load(self, snapshot: Depth, limit: int, sent_ns: int) -> None:
        """Make the book from a snapshot that was asked for at `sent_ns`."""
        if self._book.load(snapshot, limit):
            self._awaited, self._agreed_id = None, 0
            self._proven_ns = sent_ns

    def compare(
        self, answer: Book, limit: int, last_id: int, sent_ns: int, received_ns: int
    ) -> None:
        """Compare with what REST answered of the best `limit` levels: a proof, or none.

        What REST has seen already must come over the stream; what it contradicts is forgotten.
        """
        own_id = self._book.last_id
        if own_id is None:
            return
        if last_id == own_id or (last_id > own_id and self._book.best(limit) == answer):
            self._agreed_id, self._awaited = max(self._agreed_id, last_id), None
            self._prove(sent_ns)
        elif last_id > own_id:
            self._awaited = self._awaited or (last_id, received_ns)
        elif sent_ns - self._proven_ns > _OVERDUE_NS:
            # Ids have begun anew: the venue's updates would be taken for old ones.
            self.drop()

    def find(self, levels: int, not_before_ns: int) -> ProvenBook | None:
        """Return the best `levels` a side; None where no proof is as young as `not_before_ns`."""
        if not self.is_made or self._proven_ns < not_before_ns:
            return None
        book = self._book.best(levels)
        if book is None:
            self.drop()
            return None
        return ProvenBook(book, self._proven_ns)

    def is_overdue(self, now_ns: int) -> bool:
        """Whether an update that must come has not come."""
        awaited = self._awaited if self.is_made else None
        return awaited is not None and now_ns - awaited[1] > _OVERDUE_NS

    def drop(self) -> None:
        """Forget the book: it must be made anew."""
        self._book.drop()
        self._awaited = None

    def needs_snapshot(self, now_ns: int) -> bool:
        """Whether a snapshot should be read now: one that failed is not tried again at once."""
        return not self.is_made and now_ns - self._snapshot_ns >= self._pause_ns

    def note_snapshot(self, now_ns: int) -> None:
        """Note that a snapshot is read: the next must wait, the longer the closer they follow."""
        is_calm = now_ns - self._snapshot_ns > _CALM_NS
        longer_ns = min(max(self._pause_ns * 2, _FIRST_PAUSE_NS), _LONGEST_PAUSE_NS)
        self._pause_ns = _FIRST_PAUSE_NS if is_calm else longer_ns
        self._snapshot_ns = now_ns

    def _prove(self, at_ns: int) -> None:
        self._proven_ns = max(self._proven_ns, at_ns)
