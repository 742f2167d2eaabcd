"""Placing, cancelling and querying order lists ("Order lists" of the REST page).

Lists where one order pays for the other are refused by name; the deprecated form of OCO is not
documented on the venue's own testnet, and not served.
"""

from typing import Any, Final

from otonom_trader.testnet import errors, list_replies
from otonom_trader.testnet.call import Call, Handler, signed
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.events import ExecutionType
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.order_parameters import Names, read_order, response_type
from otonom_trader.testnet.orders import (
    STOP_LOSSES,
    TAKE_PROFITS,
    NewOrder,
    NewOrderList,
    OrderList,
    OrderType,
    Side,
)
from otonom_trader.testnet.times import is_within, read_day_span
from otonom_trader.testnet.trading import (
    cancel_list,
    check_admission,
    check_static_filters,
    count_orders,
    note,
    uncount_orders,
)

_ABOVE: Final = Names("above")
_BELOW: Final = Names("below")
_WORKING: Final = Names("working", "workingSide", "workingQuantity")
_PENDING: Final = Names("pending", "pendingSide", "pendingQuantity")
_PENDING_ABOVE: Final = Names("pendingAbove", "pendingSide", "pendingQuantity")
_PENDING_BELOW: Final = Names("pendingBelow", "pendingSide", "pendingQuantity")
_COMMON: Final = "symbol listClientOrderId newOrderRespType selfTradePreventionMode"
_PAIR_TYPES: Final = STOP_LOSSES | TAKE_PROFITS | {OrderType.LIMIT_MAKER}


def place_oco(call: Call) -> Any:
    rules = _allowed(call, "ocoAllowed")
    pair = _read_pair(call, rules, _ABOVE, _BELOW)
    return _place(call, rules, None, pair)


def place_oto(call: Call) -> Any:
    rules = _allowed(call, "otoAllowed")
    working = _read_working(call, rules)
    pending = read_order(call, rules, _PENDING)
    return _place(call, rules, working, (pending,))


def place_otoco(call: Call) -> Any:
    rules = _allowed(call, "otoAllowed")
    if not rules.allows("ocoAllowed"):
        raise errors.rejected("OCO orders are not supported for this symbol")
    working = _read_working(call, rules)
    pair = _read_pair(call, rules, _PENDING_ABOVE, _PENDING_BELOW)
    return _place(call, rules, working, pair)


def cancel_order_list(call: Call) -> Any:
    rules, parameters = call.symbol(), call.parameters
    call.forward()
    found = _select(call, "listClientOrderId", call.account.lists)
    if found is None or found.symbol != rules.symbol or not found.is_open:
        raise errors.unknown_order()
    cancel_id = parameters.text("newClientOrderId") or call.exchange.new_client_id()
    return cancel_list(call, found, cancel_id)


def query_order_list(call: Call) -> Any:
    found = _select(call, "origClientOrderId", call.queried.lists)
    if found is None:
        # The documentation has no text of its own for lists.
        raise errors.no_such_order()
    return list_replies.order_list(found, call.ticks)


def all_order_lists(call: Call) -> Any:
    parameters = call.parameters
    first_id = parameters.integer("fromId")
    span = read_day_span(parameters, call.now_ms)
    if first_id is not None and span != (None, None):
        raise errors.bad_combination()
    limit = parameters.limit(default=500, largest=1000)
    found = [
        each
        for each in call.queried.lists.values()
        if (first_id is None or each.list_id >= first_id) and is_within(each.time_ms, span)
    ]
    oldest_first = first_id is not None or span[0] is not None
    page = found[:limit] if oldest_first else found[-limit:]
    return [list_replies.order_list(each, call.ticks) for each in page]


def open_order_lists(call: Call) -> Any:
    lists = call.queried.lists.values()
    return [list_replies.order_list(each, call.ticks) for each in lists if each.is_open]


def _place(
    call: Call, rules: SymbolRules, working: NewOrder | None, others: tuple[NewOrder, ...]
) -> Any:
    parameters = call.parameters
    client_id = parameters.text("listClientOrderId") or call.exchange.new_client_id()
    new = NewOrderList(rules.symbol, client_id, working, others)
    wanted = response_type(parameters)
    check_static_filters(call, rules, new.orders)
    count = len(new.orders)
    count_orders(call, count)
    call.forward()
    try:
        check_admission(call, rules, new.orders, lists=1)
        placed = call.exchange.place_list(call.account, new, call.now_ms)
    except VenueError:
        uncount_orders(call, count)
        raise
    for order in placed.orders:
        note(call, order, ExecutionType.NEW)
    return list_replies.placed_list(placed, wanted, call.ticks)


def _allowed(call: Call, flag: str) -> SymbolRules:
    rules = call.symbol()
    if not rules.allows(flag):
        kind = flag.removesuffix("Allowed").upper()
        raise errors.rejected(f"{kind} orders are not supported for this symbol")
    return rules


