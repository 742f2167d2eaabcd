"""Decisions from a SQLite database, which is never written to.

The query selects the fields of a decision and takes ``:after`` and ``:limit``::

    SELECT rowid AS position, id, symbol, direction, strength, created_at
    FROM decisions WHERE rowid > :after ORDER BY rowid LIMIT :limit

The position of a row is its column ``position``; without one, the column that the query compares
with ``> :after``, which then must be selected. Positions are integers or texts, unique, and come
in ascending order; at the beginning ``:after`` is the smallest integer, which sorts before all of
them. A row added later with a position below those already read is not seen: let positions grow.
"""

import asyncio
import difflib
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import aiosqlite
import msgspec
import structlog

from otonom_trader.daemon.sources.base import MAX_BATCH, Batch, Sighting, SourceUnavailable
from otonom_trader.domain.decision import FIELDS, Decision, Malformed, malformed, parse_decision
from otonom_trader.storage.decisions_db import columns

_HAS = "SELECT name FROM pragma_table_info('decisions')"

Place = int | str

_BEGINNING = -(2**63)
_MAX_VALUE = 65_536
_LOCK_WAIT_SECONDS = 1.0
_QUERY_SECONDS = 5.0
_NEEDED = ("id", "symbol", "direction")
_SELECT = re.compile(r"(\s|--[^\n]*\n)*(SELECT|WITH)\b", re.IGNORECASE)
_COMPARED = re.compile(r"(?:[\w\"]+\.)?\"?(\w+)\"?\s*>\s*:after\b", re.IGNORECASE)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Mark:
    """The last row read: its position, its id, and the position of the row before it.

    Reading starts behind the row before, so the last row comes again and proves that the database
    is still the one that was read. SQLite gives the rowids of deleted rows to new ones and VACUUM
    may renumber them: without the proof, new decisions would pass unseen.
    """

    before: Place
    at: Place
    id: str


