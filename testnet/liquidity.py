"""What an order could take from the book as it stands, before it takes anything."""

from collections.abc import Iterator

from otonom_trader.testnet.amounts import SCALE, quote_of
from otonom_trader.testnet.book import Book, Level
from otonom_trader.testnet.errors import filter_failure
from otonom_trader.testnet.orders import Order, SelfTradePrevention


def available(book: Book, order: Order) -> int:
    """How much of the order's quantity could fill at once."""
    total = 0
    for _, qty in _reachable(book, order):
        total += qty
        if total >= order.qty:
            return order.qty
    return total


def market_cost(book: Book, order: Order) -> int:
    """What a MARKET BUY by quantity would pay."""
    cost, left = 0, order.qty
    for level, qty in _reachable(book, order):
        taken = min(left, qty)
        # Rounded up by level, so that rounding fill by fill can never need more.
        cost += -(-level.price * taken // SCALE)
        left -= taken
        if not left:
            break
    return cost


def qty_for_quote(book: Book, order: Order, step: int) -> int:
    """The largest lot-size quantity whose quote amount stays within quoteOrderQty.

    Where the book ends first, the rest counts at its last price, and will expire. Raises
    VenueError where the amount does not reach one lot.
    """
    qty, left, price = 0, order.quote_qty, 0
    for level, there in _reachable(book, order):
        price = level.price
        taken = min(there, left * SCALE // price)
        qty += taken
        left -= quote_of(price, taken)
        if taken < there:
            break
    else:
        qty += left * SCALE // price if price else 0
    qty -= qty % step
    if price and not qty:
        raise filter_failure("LOT_SIZE")
    return qty


def _reachable(book: Book, order: Order) -> Iterator[tuple[Level, int]]:
    """Levels the order accepts, with the quantity there that is not its own account's."""
    side = book.opposite(order.side)
    prevented = order.self_trade_prevention is not SelfTradePrevention.NONE
    own = {
        working.price
        for working in order.account.working_on(order.symbol).values()
        if working.side is side.side
    }
    for level in side:
        if not side.accepts(level, order.price):
            return
        if prevented and level.price in own:
            others = (each for each in level.orders.values() if each.account is not order.account)
            yield level, sum(other.remaining for other in others)
        else:
            yield level, level.qty
