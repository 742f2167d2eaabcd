"""The guide's way to execute decisions from a program of one's own, without the daemon.

Source: the guide, "Shadow Mode Executor"; contract.md, "Names".
"""

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from otonom_trader.brokers.config import get_broker_config
from otonom_trader.brokers.factory import DEFAULT_CONFIG
from otonom_trader.daemon.alarm import Alarm
from otonom_trader.daemon.breaker import Breaker
from otonom_trader.daemon.desk import Desk, open_desk
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.folders import find_state_dir
from otonom_trader.daemon.kill import LOSS, process_switch
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.daemon.locks import state_dir_lock
from otonom_trader.daemon.reconcile import Reconciler
from otonom_trader.daemon.resolver import Resolver
from otonom_trader.daemon.settings import Paper, Storage
from otonom_trader.domain.amount import Number
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.decision import Decision
from otonom_trader.domain.execution import TradeExecutionLog
from otonom_trader.domain.mode import DaemonState, Mode
from otonom_trader.storage.decisions_db import DecisionSession
from otonom_trader.storage.journal import Journal

__all__ = ["ShadowModeExecutor", "TradeExecutionLog", "create_shadow_executor"]


class StandaloneExecutor:
    """A `ShadowModeExecutor` with a journal and a state directory of its own.

    Opens on first use, reconciled like the daemon; closes in ``async with`` or `aclose`. While it
    is open no daemon can run on the same state directory.
    """

    def __init__(
        self, broker_config_path: str | Path, *, enable_broker_orders: bool, state_dir: Path
    ) -> None:
        self._config_path = broker_config_path
        self._enable_broker_orders = enable_broker_orders
        self._state_dir = state_dir
        self._stack = AsyncExitStack()
        self._desk: Desk | None = None
        self._breaker: Breaker | None = None

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close venue and journal and let go of the state directory."""
        self._desk = None
        await self._stack.aclose()

    async def execute_decision(
        self,
        session: DecisionSession | None,
        decision: Decision,
        current_price: Number | None = None,
        current_equity: Number | None = None,
    ) -> TradeExecutionLog:
        """Execute `decision`; see `ShadowModeExecutor.execute_decision`."""
        desk = await self._open()
        executed = await desk.executor.execute_decision(
            session, decision, current_price, current_equity
        )
        if self._breaker is not None:
            await self._breaker.act()
        return executed

    async def _open(self) -> Desk:
        if self._desk is None:
            async with AsyncExitStack() as stack:
                self._desk = await self._build(stack)
                self._stack = stack.pop_all()
        return self._desk

    async def _build(self, stack: AsyncExitStack) -> Desk:
        config, clock = get_broker_config(self._config_path), SystemClock()
        if not self._enable_broker_orders:
            config = replace(config, mode=Mode.OFF)
        self._state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        stack.enter_context(state_dir_lock(self._state_dir))
        switch = process_switch(self._state_dir)
        switch.open()
        lifecycle = Lifecycle(switch)
        journal = await stack.enter_async_context(
            Journal(self._state_dir / Storage().journal, clock=clock)
        )
        alarm = Alarm(lambda why: _halt(lifecycle, why), lambda why: _halt(lifecycle, why, "venue"))
        breaker = Breaker(config.health_breaker, lifecycle, journal, clock)
        if config.mode is not Mode.OFF:
            await breaker.begin()
        desk = await open_desk(
            stack,
            config,
            Paper(),
            journal,
            lifecycle,
            clock,
            alarm,
            breaker,
            on_loss=lambda why: _halt(lifecycle, why, LOSS),
        )
        resolver = Resolver(desk.broker, clock)
        reconciler = Reconciler(desk.broker, resolver, journal, clock, config.base_url)
        await reconciler.take_up_earlier_orders()
        for difference in await reconciler.reconcile():
            if difference.doubt:
                _halt(lifecycle, difference.doubt)
        lifecycle.phase = DaemonState.RUNNING
        self._breaker = breaker
        return desk


def create_shadow_executor(
    broker_config_path: str | Path = DEFAULT_CONFIG,
    enable_broker_orders: bool = True,  # noqa: FBT001, FBT002  the guide's signature
    state_dir: str | Path | None = None,
) -> StandaloneExecutor:
    """Return an executor for a program of one's own; nothing is opened yet.

    With `enable_broker_orders` False the mode is off whatever the file says. `state_dir` holds the
    journal: the daemon's default where it is not given.
    """
    return StandaloneExecutor(
        broker_config_path,
        enable_broker_orders=enable_broker_orders,
        state_dir=find_state_dir(state_dir),
    )


def _halt(lifecycle: Lifecycle, reason: str, by: str = "reconciliation") -> None:
    lifecycle.switch.trip(reason, by)
