"""Back to agreement with the venue: at the start, after a silence, every few minutes, by hand.

Source: contract.md, "States" (RECONCILING); promises.md, P4.
"""

from collections.abc import Callable

import structlog

from otonom_trader.daemon.floor import Floor
from otonom_trader.daemon.halt import Halt
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.daemon.reconcile import TruthInDoubt
from otonom_trader.daemon.resolver import Difference
from otonom_trader.domain.errors import NotPermitted, VenueError
from otonom_trader.domain.mode import DaemonState
from otonom_trader.domain.ports import Clock

log = structlog.get_logger("recovery")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
_LONG_LOSS_SECONDS = 60.0


class Recovery:
    """Keeps the journal in agreement with the venue; `enter` changes the daemon's phase.

    A contradiction halts; a venue that cannot be read is asked again.
    """

    def __init__(
        self, lifecycle: Lifecycle, halt: Halt, clock: Clock, enter: Callable[[DaemonState], None]
    ) -> None:
        self._lifecycle = lifecycle
        self._halt = halt
        self._clock = clock
        self._enter = enter

    async def reconcile(self, floor: Floor) -> list[Difference]:
        """Bring journal and venue to agree, for as long as it takes; then trade."""
        self._enter(DaemonState.RECONCILING)
        pause, found = FIRST_PAUSE_SECONDS, list[Difference]()
        while True:
            try:
                await floor.reconciler.take_up_earlier_orders()
                found = await floor.reconciler.reconcile()
                break
            except TruthInDoubt as doubt:
                self._halt.doubt(str(doubt))
                break
            except VenueError as failure:
                log.warning("reconcile.failed", reason=str(failure), retry_in_seconds=pause)
                await self._clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._enter(DaemonState.RUNNING)
        return found

    async def resume(self, floor: Floor | None, reason: str) -> None:
        """Clear the kill switch and trade again; raises `NotPermitted` where that may not be."""
        if floor is None:
            raise NotPermitted("the venue has not been reached yet: resume when it is")
        self._halt.require_resumable(reason)
        self._lifecycle.enter(DaemonState.RECONCILING)  # before the latch goes: no gap to trade in
        await self._halt.resume(reason)
        await self._reconcile_anew(floor)

    async def catch_up(self, floor: Floor, lost_seconds: float) -> None:
        """Ask for what may have been missed while nothing was told for `lost_seconds`."""
        if self._lifecycle.phase is DaemonState.RUNNING and lost_seconds > _LONG_LOSS_SECONDS:
            self._enter(DaemonState.RECONCILING)
            await self._reconcile_anew(floor)
            return
        await self.look_over(floor)

    async def look_over(self, floor: Floor) -> list[Difference]:
        """Compare journal and venue once; a contradiction halts."""
        try:
            return await floor.reconciler.look_over()
        except TruthInDoubt as doubt:
            self._halt.doubt(str(doubt))
        except VenueError as failure:
            log.warning("reconcile.failed", reason=str(failure))
        return []

    async def by_hand(self, floor: Floor | None) -> list[Difference]:
        """Compare because somebody asks; raises `NotPermitted` and `VenueError` with why not."""
        if floor is None:
            raise NotPermitted("the venue has not been reached yet: it is reconciled when it is")
        try:
            return await floor.reconciler.look_over()
        except TruthInDoubt as doubt:
            self._halt.doubt(str(doubt))
            raise NotPermitted(f"halted: {doubt}") from None

    async def refresh(self, floor: Floor) -> None:
        """Read the account, and ask after working orders."""
        try:
            await floor.broker.refresh()
            await floor.reconciler.look_at_working_orders()
            await floor.resolver.follow_working()
        except TruthInDoubt as doubt:
            self._halt.doubt(str(doubt))
        except VenueError as failure:
            log.warning("account.unreadable", reason=str(failure))

    async def _reconcile_anew(self, floor: Floor) -> None:
        """Reconcile once what was taken in has been answered, and read on from there."""
        await floor.intake.idle()
        await self.reconcile(floor)
        await floor.intake.restart()
