"""Placing, cancelling and amending single orders ("Trading endpoints" of the REST page).

A new order is checked in this order: symbol, the order itself, filters, order count, and last
what belongs to the engine: the symbol's status and permissions, the filters that count, balances.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from otonom_trader.testnet import account_replies, errors, list_replies, replies
from otonom_trader.testnet.call import Call, signed
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.events import ExecutionType
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.filters import (
    Context,
    check_amendment,
    check_counts,
    check_filters,
    check_quantity,
)
from otonom_trader.testnet.order_parameters import ORDER_PARAMETERS, read_order, response_type
from otonom_trader.testnet.orders import NewOrder, Order, OrderList, OrderStatus
from otonom_trader.testnet.parameters import Parameters


def place_order(call: Call) -> Any:
    rules = call.symbol()
    new = read_order(call, rules)
    wanted = response_type(call.parameters)
    check_static_filters(call, rules, [new])
    count_orders(call, 1)
    call.forward()
    try:
        check_admission(call, rules, [new])
        order = call.exchange.place(call.account, new, call.now_ms)
    except VenueError:
        uncount_orders(call, 1)
        raise
    note(call, order, ExecutionType.NEW)
    return replies.by_response_type(order, wanted, call.ticks)


def check_order(call: Call) -> Any:
    """POST order/test: all but the engine, so neither balances nor the book are looked at."""
    rules = call.symbol()
    new = read_order(call, rules)
    response_type(call.parameters)
    rates = call.parameters.flag("computeCommissionRates", default=False)
    check_static_filters(call, rules, [new])
    call.forward()
    return account_replies.order_commission(call.account) if rates else {}


def cancel_order(call: Call) -> Any:
    """A leg is cancelled with its whole list, and the reply is the list's."""
    restriction_of(call.parameters)
    call.forward()
    order = find_order(call, "orderId", "origClientOrderId")
    check_restrictions(call, order)
    cancel_id = call.parameters.text("newClientOrderId") or call.exchange.new_client_id()
    return cancel(call, order, cancel_id)


def cancel_open_orders(call: Call) -> Any:
    """With nothing open: -2011, which the documentation leaves open."""
    rules = call.symbol()
    call.forward()
    orders = list(call.account.working_on(rules.symbol).values())
    if not orders:
        raise errors.unknown_order()
    cancel_id = call.exchange.new_client_id()
    return [cancel(call, order, cancel_id) for order in orders if order.is_open]


def amend_order(call: Call) -> Any:
    """Costs nothing only where the order expires by it."""
    call.is_free = False
    rules = call.symbol()
    qty = call.parameters.amount("newQty", rules.base_decimals)
    if qty is None:
        raise errors.mandatory("newQty")
    if not qty:
        raise VenueError(-1013, "Invalid quantity.")
    if not rules.allows("amendAllowed"):
        raise VenueError(-2038, "Order amend is not supported for this symbol.")
    call.forward()
    try:
        order = find_order(call, "orderId", "origClientOrderId")
    except VenueError as error:
        if error.code == errors.unknown_order().code:
            raise VenueError(-2038, error.msg) from None
        raise
    if qty < order.qty:
        # An increase, or no change, is refused for what it is.
        check_amendment(order, qty, _context(call, rules, _amended(order, qty)))
    client_id = call.parameters.text("newClientOrderId") or call.exchange.new_client_id()
    amendment = call.exchange.amend(order, qty, client_id, call.now_ms)
    call.is_free = not order.is_open
    note(call, order, ExecutionType.REPLACED)
    return list_replies.amended(order, amendment, call.ticks)


def find_order(call: Call, id_name: str, client_id_name: str) -> Order:
    """The caller's open order; -2011 where there is none, -2039 where the two ids disagree."""
    rules = call.symbol()
    order_id = call.parameters.integer(id_name)
    client_id = call.parameters.text(client_id_name)
    if order_id is None and client_id is None:
        raise errors.either(client_id_name, id_name)
    if order_id is not None:
        order = call.account.working_on(rules.symbol).get(order_id)
        if order is not None and client_id not in (None, order.client_id):
            raise errors.client_id_mismatch()
    else:
        order = call.account.working_by_client_id.get(client_id or "")
    if order is None or order.symbol != rules.symbol:
        raise errors.unknown_order()
    return order


