"""The faults there are, each one entry in ``FAULTS``.

``strikes.py`` does what an entry says to requests, ``outlets.py`` to streams. The HTTP status of
-1006, -1007 and -1008 is undocumented; here 500, 504 and 503.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from otonom_trader.testnet.errors import VenueError

USER_PATH: Final = "user"


class Door(Enum):
    """Where a fault strikes; the value is how a refusal calls it."""

    REST = "a REST path such as /api/v3/order"
    METHOD = "a WebSocket API method such as order.place"
    STREAM = "a stream such as btcusdt@depth, or user"

    @classmethod
    def of(cls, path: str) -> "Door":
        if path.startswith("/"):
            return cls.REST
        if path == USER_PATH or "@" in path or path.startswith("!"):
            return cls.STREAM
        return cls.METHOD


class Moment(Enum):
    """When a fault interferes with a request: before the engine acts, or afterwards."""

    BEFORE = "before"
    AFTER = "after"


class Hitch(Enum):
    """What happens to the connection of a request at that moment."""

    CLOSE = "close"
    HOLD = "hold"
    DELAY = "delay"


class Delivery(Enum):
    """How a reply leaves: as it is, cut short, cut short and reset, or byte by byte."""

    WHOLE = "whole"
    TRUNCATED = "truncated"
    RESET = "reset"
    DRIP = "drip"


class Trouble(Enum):
    """What befalls an event, or the connection it is for."""

    CLOSE = "close"
    SILENCE = "silence"
    SHUTDOWN = "shutdown"
    TERMINATE = "terminate"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    DELAY = "delay"
    OMIT = "omit"


CONNECTION_TROUBLES: Final = frozenset(
    {Trouble.CLOSE, Trouble.SILENCE, Trouble.SHUTDOWN, Trouble.TERMINATE}
)
"""These strike whoever is connected, at once; the others strike single events."""


@dataclass(frozen=True, slots=True)
class Page:
    """A reply that is not the API's own."""

    status: int
    html: bytes = b""
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What one name means. ``executes`` is the default of the field ``executed``; ``fixed`` says
    that it cannot be chosen. ``ms`` is the default of that field, 0 where one must be given and
    None where it means nothing; likewise ``retry_after_s``.
    """

    doors: frozenset[Door] = frozenset({Door.REST, Door.METHOD})
    executes: bool = True
    fixed: bool = True
    hitch: tuple[Moment, Hitch] | None = None
    refusal: Callable[[int, int], VenueError] | None = None
    """From the seconds until a retry and the time of day, in epoch milliseconds."""
    bans: bool = False
    """Whether the address is banned until the retry."""
    page: Page | None = None
    is_wrong: bool = False
    delivery: Delivery = Delivery.WHOLE
    trouble: Trouble | None = None
    ms: int | None = None
    retry_after_s: int | None = None


def _unexpected(_seconds: int, _now_ms: int) -> VenueError:
    return VenueError(
        -1006,
        "An unexpected response was received from the message bus. Execution status unknown.",
        status=500,
    )


def timed_out(_seconds: int, _now_ms: int) -> VenueError:
    return VenueError(
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status "
        "unknown.",
        status=504,
    )


def _overloaded(_seconds: int, _now_ms: int) -> VenueError:
    return VenueError(
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
        status=503,
    )


def _limited(seconds: int, _now_ms: int) -> VenueError:
    return VenueError(
        -1003,
        "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. Please "
        "use WebSocket Streams for live updates to avoid polling the API.",
        status=429,
        retry_after_seconds=seconds,
    )


def _banned(seconds: int, now_ms: int) -> VenueError:
    return VenueError(
        -1003,
        f"Way too much request weight used; IP banned until {now_ms + seconds * 1000}. Please use "
        "WebSocket Streams for live updates to avoid bans.",
        status=418,
        retry_after_seconds=seconds,
    )


def plain_page(status: int, title: str) -> bytes:
    """A page as gateways make them."""
    return f"<html><body><h1>{status} {title}</h1></body></html>".encode()


def _html(status: int, title: str) -> Page:
    return Page(status, plain_page(status, title))


_REST: Final = frozenset({Door.REST})
_STREAM: Final = frozenset({Door.STREAM})

FAULTS: Final[Mapping[str, Fault]] = {
    "drop_before": Fault(hitch=(Moment.BEFORE, Hitch.CLOSE), executes=False),
    "drop_after": Fault(hitch=(Moment.AFTER, Hitch.CLOSE)),
    "no_answer_before": Fault(hitch=(Moment.BEFORE, Hitch.HOLD), executes=False),
    "no_answer_after": Fault(hitch=(Moment.AFTER, Hitch.HOLD)),
    "delay_before": Fault(hitch=(Moment.BEFORE, Hitch.DELAY), ms=0),
    "delay_after": Fault(hitch=(Moment.AFTER, Hitch.DELAY), ms=0),
    "reset_mid_reply": Fault(doors=_REST, delivery=Delivery.RESET),
    "truncate_json": Fault(delivery=Delivery.TRUNCATED),
    "slow_drip": Fault(doors=_REST, delivery=Delivery.DRIP, ms=50),
    "html_403": Fault(doors=_REST, page=_html(403, "Forbidden"), fixed=False),
    "html_502": Fault(doors=_REST, page=_html(502, "Bad Gateway"), fixed=False),
    "http_503": Fault(doors=_REST, page=_html(503, "Service Temporarily Unavailable"), fixed=False),
    "redirect": Fault(
        doors=_REST, page=Page(307, location="/redirected"), executes=False, fixed=False
    ),
    "error_1006": Fault(refusal=_unexpected, fixed=False),
    "error_1007": Fault(refusal=timed_out, fixed=False),
    "error_1008": Fault(refusal=_overloaded, fixed=False),
    "rate_429": Fault(refusal=_limited, executes=False, retry_after_s=10),
    "ban_418": Fault(refusal=_banned, bans=True, executes=False, retry_after_s=120),
    "wrong_reply": Fault(is_wrong=True),
    "drop": Fault(doors=_STREAM, trouble=Trouble.CLOSE),
    "silence": Fault(doors=_STREAM, trouble=Trouble.SILENCE),
    "server_shutdown": Fault(doors=_STREAM, trouble=Trouble.SHUTDOWN, ms=1000),
    "terminate": Fault(doors=_STREAM, trouble=Trouble.TERMINATE),
    "duplicate": Fault(doors=_STREAM, trouble=Trouble.DUPLICATE),
    "reorder": Fault(doors=_STREAM, trouble=Trouble.REORDER),
    "delay": Fault(doors=_STREAM, trouble=Trouble.DELAY, ms=0),
    "omit": Fault(doors=_STREAM, trouble=Trouble.OMIT),
}
