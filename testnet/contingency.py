"""Order lists: which order starts, cancels or expires which ("Order lists" of the REST page).

Of a pair (OCO) one leg is a stop loss, the other a limit maker or a take profit. As soon as one
leg begins to trade or is triggered, the other expires. The other orders of an OTO wait, without
locking anything, for the working order to be filled whole. Both legs of a pair share one lock,
as only one of them can ever trade.

Choices where the documentation is silent: orders of a list that cannot be placed expire with the
reason REJECTED, both legs of a pair together; before a symbol's first trade the prices of a pair
are compared with one another only.
"""

from typing import TYPE_CHECKING

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import quote_of
from otonom_trader.testnet.book import Book
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.events import RejectReason
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.orders import (
    STOP_LOSSES,
    STOPS,
    ExpiryReason,
    ListOrderStatus,
    ListStatusType,
    NewOrder,
    Order,
    OrderList,
    OrderStatus,
    OrderType,
    Side,
)
from otonom_trader.testnet.settlement import asset_of, needs, unlock
from otonom_trader.testnet.stops import would_trigger

if TYPE_CHECKING:
    from otonom_trader.testnet.matching import Matching


def crosses(book: Book, order: Order | NewOrder) -> bool:
    """Whether a limit order would take something at once."""
    side = book.opposite(order.side)
    best = side.best()
    return best is not None and side.accepts(best, order.price)


def refusal(book: Book, orders: tuple[Order, ...] | tuple[NewOrder, ...]) -> RejectReason:
    """Why an order, or both legs of a pair, cannot be placed as the market stands."""
    if len(orders) == 2 and not _prices_fit(orders[0], orders[1], book.last_price):
        return RejectReason.BAD_LIST_PRICES
    for order in orders:
        if order.type is OrderType.LIMIT_MAKER and crosses(book, order):
            return RejectReason.WOULD_MATCH
        if order.type in STOPS and would_trigger(order, book.last_price):
            return RejectReason.WOULD_TRIGGER
    return RejectReason.NONE


def _prices_fit(one: Order | NewOrder, other: Order | NewOrder, last_price: int) -> bool:
    """SELL: the stop loss below the last price, the other leg above it; BUY the reverse."""
    stop, limit = (one, other) if one.type in STOP_LOSSES else (other, one)
    sign = 1 if stop.side is Side.SELL else -1
    # A leg's prices are its limit, of a take profit its stop price too; 0 is not given.
    limits = [price for price in (limit.price, limit.stop_price) if price]
    last = last_price or stop.stop_price
    if stop.stop_price and last_price and (last - stop.stop_price) * sign <= 0:
        return False
    return not last or all((price - last) * sign > 0 for price in limits)


def lock_price(order: Order, last_price: int) -> int:
    """What a BUY of this order locks by the unit: a stop without limit price its stop price."""
    return order.price or order.stop_price or last_price


def lock(account: Account, rules: SymbolRules, orders: tuple[Order, ...], last_price: int) -> None:
    """Lock what an order needs, or a pair the larger need of the two; -2010 where it is missing."""
    needed = [
        order.remaining
        if order.side is Side.SELL
        else quote_of(lock_price(order, last_price), order.remaining)
        for order in orders
    ]
    largest = max(needed)
    account.lock(asset_of(orders[0], rules), largest)
    orders[needed.index(largest)].locked = largest


def relock(rules: SymbolRules, orders: tuple[Order, ...], before: int) -> None:
    """Release what a reduced order, or pair, no longer needs; ``before`` was its remaining qty."""
    remaining = orders[0].remaining
    held = sum(order.locked for order in orders)
    if not held:
        return
    of_market_buy = held * remaining // before
    needed = max(needs(order, remaining, of_market_buy) for order in orders)
    holder = next(order for order in orders if order.locked)
    balance = holder.account.balance(asset_of(holder, rules))
    balance.locked -= held - needed
    balance.free += held - needed
    holder.locked = needed


def start(run: "Matching", order_list: OrderList, orders: tuple[Order, ...]) -> None:
    """Announce orders of a list, then let those work that are no stops and not pending."""
    for order in orders:
        run.announce(order)
    run.reports.order_list(order_list, ListStatusType.EXEC_STARTED)
    for order in orders:
        if order.working_ms is not None:
            run.work(order)


def activate(run: "Matching", order: Order) -> None:
    """A leg of a pair begins to trade: the other leg expires and leaves it the lock."""
    if order.order_list is None:
        return
    sibling = order.order_list.sibling(order)
    if sibling is None or not sibling.is_open:
        return
    order.locked += sibling.locked
    sibling.locked = 0
    run.expire(sibling, ExpiryReason.OCO_TRIGGER)
    unlock(order, run.rules, order.remaining)


def after_close(run: "Matching", order: Order, order_list: OrderList) -> None:
    """What the end of one order of a list means for the others."""
    if order is order_list.working:
        if order.status is OrderStatus.FILLED:
            run.release(order_list)
        elif order.status is not OrderStatus.CANCELED:
            for pending in order_list.others:
                run.expire(pending, ExpiryReason.OTO_PHASE_ONE)
    elif order.status is not OrderStatus.CANCELED:
        sibling = order_list.sibling(order)
        reasons = (ExpiryReason.OCO_TRIGGER, ExpiryReason.OTO_PHASE_ONE, ExpiryReason.REJECTED)
        if sibling is not None and sibling.is_open and order.expiry_reason not in reasons:
            run.expire(sibling, ExpiryReason.OCO_TRIGGER)
    if order_list.is_open and not any(each.is_open for each in order_list.orders):
        order_list.order_status = ListOrderStatus.ALL_DONE
        order_list.status_type = ListStatusType.ALL_DONE
        order_list.account.finish_list(order_list)
        run.reports.order_list(order_list, ListStatusType.ALL_DONE)


def place_others(run: "Matching", order_list: OrderList) -> None:
    """The working order is filled: place what waited for it."""
    orders = tuple(order for order in order_list.others if order.is_open)
    if not orders:
        return
    reason = refusal(run.book, orders)
    if reason is RejectReason.NONE:
        try:
            lock_placed(run, orders)
        except VenueError:
            reason = RejectReason.INSUFFICIENT_BALANCES
    if reason is not RejectReason.NONE:
        for order in orders:
            run.expire(order, ExpiryReason.REJECTED, reason)
        return
    for order in orders:
        order.status = OrderStatus.NEW
        order.update_ms = run.now_ms
    start(run, order_list, orders)


def lock_placed(run: "Matching", orders: tuple[Order, ...]) -> None:
    """As ``lock``; a MARKET order's cost is what the book asks for."""
    order = orders[0]
    account = order.account
    if order.type is OrderType.MARKET:
        run.lock_market(order)
    else:
        lock(account, run.rules, orders, run.book.last_price)
