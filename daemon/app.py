"""The daemon, put together: from start to drain.

Source: design.md, "The house"; contract.md, "States".
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import structlog

from otonom_trader.brokers.waiting import WaitingRoom
from otonom_trader.daemon.answers import Answers
from otonom_trader.daemon.approvals import Approvals
from otonom_trader.daemon.breaker import Breaker
from otonom_trader.daemon.chores import Chores
from otonom_trader.daemon.configuration import Configuration, ConfigurationFiles
from otonom_trader.daemon.control import SOCKET_NAME
from otonom_trader.daemon.control_server import ControlServer
from otonom_trader.daemon.drill import Drills
from otonom_trader.daemon.flatten import Flatten
from otonom_trader.daemon.floor import Floor, execute_approved, open_floor
from otonom_trader.daemon.follow import Follower
from otonom_trader.daemon.halt import Halt
from otonom_trader.daemon.kill import KillSwitch
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.daemon.outage import Outage
from otonom_trader.daemon.recovery import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Recovery
from otonom_trader.daemon.reload import Reload
from otonom_trader.daemon.scheduler import Scheduler
from otonom_trader.daemon.state_lines import StateLines
from otonom_trader.daemon.systemd import Notifier
from otonom_trader.domain.errors import JournalError, VenueUnreachable
from otonom_trader.domain.mode import DaemonState, Mode
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("daemon")

_RESOLVE_SECONDS = 1.0
_RESTING_SECONDS = 1.0
_KILL_WATCH_SECONDS = 0.5
_CONFIG_WATCH_SECONDS = 0.5
_EXPIRE_SECONDS = 1.0
_FLATTEN_SECONDS = 0.5
_KEY_CHECK_SECONDS = 3600.0


class Daemon:
    """One daemon on one state directory, which the caller has locked.

    `run` returns when told to stop by SIGTERM, SIGINT or its duration. Every task belongs to one
    group: one that fails ends the daemon.
    """

    def __init__(
        self,
        configuration: Configuration,
        files: ConfigurationFiles,
        switch: KillSwitch,
        clock: Clock,
        lost_log_lines: Callable[[], int] = lambda: 0,
    ) -> None:
        config, settings = configuration.broker, configuration.settings
        self._config = config
        self._settings = settings
        self._clock = clock
        self._lifecycle = Lifecycle(switch)
        self._journal = Journal(settings.journal_path, clock=clock)
        self._halt = Halt(
            switch,
            self._journal,
            clock,
            files.folder / "broker.yaml",
            settings.kill.cancel_deadline_seconds,
        )
        self._reload = Reload(
            files,
            configuration,
            self._journal,
            clock,
            is_halted=lambda: switch.tripped,
            put_in_force=self._put_in_force,
        )
        self._breaker = Breaker(config.health_breaker, self._lifecycle, self._journal, clock)
        self._recovery = Recovery(self._lifecycle, self._halt, clock, self._enter)
        self._waiting = WaitingRoom(
            clock, settings.approvals.timeout_seconds, settings.approvals.tolerance_pct
        )
        self._approvals = Approvals(
            self._journal,
            self._waiting,
            clock,
            execute=lambda *given: execute_approved(self._floor, self._lifecycle, *given),
            on_fault=self._halt.for_journal_fault,
        )
        self._flatten = Flatten(
            config.mode,
            self._lifecycle,
            self._halt,
            self._journal,
            clock,
            settings.kill,
        )
        self._answers = Answers(
            config,
            self._lifecycle,
            self._halt,
            self._journal,
            self._approvals,
            clock,
            floor=lambda: self._floor,
            resume=self._resume,
            reconcile=lambda: self._recovery.by_hand(self._floor),
            lost_log_lines=lost_log_lines,
            configuration=self._reload.facts,
            flattening=self._flatten.facts,
        )
        self._drills = Drills(
            config,
            self._lifecycle,
            self._halt,
            self._journal,
            clock,
            floor=lambda: self._floor,
            resume=self._resume,
        )
        self._notifier = Notifier()
        self._state_lines = StateLines(self._lifecycle, config.mode, self._notifier)
        self._stop = asyncio.Event()
        self._reload_asked = asyncio.Event()
        self._services: list[asyncio.Task[None]] = []
        self._floor: Floor | None = None

    async def run(self, duration_seconds: float | None = None) -> None:
        """Trade until told to stop, then drain.

        Raises `TraderError` for what cannot be mended by waiting.
        """
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            scheduler = await self._open(stack)
            self._serve(tasks, self._start(tasks, stack, scheduler))
            if duration_seconds is not None:
                self._serve(tasks, self._stop_after(duration_seconds))
            await self._stop.wait()
            await self._drain()

    async def run_once(self) -> None:
        """Take in and execute what the sources have now.

        Raises `VenueUnreachable` where `run` would keep trying, and at the end `NotPermitted` where
        trading is halted: decisions are denied on record and own orders cancelled, as `run` does.
        """
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            await self._open(stack)
            floor = await self._reach(stack)
            await self._recovery.reconcile(floor)
            if self._lifecycle.switch.tripped:
                self._halt.tripped.set()  # a latch of an earlier run is acted upon like a new one
            await self._finish_halt(floor)
            await floor.intake.poll(tasks)
            await floor.intake.idle()
            await self._finish_halt(floor)  # where it came meanwhile
            await self._drain()
        self._halt.require_trading()
        self._breaker.require_trading()

    async def run_by_hand(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Reach the venue and answer one command as a running daemon does; take nothing in.

        Raises as `run_once` and the command do.
        """
        async with AsyncExitStack() as stack:
            await self._open(stack)
            floor = await self._reach(stack)
            await floor.reconciler.take_up_earlier_orders()
            result = await self._answers.handlers()[command](arguments)
            await self._drain()
        return result

    # From start to running

    async def _open(self, stack: AsyncExitStack) -> Scheduler:
        await stack.enter_async_context(self._journal)
        await self._reload.begin()
        await self._approvals.take_up()
        if self._config.mode is not Mode.OFF:
            await self._breaker.begin()
        answering = (self._answers, self._drills, self._approvals, self._reload)
        handlers = {name: handler for who in answering for name, handler in who.handlers().items()}
        control = ControlServer(self._settings.state_dir / SOCKET_NAME, handlers)
        await stack.enter_async_context(control)
        self._listen_to_signals()
        log.info(
            "daemon.starting",
            pid=os.getpid(),
            mode=self._config.mode,
            broker=self._config.broker_type,
            state_dir=str(self._settings.state_dir),
            configuration=self._reload.in_force.hash[:12],
        )
        await self._approvals.announce()
        # Ready to be asked, killed and watched; reaching the venue may take as long as it likes.
        self._notifier.ready()
        return await stack.enter_async_context(Scheduler())

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_asked.set)
        loop.add_signal_handler(signal.SIGUSR2, self._dump_status)
        self._halt.listen()

    def _serve(self, tasks: asyncio.TaskGroup, work: Awaitable[None]) -> None:
        async def served() -> None:
            await work

        self._services.append(tasks.create_task(served()))

    async def _start(
        self, tasks: asyncio.TaskGroup, stack: AsyncExitStack, scheduler: Scheduler
    ) -> None:
        """STARTING, RECONCILING, RUNNING; then everything that recurs."""

        def every(seconds: float, name: str, work: Callable[[], Awaitable[object]]) -> None:
            self._serve(tasks, self._whenever(scheduler.every(seconds, name), work))

        if (interval := self._notifier.watchdog_interval_seconds) is not None:
            every(interval, "watchdog", self._watchdog)
        every(_KILL_WATCH_SECONDS, "kill watch", self._halt.watch)
        every(_CONFIG_WATCH_SECONDS, "configuration watch", self._reload.watch)
        self._serve(tasks, self._whenever(self._breaker.tripped, self._act_on_health))
        self._serve(tasks, self._whenever(self._reload_asked, self._read_configuration))
        every(_EXPIRE_SECONDS, "approvals", self._approvals.expire)
        every(self._settings.schedule.heartbeat_seconds, "heartbeat", self._heartbeat)
        self._halt.tripped.set()  # a latch of an earlier run is acted upon like a new one
        self._serve(tasks, self._whenever(self._halt.tripped, self._act_on_trip))
        floor = await self._reach_at_last(stack)
        self._halt.tripped.set()  # and once more, now that there is a venue to cancel at
        catch_up = partial(self._recovery.catch_up, floor)
        self._serve(tasks, self._whenever(self._recovery.due, catch_up))
        self._serve(tasks, self._follow(floor))
        await self._recovery.reconcile(floor)
        chores = Chores(self._config, floor, self._journal, self._halt, self._clock)
        schedule = self._settings.schedule
        every(schedule.account_refresh_seconds, "account", lambda: self._recovery.refresh(floor))
        every(schedule.reconcile_seconds, "reconcile", lambda: self._recovery.look_over(floor))
        every(_KEY_CHECK_SECONDS, "key", chores.check_key)
        every(schedule.clock_sync_seconds, "clock", chores.sync_clock)
        every(_RESOLVE_SECONDS, "resolve", lambda: self._recovery.settle(floor))
        every(_RESTING_SECONDS, "resting", chores.follow_resting)
        every(schedule.equity_snapshot_seconds, "equity", chores.record_equity)
        every(_FLATTEN_SECONDS, "flatten", lambda: self._flatten.step(floor))
        every(self._settings.poll_interval_seconds, "poll", lambda: floor.intake.poll(tasks))

    async def _whenever(self, due: asyncio.Event, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            await due.wait()
            due.clear()
            try:
                await work()
            except JournalError as fault:
                self._halt.for_journal_fault(fault)

    async def _reach_at_last(self, stack: AsyncExitStack) -> Floor:
        pause = FIRST_PAUSE_SECONDS
        reaching = Outage(log, self._clock, "venue.unreachable", "venue.reached")
        while True:
            try:
                floor = await self._reach(stack)
                reaching.ended()
                return floor
            except VenueUnreachable as failure:
                reaching.failed(str(failure))
                await self._clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _reach(self, stack: AsyncExitStack) -> Floor:
        self._floor = await open_floor(
            stack,
            self._reload.in_force.broker,
            self._settings,
            self._journal,
            self._lifecycle,
            self._halt,
            self._clock,
            self._waiting,
            on_fault=self._halt.for_journal_fault,
            health=self._breaker,
        )
        await self._floor.trade_by(self._reload.in_force.broker)  # it may be another by now
        return self._floor

    def _enter(self, phase: DaemonState) -> None:
        self._lifecycle.enter(phase)
        self._state_lines.tell()

    # While running

    async def _follow(self, floor: Floor) -> None:
        """Take in what the venue tells by itself."""
        follower = Follower(
            floor.broker,
            self._journal,
            self._clock,
            self._config.base_url,
            on_missed=lambda gap: self._recovery.miss(gap=gap),
            on_doubt=self._halt.doubt,
            on_refused=lambda reason: self._halt.trip(f"the key is refused: {reason}", "venue"),
            on_fault=self._halt.for_journal_fault,
        )
        await follower.run()

    async def _read_configuration(self) -> None:
        """Read the configuration because SIGHUP asks. Source: sd_notify(3), RELOADING=1."""
        self._notifier.reloading(self._clock.monotonic_ns())
        try:
            await self._reload.read_now()
        finally:
            self._notifier.ready()

    async def _put_in_force(
        self, saved: Configuration, record: Callable[[], Awaitable[None]]
    ) -> None:
        if self._floor is None:
            await record()
        else:
            await self._floor.trade_by(saved.broker, record)
        self._breaker.limits = saved.broker.health_breaker
        await self._halt.watch_file()  # a switch that is taken over as true latches at once

    async def _resume(self, reason: str) -> None:
        await self._reload.require_trading()
        await self._recovery.resume(self._floor, reason)

    async def _heartbeat(self) -> None:
        self._state_lines.heartbeat(self._answers.now())

    async def _watchdog(self) -> None:
        """Tell systemd that the loop ticks and the journal answers. Source: promises.md, P11."""
        await self._journal.positions()
        self._notifier.watchdog()

    async def _act_on_trip(self) -> None:
        if self._lifecycle.switch.tripped:
            self._state_lines.tell()
        await self._halt.act(self._floor.broker if self._floor else None)

    async def _act_on_health(self) -> None:
        await self._breaker.act()
        self._state_lines.tell()

    async def _finish_halt(self, floor: Floor) -> None:
        """Do what follows a trip, and book what came of it."""
        if self._halt.tripped.is_set():
            self._halt.tripped.clear()
            self._state_lines.tell()
            await self._halt.act_within(self._settings.drain_timeout_seconds, floor.broker)
            await self._recovery.look_over(floor)
            await self._flatten.within(self._settings.drain_timeout_seconds, floor)

    def _dump_status(self) -> None:
        self._state_lines.dump(self._answers.now())

    # The end

    async def _stop_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._stop.set()

    async def _drain(self) -> None:
        """Take nothing more in, let what was sent be answered, then end every task."""
        self._enter(DaemonState.DRAINING)
        self._notifier.stopping()
        if self._floor is not None:
            await self._floor.drain(self._settings.drain_timeout_seconds)
        for service in self._services:
            service.cancel()
        try:
            await self._breaker.act()
        except JournalError as fault:
            self._halt.for_journal_fault(fault)
        log.info("daemon.stopped")
