"""What happened beside decisions: kills and resumes, equity over time, configurations applied."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from otonom_trader.storage.rows import digits, instant, storable

PAPER_ONLY: Final = "paper_only"
"""The action by which the health breaker trips; a ``resume`` ends it as it ends a halt."""


@dataclass(frozen=True, slots=True)
class KillEvent:
    """What was done about trading: `action` is ``trip``, ``resume``, ``write_off`` or `PAPER_ONLY`.

    `by` is by whom.
    """

    at: datetime
    action: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """What an account was worth at one time, in `currency`; `account` names leg and account."""

    at: datetime
    account: str
    equity: Decimal
    currency: str


def insert_kill(connection: sqlite3.Connection, event: KillEvent) -> None:
    """Write a kill or resume."""
    connection.execute(
        "INSERT INTO kill_events (at, action, reason, by) VALUES (?, ?, ?, ?)",
        (instant(event.at), event.action, storable(event.reason), storable(event.by)),
    )


def select_kills(connection: sqlite3.Connection) -> list[KillEvent]:
    """All kills and resumes, newest last."""
    rows = connection.execute("SELECT at, action, reason, by FROM kill_events ORDER BY seq")
    return [KillEvent(datetime.fromisoformat(at), *rest) for at, *rest in rows]


def select_paper_only(connection: sqlite3.Connection) -> KillEvent | None:
    """The trip of the health breaker that no resume has ended."""
    row = connection.execute(
        "SELECT at, action, reason, by FROM kill_events WHERE action IN (?, 'resume')"
        " ORDER BY seq DESC LIMIT 1",
        (PAPER_ONLY,),
    ).fetchone()
    if row is None or row[1] != PAPER_ONLY:
        return None
    at, *rest = row
    return KillEvent(datetime.fromisoformat(at), *rest)


def insert_equity(connection: sqlite3.Connection, point: EquityPoint) -> None:
    """Write an equity; ``ValueError`` for one that is no number."""
    if not point.equity.is_finite():
        raise ValueError(f"the equity of {point.account} must be a number, not {point.equity}")
    connection.execute(
        "INSERT INTO equity (at, account, equity, currency) VALUES (?, ?, ?, ?)",
        (instant(point.at), point.account, digits(point.equity), point.currency),
    )


def select_equity(connection: sqlite3.Connection, limit: int) -> list[EquityPoint]:
    """The newest `limit` points, newest last."""
    rows = connection.execute(
        "SELECT at, account, equity, currency FROM equity ORDER BY seq DESC LIMIT ?", (limit,)
    ).fetchall()
    return [
        EquityPoint(datetime.fromisoformat(at), account, Decimal(equity), currency)
        for at, account, equity, currency in reversed(rows)
    ]


def insert_configuration(
    connection: sqlite3.Connection,
    hash_: str,
    text: str,
    version: str,
    diff: str | None,
    now: datetime,
) -> int:
    """Write a configuration as it is applied; return its row, which decisions refer to."""
    row = connection.execute(
        "INSERT INTO configurations (hash, version, text, diff, applied_at) VALUES (?, ?, ?, ?, ?)",
        (hash_, version, storable(text), None if diff is None else storable(diff), instant(now)),
    ).lastrowid
    assert row is not None  # noqa: S101  an insert that did not raise has a row
    return row


def select_last_configuration(connection: sqlite3.Connection) -> str | None:
    """The text of the configuration that was applied last."""
    row = connection.execute("SELECT text FROM configurations ORDER BY seq DESC LIMIT 1").fetchone()
    return None if row is None else str(row[0])
