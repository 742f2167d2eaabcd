"""Executions as rows of ``executions``, and as they are shown."""

import math
import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from otonom_trader.domain.amount import plain
from otonom_trader.domain.execution import NONE_FILLED, Outcome, PaperStatus, TradeExecutionLog
from otonom_trader.domain.order import Side
from otonom_trader.storage.rows import (
    Value,
    amounts_text,
    digits,
    instant,
    json_text,
    name_of,
    optional_digits,
    optional_instant,
    read_amounts,
    read_instant,
    read_json,
    storable,
)

EXECUTION_COLUMNS = (
    "symbol", "side", "qty", "outcome", "mode", "client_order_id", "paper_status", "paper_qty",
    "paper_fill_price", "paper_fee", "paper_fee_asset", "broker_ok", "broker_order_id",
    "broker_message", "broker_code", "broker_ack_time", "broker_qty", "broker_fill_price",
    "broker_fees", "latency_ms", "slippage_estimate", "requested_qty", "stages_ns", "recorded_at",
    "terminal",
)  # fmt: skip
"""The columns of `execution_row`; source and id stand in the decision's own row."""


def execution_row(execution: TradeExecutionLog, now: datetime) -> tuple[Value, ...]:
    """The values of `EXECUTION_COLUMNS`; `now` dates a row that brings no time of its own."""
    return (
        storable(execution.symbol),
        name_of(execution.side),
        digits(execution.qty),
        execution.outcome.value,
        execution.mode,
        execution.client_order_id,
        name_of(execution.paper_status),
        digits(execution.paper_qty),
        optional_digits(execution.paper_fill_price),
        digits(execution.paper_fee),
        execution.paper_fee_asset,
        int(execution.broker_ok),
        execution.broker_order_id,
        storable(execution.broker_message),
        execution.broker_code,
        optional_instant(execution.broker_ack_time),
        digits(execution.broker_qty),
        optional_digits(execution.broker_fill_price),
        amounts_text(execution.broker_fees),
        None if math.isnan(execution.latency_ms) else execution.latency_ms,
        optional_digits(execution.slippage_estimate),
        optional_digits(execution.requested_qty),
        json_text(dict(execution.stages_ns)),
        instant(execution.recorded_at or now),
        int(execution.terminal),
    )


def read_execution(row: sqlite3.Row | Mapping[str, Any]) -> TradeExecutionLog:
    """The execution of a row of executions, with its decision's source and id."""
    status = row["paper_status"]
    return TradeExecutionLog(
        decision_id=row["decision_id"],
        source=row["source"],
        symbol=row["symbol"],
        side=None if row["side"] is None else Side(row["side"]),
        qty=Decimal(row["qty"]),
        outcome=Outcome(row["outcome"]),
        mode=row["mode"],
        client_order_id=row["client_order_id"],
        paper_status=None if status is None else PaperStatus(status),
        paper_qty=Decimal(row["paper_qty"]),
        paper_fill_price=_price(row["paper_fill_price"]),
        paper_fee=Decimal(row["paper_fee"]),
        paper_fee_asset=row["paper_fee_asset"],
        broker_ok=bool(row["broker_ok"]),
        broker_order_id=row["broker_order_id"],
        broker_message=row["broker_message"],
        broker_code=row["broker_code"],
        broker_ack_time=read_instant(row["broker_ack_time"]),
        broker_qty=Decimal(row["broker_qty"]),
        broker_fill_price=_price(row["broker_fill_price"]),
        broker_fees=read_amounts(row["broker_fees"]),
        latency_ms=math.nan if row["latency_ms"] is None else row["latency_ms"],
        slippage_estimate=_price(row["slippage_estimate"]),
        requested_qty=None if row["requested_qty"] is None else Decimal(row["requested_qty"]),
        stages_ns=read_json(row["stages_ns"]),
        recorded_at=datetime.fromisoformat(row["recorded_at"]),
        terminal=bool(row["terminal"]),
    )


def execution_json(execution: TradeExecutionLog) -> dict[str, object]:
    """All fields as JSON holds them: money and times as text, what does not exist as null."""
    return {field.name: _json(getattr(execution, field.name)) for field in fields(execution)}


def _json(value: object) -> object:
    match value:
        case Decimal():
            return None if value.is_nan() else plain(value)
        case float():
            return None if math.isnan(value) else value
        case datetime():
            return instant(value)
        case StrEnum():
            return value.value
        case Mapping():
            return {name: _json(part) for name, part in value.items()}
    return value


def _price(text: str | None) -> Decimal:
    return NONE_FILLED if text is None else Decimal(text)
