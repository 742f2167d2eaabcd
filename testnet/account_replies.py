"""JSON of accounts, their trades and commissions, as the documentation shows them.

``ticks`` is how many output time units a millisecond has: 1, or 1000 for microseconds.
"""

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import SCALE, format_amount
from otonom_trader.testnet.orders import Fill
from otonom_trader.testnet.replies import ZERO, Json


def own_trade(fill: Fill, ticks: int) -> Json:
    trade, order = fill.trade, fill.order
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": order.order_id,
        "orderListId": order.list_id,
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
    """With the trade group of one that is in a group."""
    group = holder.trade_group_id
    maker, taker = format_amount(holder.maker_rate), format_amount(holder.taker_rate)
    return {
        # The older whole-number form counts hundredths of a percent.
        "makerCommission": holder.maker_rate * 10_000 // SCALE,
        "takerCommission": holder.taker_rate * 10_000 // SCALE,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": maker, "taker": taker, "buyer": ZERO, "seller": ZERO},
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
        "permissions": sorted(holder.permissions),
        "uid": holder.uid,
    } | ({} if group == -1 else {"tradeGroupId": group})


def commission(symbol: str, holder: Account) -> Json:
    none = {"maker": ZERO, "taker": ZERO, "buyer": ZERO, "seller": ZERO}
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
    none = {"maker": ZERO, "taker": ZERO}
    return {
        "standardCommissionForOrder": {
            "maker": format_amount(holder.maker_rate),
            "taker": format_amount(holder.taker_rate),
        },
        "specialCommissionForOrder": none,
        "taxCommissionForOrder": none,
        "discount": discount(),
    }


def discount() -> Json:
    """Nobody here pays fees in another asset."""
    return {
        "enabledForAccount": False,
        "enabledForSymbol": False,
        "discountAsset": "BNB",
        "discount": "0.75000000",
    }
