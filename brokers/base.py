"""The broker interface: what every venue can do, whichever it is."""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Protocol, Self, TypedDict

from otonom_trader.domain.account import AccountKey, AccountSnapshot, Balance, KeyRights
from otonom_trader.domain.market import Instrument, MarketSnapshot
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import Fill, OrderRequest, OrderResult
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.venue_event import VenueEvent


class PositionRow(TypedDict):
    """One holding, as `Broker.get_positions` lists it; `qty` is in `asset`."""

    asset: str
    qty: Decimal
    free: Decimal
    locked: Decimal


class OrderDoor(Protocol):
    """What orders leave by."""

    async def place_order(self, req: OrderRequest) -> OrderResult:
        """Place an order; the answer tells what is known of it and never raises for an outcome."""


class Broker(OrderDoor, Protocol):
    """A broker. Source: the guide, "Base Broker Interface"; what does I/O is awaited.

    Constructors do nothing: a broker opens on first use and closes in ``async with`` or `aclose`.
    """

    async def cancel_order(self, order_id: str, symbol: str | None = None) -> OrderResult:
        """Cancel a working order by the venue's id or by its client order id."""

    async def get_open_orders(self) -> list[OrderResult]:
        """Return all working orders of the account."""

    async def get_positions(self) -> list[PositionRow]:
        """Return what is held besides quote currencies with nothing in them."""

    async def get_account_balance(self) -> dict[str, Balance]:
        """Return all balances by asset."""

    async def aclose(self) -> None:
        """Close connections; the broker may be used again and then reopens."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...


class MarketData(Protocol):
    """What can be known of a venue's markets without a key."""

    async def get_instrument(self, symbol: str) -> Instrument:
        """Return how `symbol` trades; raises `NotListed` for what the venue does not list."""

    async def get_market(self, symbol: str) -> MarketSnapshot:
        """Return the book of `symbol` as it is now."""

    async def get_marks(self, symbols: Iterable[Symbol]) -> dict[Symbol, Decimal]:
        """Return the mid price of each symbol that the venue lists and that has both quotes."""

    def keep_silent_until(self, moment: datetime) -> None:
        """Ask the venue nothing before `moment`: it has banned us, and an earlier run knew it."""

    async def run(self, tell: Callable[[VenueEvent], None]) -> None:
        """Tell what happens by itself, until cancelled; `tell` must not wait.

        Returns at once where nothing can happen unasked.
        """

    async def aclose(self) -> None:
        """Close connections; used again, it reopens."""


class Venue(Broker, MarketData, Protocol):
    """What the guard and the daemon ask of a broker beside the guide's interface."""

    @property
    def mode(self) -> Mode:
        """LIVE when orders are executed, SHADOW when they are only validated."""

    @property
    def unknown_fence_seconds(self) -> float:
        """How long after signing a request may still be carried out; then absent means absent."""

    async def sync_clock(self) -> None:
        """Read the venue's clock, so that no order has to wait for that."""

    async def clock_offset_ms(self) -> float | None:
        """Return how far the venue's clock is ahead of ours; None where nothing is signed."""

    async def get_account_key(self) -> AccountKey:
        """Return whose account this is, at which venue and in which mode."""

    async def get_key_rights(self) -> KeyRights | None:
        """Return what the key may do; None where the venue has nobody to ask."""

    async def get_account(self) -> AccountSnapshot:
        """Return all balances with the venue's time of their last change."""

    async def find_order(self, symbol: str, client_order_id: str) -> OrderResult | None:
        """Return an order with its fills; None when the venue does not know the id (yet)."""

    async def get_trades(self, symbol: str, since: str | None) -> list[tuple[str, Fill]]:
        """Return trades of the account with the venue's ids of their orders, oldest first.

        From trade id `since` on, or the newest there are. Empty where no order is ever placed.
        """

    @property
    def last_order_ns(self) -> int | None:
        """When an order was last handed to the socket, monotonic; None where none ever was."""

    def check_room(self) -> None:
        """Return when the venue's limits leave room for an order; raise `NotSent` otherwise."""
