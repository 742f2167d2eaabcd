"""What a reply means for whoever asked: refused, or unknown. Judged by code, never by text.

Source: binance-facts.md, sections 4 and 11.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import msgspec

from otonom_trader.brokers.binance.usage import Usage
from otonom_trader.domain.errors import (
    NotListed,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    StaleTimestamp,
    VenueUnreachable,
)

UNKNOWN_SYMBOL: Final = -1121
NEW_ORDER_REJECTED: Final = -2010
CANCEL_REJECTED: Final = -2011
NO_SUCH_ORDER: Final = -2013
FILTER_CODES: Final = frozenset({-1013, -1111, UNKNOWN_SYMBOL})
FILTER_FAILURE: Final = "filter_failure"
PRECISION: Final = "precision"
MARKET_CLOSED: Final = "market_closed"
AUTH: Final = "auth"
"""Machine code of a key that the venue does not take: trying again is of no use."""
ORDER_RATE_EXCEEDED: Final = -1015

_STALE_TIMESTAMP: Final = -1021
_BAD_SIGNATURE: Final = -1022
_RATE_CODES: Final = frozenset({-1003, ORDER_RATE_EXCEEDED, -1034})
_RATE_STATUSES: Final = frozenset({418, 429})
# The venue's own word that it does not know, whatever the HTTP status says.
_UNKNOWN_CODES: Final = frozenset({-1000, -1001, -1006, -1007, -1008})
# 403 is a firewall in front of the venue, 409 half of a cancel-replace, 408 a proxy's timeout.
_UNKNOWN_STATUSES: Final = frozenset({403, 408, 409})
# The only texts that are matched, as documented, for their codes do not tell: filters come as -1013
# or -2010, and a symbol whose status has changed as -2010 too.
_FILTER_PREFIX: Final = "Filter failure: "
_CLOSED: Final = ("Market is closed.", "This order type is not possible in this trading phase.")
_LONGEST_TEXT: Final = 300

_MACHINE_CODES: Final = {
    -1002: AUTH,
    -1013: "invalid_order",
    _BAD_SIGNATURE: AUTH,
    -1111: PRECISION,
    UNKNOWN_SYMBOL: "unknown_symbol",
    NEW_ORDER_REJECTED: "new_order_rejected",
    CANCEL_REJECTED: "unknown_order",
    NO_SUCH_ORDER: "unknown_order",
    -2014: AUTH,
    -2015: AUTH,
}

# Where the venue's own words leave open what to mend.
_REMEDIES: Final = {
    _BAD_SIGNATURE: "; the secret (api_secret) is not the one that belongs to this api_key",
}


class NotTrading(Rejected):
    """The venue lists the symbol, and takes no orders in it for now."""

    code = "not_tradable"


class NoSuchOrder(Rejected):
    """No working order has that id."""

    code = "unknown_order"


class DuplicateId(OutcomeUnknown):
    """An order of that id exists already; whether it is the one meant must be asked."""

    code = "duplicate_id"


class Unreadable(OutcomeUnknown):
    """The venue answered with something that is not a reply to the request."""

    code = "unreadable_reply"


class MismatchedReply(OutcomeUnknown):
    """The venue answered about another order than the one asked for: nothing can be trusted."""

    code = "mismatched_reply"


class Blocked(OutcomeUnknown):
    """A firewall answered in the venue's place."""

    code = "blocked"


class TlsFailed(VenueUnreachable):
    """The connection could not be secured."""

    code = "tls"


class ClockUnsure(NotSent):
    """The venue's time is not known well enough to sign."""

    code = "clock_unsure"


class Paused(NotSent):
    """The venue asked for silence, and it is not over."""

    code = "paused"


