"""The changes of one order book since the last event, for streams of one update speed.

The book notes which prices changed only while somebody listens.
"""

from typing import Final

from otonom_trader.testnet.book import Book
from otonom_trader.testnet.stream_names import FAST_MS, SLOW_MS
from otonom_trader.testnet.stream_payloads import Rows, changed_levels


class Changes:
    """What one update speed has not been told yet."""

    __slots__ = ("asks", "bids", "told_id")

    def __init__(self, told_id: int) -> None:
        self.told_id = told_id
        self.bids: set[int] = set()
        self.asks: set[int] = set()


class DepthFeed:
    """``open`` before the first listener hears, ``close`` after the last has left."""

    def __init__(self, book: Book) -> None:
        self.book: Final = book
        self._speeds: dict[int, Changes] = {}

    def open(self) -> None:
        self.book.bids.changed, self.book.asks.changed = set(), set()
        self._speeds = {every: Changes(self.book.update_id) for every in (FAST_MS, SLOW_MS)}

    def close(self) -> None:
        self.book.bids.changed = self.book.asks.changed = None

    def take(self, every_ms: int) -> tuple[tuple[int, int], tuple[Rows, Rows]] | None:
        """First and last update since the last time, and the levels that changed in them.

        None where none did. Ids follow each other without a gap.
        """
        self._collect()
        changes, book = self._speeds[every_ms], self.book
        if book.update_id == changes.told_id or not (changes.bids or changes.asks):
            return None
        ids = (changes.told_id + 1, book.update_id)
        levels = (changed_levels(book.bids, changes.bids), changed_levels(book.asks, changes.asks))
        changes.told_id = book.update_id
        changes.bids, changes.asks = set(), set()
        return ids, levels

    def skip(self, every_ms: int) -> None:
        """Nobody listens at this speed: whoever comes next starts from here."""
        self._collect()
        self._speeds[every_ms] = Changes(self.book.update_id)

    def _collect(self) -> None:
        bids, asks = self.book.bids, self.book.asks
        for changes in self._speeds.values():
            changes.bids |= bids.changed or set()
            changes.asks |= asks.changed or set()
        bids.changed, asks.changed = set(), set()
