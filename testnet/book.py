"""The order book of one symbol: price levels, first in first out within a level.

Of an iceberg order a level shows one part at a time; a part that is used up is followed by the
next at the end of the level's queue.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from sortedcontainers import SortedDict

from otonom_trader.testnet.orders import Order, Side, Trade
from otonom_trader.testnet.reference_price import ReferencePrice
from otonom_trader.testnet.stops import Stops


class Level:
    """Orders at one price in the order they are matched, and their totals."""

    __slots__ = ("hidden", "orders", "price", "qty")

    def __init__(self, price: int) -> None:
        self.price: Final = price
        self.qty = 0
        """What market data shows."""
        self.hidden = 0
        """What icebergs hold back."""
        self.orders: Final[dict[int, Order]] = {}

    @property
    def total(self) -> int:
        return self.qty + self.hidden

    def first(self) -> Order:
        return next(iter(self.orders.values()))


class BookSide:
    """One side, best price first. ``changed`` collects the prices whose level shows another
    quantity, once somebody has put a set there.
    """

    __slots__ = ("_levels", "changed", "is_moved", "side")

    def __init__(self, side: Side) -> None:
        self.side: Final = side
        self.changed: set[int] | None = None
        self.is_moved = False
        """Whether some level shows another quantity since the book's last update."""
        # Keyed so that the best price sorts first on either side.
        self._levels: SortedDict[int, Level] = SortedDict()

    def __iter__(self) -> Iterator[Level]:
        return iter(self._levels.values())

    def _key(self, price: int) -> int:
        return -price if self.side is Side.BUY else price

    def best(self) -> Level | None:
        return self._levels.peekitem(0)[1] if self._levels else None

    def retell(self, prices: Iterable[int]) -> None:
        """Tell these levels with the next update, though they may show what they did before."""
        if self.changed is not None:
            self.changed.update(prices)

    def quantity_at(self, price: int) -> int:
        """What market data shows at a price; 0 where there is no level."""
        level = self._levels.get(self._key(price))
        return level.qty if level is not None else 0

    def add(self, order: Order) -> None:
        """Queue an order behind those at its price."""
        key = self._key(order.price)
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = Level(order.price)
        shown = level.qty
        order.is_resting = True
        self._queue(level, order)
        self._note(level, shown)

    def take(self, level: Level, order: Order, qty: int) -> None:
        """``qty`` of what an order of this level shows is gone from its remaining quantity."""
        shown = level.qty
        level.qty -= qty
        order.visible -= qty
        if order.remaining == 0:
            self._drop(level, order)
        elif order.visible == 0:
            del level.orders[order.order_id]
            level.hidden -= order.remaining
            self._queue(level, order)
        self._note(level, shown)

    def remove(self, order: Order) -> None:
        """Take an order off; its remaining quantity must still be what the book holds."""
        level = self._levels[self._key(order.price)]
        shown = level.qty
        level.qty -= order.visible
        level.hidden -= order.remaining - order.visible
        self._drop(level, order)
        self._note(level, shown)

    def shrink(self, order: Order, qty: int) -> None:
        """``qty`` of an order's remaining quantity is gone; it keeps its place in the queue.

        What is held back goes first.
        """
        level = self._levels[self._key(order.price)]
        shown = level.qty
        visible = min(order.visible, order.remaining)
        level.qty -= order.visible - visible
        level.hidden -= qty - (order.visible - visible)
        order.visible = visible
        if order.remaining == 0:
            self._drop(level, order)
        self._note(level, shown)

    def accepts(self, level: Level, limit: int) -> bool:
        """Whether a taker with this limit price may trade with the level; 0 is any price."""
        if not limit:
            return True
        return level.price >= limit if self.side is Side.BUY else level.price <= limit

    def _queue(self, level: Level, order: Order) -> None:
        remaining = order.remaining
        iceberg = order.iceberg_qty
        order.visible = iceberg if iceberg and iceberg < remaining else remaining
        level.orders[order.order_id] = order
        level.qty += order.visible
        level.hidden += remaining - order.visible

    def _drop(self, level: Level, order: Order) -> None:
        order.is_resting = False
        order.visible = 0
        del level.orders[order.order_id]
        if not level.orders:
            del self._levels[self._key(level.price)]

    def _note(self, level: Level, shown: int) -> None:
        """``shown`` is what the level showed before."""
        if level.qty == shown:
            return
        self.is_moved = True
        if self.changed is not None:
            self.changed.add(level.price)


class Book:
    """Both sides, the stop orders that wait, and the last price they wait for.

    ``update_id`` grows with each change that can be seen, as ``lastUpdateId`` does: orders that
    wait for their price and those that found nothing leave it. Trade ids count the symbol's
    trades without a gap, and the ids of prevented matches its prevented matches.
    """

    __slots__ = (
        "_last_trade_id",
        "asks",
        "bids",
        "last_price",
        "last_trade_ms",
        "next_match_id",
        "reference",
        "stops",
        "update_id",
    )

    def __init__(self, reference: ReferencePrice | None = None) -> None:
        self.bids: Final = BookSide(Side.BUY)
        self.asks: Final = BookSide(Side.SELL)
        self.stops: Final = Stops()
        self.reference: Final = reference
        """None where the symbol has no reference price."""
        self.last_price = 0
        """0 before the first trade."""
        self.last_trade_ms = 0
        self.update_id = 0
        self.next_match_id = 0
        self._last_trade_id = 0

    def close_update(self) -> None:
        """What changed since the last time is one update."""
        if self.bids.is_moved or self.asks.is_moved:
            self.update_id += 1
            self.bids.is_moved = self.asks.is_moved = False

    def next_trade_id(self) -> int:
        self._last_trade_id += 1
        return self._last_trade_id

    def note(self, trade: Trade) -> None:
        """The last price is this trade's."""
        self.last_price = trade.price
        self.last_trade_ms = trade.time_ms
        if self.reference is not None:
            self.reference.add(trade.price, trade.time_ms)

    def side(self, side: Side) -> BookSide:
        return self.bids if side is Side.BUY else self.asks

    def opposite(self, side: Side) -> BookSide:
        return self.asks if side is Side.BUY else self.bids
