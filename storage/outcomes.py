"""What came of an intent: the order as it stands, its fills, its execution row."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.compare import with_resting
from otonom_trader.domain.errors import JournalError, TradeConflict
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.intent import Intent, LedgerChange
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import Fill, OrderResult, Side
from otonom_trader.domain.resting import Leg, RestingOrder
from otonom_trader.storage import activity, closings, ledgers, queries, resting
from otonom_trader.storage.errors import JournalConflict
from otonom_trader.storage.execution_rows import EXECUTION_COLUMNS, execution_row
from otonom_trader.storage.order_rows import (
    STANDING_COLUMNS,
    paper_row,
    read_standing,
    standing_row,
)
from otonom_trader.storage.rows import Value, digits, instant, json_text, storable
from otonom_trader.storage.standing import ExecutionRank, Standing, merged

_SELECT_ORDER = (
    f"SELECT o.seq, o.decision, o.account, e.terminal, e.broker_qty, e.outcome,"  # noqa: S608
    f" {', '.join(f'o.{name}' for name in STANDING_COLUMNS)} FROM orders o"
    " LEFT JOIN executions e ON e.decision = o.decision WHERE o.client_order_id = ?"
)
_UPDATE_ORDER = (
    f"UPDATE orders SET updated_at = ?, {', '.join(f'{name} = ?' for name in STANDING_COLUMNS)}"  # noqa: S608
    " WHERE seq = ?"
)
_INSERT_EXECUTION = (
    f"INSERT INTO executions (decision, {', '.join(EXECUTION_COLUMNS)})"  # noqa: S608
    f" VALUES (?{', ?' * len(EXECUTION_COLUMNS)})"
)
_UPDATE_EXECUTION = (
    f"UPDATE executions SET {', '.join(f'{name} = ?' for name in EXECUTION_COLUMNS)}"  # noqa: S608
    " WHERE decision = ?"
)
_SELECT_EXECUTION = f"SELECT {', '.join(EXECUTION_COLUMNS)} FROM executions WHERE decision = ?"  # noqa: S608


def settle(
    connection: sqlite3.Connection,
    known: ledgers.Known,
    intent: Intent,
    result: OrderResult,
    execution: TradeExecutionLog,
    shadow: LedgerChange | None,
    rests: RestingOrder | None,
    now: datetime,
) -> None:
    """Book what `result` tells: see `IntentLog.settle`.

    The order is SETTLED once `execution` is terminal, and outside of live, where there is no order
    to ask for, at once. Raises
    `JournalError` for an intent that was never recorded, `TradeConflict` for a fill that is
    written otherwise, `JournalConflict` for more fills than the order asked for.
    """
    if (execution.source, execution.decision_id) != intent.decision:
        raise ValueError(
            f"the execution of {execution.decision_id} is not that of {intent.decision.id}"
        )
    row = connection.execute(_SELECT_ORDER, (intent.client_order_id,)).fetchone()
    if row is None:
        raise JournalError(f"order {intent.client_order_id} was never recorded as an intent")
    order, decision, account, terminal, filled, outcome, *standing = row
    before = read_standing(standing)
    after = merged(before, result, settles=execution.terminal or execution.mode != Mode.LIVE)
    realised = None
    if result.fills:
        fresh = _book_fills(connection, intent, order, account, result.fills)
        if execution.mode == Mode.LIVE:
            realised = _book_costs(connection, account, intent, fresh)
        after = _at_least(after, *_filled(connection, order))
    if after.filled_qty > intent.order.qty:
        raise JournalConflict(
            f"order {intent.client_order_id} of {digits(intent.order.qty)} {intent.symbol.base} "
            f"would be filled with {digits(after.filled_qty)}"
        )
    if after != before:
        connection.execute(_UPDATE_ORDER, (instant(now), *standing_row(after), order))
    was = activity.NOTHING_KNOWN
    if outcome is None:
        insert_execution(connection, decision, execution, now)
        is_ = activity.Known.of(execution)
    else:
        was = is_ = activity.Known(Outcome(outcome), Decimal(filled), bool(terminal))
        rank = ExecutionRank(bool(terminal), Decimal(filled), outcome != Outcome.UNKNOWN)
        if rank.gives_way_to(ExecutionRank.of(execution)):
            _replace_execution(connection, decision, execution, now)
            is_ = activity.Known.of(execution)
    if shadow is not None and not ledgers.is_booked(connection, decision, shadow):
        realised = ledgers.book(connection, known, decision, shadow, now)
    _count(connection, account, order, intent, realised, was, is_, now)
    if rests is not None:
        resting.insert(connection, decision, rests)


def move_resting(
    connection: sqlite3.Connection,
    known: ledgers.Known,
    moved: RestingOrder,
    change: LedgerChange | None,
    now: datetime,
) -> TradeExecutionLog | None:
    """Write how far a resting order has come: see `IntentLog.move_resting`."""
    key = moved.decision
    (decision,) = connection.execute(
        "SELECT seq FROM decisions WHERE source = ? AND id = ?",
        (storable(key.source), storable(key.id)),
    ).fetchone()
    resting.update(connection, decision, moved)
    realised = None
    if change is not None:
        realised = ledgers.book(connection, known, decision, change, now)
    if moved.leg is Leg.PAPER:
        connection.execute(
            "UPDATE orders SET paper_status = ?, paper_qty = ?, paper_quote_qty = ?, paper_fee = ?,"
            " paper_fee_asset = ? WHERE client_order_id = ?",
            (*paper_row(moved.so_far), moved.order.client_order_id),
        )
    row = queries.execution(connection, key)
    if row is None:
        return None
    after = with_resting(row, moved)
    _replace_execution(connection, decision, after, now)
    if moved.leg is Leg.EXPECTED:
        order, account, intent = queries.order_of(connection, moved.order.client_order_id or "")
        was, is_ = activity.Known.of(row), activity.Known.of(after)
        _count(connection, account, order, intent, realised, was, is_, now)
    return after


def _count(
    connection: sqlite3.Connection,
    account: int,
    order: int,
    intent: Intent,
    realised: Decimal | None,
    was: activity.Known,
    is_: activity.Known,
    now: datetime,
) -> None:
    """Count what an order has realised, and what it counts for: `is_` where it `was`."""
    closings.realise(connection, order, realised)
    activity.recount(connection, account, intent, was, is_)
    if is_.ended and intent.order.side is Side.SELL:
        closings.close(connection, account, order, now)


def insert_execution(
    connection: sqlite3.Connection, decision: int, execution: TradeExecutionLog, now: datetime
) -> None:
    """Write the first version of a decision's execution row."""
    connection.execute(_INSERT_EXECUTION, (decision, *execution_row(execution, now)))


