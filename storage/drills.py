"""Rehearsals of the kill switch, with what was measured."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from otonom_trader.storage.rows import instant, storable

_COLUMNS = "at, by, environment, mode, latch_ms, last_order_ms, orders_cancelled, verified_ms"


@dataclass(frozen=True, slots=True)
class Drill:
    """One rehearsal; durations are from the signal on.

    `last_order_ms` is when the last order after the signal was handed to the socket, None where
    none was. `verified_ms` is when the venue was seen to show no own order, None where it was not
    looked: on production nothing is sent, and in off and shadow nothing of ours works.
    """

    at: datetime
    by: str
    environment: str
    mode: str
    latch_ms: float
    last_order_ms: float | None
    orders_cancelled: int
    verified_ms: float | None


def insert(connection: sqlite3.Connection, drill: Drill) -> None:
    """Write a rehearsal."""
    connection.execute(
        f"INSERT INTO drills ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (
            instant(drill.at),
            storable(drill.by),
            drill.environment,
            drill.mode,
            drill.latch_ms,
            drill.last_order_ms,
            drill.orders_cancelled,
            drill.verified_ms,
        ),
    )


def select(connection: sqlite3.Connection, limit: int) -> list[Drill]:
    """The newest `limit` rehearsals, newest last."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM drills ORDER BY seq DESC LIMIT ?",  # noqa: S608
        (limit,),
    ).fetchall()
    return [Drill(datetime.fromisoformat(at), *rest) for at, *rest in reversed(rows)]
