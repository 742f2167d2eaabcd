"""An order against its symbol's filters (page "Filters"); text always ``Filter failure: NAME``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import SCALE, parse_amount, quote_of
from otonom_trader.testnet.errors import filter_failure
from otonom_trader.testnet.exchange_info import Filter, SymbolRules
from otonom_trader.testnet.orders import NewOrder, OrderType, Side


@dataclass(frozen=True, slots=True)
class Context:
    """What the filters look at besides the order."""

    order: NewOrder
    account: Account
    rules: SymbolRules
    reference: int
    """Average price over the filter's minutes, or the last price; 0 when nothing ever traded."""

    @property
    def is_market(self) -> bool:
        return self.order.type is OrderType.MARKET


def check_filters(context: Context) -> None:
    """Raises VenueError at the first filter the order fails, in the order exchangeInfo shows."""
    for name, entry in context.rules.filters.items():
        passes = CHECKS.get(name)
        if passes is not None and not passes(context, entry):
            # What depends on the account's working orders is judged next to the engine.
            raise filter_failure(name, code=-2010 if name in COUNTING else -1013)


def _within(value: int, smallest: int, largest: int, step: int) -> bool:
    """A bound or step of 0 is no rule."""
    return (
        value >= smallest and (not largest or value <= largest) and (not step or value % step == 0)
    )


def _price(context: Context, entry: Filter) -> bool:
    return not context.order.price or _within(
        context.order.price, *_amounts(entry, "minPrice", "maxPrice", "tickSize")
    )


def _lot_size(context: Context, entry: Filter) -> bool:
    return not context.order.qty or _within(
        context.order.qty, *_amounts(entry, "minQty", "maxQty", "stepSize")
    )


def _market_lot_size(context: Context, entry: Filter) -> bool:
    return not context.is_market or _lot_size(context, entry)


def _percent_price(context: Context, entry: Filter) -> bool:
    return _between(context, entry["multiplierDown"], entry["multiplierUp"])


def _percent_price_by_side(context: Context, entry: Filter) -> bool:
    side = "bid" if context.order.side is Side.BUY else "ask"
    return _between(context, entry[f"{side}MultiplierDown"], entry[f"{side}MultiplierUp"])


def _between(context: Context, down: str, up: str) -> bool:
    price, reference = context.order.price, context.reference
    if not price or not reference:
        return True
    scaled = price * SCALE
    return reference * parse_amount(down) <= scaled <= reference * parse_amount(up)


def _order_notional(context: Context) -> int:
    """At the order's price; a MARKET order's at the reference; 0 where there is none."""
    order = context.order
    if order.quote_qty:
        return order.quote_qty
    return quote_of(order.price or context.reference, order.qty)


def _notional(context: Context, entry: Filter) -> bool:
    notional = _order_notional(context)
    if not notional:
        return True
    smallest, largest = _amounts(entry, "minNotional", "maxNotional")
    if context.is_market and not entry["applyMinToMarket"]:
        smallest = 0
    if context.is_market and not entry["applyMaxToMarket"]:
        largest = 0
    return _within(notional, smallest, largest, 0)


def _min_notional(context: Context, entry: Filter) -> bool:
    notional = _order_notional(context)
    if not notional or (context.is_market and not entry["applyToMarket"]):
        return True
    return notional >= parse_amount(entry["minNotional"])


def _max_num_orders(context: Context, entry: Filter) -> bool:
    working = context.account.working_on(context.rules.symbol)
    return len(working) < int(entry["maxNumOrders"])


def _max_position(context: Context, entry: Filter) -> bool:
    if context.order.side is not Side.BUY:
        return True
    held = context.account.balance(context.rules.base)
    buying = sum(
        order.remaining
        for order in context.account.working_on(context.rules.symbol).values()
        if order.side is Side.BUY
    )
    total = held.free + held.locked + buying + context.order.qty
    return total <= parse_amount(entry["maxPosition"])


def _amounts(entry: Filter, *names: str) -> list[int]:
    return [parse_amount(entry[name]) for name in names]


CHECKS: Final[Mapping[str, Callable[[Context, Mapping[str, Any]], bool]]] = {
    "PRICE_FILTER": _price,
    "LOT_SIZE": _lot_size,
    "MARKET_LOT_SIZE": _market_lot_size,
    "PERCENT_PRICE": _percent_price,
    "PERCENT_PRICE_BY_SIDE": _percent_price_by_side,
    "MIN_NOTIONAL": _min_notional,
    "NOTIONAL": _notional,
    "MAX_NUM_ORDERS": _max_num_orders,
    "MAX_POSITION": _max_position,
}
"""By filterType. Those for icebergs, stops, lists and amends meet no order yet."""

COUNTING: Final = frozenset({"MAX_NUM_ORDERS", "MAX_POSITION"})
