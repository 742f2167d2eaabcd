"""Real processes that die, or lose their disk, in the middle of writing."""

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.domain.errors import AlreadyRunning
from otonom_trader.storage import Journal

COMMITTER = Path(__file__).with_name("committer.py")


async def start(path: Path, first: int = 0, largest: int = 0) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(COMMITTER),
        str(path),
        str(first),
        str(largest),
        stdout=asyncio.subprocess.PIPE,
    )


async def read_and_kill(process: asyncio.subprocess.Process, lines: int) -> list[tuple[str, int]]:
    """Kill after `lines` acknowledgements; return these and all that came before the end."""
    assert process.stdout is not None
    acknowledged = [await process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    rest = (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    whole = [line.split() for line in acknowledged + rest if line.endswith(b"\n")]
    return [(word.decode(), int(number)) for word, number in whole]


async def test_what_was_acknowledged_survives_kill_9_and_nothing_is_torn(
    path: Path, clock: Any, samples: Any
) -> None:
    recorded: set[int] = set()
    settled: set[int] = set()
    for round_, lines in enumerate((1, 40, 173)):
        process = await start(path, first=1000 * round_)
        for word, number in await read_and_kill(process, lines):
            (recorded if word == "recorded" else settled).add(number)

    async with Journal(path, clock=clock) as journal:
        rows = await journal.orders(10_000)
        by_number = {int(row["decision_id"]): row for row in rows}  # type: ignore[call-overload]
        assert len(by_number) == len(rows) >= len(recorded) >= 100
        assert recorded <= by_number.keys()
        assert {by_number[number]["phase"] for number in settled} == {"SETTLED"}
        # A transaction is there whole or not at all: what is no one's acknowledgement as well.
        assert len(await journal.ledger_entries("paper")) == len(rows)
        for row in rows:
            whole = row["phase"] == "SETTLED"
            key = samples.key(row["decision_id"])
            assert (await journal.execution(key) is not None) == whole
            assert bool(row["fees"]) == whole
            assert await journal.verdicts(key) == samples.verdicts
        assert await journal.check() == []


async def test_a_disk_that_fails_under_a_commit_ends_all_writing(
    path: Path, clock: Any, samples: Any
) -> None:
    process = await start(path, largest=512 * 1024)
    output, _ = await process.communicate()
    lines = output.decode().splitlines()
    recorded = {int(line.split()[1]) for line in lines if line.startswith("recorded")}
    failures = [line for line in lines if line.startswith("failed")]

    assert "SQLITE_IOERR" in failures[0]
    assert "end the process" in failures[0]
    assert failures[1] == "failed JournalFailed"
    async with Journal(path, clock=clock) as journal:
        rows = await journal.orders(10_000)
        # What was refused may be there: it is what an fsync that failed leaves open.
        assert recorded <= {int(row["decision_id"]) for row in rows}  # type: ignore[call-overload]
        assert len(await journal.ledger_entries("paper")) == len(rows)
        assert await journal.check() == []


async def test_a_second_process_is_refused_while_one_holds_the_file(path: Path, clock: Any) -> None:
    process = await start(path)
    assert process.stdout is not None
    await process.stdout.readline()

    with pytest.raises(AlreadyRunning, match=f"{path} is held by another process"):
        await Journal(path, clock=clock).open()

    await read_and_kill(process, 0)
    async with Journal(path, clock=clock) as journal:
        assert await journal.check() == []


async def test_another_program_cannot_even_read_the_file(journal: Journal, path: Path) -> None:
    stranger = sqlite3.connect(path, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        stranger.execute("SELECT * FROM decisions")
    stranger.close()
    assert await journal.positions() == {}
