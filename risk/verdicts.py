"""How a guardrail says what it found.

Source: contract.md, "Messages kept word for word": amounts without trailing zeros and with at most
2 decimals, percentages with 1.
"""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache

from otonom_trader.domain.amount import ZERO, plain
from otonom_trader.domain.verdict import Verdict

_CENT, _TENTH, _FINEST = Decimal("0.01"), Decimal("0.1"), Decimal("1e-8")

Show = Callable[[Decimal, str], str]
"""How a number is written, rounded the given way."""


def allow(code: str, limit: str = "", value: str = "") -> Verdict:
    """Return the verdict of a guardrail that has nothing against an order."""
    return Verdict(code, allowed=True, limit=limit, value=value)


def deny(code: str, message: str, limit: str = "", value: str = "") -> Verdict:
    """Return the verdict of a guardrail that an order must not pass."""
    return Verdict(code, allowed=False, message=message, limit=limit, value=value)


def at_most(code: str, value: Decimal, limit: Decimal, sentence: str, show: Show) -> Verdict:
    """Deny above `limit` with `sentence`, which takes value and limit.

    The value is shown rounded up and the limit down: one a hair above it never reads as equal.
    """
    got, most = show(value, ROUND_CEILING), shown_limit(show, limit)
    if value > limit:
        return deny(code, sentence.format(got, most), most, got)
    return allow(code, most, got)


def at_most_count(code: str, count: int, limit: int, sentence: str) -> Verdict:
    """Deny a `count` above `limit` with `sentence`, which takes both."""
    if count > limit:
        return deny(code, sentence.format(count, limit), str(limit), str(count))
    return allow(code, str(limit), str(count))


def is_sound(number: Decimal | None, least: Decimal | None = None) -> bool:
    """Return whether `number` is known, finite and above zero, or not below `least`."""
    if number is None or not number.is_finite():
        return False
    return number > 0 if least is None else number >= least


def cents(value: Decimal, rounding: str = ROUND_FLOOR) -> str:
    """Write an amount in the account currency."""
    return _bare(str(value.quantize(_CENT, rounding)))


def fine(value: Decimal, rounding: str = ROUND_FLOOR) -> str:
    """Write an amount of any asset."""
    return plain(value.quantize(_FINEST, rounding))


def seconds(value: Decimal, rounding: str = ROUND_FLOOR) -> str:
    """Write a duration in seconds."""
    return _bare(str(value.quantize(_TENTH, rounding)))


def tenths(value: Decimal, rounding: str = ROUND_FLOOR) -> str:
    """Write a percentage."""
    return str(value.quantize(_TENTH, rounding) + ZERO)  # + 0 turns -0.0 into 0.0


@lru_cache(maxsize=256)
def shown_limit(show: Show, limit: Decimal) -> str:
    """Write a limit, rounded down; the same few are written for every order."""
    return show(limit, ROUND_FLOOR)


def _bare(text: str) -> str:
    """Return a number without the zeros at its end; so few places are never written as a power."""
    return text.rstrip("0").rstrip(".") if "." in text else text
