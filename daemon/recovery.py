"""Back to agreement with the venue: at the start, after a gap, every few minutes, by hand.

Source: contract.md, "States" (RECONCILING); promises.md, P4 and fault 21.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from otonom_trader.daemon.difference import Difference
from otonom_trader.daemon.floor import Floor
from otonom_trader.daemon.halt import Halt
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.daemon.outage import Outage
from otonom_trader.domain.amount import ZERO, plain
from otonom_trader.domain.errors import (
    NotPermitted,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    VenueError,
    VenueUnreachable,
)
from otonom_trader.domain.mode import DaemonState, Mode
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.symbol import Symbol

log = structlog.get_logger("recovery")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
_NS = 1_000_000_000
_NOT_REACHED = "the venue has not been reached yet"


class Recovery:
    """Keeps the journal in agreement with the venue; `enter` changes the daemon's phase.

    A contradiction halts; a venue that cannot be read is asked again. `due` is set whenever
    something may have been missed, for somebody to `catch_up`.
    """

    def __init__(
        self, lifecycle: Lifecycle, halt: Halt, clock: Clock, enter: Callable[[DaemonState], None]
    ) -> None:
        self.due = asyncio.Event()
        self._lifecycle = lifecycle
        self._halt = halt
        self._clock = clock
        self._enter = enter
        self._is_behind = False
        self._one_at_a_time = asyncio.Lock()
        self._comparing = Outage(log, clock, "reconcile.failed", "reconcile.done")
        self._reading = Outage(log, clock, "account.unreadable", "account.readable")

    async def reconcile(self, floor: Floor) -> None:
        """Bring journal and venue to agree, for as long as it takes; then trade."""
        async with self._one_at_a_time:
            await self._reconcile(floor)

    async def resume(self, floor: Floor | None, reason: str) -> None:
        """Clear the kill switch, and the health breaker, and trade again.

        Raises `NotPermitted` where that may not be, or a contradiction stands, and
        `VenueUnreachable` where the venue cannot be asked whether one does.
        """
        if floor is None:
            raise NotPermitted(f"{_NOT_REACHED}: resume when it is")
        self._halt.require_resumable(reason)
        await self._require_agreement(floor)
        async with self._one_at_a_time:
            # Before the latch goes: no gap to trade in.
            self._lifecycle.enter(DaemonState.RECONCILING)
            after_loss = self._halt.is_for_loss
            await self._halt.resume(reason)
            self._lifecycle.paper_only = ""
            floor.broker.activity.begin_anew(after_loss=after_loss)
            await floor.intake.idle()
            await self._reconcile(floor)
        await floor.intake.restart()
        if self._lifecycle.switch.tripped:
            raise NotPermitted(f"still halted: {self._lifecycle.switch.reason}")
        if self._lifecycle.paper_only:
            raise NotPermitted(f"paper only again: {self._lifecycle.paper_only}")

    def miss(self, *, gap: bool) -> None:
        """Have the venue asked for what may have been missed.

        After a `gap` nothing new leaves before the answer: what is decided waits, unclaimed.
        """
        if gap:
            self._is_behind = True
            if self._lifecycle.phase is DaemonState.RUNNING:
                self._enter(DaemonState.RECONCILING)
        self.due.set()

    async def catch_up(self, floor: Floor) -> None:
        """Compare journal and venue until that is done, then trade on."""
        async with self._one_at_a_time:
            pause = FIRST_PAUSE_SECONDS
            while await self._compare(floor) is None:
                await self._wait_for_news(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            if self.due.is_set():
                return  # more was missed meanwhile
            self._is_behind = False
            if self._lifecycle.phase is DaemonState.RECONCILING:
                self._enter(DaemonState.RUNNING)
        if floor.intake.is_stopped:
            await floor.intake.idle()
            await floor.intake.restart()

    async def look_over(self, floor: Floor) -> list[Difference]:
        """Compare journal and venue once; return in what they differ, as far as could be asked."""
        return await self._compare(floor) or []

    async def by_hand(self, floor: Floor | None) -> list[Difference]:
        """Compare because somebody asks.

        Raises `NotPermitted`, or `VenueUnreachable` where asking again may help.
        """
        if floor is None:
            raise NotPermitted(f"{_NOT_REACHED}: it is reconciled when it is")
        try:
            return self._heed(await floor.reconciler.reconcile())
        except (NotSent, OutcomeUnknown, RateLimited) as failure:
            raise VenueUnreachable(f"the venue cannot be asked: {failure}") from None
        except Rejected as refusal:
            raise NotPermitted(f"the venue refuses to tell: {refusal}") from None

    async def refresh(self, floor: Floor) -> None:
        """Read the account, and ask after working orders."""
        await self._deny_on_record(floor)
        try:
            await floor.broker.refresh()
            await self._forget_what_is_gone(floor)
            await floor.broker.watch_equity()
            self._heed(await floor.reconciler.look_at_working_orders())
            self._heed(await floor.resolver.follow_working())
        except VenueError as failure:
            self._reading.failed(str(failure))
        else:
            self._reading.ended()

    async def _forget_what_is_gone(self, floor: Floor) -> None:
        """Have the journal know what its own purchases have left, where somebody else sold them."""
        broker, journal, account = floor.broker, floor.desk.executor.journal, floor.desk.account
        if broker.mode is not Mode.LIVE:
            return
        async with broker.outcomes.lock:  # no fill is booked meanwhile
            exposure = broker.exposure()
            in_sight = broker.outcomes.unanswered or broker.outcomes.open_orders
            if exposure.age_seconds is None or in_sight:
                return
            gone = {
                symbol: plain(qty)
                for symbol, qty in (await journal.bought(account)).items()
                if qty > exposure.balances.get(Symbol.parse(symbol).base, ZERO)
            }
            if gone:
                log.warning("position.gone", bought=gone)
                await journal.forget_gone(account, exposure.balances)

    async def settle(self, floor: Floor) -> None:
        """Ask once after the orders in doubt; what cannot be asked now is asked the next time."""
        try:
            self._heed(await floor.resolver.settle_unknown())
        except VenueError:
            return  # told by whoever asked

    async def _deny_on_record(self, floor: Floor) -> None:
        """While halted, have decisions taken in again where the journal took none: to be denied."""
        if self._lifecycle.state is DaemonState.HALTED and floor.intake.is_stopped:
            await floor.intake.idle()
            await floor.intake.restart()

    async def _reconcile(self, floor: Floor) -> None:
        self._enter(DaemonState.RECONCILING)
        pause = FIRST_PAUSE_SECONDS
        while True:
            self._is_behind = False  # unless more is missed meanwhile
            try:
                await floor.reconciler.take_up_earlier_orders()
                self._halt.withdrawal.knows_earlier_orders = True
                self._heed(await floor.reconciler.reconcile())
                break
            except VenueError as failure:
                self._comparing.failed(str(failure))
                await self._clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._comparing.ended()
        if self._is_behind:
            self.due.set()
        else:
            self._enter(DaemonState.RUNNING)

    async def _compare(self, floor: Floor) -> list[Difference] | None:
        """Compare journal and venue once; None where the venue could not be asked for all of it."""
        try:
            found = self._heed(await floor.reconciler.look_over())
        except VenueError as failure:
            self._comparing.failed(str(failure))
            return None
        self._comparing.ended()
        return found

    async def _require_agreement(self, floor: Floor) -> None:
        try:
            found = self._heed(await floor.reconciler.look_over())
        except Rejected as refusal:
            raise NotPermitted(f"still halted: {refusal}") from None
        except VenueError as failure:
            raise VenueUnreachable(f"still halted: the venue cannot be asked: {failure}") from None
        doubts = [difference for difference in found if difference.doubt]
        if doubts:
            first, others = doubts[0], len(doubts) - 1
            more = f" (and {others} more: otonom-trader reconcile)" if others else ""
            raise NotPermitted(f"still halted: {first.doubt}; {first.remedy}{more}")

    async def _wait_for_news(self, seconds: float) -> None:
        """Wait before the next attempt, no longer than until more is known to be missed."""
        until_ns = self._clock.monotonic_ns() + int(seconds * _NS)
        while self._clock.monotonic_ns() < until_ns and not self.due.is_set():
            await self._clock.sleep(FIRST_PAUSE_SECONDS)
        self.due.clear()

    def _heed(self, found: Iterable[Difference]) -> list[Difference]:
        """Halt where journal and venue contradict each other; return what was `found`."""
        found = list(found)
        for difference in found:
            if difference.doubt:
                self._halt.doubt(difference.doubt)
        return found