def _read_working(call: Call, rules: SymbolRules) -> NewOrder:
    if call.parameters.required("workingType") not in ("LIMIT", "LIMIT_MAKER"):
        # Its own text is not documented.
        raise VenueError(-1014, "Unsupported order combination.")
    return read_order(call, rules, _WORKING)


def _read_pair(
    call: Call, rules: SymbolRules, above: Names, below: Names
) -> tuple[NewOrder, NewOrder]:
    """Both legs, the stop loss first, as the documentation's examples show them."""
    for names in (above, below):
        kind = call.parameters.required(names.of("type"))
        if kind in (OrderType.LIMIT, OrderType.MARKET):
            raise VenueError(-1158, "Order type not supported in OCO.")
    upper, lower = read_order(call, rules, above), read_order(call, rules, below)
    stops = [leg for leg in (upper, lower) if leg.type in STOP_LOSSES]
    if upper.type is lower.type is OrderType.LIMIT_MAKER:
        raise VenueError(-1168, "At least one OCO order must be contingent.")
    _check_sides(upper, lower)
    if len(stops) != 1:
        raise VenueError(-1158, "Order type not supported in OCO.")
    return (upper, lower) if upper is stops[0] else (lower, upper)


def _check_sides(upper: NewOrder, lower: NewOrder) -> None:
    """Each type has its side of the market: refused by the documented codes."""
    is_buy = upper.side is Side.BUY
    if is_buy:
        if upper.type is OrderType.LIMIT_MAKER:
            raise VenueError(-1165, "A limit order in a buy OCO must be below.")
        if lower.type in STOP_LOSSES:
            raise VenueError(-1196, "A stop loss order in a buy OCO must be above.")
        if upper.type in TAKE_PROFITS:
            raise VenueError(-1198, "A take profit order in a buy OCO must be below.")
    else:
        if lower.type is OrderType.LIMIT_MAKER:
            raise VenueError(-1166, "A limit order in a sell OCO must be above.")
        if upper.type in STOP_LOSSES:
            raise VenueError(-1197, "A stop loss order in a sell OCO must be below.")
        if lower.type in TAKE_PROFITS:
            raise VenueError(-1199, "A take profit order in a sell OCO must be above.")


def _select(call: Call, client_id_name: str, lists: "dict[int, OrderList]") -> OrderList | None:
    list_id = call.parameters.integer("orderListId")
    client_id = call.parameters.text(client_id_name)
    if list_id is None and client_id is None:
        raise errors.either(client_id_name, "orderListId")
    if list_id is not None:
        found = lists.get(list_id)
        if found is not None and client_id not in (None, found.client_id):
            raise errors.client_id_mismatch()
        return found
    newest = (each for each in reversed(lists.values()) if each.client_id == client_id)
    return next(newest, None)


def _refused(text: str) -> Handler:
    def refuse(call: Call) -> Any:
        call.symbol()
        raise errors.rejected(text)

    return refuse


_OPO: Final = "OPO orders are not supported for this symbol."
_PENDING_LEG: Final = "pendingSide " + _PENDING.all()
_PENDING_PAIR: Final = f"pendingSide {_PENDING_ABOVE.all()} {_PENDING_BELOW.all()}"
_WORKING_LEG: Final = f"{_COMMON} workingSide workingQuantity {_WORKING.all()}"

ROUTES: Final = {
    ("POST", "/api/v3/orderList/oco"): signed(
        place_oco,
        1,
        f"{_COMMON} side quantity {_ABOVE.all()} {_BELOW.all()}",
        is_trading=True,
    ),
    ("POST", "/api/v3/orderList/oto"): signed(
        place_oto, 1, f"{_WORKING_LEG} pendingQuantity {_PENDING_LEG}", is_trading=True
    ),
    ("POST", "/api/v3/orderList/otoco"): signed(
        place_otoco, 1, f"{_WORKING_LEG} pendingQuantity {_PENDING_PAIR}", is_trading=True
    ),
    ("POST", "/api/v3/orderList/opo"): signed(
        _refused(_OPO), 1, f"{_WORKING_LEG} {_PENDING_LEG}", is_trading=True
    ),
    ("POST", "/api/v3/orderList/opoco"): signed(
        _refused(_OPO), 1, f"{_WORKING_LEG} {_PENDING_PAIR}", is_trading=True
    ),
    ("DELETE", "/api/v3/orderList"): signed(
        cancel_order_list,
        1,
        "symbol orderListId listClientOrderId newClientOrderId",
        is_trading=True,
    ),
    ("GET", "/api/v3/orderList"): signed(query_order_list, 4, "orderListId origClientOrderId"),
    ("GET", "/api/v3/allOrderList"): signed(all_order_lists, 20, "fromId startTime endTime limit"),
    ("GET", "/api/v3/openOrderList"): signed(open_order_lists, 6),
}