def check_restrictions(call: Call, order: Order) -> None:
    restriction = restriction_of(call.parameters)
    wanted = {
        "ONLY_NEW": OrderStatus.NEW,
        "ONLY_PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    }
    if restriction is not None and order.status is not wanted[restriction]:
        raise VenueError(-2011, "Order was not canceled due to cancel restrictions.")


def restriction_of(parameters: Parameters) -> str | None:
    restriction = parameters.text("cancelRestrictions")
    if restriction not in (None, "ONLY_NEW", "ONLY_PARTIALLY_FILLED"):
        raise VenueError(-1145, "Invalid cancelRestrictions")
    return restriction


def cancel(call: Call, order: Order, cancel_id: str) -> Any:
    """Cancel an order, or the list it belongs to: the report of what was cancelled."""
    order_list = order.order_list
    if order_list is not None:
        return cancel_list(call, order_list, cancel_id)
    call.exchange.cancel(order, cancel_id, call.now_ms)
    note(call, order, ExecutionType.CANCELED)
    return replies.canceled(order, call.ticks)


def cancel_list(call: Call, order_list: OrderList, cancel_id: str) -> Any:
    canceled = [order for order in order_list.orders if order.is_open]
    call.exchange.cancel(canceled[0], cancel_id, call.now_ms)
    for order in canceled:
        note(call, order, ExecutionType.CANCELED)
    return list_replies.canceled_list(order_list, canceled, call.now_ms, call.ticks)


def check_static_filters(call: Call, rules: SymbolRules, orders: Sequence[NewOrder]) -> None:
    """What the API holds each order to before the engine sees it."""
    for order in orders:
        check_filters(_context(call, rules, order))


def check_admission(
    call: Call, rules: SymbolRules, orders: Sequence[NewOrder], *, lists: int = 0
) -> None:
    """What the engine looks at first."""
    if rules.status == "CANCEL_ONLY":
        raise errors.rejected("This order type is not possible in this trading phase.")
    if rules.status != "TRADING":
        raise errors.rejected("Market is closed.")
    permissions = call.account.permissions
    if not all(permissions.intersection(one_of) for one_of in rules.permission_sets):
        raise errors.rejected("This symbol is not permitted for this account.")
    sized = [_sized(call, rules, order) for order in orders]
    check_counts(rules, call.account, sized, call.exchange.exchange_filters, lists=lists)


def count_orders(call: Call, orders: int) -> None:
    """Count them on their way to the engine (-1015 beyond the limit): also those that turn out to
    be too old to be forwarded.

    The headers tell the count as it is now: what a first fill gives back shows with the next.
    """
    ten_seconds, day = call.limits.count_orders(call.account.uid, orders, call.now_ms)
    call.headers["X-MBX-ORDER-COUNT-10S"] = str(ten_seconds)
    call.headers["X-MBX-ORDER-COUNT-1D"] = str(day)


def uncount_orders(call: Call, orders: int) -> None:
    """The engine refused them."""
    call.limits.uncount_orders(call.account.uid, orders, call.now_ms)
    call.headers.clear()


def note(call: Call, order: Order, execution: ExecutionType) -> None:
    """Put what was done on the record of the request."""
    if call.record is not None:
        call.record.note(order, execution)


def _context(call: Call, rules: SymbolRules, order: NewOrder) -> Context:
    def reference(minutes: int) -> int:
        return call.exchange.reference(rules.symbol, minutes, call.now_ms)

    return Context(order, call.account, rules, reference)


def _sized(call: Call, rules: SymbolRules, new: NewOrder) -> NewOrder:
    """The order with the quantity that its quoteOrderQty comes to, held to the filters of one."""
    if not new.quote_qty:
        return new
    qty = call.exchange.engine.quantity_of_quote(call.account, new, call.now_ms)
    sized = replace(new, qty=qty)
    check_quantity(_context(call, rules, sized))
    return sized


def _amended(order: Order, qty: int) -> NewOrder:
    """An order as its filters would see it with another quantity."""
    return NewOrder(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        client_id=order.client_id,
        qty=qty,
        price=order.price,
        stop_price=order.stop_price,
        iceberg_qty=min(order.iceberg_qty, qty),
    )


def _refuse_sor(call: Call) -> Any:
    """No symbol has it; the text is one that clients report."""
    call.symbol()
    raise VenueError(-1013, "This symbol has no SOR.")


def _test_weight(parameters: Parameters) -> int:
    return 20 if (parameters.text("computeCommissionRates") or "").lower() == "true" else 1


ROUTES: Final = {
    ("POST", "/api/v3/order"): signed(place_order, 1, ORDER_PARAMETERS, is_trading=True),
    ("POST", "/api/v3/order/test"): signed(
        check_order,
        _test_weight,
        ORDER_PARAMETERS + " computeCommissionRates",
        is_recorded=True,
    ),
    ("POST", "/api/v3/sor/order"): signed(_refuse_sor, 1, ORDER_PARAMETERS, is_trading=True),
    ("POST", "/api/v3/sor/order/test"): signed(
        _refuse_sor,
        _test_weight,
        ORDER_PARAMETERS + " computeCommissionRates",
        is_recorded=True,
    ),
    ("DELETE", "/api/v3/order"): signed(
        cancel_order,
        1,
        "symbol orderId origClientOrderId newClientOrderId cancelRestrictions",
        is_trading=True,
    ),
    ("DELETE", "/api/v3/openOrders"): signed(cancel_open_orders, 1, "symbol", is_trading=True),
    ("PUT", "/api/v3/order/amend/keepPriority"): signed(
        amend_order,
        4,
        "symbol orderId origClientOrderId newClientOrderId newQty",
        is_trading=True,
    ),
}
