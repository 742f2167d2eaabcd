"""The daemon, put together: the one place that knows every part.

Source: design.md, "The house"; contract.md, "States".
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import structlog

from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.kill_switch_file import kill_switch_asked
from otonom_trader.daemon.control import SOCKET_NAME, ControlServer
from otonom_trader.daemon.desk import Desk, open_desk
from otonom_trader.daemon.halting import cancel_own_orders
from otonom_trader.daemon.intake import Intake, IntakeLimits
from otonom_trader.daemon.kill import KillSwitch
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.daemon.reconcile import (
    TruthInDoubt,
    look_at_working_orders,
    reconcile,
    take_up_earlier_orders,
)
from otonom_trader.daemon.resolver import Resolver
from otonom_trader.daemon.scheduler import Scheduler
from otonom_trader.daemon.settings import (
    Settings,
    SourceSettings,
    configuration_hash,
    effective_configuration,
)
from otonom_trader.daemon.sources.base import DecisionSource
from otonom_trader.daemon.sources.registry import open_sources, source_type
from otonom_trader.daemon.systemd import Notifier
from otonom_trader.domain.amount import plain
from otonom_trader.domain.errors import (
    JournalError,
    NotPermitted,
    VenueError,
    VenueUnreachable,
)
from otonom_trader.domain.mode import DaemonState
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.events import EquityPoint, KillEvent
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("daemon")

_RESOLVE_SECONDS = 1.0
_KILL_WATCH_SECONDS = 0.5
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class Floor:
    """A desk, what feeds it, and what follows its orders up: there once the venue is reached."""

    desk: Desk
    intake: Intake
    resolver: Resolver

    @property
    def broker(self) -> GuardedBroker:
        """The desk's broker."""
        return self.desk.broker


