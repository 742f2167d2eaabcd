"""Configurations, and on them the daemon's desk, put together as the daemon does it."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import CLOCK
from otonom_trader.brokers.config import get_broker_config
from otonom_trader.daemon.alarm import Alarm
from otonom_trader.daemon.desk import Desk, open_desk
from otonom_trader.daemon.kill import KillSwitch
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.daemon.logs import configure_logging
from otonom_trader.daemon.settings import load_settings
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.intent import Claim, SourcePosition
from otonom_trader.domain.mode import DaemonState
from otonom_trader.storage.journal import Journal

# Every limit is on and has something to compute, and lets the benchmark's orders pass.
_LIMITS = {
    "max_notional_per_order": 20_000,
    "max_open_risk_pct": 100,
    "max_total_positions": 5_000,
    "max_position_size_pct": 100,
    "symbol_blacklist": ["LUNA-USD", "FTT-USD"],
}
DUMMY = {"type": "dummy", "mode": "live", "dummy": {"prices": {"BTC-USDT": 50_000}}}


def binance(url: str, mode: str) -> dict[str, Any]:
    """The section ``broker`` for the venue at `url`."""
    keys = {"api_key": "bench-key", "api_secret": "bench-secret"}
    return {
        "type": "binance",
        "mode": mode,
        "binance": {"use_testnet": True, "base_url": url, **keys},
    }


def configure(folder: Path, broker: Mapping[str, Any], **daemon: object) -> Path:
    """Write both files of a configuration into `folder` and return it."""
    broker_file = {
        "broker": dict(broker),
        "risk_guardrails": _LIMITS,
        "sizing": {"risk_per_trade_pct": 0.01},
    }
    for name, content in (("broker.yaml", broker_file), ("daemon.yaml", daemon)):
        (folder / name).write_text(yaml.safe_dump(content))
    return folder


@dataclass(slots=True)
class Counter:
    """Executes decisions at a desk, buying and selling in turn, each claimed as a source's."""

    desk: Desk
    numbers: Iterator[int]

    async def decide(self) -> TradeExecutionLog:
        """Take one decision its whole way; it must be filled."""
        number = next(self.numbers)
        direction = Direction.SELL if number % 2 else Direction.BUY
        return await self._execute(f"bench-{number}", direction, strength=Decimal(1))

    async def stock_up(self) -> None:
        """Buy enough to sell from, however the decisions that follow overtake one another."""
        await self._execute("opening", Direction.BUY, qty=Decimal("0.1"))

    async def _execute(
        self,
        id_: str,
        direction: Direction,
        *,
        strength: Decimal | None = None,
        qty: Decimal | None = None,
    ) -> TradeExecutionLog:
        now = CLOCK.now()
        decision = Decision(
            id_, "BTC-USDT", direction, strength, qty, created_at=now, source="bench"
        )
        claim = Claim(decision, now, SourcePosition("bench", id_))
        row = await self.desk.executor.execute(claim)
        assert row.outcome is Outcome.FILLED, f"{row.outcome}: {row.broker_message}"
        return row


@asynccontextmanager
async def open_counter(folder: Path) -> AsyncIterator[Counter]:
    """The desk of the configuration in `folder`, trading, with its journal and its log there."""
    config = get_broker_config(folder / "broker.yaml")
    settings = load_settings(folder, folder)
    switch = KillSwitch(folder)
    switch.open()
    lifecycle = Lifecycle(switch)
    lifecycle.phase = DaemonState.RUNNING
    async with AsyncExitStack() as stack:
        stack.callback(switch.close)
        log_file = stack.enter_context((folder / "log.jsonl").open("w"))
        stack.callback(configure_logging("json", "info", log_file).close)
        journal = await stack.enter_async_context(Journal(settings.journal_path, clock=CLOCK))
        alarm = Alarm(_fail, _fail)
        desk = await open_desk(
            stack, config, settings.paper, journal, lifecycle, CLOCK, alarm, on_loss=_fail
        )
        await desk.broker.refresh()
        counter = Counter(desk, count())
        await counter.stock_up()
        yield counter


def _fail(reason: str) -> None:
    raise AssertionError(f"the venue's stub forbids to go on: {reason}")
