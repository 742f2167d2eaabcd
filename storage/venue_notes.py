"""What is known of a venue beside our own orders: bans of this address, and orders of others."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from otonom_trader.domain.order import OrderResult
from otonom_trader.storage.rows import digits, instant, name_of, optional_digits, storable

_UPSERT_EXTERNAL = (
    "INSERT INTO external_orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET qty = excluded.qty, price = excluded.price,"
    " status = excluded.status, filled_qty = excluded.filled_qty, quote_qty = excluded.quote_qty,"
    " updated_at = excluded.updated_at"
)


def write_ban(connection: sqlite3.Connection, venue: str, until: datetime) -> None:
    """Note until when `venue` takes no request; the latest stands."""
    connection.execute(
        "INSERT INTO bans VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET until = max(until, excluded.until)",
        (venue, instant(until)),
    )


def ban_until(connection: sqlite3.Connection, venue: str, now: datetime) -> datetime | None:
    """Until when `venue` takes no request, None where no ban is in force."""
    row = connection.execute(
        "SELECT until FROM bans WHERE venue = ? AND until > ?", (venue, instant(now))
    ).fetchone()
    return None if row is None else datetime.fromisoformat(row[0])


def write_external(
    connection: sqlite3.Connection, venue: str, orders: Iterable[OrderResult], now: datetime
) -> None:
    """Note orders of others as they stand."""
    at = instant(now)
    connection.executemany(
        _UPSERT_EXTERNAL,
        [
            (
                venue,
                storable(order.symbol),
                order.order_id or "",
                storable(order.client_order_id or ""),
                name_of(order.side) or "",
                digits(order.qty),
                optional_digits(order.price),
                name_of(order.status) or "",
                digits(order.filled_qty),
                digits(order.quote_qty),
                at,
                at,
            )
            for order in orders
        ],
    )


def external_orders(connection: sqlite3.Connection, limit: int) -> list[dict[str, object]]:
    """The newest `limit` orders of others, the last told of last."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute(
        "SELECT * FROM external_orders ORDER BY updated_at DESC, order_id DESC LIMIT ?", (limit,)
    )
    return [dict(row) for row in reversed(rows.fetchall())]
