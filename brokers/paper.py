"""The paper broker: fills on a book that was read, kept in a simulated account."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from otonom_trader.brokers.base import PositionRow
from otonom_trader.domain.account import Balance
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.execution import PaperStatus, SimulatedFill
from otonom_trader.domain.intent import Intent, LedgerChange
from otonom_trader.domain.ledger import Ledger, Payment
from otonom_trader.domain.market import MarketSnapshot
from otonom_trader.domain.order import (
    OrderRequest,
    OrderResult,
    OrderStatus,
    Side,
    TimeInForce,
)
from otonom_trader.domain.ports import PaperStore
from otonom_trader.domain.symbol import Symbol


class SimulatedAccount:
    """A ledger under its name, moved on only by changes that were written down first."""

    def __init__(self, name: str, ledger: Ledger) -> None:
        self.name = name
        self.ledger = ledger

    def change(self, payment: Payment) -> LedgerChange | None:
        """Return the change `payment` would make, None when the account cannot pay it."""
        if not self.ledger.can_pay(payment):
            return None
        return LedgerChange(self.name, payment, self.ledger.apply(payment))

    def book(self, change: LedgerChange) -> None:
        """Take over a change that is durable."""
        self.ledger = change.after


async def open_account(
    store: PaperStore, name: str, opening: Mapping[str, Decimal]
) -> SimulatedAccount:
    """Return the simulated account `name`, opened with the amounts of `opening` if it is new."""
    ledger = await store.load_ledger(name)
    if ledger is None:
        ledger = Ledger(dict(opening))
        await store.open_ledger(name, ledger)
    return SimulatedAccount(name, ledger)


def charge(
    account: SimulatedAccount, intent: Intent, result: OrderResult
) -> tuple[OrderResult, LedgerChange | None]:
    """Charge the expected fill of a validated order to shadow's account.

    Returns the result with the change to be written; where the account cannot pay, the result
    without its fill, marked so. Source: contract.md, "Formulas" (a leg whose account cannot pay).
    """
    if not result.filled_qty:
        return result, None
    fee = sum((fill.fee for fill in result.fills), ZERO)
    change = account.change(
        Payment.of_fill(intent.symbol, intent.order.side, result.filled_qty, result.quote_qty, fee)
    )
    if change is not None:
        return result, change
    unpaid = replace(
        result,
        status=OrderStatus.EXPIRED,
        message="the shadow account cannot pay for the expected fill",
        code=PaperStatus.INSUFFICIENT_BALANCE.value,
        filled_qty=ZERO,
        quote_qty=ZERO,
        fills=(),
    )
    return unpaid, None


class PaperBroker:
    """The paper leg: every order filled on the snapshot it was judged on.

    What does not trade at once is `resting` and not simulated further. `fee_pct` is taken from what
    is received. Source: contract.md, "Modes".
    """

    def __init__(self, account: SimulatedAccount, fee_pct: Decimal) -> None:
        self.account = account
        self.fee_pct = fee_pct

    def simulate(
        self, order: OrderRequest, market: MarketSnapshot
    ) -> tuple[SimulatedFill, LedgerChange | None]:
        """Return how `order` fills on `market`, and the change to be written; nothing is booked."""
        symbol = market.symbol
        if not order.takes_at_once:
            return SimulatedFill(PaperStatus.RESTING), None
        walk = market.book.walk(order.side, order.qty, order.limit_price)
        killed = order.time_in_force is TimeInForce.FOK and walk.qty < order.qty
        if killed or not walk.qty:
            status = PaperStatus.RESTING if order.may_rest else PaperStatus.UNFILLED
            return SimulatedFill(status), None
        received = walk.qty if order.side is Side.BUY else walk.quote_qty
        fee = received * self.fee_pct / 100
        payment = Payment.of_fill(symbol, order.side, walk.qty, walk.quote_qty, fee)
        change = self.account.change(payment)
        if change is None:
            return SimulatedFill(PaperStatus.INSUFFICIENT_BALANCE), None
        status = PaperStatus.FILLED if walk.qty == order.qty else PaperStatus.PARTLY_FILLED
        asset = symbol.base if order.side is Side.BUY else symbol.quote
        return SimulatedFill(status, walk.qty, walk.quote_qty, fee, asset), change

    def get_positions(self) -> list[PositionRow]:
        """Return every asset held."""
        return [
            PositionRow(asset=asset, qty=amount, free=amount, locked=ZERO)
            for asset, amount in sorted(self.account.ledger.amounts.items())
            if amount
        ]

    def get_account_balance(self) -> dict[str, Balance]:
        """Return all amounts by asset; nothing is ever locked on paper."""
        return {asset: Balance(asset, qty) for asset, qty in self.account.ledger.amounts.items()}

    def realised(self) -> dict[str, Decimal]:
        """Return what selling has realised so far, in quote, by canonical symbol."""
        return {name: cost.realised for name, cost in self.account.ledger.costs.items()}

    def unrealised(self, marks: Mapping[Symbol, Decimal]) -> dict[str, Decimal]:
        """Return what holdings bought here would gain at `marks`, in quote, by canonical symbol."""
        costs = self.account.ledger.costs
        return {
            symbol.canonical: costs[symbol.canonical].qty * mark - costs[symbol.canonical].total
            for symbol, mark in marks.items()
            if symbol.canonical in costs
        }
