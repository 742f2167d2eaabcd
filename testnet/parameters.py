"""Parameters as they arrive: raw text split, decoded, and held to their legal characters.

Sources: "General Information on Endpoints" (query and form body, the query wins) and the -11xx
codes of the error page.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from otonom_trader.testnet import errors
from otonom_trader.testnet.amounts import DECIMALS, MAX_AMOUNT, SCALE
from otonom_trader.testnet.errors import VenueError


@dataclass(frozen=True, slots=True)
class Legal:
    """Characters a parameter may have, and how the venue writes that down."""

    pattern: re.Pattern[str]
    text: str


def _legal(text: str, python: str | None = None) -> Legal:
    return Legal(re.compile(python or text, re.DOTALL), text)


DECIMAL: Final = _legal(r"^([0-9]{1,20})(\.[0-9]{1,20})?$", r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
INTEGER: Final = _legal("^[0-9]{1,20}$", "[0-9]{1,20}")
SYMBOL: Final = _legal(r"^[\w\-._&&[^a-z]]{1,50}$", r"(?:(?![a-z])[\w\-.]){1,50}")
SYMBOLS: Final = _legal(
    r'^\["[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}\]$',
    r'\["(?:(?![a-z])[\w\-.]){1,50}"(?:,"(?:(?![a-z])[\w\-.]){1,50}")*\]',
)
CLIENT_ID: Final = _legal("^[a-zA-Z0-9-_]{1,36}$", "[a-zA-Z0-9_-]{1,36}")
WORD: Final = _legal("^[a-zA-Z0-9_]{1,40}$", "[a-zA-Z0-9_]{1,40}")
RECV_WINDOW: Final = _legal(r"^([0-9]{1,20})(\.[0-9]{1,3})?$", r"[0-9]{1,20}(?:\.[0-9]{1,3})?")
ANY: Final = _legal("^.*$", ".*")

_PLAIN_CHARACTERS: Final[Mapping[str, Legal]] = {
    "cancelNewClientOrderId": CLIENT_ID,
    "cancelOrderId": INTEGER,
    "cancelOrigClientOrderId": CLIENT_ID,
    "cancelReplaceMode": WORD,
    "cancelRestrictions": WORD,
    "computeCommissionRates": WORD,
    "endTime": INTEGER,
    "fromAllocationId": INTEGER,
    "fromExecutionId": INTEGER,
    "fromId": INTEGER,
    "fromPreventedMatchId": INTEGER,
    "icebergQty": DECIMAL,
    "interval": WORD,
    "limit": INTEGER,
    "listClientOrderId": CLIENT_ID,
    "newClientOrderId": CLIENT_ID,
    "newOrderRespType": WORD,
    "newQty": DECIMAL,
    "omitZeroBalances": WORD,
    "orderId": INTEGER,
    "orderListId": INTEGER,
    "orderRateLimitExceededMode": WORD,
    "origClientOrderId": CLIENT_ID,
    "pegOffsetType": WORD,
    "pegOffsetValue": INTEGER,
    "pegPriceType": WORD,
    "permissions": ANY,
    "preventedMatchId": INTEGER,
    "price": DECIMAL,
    "quantity": DECIMAL,
    "quoteOrderQty": DECIMAL,
    "recvWindow": RECV_WINDOW,
    "selfTradePreventionMode": WORD,
    "showPermissionSets": WORD,
    "side": WORD,
    "signature": ANY,
    "startTime": INTEGER,
    "stopPrice": DECIMAL,
    "strategyId": INTEGER,
    "subscriptionId": INTEGER,
    "strategyType": INTEGER,
    "symbol": SYMBOL,
    "symbolStatus": WORD,
    "symbols": SYMBOLS,
    "timeInForce": WORD,
    "timeZone": ANY,
    "timestamp": INTEGER,
    "trailingDelta": INTEGER,
    "type": WORD,
    "windowSize": WORD,
}

_LEGS: Final = ("above", "below", "working", "pending", "pendingAbove", "pendingBelow")
_LEG_CHARACTERS: Final[Mapping[str, Legal]] = {
    "ClientOrderId": CLIENT_ID,
    "IcebergQty": DECIMAL,
    "PegOffsetType": WORD,
    "PegOffsetValue": INTEGER,
    "PegPriceType": WORD,
    "Price": DECIMAL,
    "Quantity": DECIMAL,
    "Side": WORD,
    "StopPrice": DECIMAL,
    "StrategyId": INTEGER,
    "StrategyType": INTEGER,
    "TimeInForce": WORD,
    "TrailingDelta": INTEGER,
    "Type": WORD,
}

CHARACTERS: Final[Mapping[str, Legal]] = {
    **_PLAIN_CHARACTERS,
    **{leg + name: legal for leg in _LEGS for name, legal in _LEG_CHARACTERS.items()},
}

FORM: Final = "application/x-www-form-urlencoded"


class Parameters:
    """The decoded parameters of one request, each by its name."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str | None:
        return self._values.get(name)

    def required(self, name: str) -> str:
        value = self._values.get(name)
        if value is None:
            raise errors.mandatory(name)
        return value

    def integer(self, name: str) -> int | None:
        value = self._values.get(name)
        if value is None:
            return None
        number = int(value)
        if number > MAX_AMOUNT:
            raise VenueError(-1108, f"Parameter '{name}' overflowed.")
        return number

    def limit(self, *, default: int, largest: int) -> int:
        """Clipped to the largest; 0 is refused."""
        number = self.integer("limit")
        if number == 0:
            raise errors.invalid_data("limit")
        return default if number is None else min(number, largest)

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._values.get(name)
        if value is None:
            return default
        if value.lower() not in ("true", "false"):
            raise errors.invalid_data(name)
        return value.lower() == "true"

    def amount(self, name: str, decimals: int) -> int | None:
        """Units of 10**-8; more decimals than these are refused, zeros too."""
        value = self._values.get(name)
        if value is None:
            return None
        whole, _, fraction = value.partition(".")
        if len(fraction) > decimals:
            raise VenueError(-1111, f"Parameter '{name}' has too much precision.")
        number = int(whole) * SCALE + int(fraction.ljust(DECIMALS, "0"))
        if number > MAX_AMOUNT:
            raise VenueError(-1108, f"Parameter '{name}' overflowed.")
        return number

    def checked(self, name: str) -> str | None:
        """The text, refused when it is empty or has illegal characters."""
        value = self._values.get(name)
        if value is None:
            return None
        if not value:
            raise errors.empty(name)
        legal = CHARACTERS[name]
        if legal.pattern.fullmatch(value) is None:
            raise errors.illegal(name, legal.text)
        return value

    def check(self, allowed: Collection[str]) -> None:
        """Refuse unknown, empty and illegal parameters, in this order."""
        values = self._values
        unknown = [name for name in values if name not in allowed]
        if unknown and len(values) > len(allowed):
            raise VenueError(
                -1101,
                f"Too many parameters; expected '{len(allowed)}' and received '{len(values)}'.",
            )
        if unknown:
            raise VenueError(
                -1104,
                f"Not all sent parameters were read; read '{len(values) - len(unknown)}' "
                f"parameter(s) but was sent '{len(values)}'.",
            )
        for name in values:
            self.checked(name)


def decode(raw_query: str, raw_body: str) -> Parameters:
    """Both parts merged; a name twice in one part is refused (-1101), in both the query wins."""
    values = _decode_part(raw_query)
    if raw_body:
        values = _decode_part(raw_body) | values
    return Parameters(values)


def _decode_part(raw: str) -> dict[str, str]:
    values: dict[str, str] = {}
    if not raw.isascii():
        # Bytes that are not UTF-8: they can be neither signed nor shown again as they came.
        raw = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    for pair in raw.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            name, value = unquote_plus(name), unquote_plus(value)
        if name in values:
            raise VenueError(-1101, f"Duplicate values for parameter '{name}' detected.")
        values[name] = value
    return values
