"""Signed queries ("Account endpoints" of the REST page, and the key's own permissions)."""

from typing import Any, Final, TypeVar

from otonom_trader.testnet import errors, replies
from otonom_trader.testnet.call import Call, signed
from otonom_trader.testnet.orders import Order
from otonom_trader.testnet.parameters import Parameters

T = TypeVar("T")

_DAY_HOURS: Final = 24
_HOUR_MS: Final = 3_600_000


def query_order(call: Call) -> Any:
    rules = call.symbol()
    order_id = call.parameters.integer("orderId")
    client_id = call.parameters.text("origClientOrderId")
    order: Order | None = None
    if order_id is not None:
        order = call.account.orders.get(order_id)
        # The id is looked up first, then the client id must be that order's.
        if order is not None and client_id not in (
            None,
            order.client_id,
            order.original_client_id,
        ):
            raise errors.client_id_mismatch()
    elif client_id is not None:
        order = call.account.find(rules.symbol, client_id)
    else:
        raise errors.either("origClientOrderId", "orderId")
    if order is None or order.symbol != rules.symbol:
        raise errors.no_such_order()
    return replies.queried(order, call.ticks)


def open_orders(call: Call) -> Any:
    if "symbol" in call.parameters:
        orders = list(call.account.working_on(call.symbol().symbol).values())
    else:
        orders = call.account.working_orders()
    return [replies.listed(order, call.ticks) for order in orders]


def all_orders(call: Call) -> Any:
    rules = call.symbol()
    first_id = call.parameters.integer("orderId")
    start, end = _span(call)
    limit = call.parameters.limit(default=500, largest=1000)
    found = [
        order
        for order in call.account.orders.values()
        if order.symbol == rules.symbol
        and (first_id is None or order.order_id >= first_id)
        and _in_span(order.time_ms, start, end)
    ]
    found = _page(found, limit, oldest_first=first_id is not None or start is not None)
    return [replies.listed(order, call.ticks) for order in found]


def own_trades(call: Call) -> Any:
    rules, parameters = call.symbol(), call.parameters
    order_id, first_id = parameters.integer("orderId"), parameters.integer("fromId")
    start, end = _span(call)
    if (first_id is not None or order_id is not None) and (start is not None or end is not None):
        raise errors.bad_combination()
    limit = parameters.limit(default=500, largest=1000)
    found = [
        fill
        for fill in call.account.fills.values()
        if fill.trade.symbol == rules.symbol
        and (order_id is None or fill.order.order_id == order_id)
        and (first_id is None or fill.trade.trade_id >= first_id)
        and _in_span(fill.trade.time_ms, start, end)
    ]
    found = _page(found, limit, oldest_first=first_id is not None or start is not None)
    return [replies.own_trade(fill, call.ticks) for fill in found]


def account(call: Call) -> Any:
    omit_zero = call.parameters.flag("omitZeroBalances", default=False)
    return replies.account(call.account, call.ticks, omit_zero=omit_zero)


def order_rate(call: Call) -> Any:
    return call.limits.order_counts(call.account.uid, call.now_ms)


def commission(call: Call) -> Any:
    return replies.commission(call.symbol().symbol, call.account)


def key_restrictions(call: Call) -> Any:
    """Wallet endpoint ``apiRestrictions``: what this key may do."""
    key = call.signed_key
    return {
        "ipRestrict": key.ip_restricted,
        "createTime": key.created_ms * call.ticks,
        "enableReading": True,
        "enableWithdrawals": key.can_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": True,
        "enablePortfolioMarginTrading": False,
    }


def _span(call: Call) -> tuple[int | None, int | None]:
    """startTime and endTime in milliseconds, at most 24 hours apart."""
    start, end = call.parameters.integer("startTime"), call.parameters.integer("endTime")
    if start is not None and end is not None:
        if end < start:
            raise errors.bad_combination()
        if end - start > _DAY_HOURS * _HOUR_MS:
            raise errors.too_many_hours(_DAY_HOURS)
    return start, end


def _in_span(time_ms: int, start: int | None, end: int | None) -> bool:
    return (start is None or time_ms >= start) and (end is None or time_ms <= end)


def _page(found: list[T], limit: int, *, oldest_first: bool) -> list[T]:
    return found[:limit] if oldest_first else found[-limit:]


def _open_orders_weight(parameters: Parameters) -> int:
    return 6 if "symbol" in parameters else 80


def _own_trades_weight(parameters: Parameters) -> int:
    return 5 if "orderId" in parameters else 20


ROUTES: Final = {
    ("GET", "/api/v3/order"): signed(query_order, 4, "symbol orderId origClientOrderId"),
    ("GET", "/api/v3/openOrders"): signed(open_orders, _open_orders_weight, "symbol"),
    ("GET", "/api/v3/allOrders"): signed(all_orders, 20, "symbol orderId startTime endTime limit"),
    ("GET", "/api/v3/myTrades"): signed(
        own_trades, _own_trades_weight, "symbol orderId startTime endTime fromId limit"
    ),
    ("GET", "/api/v3/account"): signed(account, 20, "omitZeroBalances"),
    ("GET", "/api/v3/account/commission"): signed(commission, 20, "symbol"),
    ("GET", "/api/v3/rateLimit/order"): signed(order_rate, 40),
    ("GET", "/sapi/v1/account/apiRestrictions"): signed(key_restrictions, 1),
}
