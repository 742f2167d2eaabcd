"""The one log line of each execution, and of each order that waits; it comes after the commit."""

import math
import shlex

import structlog

from otonom_trader.domain.approval import Parked
from otonom_trader.domain.execution import Outcome, TradeExecutionLog, slippage_warning

log = structlog.get_logger("executor")

_EVENTS = {
    Outcome.DENIED: "decision.denied",
    Outcome.EXPIRED: "decision.expired",
    Outcome.HOLD: "decision.hold",
    Outcome.MALFORMED: "decision.malformed",
    Outcome.NOT_SENT: "decision.not_sent",
    Outcome.REJECTED: "decision.rejected",
    Outcome.UNKNOWN: "order.unknown",
}
_LEVELS = {
    Outcome.DENIED: "warning",
    Outcome.MALFORMED: "warning",
    Outcome.NOT_SENT: "warning",
    Outcome.REJECTED: "warning",
    Outcome.UNKNOWN: "error",
}


def tell_parked(parked: Parked) -> None:
    """Announce an order that waits for a person, with what to do about it."""
    id_, source = shlex.quote(parked.key.id), shlex.quote(parked.key.source)
    log.warning(
        "approval.parked",
        symbol=parked.symbol.canonical,
        side=parked.side,
        qty=parked.qty,
        notional=round(parked.notional, 2),
        mode=parked.account.mode,
        reason=parked.reason,
        expires_at=parked.expires_at,
        hint=f"otonom-trader approve {id_} --source {source}; or deny, with --reason TEXT",
    )


def tell(row: TradeExecutionLog) -> None:
    """Log `row` under the event that its outcome stands for; what does not apply is left out."""
    facts: dict[str, object] = {"outcome": row.outcome}
    if row.symbol:
        facts["symbol"] = row.symbol
    if row.side is not None:
        facts |= {"side": row.side, "qty": row.qty, "mode": row.mode}
    if row.client_order_id is not None:
        facts["client_order_id"] = row.client_order_id
    if row.paper_qty:
        facts["paper_fill_price"] = row.paper_fill_price
    if row.broker_ok:
        facts["order_id"] = row.broker_order_id
    if row.broker_ok and not math.isnan(row.latency_ms):
        facts["latency_ms"] = round(row.latency_ms, 1)
    if row.broker_qty:
        facts["broker_fill_price"] = row.broker_fill_price
    if row.broker_qty and row.paper_qty:
        facts["slippage_pct"] = round(row.slippage_estimate, 4)
    if not row.broker_ok and row.broker_message:
        facts |= {"code": row.broker_code, "reason": row.broker_message}
    log_line = getattr(log, _LEVELS.get(row.outcome, "info"))
    log_line(_EVENTS.get(row.outcome, "decision.executed"), **facts)
    if (warning := slippage_warning(row.slippage_estimate)) is not None:
        log.warning("slippage.high", reason=warning, symbol=row.symbol, side=row.side)
