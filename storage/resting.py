"""Orders that rest on simulated accounts, as rows of ``resting_orders``."""

import sqlite3
from decimal import Decimal

from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.execution import PaperStatus, SimulatedFill
from otonom_trader.domain.order import OrderRequest
from otonom_trader.domain.resting import Leg, RestingOrder
from otonom_trader.domain.symbol import Symbol
from otonom_trader.storage.rows import (
    Value,
    digits,
    name_of,
    optional_digits,
    optional_instant,
    read_instant,
)

_COLUMNS = (
    "leg", "ledger", "symbol", "venue_symbol", "client_order_id", "side", "qty", "price",
    "order_type", "time_in_force", "stop_price", "trailing_delta_bps", "fee_pct", "filled_qty",
    "quote_qty", "fee", "fee_asset", "decides", "expires_at", "is_triggered", "best_price",
)  # fmt: skip


def insert(connection: sqlite3.Connection, decision: int, resting: RestingOrder) -> None:
    """Write an order that begins to rest."""
    connection.execute(
        f"INSERT INTO resting_orders (decision, {', '.join(_COLUMNS)})"  # noqa: S608
        f" VALUES (?{', ?' * len(_COLUMNS)})",
        (decision, *_row(resting)),
    )


def update(connection: sqlite3.Connection, decision: int, resting: RestingOrder) -> None:
    """Write how far an order has come; one that has ended is not kept."""
    connection.execute(
        "DELETE FROM resting_orders WHERE decision = ? AND leg = ?", (decision, resting.leg.value)
    )
    if not resting.has_ended:
        insert(connection, decision, resting)


def load(connection: sqlite3.Connection, ledger: str) -> list[RestingOrder]:
    """The orders that rest on the account called `ledger`, oldest first."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute(
        "SELECT r.*, d.source, d.id AS decision_id FROM resting_orders r"
        " JOIN decisions d ON d.seq = r.decision WHERE r.ledger = ? ORDER BY r.seq",
        (ledger,),
    )
    return [_read(row) for row in rows]


def _row(resting: RestingOrder) -> tuple[Value, ...]:
    order, so_far = resting.order, resting.so_far
    return (
        resting.leg.value,
        resting.ledger,
        resting.symbol.canonical,
        order.symbol,
        order.client_order_id,
        order.side.value,
        digits(order.qty),
        optional_digits(order.price),
        order.order_type.value,
        name_of(order.time_in_force),
        optional_digits(order.stop_price),
        order.trailing_delta_bps,
        digits(resting.fee_pct),
        digits(so_far.qty),
        digits(so_far.quote_qty),
        digits(so_far.fee),
        so_far.fee_asset,
        int(resting.decides),
        optional_instant(resting.expires_at),
        int(resting.is_triggered),
        optional_digits(resting.best_price),
    )


def _read(row: sqlite3.Row) -> RestingOrder:
    return RestingOrder(
        decision=DecisionKey(row["source"], row["decision_id"]),
        leg=Leg(row["leg"]),
        ledger=row["ledger"],
        symbol=Symbol(*row["symbol"].split("-", 1)),
        order=OrderRequest(
            row["venue_symbol"],
            row["side"],
            row["qty"],
            row["price"],
            row["order_type"],
            row["time_in_force"],
            client_order_id=row["client_order_id"],
            stop_price=row["stop_price"],
            trailing_delta_bps=row["trailing_delta_bps"],
        ),
        fee_pct=Decimal(row["fee_pct"]),
        so_far=SimulatedFill(
            PaperStatus.RESTING,
            Decimal(row["filled_qty"]),
            Decimal(row["quote_qty"]),
            Decimal(row["fee"]),
            row["fee_asset"],
        ),
        decides=bool(row["decides"]),
        expires_at=read_instant(row["expires_at"]),
        is_triggered=bool(row["is_triggered"]),
        best_price=None if row["best_price"] is None else Decimal(row["best_price"]),
    )
