"""Orders that rest on simulated accounts: moved on as the market is read, in the journal first."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from otonom_trader.brokers.account_book import AccountBook
from otonom_trader.brokers.paper import SimulatedAccount
from otonom_trader.brokers.taken import TakenLiquidity
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.execution import PaperStatus, SimulatedFill, TradeExecutionLog
from otonom_trader.domain.intent import LedgerChange, Reservation
from otonom_trader.domain.ledger import Payment
from otonom_trader.domain.market import Level, MarketSnapshot
from otonom_trader.domain.ports import Clock, IntentLog, PaperStore
from otonom_trader.domain.resting import Leg, RestingOrder, meet, worst_price


class Moved(NamedTuple):
    """A resting order after it has moved on, and its decision's row where there is one yet."""

    order: RestingOrder
    row: TradeExecutionLog | None


class RestingOrders:
    """The orders that rest on simulated accounts.

    What an order may still take is locked on its account, and stands as a reservation where that is
    the account `judged`. Without `intents` there is no journal. `paper_moved` is told how far the
    paper leg of an order has come, by its client order id. Callers see to it that nothing else
    moves an account meanwhile.
    """

    def __init__(
        self,
        judged: AccountBook,
        intents: IntentLog | None,
        clock: Clock,
        paper_moved: Callable[[str, SimulatedFill], None],
    ) -> None:
        self._paper_moved = paper_moved
        self._judged = judged
        self._intents = intents
        self._clock = clock
        self._orders: dict[tuple[Leg, DecisionKey], RestingOrder] = {}
        self._accounts: dict[str, SimulatedAccount] = {}
        self._taken = TakenLiquidity()

    @property
    def symbols(self) -> frozenset[str]:
        """The symbols, as the venue writes them, on which orders rest."""
        return frozenset(resting.order.symbol for resting in self._orders.values())

    async def take_up(self, store: PaperStore, account: SimulatedAccount) -> None:
        """Take up what rested on `account` when the process before this one ended."""
        for resting in await store.load_resting(account.name):
            self.hold(resting, account)

    def hold(
        self, resting: RestingOrder, account: SimulatedAccount, taken: Iterable[Level] = ()
    ) -> None:
        """Keep an order that is on record; `taken` is what it took of the book when it came."""
        self._accounts[account.name] = account
        self._taken.add(resting.leg, resting.symbol, resting.order.side, taken)
        self._keep(resting, account)

    async def meet(self, market: MarketSnapshot) -> list[Moved]:
        """Have the orders on the symbol of `market` meet it, and end those whose time is over."""
        now, moved = self._clock.now(), list[Moved]()
        for resting in self._in_priority(market):
            if resting.expires_at is not None and resting.expires_at <= now:
                moved.append(await self._write(resting.ended(PaperStatus.CANCELLED), None))
                continue
            side = resting.order.side
            book = self._taken.left_of(market, resting.leg, side)
            after, walk = meet(resting, book)
            if after == resting:
                continue
            change = None
            if after.so_far.qty > resting.so_far.qty:
                change = self._accounts[resting.ledger].change(
                    _payment(resting, after), _key(after)
                )
                if change is None:
                    after = resting.ended(PaperStatus.INSUFFICIENT_BALANCE)
                else:
                    self._taken.add(resting.leg, resting.symbol, side, walk.levels)
            moved.append(await self._write(after, change))
        return moved

    async def cancel_all(self) -> list[Moved]:
        """End every order, as a kill ends those at the venue."""
        resting = list(self._orders.values())
        return [await self._write(each.ended(PaperStatus.CANCELLED), None) for each in resting]

    def _in_priority(self, market: MarketSnapshot) -> list[RestingOrder]:
        """Return the orders on a symbol by price, then by time."""
        here = [each for each in self._orders.values() if each.symbol == market.symbol]
        return sorted(here, key=lambda each: -each.order.side.sign * worst_price(each.order))

    async def _write(self, resting: RestingOrder, change: LedgerChange | None) -> Moved:
        """Make a move durable, and only then take it over."""
        row = None
        if self._intents is not None:
            row = await self._intents.move_resting(resting, change)
        account = self._accounts[resting.ledger]
        if change is not None:
            account.book(change)
        self._keep(resting, account)
        if resting.leg is Leg.PAPER:
            self._paper_moved(resting.order.client_order_id or "", resting.so_far)
        return Moved(resting, row)

    def _keep(self, resting: RestingOrder, account: SimulatedAccount) -> None:
        key = _key(resting)
        if resting.has_ended:
            self._orders.pop((resting.leg, resting.decision), None)
            account.unlock(key)
            self._judged.release(key)
            return
        self._orders[resting.leg, resting.decision] = resting
        account.lock(key, *resting.locked)
        if account is self._judged.simulated:
            order = resting.order
            self._judged.reserve(
                key, Reservation(resting.symbol, order.side, resting.left, worst_price(order))
            )


def _key(resting: RestingOrder) -> str:
    return f"{resting.leg}:{resting.decision.source}:{resting.decision.id}"


def _payment(before: RestingOrder, after: RestingOrder) -> Payment:
    """Return what an order has paid between two of its states."""
    was, is_ = before.so_far, after.so_far
    return Payment.of_fill(
        after.symbol,
        after.order.side,
        is_.qty - was.qty,
        is_.quote_qty - was.quote_qty,
        is_.fee - was.fee,
    )
