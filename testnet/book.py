"""The order book of one symbol: price levels, first in first out within a level."""

from collections.abc import Iterator
from typing import Final

from sortedcontainers import SortedDict

from otonom_trader.testnet.orders import Order, Side


class Level:
    """Orders at one price, oldest first, and their total."""

    __slots__ = ("orders", "price", "qty")

    def __init__(self, price: int) -> None:
        self.price: Final = price
        self.qty = 0
        self.orders: Final[dict[int, Order]] = {}

    def first(self) -> Order:
        return next(iter(self.orders.values()))


class BookSide:
    """One side, best price first."""

    __slots__ = ("_levels", "side")

    def __init__(self, side: Side) -> None:
        self.side: Final = side
        # Keyed so that the best price sorts first on either side.
        self._levels: SortedDict[int, Level] = SortedDict()

    def __iter__(self) -> Iterator[Level]:
        return iter(self._levels.values())

    def _key(self, price: int) -> int:
        return -price if self.side is Side.BUY else price

    def best(self) -> Level | None:
        return self._levels.peekitem(0)[1] if self._levels else None

    def add(self, order: Order) -> None:
        key = self._key(order.price)
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = Level(order.price)
        level.orders[order.order_id] = order
        level.qty += order.remaining

    def reduce(self, level: Level, order: Order, qty: int) -> None:
        """Take ``qty`` off an order of this level; the order leaves when nothing remains of it."""
        level.qty -= qty
        if order.remaining == 0:
            self._drop(level, order)

    def remove(self, order: Order) -> None:
        """Take a working order off; its remaining quantity must still be what the book holds."""
        level = self._levels[self._key(order.price)]
        level.qty -= order.remaining
        self._drop(level, order)

    def _drop(self, level: Level, order: Order) -> None:
        del level.orders[order.order_id]
        if not level.orders:
            del self._levels[self._key(level.price)]

    def accepts(self, level: Level, limit: int) -> bool:
        """Whether a taker with this limit price may trade with the level; 0 is any price."""
        if not limit:
            return True
        return level.price >= limit if self.side is Side.BUY else level.price <= limit


class Book:
    """Both sides. ``update_id`` grows with each change, as ``lastUpdateId`` does; trade ids count
    the symbol's trades without a gap.
    """

    __slots__ = ("_last_trade_id", "asks", "bids", "update_id")

    def __init__(self) -> None:
        self.bids: Final = BookSide(Side.BUY)
        self.asks: Final = BookSide(Side.SELL)
        self.update_id = 0
        self._last_trade_id = 0

    def next_trade_id(self) -> int:
        self._last_trade_id += 1
        return self._last_trade_id

    def side(self, side: Side) -> BookSide:
        return self.bids if side is Side.BUY else self.asks

    def opposite(self, side: Side) -> BookSide:
        return self.asks if side is Side.BUY else self.bids
