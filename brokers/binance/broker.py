"""Live execution on Binance Spot over REST."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from otonom_trader.brokers.binance.choices import ASKED, ORDER_TRANSPORTS, REST
from otonom_trader.brokers.binance.errors import (
    FILTER_CODES,
    FILTER_FAILURE,
    MARKET_CLOSED,
    NEW_ORDER_REJECTED,
    DuplicateId,
    Reply,
    check,
)
from otonom_trader.brokers.binance.hosts import choose_base_url
from otonom_trader.brokers.binance.market_data import DEFAULT_DEPTH
from otonom_trader.brokers.binance.order_cancels import OrderCanceller, fence_seconds
from otonom_trader.brokers.binance.orders.lists import (
    find_problem,
    list_params,
    placed_list,
)
from otonom_trader.brokers.binance.orders.outcome import (
    FAILED_TO_PLACE,
    client_id_for,
    draft,
    not_sent,
    refused,
    rejected,
    unknown,
)
from otonom_trader.brokers.binance.orders.replies import (
    Asked,
    OrderName,
    check_found,
    order_params,
    placed_order,
)
from otonom_trader.brokers.binance.orders.user_data import Expected, UserData
from otonom_trader.brokers.binance.transport.signed_rest import LiveTransport
from otonom_trader.brokers.binance.transport.signing import Credentials
from otonom_trader.brokers.binance.wire import PlacedList, PlacedOrder, read
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import OutcomeUnknown, Rejected, TradingHalted, VenueError
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderType
from otonom_trader.domain.ports import Clock, KillGate
from otonom_trader.domain.secret import Secret
from otonom_trader.domain.venue_event import VenueEvent

_WATCH_SECONDS: Final = 1.0
_FULL_REPLY: Final = ("newOrderRespType", "FULL")

_placed = msgspec.json.Decoder(PlacedOrder)
_placed_list = msgspec.json.Decoder(PlacedList)


class BinanceBroker(OrderCanceller):
    """Places real orders; with `use_testnet`, real orders of play money.

    Sends what it is told: no collar, no rounding, no retry of anything whose outcome is unknown.
    Source: the guide, "Binance Broker"; promises.md, P1 and P2.
    """

    def __init__(
        self,
        api_key: Secret | str,
        api_secret: Secret | str,
        base_url: str | None = None,
        use_testnet: bool = True,  # noqa: FBT001, FBT002  the guide's signature
        *,
        clock: Clock | None = None,
        gate: KillGate | None = None,
        recv_window_ms: int = 2_000,
        timeout_seconds: float = 5.0,
        renames: Mapping[str, str] | None = None,
        depth_limit: int = DEFAULT_DEPTH,
        order_transport: str = REST,
        market_data: str = ASKED,
    ) -> None:
        """Raises ``ValueError`` for keys that cannot be and for a host of the other environment.

        `gate` is asked immediately before an order's bytes leave. `renames` maps symbols as they
        are asked for to the venue's. `order_transport` is ``rest``, ``ws`` or ``auto``: the
        WebSocket API carries orders while `run` runs, and ``auto`` falls back to REST. With
        `market_data` ``streams`` books are followed while `run` runs, with ``rest`` asked for.
        """
        if order_transport not in ORDER_TRANSPORTS:
            known = ", ".join(ORDER_TRANSPORTS)
            raise ValueError(f"order_transport must be one of {known}, not {order_transport!r}")
        self._transport: LiveTransport = LiveTransport(
            choose_base_url(base_url, use_testnet=use_testnet),
            clock or SystemClock(),
            timeout_seconds,
            Credentials.of(api_key, api_secret, recv_window_ms),
            gate,
            order_transport,
        )
        super().__init__(self._transport, renames, depth_limit, market_data)
        self._expected = Expected(self._transport.clock)
        self.unknown_fence_seconds = fence_seconds(recv_window_ms)

    @property
    def last_order_ns(self) -> int | None:
        """When an order was last handed to the socket, monotonic; None where none ever was."""
        return self._transport.governor.last_order_ns

    def check_room(self) -> None:
        """Return when the limits leave room for an order; raises `Paused` otherwise."""
        self._transport.check_room()

    async def run(self, tell: Callable[[VenueEvent], None]) -> None:
        """Tell what happens to orders and balances, until cancelled; `tell` must not wait.

        Keeps the connection that carries it, and orders where `order_transport` says so.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(super().run(tell))
            tasks.create_task(self._watch())
            await self._transport.ws_api.run(UserData(tell, self._expected))

    async def _watch(self) -> None:
        """Replace a connection over which nothing comes although something must."""
        while True:
            await self._clock.sleep(_WATCH_SECONDS)
            if self._expected.is_overdue:
                self._expected.clear()
                self._transport.ws_api.doubt("no event came of an order that was accepted")

    async def place_order(self, req: OrderRequest) -> OrderResult:
        """Place an order; an OCO is a list of two at the venue.

        The price of a MARKET order is not sent. Everything is told by the result's state: nothing
        is raised for an outcome.
        """
        return await self._place(req)

    def exits(self, gate: KillGate) -> "ExitDoor":
        """Return where orders leave by another `gate`; all else is this broker's."""
        return ExitDoor(self._place, gate)

    async def _place(self, req: OrderRequest, gate: KillGate | None = None) -> OrderResult:
        asked = Asked(req.symbol[:40], client_id_for(req), req)
        try:
            rules = await self._listing.rules(req.symbol, slack=2)
            asked = Asked(rules.instrument.venue_symbol, asked.client_order_id, req)
            violation = find_problem(rules, asked, self._prices.context(rules))
            if violation:
                return refused(asked, violation)
            if self._transport.ws_api.is_open:
                # Before it leaves: its event may come before its answer.
                self._expected.expect(asked.client_order_id)
            reply = await self._send(asked, gate)
        except (VenueError, TradingHalted) as error:
            self._expected.came(asked.client_order_id)
            return not_sent(draft(asked), error, FAILED_TO_PLACE)
        try:
            check(reply, FAILED_TO_PLACE)
            placed = self._placed(asked, reply)
        except Rejected as error:
            self._expected.came(asked.client_order_id)
            return await self._after_rejection(rejected(draft(asked, reply), error), asked)
        except OutcomeUnknown as error:
            self._expected.came(asked.client_order_id)
            return unknown(draft(asked, reply), error)
        return placed

    async def _send(self, asked: Asked, gate: KillGate | None) -> Reply:
        if asked.order.order_type is OrderType.OCO:
            return await self._transport.place_list([*list_params(asked), _FULL_REPLY], gate)
        return await self._transport.place([*order_params(asked), _FULL_REPLY], gate)

    def _placed(self, asked: Asked, reply: Reply) -> OrderResult:
        if asked.order.order_type is OrderType.OCO:
            return placed_list(read(_placed_list, reply), asked, reply)
        return placed_order(read(_placed, reply), asked, reply)

    async def _after_rejection(self, refusal: OrderResult, asked: Asked) -> OrderResult:
        by_the_rules = refusal.code in (FILTER_FAILURE, MARKET_CLOSED)
        if by_the_rules or refusal.venue_code in FILTER_CODES:
            self._forget(asked.venue_symbol)
        may_be_duplicate = refusal.venue_code == NEW_ORDER_REJECTED and not by_the_rules
        if asked.order.client_order_id is None or not may_be_duplicate:
            return refusal
        # One of this code's reasons is that an order of this id is working already. Which reason
        # it is, only the text tells; the venue's list of orders tells it better.
        try:
            found = await self._query(asked.venue_symbol, OrderName(asked.client_order_id))
            if found is None:
                return refusal
            check_found(found, asked)
        except VenueError as error:
            return unknown(refusal, error)
        if found.status is None or found.status.terminal:
            return unknown(
                refusal, DuplicateId(f"{refusal.message}; {found.message} under that id")
            )
        return replace(found, signed_at_ms=refusal.signed_at_ms, stages_ns=refusal.stages_ns)


class ExitDoor:
    """Where orders leave that close positions after a kill, by a gate of their own."""

    def __init__(
        self, place: Callable[[OrderRequest, KillGate], Awaitable[OrderResult]], gate: KillGate
    ) -> None:
        self._place = place
        self._gate = gate

    async def place_order(self, req: OrderRequest) -> OrderResult:
        """Place an order, as `BinanceBroker.place_order` does."""
        return await self._place(req, self._gate)
