"""Moving assets: what a trade takes out of an order's lock, and what a lock gives back."""

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import SCALE, quote_of
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.orders import Fill, Order, Side, Trade


def settle(
    order: Order, trade: Trade, rules: SymbolRules, fees: Account, *, is_maker: bool
) -> Fill:
    """Book one side of a trade: out of what the order locked, in after the fee."""
    account = order.account
    order.executed += trade.qty
    order.cumulative_quote += trade.quote
    rate = account.maker_rate if is_maker else account.taker_rate
    if order.side is Side.BUY:
        paid_asset, paid, got_asset, got = rules.quote, trade.quote, rules.base, trade.qty
    else:
        paid_asset, paid, got_asset, got = rules.base, trade.qty, rules.quote, trade.quote
    fee = got * rate // SCALE
    still_locked = _needed(order, order.remaining, order.locked - paid)
    released = order.locked - still_locked
    paying = account.balance(paid_asset)
    paying.locked -= released
    # A buyer at a better price than its limit gets the difference back at once.
    paying.free += released - paid
    order.locked = still_locked
    account.balance(got_asset).free += got - fee
    if fee:
        fees.balance(got_asset).free += fee
    fill = Fill(trade, order, is_maker, fee, got_asset)
    account.record(fill)
    return fill


def unlock(order: Order, rules: SymbolRules, remaining: int) -> None:
    """Release what an order of this remaining quantity no longer needs locked."""
    needed = _needed(order, remaining, order.locked if remaining else 0)
    released = order.locked - needed
    if released:
        asset = rules.base if order.side is Side.SELL else rules.quote
        balance = order.account.balance(asset)
        balance.locked -= released
        balance.free += released
        order.locked = needed


def _needed(order: Order, remaining: int, of_market_buy: int) -> int:
    """The lock of an order with this much left; a MARKET BUY has no price to work it out from."""
    if order.side is Side.SELL:
        return remaining
    return quote_of(order.price, remaining) if order.price else of_market_buy
