"""A clock that stands still, a dummy venue with prices, a real journal, and an executor on them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.paper import PaperBroker, open_account
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.sizing import SizingRules
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.mode import Mode
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.storage.journal import Journal

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@dataclass
class StandingClock:
    """Moves only when slept on or told to; a sleep takes no time."""

    elapsed_ns: int = 0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return NOON + timedelta(microseconds=self.elapsed_ns // 1000)

    def monotonic_ns(self) -> int:
        return self.elapsed_ns

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.elapsed_ns += int(seconds * 1e9)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def journal(tmp_path: Path, clock: StandingClock) -> AsyncIterator[Journal]:
    async with Journal(tmp_path / "journal.db", clock=clock) as opened:
        yield opened


@pytest.fixture
def venue(clock: StandingClock) -> DummyBroker:
    return DummyBroker(mode=Mode.LIVE, prices={"BTC-USDT": 50000}, clock=clock)


@pytest.fixture
async def broker(venue: DummyBroker, journal: Journal, clock: StandingClock) -> GuardedBroker:
    paper = await open_account(journal, "paper", {"USDT": Decimal(100000)})
    return GuardedBroker(
        venue,
        RiskGuardrails(),
        intents=journal,
        clock=clock,
        paper=PaperBroker(paper, Decimal("0.1")),
    )


@pytest.fixture
def executor(broker: GuardedBroker, journal: Journal, clock: StandingClock) -> ShadowModeExecutor:
    return ShadowModeExecutor(broker, journal, SizingRules(), clock)


@pytest.fixture
def buy() -> Decision:
    return Decision(
        id="d1",
        symbol="BTC-USDT",
        direction=Direction.BUY,
        strength=Decimal(1),
        created_at=NOON,
        source="test",
    )
