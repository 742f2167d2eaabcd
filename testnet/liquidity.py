"""What an order could take from the book as it stands, before it takes anything."""

from collections.abc import Iterator

from otonom_trader.testnet.amounts import SCALE, quote_of
from otonom_trader.testnet.book import Book, Level
from otonom_trader.testnet.errors import filter_failure, rejected
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.orders import Order, SelfTradePrevention
from otonom_trader.testnet.prevention import effective_mode, prevents


def available(book: Book, order: Order, bounds: tuple[int, int | None]) -> int:
    """How much of the order's quantity could fill at once within a range of prices."""
    total = 0
    lowest, highest = bounds
    for level, qty, _ in _reachable(book, order):
        if level.price < lowest or (highest is not None and level.price > highest):
            break
        total += qty
        if total >= order.qty:
            return order.qty
    return total


def market_cost(book: Book, order: Order) -> int:
    """What a MARKET BUY by quantity would pay, transfers within its trade group included."""
    cost, left = 0, order.remaining
    for level, qty, transferred in _reachable(book, order):
        taken = min(left, qty + transferred)
        # Rounded up by level, so that rounding fill by fill can never need more.
        cost += -(-level.price * taken // SCALE)
        left -= taken
        if not left:
            break
    return cost


def qty_for_quote(book: Book, order: Order, rules: SymbolRules) -> int:
    """The largest lot-size quantity whose quote amount stays within quoteOrderQty.

    Where the book ends first, the rest counts at its last price, and will expire. Raises
    VenueError where the book is empty or holds less than the smallest lot of either filter, and
    where the amount does not reach one.
    """
    qty, left, price, there = 0, order.quote_qty, 0, 0
    for level, tradable, transferred in _reachable(book, order):
        price = level.price
        at_level = tradable + transferred
        there += at_level
        taken = min(at_level, left * SCALE // price)
        qty += taken
        left -= quote_of(price, taken)
        if taken < at_level:
            break
    else:
        qty += left * SCALE // price if price else 0
    if not price:
        raise rejected("Order book liquidity is less than symbol minimum quantity.")
    for name in ("LOT_SIZE", "MARKET_LOT_SIZE"):
        if there < rules.smallest_of(name):
            raise rejected(f"Order book liquidity is less than {name} filter minimum quantity.")
    qty -= qty % rules.step
    if qty < rules.smallest_of("LOT_SIZE"):
        raise filter_failure("LOT_SIZE")
    return qty


def _reachable(book: Book, order: Order) -> Iterator[tuple[Level, int, int]]:
    """Levels the order accepts: what it could trade there, and what would be transferred.

    What self-trade prevention keeps from it counts as neither.
    """
    side = book.opposite(order.side)
    account = order.account
    is_free = order.self_trade_prevention is SelfTradePrevention.NONE
    grouped = account.trade_group_id != -1
    own = {
        working.price
        for working in account.working_on(order.symbol).values()
        if working.side is side.side
    }
    for level in side:
        if not side.accepts(level, order.price):
            return
        if is_free or not (grouped or level.price in own):
            yield level, level.total, 0
            continue
        tradable = transferred = 0
        for maker in level.orders.values():
            if not prevents(order, maker):
                tradable += maker.remaining
            elif effective_mode(order, maker) is SelfTradePrevention.TRANSFER:
                transferred += maker.remaining
        yield level, tradable, transferred