class SqlSource:
    """Decisions from the rows of `query` over the database at `path`.

    Without one that is the decision database: the table ``decisions`` of `otonom_trader.storage`.
    `columns` names the column of the result that holds a field, where the two names differ. The
    database need not exist yet. When the row last read has gone, the table is read from its start:
    what was seen before is recognised by its id.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        query: str | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.name = name
        self.query = query
        self.columns = dict(columns or {})
        self._connection: aiosqlite.Connection | None = None
        self._inode = 0

    async def __aenter__(self) -> Self:
        """Check the query; `SourceUnavailable` says what it lacks."""
        if self.query is not None:
            if not _SELECT.match(self.query):
                raise self._wrong("must be a SELECT")
            for parameter in (":after", ":limit"):
                if not re.search(rf"{parameter}\b", self.query):
                    raise self._wrong(f"must use {parameter}")
        for field in self.columns:
            if field not in (*FIELDS, "position"):
                raise self._wrong(f"maps {field!r}, which is no field of a decision{_near(field)}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def fetch_new(self, after: str | None, limit: int) -> Batch:
        """Return at most `limit` decisions behind `after`."""
        mark, limit = self._parse(after), min(limit, MAX_BATCH)
        before: Place = mark.before if mark else _BEGINNING
        rows = await self._rows(before, limit)
        if mark:
            if rows and rows[0].position == mark.at and rows[0].id == mark.id:
                before, rows = mark.at, rows[1:]
            else:
                before, rows = _BEGINNING, await self._rows(_BEGINNING, limit)
                if rows:
                    log.info("source.rewound", source=self.name, reason="the last row read is gone")
        sightings = []
        for row in rows[:limit]:
            position = msgspec.json.encode(_Mark(before, row.position, row.id)).decode()
            sightings.append(Sighting(row.item, position))
            before = row.position
        return Batch(tuple(sightings), sightings[-1].position if sightings else after)

    def _parse(self, after: str | None) -> _Mark | None:
        if after is None:
            return None
        try:
            return msgspec.json.decode(after, type=_Mark)
        except ValueError:
            raise SourceUnavailable(
                f"the journal's position of source {self.name!r} was not written by a sql source; "
                "give this source another name"
            ) from None

    async def _rows(self, after: Place, limit: int) -> list["_Row"]:
        """Return the rows behind `after`: `limit`, the one read last, and one to see a tie by."""
        bound: dict[str, Place] = {"after": after, "limit": limit + 2}
        try:
            # Not under the deadline: aiosqlite leaves its thread behind where opening is cancelled.
            connection = await self._open()
            if connection is None:
                return []
            async with asyncio.timeout(_QUERY_SECONDS):
                query = self.query or await _decisions_query(connection)
                cursor = await connection.execute(query, bound)
                names = [column[0] for column in cursor.description]
                values = await cursor.fetchmany(limit + 2)
                await cursor.close()
        except TimeoutError:
            await self._close()
            raise SourceUnavailable(
                f"the query of source {self.name!r} on {self.path} took more than "
                f"{_QUERY_SECONDS:g} seconds; give it an index to use"
            ) from None
        except (OSError, sqlite3.Error, sqlite3.Warning) as error:
            await self._close()
            raise SourceUnavailable(
                f"source {self.name!r} cannot read {self.path}: {error}"
            ) from None
        columns = self._fields(names)
        rows = []
        for value in values:
            row = _Row.of({field: value[index] for field, index in columns.items()}, self.name)
            if not isinstance(row.position, int | str):
                raise self._wrong("gives a position that is neither an integer nor a text")
            if _order(row.position) <= _order(after):
                raise self._wrong(
                    f"gives position {row.position!r} after {after!r}: positions must be unique "
                    "and come in ascending order, such as `WHERE rowid > :after ORDER BY rowid`"
                )
            after = row.position
            rows.append(row)
        return rows

    async def _open(self) -> aiosqlite.Connection | None:
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
            await self._close()
            return None
        if self._connection is None or inode != self._inode:
            await self._close()
            self._connection = await aiosqlite.connect(
                f"file:{quote(str(self.path.absolute()))}?mode=ro",
                uri=True,
                timeout=_LOCK_WAIT_SECONDS,
                isolation_level=None,
            )
            self._connection.text_factory = _text
            self._inode = inode
        return self._connection

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.interrupt()
            await connection.close()

    def _fields(self, names: list[str]) -> dict[str, int]:
        """Return where in a row each field and the position stand."""
        columns = {field: self.columns.get(field, field) for field in FIELDS}
        for field, column in columns.items():
            if column not in names and (field in _NEEDED or field in self.columns):
                raise self._wrong(f"lacks the column {column!r} for {field}{_near(column, names)}")
        position = self.columns.get("position", "position")
        if position not in names:
            compared = _COMPARED.search(self.query or "")
            position = compared[1] if compared else "rowid"
            if position not in names:
                raise self._wrong(
                    f"must select the column that it compares with > :after: add `{position} AS "
                    "position`"
                )
        for name in names:
            if name not in columns.values() and name != position:
                raise self._wrong(
                    f"selects {name!r}, which is no field of a decision{_near(name)}; leave it out "
                    "or map it under columns"
                )
            if names.count(name) > 1:
                raise self._wrong(f"selects {name!r} twice")
        found = {field: names.index(column) for field, column in columns.items() if column in names}
        return {**found, "position": names.index(position)}

    def _wrong(self, what: str) -> SourceUnavailable:
        return SourceUnavailable(f"the query of source {self.name!r} {what}")


class _Row(NamedTuple):
    position: Place
    id: str
    item: Decision | Malformed

    @classmethod
    def of(cls, values: dict[str, Any], source: str) -> Self:
        position = values.pop("position")
        place = f"row {position}"
        for field, value in values.items():
            if isinstance(value, str | bytes) and len(value) > _MAX_VALUE:
                reason = f"{field} has {len(value)} characters"
                return cls(position, "", malformed(reason, source, place, repr(value[:_MAX_VALUE])))
        given = {field: value for field, value in values.items() if value is not None}
        return cls(position, str(given.get("id")), parse_decision(given, source, place))


async def _decisions_query(connection: aiosqlite.Connection) -> str:
    """Return what reads the decision database, whichever version made its table."""
    cursor = await connection.execute(_HAS)
    wanted = columns({name for (name,) in await cursor.fetchall()})
    return (
        f"SELECT rowid AS position, {', '.join(wanted)} FROM decisions"  # noqa: S608  our own names
        " WHERE rowid > :after ORDER BY rowid LIMIT :limit"
    )


def _order(position: Place) -> tuple[bool, Place]:
    return isinstance(position, str), position  # SQLite sorts every number before every text


def _text(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored  # bytes are no text of a decision: the row is malformed, the others are read


def _near(name: str, known: Sequence[str] = FIELDS) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""
