"""Which orders must not trade with each other (page "Self Trade Prevention FAQ")."""

from typing import Final

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.orders import Order, SelfTradePrevention

DECREMENTING: Final = frozenset({SelfTradePrevention.DECREMENT, SelfTradePrevention.TRANSFER})


def are_related(one: Account, other: Account) -> bool:
    """The same account, or two of one trade group."""
    return one is other or (one.trade_group_id != -1 and one.trade_group_id == other.trade_group_id)


def prevents(taker: Order, maker: Order) -> bool:
    """Whether the taker's mode forbids this match."""
    return taker.self_trade_prevention is not SelfTradePrevention.NONE and are_related(
        taker.account, maker.account
    )


def effective_mode(taker: Order, maker: Order) -> SelfTradePrevention:
    """The taker's mode; TRANSFER needs two accounts that both ask for it, else it decrements."""
    mode = taker.self_trade_prevention
    if mode is SelfTradePrevention.TRANSFER and (
        maker.self_trade_prevention is not SelfTradePrevention.TRANSFER
        or maker.account is taker.account
    ):
        return SelfTradePrevention.DECREMENT
    return mode
