"""Orders that wait in a simulation for the market to come to them, and what a book makes of them.

Source: contract.md, "Formulas" (a limit decision is GTC); binance-facts.md, section 5.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.execution import PaperStatus, SimulatedFill
from otonom_trader.domain.market import Book, Walk
from otonom_trader.domain.order import OrderRequest, OrderType, Side
from otonom_trader.domain.symbol import Symbol

NOTHING = Walk(ZERO, ZERO, None, ())
_BPS = 10_000


class Leg(StrEnum):
    """Which simulation an order rests in: the paper leg, or shadow's expected fill."""

    PAPER = "paper"
    EXPECTED = "expected"


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """A simulated order that works, of which `so_far` has filled.

    It is paid from the account called `ledger`, with `fee_pct` of what is received. `is_triggered`
    tells of a stop that its price has been met. `best_price` is the best mark that a trailing stop
    has followed, None before it began to. Where it `decides`, its outcome is the decision's.
    """

    decision: DecisionKey
    leg: Leg
    ledger: str
    symbol: Symbol
    order: OrderRequest
    fee_pct: Decimal
    so_far: SimulatedFill
    decides: bool
    expires_at: datetime | None = None
    is_triggered: bool = False
    best_price: Decimal | None = None

    @property
    def left(self) -> Decimal:
        """What has not filled yet, in base."""
        return self.order.qty - self.so_far.qty

    @property
    def has_ended(self) -> bool:
        """Whether it works no more."""
        return self.so_far.status is not PaperStatus.RESTING

    @property
    def locked(self) -> tuple[str, Decimal]:
        """The asset and amount that it may still take from its account."""
        if self.order.side is Side.SELL:
            return self.symbol.base, self.left
        return self.symbol.quote, self.left * worst_price(self.order)

    def ended(self, status: PaperStatus) -> "RestingOrder":
        """Return it as ended with `status`, or as partly filled where something was."""
        status = PaperStatus.PARTLY_FILLED if self.so_far.qty else status
        return replace(self, so_far=replace(self.so_far, status=status))


def worst_price(order: OrderRequest) -> Decimal:
    """Return the price that is set aside for a BUY: its limit, or where it triggers."""
    return max(order.limit_price or ZERO, order.stop_price or ZERO)


def meet(waiting: RestingOrder, book: Book) -> tuple[RestingOrder, Walk]:
    """Return an order after it has met `book`, and what it took from it.

    A limit that has rested fills at its own price, as a maker, up to the quantity that stands at or
    through it. A stop triggers on the mark and then trades as a taker. Of a pair, a limit that has
    filled in part has no stop any more.
    """
    order = waiting.order
    is_pair = order.order_type is OrderType.OCO
    if order.order_type.is_stop and not (waiting.is_triggered or (is_pair and waiting.so_far.qty)):
        waiting = _watched(waiting, book)
        if waiting.is_triggered:
            return _taken(waiting, book, None if is_pair else order.limit_price)
        if not is_pair:
            return waiting, NOTHING
    if order.limit_price is None:
        return waiting, NOTHING  # a stop at market ends when it triggers
    walk = book.walk(order.side, waiting.left, order.limit_price)
    return _filled(waiting, walk.qty, walk.qty * order.limit_price), walk


def _taken(
    waiting: RestingOrder, book: Book, limit_price: Decimal | None
) -> tuple[RestingOrder, Walk]:
    """Let a stop that has just triggered take what there is; without a limit it then ends."""
    walk = book.walk(waiting.order.side, waiting.left, limit_price)
    waiting = _filled(waiting, walk.qty, walk.quote_qty)
    if limit_price is None and not waiting.has_ended:
        waiting = waiting.ended(PaperStatus.UNFILLED)
    return waiting, walk


def _watched(waiting: RestingOrder, book: Book) -> RestingOrder:
    """Hold a stop against the mark, which stands for the venue's last price."""
    quote, order = book.quote, waiting.order
    if quote is None:
        return waiting
    mark, stop = quote.mid, order.stop_price
    met = stop is None or ((mark >= stop) if order.waits_above else (mark <= stop))
    if order.trailing_delta_bps is None:
        return replace(waiting, is_triggered=met)
    if waiting.best_price is None and not met:
        return waiting
    best = _better(waiting.best_price, mark, order.side)
    # A SELL follows the price up and goes when it turns down by the delta; a BUY the reverse.
    turn = best * (1 + order.side.sign * Decimal(order.trailing_delta_bps) / _BPS)
    has_turned = (mark - turn) * order.side.sign >= 0
    return replace(waiting, best_price=best, is_triggered=has_turned)


def _better(best: Decimal | None, mark: Decimal, side: Side) -> Decimal:
    if best is None:
        return mark
    return max(best, mark) if side is Side.SELL else min(best, mark)


def _filled(waiting: RestingOrder, qty: Decimal, quote_qty: Decimal) -> RestingOrder:
    if not qty:
        return waiting
    before, buys = waiting.so_far, waiting.order.side is Side.BUY
    fee = (qty if buys else quote_qty) * waiting.fee_pct / 100
    whole = before.qty + qty == waiting.order.qty
    so_far = SimulatedFill(
        PaperStatus.FILLED if whole else PaperStatus.RESTING,
        before.qty + qty,
        before.quote_qty + quote_qty,
        before.fee + fee,
        waiting.symbol.base if buys else waiting.symbol.quote,
    )
    return replace(waiting, so_far=so_far)
