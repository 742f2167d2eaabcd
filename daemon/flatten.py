"""Positions closed after a kill, where the configuration says so.

Sold is what own fills have bought, at most what is held: coins that were there before, or came by
another way, stay. Each sale is a decision of its own, on record before it leaves, and the next one
waits until the venue has said what became of the last: nothing is sold twice.
Source: contract.md, "States" (HALTED); promises.md, P1 and P3.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

import structlog

from otonom_trader.daemon.floor import Floor
from otonom_trader.daemon.halt import Halt
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.daemon.outage import Outage
from otonom_trader.daemon.settings import FLATTEN_SOURCE_NAME, Kill
from otonom_trader.domain.amount import ZERO, plain, round_down
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.market import Instrument
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import Side
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("kill")

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_LOOK_AGAIN_SECONDS: Final = 5.0  # once nothing is left
_LIFE: Final = timedelta(seconds=10)
_NS: Final = 1_000_000_000


class Sale(NamedTuple):
    """What is left of a position, and what is bid for it; None where nothing is."""

    instrument: Instrument
    qty: Decimal
    bid: Decimal | None

    @property
    def symbol(self) -> str:
        """Of the position, canonical."""
        return self.instrument.symbol.canonical


class Flatten:
    """Sells in rounds until nothing is left that the venue would take.

    A sale is a LIMIT IOC within ``price_collar_pct`` of the best bid: what the book does not take
    there is tried again, ever more seldom, while the bid is not more than ``flatten_within_pct``
    below the first that was seen: an empty book is not followed down. What is left after
    ``cancel_deadline_seconds`` is told loudly. Does nothing unless ``flatten_positions`` says so,
    and in live alone.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        halt: Halt,
        journal: Journal,
        clock: Clock,
        settings: Kill,
    ) -> None:
        self.left: dict[str, Decimal] | None = None
        """What is left by symbol, in base; None where it was not looked since trading halted."""
        self._lifecycle = lifecycle
        self._halt = halt
        self._journal = journal
        self._clock = clock
        self._is_asked_for = settings.flatten_positions
        self._least_of_first = 1 - settings.flatten_within_pct / 100
        self._first_bids: dict[str, Decimal] = {}
        self._deadline_seconds = settings.cancel_deadline_seconds
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._began_ns = 0
        self._again_ns = 0
        self._is_told_late = False
        self._reading = Outage(log, clock, "kill.flatten_failed", "kill.flatten_answered")

    async def step(self, floor: Floor) -> None:
        """Sell once what is left, where that is to be done, is its turn, and nothing is in doubt.

        Raises `JournalError`.
        """
        if not self._lifecycle.switch.flattens:
            self._reset()
            return
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._again_ns or not self._may_sell(floor):
            return
        if self.left is None:
            self._began_ns = now_ns
        try:
            floor.broker.venue.check_room()
            await floor.broker.refresh()
            sales = await self._sales(floor)
            self._reading.ended()
        except VenueError as failure:
            self._reading.failed(str(failure))
            self._wait()
            return
        self._tell(sales)
        for sale in sales:
            if self._is_bid_enough(sale) and self._may_sell(floor):
                await self._sell(floor, sale)
        self._wait(seconds=None if sales else _LOOK_AGAIN_SECONDS)

    def facts(self) -> dict[str, Any]:
        """Return what `status` tells of it under a kill: nothing where positions are kept."""
        if not (self._is_asked_for and self._lifecycle.switch.flattens):
            return {}
        left = None if self.left is None else {name: plain(qty) for name, qty in self.left.items()}
        return {"kill_positions_left": left, "kill_flat": left == {}}

    def _may_sell(self, floor: Floor) -> bool:
        """Whether all own orders are known to have ended: only then is it known what is held."""
        outcomes = floor.broker.outcomes
        return (
            self._is_asked_for
            and floor.broker.mode is Mode.LIVE
            and self._lifecycle.flattens
            and self._halt.withdrawal.verified
            and not outcomes.unanswered
            and not outcomes.open_orders
        )

    async def _sales(self, floor: Floor) -> Sequence[Sale]:
        """Return what is left of what was bought; dust, which the venue does not take, is not."""
        sales = []
        for name, bought in (await self._journal.bought(floor.desk.account)).items():
            instrument = await floor.broker.venue.get_instrument(name)
            floor.broker.account.trade(instrument)
            sellable = floor.desk.executor.sellable(instrument.symbol.base)
            qty = min(bought, sellable, instrument.max_qty or bought)
            qty = round_down(qty, instrument.qty_step)
            if qty <= ZERO or qty < instrument.min_qty:
                continue
            market = await floor.broker.venue.get_market(instrument.venue_symbol)
            bid = market.reference(Side.SELL)
            if bid is None or qty * bid >= instrument.min_notional:
                sales.append(Sale(instrument, qty, bid))
        return sales

    def _is_bid_enough(self, sale: Sale) -> bool:
        if sale.bid is None:
            return False
        first = self._first_bids.setdefault(sale.symbol, sale.bid)
        return sale.bid >= first * self._least_of_first

    async def _sell(self, floor: Floor, sale: Sale) -> None:
        now = self._clock.now()
        decision = Decision(
            id=f"{sale.instrument.symbol.base} {now.isoformat()}",
            source=FLATTEN_SOURCE_NAME,
            symbol=sale.symbol,
            direction=Direction.SELL,
            qty=sale.qty,
            created_at=now,
            expires_at=now + _LIFE,
            reason=self._lifecycle.switch.reason,
        )
        with floor.intake.under_way(decision.key):  # a drain waits for its answer
            await floor.desk.executor.flatten(decision)

    def _tell(self, sales: Sequence[Sale]) -> None:
        before, self.left = self.left, {one.symbol: one.qty for one in sales}
        left = {symbol: plain(qty) for symbol, qty in self.left.items()}
        if before is None and sales:
            log.warning("kill.flattening", positions=left)
        if not sales:
            if before != {}:
                log.warning("kill.flat", positions=0)
            return
        late_ns, after_seconds = self._clock.monotonic_ns() - self._began_ns, self._deadline_seconds
        if late_ns > after_seconds * _NS and not self._is_told_late:
            self._is_told_late = True
            log.critical("kill.positions_left", after_seconds=after_seconds, positions=left)

    def _wait(self, seconds: float | None = None) -> None:
        """Do nothing for so long, without a number ever longer."""
        if seconds is None:
            seconds = self._pause_seconds
            self._pause_seconds = min(seconds * 2, _LONGEST_PAUSE_SECONDS)
        self._again_ns = self._clock.monotonic_ns() + int(seconds * _NS)

    def _reset(self) -> None:
        self.left, self._first_bids, self._again_ns = None, {}, 0
        self._pause_seconds, self._is_told_late = _FIRST_PAUSE_SECONDS, False
