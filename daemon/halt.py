"""The kill switch at work: its doors inside the daemon, and what follows the latch.

Source: design.md, "The way of a kill"; contract.md, "States" (HALTED).
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import structlog

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.kill_switch_file import kill_switch_asked
from otonom_trader.daemon.kill import DOUBT, JOURNAL, LOSS, KillSwitch, cause
from otonom_trader.daemon.withdrawal import Withdrawal
from otonom_trader.domain.errors import JournalError, NotPermitted, TradeConflict, VenueUnreachable
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.errors import JournalFailed
from otonom_trader.storage.events import KillEvent
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("kill")

DEFAULT_CANCEL_DEADLINE_SECONDS = 10.0


class Halt:
    """Trips the switch, and once it is tripped: notes it, cancels own orders, says so.

    `tripped` is set whenever there is something to act upon. `broker_yaml` is the file whose
    ``kill_switch: true`` is a door.
    """

    def __init__(
        self,
        switch: KillSwitch,
        journal: Journal,
        clock: Clock,
        broker_yaml: Path,
        cancel_deadline_seconds: float = DEFAULT_CANCEL_DEADLINE_SECONDS,
    ) -> None:
        self.switch = switch
        self.tripped = asyncio.Event()
        self.withdrawal = Withdrawal(clock, cancel_deadline_seconds)
        self._journal = journal
        self._clock = clock
        self._broker_yaml = broker_yaml
        self._causes: dict[str, bool] = {}
        """What has halted since the last resume, and whether it was told."""
        self._told_unwritten = False

    def listen(self) -> None:
        """Make SIGUSR1 a door: it latches at once, however busy the event loop is."""
        # The loop's own handler first, which makes the signal wake it; then ours in its place. One
        # that comes between the two is held until both are done: the loop's alone does not latch.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.tripped.set)
        signal.signal(signal.SIGUSR1, self.switch.on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})

    def trip(self, reason: str, by: str) -> None:
        """Halt: latched when this returns, unless the switch says `unwritten`; see `act`."""
        try:
            changed = self.switch.trip(reason, by)
        except OSError:
            changed = True  # in memory; told with the rest, and tried on by `watch`
        told_as = cause(reason, by)
        if changed or told_as not in self._causes:
            self._causes.setdefault(told_as, False)
            self.tripped.set()

    def doubt(self, reason: str) -> None:
        """Halt because journal and venue contradict each other: nothing is cancelled by itself.

        Every comparison finds it anew until a person has done something about it; it halts once.
        """
        if cause(reason, DOUBT) not in self._causes:
            self.trip(reason, DOUBT)

    def for_loss(self, reason: str) -> None:
        """Halt for a loss beyond its limit, once: every reading of the account finds it anew."""
        if not self.switch.cancels:
            self.trip(reason, LOSS)

    async def watch(self) -> None:
        """Look at the file, and have the latch written that the disk has refused until now."""
        await self.watch_file()
        if self.switch.write_again():
            self._told_unwritten = False
            log.warning("kill.latch_written")

    def for_journal_fault(self, fault: JournalError) -> None:
        """Halt for a journal that cannot be written, or for what it found contradicted."""
        if isinstance(fault, TradeConflict):
            self.doubt(str(fault))
            return
        log.critical("journal.failed", reason=str(fault))
        if isinstance(fault, JournalFailed):
            # What the disk holds is no longer known: nothing may be done on the strength of it, not
            # even an orderly end. The next start reads it and asks the venue. (promises.md, P13)
            sys.stdout.flush()
            os._exit(1)
        self.trip(f"the journal failed: {fault}", JOURNAL)

    async def watch_file(self) -> None:
        """Trip when the configuration file asks for it, even where it is refused otherwise."""
        if not self.switch.tripped and kill_switch_asked(self._broker_yaml):
            self.trip(f"kill_switch is true in {self._broker_yaml.name}", "configuration file")

    async def act(self, broker: GuardedBroker | None) -> None:
        """Do what follows a trip; `broker` is None while the venue is not reached.

        Orders are cancelled whatever the journal is able to take.
        """
        if not self.switch.tripped:
            return
        self._tell()
        if broker is None or not self.switch.cancels:
            await self._note_once()
            return
        await asyncio.gather(
            self.withdrawal.run(broker, goes_on=lambda: self.switch.cancels), self._record(broker)
        )

    async def act_within(self, seconds: float, broker: GuardedBroker) -> None:
        """As `act`; raises `VenueUnreachable` where own orders cannot be cancelled in that time."""
        try:
            async with asyncio.timeout(seconds):
                await self.act(broker)
        except TimeoutError:
            raise VenueUnreachable(
                f"halted: {self.switch.reason}; own orders could not be cancelled, and may work at "
                "the venue"
            ) from None

    def require_trading(self) -> None:
        """Raise `NotPermitted` with what to do while trading is halted."""
        if not self.switch.tripped:
            return
        way_on = "otonom-trader resume --reason TEXT is the way on"
        if any(trip.by == DOUBT for trip in self.switch.trips):
            way_on = "otonom-trader reconcile shows what to do"
        raise NotPermitted(f"halted: {self.switch.reason}; {way_on}")

    def require_resumable(self, reason: str) -> None:
        """Raise `NotPermitted` without a reason, against the file, or on a failed journal."""
        require_resumable(reason, self._broker_yaml)
        if self._journal.failure is not None:
            raise NotPermitted(f"{self._journal.failure}; restart the daemon, then resume")

    @property
    def is_for_loss(self) -> bool:
        """Whether it was a loss that halted."""
        return any(trip.by == LOSS for trip in self.switch.trips)

    async def resume(self, reason: str) -> None:
        """Clear the latch, on record; a loss for which it was set is accepted by that.

        Raises `JournalError` where that cannot be written.
        """
        if self.is_for_loss:
            await self._journal.forget_equity_marks()
        await self._note("resume", reason)
        self.switch.clear()
        self.withdrawal.reset()
        self._causes.clear()
        self._told_unwritten = False
        log.warning("kill.resumed", reason=reason)

    def _tell(self) -> None:
        """Log each cause once; what the latch says may have come by a door outside of here."""
        latched = [trip.cause for trip in self.switch.trips]
        for told_as in dict.fromkeys((*latched, *self._causes)):
            if self._causes.get(told_as):
                continue
            self._causes[told_as] = True
            log.critical("kill.tripped", reason=told_as)
        if self.switch.unwritten is not None and not self._told_unwritten:
            self._told_unwritten = True
            log.critical("kill.latch_unwritten", reason=self.switch.unwritten.strerror)

    async def _record(self, broker: GuardedBroker) -> None:
        """Journal the trip, and that nothing rests on paper any more."""
        await self._note_once()
        try:
            await broker.cancel_resting()
        except JournalError as fault:
            log.critical("journal.failed", reason=str(fault))

    async def _note_once(self) -> None:
        """Journal what the latch says, unless an earlier run has and it still stands."""
        try:
            events = await self._journal.kill_events()
        except JournalError as fault:
            log.critical("journal.failed", reason=str(fault))
            return
        standing: set[str] = set()
        for event in events:
            if event.action == "trip":
                standing.add(event.reason)
            elif event.action == "resume":
                standing.clear()
        for trip in self.switch.trips:
            if trip.cause not in standing:
                await self._note("trip", trip.cause)

    async def _note(self, action: str, reason: str) -> None:
        try:
            event = KillEvent(self._clock.now(), action, reason, f"pid {os.getpid()}")
            await self._journal.record_kill(event)
        except JournalError as fault:
            log.critical("journal.failed", reason=str(fault))


def require_resumable(reason: str, broker_yaml: Path) -> None:
    """Raise `NotPermitted` without a reason, or while the file says ``kill_switch: true``."""
    if not reason.strip():
        raise NotPermitted("a reason is needed: otonom-trader resume --reason TEXT")
    if kill_switch_asked(broker_yaml):
        raise NotPermitted(f"kill_switch is true in {broker_yaml}: set it to false, then resume")
