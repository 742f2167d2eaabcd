"""What a venue tells by itself, while nobody asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from otonom_trader.domain.account import Balance
from otonom_trader.domain.order import OrderResult


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """Something happened to an order of the account, whoever placed it.

    `result` is the order after it, and carries at most the one fill it brought.
    """

    client_order_id: str
    result: OrderResult


@dataclass(frozen=True, slots=True)
class BalancesUpdate:
    """Balances that may have changed, as they are now."""

    balances: Mapping[str, Balance]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StreamResumed:
    """Events come from now on; what happened before may have been missed."""


@dataclass(frozen=True, slots=True)
class StreamLost:
    """Events do not come, or cannot be trusted to; `reason` is one sentence's end.

    `refused` when the venue does not take the key any more: trying on is of no use.
    """

    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class BooksLost:
    """Market data does not come by itself and is asked for; `reason` is one sentence's end."""

    reason: str


@dataclass(frozen=True, slots=True)
class BooksResumed:
    """Market data comes by itself again."""


@dataclass(frozen=True, slots=True)
class Banned:
    """The venue takes no request from this address before `until`."""

    until: datetime


@dataclass(frozen=True, slots=True)
class ClockOff:
    """The venue's clock is `by_ms` ahead of what it was taken to be; it is known anew.

    `refused` names the request whose time the venue did not take: it was signed anew and sent once
    more. Empty where nothing was refused.
    """

    by_ms: float
    refused: str = ""


VenueEvent = (
    OrderUpdate
    | BalancesUpdate
    | StreamResumed
    | StreamLost
    | BooksLost
    | BooksResumed
    | Banned
    | ClockOff
)
