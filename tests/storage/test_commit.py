"""Transactions that wait together are committed together, and stand alone all the same."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.domain.errors import JournalError
from otonom_trader.storage import DuplicateDecision, Journal
from otonom_trader.storage.errors import JournalConflict


class Held:
    """Keeps the journal's thread busy until `release`, and notes what is committed after."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._gate = threading.Event()
        self.statements: list[str] = []

    def _wait(self, connection: sqlite3.Connection) -> None:
        assert self._gate.wait(10)
        connection.set_trace_callback(self.statements.append)

    async def during(self, *writes: Any) -> list[Any]:
        """Give all of `writes` while the thread is busy; return what each came to."""
        busy = asyncio.ensure_future(self._journal._connection.run(self._wait))  # noqa: TID251
        waiting = [asyncio.ensure_future(write) for write in writes]  # noqa: TID251
        for _ in range(3):
            await asyncio.tasks.sleep(0)
        self._gate.set()
        await busy
        return await asyncio.gather(*waiting, return_exceptions=True)

    @property
    def commits(self) -> int:
        return self.statements.count("COMMIT")


@pytest.fixture
def held(journal: Journal) -> Held:
    return Held(journal)


async def test_writes_that_wait_share_one_commit(
    journal: Journal, held: Held, samples: Any
) -> None:
    outcomes = await held.during(*(journal.record(samples.denied(n)) for n in range(20)))

    assert outcomes == [None] * 20
    assert held.commits == 1
    assert await journal.counts() == {"denied": 20}
    assert [row["decision_id"] for row in await journal.executions()] == [
        str(number) for number in range(20)
    ]


async def test_one_that_fails_does_not_poison_the_others(
    journal: Journal, held: Held, samples: Any
) -> None:
    await journal.open_ledger("paper", samples.opening)
    change = samples.change(samples.opening)
    first, repeat, other = samples.denied(0), samples.denied(0), samples.denied(1)

    outcomes = await held.during(
        journal.record(first),
        journal.record(repeat),
        journal.open_ledger("paper", samples.opening),
        journal.settle(samples.intent(9), samples.filled(9), samples.execution(number=9), change),
        journal.record(other),
    )

    assert outcomes[0] is None
    assert [type(outcome) for outcome in outcomes[1:4]] == [
        DuplicateDecision,
        JournalConflict,
        JournalError,
    ]
    assert outcomes[4] is None
    assert await journal.counts() == {"denied": 2}
    assert await journal.load_ledger("paper") == samples.opening
    assert journal.failure is None


async def test_cancelling_the_awaiter_does_not_stop_the_commit(
    journal: Journal, samples: Any
) -> None:
    gate = threading.Event()

    def wait(_: sqlite3.Connection) -> bool:
        return gate.wait(10)

    busy = asyncio.ensure_future(journal._connection.run(wait))  # noqa: TID251
    first = asyncio.ensure_future(journal.record(samples.denied(0)))  # noqa: TID251
    second = asyncio.ensure_future(journal.record(samples.denied(1)))  # noqa: TID251
    await asyncio.tasks.sleep(0)
    first.cancel()
    gate.set()

    assert await busy
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await journal.counts() == {"denied": 2}


async def test_closing_waits_for_what_was_given(path: Path, clock: Any, samples: Any) -> None:
    journal = Journal(path, clock=clock)
    await journal.open()
    write = asyncio.ensure_future(journal.record(samples.denied()))  # noqa: TID251
    await asyncio.tasks.sleep(0)
    await journal.aclose()
    await write

    async with journal:
        assert await journal.counts() == {"denied": 1}


async def test_a_full_disk_at_the_intent_leaves_nothing_half_written(
    journal: Journal, samples: Any
) -> None:
    def limit(connection: sqlite3.Connection, pages: int) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    await journal._connection.run(limit, 1)  # no less than there are now

    async def record_until_refused() -> int:
        for number in range(1000):
            try:
                await journal.record(samples.entry(number))
            except JournalError as refusal:
                assert "disk is full" in str(refusal)  # noqa: PT017  it fails below if none came
                return number
        raise AssertionError("the disk never filled")

    written = await record_until_refused()

    assert len(await journal.open_intents()) == written
    assert samples.key(written) not in await journal.seen([samples.key(written)])
    assert await journal.check() == []

    await journal._connection.run(limit, 100_000)
    await journal.record(samples.entry(written))
    assert len(await journal.open_intents()) == written + 1


async def test_all_that_wait_are_told_of_a_full_disk(
    journal: Journal, held: Held, samples: Any
) -> None:
    def limit(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    await journal._connection.run(limit)
    outcomes = await held.during(*(journal.record(samples.entry(n)) for n in range(200)))

    written = [number for number, outcome in enumerate(outcomes) if outcome is None]
    assert {type(outcome) for outcome in outcomes} <= {type(None), JournalError}
    assert len(written) < 200
    kept = [found.intent.decision.id for found in await journal.open_intents()]
    assert kept == [str(number) for number in written]


async def test_a_commit_that_fails_on_the_disk_is_the_last(journal: Journal, samples: Any) -> None:
    class Failing(sqlite3.OperationalError):
        sqlite_errorname = "SQLITE_IOERR_FSYNC"

    def fail(_: sqlite3.Connection) -> None:
        raise Failing("disk I/O error")

    with pytest.raises(JournalError, match=r"SQLITE_IOERR_FSYNC.*end the process"):
        await journal._commits.write(fail)
    with pytest.raises(JournalError, match=r"SQLITE_IOERR_FSYNC.*end the process"):
        await journal.record(samples.denied())

    assert journal.failure is not None
    assert await journal.counts() == {}
