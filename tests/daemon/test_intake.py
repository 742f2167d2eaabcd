"""Decisions in: each handed on once, recorded in the order of its source."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Self

import pytest

from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.intake import Intake, IntakeLimits
from otonom_trader.daemon.sources.base import Batch, Sighting, SourceUnavailable
from otonom_trader.domain.decision import Decision, Direction, Malformed
from otonom_trader.domain.errors import JournalError
from otonom_trader.domain.market import MarketSnapshot
from otonom_trader.storage.journal import Journal


class ListSource:
    """Gives what it was told, by position in the list."""

    name = "test"

    def __init__(self, items: Iterable[Decision | Malformed] = ()) -> None:
        self.items = list(items)
        self.fetched: list[tuple[str | None, int]] = []
        self.broken = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def fetch_new(self, after: str | None, limit: int) -> Batch:
        self.fetched.append((after, limit))
        if self.broken:
            raise SourceUnavailable("the file is gone")
        start = int(after or 0)
        part = self.items[start : start + limit]
        sightings = tuple(Sighting(item, str(start + n + 1)) for n, item in enumerate(part))
        return Batch(sightings, str(start + len(part)) if part else after)


class Switchboard:
    """What the daemon decides for its intake."""

    def __init__(self) -> None:
        self.open = True
        self.faults: list[JournalError] = []

    def may_take_in(self) -> bool:
        return self.open


@pytest.fixture
def board() -> Switchboard:
    return Switchboard()


@pytest.fixture
def source() -> ListSource:
    return ListSource()


@pytest.fixture
async def intake(
    source: ListSource,
    journal: Journal,
    executor: ShadowModeExecutor,
    clock: Any,
    board: Switchboard,
) -> Intake:
    made = Intake(
        [source],
        journal,
        executor,
        clock,
        IntakeLimits(inbox_size=3, max_concurrent=4),
        may_take_in=board.may_take_in,
        on_fault=board.faults.append,
    )
    await made.restart()
    return made


def holds(count: int, buy: Decision) -> list[Decision | Malformed]:
    return [replace(buy, id=f"h{n}", direction=Direction.HOLD) for n in range(count)]


async def poll(intake: Intake) -> None:
    async with asyncio.TaskGroup() as tasks:
        await intake.poll(tasks)
        await intake.idle()


async def test_a_poll_takes_all_there_is_in_batches_of_the_inbox(
    intake: Intake, source: ListSource, journal: Journal, buy: Decision
) -> None:
    source.items = holds(8, buy)
    await poll(intake)
    assert {limit for _, limit in source.fetched} == {3}
    rows = await journal.executions(100)
    assert [row["decision_id"] for row in rows] == [f"h{n}" for n in range(8)]
    assert await journal.positions() == {"test": "8"}


async def test_what_was_taken_is_not_taken_again(
    intake: Intake, source: ListSource, journal: Journal, buy: Decision
) -> None:
    source.items = holds(2, buy)
    await poll(intake)
    await poll(intake)
    await intake.restart()  # as after a start: only the journal is left
    await poll(intake)
    assert len(await journal.executions(100)) == 2


async def test_a_repeat_with_the_same_payload_is_nothing_new(
    intake: Intake, source: ListSource, journal: Journal, buy: Decision
) -> None:
    source.items = [*holds(1, buy), *holds(1, buy)]
    await poll(intake)
    assert len(await journal.executions(100)) == 1


async def test_an_id_used_for_another_decision_is_recorded_as_malformed(
    intake: Intake, source: ListSource, journal: Journal, buy: Decision
) -> None:
    source.items = [*holds(1, buy), replace(buy, id="h0", qty=Decimal("0.01"))]
    await poll(intake)
    rows = await journal.executions(100)
    assert [row["outcome"] for row in rows] == ["hold", "malformed"]
    assert rows[1]["broker_message"] == "id 'h0' was used before for another decision"
    await intake.restart()
    source.items.append(source.items[1])
    await poll(intake)
    assert len(await journal.executions(100)) == 2


async def test_claims_are_recorded_in_the_order_of_the_source_however_long_reading_takes(
    intake: Intake,
    source: ListSource,
    journal: Journal,
    venue: DummyBroker,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source.items = [replace(buy, id=f"d{n}", strength=Decimal("0.1")) for n in range(4)]
    gates = {n: asyncio.Event() for n in range(4)}
    arrived = 0
    all_there = asyncio.Event()
    read = venue.get_market

    async def slow(symbol: str) -> MarketSnapshot:
        nonlocal arrived
        mine, arrived = arrived, arrived + 1
        if arrived == len(gates):
            all_there.set()
        await gates[mine].wait()
        return await read(symbol)

    monkeypatch.setattr(venue, "get_market", slow)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(poll(intake))
        await all_there.wait()
        for n in reversed(range(4)):  # the last to be answered is the first decision
            gates[n].set()
            await asyncio.sleep(0)  # noqa: TID251
    rows = await journal.executions(100)
    assert [row["decision_id"] for row in rows] == ["d0", "d1", "d2", "d3"]
    assert all(row["outcome"] == "filled" for row in rows)


async def test_a_source_that_cannot_be_read_is_tried_again_at_the_next_poll(
    intake: Intake, source: ListSource, journal: Journal, buy: Decision
) -> None:
    source.items, source.broken = holds(1, buy), True
    await poll(intake)
    assert await journal.executions(100) == []
    source.broken = False
    await poll(intake)
    assert len(await journal.executions(100)) == 1


async def test_nothing_is_fetched_while_the_daemon_takes_nothing_in(
    intake: Intake, source: ListSource, board: Switchboard, buy: Decision
) -> None:
    source.items, board.open = holds(1, buy), False
    await poll(intake)
    assert source.fetched == []


async def test_a_journal_that_cannot_be_written_stops_the_intake_and_passes_nothing_over(
    intake: Intake,
    source: ListSource,
    journal: Journal,
    board: Switchboard,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source.items = holds(6, buy)
    write, calls = journal.record, 0

    async def fails_third(entry: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise JournalError("disk full")
        await write(entry)

    monkeypatch.setattr(journal, "record", fails_third)
    await poll(intake)
    assert [str(fault) for fault in board.faults] == ["disk full"]
    assert await journal.positions() == {"test": "2"}
    assert len(await journal.executions(100)) == 2
    await intake.restart()
    await poll(intake)
    rows = await journal.executions(100)
    assert [row["decision_id"] for row in rows] == [f"h{n}" for n in range(6)]
