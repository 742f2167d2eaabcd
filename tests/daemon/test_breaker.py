"""The health breaker: it shuts the gate at once, says so once, and outlives the process."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from otonom_trader.daemon.breaker import Breaker
from otonom_trader.daemon.kill import KillSwitch
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.domain.errors import NotPermitted, PaperOnly
from otonom_trader.domain.mode import DaemonState
from otonom_trader.domain.order import OrderResult, OrderState
from otonom_trader.risk.health import HealthLimits
from otonom_trader.storage.events import KillEvent
from otonom_trader.storage.journal import Journal
from tests.daemon.conftest import NOON, StandingClock

REJECTED = OrderResult(OrderState.REJECTED, signed_at_ms=1, message="Account has no balance.")
ACCEPTED = OrderResult(OrderState.ACCEPTED, signed_at_ms=1)
REASON = "5 orders in a row were rejected, the last: Account has no balance."


@pytest.fixture
def lifecycle(tmp_path: Path) -> Lifecycle:
    made = Lifecycle(KillSwitch(tmp_path))
    made.enter(DaemonState.RUNNING)
    return made


@pytest.fixture
def breaker(lifecycle: Lifecycle, journal: Journal, clock: StandingClock) -> Breaker:
    return Breaker(HealthLimits(), lifecycle, journal, clock)


async def test_the_gate_is_shut_before_anything_is_written_and_it_is_told_once(
    breaker: Breaker, lifecycle: Lifecycle, journal: Journal
) -> None:
    for _ in range(4):
        breaker.answered(REJECTED)
    lifecycle.check()
    breaker.answered(REJECTED)
    with pytest.raises(PaperOnly, match=REASON):
        lifecycle.check()
    assert breaker.tripped.is_set()
    assert await journal.paper_only() is None
    with capture_logs() as lines:
        await breaker.act()
        breaker.answered(REJECTED)
        await breaker.act()
    assert lines == [{"event": "health.tripped", "log_level": "critical", "reason": REASON}]
    standing = await journal.paper_only()
    assert standing is not None
    assert (standing.at, standing.action, standing.reason) == (NOON, "paper_only", REASON)


async def test_it_stands_after_a_restart_until_a_resume_is_on_record(
    breaker: Breaker, journal: Journal, clock: StandingClock, tmp_path: Path
) -> None:
    for _ in range(5):
        breaker.answered(REJECTED)
    await breaker.act()
    # A kill in between neither ends it nor hides it.
    await journal.record_kill(KillEvent(NOON, "trip", "fat finger", "test"))

    restarted = Lifecycle(KillSwitch(tmp_path))
    await Breaker(HealthLimits(), restarted, journal, clock).begin()
    assert restarted.paper_only == REASON
    with pytest.raises(NotPermitted, match=r"paper only: .*otonom-trader resume --reason TEXT"):
        Breaker(HealthLimits(), restarted, journal, clock).require_trading()

    await journal.record_kill(KillEvent(NOON, "resume", "looked at", "test"))
    resumed = Lifecycle(KillSwitch(tmp_path))
    await Breaker(HealthLimits(), resumed, journal, clock).begin()
    assert resumed.paper_only == ""


def test_after_a_resume_it_counts_from_nothing(breaker: Breaker, lifecycle: Lifecycle) -> None:
    for _ in range(9):
        breaker.answered(REJECTED)
    lifecycle.paper_only = ""
    for _ in range(4):
        breaker.answered(REJECTED)
    lifecycle.check()
    breaker.answered(REJECTED)
    with pytest.raises(PaperOnly):
        lifecycle.check()


def test_requests_that_fail_within_a_second_count_once(
    breaker: Breaker, lifecycle: Lifecycle, clock: StandingClock
) -> None:
    for _ in range(9):
        for _ in range(50):
            breaker.heard("unreachable", "no route")
        clock.advance(1)
    lifecycle.check()
    breaker.heard("unreachable", "no route")
    with pytest.raises(PaperOnly, match="10 requests in a row failed, the last: no route"):
        lifecycle.check()


def test_an_account_that_is_read_ends_a_run_of_failures(
    breaker: Breaker, lifecycle: Lifecycle, clock: StandingClock
) -> None:
    for _ in range(30):
        for _ in range(9):
            breaker.heard("unknown", "HTTP 502")
            clock.advance(1)
        breaker.heard(None, "")
    lifecycle.check()


def test_an_accepted_order_ends_every_run(breaker: Breaker, lifecycle: Lifecycle) -> None:
    for _ in range(20):
        for _ in range(4):
            breaker.answered(REJECTED)
        breaker.answered(ACCEPTED)
    lifecycle.check()
