"""What is answered to whoever asked for an order, in each of the four states."""

import re
import secrets
from dataclasses import replace
from typing import Final

from otonom_trader.brokers.binance.errors import NoSuchOrder, Reply
from otonom_trader.brokers.binance.orders.replies import Asked, stages_of
from otonom_trader.brokers.binance.rules.trading_rules import Violation
from otonom_trader.domain.errors import (
    NotListed,
    NotReady,
    OutcomeUnknown,
    PaperOnly,
    Rejected,
    TradingHalted,
    VenueError,
)
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState

FAILED_TO_PLACE: Final = "Failed to place Binance order"
FAILED_TO_CANCEL: Final = "Failed to cancel Binance order"
UNKNOWN: Final = "OUTCOME UNKNOWN, do not resend:"

_CLIENT_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,36}", re.ASCII)


def client_id_for(order: OrderRequest) -> str:
    """Return the client order id to send, a new one where the caller gave none."""
    return order.client_order_id or f"direct-{secrets.token_hex(12)}"


def check_client_id(text: str) -> str:
    """Return `text` when it can be an order's id; raises ``ValueError`` otherwise.

    Source: binance-facts.md, section 5 (client ids).
    """
    if not _CLIENT_ID.fullmatch(text):
        raise ValueError(f"an order id is 1 to 36 letters, digits, '-' and '_', not {text[:40]!r}")
    return text


def draft(asked: Asked, reply: Reply | None = None) -> OrderResult:
    """Return what can be said of an order while its outcome is not known."""
    order = asked.order
    return OrderResult(
        state=OrderState.NOT_SENT,
        symbol=asked.venue_symbol,
        side=order.side,
        client_order_id=asked.client_order_id,
        qty=order.qty,
        price=order.limit_price,
        order_type=order.order_type,
        stop_price=order.stop_price,
        trailing_delta_bps=order.trailing_delta_bps,
        iceberg_qty=order.iceberg_qty,
        signed_at_ms=reply.signed_at_ms if reply else None,
        raw=reply.text if reply else "",
        stages_ns=stages_of(reply) if reply else {},
    )


def refused(asked: Asked, violation: Violation) -> OrderResult:
    """Return the rejection of an order that breaks a rule: the venue would say the same."""
    return replace(
        draft(asked),
        state=OrderState.REJECTED,
        message=f"{FAILED_TO_PLACE}: {violation.message}",
        code=violation.code,
    )


def not_sent(known: OrderResult, error: VenueError | TradingHalted, failed: str) -> OrderResult:
    """Return the result when nothing about the order has left."""
    if isinstance(error, TradingHalted):
        return replace(known, message=str(error), code=_gate_code(error))
    state = (
        OrderState.REJECTED if isinstance(error, NotListed | NoSuchOrder) else OrderState.NOT_SENT
    )
    return replace(known, state=state, message=f"{failed}: {error}", code=error.code)


def rejected(known: OrderResult, error: Rejected) -> OrderResult:
    """Return the result of a definite refusal."""
    return replace(
        known,
        state=OrderState.REJECTED,
        message=str(error),
        code=error.code,
        venue_code=error.venue_code,
    )


def unknown(known: OrderResult, error: VenueError) -> OrderResult:
    """Return the result when the venue may or may not have acted."""
    code = error.code if isinstance(error, OutcomeUnknown) else OutcomeUnknown.code
    return replace(
        known,
        state=OrderState.UNKNOWN,
        message=f"{UNKNOWN} {error}",
        code=code,
        venue_code=error.venue_code,
    )


def _gate_code(error: TradingHalted) -> str:
    if isinstance(error, NotReady):
        return "not_ready"
    return "paper_only" if isinstance(error, PaperOnly) else "kill_switch"
