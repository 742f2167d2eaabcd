"""A recorded order book, replayed diff by diff through the engine.

Everything recorded belongs to one participant. It holds what the recording says of each level: a
diff takes what is too much off its newest orders, and adds what is missing behind everybody's. What
clients fill of it stays gone until a diff names the level again, and what stands against it when it
comes is filled, as any order would be. While no client trades, the book after each diff is the
recorded one, and ``lastUpdateId`` is the diff's ``u`` in the first lap, or later where recorded
trades took more updates here than on the venue.

A recorded trade is a taker of that quantity at that price: better orders of clients are in its way
and are filled first, then whoever queues at the price. Recorded quantity in its way is already out
of date, as diffs are up to 100 ms behind, and is withdrawn; recorded quantity missing at the price
is added. The next diff puts every level that this touched to what is recorded.

At speed X a recorded second takes 1/X seconds. All symbols of a recording start at the time of its
earliest snapshot, each with its own snapshot. After the last step the book stands still, or,
looped, is put back to the snapshot and played again. In a symbol that does not trade (HALT) the
replay goes on unseen, and its book comes back up to date with the first diff after.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import takewhile
from typing import Final

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import quote_of
from otonom_trader.testnet.clock import VenueClock
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.market import IDLE_SECONDS, SHORTEST_SLEEP_SECONDS, limit_order
from otonom_trader.testnet.orders import NewOrder, Order, Side, TimeInForce, Trade
from otonom_trader.testnet.recording import Diff, RecordedTrade, Recording

# The update speed of recorded diffs: a lap ends this long after its last step.
_LAST_STEP_MS: Final = 100

Place = tuple[Side, int]
"""A level: its side and its price."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When the steps of all symbols of a recording are due, in epoch milliseconds: a plan, which
    setting the venue's clock does not change.
    """

    opened_ms: int
    recorded_from_ms: int
    recorded_until_ms: int
    speed: Decimal
    is_looped: bool

    @classmethod
    def of(
        cls, recordings: Iterable[Recording], opened_ms: int, *, speed: Decimal, is_looped: bool
    ) -> "Pace":
        began = [recording.snapshot.time_ms for recording in recordings]
        ended = [recording.steps[-1].time_ms for recording in recordings if recording.steps]
        until = max((*began, *ended)) + _LAST_STEP_MS
        return cls(opened_ms, min(began), until, speed, is_looped)

    def due_ms(self, recorded_ms: int, lap: int) -> int:
        length = self.recorded_until_ms - self.recorded_from_ms
        passed = max(0, recorded_ms - self.recorded_from_ms) + lap * length
        return self.opened_ms + int(passed / Fraction(self.speed))


Step = Diff | RecordedTrade


class BookReplay:
    """Plays one symbol: ``open`` puts the snapshot up, then ``run`` the rest."""

    def __init__(
        self,
        exchange: Exchange,
        rules: SymbolRules,
        recording: Recording,
        participant: Account,
        pace: Pace,
        clock: VenueClock,
    ) -> None:
        self._exchange: Final = exchange
        self._rules: Final = rules
        self._recording: Final = recording
        self._account: Final = participant
        self._pace: Final = pace
        self._clock: Final = clock
        self._book: Final = exchange.engine.books[rules.symbol]
        self._tape: Final = exchange.tapes[rules.symbol]
        self._due: Final = self._timeline()
        self._next: tuple[int, Step] | None = None
        # As the recording has it, whatever clients have filled.
        self._recorded: Final[dict[Side, dict[int, int]]] = {side: {} for side in Side}
        self._orders: Final[dict[Place, list[Order]]] = {}
        # Levels that are not as recorded though no client had part in it; ordered, as a
        # dictionary, so that a run can be repeated.
        self._touched: Final[dict[Place, None]] = {}
        self._lap = 0

    def open(self) -> None:
        """Put the snapshot up; the last price, of which it says nothing, is in the middle."""
        now_ms = self._clock.time_ms()
        self._apply(self._recording.snapshot, now_ms)
        bid, ask = self._book.bids.best(), self._book.asks.best()
        if bid is None or ask is None:
            return
        middle = (bid.price + ask.price) // 2
        price, qty = middle - middle % self._rules.tick, self._rules.step
        self._exchange.record_past(
            Trade(
                self._book.next_trade_id(),
                self._rules.symbol,
                price,
                qty,
                quote_of(price, qty),
                now_ms,
                buyer_is_maker=False,
            )
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._look_ahead()
            wait = IDLE_SECONDS
            if self._next is not None:
                ahead_ms = self._next[0] - self._clock.planned_ms()
                wait = max(SHORTEST_SLEEP_SECONDS, ahead_ms / 1000)
            await self._clock.sleep(wait)
            self.advance()

    def advance(self) -> None:
        """Play what has become due."""
        planned_ms = self._clock.planned_ms()
        self._look_ahead()
        while self._next is not None and self._next[0] <= planned_ms:
            due_ms, step = self._next
            last = self._tape.last_trade
            # Time must not run backwards after a late wake, or when the clock is put back.
            at_ms = max(due_ms + self._clock.skew_ms, last.time_ms if last else 0)
            if isinstance(step, Diff):
                self._apply(step, at_ms)
            elif self._is_trading:
                self._print(step, at_ms)
            self._next = None
            self._look_ahead()

    @property
    def _is_trading(self) -> bool:
        return self._exchange.engine.rules[self._rules.symbol].status == "TRADING"

    def _look_ahead(self) -> None:
        if self._next is None:
            self._next = next(self._due, None)

    def _timeline(self) -> Iterator[tuple[int, Step]]:
        while True:
            for step in self._recording.steps:
                yield self._pace.due_ms(step.time_ms, self._lap), step
            if not self._pace.is_looped:
                return
            self._lap += 1
            yield self._pace.due_ms(0, self._lap), self._recording.snapshot

    def _apply(self, diff: Diff, at_ms: int) -> None:
        """Put the levels a diff names, and those that were touched, to what is recorded."""
        if diff is self._recording.snapshot:
            self._forget_recorded()
        for side, levels in diff.levels.items():
            for price, qty in levels.items():
                self._touched[side, price] = None
                if qty:
                    self._recorded[side][price] = qty
                else:
                    self._recorded[side].pop(price, None)
        if not self._is_trading:
            return
        cuts: list[tuple[Order, int]] = []
        added: list[NewOrder] = []
        for side, price in self._touched:
            missing = self._recorded[side].get(price, 0)
            for order in self._held(side, price):
                missing -= order.remaining
            if missing > 0:
                added.append(self._order(side, price, missing))
            elif missing < 0:
                cuts += self._newest(side, price, -missing)
        self._touched.clear()
        # A lap that is not the first counts on: ids never go back.
        update_id = diff.last_id if not self._lap else 0
        self._change(cuts, added, at_ms, update_id)
        for side, levels in diff.levels.items():
            # The update is told with all its levels, those too that a trade has put right already.
            self._book.side(side).retell(levels)

    def _print(self, trade: RecordedTrade, at_ms: int) -> None:
        maker_side = Side.BUY if trade.buyer_is_maker else Side.SELL
        taker_side = Side.SELL if trade.buyer_is_maker else Side.BUY
        cuts = [
            (order, order.remaining)
            for side, price in list(self._orders)
            if _is_in_the_way(side, price, maker_side, trade.price)
            for order in self._held(side, price)
        ]
        if cuts:
            self._touched.update(((order.side, order.price), None) for order, _ in cuts)
            self._change(cuts, [], at_ms, 0)
        side = self._book.side(maker_side)
        reach = takewhile(lambda level: side.accepts(level, trade.price), side)
        there = sum(level.total for level in reach)
        if there < trade.qty:
            # A client's order on the other side, at this price, may take part of it already.
            missing = self._order(maker_side, trade.price, trade.qty - there)
            self._change([], [missing], at_ms, 0)
        self._touched[maker_side, trade.price] = None
        taker = self._order(taker_side, trade.price, trade.qty, TimeInForce.IOC)
        self._fund([taker])
        self._exchange.place(self._account, taker, at_ms)

    def _change(
        self, cuts: list[tuple[Order, int]], added: list[NewOrder], at_ms: int, update_id: int
    ) -> list[Order]:
        self._fund(added)
        orders = self._exchange.requote(
            self._account, self._rules.symbol, cuts, added, at_ms, update_id=update_id
        )
        for order in orders:
            self._orders.setdefault((order.side, order.price), []).append(order)
        return orders

    def _held(self, side: Side, price: int) -> list[Order]:
        """What the participant still has at a level, oldest first."""
        held = [order for order in self._orders.get((side, price), ()) if order.is_open]
        if held:
            self._orders[side, price] = held
        else:
            self._orders.pop((side, price), None)
        return held

    def _newest(self, side: Side, price: int, qty: int) -> Iterator[tuple[Order, int]]:
        for order in reversed(self._held(side, price)):
            cut = min(qty, order.remaining)
            yield order, cut
            qty -= cut
            if not qty:
                return

    def _forget_recorded(self) -> None:
        for side, levels in self._recorded.items():
            for price in levels:
                self._touched[side, price] = None
            levels.clear()

    def _order(
        self, side: Side, price: int, qty: int, time_in_force: TimeInForce = TimeInForce.GTC
    ) -> NewOrder:
        return limit_order(self._exchange, self._rules.symbol, side, price, qty, time_in_force)

    def _fund(self, orders: list[NewOrder]) -> None:
        """The participant brings into the venue what it is about to lock and has not free."""
        for side, asset in ((Side.BUY, self._rules.quote), (Side.SELL, self._rules.base)):
            needed = sum(
                order.qty if side is Side.SELL else quote_of(order.price, order.qty)
                for order in orders
                if order.side is side
            )
            missing = needed - self._account.balance(asset).free
            if missing > 0:
                self._exchange.engine.credit(self._account, asset, missing)


def _is_in_the_way(side: Side, price: int, maker_side: Side, at: int) -> bool:
    """Whether a level cannot have stood when the maker side traded at a price."""
    if side is Side.BUY:
        return price > at if maker_side is side else price >= at
    return price < at if maker_side is side else price <= at
