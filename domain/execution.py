"""Executions: what became of a decision, on paper and at the broker, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.order import Side

NONE_FILLED = Decimal("NaN")
"""Stands where there is no price to tell; it formats as NaN and compares with nothing."""

SLIPPAGE_WARNING_PCT = Decimal(2)
"""Slippage above this is warned about. Source: the guide, "Troubleshooting"."""


class Outcome(StrEnum):
    """What a decision came to. Source: contract.md, "Formulas" (outcome)."""

    FILLED = "filled"
    PARTLY_FILLED = "partly_filled"
    UNFILLED = "unfilled"
    RESTING = "resting"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    ABSENT = "absent"
    DENIED = "denied"
    EXPIRED = "expired"
    HOLD = "hold"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"


class Stage(StrEnum):
    """Stages of a decision's way; each is a monotonic duration in nanoseconds."""

    SNAPSHOT = "snapshot"
    QUEUE = "queue"
    JUDGE = "judge"
    INTENT = "intent"
    SIGN_TO_ACK = "sign_to_ack"
    DECISION_TO_ACK = "decision_to_ack"
    FIRST_FILL = "first_fill"
    DONE = "done"


class PaperStatus(StrEnum):
    """What became of the paper leg."""

    FILLED = "filled"
    PARTLY_FILLED = "partly_filled"
    UNFILLED = "unfilled"
    RESTING = "resting"
    CANCELLED = "cancelled"
    INSUFFICIENT_BALANCE = "insufficient_balance"


@dataclass(frozen=True, slots=True)
class SimulatedFill:
    """A fill on a book that was read, not at a venue: the paper leg, and shadow's expected fill.

    `fee` is in `fee_asset`, the asset received.
    """

    status: PaperStatus
    qty: Decimal = ZERO
    quote_qty: Decimal = ZERO
    fee: Decimal = ZERO
    fee_asset: str = ""

    @property
    def avg_price(self) -> Decimal | None:
        """Quote over base; None when nothing filled."""
        return self.quote_qty / self.qty if self.qty else None


@dataclass(frozen=True, slots=True)
class TradeExecutionLog:
    """One decision's execution: the row that is kept, logged and shown.

    Prices are in quote per base. `paper_fill_price`, `latency_ms` and `slippage_estimate` are NaN
    where there is none (nothing filled, nothing sent). `latency_ms` runs from signing to
    acknowledgement; `slippage_estimate` is in percent, positive is worse for us.
    Source: the guide, "Shadow Mode Executor"; contract.md, "Formulas".
    """

    decision_id: str
    symbol: str
    side: Side | None
    qty: Decimal
    outcome: Outcome
    source: str = "direct"
    mode: str = ""
    client_order_id: str | None = None
    paper_status: PaperStatus | None = None
    paper_qty: Decimal = ZERO
    paper_fill_price: Decimal = NONE_FILLED
    paper_fee: Decimal = ZERO
    paper_fee_asset: str = ""
    broker_ok: bool = False
    broker_order_id: str | None = None
    broker_message: str = ""
    broker_code: str | None = None
    broker_ack_time: datetime | None = None
    broker_qty: Decimal = ZERO
    broker_fill_price: Decimal = NONE_FILLED
    broker_fees: Mapping[str, Decimal] = field(default_factory=dict)
    latency_ms: float = float("nan")
    slippage_estimate: Decimal = NONE_FILLED
    requested_qty: Decimal | None = None
    stages_ns: Mapping[str, int] = field(default_factory=dict)
    recorded_at: datetime | None = None
    terminal: bool = True


def slippage_pct(side: Side, paper: Decimal | None, broker: Decimal | None) -> Decimal:
    """Signed slippage of the broker's price against paper's, percent; positive is worse for us.

    NaN when either leg did not fill. Source: contract.md, "Formulas" (slippage).
    """
    if not paper or broker is None:
        return NONE_FILLED
    return side.sign * (broker - paper) / paper * 100 + ZERO  # + 0 turns -0 into 0


def slippage_warning(slippage_estimate: Decimal) -> str | None:
    """Return the guide's sentence for slippage (percent) above its threshold, else None.

    Source: the guide, "Issue: High Slippage".
    """
    if slippage_estimate.is_nan() or slippage_estimate <= SLIPPAGE_WARNING_PCT:
        return None
    return (
        f"Slippage estimate: {slippage_estimate:.1f}% "
        f"(warning threshold: {SLIPPAGE_WARNING_PCT:.1f}%)"
    )
