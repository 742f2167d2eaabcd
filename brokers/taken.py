"""What simulated orders have taken of a book that does not know of them."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.market import Book, Level, MarketSnapshot
from otonom_trader.domain.order import Side
from otonom_trader.domain.resting import Leg
from otonom_trader.domain.symbol import Symbol


class TakenLiquidity:
    """Quantities taken by price, for as long as the levels they were taken from stand.

    The venue goes on showing what a simulated order has taken: taken again at the next reading, it
    would fill any order in the end. Each leg is a world of its own.
    """

    def __init__(self) -> None:
        self._taken: dict[tuple[Leg, Symbol, Side], dict[Decimal, Decimal]] = {}

    def add(self, leg: Leg, symbol: Symbol, side: Side, levels: Iterable[Level]) -> None:
        """Note what an order of `side` took."""
        taken = self._taken.setdefault((leg, symbol, side), {})
        for price, qty in levels:
            taken[price] = taken.get(price, ZERO) + qty

    def left_of(self, market: MarketSnapshot, leg: Leg, side: Side) -> Book:
        """Return the book with what an order of `side` may still take.

        Of a level that has shrunk below what was taken of it, only what comes anew counts.
        """
        taken = self._taken.get((leg, market.symbol, side), {})
        levels = market.book.opposite(side)
        stand = dict(levels)
        for price in list(taken):
            taken[price] = min(taken[price], stand.get(price, ZERO))
            if not taken[price]:
                del taken[price]
        left = tuple(
            Level(price, qty - taken.get(price, ZERO))
            for price, qty in levels
            if qty > taken.get(price, ZERO)
        )
        if side is Side.BUY:
            return replace(market.book, asks=left)
        return replace(market.book, bids=left)
