"""Money and quantities as integers of 10**-8, the precision of every asset Binance Spot lists.

Whole numbers make matching exact and fast; text is parsed and printed here and nowhere else.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

DECIMALS: Final = 8
SCALE: Final = 10**DECIMALS
# The venue holds amounts in 64 bits: what does not fit overflows.
MAX_AMOUNT: Final = 2**63 - 1

_PLAIN = re.compile(r"([0-9]+)(?:\.([0-9]+))?")


# The texts of filters are read with every order.
@lru_cache(maxsize=4096)
def parse_amount(text: str) -> int:
    """Whole units of 10**-8 in a plain decimal text; more than 8 decimals is a ValueError."""
    match = _PLAIN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a plain decimal number")
    whole, fraction = match.group(1), match.group(2) or ""
    if len(fraction) > DECIMALS and fraction[DECIMALS:].strip("0"):
        raise ValueError(f"{text!r} has more than {DECIMALS} decimals")
    return int(whole) * SCALE + int(fraction[:DECIMALS].ljust(DECIMALS, "0"))


def from_decimal(value: Decimal) -> int:
    """The same for a Decimal; negative, not finite or finer than 10**-8 is a ValueError."""
    if not value.is_finite() or value < 0:
        raise ValueError(f"{value} is not an amount: it must be finite and not negative")
    return parse_amount(f"{value:f}")


def format_amount(amount: int) -> str:
    """Eight decimals always, as the venue prints money: ``"0.00100000"``."""
    if amount < 0:
        return "-" + format_amount(-amount)
    return f"{amount // SCALE}.{amount % SCALE:08d}"


def quote_of(price: int, qty: int) -> int:
    """What ``qty`` of the base asset costs at ``price``, rounded down to 10**-8."""
    return price * qty // SCALE
