"""Stop orders of one symbol that wait for its price (FAQ "Spot Trailing Stop order").

A stop loss to buy and a take profit to sell wait for the price to rise to their stop price, the
opposites for it to fall. With a trailing delta the stop price only starts the pursuit: from then
on the order follows the best price, and is triggered by a move of the delta against it.
"""

from collections.abc import Iterable
from typing import Final

from sortedcontainers import SortedDict

from otonom_trader.testnet.orders import STOP_LOSSES, NewOrder, Order, Side

_BASIS_POINTS: Final = 10_000


def waits_above(order: Order | NewOrder) -> bool:
    """Whether the stop price is to be reached from below."""
    return (order.type in STOP_LOSSES) is (order.side is Side.BUY)


def would_trigger(order: Order | NewOrder, last_price: int) -> bool:
    """Whether the stop price is met already; before the first trade nothing is.

    That an order which would only begin to trail is refused alike is a choice: the documentation
    compares every stop price with the last traded price.
    """
    if not (order.stop_price and last_price):
        return False
    if waits_above(order):
        return last_price >= order.stop_price
    return last_price <= order.stop_price


class Stops:
    """The waiting orders, told every trade."""

    __slots__ = ("_above", "_below", "_trailing")

    def __init__(self) -> None:
        # By stop price, of each price the oldest first.
        self._above: SortedDict[int, dict[int, Order]] = SortedDict()
        self._below: SortedDict[int, dict[int, Order]] = SortedDict()
        self._trailing: Final[dict[int, Order]] = {}

    @property
    def are_waiting(self) -> bool:
        return bool(self._above or self._below or self._trailing)

    def add(self, order: Order, last_price: int, now_ms: int) -> None:
        """Without a stop price an order trails from the last price on, or from the first."""
        if order.stop_price:
            side = self._above if waits_above(order) else self._below
            side.setdefault(order.stop_price, {})[order.order_id] = order
        else:
            self._follow(order, last_price, now_ms)

    def discard(self, order: Order) -> None:
        """Forget an order; one that was triggered already is not here any more."""
        if self._trailing.pop(order.order_id, None) is not None:
            return
        side = self._above if waits_above(order) else self._below
        waiting = side.get(order.stop_price, {})
        if waiting.pop(order.order_id, None) is not None and not waiting:
            del side[order.stop_price]

    def on_trade(self, price: int, now_ms: int) -> Iterable[Order]:
        """Take out the orders that a trade at this price triggers, oldest first."""
        if not self.are_waiting:
            return ()
        met: list[Order] = []
        while self._above and self._above.peekitem(0)[0] <= price:
            met.extend(self._above.popitem(0)[1].values())
        while self._below and self._below.peekitem(-1)[0] >= price:
            met.extend(self._below.popitem(-1)[1].values())
        triggered = [order for order in met if not order.trailing_delta]
        triggered.extend(order for order in self._trailing.values() if _pursue(order, price))
        for order in triggered:
            self._trailing.pop(order.order_id, None)
        for order in met:
            if order.trailing_delta:
                self._follow(order, price, now_ms)
        triggered.sort(key=lambda order: order.order_id)
        return triggered

    def _follow(self, order: Order, price: int, now_ms: int) -> None:
        order.trailing_ms = now_ms
        order.extreme = price
        self._trailing[order.order_id] = order


def _pursue(order: Order, price: int) -> bool:
    """Move an order's best price along; whether this trade triggers it."""
    if order.side is Side.BUY:
        order.extreme = min(order.extreme or price, price)
        return price * _BASIS_POINTS >= order.extreme * (_BASIS_POINTS + order.trailing_delta)
    order.extreme = max(order.extreme, price)
    return price * _BASIS_POINTS <= order.extreme * (_BASIS_POINTS - order.trailing_delta)
