"""What is asked of the journal. Rows that are shown come as JSON-ready mappings, newest last."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.amount import ZERO, plain
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.execution import TradeExecutionLog
from otonom_trader.domain.intent import Intent, OpenIntent
from otonom_trader.domain.order import Fill
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.verdict import Verdict
from otonom_trader.storage import approvals
from otonom_trader.storage.execution_rows import EXECUTION_COLUMNS, execution_json, read_execution
from otonom_trader.storage.order_rows import read_intent, read_open_intent
from otonom_trader.storage.rows import json_text, read_json, read_verdicts, storable

_EXECUTION = (
    f"SELECT d.source, d.id AS decision_id, {', '.join(f'e.{name}' for name in EXECUTION_COLUMNS)}"  # noqa: S608
    " FROM executions e JOIN decisions d ON d.seq = e.decision"
)
_NEWEST_ROWS = 1000  # a clock set back leaves rows that are newer than the last: look past it
_OVERLAP = 100  # fills: how far back the venue's trades are compared with ours again


def seen(connection: sqlite3.Connection, keys: Iterable[DecisionKey]) -> dict[DecisionKey, str]:
    """The payload digest of each of `keys` that is claimed."""
    asked = {(storable(key.source), storable(key.id)): key for key in keys}
    rows = connection.execute(
        "SELECT d.source, d.id, d.digest FROM json_each(?) k CROSS JOIN decisions d"
        " ON d.source = json_extract(k.value, '$[0]') AND d.id = json_extract(k.value, '$[1]')",
        (json_text(list(asked)),),
    )
    return {asked[source, id_]: digest for source, id_, digest in rows}


def positions(connection: sqlite3.Connection) -> dict[str, str]:
    """How far each source was read."""
    return dict(connection.execute("SELECT source, position FROM positions").fetchall())


_ORDER_WITH_DECISION = (
    "SELECT o.*, d.source, d.id AS decision_id, a.mode AS account_mode, a.venue, a.uid"
    " FROM orders o JOIN decisions d ON d.seq = o.decision JOIN accounts a ON a.seq = o.account"
)


def open_intents(connection: sqlite3.Connection) -> list[OpenIntent]:
    """Every order that is not settled, oldest first."""
    rows = _rows(
        connection,
        f"{_ORDER_WITH_DECISION} WHERE o.phase <> 'SETTLED' ORDER BY o.seq",
    )
    return [
        read_open_intent(row, execution(connection, DecisionKey(row["source"], row["decision_id"])))
        for row in rows
    ]


def order_of(connection: sqlite3.Connection, client_order_id: str) -> tuple[int, int, Intent]:
    """The row of an order, that of its account, and its intent."""
    where = f"{_ORDER_WITH_DECISION} WHERE o.client_order_id = ?"
    (row,) = _rows(connection, where, client_order_id)
    return row["seq"], row["account"], read_intent(row)


def trade_mark(connection: sqlite3.Connection, account: AccountKey, symbol: str) -> str | None:
    """The trade id to ask from for what may be missing: that of a fill some way back.

    None where no fill of `symbol` is booked on `account`.
    """
    rows = connection.execute(
        "SELECT f.trade_id FROM fills f JOIN accounts a ON a.seq = f.account"
        " WHERE (a.mode, a.venue, a.uid, f.symbol) = (?, ?, ?, ?) ORDER BY f.seq DESC LIMIT ?",
        (account.mode, account.venue, account.uid, symbol, _OVERLAP),
    ).fetchall()
    return str(rows[-1][0]) if rows else None


def orders_with_missing_fills(
    connection: sqlite3.Connection,
    account: AccountKey,
    symbol: str,
    trades: Sequence[tuple[str, str]],
) -> list[Intent]:
    """Own orders of which `trades` (venue order id, trade id) has one that is not booked."""
    missing: dict[str, Intent] = {}
    for order_id, trade_id in trades:
        rows = _rows(
            connection,
            f"{_ORDER_WITH_DECISION} WHERE (a.mode, a.venue, a.uid, o.symbol, o.order_id)"  # noqa: S608
            " = (?, ?, ?, ?, ?) AND NOT EXISTS"
            ' (SELECT 1 FROM fills f WHERE f."order" = o.seq AND f.trade_id = ?)',
            *(account.mode, account.venue, account.uid, symbol, order_id, trade_id),
        )
        for row in rows:
            missing[row["client_order_id"]] = read_intent(row)
    return list(missing.values())


def has_order(connection: sqlite3.Connection, client_order_id: str) -> bool:
    """Whether an order of that id is on record."""
    found = connection.execute("SELECT 1 FROM orders WHERE client_order_id = ?", (client_order_id,))
    return found.fetchone() is not None


def fills(connection: sqlite3.Connection, client_order_id: str) -> tuple[Fill, ...]:
    """The fills of an order that are on record, oldest first."""
    rows = _rows(
        connection,
        'SELECT f.* FROM fills f JOIN orders o ON o.seq = f."order"'
        " WHERE o.client_order_id = ? ORDER BY f.seq",
        client_order_id,
    )
    return tuple(
        Fill(
            row["trade_id"],
            Decimal(row["price"]),
            Decimal(row["qty"]),
            Decimal(row["quote_qty"]),
            Decimal(row["fee"]),
            row["fee_asset"],
            datetime.fromisoformat(row["at"]),
            bool(row["is_maker"]),
        )
        for row in rows
    )


def orders(
    connection: sqlite3.Connection, limit: int, *, open_only: bool
) -> list[dict[str, object]]:
    """The newest `limit` orders; only those not settled if `open_only`."""
    where = "WHERE o.phase <> 'SETTLED'" if open_only else ""
    rows = _rows(
        connection,
        "SELECT o.*, d.source, d.id AS decision_id FROM orders o"  # noqa: S608
        f" JOIN decisions d ON d.seq = o.decision {where} ORDER BY o.seq DESC LIMIT ?",
        limit,
    )
    fees = _fees(connection, [row["seq"] for row in rows])
    return [_order_json(row, fees[row["seq"]]) for row in reversed(rows)]


def executions(connection: sqlite3.Connection, limit: int) -> list[dict[str, object]]:
    """The newest `limit` executions."""
    rows = _rows(connection, f"{_EXECUTION} ORDER BY e.decision DESC LIMIT ?", limit)
    return [execution_json(read_execution(row)) for row in reversed(rows)]


def execution(connection: sqlite3.Connection, key: DecisionKey) -> TradeExecutionLog | None:
    """A decision's execution row, None before its first outcome."""
    rows = _rows(connection, f"{_EXECUTION} WHERE d.source = ? AND d.id = ?", *key)
    return read_execution(rows[0]) if rows else None


