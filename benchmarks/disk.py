"""What one durable row costs on this disk: by way of SQLite, and the disk alone."""

import os
import sqlite3
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from otonom_trader.storage.connection import ThreadedConnection

_ROW = "x" * 100


class OneRowCommits:
    """Commits of one row, WAL and ``synchronous=FULL``, each in one hop to SQLite's thread."""

    def __init__(self, path: Path) -> None:
        self._connection = ThreadedConnection(partial(_connect, path))

    async def __aenter__(self) -> Self:
        await self._connection.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._connection.aclose()

    async def commit(self) -> None:
        """Make one row durable."""
        await self._connection.run(_insert)


class Appends:
    """Appended pages, each forced to the disk with ``fdatasync``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> Self:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    async def append(self) -> None:
        """Make one page durable."""
        os.write(self._fd, bytes(4096))
        os.fdatasync(self._fd)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, text TEXT)")
    return connection


def _insert(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO rows (text) VALUES (?)", (_ROW,))
