"""Mode off: a venue's public market data, and nothing that could send an order."""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Self

from otonom_trader.brokers.base import MarketData, PositionRow
from otonom_trader.domain.account import (
    NO_BALANCES,
    AccountKey,
    AccountSnapshot,
    Balance,
    KeyRights,
)
from otonom_trader.domain.errors import NotPermitted
from otonom_trader.domain.market import Instrument, MarketSnapshot
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import Fill, OrderRequest, OrderResult, OrderState
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.venue_event import VenueEvent

_MESSAGE = "Not sent: the mode is off, no broker is used"


class OffVenue:
    """A venue seen from outside: markets without a key, no account, no orders.

    Source: contract.md, "Modes" (off); promises.md, P8.
    """

    mode = Mode.OFF
    unknown_fence_seconds = 0.0
    last_order_ns: int | None = None

    def __init__(self, market_data: MarketData, venue: str, clock: Clock) -> None:
        self._market_data = market_data
        self._venue = venue
        self._clock = clock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the market data connection."""
        await self._market_data.aclose()

    async def get_instrument(self, symbol: str) -> Instrument:
        """Return how `symbol` trades; raises `Rejected` for what the venue does not list."""
        return await self._market_data.get_instrument(symbol)

    async def get_market(self, symbol: str) -> MarketSnapshot:
        """Return the book of `symbol` as it is now."""
        return await self._market_data.get_market(symbol)

    async def get_marks(self, symbols: Iterable[Symbol]) -> dict[Symbol, Decimal]:
        """Return the mid price of each symbol that is listed."""
        return await self._market_data.get_marks(symbols)

    async def sync_clock(self) -> None:
        """Nothing here is signed."""

    async def clock_offset_ms(self) -> float | None:
        """Return None: nothing here is signed."""
        return None

    async def get_account_key(self) -> AccountKey:
        """Return the key of the paper account."""
        return AccountKey(self.mode, self._venue, "paper")

    async def get_key_rights(self) -> KeyRights | None:
        """Return None: no key is used."""
        return None

    async def get_account(self) -> AccountSnapshot:
        """Return no balances: off has no account at the venue."""
        return AccountSnapshot(NO_BALANCES, self._clock.now(), self._clock.monotonic_ns())

    async def place_order(self, req: OrderRequest) -> OrderResult:
        """Answer that nothing was sent."""
        return OrderResult(
            OrderState.NOT_SENT,
            symbol=req.symbol,
            side=req.side,
            client_order_id=req.client_order_id,
            message=_MESSAGE,
            code="mode_off",
        )

    async def cancel_order(self, order_id: str, symbol: str | None = None) -> OrderResult:
        """Refuse: there is nothing to cancel."""
        raise NotPermitted(f"order {order_id} cannot be cancelled: the mode is off")

    async def get_open_orders(self) -> list[OrderResult]:
        """Return no orders."""
        return []

    async def find_order(self, symbol: str, client_order_id: str) -> OrderResult | None:
        """Return that there is no such order."""
        return None

    async def get_trades(self, symbol: str, since: str | None) -> list[tuple[str, Fill]]:
        """Return no trades: nothing is ordered."""
        return []

    def check_room(self) -> None:
        """Return: nothing is ordered."""

    def keep_silent_until(self, moment: datetime) -> None:
        """Ask for no market data before `moment`."""
        self._market_data.keep_silent_until(moment)

    async def run(self, tell: Callable[[VenueEvent], None]) -> None:
        """Tell of bans; nothing happens on an account that there is not."""
        await self._market_data.run(tell)

    async def get_positions(self) -> list[PositionRow]:
        """Return no positions."""
        return []

    async def get_account_balance(self) -> dict[str, Balance]:
        """Return no balances."""
        return {}
