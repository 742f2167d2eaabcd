"""The times a request names, each in milliseconds or in microseconds ("General API Information").

A ``startTime`` or ``endTime`` outside of what there can be is moved to its nearest end
(CHANGELOG of 2024-12-09), and only then held to what the endpoint allows.
"""

from decimal import Decimal
from math import ceil, floor
from typing import Final

from otonom_trader.testnet import errors
from otonom_trader.testnet.parameters import Parameters

# Milliseconds reach 16 digits in the year 33658.
_FIRST_MICROSECONDS: Final = 10**15
_EARLIEST_MS: Final = 1_483_228_800_000
_LATEST_AHEAD_MS: Final = 10_000
_HOUR_MS: Final = 3_600_000
DAY_HOURS: Final = 24

Span = tuple[int | None, int | None]


def milliseconds(digits: str) -> Decimal:
    """A time of either unit; microseconds are its decimals."""
    number = int(digits)
    return Decimal(number) / 1000 if number >= _FIRST_MICROSECONDS else Decimal(number)


def read_span(parameters: Parameters, now_ms: int) -> Span:
    """startTime and endTime in whole milliseconds: those of a moment that lies within."""
    start, end = _clamped(parameters, "startTime", now_ms), _clamped(parameters, "endTime", now_ms)
    return None if start is None else ceil(start), None if end is None else floor(end)


def read_day_span(parameters: Parameters, now_ms: int) -> Span:
    """The same, at most 24 hours apart (-1127) and not the wrong way round (-1128)."""
    start, end = read_span(parameters, now_ms)
    if start is not None and end is not None:
        if end < start:
            raise errors.bad_combination()
        if end - start > DAY_HOURS * _HOUR_MS:
            raise errors.too_many_hours(DAY_HOURS)
    return start, end


def is_within(time_ms: int, span: Span) -> bool:
    start, end = span
    return (start is None or time_ms >= start) and (end is None or time_ms <= end)


def _clamped(parameters: Parameters, name: str, now_ms: int) -> Decimal | None:
    number = parameters.integer(name)
    if number is None:
        return None
    latest = Decimal(now_ms + _LATEST_AHEAD_MS)
    return min(max(milliseconds(str(number)), Decimal(_EARLIEST_MS)), latest)
