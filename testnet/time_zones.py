"""The timeZone parameter: hours, or hours and minutes, from -12:00 to +14:00."""

import re
from typing import Final

from otonom_trader.testnet import errors
from otonom_trader.testnet.parameters import Parameters

_ZONE: Final = re.compile(r"([+-]?)([0-9]{1,2})(?::([0-5][0-9]))?")
_MINUTE_MS: Final = 60_000


def offset_ms(parameters: Parameters) -> int:
    """How far the zone is ahead of UTC; 0 where none is asked for."""
    text = parameters.text("timeZone")
    if text is None:
        return 0
    # A plus sign that was not percent-encoded arrives as a space.
    match = _ZONE.fullmatch(text.replace(" ", "+", 1))
    if match is None:
        raise errors.invalid_data("timeZone")
    minutes = int(match.group(2)) * 60 + int(match.group(3) or 0)
    if match.group(1) == "-":
        minutes = -minutes
    if not -12 * 60 <= minutes <= 14 * 60:
        raise errors.invalid_data("timeZone")
    return minutes * _MINUTE_MS
