"""How a guardrail says what it found.

Source: contract.md, "Messages kept word for word": amounts without trailing zeros and with at most
2 decimals, percentages with 1.
"""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cache, lru_cache, partial
from typing import Any, Protocol

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.verdict import Verdict

_CENT, _TENTH, _FINEST = Decimal("0.01"), Decimal("0.1"), Decimal("1e-8")

# Makes a verdict in half the time that calling its class takes, for what is made most often.
_of_tuple = tuple.__new__


class Show(Protocol):
    """Writes a number, rounded up unless said otherwise."""

    def __call__(self, value: Decimal, rounding: str = ROUND_CEILING) -> str: ...
    def __hash__(self) -> int: ...


@cache
def allow(code: str) -> Verdict:
    """Return the verdict of a guardrail that has nothing to measure; the same one each time."""
    return Verdict(code, True)


def within(code: str, limit: str, value: Any = "", show: Callable[[Any], str] = str) -> Verdict:
    """Return the verdict of a guardrail that allows what it has measured."""
    return _of_tuple(Verdict, (code, True, "", limit, value, show))


def deny(code: str, message: str, limit: str = "", value: str = "") -> Verdict:
    """Return the verdict of a guardrail that an order must not pass."""
    return Verdict(code, False, message, limit, value)


def at_most(
    code: str, value: Decimal, limit: Decimal, sentence: str, show: Show, name: object = ""
) -> Verdict:
    """Deny above `limit` with `sentence`, which takes value, limit and `name`.

    The value is shown rounded up and the limit down: one a hair above it never reads as equal.
    """
    most = shown_limit(show, limit)
    if value <= limit:
        return _of_tuple(Verdict, (code, True, "", most, value, show))
    got = show(value)
    return deny(code, sentence.format(got, most, name), most, got)


def at_least(
    code: str, value: Decimal, limit: Decimal, sentence: str, show: Show, name: object = ""
) -> Verdict:
    """Deny below `limit` as `at_most` does above; what is shown is rounded the other way."""
    least, show_down = shown_limit(show, limit, ROUND_CEILING), _down(show)
    if value >= limit:
        return _of_tuple(Verdict, (code, True, "", least, value, show_down))
    got = show_down(value)
    return deny(code, sentence.format(got, least, name), least, got)


def at_most_count(code: str, count: int, limit: int, sentence: str, name: str = "") -> Verdict:
    """Deny a `count` above `limit` with `sentence`, which takes both and `name`."""
    if count <= limit:
        return _of_tuple(Verdict, (code, True, "", str(limit), count, str))
    return deny(code, sentence.format(count, limit, name), str(limit), str(count))


@lru_cache(maxsize=256)
def shown_limit(show: Show, limit: Decimal, rounding: str = ROUND_FLOOR) -> str:
    """Write a limit; the same few are written for every order."""
    return show(limit, rounding)


@cache
def _down(show: Show) -> Callable[[Decimal], str]:
    """Return `show` that rounds down; always the same one, so that equal verdicts are equal."""
    return partial(show, rounding=ROUND_FLOOR)


def cents(value: Decimal, rounding: str = ROUND_CEILING) -> str:
    """Write an amount in the account currency."""
    return _bare(str(value.quantize(_CENT, rounding)))


def fine(value: Decimal, rounding: str = ROUND_CEILING) -> str:
    """Write an amount of any asset."""
    return _bare(f"{value.quantize(_FINEST, rounding):f}")


def seconds(value: Decimal, rounding: str = ROUND_CEILING) -> str:
    """Write a duration in seconds."""
    return _bare(str(value.quantize(_TENTH, rounding)))


def tenths(value: Decimal, rounding: str = ROUND_CEILING) -> str:
    """Write a percentage."""
    return str(value.quantize(_TENTH, rounding) + ZERO)  # + 0 turns -0.0 into 0.0


def _bare(text: str) -> str:
    """Return a number that has a point, and is not written as a power, without its last zeros."""
    return text.rstrip("0").rstrip(".")
