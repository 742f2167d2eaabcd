"""One SQLite connection on a thread of its own: a function over it runs there in one hop.

The only file that touches aiosqlite's private single-hop call.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar, cast

import aiosqlite

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class ThreadedConnection:
    """A connection made by `connect` on aiosqlite's thread and used there alone.

    Functions run in the order in which they were given, each to its end: cancelling the awaiter
    does not stop one.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: aiosqlite.Connection | None = None

    @property
    def is_open(self) -> bool:
        """Whether `run` may be called."""
        return self._connection is not None

    async def open(self) -> None:
        """Connect; raises what `connect` raises."""
        if self._connection is not None:
            return
        refusals: list[Exception] = []

        def connect() -> sqlite3.Connection:
            # aiosqlite does not wait for its thread after a connector that raised, and the thread
            # then fails on a loop that may be closed: it is given something to close instead.
            try:
                return self._connect()
            except Exception as refusal:  # noqa: BLE001  raised below, in the caller
                refusals.append(refusal)
                return sqlite3.connect(":memory:")

        connection = await aiosqlite.Connection(connect, iter_chunk_size=64)
        if refusals:
            await connection.close()
            raise refusals[0]
        self._connection = connection

    async def aclose(self) -> None:
        """Close once everything given so far has run."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def run(
        self,
        function: Callable[Concatenate[sqlite3.Connection, _Given], _Result],
        *args: _Given.args,
        **kwargs: _Given.kwargs,
    ) -> _Result:
        """Return what ``function(connection, ...)`` returns; raises what it raises.

        aiosqlite's public methods take one hop for each statement; a transaction of several would
        pay for each, and could be left open half-way.
        """
        connection = self._connection
        if connection is None:
            raise sqlite3.ProgrammingError("the connection is closed")
        one_hop = cast("Callable[..., Awaitable[_Result]]", connection._execute)  # noqa: SLF001
        return await one_hop(function, connection._conn, *args, **kwargs)  # noqa: SLF001
