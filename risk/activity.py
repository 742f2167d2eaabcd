"""What happened on an account before an order is judged."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Activity:
    """An account's past as one order is judged by it; notionals and equities in its currency.

    Orders count from when they are on record, and until it is certain that they did not leave.
    `notional_today` is what those since 00:00 UTC have filled and may still fill.
    `seconds_since_order` counts from the last order of the same symbol, None where there was none;
    `day_start_equity` and `highest_equity` are None where no equity is known yet.
    `losses_in_a_row` are closing orders that realised less than their holding cost, since the last
    that did not. Source: contract.md, "Formulas".
    """

    orders_last_minute: int
    orders_today: int
    notional_today: Decimal
    seconds_since_order: Decimal | None
    day_start_equity: Decimal | None
    highest_equity: Decimal | None
    losses_in_a_row: int
