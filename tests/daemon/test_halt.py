"""What follows a trip is told once for each cause, however often that is found."""

import asyncio
import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.daemon import kill
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.halt import Halt
from otonom_trader.daemon.kill import KillSwitch, is_doubt, read_latch
from otonom_trader.domain.decision import Decision
from otonom_trader.domain.errors import NotPermitted
from otonom_trader.storage.journal import Journal
from tests.daemon.conftest import StandingClock

FORGOTTEN = "the venue does not know order 1, which it accepted"


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[KillSwitch]:
    switch = KillSwitch(tmp_path)
    switch.open()
    yield switch
    switch.close()


@pytest.fixture
def halt(switch: KillSwitch, journal: Journal, clock: StandingClock, tmp_path: Path) -> Halt:
    return Halt(switch, journal, clock, tmp_path / "broker.yaml")


def told(lines: list[Any]) -> list[str]:
    return [line["reason"] for line in lines if line["event"] == "kill.tripped"]


async def test_a_contradiction_that_is_found_again_and_again_halts_once(halt: Halt) -> None:
    with capture_logs() as lines:
        for _ in range(3):
            halt.doubt(FORGOTTEN)
            await halt.act(None)
    assert told(lines) == [f"{FORGOTTEN} (by reconciliation)"]
    assert is_doubt(halt.switch.reason)


async def test_a_latch_of_an_earlier_run_is_told_once_though_its_cause_is_found_anew(
    halt: Halt, switch: KillSwitch
) -> None:
    switch.trip(FORGOTTEN, "reconciliation")
    with capture_logs() as lines:
        await halt.act(None)
        halt.doubt(FORGOTTEN)
        await halt.act(None)
    assert told(lines) == [f"{FORGOTTEN} (by reconciliation)"]


async def test_a_further_cause_is_told_beside_the_first_which_the_latch_keeps(halt: Halt) -> None:
    with capture_logs() as lines:
        halt.trip("fat finger", "operator")
        await halt.act(None)
        halt.doubt(FORGOTTEN)
        await halt.act(None)
    assert told(lines) == ["fat finger (by operator)", f"{FORGOTTEN} (by reconciliation)"]
    assert halt.switch.reason == "fat finger (by operator)"
    assert not is_doubt(halt.switch.reason)


async def test_after_a_resume_the_same_cause_halts_and_is_told_again(
    halt: Halt, journal: Journal
) -> None:
    with capture_logs() as lines:
        for _ in range(2):
            halt.doubt(FORGOTTEN)
            await halt.act(None)
            await halt.resume("looked at")
    assert len(told(lines)) == 2
    assert [event.action for event in await journal.kill_events()] == ["trip", "resume"] * 2


async def test_a_latch_that_the_disk_refuses_is_told_once_and_written_when_it_takes_it(
    halt: Halt, switch: KillSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill, "append_latch", refuse)
    with capture_logs() as lines:
        halt.trip("fat finger", "operator")
        halt.doubt(FORGOTTEN)
        for _ in range(3):
            await halt.act(None)
            await halt.watch()
        monkeypatch.undo()
        for _ in range(3):
            await halt.watch()
    assert [line["event"] for line in lines if "latch" in line["event"]] == [
        "kill.latch_unwritten",
        "kill.latch_written",
    ]
    assert read_latch(switch.path.parent) == "fat finger (by operator)"


def refuse(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_what_is_to_be_done_about_a_halt_depends_on_its_cause(halt: Halt) -> None:
    halt.require_trading()
    halt.doubt(FORGOTTEN)
    with pytest.raises(NotPermitted, match="otonom-trader reconcile shows what to do"):
        halt.require_trading()
    await halt.resume("looked at")
    halt.trip("fat finger", "operator")
    with pytest.raises(NotPermitted, match="otonom-trader resume --reason TEXT is the way on"):
        halt.require_trading()


async def test_own_orders_are_cancelled_though_the_journal_takes_nothing_any_more(
    halt: Halt, executor: ShadowModeExecutor, broker: GuardedBroker, journal: Journal, buy: Decision
) -> None:
    await executor.execute_decision(None, replace(buy, qty=Decimal("0.01"), price=Decimal(40000)))
    assert len(await broker.get_open_orders()) == 1
    await journal.aclose()
    halt.withdrawal.knows_earlier_orders = True
    halt.trip("disk full", "journal")
    with capture_logs() as lines:
        await halt.act(broker)
    assert await broker.get_open_orders() == []
    assert halt.withdrawal.verified
    assert "journal.failed" in [line["event"] for line in lines]


async def test_a_contradiction_leaves_orders_working_until_a_person_kills(
    halt: Halt, executor: ShadowModeExecutor, broker: GuardedBroker, journal: Journal, buy: Decision
) -> None:
    await executor.execute_decision(None, replace(buy, qty=Decimal("0.01"), price=Decimal(40000)))
    halt.withdrawal.knows_earlier_orders = True
    halt.doubt(FORGOTTEN)
    await halt.act(broker)
    assert len(await broker.get_open_orders()) == 1
    halt.trip("get out", "operator")
    await halt.act(broker)
    assert await broker.get_open_orders() == []
    assert [event.reason for event in await journal.kill_events()] == [
        f"{FORGOTTEN} (by reconciliation)",
        "get out (by operator)",
    ]


class YieldingClock(StandingClock):
    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0)


async def test_a_resume_while_cancelling_ends_it(
    switch: KillSwitch, journal: Journal, broker: GuardedBroker, tmp_path: Path
) -> None:
    halt = Halt(switch, journal, YieldingClock(), tmp_path / "broker.yaml")
    # What earlier runs have left is not known yet: it would go on for ever.
    halt.trip("get out", "operator")
    async with asyncio.TaskGroup() as tasks:
        acting = tasks.create_task(halt.act(broker))
        while halt.withdrawal.left is None:
            await asyncio.wait([acting], timeout=0)
        assert not acting.done()
        await halt.resume("looked at")
    assert not halt.withdrawal.verified
