"""Decisions in: polled from their sources in order, each handed on exactly once."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.outage import Outage
from otonom_trader.daemon.sources.base import Batch, DecisionSource, Sighting, SourceUnavailable
from otonom_trader.daemon.turn import Turn
from otonom_trader.domain.decision import Decision, DecisionKey, Malformed
from otonom_trader.domain.errors import JournalError, NotReady
from otonom_trader.domain.intent import Claim, SourcePosition
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.journal import Journal
from otonom_trader.storage.rows import payload_digest

log = structlog.get_logger("intake")


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """How much is taken in at once: decisions per fetch, and decisions on their way."""

    inbox_size: int = 1000
    max_concurrent: int = 8


class Intake:
    """Polls sources while `may_take_in` says so, and runs each decision in a task of its own.

    Claims are recorded in the order of the source; sends may overlap. A journal that cannot be
    written stops the intake: `on_fault` is told, and what was not recorded is read again after
    `restart`.
    """

    def __init__(
        self,
        sources: Sequence[DecisionSource],
        journal: Journal,
        executor: ShadowModeExecutor,
        clock: Clock,
        limits: IntakeLimits,
        *,
        may_take_in: Callable[[], bool],
        on_fault: Callable[[JournalError], None],
    ) -> None:
        self._sources = sources
        self._journal = journal
        self._executor = executor
        self._clock = clock
        self._limits = limits
        self._may_take_in = may_take_in
        self._on_fault = on_fault
        self._slots = asyncio.Semaphore(limits.max_concurrent)
        self._positions: dict[str, str | None] = {}
        self._in_flight: dict[DecisionKey, str] = {}
        self._running: dict[asyncio.Task[None], Turn] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._last_turn: Turn | None = None
        self._stopped = False
        self._reading = Outage(log, clock, "source.unavailable", "source.available")

    async def restart(self) -> None:
        """Begin, or begin again, from what the journal says of each source."""
        self._positions = dict(await self._journal.positions())
        self._last_turn = None
        self._stopped = False

    def stop(self) -> None:
        """Take nothing more in; what has had its turn goes on, the rest is left to the next start.

        A task whose turn has come may be writing its intent: cancelled there, it would leave an
        order on record that is never sent.
        """
        self._stopped = True
        for task, turn in self._running.items():
            if not turn.has_come:
                task.cancel()

    def abandon(self) -> None:
        """Wait for nothing any more: what was sent and not answered is asked for at next start."""
        for task in self._running:
            task.cancel()

    async def idle(self) -> None:
        """Wait until no decision is on its way."""
        await self._idle.wait()

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is taken in before `restart`."""
        return self._stopped

    @property
    def in_flight(self) -> int:
        """How many decisions are on their way."""
        return len(self._in_flight)

    @contextmanager
    def under_way(self, key: DecisionKey) -> Iterator[None]:
        """Have a decision that did not come by a poll counted as on its way."""
        self._begin(key, "")
        try:
            yield
        finally:
            self._end(key)

    async def poll(self, tasks: asyncio.TaskGroup) -> None:
        """Take in all that the sources have now."""
        for source in self._sources:
            while self._may_take_in() and not self._stopped:
                after = self._positions.get(source.name)
                try:
                    batch = await source.fetch_new(after, self._limits.inbox_size)
                except SourceUnavailable as failure:
                    self._reading.failed(str(failure), source.name, source=source.name)
                    break
                self._reading.ended(source.name, source=source.name)
                await self._hand_on(source.name, batch, tasks)
                if batch.position == after:
                    break

    async def _hand_on(self, name: str, batch: Batch, tasks: asyncio.TaskGroup) -> None:
        known = await self._journal.seen([sighting.item.key for sighting in batch.sightings])
        for sighting in batch.sightings:
            item = self._unless_repeated(sighting, known)
            if item is None:
                continue
            await self._slots.acquire()
            if self._stopped or not self._may_take_in():
                self._slots.release()
                return  # not claimed, so the position stays before it
            claim = Claim(item, self._clock.now(), SourcePosition(name, sighting.position))
            self._last_turn = turn = Turn(self._last_turn)
            self._begin(item.key, payload_digest(item))
            task = tasks.create_task(self._carry(claim, turn), name=f"decision {item.key.id}")
            self._running[task] = turn
            task.add_done_callback(self._running.pop)
        self._positions[name] = batch.position

    def _unless_repeated(
        self, sighting: Sighting, known: dict[DecisionKey, str]
    ) -> Decision | Malformed | None:
        """Return what is to be executed of a sighting; None when it is a repeat."""
        item = sighting.item
        digest = payload_digest(item)
        earlier = known.get(item.key) or self._in_flight.get(item.key)
        if earlier is None:
            known[item.key] = digest
            return item
        if earlier == digest:
            log.debug("decision.repeated", source=item.source, decision_id=item.id)
            return None
        reason = f"id {item.id!r} was used before for another decision"
        log.error("decision.conflict", source=item.source, decision_id=item.id, reason=reason)
        clash = Malformed(f"{item.id}#{digest[:12]}", item.source, reason, repr(item)[:4000])
        return None if clash.key in known or clash.key in self._in_flight else clash

    async def _carry(self, claim: Claim, turn: Turn) -> None:
        try:
            await self._executor.execute_or_park(claim, turn)
        except NotReady:
            self.stop()  # not claimed: read again once the daemon trades
        except JournalError as fault:
            self.stop()
            self._on_fault(fault)
        finally:
            self._slots.release()
            self._end(claim.key)

    def _begin(self, key: DecisionKey, digest: str) -> None:
        self._in_flight[key] = digest
        self._idle.clear()

    def _end(self, key: DecisionKey) -> None:
        self._in_flight.pop(key, None)
        if not self._in_flight:
            self._idle.set()
