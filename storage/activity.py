"""What was ordered and owned before: kept with each order, and read at a start in few rows."""

import sqlite3
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Self

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.activity import Counted, EarlierActivity, EquityMarks, counted
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.compare import ABSENT
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.intent import Intent
from otonom_trader.domain.order import OrderState
from otonom_trader.domain.resting import Leg
from otonom_trader.domain.symbol import Symbol
from otonom_trader.storage.closings import bound_costs, losses_in_a_row
from otonom_trader.storage.queries import order_of
from otonom_trader.storage.rows import digits, instant

_MINUTE = timedelta(minutes=1)
_MOST_RECENT = 12_000  # more in a minute than any venue takes from one account


class Known(NamedTuple):
    """What an execution row tells of its order."""

    outcome: Outcome | None
    filled_qty: Decimal
    ended: bool

    @classmethod
    def of(cls, execution: TradeExecutionLog) -> Self:
        """What `execution` tells."""
        return cls(execution.outcome, execution.broker_qty, execution.terminal)


NOTHING_KNOWN = Known(None, ZERO, ended=False)


def count_intent(connection: sqlite3.Connection, account: int, intent: Intent) -> None:
    """Count an order in its day, as a whole."""
    _move(connection, account, intent, Counted(1, intent.notional))


def recount(
    connection: sqlite3.Connection,
    account: int,
    intent: Intent,
    before: Known,
    after: Known,
) -> None:
    """Bring an order's day up to what is known of it."""
    was, is_ = _counted(intent, before), _counted(intent, after)
    if was != is_:
        change = Counted(is_.orders - was.orders, is_.notional - was.notional)
        _move(connection, account, intent, change)


def earlier(connection: sqlite3.Connection, account: AccountKey, now: datetime) -> EarlierActivity:
    """What is known of `account` at `now`; nothing where it has never ordered."""
    row = _account(connection, account)
    if row is None:
        return EarlierActivity()
    today = connection.execute(
        "SELECT orders, notional FROM order_days WHERE account = ? AND day = ?", (row, _day(now))
    ).fetchall()
    last_orders = connection.execute(
        "SELECT symbol, max(last_at) FROM order_days WHERE account = ? GROUP BY symbol", (row,)
    )
    return EarlierActivity(
        recent=_recent(connection, row, now),
        orders_today=sum(orders for orders, _ in today),
        notional_today=sum((Decimal(notional) for _, notional in today), ZERO),
        last_orders={symbol: datetime.fromisoformat(at) for symbol, at in last_orders},
        marks=_marks(connection, row),
        losses_in_a_row=losses_in_a_row(connection, row),
        resting=_resting(connection, row),
    )


def write_marks(connection: sqlite3.Connection, account: AccountKey, marks: EquityMarks) -> None:
    """Note what losses of `account` are measured from."""
    names = (account.mode, account.venue, account.uid)
    connection.execute(
        "INSERT INTO accounts (mode, venue, uid) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", names
    )
    connection.execute(
        "INSERT OR REPLACE INTO equity_marks VALUES (?, ?, ?, ?)",
        (
            _account(connection, account),
            marks.day.isoformat(),
            digits(marks.day_start),
            digits(marks.highest),
        ),
    )


def forget_marks(connection: sqlite3.Connection) -> None:
    """Have losses measured from the next reading on."""
    connection.execute("DELETE FROM equity_marks")


def account_losses(connection: sqlite3.Connection, account: AccountKey) -> int:
    """How many closing orders of `account` have lost in a row."""
    row = _account(connection, account)
    return 0 if row is None else losses_in_a_row(connection, row)


def bought(connection: sqlite3.Connection, account: AccountKey) -> dict[str, Decimal]:
    """What own fills of `account` have bought and not sold, in base by canonical symbol."""
    rows = connection.execute(
        "SELECT symbol, qty FROM costs WHERE account = ?", (_account(connection, account),)
    )
    return {symbol: Decimal(qty) for symbol, qty in rows if Decimal(qty) > ZERO}


def forget_gone(
    connection: sqlite3.Connection, account: AccountKey, balances: Mapping[str, Decimal]
) -> None:
    """Forget the cost of what `account` does not hold any more, by the venue's `balances`."""
    row = _account(connection, account)
    if row is not None:
        for base in {Symbol.parse(symbol).base for symbol in bought(connection, account)}:
            bound_costs(connection, row, base, balances.get(base, ZERO))


def _counted(intent: Intent, known: Known) -> Counted:
    qty = intent.order.qty
    return counted(intent.notional, qty, known.outcome, known.filled_qty, ended=known.ended)


def _move(connection: sqlite3.Connection, account: int, intent: Intent, change: Counted) -> None:
    key = (account, _day(intent.recorded_at), intent.symbol.canonical)
    known = connection.execute(
        "SELECT orders, notional, last_at FROM order_days"
        " WHERE account = ? AND day = ? AND symbol = ?",
        key,
    ).fetchone()
    orders, notional, last_at = known or (0, "0", "")
    connection.execute(
        "INSERT OR REPLACE INTO order_days VALUES (?, ?, ?, ?, ?, ?)",
        (
            *key,
            orders + change.orders,
            digits(Decimal(notional) + change.notional),
            max(last_at, instant(intent.recorded_at)),
        ),
    )


def _recent(connection: sqlite3.Connection, account: int, now: datetime) -> dict[str, datetime]:
    """The orders of the last minute that left, newest first; no older rows are looked at."""
    since = instant(now - _MINUTE)
    recent: dict[str, datetime] = {}
    rows = connection.execute(
        "SELECT account, client_order_id, recorded_at,"
        " phase = 'SETTLED' AND state = ? AND code IS NOT ? FROM orders ORDER BY seq DESC LIMIT ?",
        (OrderState.NOT_SENT.value, ABSENT, _MOST_RECENT),
    )
    for of, client_order_id, recorded_at, has_not_left in rows:
        if recorded_at < since:
            break
        if of == account and not has_not_left:
            recent[client_order_id] = datetime.fromisoformat(recorded_at)
    return recent


def _resting(connection: sqlite3.Connection, account: int) -> list[Intent]:
    """The orders that rest in shadow's books, oldest first."""
    rows = connection.execute(
        "SELECT o.client_order_id FROM resting_orders r"
        " JOIN orders o ON o.client_order_id = r.client_order_id"
        " WHERE r.leg = ? AND o.account = ? ORDER BY r.seq",
        (Leg.EXPECTED.value, account),
    )
    return [order_of(connection, client_order_id)[2] for (client_order_id,) in rows.fetchall()]


def _marks(connection: sqlite3.Connection, account: int) -> EquityMarks | None:
    row = connection.execute(
        "SELECT day, day_start, highest FROM equity_marks WHERE account = ?", (account,)
    ).fetchone()
    if row is None:
        return None
    return EquityMarks(date.fromisoformat(row[0]), Decimal(row[1]), Decimal(row[2]))


def _account(connection: sqlite3.Connection, account: AccountKey) -> int | None:
    row = connection.execute(
        "SELECT seq FROM accounts WHERE mode = ? AND venue = ? AND uid = ?",
        (account.mode, account.venue, account.uid),
    ).fetchone()
    return None if row is None else int(row[0])


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()
