"""Positions closed after a kill, where the configuration says so.

Sold is what own fills have bought, at most what is held: coins that were there before, or came by
another way, stay. Each sale is a decision of its own, on record before it leaves, and the next one
waits until the venue has said what became of the last: nothing is sold twice.
Source: contract.md, "States" (HALTED); promises.md, P1 and P3.
"""

from contextlib import suppress
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
from otonom_trader.domain.errors import TradingHalted, VenueError
from otonom_trader.domain.market import Instrument
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import Side
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.symbol import Symbol
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("kill")

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_LOOK_AGAIN_SECONDS: Final = 5.0  # once nothing is left
_LIFE: Final = timedelta(seconds=10)
_NS: Final = 1_000_000_000


class Position(NamedTuple):
    """What is left of what was bought on a symbol.

    `sale` is how much of it would sell now, in base; where that is 0, `why` says what it waits for.
    """

    symbol: str
    left: Decimal
    sale: Decimal = ZERO
    why: str = ""


class Flatten:
    """Sells in rounds until nothing is left that the venue would take.

    A sale is a LIMIT IOC within ``price_collar_pct`` of the best bid: what the book does not take
    there is tried again, ever more seldom, while the bid is not more than ``flatten_within_pct``
    below the first that was seen: an empty book is not followed down. What is left after
    ``cancel_deadline_seconds``, for whatever reason, is told loudly. Does nothing unless
    ``flatten_positions`` says so, and in live alone.
    """

    def __init__(
        self,
        mode: Mode,
        lifecycle: Lifecycle,
        halt: Halt,
        journal: Journal,
        clock: Clock,
        settings: Kill,
    ) -> None:
        self._is_asked_for = settings.flatten_positions and mode is Mode.LIVE
        self._least_of_first = 1 - settings.flatten_within_pct / 100
        self._deadline_seconds = settings.cancel_deadline_seconds
        self._lifecycle = lifecycle
        self._switch = lifecycle.switch
        self._halt = halt
        self._journal = journal
        self._clock = clock
        self._reading = Outage(log, clock, "kill.flatten_failed", "kill.flatten_answered")
        self._begin(began_ns=None)

    def _begin(self, began_ns: int | None) -> None:
        """Know nothing of the halt that has begun at `began_ns`; None where there is none."""
        self._began_ns = began_ns
        self._of_halt = self._switch.times_cleared
        self._positions: list[Position] | None = None
        self._least_left: dict[str, Decimal] = {}
        self._first_bids: dict[str, Decimal] = {}
        self._again_ns = 0
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._is_told_late = False

    @property
    def is_flat(self) -> bool:
        """Whether it was seen that nothing is left, or nothing is to be done."""
        return not self._is_due or self._positions == []

    async def step(self, floor: Floor) -> None:
        """Sell once what is left, where that is to be done, is its turn, and nothing is in doubt.

        Raises `JournalError`.
        """
        if not self._is_due:
            self._begin(began_ns=None)
            return
        now_ns = self._clock.monotonic_ns()
        if self._began_ns is None or self._of_halt != self._switch.times_cleared:
            self._begin(now_ns)
        self._tell_late(now_ns)
        if now_ns < self._again_ns or not self._may_sell(floor):
            return
        try:
            await self._sell_what_is_left(floor)
            self._reading.ended()
        except VenueError as failure:
            self._reading.failed(str(failure))
        finally:
            self._wait()

    async def within(self, seconds: float, floor: Floor) -> None:
        """Do it for as long as that; say what is left then. Raises `JournalError`."""
        until_ns = self._clock.monotonic_ns() + int(seconds * _NS)
        await self.step(floor)
        while not self.is_flat:
            if self._clock.monotonic_ns() > until_ns:
                self._tell_left()
                return
            await self._clock.sleep(_FIRST_PAUSE_SECONDS / 10)
            await self.step(floor)

    def facts(self) -> dict[str, Any]:
        """Return what `status` tells of it under a kill: nothing where positions are kept."""
        if not self._is_due:
            return {}
        stale = self._of_halt != self._switch.times_cleared
        left = None if stale else self._left()
        return {"kill_positions_left": left, "kill_flat": left == {}}

    @property
    def _is_due(self) -> bool:
        return self._is_asked_for and self._switch.flattens

    def _may_sell(self, floor: Floor) -> bool:
        """Whether all own orders are known to have ended: only then is it known what is held."""
        outcomes = floor.broker.outcomes
        return (
            self._is_due
            and self._lifecycle.flattens
            and self._of_halt == self._switch.times_cleared
            and self._halt.withdrawal.verified
            and not outcomes.unanswered
            and not outcomes.open_orders
        )

    async def _sell_what_is_left(self, floor: Floor) -> None:
        floor.broker.venue.check_room()
        await floor.broker.refresh()
        positions = await self._look(floor)
        self._tell(positions)
        for number, position in enumerate(positions):
            if position.sale and self._may_sell(floor):
                sold = await self._sell(floor, position)
                positions[number] = position._replace(left=position.left - sold)
                if sold:
                    self._pause_seconds = _FIRST_PAUSE_SECONDS

    async def _look(self, floor: Floor) -> list[Position]:
        """Return what is left of what was bought; dust, which the venue does not take, is not."""
        held = dict(floor.broker.exposure().balances)
        positions = []
        for name, bought in (await self._journal.bought(floor.desk.account)).items():
            base = Symbol.parse(name).base
            if base == floor.broker.account.account_currency:
                continue
            # Never more than at an earlier look: what somebody has bought since is theirs.
            left = min(bought, held.get(base, ZERO), self._least_left.get(name, bought))
            self._least_left[name] = left
            held[base] = held.get(base, ZERO) - left
            if left > ZERO:
                try:
                    position = await self._position(floor, name, left)
                except VenueError as failure:
                    position = Position(name, left, why=str(failure))
                if position is not None:
                    positions.append(position)
        return positions

    async def _position(self, floor: Floor, name: str, left: Decimal) -> Position | None:
        """Return what would sell of `left`; None where the venue takes so little from nobody."""
        instrument = await floor.broker.venue.get_instrument(name)
        symbol = instrument.symbol
        if symbol.canonical != name:
            why = f"the configuration has {name} trade as {symbol.canonical}: sell it by hand"
            return Position(name, left, why=why)
        floor.broker.account.trade(instrument)
        bid = (await floor.broker.venue.get_market(instrument.venue_symbol)).reference(Side.SELL)
        if bid is None:
            return Position(name, left, why="nobody bids for it")
        price = bid * (1 - floor.desk.executor.rules.collar_pct / 100)
        if not _takes(instrument, left, price):
            return None
        first = self._first_bids.setdefault(name, bid)
        if bid < first * self._least_of_first:
            why = f"{plain(bid)} is bid, after {plain(first)}: flatten_within_pct"
            return Position(name, left, why=why)
        free = min(left, floor.desk.executor.sellable(symbol.base), instrument.max_qty or left)
        if not _takes(instrument, free, price):
            return Position(name, left, why="orders that are not the daemon's hold it")
        return Position(name, left, round_down(free, instrument.qty_step))

    async def _sell(self, floor: Floor, position: Position) -> Decimal:
        """Execute one sale; return how much of it was sold, as far as that is known."""
        now = self._clock.now()
        decision = Decision(
            id=f"{Symbol.parse(position.symbol).base} {now.isoformat()}",
            source=FLATTEN_SOURCE_NAME,
            symbol=position.symbol,
            direction=Direction.SELL,
            qty=position.sale,
            created_at=now,
            expires_at=now + _LIFE,
            reason=self._switch.reason,
        )
        # A drain waits for its answer; resumed before anything was on record, nothing is sold.
        with floor.intake.under_way(decision.key), suppress(TradingHalted):
            return (await floor.desk.executor.flatten(decision)).broker_qty
        return ZERO

    def _left(self) -> dict[str, str] | None:
        if self._positions is None:
            return None
        return {position.symbol: plain(position.left) for position in self._positions}

    def _tell(self, positions: list[Position]) -> None:
        before, self._positions = self._positions, positions
        if before is None and positions:
            log.warning("kill.flattening", positions=self._left())
        elif not positions and before != []:
            log.warning("kill.flat", positions=0)

    def _tell_late(self, now_ns: int) -> None:
        """Say once, after the deadline, that something is left or that it is not known what."""
        late = now_ns - (self._began_ns or now_ns) > self._deadline_seconds * _NS
        if late and not self._is_told_late and self._positions != []:
            self._is_told_late = True
            self._tell_left(after_seconds=self._deadline_seconds)

    def _tell_left(self, **facts: object) -> None:
        """Say what is left, and what it waits for."""
        whys = {position.symbol: position.why for position in self._positions or () if position.why}
        log.critical("kill.positions_left", positions=self._left(), waits_for=whys, **facts)

    def _wait(self) -> None:
        """Do nothing for a while: ever longer, while anything is left."""
        seconds = _LOOK_AGAIN_SECONDS
        if self._positions != []:
            seconds = self._pause_seconds
            self._pause_seconds = min(seconds * 2, _LONGEST_PAUSE_SECONDS)
        self._again_ns = self._clock.monotonic_ns() + int(seconds * _NS)


def _takes(instrument: Instrument, qty: Decimal, price: Decimal) -> bool:
    """Return whether the venue takes an order of about `qty`."""
    fit = round_down(qty, instrument.qty_step)
    return fit > ZERO and fit >= instrument.min_qty and fit * price >= instrument.min_notional
