"""Moving assets: what an order locks, what a trade takes out of it, what it gives back."""

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
    got_asset, got = rules.base, trade.qty
    if order.side is Side.SELL:
        got_asset, got = rules.quote, trade.quote
    fee = got * rate // SCALE
    _swap(order, rules, trade.qty, trade.quote, fee)
    if fee:
        fees.balance(got_asset).free += fee
    fill = Fill(trade, order, is_maker, fee, got_asset)
    account.record(fill)
    return fill


def transfer(order: Order, rules: SymbolRules, qty: int, quote: int) -> None:
    """Book one side of a self-trade in mode TRANSFER, which is no trade and costs no fee."""
    _swap(order, rules, qty, quote, 0)


def unlock(order: Order, rules: SymbolRules, remaining: int) -> None:
    """Release what an order of this remaining quantity no longer needs locked."""
    needed = needs(order, remaining, order.locked if remaining else 0)
    released = order.locked - needed
    if released:
        balance = order.account.balance(asset_of(order, rules))
        balance.locked -= released
        balance.free += released
        order.locked = needed


def asset_of(order: Order, rules: SymbolRules) -> str:
    """What the order pays with."""
    return rules.base if order.side is Side.SELL else rules.quote


def needs(order: Order, remaining: int, of_market_buy: int) -> int:
    """The lock of an order with this much left; a MARKET BUY has no price to work it out from."""
    if order.side is Side.SELL:
        return remaining
    return quote_of(order.price, remaining) if order.price else of_market_buy


def _swap(order: Order, rules: SymbolRules, qty: int, quote: int, fee: int) -> None:
    """``qty`` against ``quote``; the order's remaining quantity is without ``qty`` already."""
    if order.side is Side.BUY:
        paid_asset, paid, got_asset, got = rules.quote, quote, rules.base, qty
    else:
        paid_asset, paid, got_asset, got = rules.base, qty, rules.quote, quote
    still_locked = needs(order, order.remaining, order.locked - paid)
    released = order.locked - still_locked
    account = order.account
    paying = account.balance(paid_asset)
    paying.locked -= released
    # A buyer at a better price than its limit gets the difference back at once.
    paying.free += released - paid
    order.locked = still_locked
    account.balance(got_asset).free += got - fee
