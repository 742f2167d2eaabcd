"""Which files are opened as a journal, and which are refused with a sentence."""

import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.domain.errors import JournalError
from otonom_trader.storage import Journal
from otonom_trader.storage.opening import open_file
from otonom_trader.storage.schema import APPLICATION_ID, MIGRATIONS


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def read(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, data: bytes | bytearray) -> None:
    path.write_bytes(data)


def ask(connection: sqlite3.Connection, question: str) -> object:
    return connection.execute(question).fetchone()[0]


async def create(path: Path, clock: Any, samples: Any, decisions: int = 1) -> None:
    async with Journal(path, clock=clock) as journal:
        for number in range(decisions):
            await journal.record(samples.denied(number))


def test_a_new_journal_is_private_and_durable(path: Path) -> None:
    connection = open_file(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ask(connection, "PRAGMA journal_mode") == "wal"
    assert ask(connection, "PRAGMA synchronous") == 2  # FULL
    assert ask(connection, "PRAGMA locking_mode") == "exclusive"
    assert ask(connection, "PRAGMA foreign_keys") == 1
    assert ask(connection, "PRAGMA busy_timeout") == 0
    assert ask(connection, "PRAGMA application_id") == APPLICATION_ID
    assert ask(connection, "PRAGMA user_version") == len(MIGRATIONS)
    connection.close()


async def test_a_journal_may_be_closed_and_opened_again(
    path: Path, clock: Any, samples: Any
) -> None:
    journal = Journal(path, clock=clock)
    await journal.open()
    await journal.open()
    await journal.record(samples.denied())
    await journal.aclose()
    await journal.aclose()

    async with journal:
        assert await journal.counts() == {"denied": 1}


async def test_a_closed_journal_answers_with_a_sentence(
    path: Path, clock: Any, samples: Any
) -> None:
    journal = Journal(path, clock=clock)

    with pytest.raises(JournalError, match="cannot be used: the connection is closed"):
        await journal.positions()
    with pytest.raises(JournalError, match="closed: nothing was written"):
        await journal.record(samples.denied())
    async with journal:
        assert await journal.counts() == {}


async def test_a_newer_schema_is_refused(path: Path, clock: Any, samples: Any) -> None:
    await create(path, clock, samples)
    change(path, "PRAGMA user_version = 99")

    with pytest.raises(JournalError, match="newer version of the program"):
        await Journal(path, clock=clock).open()


async def test_a_file_that_is_no_database_is_refused(path: Path, clock: Any) -> None:
    write(path, b"no database at all, of more bytes than a header has" * 100)

    with pytest.raises(JournalError, match=r"is damaged .* restore the newest backup"):
        await Journal(path, clock=clock).open()

    assert read(path).startswith(b"no database")


async def test_another_programs_database_is_refused_and_left_alone(path: Path, clock: Any) -> None:
    change(path, "CREATE TABLE theirs (a)")

    with pytest.raises(JournalError, match="is an SQLite database but no journal"):
        await Journal(path, clock=clock).open()

    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]
    connection.close()


@pytest.mark.parametrize(
    ("checked_bytes", "name"), [(2**24, "sqlite_autoindex_decisions_1"), (0, "decisions")]
)
async def test_a_corrupt_page_is_refused(
    path: Path,
    clock: Any,
    samples: Any,
    monkeypatch: pytest.MonkeyPatch,
    checked_bytes: int,
    name: str,
) -> None:
    """In a small file wherever it is; in a large one where opening reads."""
    monkeypatch.setattr("otonom_trader.storage.opening._CHECKED_BYTES", checked_bytes)
    await create(path, clock, samples, decisions=60)
    connection = sqlite3.connect(path)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)
    ).fetchone()
    connection.close()
    data = bytearray(read(path))
    data[(page - 1) * 4096 : page * 4096] = bytes(range(256)) * 16
    write(path, data)

    with pytest.raises(JournalError, match=r"is damaged .* restore the newest backup"):
        await Journal(path, clock=clock).open()


async def test_a_directory_that_is_missing_is_named(tmp_path: Path, clock: Any) -> None:
    with pytest.raises(JournalError, match=r"missing/journal.db cannot be opened"):
        await Journal(tmp_path / "missing" / "journal.db", clock=clock).open()


async def test_a_damaged_account_is_found_by_a_check(path: Path, clock: Any, samples: Any) -> None:
    async with Journal(path, clock=clock) as journal:
        await journal.open_ledger("paper", samples.opening)
        assert await journal.check() == []
    change(path, "UPDATE ledger_balances SET amount = '1' WHERE asset = 'BTC'")
    async with Journal(path, clock=clock) as journal:
        assert await journal.check() == ["the account paper is not what its entries come to"]


NEXT = (*MIGRATIONS, "ALTER TABLE meta ADD COLUMN note TEXT; INSERT INTO meta VALUES ('a','b','c')")


async def test_an_older_journal_is_backed_up_and_brought_on(
    path: Path, clock: Any, samples: Any
) -> None:
    await create(path, clock, samples)

    connection = open_file(path, NEXT)

    assert ask(connection, "PRAGMA user_version") == len(NEXT)
    assert ask(connection, "SELECT note FROM meta") == "c"
    assert ask(connection, "SELECT count(*) FROM decisions") == 1
    connection.close()
    copy = path.with_name(f"journal.db.v{len(MIGRATIONS)}.bak")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    async with Journal(copy, clock=clock) as before:
        assert await before.counts() == {"denied": 1}


async def test_a_migration_that_fails_leaves_the_journal_as_it_was(
    path: Path, clock: Any, samples: Any
) -> None:
    await create(path, clock, samples)
    broken = (*MIGRATIONS, "ALTER TABLE meta ADD COLUMN note TEXT; INSERT INTO nowhere VALUES (1)")

    with pytest.raises(JournalError, match=r"could not be brought to schema .* it is as it was"):
        open_file(path, broken)

    connection = open_file(path)
    columns = connection.execute("SELECT name FROM pragma_table_info('meta')").fetchall()
    assert columns == [("name",), ("value",)]
    connection.close()
