"""What is known of an order, and how more knowledge adds to it without ever going back."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Self

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.order import OrderResult, OrderState, OrderStatus
from otonom_trader.domain.order_life import state_place, status_place


class Phase(StrEnum):
    """How far an order's record has come; it only moves on. Source: promises.md."""

    INTENT = "INTENT"
    OUTCOME = "OUTCOME"
    SETTLED = "SETTLED"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an order: `filled_qty` in base and `quote_qty` in quote, cumulative.

    Message, codes and raw text are those of the newest reply that moved the order on.
    """

    phase: Phase = Phase.INTENT
    state: OrderState | None = None
    status: OrderStatus | None = None
    order_id: str | None = None
    signed_at_ms: int | None = None
    filled_qty: Decimal = ZERO
    quote_qty: Decimal = ZERO
    message: str = ""
    code: str | None = None
    venue_code: int | None = None
    transact_time: datetime | None = None
    raw: str = ""


def merged(known: Standing, told: OrderResult, *, settles: bool) -> Standing:
    """Add what `told` says to what is `known`; `settles` when nothing more is awaited.

    The same results in any order lead to the same phase, state, status and quantities: a late or
    repeated event takes nothing back. Source: promises.md, faults 18 to 20.
    """
    settled = known.phase is Phase.SETTLED
    filled_qty, quote_qty = max(
        (known.filled_qty, known.quote_qty), (told.filled_qty, told.quote_qty)
    )
    moves_on = _rank(told.state, settles=settles) >= _rank(known.state, settles=settled)
    newest = told if moves_on else known
    return Standing(
        phase=Phase.SETTLED if settled or settles else Phase.OUTCOME,
        state=newest.state,
        status=max(known.status, told.status, key=status_place),
        order_id=known.order_id or told.order_id,
        signed_at_ms=max(known.signed_at_ms or 0, told.signed_at_ms or 0) or None,
        filled_qty=filled_qty,
        quote_qty=quote_qty,
        message=newest.message,
        code=newest.code,
        venue_code=newest.venue_code,
        transact_time=newest.transact_time or known.transact_time,
        raw=newest.raw or known.raw,
    )


class ExecutionRank(NamedTuple):
    """How much an execution row tells; compared in this order."""

    terminal: bool
    filled_qty: Decimal
    known: bool

    @classmethod
    def of(cls, execution: TradeExecutionLog) -> Self:
        """The rank of a row that is offered."""
        return cls(
            execution.terminal, execution.broker_qty, execution.outcome is not Outcome.UNKNOWN
        )

    def gives_way_to(self, told: Self) -> bool:
        """Whether a row of this rank is replaced by one of rank `told`.

        A terminal row is replaced only by a terminal one that tells of more fills.
        """
        if self.terminal:
            return told.terminal and told.filled_qty > self.filled_qty
        return told >= self


def _rank(state: OrderState | None, *, settles: bool) -> tuple[bool, bool, int]:
    # Accepted is a fact for ever; short of that the final word counts more than a passing one.
    return state is OrderState.ACCEPTED, settles, state_place(state)
