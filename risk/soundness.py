"""Which numbers an order may be judged by. Anything else is None, and denies."""

from decimal import Decimal

from otonom_trader.domain.amount import ZERO


def sound(number: object) -> Decimal | None:
    """Return `number` where it is a finite one above zero."""
    if isinstance(number, Decimal) and number.is_finite() and number > ZERO:
        return number
    return None


def sound_or_zero(number: object) -> Decimal | None:
    """Return `number` where it is a finite one and not below zero."""
    if isinstance(number, Decimal) and number.is_finite() and number >= ZERO:
        return number
    return None
