"""Opening the journal's file: whose it is, whether it is sound, and at which version."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from otonom_trader.domain.errors import AlreadyRunning, JournalError
from otonom_trader.storage.ledgers import unbalanced
from otonom_trader.storage.schema import APPLICATION_ID, MIGRATIONS

_CHECKED_BYTES = 16 * 1024 * 1024  # what quick_check reads well within a start's one second
_RESTORE = "restore the newest backup, or move the file away to start a new journal"
_LOCKED = {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"}
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_NO_ACCESS = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")


def open_file(path: Path, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """Open the journal at `path`, creating it or bringing it to the newest version.

    The connection holds the file alone until it is closed. A file of up to 16 MiB is checked
    through; of a larger one only what opening reads, the rest by `Journal.check`.
    Raises `AlreadyRunning` for a file that another process holds, and `JournalError` for one that
    is damaged, foreign, written by a newer version, or cannot be opened.
    """
    connection = None
    try:
        # SQLite would create it by the umask, and its log takes the mode of the file.
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, cached_statements=256)
        _configure(connection)
        _check(connection, path)
        _migrate(connection, path, migrations)
    except (sqlite3.Error, OSError) as error:
        _close(connection)
        raise explained(error, path) from error
    except BaseException:
        _close(connection)
        raise
    return connection


def check_file(connection: sqlite3.Connection) -> list[str]:
    """Findings of a check of the whole file; empty when it is sound."""
    pages = [finding for (finding,) in connection.execute("PRAGMA integrity_check")]
    orphans = [
        f"row {row} of {table} refers to no row of {parent}"
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check")
    ]
    return [finding for finding in pages if finding != "ok"] + orphans + unbalanced(connection)


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        connection.close()


def _configure(connection: sqlite3.Connection) -> None:
    # Exclusive before the first read: then the log's index lives in memory and the lock is ours
    # for good. Two connections on a log can corrupt it before SQLite 3.51.3.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size > _CHECKED_BYTES:
        return
    for (finding,) in connection.execute("PRAGMA quick_check(1)"):
        if finding != "ok":
            said = " ".join(finding.split())
            raise JournalError(f"the journal {path} is damaged ({said}): {_RESTORE}")


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    version = _pragma(connection, "user_version")
    application = _pragma(connection, "application_id")
    blank = version == 0 and not connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and not blank:
        raise JournalError(f"{path} is an SQLite database but no journal: name another file")
    if version > len(migrations):
        raise JournalError(
            f"the journal {path} was written by a newer version of the program (schema {version}, "
            f"this one knows {len(migrations)}): run that version, or restore a backup"
        )
    if 0 < version < len(migrations):
        _back_up(connection, path.with_name(f"{path.name}.v{version}.bak"))
    for number, script in enumerate(migrations[version:], version + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {script};"
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
            )
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise JournalError(
                f"the journal {path} could not be brought to schema {number} ({error}); it is as "
                "it was: run the version that wrote it"
            ) from error


def _back_up(connection: sqlite3.Connection, copy: Path) -> None:
    # Written beside and renamed, so that a copy of that name is always whole.
    partial = copy.with_name(f"{copy.name}.partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    target = sqlite3.connect(partial)
    try:
        connection.backup(target)
    finally:
        target.close()
    partial.replace(copy)
    directory = os.open(copy.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return int(value)


def explained(error: sqlite3.Error | OSError, path: Path) -> JournalError | AlreadyRunning:
    """An error of SQLite's as one sentence: what is wrong with the file, and what to do."""
    name = getattr(error, "sqlite_errorname", "")
    if name in _LOCKED:
        return AlreadyRunning(
            f"the journal {path} is held by another process: stop that one first, or name another "
            "state directory"
        )
    if name.startswith(_DAMAGED):
        return JournalError(f"the journal {path} is damaged ({error}): {_RESTORE}")
    if isinstance(error, OSError) or name.startswith(_NO_ACCESS):
        return JournalError(
            f"the journal {path} cannot be opened ({error}): it must be writable, in a directory "
            "that exists"
        )
    return JournalError(f"the journal {path} cannot be used: {error}")
