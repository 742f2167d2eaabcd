"""How much of its limits the venue says is used up, as replies carry it. Pure.

Source: binance-facts.md, section 3: headers on REST, ``rateLimits`` on the WebSocket API.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

REQUEST_WEIGHT: Final = "REQUEST_WEIGHT"
ORDERS: Final = "ORDERS"

_SECONDS: Final = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400}
# Asked for by name: looking through all headers of every reply would cost more.
_HEADERS: Final = (
    ("X-MBX-USED-WEIGHT-1M", REQUEST_WEIGHT, 60),
    ("X-MBX-ORDER-COUNT-10S", ORDERS, 10),
    ("X-MBX-ORDER-COUNT-1D", ORDERS, 86_400),
)


class Usage(NamedTuple):
    """One limit: how much of it is used in the present window of so many `seconds`.

    `limit` is 0 where only what is used was told.
    """

    kind: str
    seconds: int
    used: int
    limit: int = 0


class RateLimit(msgspec.Struct, rename="camel", gc=False):
    """One entry of ``rateLimits``; exchangeInfo lists it without a count.

    Nothing of it is mandatory: what is missing here is known from the documentation.
    """

    rate_limit_type: str = ""
    interval: str = ""
    interval_num: int = 1
    limit: int = 0
    count: int = 0


def usage_of_headers(headers: Mapping[str, str]) -> tuple[Usage, ...]:
    """Return what a reply's headers tell; `headers` must not mind upper and lower case."""
    found = []
    for name, kind, seconds in _HEADERS:
        value = headers.get(name)
        if value is not None and value.isascii() and value.isdigit():
            found.append(Usage(kind, seconds, int(value)))
    return tuple(found)


def usage_of_limits(limits: Iterable[RateLimit]) -> tuple[Usage, ...]:
    """Return what ``rateLimits`` tells; limits of an unknown interval are left out."""
    return tuple(
        Usage(
            limit.rate_limit_type,
            _SECONDS[limit.interval] * limit.interval_num,
            limit.count,
            limit.limit,
        )
        for limit in limits
        if limit.interval in _SECONDS
    )
