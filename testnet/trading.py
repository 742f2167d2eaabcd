"""Placing and cancelling ("Trading endpoints" of the REST page).

A new order is checked in this order: symbol, side and type, what its type needs and forbids,
amounts, self-trade prevention mode, filters, order count, and last the engine.
"""

from typing import Any, Final

from otonom_trader.testnet import errors, replies
from otonom_trader.testnet.call import Call, signed
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.exchange_info import DEFAULT_STP_MODE, STP_MODES, SymbolRules
from otonom_trader.testnet.filters import Context, check_filters
from otonom_trader.testnet.orders import (
    NewOrder,
    Order,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from otonom_trader.testnet.parameters import Parameters

_SIDES: Final = frozenset(side.value for side in Side)
_TYPES: Final = frozenset(kind.value for kind in OrderType)
_TIMES_IN_FORCE: Final = frozenset(value.value for value in TimeInForce)
_RESPONSE_TYPES: Final = ("ACK", "RESULT", "FULL")
_KNOWN_STP_MODES: Final = (*STP_MODES, "NONE", "TRANSFER")
_SMALLEST_STRATEGY_TYPE: Final = 1_000_000

# The types this venue knows and does not take yet, with the venue's own words for that.
_UNSERVED_TYPES: Final = {
    "STOP_LOSS": "Stop loss orders are not supported for this symbol.",
    "STOP_LOSS_LIMIT": "Stop loss limit orders are not supported for this symbol.",
    "TAKE_PROFIT": "Take profit orders are not supported for this symbol.",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders are not supported for this symbol.",
}

_MANDATORY: Final = {
    OrderType.LIMIT: ("timeInForce", "quantity", "price"),
    OrderType.LIMIT_MAKER: ("quantity", "price"),
    OrderType.MARKET: (),
}
_ALLOWED: Final = {
    OrderType.LIMIT: frozenset({"timeInForce", "quantity", "price", "icebergQty"}),
    OrderType.LIMIT_MAKER: frozenset({"quantity", "price", "icebergQty"}),
    OrderType.MARKET: frozenset({"quantity", "quoteOrderQty"}),
}
_TYPE_DEPENDENT: Final = (
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "stopPrice",
    "trailingDelta",
    "icebergQty",
)
_PEGS: Final = ("pegPriceType", "pegOffsetValue", "pegOffsetType")


def place_order(call: Call) -> Any:
    rules, new = _new_order(call)
    response_type = _response_type(call)
    _check_filters(call, rules, new)
    uid = call.account.uid
    ten_seconds, day = call.limits.count_order(uid, call.now_ms)
    try:
        order = call.exchange.place(call.account, new, call.now_ms)
    except VenueError:
        call.limits.uncount_order(uid, call.now_ms)
        raise
    # As counted on the way in: what a first fill gives back shows with the next order.
    call.headers["X-MBX-ORDER-COUNT-10S"] = str(ten_seconds)
    call.headers["X-MBX-ORDER-COUNT-1D"] = str(day)
    _note(call, order)
    return replies.by_response_type(order, response_type, call.ticks)


def check_order(call: Call) -> Any:
    """POST order/test: all but the engine, so neither balances nor the book are looked at."""
    rules, new = _new_order(call)
    _response_type(call)
    rates = call.parameters.flag("computeCommissionRates", default=False)
    _check_filters(call, rules, new)
    return replies.order_commission(call.account) if rates else {}


def cancel_order(call: Call) -> Any:
    rules = call.symbol()
    order_id = call.parameters.integer("orderId")
    client_id = call.parameters.text("origClientOrderId")
    if order_id is None and client_id is None:
        raise errors.either("origClientOrderId", "orderId")
    restriction = call.parameters.text("cancelRestrictions")
    if restriction not in (None, "ONLY_NEW", "ONLY_PARTIALLY_FILLED"):
        raise VenueError(-1145, "Invalid cancelRestrictions")
    if order_id is not None:
        order = call.account.working_on(rules.symbol).get(order_id)
        if order is not None and client_id not in (None, order.client_id):
            raise errors.client_id_mismatch()
    else:
        order = call.account.working_by_client_id.get(client_id or "")
    if order is None or order.symbol != rules.symbol:
        raise errors.unknown_order()
    if (restriction == "ONLY_NEW" and order.status is not OrderStatus.NEW) or (
        restriction == "ONLY_PARTIALLY_FILLED" and order.status is not OrderStatus.PARTIALLY_FILLED
    ):
        raise VenueError(-2011, "Order was not canceled due to cancel restrictions.")
    cancel_id = call.parameters.text("newClientOrderId") or call.exchange.new_client_id()
    _cancel(call, order, cancel_id)
    return replies.canceled(order, call.ticks)


def cancel_open_orders(call: Call) -> Any:
    rules = call.symbol()
    orders = list(call.account.working_on(rules.symbol).values())
    if not orders:
        raise errors.unknown_order()
    cancel_id = call.exchange.new_client_id()
    for order in orders:
        _cancel(call, order, cancel_id)
    return [replies.canceled(order, call.ticks) for order in orders]


def _cancel(call: Call, order: Order, cancel_id: str) -> None:
    call.exchange.cancel(order, cancel_id, call.now_ms)
    _note(call, order)


def _note(call: Call, order: Order) -> None:
    if call.record is not None:
        call.record.accepted = True
        call.record.order_id = order.order_id
        call.record.client_order_id = order.original_client_id


def _new_order(call: Call) -> tuple[SymbolRules, NewOrder]:
    parameters = call.parameters
    rules = call.symbol()
    side_text, type_text = parameters.required("side"), parameters.required("type")
    if side_text not in _SIDES:
        raise VenueError(-1117, "Invalid side.")
    side = Side(side_text)
    if type_text in _UNSERVED_TYPES:
        raise errors.rejected(_UNSERVED_TYPES[type_text])
    if type_text not in _TYPES:
        raise VenueError(-1116, "Invalid orderType.")
    kind = OrderType(type_text)
    tif_text = parameters.text("timeInForce")
    if tif_text is not None and tif_text not in _TIMES_IN_FORCE:
        raise VenueError(-1115, "Invalid timeInForce.")
    _check_presence(parameters, kind)
    qty, price = parameters.amount("quantity"), parameters.amount("price")
    quote_qty = parameters.amount("quoteOrderQty")
    for name, text, amount in (
        ("quantity", "Invalid quantity.", qty),
        ("price", "Invalid price.", price),
        ("quoteOrderQty", "Invalid quote order quantity.", quote_qty),
    ):
        if name in parameters and not amount:
            raise VenueError(-1013, text)
    strategy_type = parameters.integer("strategyType")
    if strategy_type is not None and strategy_type < _SMALLEST_STRATEGY_TYPE:
        raise VenueError(-1134, "'strategyType' was less than 1000000.")
    return rules, NewOrder(
        symbol=rules.symbol,
        side=side,
        type=kind,
        client_id=parameters.text("newClientOrderId") or call.exchange.new_client_id(),
        qty=qty or 0,
        price=price or 0,
        quote_qty=quote_qty or 0,
        time_in_force=TimeInForce(tif_text or "GTC"),
        self_trade_prevention=_self_trade_prevention(parameters),
        strategy_id=parameters.integer("strategyId"),
        strategy_type=strategy_type,
    )


def _check_presence(parameters: Parameters, kind: OrderType) -> None:
    for name in _MANDATORY[kind]:
        parameters.required(name)
    for name in _TYPE_DEPENDENT:
        if name in parameters and name not in _ALLOWED[kind]:
            raise errors.not_required(name)
    if kind is OrderType.MARKET:
        if "quantity" not in parameters and "quoteOrderQty" not in parameters:
            raise errors.either("quantity", "quoteOrderQty")
        if "quantity" in parameters and "quoteOrderQty" in parameters:
            raise errors.not_required("quoteOrderQty")
    if "icebergQty" in parameters:
        raise errors.rejected("Iceberg orders are not supported for this symbol.")
    if any(name in parameters for name in _PEGS):
        raise errors.rejected("Pegged orders are not supported for this symbol.")


def _self_trade_prevention(parameters: Parameters) -> SelfTradePrevention:
    mode = parameters.text("selfTradePreventionMode") or DEFAULT_STP_MODE
    if mode not in _KNOWN_STP_MODES:
        raise errors.invalid_data("selfTradePreventionMode")
    if mode not in STP_MODES:
        raise VenueError(
            -1013, "This symbol does not allow the specified self-trade prevention mode."
        )
    return SelfTradePrevention(mode)


def _response_type(call: Call) -> str | None:
    response_type = call.parameters.text("newOrderRespType")
    if response_type not in (None, *_RESPONSE_TYPES):
        raise errors.invalid_data("newOrderRespType")
    return response_type


def _check_filters(call: Call, rules: SymbolRules, new: NewOrder) -> None:
    reference = call.exchange.tapes[rules.symbol].average_price(call.now_ms)
    check_filters(Context(new, call.account, rules, reference))


_ORDER_PARAMETERS: Final = (
    "symbol side type timeInForce quantity quoteOrderQty price newClientOrderId strategyId "
    "strategyType stopPrice trailingDelta icebergQty newOrderRespType selfTradePreventionMode "
    "pegPriceType pegOffsetValue pegOffsetType"
)


def _test_weight(parameters: Parameters) -> int:
    return 20 if parameters.text("computeCommissionRates") == "true" else 1


ROUTES: Final = {
    ("POST", "/api/v3/order"): signed(place_order, 1, _ORDER_PARAMETERS, is_trading=True),
    ("POST", "/api/v3/order/test"): signed(
        check_order,
        _test_weight,
        _ORDER_PARAMETERS + " computeCommissionRates",
        is_recorded=True,
    ),
    ("DELETE", "/api/v3/order"): signed(
        cancel_order,
        1,
        "symbol orderId origClientOrderId newClientOrderId cancelRestrictions",
        is_trading=True,
    ),
    ("DELETE", "/api/v3/openOrders"): signed(cancel_open_orders, 1, "symbol", is_trading=True),
}
