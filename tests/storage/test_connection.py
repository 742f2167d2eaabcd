"""The one private call of aiosqlite that is used: these fail when it changes."""

import inspect
import sqlite3
import threading

import aiosqlite
import pytest

from otonom_trader.storage.connection import ThreadedConnection


def test_aiosqlite_still_runs_a_function_in_one_hop() -> None:
    parameters = inspect.signature(aiosqlite.Connection._execute).parameters

    assert list(parameters) == ["self", "fn", "args", "kwargs"]
    assert inspect.iscoroutinefunction(aiosqlite.Connection._execute)
    assert isinstance(aiosqlite.Connection._conn, property)


async def test_a_function_runs_whole_on_the_connections_own_thread() -> None:
    connection = ThreadedConnection(lambda: sqlite3.connect(":memory:"))
    await connection.open()

    def several(own: sqlite3.Connection, first: int, *, last: int) -> tuple[list[int], int]:
        own.execute("CREATE TABLE t (a)")
        own.executemany("INSERT INTO t VALUES (?)", [(a,) for a in range(first, last)])
        return [a for (a,) in own.execute("SELECT a FROM t")], threading.get_ident()

    numbers, thread = await connection.run(several, 1, last=4)
    _, same = await connection.run(lambda _: ([], threading.get_ident()))
    await connection.aclose()

    assert numbers == [1, 2, 3]
    assert thread == same != threading.get_ident()


async def test_what_the_function_raises_is_raised() -> None:
    connection = ThreadedConnection(lambda: sqlite3.connect(":memory:"))
    await connection.open()
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await connection.run(lambda own: own.execute("SELECT * FROM nowhere"))
    await connection.aclose()


async def test_a_closed_connection_says_so() -> None:
    connection = ThreadedConnection(lambda: sqlite3.connect(":memory:"))
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        await connection.run(lambda own: None)
    assert not connection.is_open


async def test_a_connection_that_cannot_be_made_leaves_no_thread() -> None:
    def refuse() -> sqlite3.Connection:
        raise PermissionError("not yours")

    before = threading.active_count()
    connection = ThreadedConnection(refuse)
    with pytest.raises(PermissionError):
        await connection.open()

    for thread in threading.enumerate():
        if thread is not threading.main_thread() and "worker" in thread.name:
            thread.join(5)
    assert threading.active_count() <= before
    assert not connection.is_open
