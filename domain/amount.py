"""Exact numbers: every amount, price and quantity is a ``Decimal`` made from text."""

import re
from decimal import Context, Decimal

Number = int | str | Decimal | float
"""What a caller may give where an amount is wanted; inside it is always a ``Decimal``."""

ZERO, HUNDRED = Decimal(0), Decimal(100)

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_FLOAT_DIGITS = 15  # a double holds 15 decimal digits faithfully; more of them is arithmetic noise
_MAX_EXPONENT = 18  # beyond 1e18, or finer than 1e-18, is no amount of anything traded
_MAX_INT_BITS = 64  # anything longer lies beyond 1e18, and Python refuses to print the longest

# 28 digits, Python's default, can neither hold every quotient of amount and step nor tell one a
# hair below a whole number from it.
_WIDE = Context(prec=100)


def exact(value: Number, field: str) -> Decimal:
    """Return `value` as a finite Decimal, taken from its text.

    Raises ``ValueError`` naming `field` for text that is no plain number, NaN, infinity, a float of
    more than 15 significant digits, and magnitudes outside 1e-18 to 1e18.
    Source: contract.md, "Names" (numbers).
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal | float):
        raise ValueError(f"{field} must be a number, not {type(value).__name__}")
    number = value if isinstance(value, Decimal) else _parse(value, field)
    if not number.is_finite():
        raise ValueError(f"{field} must be a finite number, not '{number!s:.40}'")
    if number and (number.adjusted() > _MAX_EXPONENT or _finest_digit(number) < -_MAX_EXPONENT):
        raise ValueError(f"{field} must lie between 1e-18 and 1e18, not {value!s:.40}")
    return number


def positive(value: Number, field: str) -> Decimal:
    """Return `value` as an exact Decimal above zero; ``ValueError`` naming `field` otherwise."""
    number = exact(value, field)
    if number <= 0:
        raise ValueError(f"{field} must be above zero, not {plain(number)}")
    return number


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` not above `value`; a step of 0 sets no rule."""
    return _WIDE.multiply(_WIDE.divide_int(value, step), step) if step else value


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of `step` not below `value`; a step of 0 sets no rule."""
    below = round_down(value, step)
    return below if is_multiple(value, step) else _WIDE.add(below, step)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Return whether `value` lies on `step`; a step of 0 sets no rule."""
    return not step or not _WIDE.remainder(value, step)


def plain(value: Decimal) -> str:
    """Return `value` as digits, no exponent, no trailing zeros: ``0.00001``, ``50000``."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _parse(value: int | str | float, field: str) -> Decimal:
    if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
        raise ValueError(f"{field} must lie between 1e-18 and 1e18")
    text = str(value)
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{field} must be a finite number, not {text[:40]!r}")
    number = Decimal(text)
    if isinstance(value, float) and len(number.normalize().as_tuple().digits) > _FLOAT_DIGITS:
        raise ValueError(
            f"{field} is the float {text}, which has more than {_FLOAT_DIGITS} significant digits; "
            "give it as text or Decimal"
        )
    return number


def _finest_digit(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_MAX_EXPONENT:  # maybe of trailing zeros alone
        exponent = _WIDE.normalize(number).as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101  finite: the pattern admits nothing else
    return exponent