def execution_history(connection: sqlite3.Connection, key: DecisionKey) -> list[TradeExecutionLog]:
    """What a decision's execution row was before each update, oldest first."""
    rows = connection.execute(
        "SELECT h.execution FROM executions_history h JOIN decisions d ON d.seq = h.decision"
        " WHERE d.source = ? AND d.id = ? ORDER BY h.seq",
        key,
    )
    names = {"source": key.source, "decision_id": key.id}
    return [read_execution(read_json(text) | names) for (text,) in rows]


def verdicts(connection: sqlite3.Connection, key: DecisionKey) -> tuple[Verdict, ...]:
    """What each guardrail said of a decision, in the order in which they were asked."""
    row = connection.execute(
        "SELECT s.verdicts FROM snapshots s JOIN decisions d ON d.seq = s.decision"
        " WHERE d.source = ? AND d.id = ?",
        key,
    ).fetchone()
    return read_verdicts(row[0]) if row else ()


def traded_symbols(connection: sqlite3.Connection) -> frozenset[Symbol]:
    """Every symbol met in a decision."""
    rows = connection.execute("SELECT symbol FROM symbols")
    return frozenset(Symbol(*name.split("-", 1)) for (name,) in rows)


def newest_row_at(connection: sqlite3.Connection) -> datetime | None:
    """When the newest claim, order or execution was written; None in an empty journal."""
    newest = [
        connection.execute(
            f"SELECT max(written) FROM (SELECT {column} AS written FROM {table}"  # noqa: S608
            f" ORDER BY {row} DESC LIMIT {_NEWEST_ROWS})"
        ).fetchone()[0]
        for table, column, row in (
            ("decisions", "recorded_at", "seq"),
            ("orders", "updated_at", "seq"),
            ("executions", "recorded_at", "decision"),
        )
    ]
    written = max(filter(None, newest), default=None)
    return None if written is None else datetime.fromisoformat(written)


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Decisions by outcome; without one yet as ``pending`` those sent or to be sent, and as
    ``waiting`` those that a person is to approve.
    """
    found = dict(
        connection.execute(
            "SELECT outcome, decisions FROM outcome_counts WHERE decisions > 0 ORDER BY outcome"
        ).fetchall()
    )
    (pending,) = connection.execute(
        "SELECT count(*) FROM orders WHERE phase <> 'SETTLED' AND phase = 'INTENT'"
    ).fetchone()
    without = {"pending": pending, "waiting": approvals.count_waiting(connection)}
    return found | {name: count for name, count in without.items() if count}


def _order_json(row: sqlite3.Row, fees: dict[str, str]) -> dict[str, object]:
    return {
        "decision_id": row["decision_id"],
        "source": row["source"],
        "client_order_id": row["client_order_id"],
        "order_id": row["order_id"],
        "symbol": row["symbol"],
        "side": row["side"],
        "order_type": row["order_type"],
        "time_in_force": row["time_in_force"],
        "phase": row["phase"],
        "state": row["state"],
        "status": row["status"],
        "qty": _plain(row["qty"]),
        "price": _plain(row["price"]),
        "stop_price": _plain(row["stop_price"]),
        "trailing_delta_bps": row["trailing_delta_bps"],
        "executed_qty": _plain(row["filled_qty"]),
        "quote_qty": _plain(row["quote_qty"]),
        "fees": fees,
        "message": row["message"],
        "code": row["code"],
        "signed_at_ms": row["signed_at_ms"],
        "recorded_at": row["recorded_at"],
        "updated_at": row["updated_at"],
    }


def _fees(connection: sqlite3.Connection, seqs: Sequence[int]) -> dict[int, dict[str, str]]:
    totals: dict[int, dict[str, Decimal]] = defaultdict(dict)
    rows = connection.execute(
        'SELECT "order", fee_asset, fee FROM json_each(?) k CROSS JOIN fills f'
        " ON f.\"order\" = k.value WHERE fee_asset <> ''",
        (json_text(seqs),),
    )
    for order, asset, fee in rows:
        totals[order][asset] = totals[order].get(asset, ZERO) + Decimal(fee)
    plain_fees = {
        order: {asset: plain(amount) for asset, amount in sorted(by_asset.items())}
        for order, by_asset in totals.items()
    }
    return defaultdict(dict, plain_fees)


def _rows(connection: sqlite3.Connection, sql: str, *parameters: object) -> list[sqlite3.Row]:
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(sql, parameters).fetchall()


def _plain(text: str | None) -> str | None:
    return None if text is None else plain(Decimal(text))
