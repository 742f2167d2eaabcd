"""Intents, and what is known of their orders, as rows of ``orders``."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.execution import PaperStatus, SimulatedFill, TradeExecutionLog
from otonom_trader.domain.intent import Intent, OpenIntent, Reservation
from otonom_trader.domain.order import OrderRequest, OrderState, OrderStatus, Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.storage.rows import (
    Value,
    digits,
    instant,
    name_of,
    optional_digits,
    optional_instant,
    read_instant,
    storable,
)
from otonom_trader.storage.standing import Phase, Standing

ORDER_COLUMNS = (
    "client_order_id", "symbol", "venue_symbol", "side", "qty", "price", "order_type",
    "time_in_force", "requested_qty", "reserved_qty", "reserved_price", "paper_status", "paper_qty",
    "paper_quote_qty", "paper_fee", "paper_fee_asset", "recorded_at", "expires_at",
    "stop_price", "trailing_delta_bps", "iceberg_qty", "notional", "fee_pct",
)  # fmt: skip
"""The columns of `intent_row`."""

STANDING_COLUMNS = (
    "phase", "state", "status", "order_id", "signed_at_ms", "filled_qty", "quote_qty", "message",
    "code", "venue_code", "transact_time", "raw",
)  # fmt: skip
"""The columns of `standing_row`."""


def intent_row(intent: Intent) -> tuple[Value, ...]:
    """The values of `ORDER_COLUMNS`."""
    order, reserved, paper = intent.order, intent.reservation, intent.paper
    return (
        intent.client_order_id,
        intent.symbol.canonical,
        order.symbol,
        order.side.value,
        digits(order.qty),
        optional_digits(order.price),
        order.order_type.value,
        name_of(order.time_in_force),
        digits(intent.requested_qty),
        digits(reserved.qty),
        digits(reserved.price),
        *((None,) * 5 if paper is None else paper_row(paper)),
        instant(intent.recorded_at),
        optional_instant(intent.expires_at),
        optional_digits(order.stop_price),
        order.trailing_delta_bps,
        optional_digits(order.iceberg_qty),
        digits(intent.notional),
        digits(intent.fee_pct),
    )


def read_intent(row: sqlite3.Row) -> Intent:
    """The intent of a row of orders, with its decision's and its account's columns."""
    symbol, side = Symbol(*row["symbol"].split("-", 1)), Side(row["side"])
    return Intent(
        client_order_id=row["client_order_id"],
        account=AccountKey(row["account_mode"], row["venue"], row["uid"]),
        decision=DecisionKey(row["source"], row["decision_id"]),
        order=OrderRequest(
            symbol=row["venue_symbol"],
            side=side,
            qty=row["qty"],
            price=row["price"],
            order_type=row["order_type"],
            time_in_force=row["time_in_force"],
            client_order_id=row["client_order_id"],
            stop_price=row["stop_price"],
            trailing_delta_bps=row["trailing_delta_bps"],
            iceberg_qty=row["iceberg_qty"],
        ),
        symbol=symbol,
        reservation=Reservation(
            symbol, side, Decimal(row["reserved_qty"]), Decimal(row["reserved_price"])
        ),
        paper=_read_paper(row),
        requested_qty=Decimal(row["requested_qty"]),
        recorded_at=datetime.fromisoformat(row["recorded_at"]),
        expires_at=read_instant(row["expires_at"]),
        notional=Decimal(row["notional"]),
        fee_pct=Decimal(row["fee_pct"]),
    )


def read_open_intent(row: sqlite3.Row, execution: TradeExecutionLog | None) -> OpenIntent:
    """An unsettled order as start-up takes it up again."""
    return OpenIntent(
        intent=read_intent(row),
        order_id=row["order_id"],
        signed_at_ms=row["signed_at_ms"],
        filled_qty=Decimal(row["filled_qty"]),
        quote_qty=Decimal(row["quote_qty"]),
        execution=execution,
    )


def standing_row(standing: Standing) -> tuple[Value, ...]:
    """The values of `STANDING_COLUMNS`."""
    return (
        standing.phase.value,
        name_of(standing.state),
        name_of(standing.status),
        standing.order_id,
        standing.signed_at_ms,
        digits(standing.filled_qty),
        digits(standing.quote_qty),
        storable(standing.message),
        standing.code,
        standing.venue_code,
        optional_instant(standing.transact_time),
        storable(standing.raw),
    )


def read_standing(row: Sequence[Any]) -> Standing:
    """A standing from the values of `STANDING_COLUMNS`."""
    phase, state, status, order_id, signed_at_ms, filled, quote, message, code, venue, at, raw = row
    return Standing(
        phase=Phase(phase),
        state=None if state is None else OrderState(state),
        status=None if status is None else OrderStatus(status),
        order_id=order_id,
        signed_at_ms=signed_at_ms,
        filled_qty=Decimal(filled),
        quote_qty=Decimal(quote),
        message=message,
        code=code,
        venue_code=venue,
        transact_time=read_instant(at),
        raw=raw,
    )


def paper_row(paper: SimulatedFill) -> tuple[Value, ...]:
    """The values of the columns ``paper_*``."""
    return (
        paper.status.value,
        digits(paper.qty),
        digits(paper.quote_qty),
        digits(paper.fee),
        paper.fee_asset,
    )


def _read_paper(row: sqlite3.Row) -> SimulatedFill | None:
    if row["paper_status"] is None:
        return None
    return SimulatedFill(
        PaperStatus(row["paper_status"]),
        Decimal(row["paper_qty"]),
        Decimal(row["paper_quote_qty"]),
        Decimal(row["paper_fee"]),
        row["paper_fee_asset"],
    )
