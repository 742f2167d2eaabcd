"""The decision database: where a decision-maker may leave its decisions for others to read.

Not the journal. Its one table is ``decisions``; see contract.md, "Names".
"""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self

import yaml

from otonom_trader.domain.decision import (
    FIELDS,
    ORDER_TERMS,
    Decision,
    Malformed,
    parse_decision,
)
from otonom_trader.domain.symbol import Symbol
from otonom_trader.storage.connection import ThreadedConnection
from otonom_trader.storage.errors import DecisionDatabaseError

CONFIGURATION = Path("config/daemon.yaml")
DEFAULT_PATH = Path("var/decisions.db")
"""Where it lies unless `decisions_db` in ``daemon.yaml`` says otherwise."""

_TABLE = """
CREATE TABLE IF NOT EXISTS decisions (
    id TEXT PRIMARY KEY,
    symbol TEXT,
    direction TEXT,
    strength TEXT,
    qty TEXT,
    notional TEXT,
    price TEXT,
    created_at TEXT,
    expires_at TEXT,
    reason TEXT,
    order_type TEXT,
    stop_price TEXT,
    trailing_delta_bps TEXT
)
"""
_BUSY_SECONDS = 5.0  # another program may be writing


@dataclass(frozen=True, slots=True)
class _Filter:
    symbol: str | None = None
    direction: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def admits(self, decision: Decision) -> bool:
        created_at = decision.created_at
        if self.symbol is not None and _canonical(self.symbol) != _canonical(decision.symbol):
            return False
        if self.direction is not None and self.direction.upper() != decision.direction:
            return False
        if self.since is not None and (created_at is None or created_at < self.since):
            return False
        return self.until is None or (created_at is not None and created_at < self.until)


class Query:
    """A question to the decision database; each `filter` narrows it further."""

    def __init__(self, session: "DecisionSession", filters: tuple[_Filter, ...] = ()) -> None:
        self._session = session
        self._filters = filters

    def filter(
        self,
        *,
        symbol: str | None = None,
        direction: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Self:
        """Keep decisions on `symbol`, of `direction`, created at or after `since`, before `until`.

        However a symbol is written, it is one. ``ValueError`` for a time without a zone.
        """
        for name, moment in (("since", since), ("until", until)):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} must carry its zone, such as datetime.now(UTC)")
        narrower = _Filter(symbol, direction, since, until)
        return type(self)(self._session, (*self._filters, narrower))

    async def all(self) -> list[Decision]:
        """Return what is left, in the order in which it was written.

        Rows that are no decisions are left out and told of in ``session.malformed``.
        Raises `DecisionDatabaseError` when the database cannot be read.
        """
        return await self._session.read(self._filters)


class DecisionSession:
    """Reads one decision database, opened read-only in ``async with``.

    `malformed` holds what the newest question met that is no decision.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.malformed: list[Malformed] = []
        self._connection = ThreadedConnection(partial(_open_to_read, path))

    async def __aenter__(self) -> Self:
        await self._connection.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._connection.aclose()

    def query(self, of: type[Decision]) -> Query:
        """Ask for decisions; nothing else is kept here."""
        if of is not Decision:
            raise ValueError(f"the decision database holds Decision, not {of.__name__}")
        return Query(self)

    async def read(self, filters: tuple[_Filter, ...]) -> list[Decision]:
        """Return the decisions that all of `filters` admit; see `Query.all`."""
        try:
            found = await self._connection.run(_select, self.path.stem, filters)
        except sqlite3.Error as error:
            raise _unreadable(self.path, error) from error
        self.malformed = found.malformed
        return found.decisions


def get_session(path: str | Path | None = None) -> DecisionSession:
    """Return a session on the decision database at `path`.

    By default that is `decisions_db` of ``./config/daemon.yaml``, else ``./var/decisions.db``.
    Raises `DecisionDatabaseError` for a file that cannot be understood, and entering the session
    does when there is no database. Source: the guide, "Daemon Integration"; contract.md, "Names".
    """
    return DecisionSession(configured_path() if path is None else Path(path))


def configured_path() -> Path:
    """Return where ``./config/daemon.yaml`` says the database lies, relative to that file.

    Only this one key is looked at: the daemon refuses the file for all else that is wrong with it.
    """
    try:
        document = yaml.safe_load(CONFIGURATION.read_text("utf-8"))
    except FileNotFoundError:
        return DEFAULT_PATH
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DecisionDatabaseError(
            f"{CONFIGURATION} does not tell where the decision database lies: {error}; "
            "mend it, or give get_session the path"
        ) from None
    named = document.get("decisions_db") if isinstance(document, dict) else None
    return CONFIGURATION.parent / named if isinstance(named, str) else DEFAULT_PATH


async def create_decisions_db(path: str | Path) -> None:
    """Create a decision database at `path`, with its directory; one that exists is left as it is.

    Raises `DecisionDatabaseError`.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        await _write(path, "rwc", _TABLE, ())
    except OSError as error:
        raise _unreadable(path, error) from error


async def add_decision(path: str | Path, decision: Decision) -> None:
    """Append a decision to the database at `path`, durably.

    Raises `DecisionDatabaseError`, also for an id that is taken.
    """
    texts = decision.payload()
    await _write(
        Path(path),
        "rw",
        f"INSERT INTO decisions ({', '.join(texts)}) VALUES ({', '.join('?' * len(texts))})",  # noqa: S608
        tuple(texts.values()),
    )


@dataclass(slots=True)
class _Found:
    decisions: list[Decision] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)


def _select(connection: sqlite3.Connection, source: str, filters: tuple[_Filter, ...]) -> _Found:
    found = _Found()
    has = {
        name for (name,) in connection.execute("SELECT name FROM pragma_table_info('decisions')")
    }
    wanted = columns(has)
    rows = connection.execute(f"SELECT rowid, {', '.join(wanted)} FROM decisions ORDER BY rowid")  # noqa: S608
    for rowid, *values in rows:
        item = parse_decision(dict(zip(wanted, values, strict=True)), source, f"row {rowid}")
        if isinstance(item, Malformed):
            found.malformed.append(item)
        elif all(filter_.admits(item) for filter_ in filters):
            found.decisions.append(item)
    return found


def columns(has: Collection[str]) -> list[str]:
    """Return the fields to read from a decision table that `has` these columns."""
    return [name for name in FIELDS if name in has or name not in ORDER_TERMS]


async def _write(path: Path, mode: str, statement: str, values: tuple[str, ...]) -> None:
    connection = ThreadedConnection(partial(_connect, path, mode))
    try:
        await connection.open()
        await connection.run(sqlite3.Connection.execute, statement, values)
    except sqlite3.IntegrityError as error:
        raise DecisionDatabaseError(f"{path} holds a decision of that id already") from error
    except sqlite3.Error as error:
        raise _unreadable(path, error) from error
    finally:
        await connection.aclose()


def _open_to_read(path: Path) -> sqlite3.Connection:
    try:
        connection = _connect(path, "ro")
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise _unreadable(path, error) from error
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
    )


def _unreadable(path: Path, error: Exception) -> DecisionDatabaseError:
    return DecisionDatabaseError(
        f"the decision database {path} cannot be used ({error}): name the right file as "
        "decisions_db in daemon.yaml, or let the decision-maker create it"
    )


def _canonical(symbol: str) -> str:
    try:
        return Symbol.parse(symbol).canonical
    except ValueError:
        return symbol
