"""Orders against their symbol's filters (page "Filters"); text always ``Filter failure: NAME``.

Choices where the documentation is silent: a stop without a limit price is held to the notional
bounds at its stop price as a MARKET order is at the reference, and the text of MAX_ASSET, which
the error page does not list, follows the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import MAX_AMOUNT, SCALE, parse_amount, quote_of
from otonom_trader.testnet.errors import VenueError, filter_failure
from otonom_trader.testnet.exchange_info import Filter, SymbolRules
from otonom_trader.testnet.orders import STOPS, NewOrder, Order, OrderType, Side
from otonom_trader.testnet.stops import waits_above


@dataclass(frozen=True, slots=True)
class Context:
    """What the filters look at besides the order."""

    order: NewOrder
    account: Account
    rules: SymbolRules
    reference: Callable[[int], int]
    """Minutes to the price to compare with; 0 when nothing ever traded."""

    @property
    def is_market(self) -> bool:
        return not self.order.price


def check_filters(context: Context) -> None:
    """Raises VenueError at the first filter one order fails, in the order exchangeInfo shows."""
    for name, entry in context.rules.filters.items():
        passes = CHECKS.get(name)
        if passes is not None and not passes(context, entry):
            raise filter_failure(name)
    _check_assets(context)


def check_quantity(context: Context) -> None:
    """Hold a quoteOrderQty, by now a quantity, to what concerns quantities (-1013)."""
    for name in ("LOT_SIZE", "MARKET_LOT_SIZE"):
        entry = context.rules.filters.get(name)
        if entry is not None and not CHECKS[name](context, entry):
            raise filter_failure(name)
    _check_assets(context)


def check_counts(
    rules: SymbolRules,
    account: Account,
    new: Sequence[NewOrder],
    exchange_filters: Sequence[Filter],
    *,
    lists: int = 0,
) -> None:
    """Hold the account's open orders, with these new ones, to the filters that count them.

    They are judged next to the engine, hence -2010.
    """
    here = list(account.working_on(rules.symbol).values())
    for name, entry in rules.filters.items():
        if name == "MAX_POSITION":
            if not _fits_position(rules, account, here, new, entry):
                raise filter_failure(name, code=-2010)
        elif name in COUNTS:
            counted, field = COUNTS[name]
            open_lists = _open_lists(account, rules.symbol) if name == LISTS else 0
            _check_count(name, entry[field], counted, here, new, lists + open_lists)
    for entry in exchange_filters:
        name = entry["filterType"].removeprefix("EXCHANGE_")
        counted, field = COUNTS[name]
        everywhere = account.working_orders()
        open_lists = len(account.open_lists_by_client_id) if name == LISTS else 0
        _check_count(
            entry["filterType"], entry[field], counted, everywhere, new, lists + open_lists
        )


def check_amendment(order: Order, qty: int, context: Context) -> None:
    """A reduced order must still pass what concerns its quantity, and not be amended too often;
    -2038 where it does not.
    """
    entry = context.rules.filters.get("MAX_NUM_ORDER_AMENDS")
    if entry is not None and len(order.amendments) >= int(entry["maxNumOrderAmends"]):
        raise filter_failure("MAX_NUM_ORDER_AMENDS", code=-2038)
    try:
        check_filters(context)
    except VenueError as failure:
        raise VenueError(-2038, failure.msg) from None


def _within(value: int, smallest: int, largest: int, step: int) -> bool:
    """A bound or step of 0 is no rule."""
    return (
        value >= smallest and (not largest or value <= largest) and (not step or value % step == 0)
    )


def _price(context: Context, entry: Filter) -> bool:
    bounds = _amounts(entry, "minPrice", "maxPrice", "tickSize")
    prices = (context.order.price, context.order.stop_price)
    return all(_within(price, *bounds) for price in prices if price)


def _lot_size(context: Context, entry: Filter) -> bool:
    bounds = _amounts(entry, "minQty", "maxQty", "stepSize")
    quantities = (context.order.qty, context.order.iceberg_qty)
    return all(_within(qty, *bounds) for qty in quantities if qty)


def _market_lot_size(context: Context, entry: Filter) -> bool:
    return context.order.type is not OrderType.MARKET or _lot_size(context, entry)


def _iceberg_parts(context: Context, entry: Filter) -> bool:
    order = context.order
    return not order.iceberg_qty or -(-order.qty // order.iceberg_qty) <= int(entry["limit"])


def _trailing_delta(context: Context, entry: Filter) -> bool:
    order = context.order
    if not order.trailing_delta:
        return True
    where = "Above" if waits_above(order) else "Below"
    smallest, largest = entry[f"minTrailing{where}Delta"], entry[f"maxTrailing{where}Delta"]
    return int(smallest) <= order.trailing_delta <= int(largest)


def _percent_price(context: Context, entry: Filter) -> bool:
    return _between(context, entry, entry["multiplierDown"], entry["multiplierUp"])


def _percent_price_by_side(context: Context, entry: Filter) -> bool:
    side = "bid" if context.order.side is Side.BUY else "ask"
    return _between(context, entry, entry[f"{side}MultiplierDown"], entry[f"{side}MultiplierUp"])


def _between(context: Context, entry: Filter, down: str, up: str) -> bool:
    price = context.order.price
    reference = context.reference(int(entry["avgPriceMins"])) if price else 0
    if not reference:
        return True
    scaled = price * SCALE
    return reference * parse_amount(down) <= scaled <= reference * parse_amount(up)


def _order_notional(context: Context, minutes: int) -> int:
    """At the order's price; a MARKET order's at the reference; 0 where there is none."""
    order = context.order
    if order.quote_qty:
        return order.quote_qty
    price = order.price or order.stop_price or context.reference(minutes)
    return quote_of(price, order.qty)


def _notional(context: Context, entry: Filter) -> bool:
    notional = _order_notional(context, int(entry["avgPriceMins"]))
    if not notional:
        return True
    smallest, largest = _amounts(entry, "minNotional", "maxNotional")
    if context.is_market and not entry["applyMinToMarket"]:
        smallest = 0
    if context.is_market and not entry["applyMaxToMarket"]:
        largest = 0
    return _within(notional, smallest, largest, 0)


def _min_notional(context: Context, entry: Filter) -> bool:
    notional = _order_notional(context, int(entry["avgPriceMins"]))
    if not notional or (context.is_market and not entry["applyToMarket"]):
        return True
    return notional >= parse_amount(entry["minNotional"])


def _check_assets(context: Context) -> None:
    """MAX_ASSET, which belongs to the account: the quantity of a base asset, the notional of a
    quote asset.
    """
    most_of = context.account.max_asset
    if not most_of:
        return
    most_base = most_of.get(context.rules.base, MAX_AMOUNT)
    most_quote = most_of.get(context.rules.quote, MAX_AMOUNT)
    if context.order.qty > most_base or _order_notional(context, 5) > most_quote:
        raise filter_failure("MAX_ASSET")


def _fits_position(
    rules: SymbolRules,
    account: Account,
    here: Sequence[Order],
    new: Sequence[NewOrder],
    entry: Filter,
) -> bool:
    wanted = sum(order.qty for order in new if order.side is Side.BUY)
    if not wanted:
        return True
    held = account.balance(rules.base)
    buying = sum(order.remaining for order in here if order.side is Side.BUY)
    total = held.free + held.locked + buying + wanted
    return total <= parse_amount(entry["maxPosition"])


def _open_lists(account: Account, symbol: str) -> int:
    return sum(each.symbol == symbol for each in account.open_lists_by_client_id.values())


def _check_count(
    name: str,
    most: int,
    counted: Callable[[Order | NewOrder], bool] | None,
    working: Sequence[Order],
    new: Sequence[NewOrder],
    lists: int,
) -> None:
    if counted is None:
        too_many = lists > int(most)
    else:
        adding = sum(1 for order in new if counted(order))
        too_many = adding > 0 and adding + sum(1 for o in working if counted(o)) > int(most)
    if too_many:
        raise filter_failure(name, code=-2010)


def _any(_: Order | NewOrder) -> bool:
    return True


def _is_algo(order: Order | NewOrder) -> bool:
    return order.type in STOPS


def _is_iceberg(order: Order | NewOrder) -> bool:
    return order.iceberg_qty > 0


def _amounts(entry: Filter, *names: str) -> list[int]:
    return [parse_amount(entry[name]) for name in names]


CHECKS: Final[Mapping[str, Callable[[Context, Mapping[str, Any]], bool]]] = {
    "PRICE_FILTER": _price,
    "LOT_SIZE": _lot_size,
    "MARKET_LOT_SIZE": _market_lot_size,
    "ICEBERG_PARTS": _iceberg_parts,
    "TRAILING_DELTA": _trailing_delta,
    "PERCENT_PRICE": _percent_price,
    "PERCENT_PRICE_BY_SIDE": _percent_price_by_side,
    "MIN_NOTIONAL": _min_notional,
    "NOTIONAL": _notional,
}
"""By filterType: what one order is held to by itself."""

LISTS: Final = "MAX_NUM_ORDER_LISTS"
COUNTS: Final[Mapping[str, tuple[Callable[[Order | NewOrder], bool] | None, str]]] = {
    "MAX_NUM_ORDERS": (_any, "maxNumOrders"),
    "MAX_NUM_ALGO_ORDERS": (_is_algo, "maxNumAlgoOrders"),
    "MAX_NUM_ICEBERG_ORDERS": (_is_iceberg, "maxNumIcebergOrders"),
    LISTS: (None, "maxNumOrderLists"),
}
"""By filterType: which open orders count, and the field with the most there may be."""
