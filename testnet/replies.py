"""JSON of orders and accounts: names, order and types as the documentation shows them.

``ticks`` is how many output time units a millisecond has: 1, or 1000 for a client that asked for
microseconds.
"""

from typing import Any

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import SCALE, format_amount
from otonom_trader.testnet.orders import Fill, Order, OrderType

Json = dict[str, Any]
_ZERO = format_amount(0)


def ack(order: Order, ticks: int) -> Json:
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.update_ms * ticks,
    }


def result(order: Order, ticks: int) -> Json:
    reply = ack(order, ticks)
    reply |= _amounts(order)
    reply["workingTime"] = order.working_ms * ticks
    reply["selfTradePreventionMode"] = order.self_trade_prevention
    return reply | _conditional(order)


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
                "makerOrderId": match.maker_order_id,
                "price": format_amount(match.price),
            }
            | _present("takerPreventedQuantity", match.taker_qty)
            | _present("makerPreventedQuantity", match.maker_qty)
            for match in order.prevented_matches
        ]
    return reply


def queried(order: Order, ticks: int) -> Json:
    """One order as GET order shows it."""
    amounts = _amounts(order)
    quote_qty = amounts.pop("origQuoteOrderQty")
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        **amounts,
        "stopPrice": _ZERO,
        "icebergQty": _ZERO,
        "time": order.time_ms * ticks,
        "updateTime": order.update_ms * ticks,
        "isWorking": True,
        "workingTime": order.working_ms * ticks,
        "origQuoteOrderQty": quote_qty,
        "selfTradePreventionMode": order.self_trade_prevention,
        **_conditional(order),
    }


def listed(order: Order, ticks: int) -> Json:
    """The same in a list of orders, where two fields change places."""
    reply = queried(order, ticks)
    for name in ("workingTime", "selfTradePreventionMode", *_conditional(order)):
        reply[name] = reply.pop(name)
    return reply


def canceled(order: Order, ticks: int) -> Json:
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.original_client_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.update_ms * ticks,
        **_amounts(order),
        "selfTradePreventionMode": order.self_trade_prevention,
        **_conditional(order),
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


def _conditional(order: Order) -> Json:
    """Fields that appear only where they say something."""
    fields: Json = {}
    if order.strategy_id is not None:
        fields["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        fields["strategyType"] = order.strategy_type
    if order.prevented:
        fields["preventedMatchId"] = order.prevented_matches[-1].match_id
        fields["preventedQuantity"] = format_amount(order.prevented)
    if order.expiry_reason is not None:
        fields["expiryReason"] = order.expiry_reason
    return fields


def _present(name: str, amount: int | None) -> Json:
    return {} if amount is None else {name: format_amount(amount)}


def own_trade(fill: Fill, ticks: int) -> Json:
    trade, order = fill.trade, fill.order
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "price": format_amount(trade.price),
        "qty": format_amount(trade.qty),
        "quoteQty": format_amount(trade.quote),
        "commission": format_amount(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": trade.time_ms * ticks,
        "isBuyer": order.side == "BUY",
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def account(holder: Account, ticks: int, *, omit_zero: bool) -> Json:
    maker, taker = format_amount(holder.maker_rate), format_amount(holder.taker_rate)
    return {
        # The older whole-number form counts hundredths of a percent.
        "makerCommission": holder.maker_rate * 10_000 // SCALE,
        "takerCommission": holder.taker_rate * 10_000 // SCALE,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": maker, "taker": taker, "buyer": _ZERO, "seller": _ZERO},
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": holder.update_ms * ticks,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": format_amount(held.free), "locked": format_amount(held.locked)}
            for asset, held in holder.balances.items()
            if held.free or held.locked or not omit_zero
        ],
        "permissions": ["SPOT"],
        "uid": holder.uid,
    }


def discount() -> Json:
    """Nobody here pays fees in another asset."""
    return {
        "enabledForAccount": False,
        "enabledForSymbol": False,
        "discountAsset": "BNB",
        "discount": "0.75000000",
    }


def commission(symbol: str, holder: Account) -> Json:
    none = {"maker": _ZERO, "taker": _ZERO, "buyer": _ZERO, "seller": _ZERO}
    standard = none | {
        "maker": format_amount(holder.maker_rate),
        "taker": format_amount(holder.taker_rate),
    }
    return {
        "symbol": symbol,
        "standardCommission": standard,
        "specialCommission": none,
        "taxCommission": none,
        "discount": discount(),
    }


def order_commission(holder: Account) -> Json:
    none = {"maker": _ZERO, "taker": _ZERO}
    return {
        "standardCommissionForOrder": {
            "maker": format_amount(holder.maker_rate),
            "taker": format_amount(holder.taker_rate),
        },
        "specialCommissionForOrder": none,
        "taxCommissionForOrder": none,
        "discount": discount(),
    }


def by_response_type(order: Order, response_type: str | None, ticks: int) -> Json:
    """FULL for MARKET and LIMIT unless told otherwise, ACK for the rest."""
    is_plain = order.type is OrderType.MARKET or order.type is OrderType.LIMIT
    wanted = response_type or ("FULL" if is_plain else "ACK")
    return {"ACK": ack, "RESULT": result, "FULL": full}[wanted](order, ticks)
