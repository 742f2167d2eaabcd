"""Row 6: from the start of the process to READY, on a journal with a past."""

import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks.installation import binance, configure, open_counter
from benchmarks.measure import CLOCK, Durations, Row
from benchmarks.process import daemon
from benchmarks.workplace import Workplace

_DECISIONS = 100
_ROWS = 1_000_000
_STARTS = 7
_TARGET_SECONDS = 1.0

# What makes a row another one when it is copied for the k-th time; all else is kept as it is.
_KEYS = {
    "decisions": {"seq": "seq + :step * k", "id": "id || '-' || k"},
    "snapshots": {"decision": "decision + :step * k"},
    "orders": {
        "seq": "seq + :step * k",
        "client_order_id": "client_order_id || '-' || k",
        "decision": "decision + :step * k",
    },
    "fills": {
        "seq": "seq + :step * k",
        "order": '"order" + :step * k',
        "trade_id": "trade_id || '-' || k",
    },
    "executions": {"decision": "decision + :step * k"},
}


async def measure_start(place: Workplace) -> list[Row]:
    """The daemon in live at the stub; its journal holds decisions that were made before."""
    folder = configure(place.new_folder("start"), binance(place.url, "live"))
    async with open_counter(folder) as counter:
        for _ in range(_DECISIONS):
            await counter.decide()
    young = await _starts(folder, place.times(_STARTS))
    rows = _multiply(folder / "journal.db", place.times(_ROWS))
    old = await _starts(folder, place.times(_STARTS))
    seconds = old.p50_us / 1e6
    return [
        Row(f"  beside it: start on {_DECISIONS} decisions", f"{young.p50_us / 1e6:.2f} s"),
        Row(
            f"6 start to READY, {rows:,} journal rows",
            f"{seconds:.2f} s",
            f"<= {_TARGET_SECONDS:g} s",
            seconds / _TARGET_SECONDS,
            seconds <= _TARGET_SECONDS,
        ),
    ]


async def _starts(folder: Path, times: int) -> Durations:
    taken = Durations()
    for _ in range(times):
        began_ns = CLOCK.monotonic_ns()
        async with daemon(folder):
            taken.all_ns.append(CLOCK.monotonic_ns() - began_ns)
    return taken


def _multiply(path: Path, rows: int) -> int:
    """Copy the decisions in the journal at `path`, with all that hangs on them, up to `rows`."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        present = _count(connection)
        step = connection.execute("SELECT max(seq) FROM decisions").fetchone()[0]
        copies = rows // present
        for table, changed in _KEYS.items():
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            columns = ", ".join(f'"{name}"' for name in names)
            values = ", ".join(changed.get(name, f'"{name}"') for name in names)
            connection.execute(
                "WITH copy (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM copy WHERE k < :copies)"  # noqa: S608
                f" INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, copy",
                {"step": step, "copies": copies},
            )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return _count(connection)


def _count(connection: sqlite3.Connection) -> int:
    counts = (connection.execute(f"SELECT count(*) FROM {table}") for table in _KEYS)  # noqa: S608
    return sum(row.fetchone()[0] for row in counts)
