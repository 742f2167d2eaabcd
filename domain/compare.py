"""Paper against broker: how a decision's execution row follows from its intent and its result."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.execution import (
    NONE_FILLED,
    Outcome,
    PaperStatus,
    SimulatedFill,
    Stage,
    TradeExecutionLog,
    slippage_pct,
)
from otonom_trader.domain.intent import Intent
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderResult, OrderState, OrderStatus
from otonom_trader.domain.resting import Leg, RestingOrder

ABSENT = "absent"
"""Code of a result that says: asked for after the fence, and never there."""

_WITHOUT_STATUS = {
    OrderState.REJECTED: Outcome.REJECTED,
    OrderState.NOT_SENT: Outcome.NOT_SENT,
    OrderState.UNKNOWN: Outcome.UNKNOWN,
}


def outcome_of(result: OrderResult) -> Outcome:
    """Return what a result means for its decision. Source: contract.md, "Formulas" (outcome)."""
    if result.code == ABSENT:
        return Outcome.ABSENT
    if result.state is not OrderState.ACCEPTED:
        return _WITHOUT_STATUS[result.state]
    status = result.status
    if status is None or not status.terminal:
        return Outcome.RESTING
    if status is OrderStatus.FILLED:
        return Outcome.FILLED
    if result.filled_qty:
        return Outcome.PARTLY_FILLED
    return {
        OrderStatus.CANCELED: Outcome.CANCELLED,
        OrderStatus.REJECTED: Outcome.REJECTED,
    }.get(status, Outcome.UNFILLED)


def is_terminal(outcome: Outcome, mode: Mode) -> bool:
    """Return whether a decision's outcome is its last: what rests, rests in a simulation too.

    An unanswered validation in shadow leaves no order to ask for: it stays unknown.
    """
    if outcome is Outcome.UNKNOWN:
        return mode is not Mode.LIVE
    return outcome is not Outcome.RESTING


def compare(
    intent: Intent,
    result: OrderResult,
    mode: Mode,
    now: datetime,
    *,
    stages_ns: Mapping[str, int] | None = None,
    before: TradeExecutionLog | None = None,
) -> TradeExecutionLog:
    """Return the execution row of `intent` after `result`.

    `before` is the row so far: what only the first acknowledgement told (its time and latency) is
    kept from it. Prices are quote per base, `slippage_estimate` is signed percent.
    """
    side, paper = intent.order.side, intent.paper
    outcome = outcome_of(result)
    stages = {**(before.stages_ns if before else {}), **(stages_ns or {}), **result.stages_ns}
    answered = result.state in (OrderState.ACCEPTED, OrderState.REJECTED)
    row = TradeExecutionLog(
        decision_id=intent.decision.id,
        source=intent.decision.source,
        symbol=intent.symbol.canonical,
        side=side,
        qty=intent.order.qty,
        requested_qty=intent.requested_qty,
        outcome=outcome,
        terminal=is_terminal(outcome, mode),
        mode=mode,
        client_order_id=intent.client_order_id,
        broker_ok=result.ok,
        broker_order_id=result.order_id,
        broker_message=result.message,
        broker_code=result.code,
        broker_ack_time=(result.transact_time or now) if answered else None,
        broker_qty=result.filled_qty,
        broker_fill_price=_price(result.avg_price),
        broker_fees=fees_by_asset(result),
        latency_ms=_milliseconds(stages.get(Stage.SIGN_TO_ACK)),
        slippage_estimate=slippage_pct(side, paper.avg_price if paper else None, result.avg_price),
        stages_ns=stages,
        recorded_at=now,
    )
    row = with_paper(row, paper)
    if before is not None and before.broker_ack_time is not None:
        row = replace(row, broker_ack_time=before.broker_ack_time)
    return row


_OF_PAPER = {
    PaperStatus.FILLED: Outcome.FILLED,
    PaperStatus.PARTLY_FILLED: Outcome.PARTLY_FILLED,
    PaperStatus.UNFILLED: Outcome.UNFILLED,
    PaperStatus.RESTING: Outcome.RESTING,
    PaperStatus.CANCELLED: Outcome.CANCELLED,
    PaperStatus.INSUFFICIENT_BALANCE: Outcome.UNFILLED,
}


def paper_outcome(paper: SimulatedFill) -> Outcome:
    """Return what a decision came to where only the paper leg took part."""
    return _OF_PAPER[paper.status]


def with_paper(row: TradeExecutionLog, paper: SimulatedFill | None) -> TradeExecutionLog:
    """Return `row` with the paper leg filled in; `paper` is None where it did not take part."""
    if paper is None:
        return row
    return replace(
        row,
        paper_status=paper.status,
        paper_qty=paper.qty,
        paper_fill_price=_price(paper.avg_price),
        paper_fee=paper.fee,
        paper_fee_asset=paper.fee_asset,
    )


def with_resting(row: TradeExecutionLog, resting: RestingOrder) -> TradeExecutionLog:
    """Return `row` after its resting order in a simulation has moved on."""
    fill = resting.so_far
    if resting.leg is Leg.PAPER:
        row = with_paper(row, fill)
    else:
        fees = {fill.fee_asset: fill.fee} if fill.fee else {}
        row = replace(
            row, broker_qty=fill.qty, broker_fill_price=_price(fill.avg_price), broker_fees=fees
        )
    if resting.decides:
        outcome = paper_outcome(fill)
        row = replace(row, outcome=outcome, terminal=outcome is not Outcome.RESTING)
    prices = (row.paper_fill_price, row.broker_fill_price)
    if row.side is not None and not any(price.is_nan() for price in prices):
        row = replace(row, slippage_estimate=slippage_pct(row.side, *prices))
    return row


def fees_by_asset(result: OrderResult) -> dict[str, Decimal]:
    """Return what the fills of `result` cost, by the asset it was paid in."""
    fees: dict[str, Decimal] = {}
    for fill in result.fills:
        fees[fill.fee_asset] = fees.get(fill.fee_asset, ZERO) + fill.fee
    return fees


def _price(price: Decimal | None) -> Decimal:
    return NONE_FILLED if price is None else price


def _milliseconds(duration_ns: int | None) -> float:
    return float("nan") if duration_ns is None else duration_ns / 1e6