class Daemon:
    """One daemon on one state directory, which the caller has locked.

    `run` returns when told to stop by SIGTERM, SIGINT or its duration. Every task belongs to one
    group: one that fails ends the daemon.
    """

    def __init__(
        self, config: BrokerConfig, settings: Settings, switch: KillSwitch, clock: Clock
    ) -> None:
        self._config = config
        self._settings = settings
        self._clock = clock
        self._switch = switch
        self._lifecycle = Lifecycle(switch)
        self._journal = Journal(settings.journal_path, clock=clock)
        self._notifier = Notifier()
        self._stop = asyncio.Event()
        self._tripped = asyncio.Event()
        self._services: list[asyncio.Task[None]] = []
        self._floor: Floor | None = None
        self._started_at = clock.now()

    async def run(self, duration_seconds: float | None = None) -> None:
        """Trade until told to stop, then drain.

        Raises `TraderError` for what cannot be mended by waiting.
        """
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            await self._open(stack)
            self._serve(tasks, self._start(tasks, stack))
            if duration_seconds is not None:
                self._serve(tasks, self._stop_after(duration_seconds))
            await self._stop.wait()
            await self._drain()

    async def run_once(self) -> None:
        """Take in and execute what the sources have now.

        Raises `VenueUnreachable` where `run` would keep trying.
        """
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            await self._open(stack)
            floor = await self._reach(stack)
            await self._reconcile(floor)
            await floor.intake.poll(tasks)
            await floor.intake.idle()
            await self._drain()

    # From start to running

    async def _open(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self._journal)
        fingerprint = configuration_hash(self._config, self._settings)
        text = effective_configuration(self._config, self._settings)
        await self._journal.record_configuration(fingerprint, text, version("otonom-trader"))
        handlers = {
            "status": self._status,
            "orders": self._orders,
            "executions": self._executions,
            "kill": self._kill,
            "resume": self._resume,
        }
        socket_path = self._settings.state_dir / SOCKET_NAME
        await stack.enter_async_context(ControlServer(socket_path, handlers))
        self._listen_to_signals()
        log.info(
            "daemon.starting",
            mode=self._config.mode,
            broker=self._config.broker_type,
            state_dir=str(self._settings.state_dir),
            configuration=fingerprint[:12],
        )

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGUSR2, self._dump_status)
        # First the loop's handler, which wakes the loop; then our own in its place, which latches
        # at once however busy the loop is.
        loop.add_signal_handler(signal.SIGUSR1, self._tripped.set)
        signal.signal(signal.SIGUSR1, self._switch.on_signal)

    def _serve(self, tasks: asyncio.TaskGroup, work: Awaitable[None]) -> None:
        async def served() -> None:
            await work

        self._services.append(tasks.create_task(served()))

    async def _start(self, tasks: asyncio.TaskGroup, stack: AsyncExitStack) -> None:
        """STARTING, RECONCILING, RUNNING; then everything that recurs."""
        self._tripped.set()  # a latch of an earlier run is acted upon like a new one
        floor = await self._reach_at_last(stack)
        scheduler = await stack.enter_async_context(Scheduler())
        schedule = self._settings.schedule

        def every(seconds: float, name: str, work: Callable[[], Awaitable[None]]) -> None:
            self._serve(tasks, _whenever(scheduler.every(seconds, name), work))

        every(_KILL_WATCH_SECONDS, "kill watch", self._watch_file)
        self._serve(tasks, _whenever(self._tripped, self._on_tripped))
        await self._reconcile(floor)
        self._notifier.ready()
        every(schedule.account_refresh_seconds, "account", self._refresh)
        every(_RESOLVE_SECONDS, "resolve", floor.resolver.settle_unknown)
        every(schedule.equity_snapshot_seconds, "equity", self._record_equity)
        every(schedule.heartbeat_seconds, "heartbeat", self._heartbeat)
        if (interval := self._notifier.watchdog_interval_seconds) is not None:
            every(interval, "watchdog", self._watchdog)
        every(self._settings.poll_interval_seconds, "poll", lambda: self._poll(floor, tasks))

    async def _reach_at_last(self, stack: AsyncExitStack) -> Floor:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._reach(stack)
            except VenueUnreachable as failure:
                log.warning("venue.unreachable", reason=str(failure), retry_in_seconds=pause)
                await self._clock.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _reach(self, stack: AsyncExitStack) -> Floor:
        """Build what trades; raises `VenueUnreachable`, or `NotPermitted` when refused for good."""
        if self._floor is not None:
            return self._floor
        desk = await open_desk(
            stack,
            self._config,
            self._settings.paper,
            self._journal,
            self._lifecycle,
            self._clock,
        )
        resolver = Resolver(
            desk.broker, self._clock, lambda doubt: self._trip(doubt, "reconciliation")
        )
        self._floor = Floor(desk, await self._open_intake(stack, desk), resolver)
        return self._floor

    async def _open_intake(self, stack: AsyncExitStack, desk: Desk) -> Intake:
        sources = await stack.enter_async_context(
            open_sources(_source(entry) for entry in self._settings.sources)
        )
        intake = Intake(
            sources,
            self._journal,
            desk.executor,
            self._clock,
            IntakeLimits(self._settings.inbox_size, self._settings.max_concurrent_decisions),
            may_take_in=self._may_take_in,
            on_fault=self._on_journal_fault,
        )
        await intake.restart()
        return intake

    async def _reconcile(self, floor: Floor) -> None:
        """Bring journal and venue to agree, for as long as it takes; then trade."""
        self._enter(DaemonState.RECONCILING)
        pause = _FIRST_PAUSE_SECONDS
        await take_up_earlier_orders(floor.broker, self._journal)
        while True:
            try:
                await reconcile(floor.broker, floor.resolver, self._journal, self._clock)
                break
            except TruthInDoubt as doubt:
                self._trip(str(doubt), "reconciliation")
                break
            except VenueError as failure:
                log.warning("reconcile.failed", reason=str(failure), retry_in_seconds=pause)
                await self._clock.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        self._enter(DaemonState.RUNNING)

    def _enter(self, phase: DaemonState) -> None:
        self._lifecycle.phase = phase
        state = self._lifecycle.state
        self._notifier.status(f"{state} in mode {self._config.mode}")
        log.info("state.changed", state=state, reason=self._switch.reason or None)

    # While running

    def _may_take_in(self) -> bool:
        return self._lifecycle.state in (
            DaemonState.RUNNING,
            DaemonState.PAPER_ONLY,
            DaemonState.HALTED,
        )

    async def _poll(self, floor: Floor, tasks: asyncio.TaskGroup) -> None:
        if self._may_take_in():
            await floor.intake.poll(tasks)

    async def _refresh(self) -> None:
        floor = self._floor
        if floor is None:
            return
        try:
            await floor.broker.refresh()
            await look_at_working_orders(floor.broker, self._journal)
            await floor.resolver.follow_working()
        except TruthInDoubt as doubt:
            self._trip(str(doubt), "reconciliation")
        except VenueError as failure:
            log.warning("account.unreadable", reason=str(failure))

    async def _record_equity(self) -> None:
        floor = self._floor
        equity = floor.broker.exposure().equity if floor else None
        if floor is None or equity is None or self._journal.failure:
            return
        currency = self._config.account_currency
        point = EquityPoint(self._clock.now(), str(floor.desk.account), equity, currency)
        await self._journal.record_equity(point)

    async def _heartbeat(self) -> None:
        log.info("heartbeat", **await self._status({}))

    async def _watchdog(self) -> None:
        """Tell systemd that the loop ticks and the journal answers. Source: promises.md, P11."""
        await self._journal.positions()
        self._notifier.watchdog()

    # The kill switch

    def _trip(self, reason: str, by: str) -> None:
        try:
            self._switch.trip(reason, by)
        except OSError as fault:
            log.critical("kill.latch_unwritten", reason=str(fault))
        self._tripped.set()

    async def _watch_file(self) -> None:
        if not self._switch.tripped and kill_switch_asked(self._config.path):
            self._trip("kill_switch is true in broker.yaml", "configuration file")

    async def _on_tripped(self) -> None:
        if not self._switch.tripped:
            return
        log.critical("kill.tripped", reason=self._switch.reason, state=self._lifecycle.state)
        if self._switch.unwritten is not None:
            log.critical("kill.latch_unwritten", reason=str(self._switch.unwritten))
        self._notifier.status(f"HALTED: {self._switch.reason}")
        await self._note_kill("trip", self._switch.reason)
        if self._floor is not None and not self._switch.reason.endswith("(by reconciliation)"):
            # In doubt about the truth nothing is cancelled: a person looks first.
            await cancel_own_orders(self._floor.broker, self._clock)

    async def _note_kill(self, action: str, reason: str) -> None:
        try:
            event = KillEvent(self._clock.now(), action, reason, f"pid {os.getpid()}")
            await self._journal.record_kill(event)
        except JournalError as fault:
            log.critical("journal.failed", reason=str(fault))

    def _on_journal_fault(self, fault: JournalError) -> None:
        log.critical("journal.failed", reason=str(fault))
        self._trip(f"the journal failed: {fault}", "journal")

    # What is asked over the control socket

    async def _status(self, arguments: dict[str, Any]) -> dict[str, Any]:
        floor = self._floor
        exposure = floor.broker.exposure() if floor else None
        equity = exposure.equity if exposure else None
        return {
            "state": self._lifecycle.state,
            "mode": self._config.mode,
            "kill_switch": self._switch.tripped,
            "kill_reason": self._switch.reason or None,
            "pid": os.getpid(),
            "started_at": self._started_at,
            "account": str(floor.desk.account) if floor else None,
            "equity": None if equity is None else plain(equity),
            "positions": sorted(exposure.positions) if exposure else [],
            "decisions_in_flight": floor.intake.in_flight if floor else 0,
            "orders_unknown": floor.resolver.unknown if floor else 0,
            "orders_open": len(floor.broker.open_orders) if floor else 0,
            "decisions": await self._journal.counts(),
        }

    async def _orders(self, arguments: dict[str, Any]) -> dict[str, Any]:
        rows = await self._journal.orders(
            int(arguments.get("limit", 100)), open_only=bool(arguments.get("open_only", False))
        )
        return {"rows": rows}

    async def _executions(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"rows": await self._journal.executions(int(arguments.get("limit", 100)))}

    async def _kill(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self._trip(str(arguments.get("reason", "")), str(arguments.get("by", "control socket")))
        return await self._status({})

    async def _resume(self, arguments: dict[str, Any]) -> dict[str, Any]:
        reason = str(arguments.get("reason", "")).strip()
        if not reason:
            raise NotPermitted("a reason is needed: otonom-trader resume --reason TEXT")
        if kill_switch_asked(self._config.path):
            raise NotPermitted(
                f"kill_switch is true in {self._config.path}: set it to false, then resume"
            )
        if self._floor is None:
            raise NotPermitted("the venue has not been reached yet: resume when it is")
        if self._journal.failure:
            raise NotPermitted(f"{self._journal.failure}; restart the daemon, then resume")
        await self._note_kill("resume", reason)
        self._switch.clear()
        log.warning("kill.resumed", reason=reason)
        await self._floor.intake.idle()
        await self._reconcile(self._floor)
        await self._floor.intake.restart()
        return await self._status({})

    def _dump_status(self) -> None:
        floor = self._floor
        log.info(
            "status.dump",
            state=self._lifecycle.state,
            mode=self._config.mode,
            kill_reason=self._switch.reason or None,
            decisions_in_flight=floor.intake.in_flight if floor else 0,
            open_orders=[order.intent.client_order_id for order in floor.broker.open_orders]
            if floor
            else [],
            tasks=len(asyncio.all_tasks()),
        )

    # The end

    async def _stop_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._stop.set()

    async def _drain(self) -> None:
        """Take nothing more in, let what was sent be answered, then end every task."""
        self._enter(DaemonState.DRAINING)
        self._notifier.stopping()
        if self._floor is not None:
            self._floor.intake.stop()
            patience = self._settings.drain_timeout_seconds
            try:
                async with asyncio.timeout(float(patience)):
                    await self._floor.intake.idle()
            except TimeoutError:
                log.warning(
                    "drain.unfinished",
                    decisions_in_flight=self._floor.intake.in_flight,
                    hint="left UNKNOWN, to be asked for at the next start",
                )
                self._floor.intake.abandon()
            working = [o.intent.client_order_id for o in self._floor.broker.open_orders]
            if working:
                log.warning("drain.orders_left", client_order_ids=working)
        for service in self._services:
            service.cancel()
        log.info("daemon.stopped")


def _source(entry: SourceSettings) -> DecisionSource:
    kind = source_type(entry.type)
    if entry.type == "jsonl":
        return kind(path=entry.path, name=entry.name)
    given = {} if entry.query is None else {"query": entry.query}
    return kind(path=entry.path, name=entry.name, columns=entry.columns, **given)


async def _whenever(due: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await due.wait()
        due.clear()
        await work()
