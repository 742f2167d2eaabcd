"""Orders that wait for a person, as rows of ``approvals``; more than one row where asked again."""

import sqlite3
from datetime import datetime
from decimal import Decimal

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.amount import plain
from otonom_trader.domain.approval import Parked, Ruling
from otonom_trader.domain.decision import Decision, DecisionKey, parse_decision
from otonom_trader.domain.errors import NotWaiting
from otonom_trader.domain.symbol import Symbol
from otonom_trader.storage.errors import JournalConflict
from otonom_trader.storage.rows import digits, instant, read_json, storable

_SELECT = (
    "SELECT p.*, d.source, d.id AS decision_id, d.payload, d.received_at,"
    " a.mode AS account_mode, a.venue, a.uid FROM approvals p"
    " JOIN decisions d ON d.seq = p.decision JOIN accounts a ON a.seq = p.account"
)


def insert(connection: sqlite3.Connection, decision: int, account: int, parked: Parked) -> None:
    """Write that the order of a decision begins to wait."""
    connection.execute(
        "INSERT INTO approvals (decision, account, symbol, side, qty, requested_qty, notional,"
        " reason, parked_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            decision,
            account,
            parked.symbol.canonical,
            parked.side.value,
            digits(parked.qty),
            digits(parked.requested_qty),
            digits(parked.notional),
            parked.reason,
            instant(parked.parked_at),
            instant(parked.expires_at),
        ),
    )


def rule(
    connection: sqlite3.Connection, key: DecisionKey, ruling: Ruling, configuration: int | None
) -> int:
    """End the wait of a decision and return its row; raises `NotWaiting` where it does not wait.

    `configuration` is the row of the one in force, by which an approved order is judged.
    """
    rows = connection.execute(
        "UPDATE approvals SET ruling = ?, ruled_by = ?, ruled_at = ?, ruling_reason = ?,"
        " configuration = ? WHERE ruling IS NULL AND decision ="
        " (SELECT seq FROM decisions WHERE source = ? AND id = ?) RETURNING decision",
        (
            ruling.kind.value,
            storable(ruling.by),
            instant(ruling.at),
            storable(ruling.reason),
            configuration,
            storable(key.source),
            storable(key.id),
        ),
    ).fetchall()
    if not rows:
        raise NotWaiting(f"decision {key.id!r} of source {key.source!r} does not wait for approval")
    return int(rows[0][0])


def waiting(connection: sqlite3.Connection) -> list[Parked]:
    """What waits for a person, oldest first."""
    return [_read(row) for row in _rows(connection, "WHERE p.ruling IS NULL ORDER BY p.seq")]


def count_waiting(connection: sqlite3.Connection) -> int:
    """How many wait for a person."""
    found = connection.execute("SELECT count(*) FROM approvals WHERE ruling IS NULL")
    return int(found.fetchone()[0])


def newest(
    connection: sqlite3.Connection, limit: int, *, waiting_only: bool
) -> list[dict[str, object]]:
    """The newest `limit` rows, newest last; only what waits if `waiting_only`."""
    where = "WHERE p.ruling IS NULL" if waiting_only else ""
    rows = _rows(connection, f"{where} ORDER BY p.seq DESC LIMIT ?", limit)
    return [_json(row) for row in reversed(rows)]


def of_id(connection: sqlite3.Connection, id_: str) -> list[dict[str, object]]:
    """All rows of decisions of that id, of any source, newest last."""
    return [_json(row) for row in _rows(connection, "WHERE d.id = ? ORDER BY p.seq", storable(id_))]


def _rows(connection: sqlite3.Connection, rest: str, *parameters: object) -> list[sqlite3.Row]:
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(f"{_SELECT} {rest}", parameters).fetchall()


def _read(row: sqlite3.Row) -> Parked:
    return Parked(
        decision=_decision(row),
        received_at=datetime.fromisoformat(row["received_at"]),
        account=AccountKey(row["account_mode"], row["venue"], row["uid"]),
        symbol=Symbol(*row["symbol"].split("-", 1)),
        qty=Decimal(row["qty"]),
        requested_qty=Decimal(row["requested_qty"]),
        notional=Decimal(row["notional"]),
        reason=row["reason"],
        parked_at=datetime.fromisoformat(row["parked_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
    )


def _decision(row: sqlite3.Row) -> Decision:
    decision = parse_decision(read_json(row["payload"]), row["source"], "journal")
    if isinstance(decision, Decision):
        return decision
    raise JournalConflict(
        f"decision {row['decision_id']!r} waits for approval and cannot be read: {decision.reason}"
    )


def _json(row: sqlite3.Row) -> dict[str, object]:
    return {
        "decision_id": row["decision_id"],
        "source": row["source"],
        "account": str(AccountKey(row["account_mode"], row["venue"], row["uid"])),
        "symbol": row["symbol"],
        "side": row["side"],
        "qty": plain(Decimal(row["qty"])),
        "notional": plain(Decimal(row["notional"])),
        "decision": read_json(row["payload"]),
        "reason": row["reason"],
        "parked_at": row["parked_at"],
        "expires_at": row["expires_at"],
        "ruling": row["ruling"],
        "ruled_by": row["ruled_by"],
        "ruled_at": row["ruled_at"],
        "ruling_reason": row["ruling_reason"],
    }