def _replace_execution(
    connection: sqlite3.Connection, decision: int, execution: TradeExecutionLog, now: datetime
) -> None:
    told = execution_row(execution, now)
    stands = connection.execute(_SELECT_EXECUTION, (decision,)).fetchone()
    if _telling(stands) == _telling(told):
        return  # asked again, and nothing new: a resting order would fill the history
    connection.execute(
        "INSERT INTO executions_history (decision, execution, replaced_at) VALUES (?, ?, ?)",
        (decision, json_text(dict(zip(EXECUTION_COLUMNS, stands, strict=True))), instant(now)),
    )
    connection.execute(_UPDATE_EXECUTION, (*told, decision))


def _telling(row: Sequence[Value]) -> list[Value]:
    columns = zip(EXECUTION_COLUMNS, row, strict=True)
    return [value for name, value in columns if name not in ("recorded_at", "stages_ns")]


def _book_fills(
    connection: sqlite3.Connection,
    intent: Intent,
    order: int,
    account: int,
    fills: Iterable[Fill],
) -> list[Fill]:
    """Write what is not written yet of `fills`, and return it."""
    fresh: list[Fill] = []
    for fill in fills:
        identity = (account, intent.symbol.canonical, fill.trade_id, intent.order.side.value)
        written = connection.execute(
            'SELECT "order", price, qty FROM fills'
            " WHERE account = ? AND symbol = ? AND trade_id = ? AND side = ?",
            identity,
        ).fetchone()
        if written is None:
            _insert_fill(connection, order, identity, fill)
            fresh.append(fill)
        elif (written[0], Decimal(written[1]), Decimal(written[2])) != (
            order,
            fill.price,
            fill.qty,
        ):
            raise TradeConflict(
                f"trade {fill.trade_id} of {intent.symbol} is on record with another order, price "
                f"or quantity than the venue now tells of order {intent.client_order_id}: the "
                "venue was reset, or another took its place"
            )
    return fresh


def _book_costs(
    connection: sqlite3.Connection, account: int, intent: Intent, fresh: Iterable[Fill]
) -> Decimal | None:
    booked = (closings.book_cost(connection, account, intent, fill) for fill in fresh)
    sold = [realised for realised in booked if realised is not None]
    return sum(sold, ZERO) if sold else None


def _insert_fill(
    connection: sqlite3.Connection, order: int, identity: tuple[int, str, str, str], fill: Fill
) -> None:
    connection.execute(
        'INSERT INTO fills ("order", account, symbol, trade_id, side, price, qty, quote_qty, fee,'
        " fee_asset, at, is_maker) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            order,
            *identity,
            digits(fill.price),
            digits(fill.qty),
            digits(fill.quote_qty),
            digits(fill.fee),
            fill.fee_asset,
            instant(fill.at),
            int(fill.is_maker),
        ),
    )


def _filled(connection: sqlite3.Connection, order: int) -> tuple[Decimal, Decimal]:
    rows = connection.execute('SELECT qty, quote_qty FROM fills WHERE "order" = ?', (order,))
    amounts = [(Decimal(qty), Decimal(quote_qty)) for qty, quote_qty in rows]
    return sum((qty for qty, _ in amounts), ZERO), sum((quote for _, quote in amounts), ZERO)


def _at_least(standing: Standing, qty: Decimal, quote_qty: Decimal) -> Standing:
    """A late fill counts even where the cumulative quantity that came with it is older."""
    if (qty, quote_qty) <= (standing.filled_qty, standing.quote_qty):
        return standing
    return replace(standing, filled_qty=qty, quote_qty=quote_qty)
