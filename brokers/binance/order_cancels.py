"""Orders cancelled, and nothing placed: what live and the emergency command share."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from otonom_trader.brokers.binance.choices import ASKED
from otonom_trader.brokers.binance.errors import CANCEL_REJECTED, NoSuchOrder, check
from otonom_trader.brokers.binance.hosts import choose_base_url
from otonom_trader.brokers.binance.market_data import DEFAULT_DEPTH
from otonom_trader.brokers.binance.order_reads import OrderReader
from otonom_trader.brokers.binance.orders.lists import cancelled_of
from otonom_trader.brokers.binance.orders.outcome import (
    FAILED_TO_CANCEL,
    check_client_id,
    not_sent,
    rejected,
    unknown,
)
from otonom_trader.brokers.binance.orders.replies import OrderName, cancelled_order
from otonom_trader.brokers.binance.transport.signed_rest import CancelTransport
from otonom_trader.brokers.binance.transport.signing import Credentials
from otonom_trader.domain.errors import OutcomeUnknown, Rejected, VenueError
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderResult, OrderState
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.secret import Secret

# The venue checks recvWindow before it forwards an order to matching, then waits up to 10 s.
_ENGINE_SECONDS: Final = 10.0
_LAG_SECONDS: Final = 2.0


def fence_seconds(recv_window_ms: int) -> float:
    """Return how long after signing a request may still be carried out. Source: promises.md."""
    return recv_window_ms / 1000 + _ENGINE_SECONDS + _LAG_SECONDS


class OrderCanceller(OrderReader):
    """Reads one account, and cancels its orders."""

    mode = Mode.LIVE

    def __init__(
        self,
        transport: CancelTransport,
        renames: Mapping[str, str] | None,
        depth_limit: int,
        market_data: str = ASKED,
    ) -> None:
        super().__init__(transport, renames, depth_limit, market_data)
        self._canceller = transport

    async def cancel_order(self, order_id: str, symbol: str | None = None) -> OrderResult:
        """Cancel a working order by the venue's id (digits) or its client order id.

        Without `symbol` the order is looked for among the open ones. ACCEPTED means that the order
        works no more; its `status` says why, which may be that it had filled. REJECTED leaves it
        as its `status` says. Raises ``ValueError`` for what cannot be an id.
        """
        name = OrderName.parse(check_client_id(order_id))
        known = OrderResult(
            state=OrderState.NOT_SENT,
            symbol=(symbol or "")[:40],
            order_id=None if name.is_client_id else order_id,
            client_order_id=order_id if name.is_client_id else None,
        )
        try:
            venue_symbol = await self._symbol_of(name, symbol)
            known = replace(known, symbol=venue_symbol)
            reply = await self._canceller.cancel((("symbol", venue_symbol), name.param))
        except VenueError as error:
            return not_sent(known, error, FAILED_TO_CANCEL)
        try:
            check(reply, FAILED_TO_CANCEL)
            return cancelled_order(cancelled_of(reply, name), venue_symbol, name, reply)
        except Rejected as error:
            refusal = replace(rejected(known, error), raw=reply.text)
            if error.venue_code == CANCEL_REJECTED:
                return await self._after_failed_cancel(refusal, name)
            return refusal
        except OutcomeUnknown as error:
            return replace(unknown(known, error), raw=reply.text)

    async def _symbol_of(self, name: OrderName, symbol: str | None) -> str:
        if symbol is not None:
            return (await self._listing.rules(symbol)).instrument.venue_symbol
        for order in await self.get_open_orders():
            if name.text == (order.client_order_id if name.is_client_id else order.order_id):
                return order.symbol
        raise NoSuchOrder(f"{name.text} is not among the open orders; name its symbol to look on")

    async def _after_failed_cancel(self, refusal: OrderResult, name: OrderName) -> OrderResult:
        """Tell what became of an order that could not be cancelled: it may have filled."""
        try:
            found = await self._query(refusal.symbol, name)
        except VenueError as error:
            return unknown(refusal, error)
        if found is None:
            return refusal
        if found.status is not None and found.status.terminal:
            return replace(found, message=f"nothing to cancel: {found.message}")
        return replace(
            found,
            state=OrderState.REJECTED,
            message=f"{refusal.message}; {found.message}",
            code=refusal.code,
            venue_code=refusal.venue_code,
        )


class BinanceCancels(OrderCanceller):
    """An account whose orders can be cancelled, over a transport that cannot place one."""

    def __init__(
        self,
        api_key: Secret | str,
        api_secret: Secret | str,
        base_url: str | None = None,
        *,
        use_testnet: bool,
        clock: Clock,
        recv_window_ms: int,
        timeout_seconds: float,
    ) -> None:
        """Raises ``ValueError`` as `BinanceBroker` does."""
        transport = CancelTransport(
            choose_base_url(base_url, use_testnet=use_testnet),
            clock,
            timeout_seconds,
            Credentials.of(api_key, api_secret, recv_window_ms),
        )
        super().__init__(transport, None, DEFAULT_DEPTH)
        self.unknown_fence_seconds = fence_seconds(recv_window_ms)
