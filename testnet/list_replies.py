"""JSON of order lists, amendments and prevented matches, as the documentation shows them.

``ticks`` is how many output time units a millisecond has: 1, or 1000 for microseconds.
"""

from otonom_trader.testnet.amounts import format_amount
from otonom_trader.testnet.orders import (
    Amendment,
    ListStatusType,
    Order,
    OrderList,
    OrderStatus,
    PreventedMatch,
)
from otonom_trader.testnet.replies import (
    ZERO,
    Json,
    ack,
    canceled,
    chosen_fields,
    full,
    quantity_where_given,
    result,
    stop_fields,
)


def order_list(found: OrderList, ticks: int) -> Json:
    """A list as queries show it."""
    return {
        "orderListId": found.list_id,
        "contingencyType": found.contingency,
        "listStatusType": found.status_type,
        "listOrderStatus": found.order_status,
        "listClientOrderId": found.client_id,
        "transactionTime": found.time_ms * ticks,
        "symbol": found.symbol,
        "orders": _legs(found),
    }


def placed_list(placed: OrderList, wanted: str | None, ticks: int) -> Json:
    """The reply to a placement. Pending orders are shown as pending even where the working order
    filled at once and placed them, as documented.
    """
    reply = order_list(placed, ticks)
    working = placed.working
    reports = []
    for order in placed.orders:
        shown = {"ACK": ack, "RESULT": result, "FULL": full}[wanted or "RESULT"](order, ticks)
        filled = working is not None and working.status is OrderStatus.FILLED
        if filled and order is not working and wanted != "ACK":
            shown |= {
                "status": OrderStatus.PENDING_NEW,
                "executedQty": ZERO,
                "cummulativeQuoteQty": ZERO,
                "workingTime": -1,
            }
            shown.pop("expiryReason", None)
            if "fills" in shown:
                shown["fills"] = []
        reports.append(shown)
    if working is not None and working.status is OrderStatus.FILLED:
        reply["listStatusType"] = ListStatusType.EXEC_STARTED
        reply["listOrderStatus"] = "EXECUTING"
    return reply | {"orderReports": reports}


def canceled_list(found: OrderList, orders: list[Order], now_ms: int, ticks: int) -> Json:
    """The reply to the cancel of a list, with a report of each order that was still open."""
    reply = order_list(found, ticks) | {"transactionTime": now_ms * ticks}
    return reply | {"orderReports": [canceled(order, ticks) for order in orders]}


def amended(order: Order, amendment: Amendment, ticks: int) -> Json:
    """With the words this one reply has of its own: ``qty``, ``cumulativeQuoteQty``."""
    working = {} if order.working_ms is None else {"workingTime": order.working_ms * ticks}
    reply: Json = {
        "transactTime": amendment.time_ms * ticks,
        "executionId": amendment.execution_id,
        "amendedOrder": {
            "symbol": order.symbol,
            "orderId": order.order_id,
            "orderListId": order.list_id,
            "origClientOrderId": amendment.old_client_id,
            "clientOrderId": amendment.new_client_id,
            "price": format_amount(order.price),
            "qty": format_amount(order.qty),
            "executedQty": format_amount(order.executed),
            "preventedQty": format_amount(order.prevented),
            "quoteOrderQty": format_amount(order.quote_qty),
            "cumulativeQuoteQty": format_amount(order.cumulative_quote),
            "status": order.status,
            "timeInForce": order.time_in_force,
            "type": order.type,
            "side": order.side,
            **stop_fields(order, ticks),
            **working,
            **chosen_fields(order),
            "selfTradePreventionMode": order.self_trade_prevention,
        },
    }
    order_list = order.order_list
    if order_list is not None:
        reply["listStatus"] = {
            "orderListId": order_list.list_id,
            "contingencyType": order_list.contingency,
            "listOrderStatus": order_list.order_status,
            "listClientOrderId": order_list.client_id,
            "symbol": order_list.symbol,
            "orders": _legs(order_list),
        }
    return reply


def amendment(order: Order, done: Amendment, ticks: int) -> Json:
    """One entry of GET order/amendments."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "executionId": done.execution_id,
        "origClientOrderId": done.old_client_id,
        "newClientOrderId": done.new_client_id,
        "origQty": format_amount(done.old_qty),
        "newQty": format_amount(done.new_qty),
        "time": done.time_ms * ticks,
    }


def prevented_match(match: PreventedMatch, trade_group_id: int, ticks: int) -> Json:
    """One entry of GET myPreventedMatches."""
    return {
        "symbol": match.symbol,
        "preventedMatchId": match.match_id,
        "takerOrderId": match.taker_order_id,
        "makerSymbol": match.symbol,
        "makerOrderId": match.maker_order_id,
        "tradeGroupId": trade_group_id,
        "selfTradePreventionMode": match.mode,
        "price": format_amount(match.price),
        **quantity_where_given("takerPreventedQuantity", match.taker_qty),
        **quantity_where_given("makerPreventedQuantity", match.maker_qty),
        "transactTime": match.time_ms * ticks,
    }


def _legs(found: OrderList) -> list[Json]:
    return [
        {
            "symbol": order.symbol,
            "orderId": order.order_id,
            "clientOrderId": order.original_client_id,
        }
        for order in found.orders
    ]
