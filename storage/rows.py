"""Domain values as the journal's columns hold them, and back.

Decimals are text without exponent, times ISO 8601 text in UTC with microseconds (so that text order
is time order), mappings JSON; a price that does not exist (NaN) is NULL.
"""

import hashlib
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.amount import plain
from otonom_trader.domain.decision import Decision, DecisionKey, Malformed
from otonom_trader.domain.execution import (
    NONE_FILLED,
    Outcome,
    PaperStatus,
    SimulatedFill,
    TradeExecutionLog,
)
from otonom_trader.domain.intent import Intent, OpenIntent, Reservation
from otonom_trader.domain.ledger import Payment
from otonom_trader.domain.market import Level
from otonom_trader.domain.order import OrderRequest, OrderState, OrderStatus, Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.storage.standing import Phase, Standing

Value = str | int | float | None
"""What a column may hold."""

_encode = msgspec.json.Encoder().encode

EXECUTION_COLUMNS = (
    "symbol", "side", "qty", "outcome", "mode", "client_order_id", "paper_status", "paper_qty",
    "paper_fill_price", "paper_fee", "paper_fee_asset", "broker_ok", "broker_order_id",
    "broker_message", "broker_code", "broker_ack_time", "broker_qty", "broker_fill_price",
    "broker_fees", "latency_ms", "slippage_estimate", "requested_qty", "stages_ns", "recorded_at",
    "terminal",
)  # fmt: skip
"""The columns of `execution_row`; source and id stand in the decision's own row."""

ORDER_COLUMNS = (
    "client_order_id", "symbol", "venue_symbol", "side", "qty", "price", "order_type",
    "time_in_force", "requested_qty", "reserved_qty", "reserved_price", "paper_status", "paper_qty",
    "paper_quote_qty", "paper_fee", "paper_fee_asset", "recorded_at", "expires_at",
)  # fmt: skip
"""The columns of `intent_row`."""

STANDING_COLUMNS = (
    "phase", "state", "status", "order_id", "signed_at_ms", "filled_qty", "quote_qty", "message",
    "code", "venue_code", "transact_time", "raw",
)  # fmt: skip
"""The columns of `standing_row`."""


def digits(value: Decimal) -> str:
    """An amount as text: digits and point, every digit kept."""
    return f"{value:f}"


def json_text(value: object) -> str:
    """JSON as it is kept, of mappings, sequences, text and whole numbers."""
    return _encode(value).decode()


def read_json(text: str) -> Any:
    """What `json_text` was given; mappings and lists."""
    return msgspec.json.decode(text)


def instant(moment: datetime) -> str:
    """A time as text; ``ValueError`` for one without a zone."""
    if moment.tzinfo is None:
        raise ValueError("times in the journal carry their zone")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")


def storable(text: str) -> str:
    """`text` as UTF-8 can hold it: a lone surrogate becomes its escape."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def payload(item: Decision | Malformed) -> str:
    """A claim's content as it is kept: a decision's fields as JSON, else what came."""
    if isinstance(item, Malformed):
        return storable(item.raw)
    return json_text(item.payload())


def payload_digest(item: Decision | Malformed) -> str:
    """By what a repeat of a claim is told from another content under the same id."""
    return digest(payload(item))


def digest(text: str) -> str:
    """The digest of a claim's `payload`."""
    return hashlib.sha256(text.encode()).hexdigest()


def intent_row(intent: Intent) -> tuple[Value, ...]:
    """The values of `ORDER_COLUMNS`."""
    order, reserved, paper = intent.order, intent.reservation, intent.paper
    return (
        intent.client_order_id,
        intent.symbol.canonical,
        order.symbol,
        order.side.value,
        digits(order.qty),
        _digits(order.price),
        order.order_type.value,
        _name(order.time_in_force),
        digits(intent.requested_qty),
        digits(reserved.qty),
        digits(reserved.price),
        *((None,) * 5 if paper is None else _paper_row(paper)),
        instant(intent.recorded_at),
        _instant(intent.expires_at),
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
        ),
        symbol=symbol,
        reservation=Reservation(
            symbol, side, Decimal(row["reserved_qty"]), Decimal(row["reserved_price"])
        ),
        paper=_read_paper(row),
        requested_qty=Decimal(row["requested_qty"]),
        recorded_at=datetime.fromisoformat(row["recorded_at"]),
        expires_at=_read_instant(row["expires_at"]),
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
        _name(standing.state),
        _name(standing.status),
        standing.order_id,
        standing.signed_at_ms,
        digits(standing.filled_qty),
        digits(standing.quote_qty),
        storable(standing.message),
        standing.code,
        standing.venue_code,
        _instant(standing.transact_time),
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
        transact_time=_read_instant(at),
        raw=raw,
    )


def execution_row(execution: TradeExecutionLog, now: datetime) -> tuple[Value, ...]:
    """The values of `EXECUTION_COLUMNS`; `now` dates a row that brings no time of its own."""
    return (
        storable(execution.symbol),
        _name(execution.side),
        digits(execution.qty),
        execution.outcome.value,
        execution.mode,
        execution.client_order_id,
        _name(execution.paper_status),
        digits(execution.paper_qty),
        _digits(execution.paper_fill_price),
        digits(execution.paper_fee),
        execution.paper_fee_asset,
        int(execution.broker_ok),
        execution.broker_order_id,
        storable(execution.broker_message),
        execution.broker_code,
        _instant(execution.broker_ack_time),
        digits(execution.broker_qty),
        _digits(execution.broker_fill_price),
        amounts_text(execution.broker_fees),
        None if math.isnan(execution.latency_ms) else execution.latency_ms,
        _digits(execution.slippage_estimate),
        _digits(execution.requested_qty),
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
        broker_ack_time=_read_instant(row["broker_ack_time"]),
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


def levels_text(levels: Iterable[Level]) -> str:
    """Book levels as JSON ``[[price, qty], ...]``, best first."""
    return json_text([(digits(price), digits(qty)) for price, qty in levels])


def amounts_text(amounts: Mapping[str, Decimal]) -> str:
    """Amounts by asset as JSON."""
    return json_text({asset: digits(amount) for asset, amount in amounts.items()})


def read_amounts(text: str) -> dict[str, Decimal]:
    """Amounts by asset from JSON."""
    return {asset: Decimal(amount) for asset, amount in read_json(text).items()}


def payment_row(payment: Payment) -> tuple[str, str, str, str]:
    """Symbol, base change, quote change and changes of a ledger entry."""
    return (
        payment.symbol,
        digits(payment.base_change),
        digits(payment.quote_change),
        amounts_text(payment.changes),
    )


def read_payment(symbol: str, base_change: str, quote_change: str, changes: str) -> Payment:
    """A payment from the values of `payment_row`."""
    return Payment(symbol, Decimal(base_change), Decimal(quote_change), read_amounts(changes))


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


def _name(member: StrEnum | None) -> str | None:
    # SQLite binds a plain str at once and looks for adapters for any other.
    return None if member is None else member.value


def _paper_row(paper: SimulatedFill) -> tuple[Value, ...]:
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


def _digits(value: Decimal | None) -> str | None:
    return None if value is None or value.is_nan() else f"{value:f}"


def _price(text: str | None) -> Decimal:
    return NONE_FILLED if text is None else Decimal(text)


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else instant(moment)


def _read_instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
