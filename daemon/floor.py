"""The trading floor: a desk, what feeds it, and what follows its orders up."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.waiting import WaitingRoom
from otonom_trader.daemon.alarm import Alarm
from otonom_trader.daemon.approved import Approved
from otonom_trader.daemon.desk import Desk, open_desk, sizing_rules
from otonom_trader.daemon.halt import Halt
from otonom_trader.daemon.intake import Intake, IntakeLimits
from otonom_trader.daemon.lifecycle import ExitGate, Lifecycle
from otonom_trader.daemon.reconcile import Reconciler
from otonom_trader.daemon.resolver import Resolver
from otonom_trader.daemon.settings import Settings, SourceSettings
from otonom_trader.daemon.sources.base import DecisionSource
from otonom_trader.daemon.sources.registry import open_sources, source_type
from otonom_trader.domain.approval import Parked
from otonom_trader.domain.errors import JournalError, TradingHalted
from otonom_trader.domain.execution import TradeExecutionLog
from otonom_trader.domain.mode import DaemonState
from otonom_trader.domain.ports import Clock, HealthWatch
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("daemon")


async def _nothing() -> None:
    """Where it is on record already."""


@dataclass(frozen=True, slots=True)
class Floor:
    """All that trades, there once the venue is reached."""

    desk: Desk
    intake: Intake
    resolver: Resolver
    reconciler: Reconciler

    @property
    def broker(self) -> GuardedBroker:
        """The desk's broker."""
        return self.desk.broker

    async def trade_by(
        self, config: BrokerConfig, record: Callable[[], Awaitable[None]] = _nothing
    ) -> None:
        """Judge and size by `config` from now on, once `record` has written down that it is so."""
        await self.broker.tighten(config.get_risk_guardrails(), record)
        self.desk.executor.rules = sizing_rules(config)

    async def drain(self, seconds: float) -> None:
        """Take nothing more in, and let what was sent be answered for so many seconds."""
        self.intake.stop()
        try:
            async with asyncio.timeout(seconds):
                await self.intake.idle()
        except TimeoutError:
            log.warning(
                "drain.unfinished",
                decisions_in_flight=self.intake.in_flight,
                hint="left UNKNOWN, to be asked for at the next start",
            )
            self.intake.abandon()
        working = [order.intent.client_order_id for order in self.broker.outcomes.open_orders]
        if working:
            log.warning("drain.orders_left", client_order_ids=working)


async def open_floor(
    stack: AsyncExitStack,
    config: BrokerConfig,
    settings: Settings,
    journal: Journal,
    lifecycle: Lifecycle,
    halt: Halt,
    clock: Clock,
    waiting: WaitingRoom,
    on_fault: Callable[[JournalError], None],
    health: HealthWatch,
) -> Floor:
    """Reach the venue and open the sources; `stack` closes all of it.

    Raises as `open_desk` does, and `SourceUnavailable` for a source that can never be read.
    """
    alarm = Alarm(halt.doubt, lambda reason: halt.trip(reason, "venue"))
    desk = await open_desk(
        stack,
        config,
        settings.paper,
        journal,
        lifecycle,
        clock,
        alarm,
        health,
        waiting,
        on_loss=halt.for_loss,
        exit_gate=ExitGate(lifecycle) if settings.kill.flatten_positions else None,
    )
    sources = await stack.enter_async_context(
        open_sources(_source(entry) for entry in settings.sources)
    )
    intake = Intake(
        sources,
        journal,
        desk.executor,
        clock,
        IntakeLimits(settings.inbox_size, settings.max_concurrent_decisions),
        may_take_in=lambda: lifecycle.takes_decisions,
        on_fault=on_fault,
    )
    await intake.restart()
    resolver = Resolver(desk.broker, clock)
    reconciler = Reconciler(desk.broker, resolver, journal, clock, config.base_url)
    return Floor(desk, intake, resolver, reconciler)


async def execute_approved(
    floor: Floor | None,
    lifecycle: Lifecycle,
    approved: Approved,
    on_recorded: Callable[[], None],
) -> TradeExecutionLog | Parked:
    """Have an approved order executed, as `ShadowModeExecutor.execute_approved` does.

    Raises `TradingHalted` while nothing is traded, or not on the order's account: it waits on.
    """
    if floor is None:
        raise TradingHalted("the venue has not been reached yet")
    if lifecycle.phase is DaemonState.DRAINING:
        raise TradingHalted("the daemon is DRAINING")
    if lifecycle.switch.tripped:
        raise TradingHalted(f"trading is halted: {lifecycle.switch.reason}")
    lifecycle.check()
    parked, account = approved.parked, floor.desk.account
    if parked.account != account:
        raise TradingHalted(f"it is for account {parked.account}, this daemon trades on {account}")
    with floor.intake.under_way(parked.key):
        return await floor.desk.executor.execute_approved(approved, on_recorded)


def _source(entry: SourceSettings) -> DecisionSource:
    kind = source_type(entry.type)
    if entry.type == "jsonl":
        return kind(path=entry.path, name=entry.name)
    return kind(path=entry.path, name=entry.name, query=entry.query, columns=entry.columns)
