"""What was ordered and owned before, as it is kept over a restart, and how an order counts in it.

Amounts are in the account currency; days are UTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple, Self

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.intent import Intent

_FINEST = Decimal("1e-8")  # so that sums are exact in whatever order they are made


@dataclass(frozen=True, slots=True)
class EquityMarks:
    """What losses are measured from: equity as it was first read on `day`, and at its highest."""

    day: date
    day_start: Decimal
    highest: Decimal

    def after(self, equity: Decimal, day: date) -> Self:
        """Return the marks once `equity` was read on `day`; an earlier day begins none anew."""
        marks = self if day <= self.day else replace(self, day=day, day_start=equity)
        return replace(marks, highest=equity) if equity > marks.highest else marks


@dataclass(frozen=True, slots=True)
class EarlierActivity:
    """What a journal knows of an account at a start.

    `recent` are the orders of the last minute by client order id; `last_orders` the times of the
    newest by canonical symbol; `resting` those that rest in shadow's books, where no venue is asked
    what has become of them.
    """

    recent: Mapping[str, datetime] = field(default_factory=dict)
    orders_today: int = 0
    notional_today: Decimal = ZERO
    last_orders: Mapping[str, datetime] = field(default_factory=dict)
    marks: EquityMarks | None = None
    losses_in_a_row: int = 0
    resting: Sequence[Intent] = ()


class Counted(NamedTuple):
    """What one order counts for in its day."""

    orders: int
    notional: Decimal


def counted_notional(notional: Decimal) -> Decimal:
    """Return a notional as it is counted: never less, and to so many digits that sums are exact."""
    return notional.quantize(_FINEST, ROUND_CEILING)


def counted(
    notional: Decimal, qty: Decimal, outcome: Outcome | None, filled_qty: Decimal, *, ended: bool
) -> Counted:
    """Return what an order of `notional` and `qty` counts for, by what is known of it.

    As a whole until it has ended, then what of it has filled; as nothing where it certainly did not
    leave. What became of it is None before it is known.
    """
    if not ended:
        return Counted(1, notional)
    if outcome is Outcome.NOT_SENT:
        return Counted(0, ZERO)
    return Counted(1, counted_notional(notional * filled_qty / qty))
