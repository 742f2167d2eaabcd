"""JSON of orders: names, order and types as the documentation shows them.

``ticks`` is how many output time units a millisecond has: 1, or 1000 for a client that asked for
microseconds.
"""

from typing import Any, Final

from otonom_trader.testnet.amounts import format_amount
from otonom_trader.testnet.orders import STOPS, Order, OrderType

Json = dict[str, Any]
ZERO: Final = format_amount(0)


def ack(order: Order, ticks: int) -> Json:
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        "transactTime": order.update_ms * ticks,
    }


def result(order: Order, ticks: int) -> Json:
    return (
        ack(order, ticks)
        | _amounts(order)
        | stop_fields(order, ticks)
        | {"workingTime": _moment(order.working_ms, ticks)}
        | chosen_fields(order)
        | {"selfTradePreventionMode": order.self_trade_prevention}
        | _group_of_prevented(order)
        | _prevented(order)
    )


def full(order: Order, ticks: int) -> Json:
    reply = result(order, ticks)
    reply["fills"] = [
        {
            "price": format_amount(fill.trade.price),
            "qty": format_amount(fill.trade.qty),
            "commission": format_amount(fill.commission),
            "commissionAsset": fill.commission_asset,
            "tradeId": fill.trade.trade_id,
        }
        for fill in order.fills
    ]
    if order.prevented_matches:
        reply["preventedMatches"] = [
            {
                "preventedMatchId": match.match_id,
                "makerSymbol": match.symbol,
                "makerOrderId": match.maker_order_id,
                "price": format_amount(match.price),
            }
            | quantity_where_given("takerPreventedQuantity", match.taker_qty)
            | quantity_where_given("makerPreventedQuantity", match.maker_qty)
            for match in order.prevented_matches
        ]
    return reply


def queried(order: Order, ticks: int) -> Json:
    """One order as GET order shows it, where every order has a stop price and an iceberg
    quantity.
    """
    amounts = _amounts(order)
    quote_qty = amounts.pop("origQuoteOrderQty")
    chosen = chosen_fields(order)
    chosen.pop("icebergQty", None)
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        **amounts,
        "stopPrice": format_amount(order.stop_price),
        **_trailing(order, ticks),
        "icebergQty": format_amount(order.iceberg_qty),
        "time": order.time_ms * ticks,
        "updateTime": order.update_ms * ticks,
        "isWorking": order.working_ms is not None,
        "workingTime": _moment(order.working_ms, ticks),
        "origQuoteOrderQty": quote_qty,
        **chosen,
        "selfTradePreventionMode": order.self_trade_prevention,
        **_prevented(order),
    }


def listed(order: Order, ticks: int) -> Json:
    """The same in a list of orders, where two fields change places."""
    reply = queried(order, ticks)
    quote_qty = reply.pop("origQuoteOrderQty")
    moved = list(reply)
    after = moved[moved.index("workingTime") :]
    reply["origQuoteOrderQty"] = quote_qty
    for name in after:
        reply[name] = reply.pop(name)
    return reply


def canceled(order: Order, ticks: int) -> Json:
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.original_client_id,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        "transactTime": order.update_ms * ticks,
        **_amounts(order),
        **stop_fields(order, ticks),
        **chosen_fields(order),
        "selfTradePreventionMode": order.self_trade_prevention,
        **_prevented(order),
    }


def _amounts(order: Order) -> Json:
    return {
        "price": format_amount(order.price),
        "origQty": format_amount(order.qty),
        "executedQty": format_amount(order.executed),
        "origQuoteOrderQty": format_amount(order.quote_qty),
        "cummulativeQuoteQty": format_amount(order.cumulative_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
    }


def _moment(time_ms: int | None, ticks: int) -> int:
    return -1 if time_ms is None else time_ms * ticks


def _trailing(order: Order, ticks: int) -> Json:
    if not order.trailing_delta:
        return {}
    trailing_time = _moment(order.trailing_ms, ticks)
    return {"trailingDelta": order.trailing_delta, "trailingTime": trailing_time}


def stop_fields(order: Order, ticks: int) -> Json:
    if order.type not in STOPS:
        return {}
    return {"stopPrice": format_amount(order.stop_price)} | _trailing(order, ticks)


def chosen_fields(order: Order) -> Json:
    """What the request chose to send."""
    fields: Json = {}
    if order.iceberg_qty:
        fields["icebergQty"] = format_amount(order.iceberg_qty)
    if order.strategy_id is not None:
        fields["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        fields["strategyType"] = order.strategy_type
    return fields


def _prevented(order: Order) -> Json:
    """Why an order ended other than by its own doing."""
    fields: Json = {}
    if order.prevented:
        fields["preventedMatchId"] = order.prevented_matches[-1].match_id
        fields["preventedQuantity"] = format_amount(order.prevented)
    if order.expiry_reason is not None:
        fields["expiryReason"] = order.expiry_reason
    return fields


def _group_of_prevented(order: Order) -> Json:
    """Of placements only, as the documentation says and its examples show."""
    group = order.account.trade_group_id
    return {"tradeGroupId": group} if order.prevented and group != -1 else {}


def quantity_where_given(name: str, amount: int | None) -> Json:
    return {} if amount is None else {name: format_amount(amount)}


def by_response_type(order: Order, response_type: str | None, ticks: int) -> Json:
    """FULL for MARKET and LIMIT unless told otherwise, ACK for the rest."""
    is_plain = order.type is OrderType.MARKET or order.type is OrderType.LIMIT
    wanted = response_type or ("FULL" if is_plain else "ACK")
    return {"ACK": ack, "RESULT": result, "FULL": full}[wanted](order, ticks)