class VenueText(msgspec.Struct):
    """Binance's own words for an error."""

    code: int
    msg: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one request whose bytes had left.

    `status` is 0 and `lost` says why when no complete answer came. `sent_ns` and `received_ns` are
    monotonic; `signed_at_ms` is the venue's clock. `usage` is what it tells of the limits.
    """

    request: str
    status: int
    sent_ns: int
    received_ns: int
    body: bytes = field(default=b"", repr=False)
    retry_after_seconds: float | None = None
    signed_at_ms: int | None = None
    lost: str = ""
    usage: tuple[Usage, ...] = ()

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode(errors="replace")

    @property
    def venue_text(self) -> VenueText | None:
        """Binance's code and message, None when the body has none."""
        try:
            return _error_decoder.decode(self.body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None

    @property
    def is_stale_timestamp(self) -> bool:
        """Whether the venue refused the request's time: nothing was carried out."""
        if not 400 <= self.status < 500:
            return False
        told = self.venue_text
        return told is not None and told.code == _STALE_TIMESTAMP


_error_decoder = msgspec.json.Decoder(VenueText)

NO_REPLY: Final = Reply("", 0, 0, 0)
"""Stands where nothing came that says anything."""


def check(reply: Reply, failed: str = "") -> None:
    """Return when `reply` is an answer; raise what it means otherwise.

    `failed` begins the message of a refusal, by default the request. Raises `Rejected` (or
    `NotListed`, `RateLimited`, `StaleTimestamp`) where nothing was carried out, `OutcomeUnknown`
    for everything that does not prove it.
    """
    if 200 <= reply.status < 300 and not reply.lost:
        return
    told = reply.venue_text
    code = told.code if told else None
    reason = _describe(reply, told)
    if reply.lost or not _is_definite(reply, code):
        kind = Blocked if reply.status == HTTPStatus.FORBIDDEN else OutcomeUnknown
        told_of = reason if reply.lost else f"was answered {reason}"
        raise kind(
            f"{reply.request} {told_of}", status=reply.status, venue_code=code, raw=reply.text
        )
    message = f"{failed or reply.request + ' failed'}: {reason}"
    if code == _STALE_TIMESTAMP:
        raise StaleTimestamp(message, status=reply.status, venue_code=code, raw=reply.text)
    if reply.status in _RATE_STATUSES or code in _RATE_CODES:
        limited = RateLimited(message, status=reply.status, venue_code=code, raw=reply.text)
        limited.retry_after_seconds = reply.retry_after_seconds or 0.0
        raise limited
    refused_as = NotListed if code == UNKNOWN_SYMBOL else Rejected
    refusal = refused_as(message, status=reply.status, venue_code=code, raw=reply.text)
    refusal.code = _code_of(code, message)
    raise refusal


def _code_of(venue_code: int | None, message: str) -> str:
    """Return the stable code of a refusal, by which programs tell errors apart."""
    if _FILTER_PREFIX in message and venue_code in (-1013, NEW_ORDER_REJECTED):
        return FILTER_FAILURE
    if venue_code == NEW_ORDER_REJECTED and any(text in message for text in _CLOSED):
        return MARKET_CLOSED
    return _MACHINE_CODES.get(venue_code or 0, Rejected.code)


def _is_definite(reply: Reply, code: int | None) -> bool:
    if not 400 <= reply.status < 500 or code in _UNKNOWN_CODES:
        return False
    if reply.status in _RATE_STATUSES:
        return True
    return reply.status not in _UNKNOWN_STATUSES and not reply.body.lstrip().startswith(b"<")


def _describe(reply: Reply, told: VenueText | None) -> str:
    if reply.lost:
        return reply.lost
    try:
        phrase = f"HTTP {reply.status} {HTTPStatus(reply.status).phrase}"
    except ValueError:
        phrase = f"HTTP {reply.status}"
    if 300 <= reply.status < 400:
        return f"{phrase} (redirects are not followed)"
    if told is None:
        return phrase
    # Of a limit the first sentence says it; the advice behind it is the same each time.
    words = told.msg.partition(". ")[0] if reply.status in _RATE_STATUSES else told.msg
    text = "".join(char if char.isprintable() else " " for char in words[:_LONGEST_TEXT])
    return f"{phrase} ({told.code} {text}){_REMEDIES.get(told.code, '')}"
