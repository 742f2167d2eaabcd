"""What the market looks like at one moment, and what an order would meet there."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol


class Level(NamedTuple):
    """One price of a book and the quantity, in base, that waits there."""

    price: Decimal
    qty: Decimal


@dataclass(frozen=True, slots=True)
class Walk:
    """What an order of some size meets in a book: how much fills, for how much quote, how deep."""

    qty: Decimal
    quote_qty: Decimal
    worst_price: Decimal | None
    levels: tuple[Level, ...]

    @property
    def avg_price(self) -> Decimal | None:
        """Quote over base of what fills; None when nothing does."""
        return self.quote_qty / self.qty if self.qty else None


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and best ask."""

    bid: Level
    ask: Level

    @property
    def mid(self) -> Decimal:
        """Half way between best bid and best ask."""
        return (self.bid.price + self.ask.price) / 2


@dataclass(frozen=True, slots=True)
class Book:
    """An order book: bids from the highest price down, asks from the lowest up."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    @property
    def quote(self) -> Quote | None:
        """Best bid and ask; None when a side is empty."""
        return Quote(self.bids[0], self.asks[0]) if self.bids and self.asks else None

    def opposite(self, side: Side) -> tuple[Level, ...]:
        """The levels an order of `side` trades against, best first."""
        return self.asks if side is Side.BUY else self.bids

    def walk(self, side: Side, qty: Decimal, limit_price: Decimal | None = None) -> Walk:
        """Take up to `qty` (base) from the opposite side, no further than `limit_price`."""
        left, quote_qty, taken = qty, ZERO, list[Level]()
        for level in self.opposite(side):
            beyond = limit_price is not None and (level.price - limit_price) * side.sign > 0
            if left <= 0 or beyond:
                break
            part = min(left, level.qty)
            taken.append(Level(level.price, part))
            quote_qty += part * level.price
            left -= part
        return Walk(qty - left, quote_qty, taken[-1].price if taken else None, tuple(taken))


class PriceRange(NamedTuple):
    """Prices from `low` to `high`, quote per base; an end that is None is open."""

    low: Decimal | None = None
    high: Decimal | None = None


class PriceLimits(NamedTuple):
    """The limit prices at which a venue takes an order, or trades it, by the order's side."""

    buy: PriceRange
    sell: PriceRange

    def of(self, side: Side) -> PriceRange:
        """Those of an order of `side`."""
        return self.buy if side is Side.BUY else self.sell


@dataclass(frozen=True, slots=True)
class MarketSnapshot:
    """One symbol's book as it was read; `taken_ns` is the monotonic time of the reading.

    `limits` are None where they are not known.
    """

    symbol: Symbol
    book: Book
    taken_at: datetime
    taken_ns: int
    limits: PriceLimits | None = None

    def reference(self, side: Side) -> Decimal | None:
        """The best opposite quote: what an order of `side` would first meet."""
        levels = self.book.opposite(side)
        return levels[0].price if levels else None

    @property
    def mark(self) -> Decimal | None:
        """The mid price, by which holdings are valued."""
        quote = self.book.quote
        return quote.mid if quote else None


@dataclass(frozen=True, slots=True)
class Instrument:
    """How a symbol trades at a venue: steps and bounds in base, price tick and minimum in quote.

    A step, bound or minimum of 0 sets no rule.
    """

    symbol: Symbol
    venue_symbol: str
    tradable: bool
    qty_step: Decimal
    min_qty: Decimal
    max_qty: Decimal
    price_tick: Decimal
    min_notional: Decimal
    status: str = "TRADING"
