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
from otonom_trader.domain.market import MarketSnapshot, Walk
from otonom_trader.domain.order import (
    OrderRequest,
    OrderResult,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from otonom_trader.domain.ports import PaperStore
from otonom_trader.domain.resting import NOTHING, worst_price
from otonom_trader.domain.symbol import Symbol


class SimulatedAccount:
    """A ledger under its name, moved on only by changes that were written down first."""

    def __init__(self, name: str, ledger: Ledger) -> None:
        self.name = name
        self.ledger = ledger
        self._locked: dict[str, tuple[str, Decimal]] = {}

    def free(self, asset: str) -> Decimal:
        """Return what is held of `asset` and not locked by an order that rests."""
        return self.ledger.amount(asset) - self.locked(asset)

    def locked(self, asset: str) -> Decimal:
        """Return what orders that rest may still take of `asset`."""
        return sum((amount for of, amount in self._locked.values() if of == asset), ZERO)

    def lock(self, key: str, asset: str, amount: Decimal) -> None:
        """Set `amount` aside for the resting order `key`; called again, it replaces."""
        self._locked[key] = asset, amount

    def unlock(self, key: str) -> None:
        """Set nothing aside for `key` any longer."""
        self._locked.pop(key, None)

    def change(self, payment: Payment, key: str = "") -> LedgerChange | None:
        """Return the change `payment` would make, None when the account cannot pay it.

        It is paid from what is free, and from what is set aside for the resting order `key`.
        """
        asset, own = self._locked.get(key, ("", ZERO))
        for each, moved in payment.changes.items():
            if moved < 0 and self.free(each) + (own if each == asset else ZERO) + moved < 0:
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


def taken_at_once(order: OrderRequest, market: MarketSnapshot) -> Walk:
    """Return what an order takes of the book as it comes."""
    if not order.takes_at_once:
        return NOTHING
    walk = market.book.walk(order.side, order.qty, order.limit_price)
    killed = order.time_in_force is TimeInForce.FOK and walk.qty < order.qty
    return NOTHING if killed else walk


class PaperBroker:
    """The paper leg: every order filled on the snapshot it was judged on.

    What may not trade at once, or finds too little, is `resting`: `RestingOrders` moves it on.
    `fee_pct` is taken from what is received. Source: contract.md, "Modes".
    """

    def __init__(self, account: SimulatedAccount, fee_pct: Decimal) -> None:
        self.account = account
        self.fee_pct = fee_pct

    def simulate(
        self, order: OrderRequest, market: MarketSnapshot
    ) -> tuple[SimulatedFill, LedgerChange | None]:
        """Return how `order` fills on `market`, and the change to be written; nothing is booked."""
        symbol, walk = market.symbol, taken_at_once(order, market)
        if (
            order.order_type in (OrderType.LIMIT_MAKER, OrderType.OCO)
            and market.book.walk(order.side, order.qty, order.limit_price).qty
        ):
            return SimulatedFill(PaperStatus.UNFILLED), None
        rests = order.may_rest and walk.qty < order.qty
        if rests and not self._can_set_aside(order, walk, symbol):
            return SimulatedFill(PaperStatus.INSUFFICIENT_BALANCE), None
        if not walk.qty:
            return SimulatedFill(PaperStatus.RESTING if rests else PaperStatus.UNFILLED), None
        received = walk.qty if order.side is Side.BUY else walk.quote_qty
        fee = received * self.fee_pct / 100
        payment = Payment.of_fill(symbol, order.side, walk.qty, walk.quote_qty, fee)
        change = self.account.change(payment)
        if change is None:
            return SimulatedFill(PaperStatus.INSUFFICIENT_BALANCE), None
        status = PaperStatus.FILLED if walk.qty == order.qty else PaperStatus.PARTLY_FILLED
        if rests:
            status = PaperStatus.RESTING
        asset = symbol.base if order.side is Side.BUY else symbol.quote
        return SimulatedFill(status, walk.qty, walk.quote_qty, fee, asset), change

    def _can_set_aside(self, order: OrderRequest, walk: Walk, symbol: Symbol) -> bool:
        """Return whether the account can pay all of an order that will rest, as a venue asks."""
        if order.side is Side.SELL:
            return order.qty <= self.account.free(symbol.base)
        rest = (order.qty - walk.qty) * worst_price(order)
        return walk.quote_qty + rest <= self.account.free(symbol.quote)

    def get_positions(self) -> list[PositionRow]:
        """Return every asset held."""
        balances = self.get_account_balance()
        return [
            PositionRow(asset=asset, qty=balance.total, free=balance.free, locked=balance.locked)
            for asset, balance in sorted(balances.items())
            if balance.total
        ]

    def get_account_balance(self) -> dict[str, Balance]:
        """Return all amounts by asset, free and locked by orders that rest."""
        account = self.account
        return {
            asset: Balance(asset, account.free(asset), account.locked(asset))
            for asset in account.ledger.amounts
        }

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
