"""Signed requests, over REST and the WebSocket API: what each mode can send, and nothing else."""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

import msgspec
from yarl import URL

from otonom_trader.brokers.binance.choices import AUTO, REST
from otonom_trader.brokers.binance.errors import Reply
from otonom_trader.brokers.binance.hosts import ws_api_url
from otonom_trader.brokers.binance.transport.departure import (
    Departure,
    Endpoint,
    GuardedRequest,
    Permit,
)
from otonom_trader.brokers.binance.transport.governor import Lane, Toll
from otonom_trader.brokers.binance.transport.rest import PUBLIC_ENDPOINTS, PublicTransport
from otonom_trader.brokers.binance.transport.signing import (
    Credentials,
    Params,
    encode_query,
    percent_encode,
)
from otonom_trader.brokers.binance.transport.weights import (
    ACCOUNT,
    KEY_RIGHTS,
    MY_TRADES,
    OPEN_ORDERS,
    ORDER,
    ORDER_LIST_OCO,
    ORDER_TEST,
    PLACE_OR_CANCEL,
    SESSION,
)
from otonom_trader.brokers.binance.transport.ws_api import Access, WsApi
from otonom_trader.brokers.binance.wire import ServerTime
from otonom_trader.domain.errors import NotSent
from otonom_trader.domain.ports import Clock, KillGate

ORDER_PLACE: Final = "order.place"
ORDER_CANCEL: Final = "order.cancel"
LIST_PLACE: Final = "orderList.place.oco"

_ACCOUNT_ENDPOINTS: Final[frozenset[Endpoint]] = PUBLIC_ENDPOINTS | {
    ("GET", ACCOUNT),
    ("GET", OPEN_ORDERS),
    ("GET", KEY_RIGHTS),
}
_CLOCK_SAMPLES: Final = 2

_server_time = msgspec.json.Decoder(ServerTime)


class AccountRequest(GuardedRequest):
    """Market data and reads of the account."""

    allowed = _ACCOUNT_ENDPOINTS


class ShadowRequest(GuardedRequest):
    """Reads, and the validation of an order that never reaches matching."""

    allowed = _ACCOUNT_ENDPOINTS | {("POST", ORDER_TEST)}


class CancelRequest(GuardedRequest):
    """Reads, and querying and cancelling orders."""

    allowed = _ACCOUNT_ENDPOINTS | {("GET", ORDER), ("GET", MY_TRADES), ("DELETE", ORDER)}


class LiveRequest(GuardedRequest):
    """Reads, and placing, querying and cancelling orders."""

    allowed = CancelRequest.allowed | {("POST", ORDER), ("POST", ORDER_LIST_OCO)}


class SignedTransport(PublicTransport):
    """Reads of one account. It has no method that could place or cancel an order."""

    request_class: ClassVar[type[GuardedRequest]] = AccountRequest
    ws_methods: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        base_url: URL,
        clock: Clock,
        timeout_seconds: float,
        credentials: Credentials,
    ) -> None:
        super().__init__(base_url, clock, timeout_seconds)
        self.ws_api = WsApi(
            ws_api_url(base_url),
            Access(credentials, self.venue_time.clock),
            clock,
            timeout_seconds,
            self.ws_methods,
            toll=lambda: Toll(self.governor, SESSION),
            prepare=self.venue_time.freshen,
        )
        self._credentials = credentials

    async def get_signed(self, path: str, params: Params = ()) -> Reply:
        """Read the account at `path`; raises `NotSent` when nothing left."""
        return await self._signed("GET", path, params, self._toll(path, params))

    async def _signed(self, method: str, path: str, params: Params, permit: Permit) -> Reply:
        query = encode_query(params)
        headers = {"X-MBX-APIKEY": self._credentials.api_key.reveal()}

        async def send() -> Reply:
            departure = Departure(self.clock, permit, lambda: self._seal(query))
            return await self._exchange(method, path, departure, headers)

        return await self._in_time(send)

    async def _over_ws(self, method: str, params: Params, permit: Permit) -> Reply:
        """Send a signed request over the WebSocket API; raises as `_signed` does."""
        named = dict(params)

        return await self._in_time(lambda: self.ws_api.request(method, named, permit))

    async def _in_time(self, send: Callable[[], Awaitable[Reply]]) -> Reply:
        """Send what is signed by the venue's clock; once more where it was refused for its time."""
        await self.venue_time.ensure()
        reply = await send()
        if not reply.is_stale_timestamp:
            return reply
        # Refused for its time and so not carried out: once more, by a clock read afresh.
        await self.venue_time.correct(reply.request)
        return await send()

    def _seal(self, query: str) -> tuple[int, str]:
        timestamp_ms = self.venue_time.clock.timestamp_ms()
        timing = f"recvWindow={self._credentials.recv_window_ms}&timestamp={timestamp_ms}"
        payload = f"{query}&{timing}" if query else timing
        signature = percent_encode(self._credentials.signer.sign(payload))
        return timestamp_ms, f"{payload}&signature={signature}"


class ShadowTransport(SignedTransport):
    """Reads, and validation of orders; it has no method that could place or cancel one."""

    request_class = ShadowRequest

    async def validate(self, params: Params) -> Reply:
        """Have an order checked; it never reaches matching."""
        return await self._signed("POST", ORDER_TEST, params, self._toll(ORDER_TEST, params))


class CancelTransport(SignedTransport):
    """Reads, and cancels, which no gate holds back; it has no method that could place an order."""

    request_class: ClassVar[type[GuardedRequest]] = CancelRequest

    async def cancel(self, params: Params) -> Reply:
        """Cancel an order; raises `NotSent` when nothing left."""
        return await self._signed("DELETE", ORDER, params, self._cancel_toll())

    def _cancel_toll(self) -> Toll:
        return Toll(self.governor, PLACE_OR_CANCEL, Lane.URGENT)


class LiveTransport(CancelTransport):
    """Reads, and real orders behind the kill gate.

    `order_transport` says what carries orders and cancels: ``rest``, ``ws``, or ``auto``, which is
    the WebSocket API while it is connected.
    """

    request_class = LiveRequest
    ws_methods = frozenset({ORDER_PLACE, LIST_PLACE, ORDER_CANCEL})

    def __init__(
        self,
        base_url: URL,
        clock: Clock,
        timeout_seconds: float,
        credentials: Credentials,
        gate: KillGate | None,
        order_transport: str,
    ) -> None:
        super().__init__(base_url, clock, timeout_seconds, credentials)
        self._gate = gate
        self._order_transport = order_transport

    async def place(self, params: Params, gate: KillGate | None = None) -> Reply:
        """Place an order; raises `TradingHalted` when the gate is shut, `NotSent` likewise.

        A `gate` that is given stands in the place of the usual one.
        """
        return await self._order("POST", ORDER, ORDER_PLACE, params, self._order_toll(1, gate))

    async def place_list(self, params: Params, gate: KillGate | None = None) -> Reply:
        """Place a pair of which one cancels the other; raises as `place` does."""
        toll = self._order_toll(2, gate)
        return await self._order("POST", ORDER_LIST_OCO, LIST_PLACE, params, toll)

    async def cancel(self, params: Params) -> Reply:
        """Cancel an order; the gate does not hold cancels back."""
        return await self._order("DELETE", ORDER, ORDER_CANCEL, params, self._cancel_toll())

    async def _order(
        self, method: str, path: str, ws_method: str, params: Params, permit: Permit
    ) -> Reply:
        if self._order_transport == REST or (
            self._order_transport == AUTO and not self.ws_api.is_open
        ):
            return await self._signed(method, path, params, permit)
        try:
            return await self._over_ws(ws_method, params, permit)
        except NotSent:
            # Nothing has left, so that nothing is sent twice.
            if self._order_transport != AUTO:
                raise
        return await self._signed(method, path, params, permit)

    def check_room(self) -> None:
        """Return when the limits leave room for an order; raises `Paused` otherwise."""
        self.governor.check(PLACE_OR_CANCEL, Lane.ORDER, orders=1)

    def _order_toll(self, orders: int, gate: KillGate | None) -> Toll:
        gate = self._gate if gate is None else gate
        return Toll(self.governor, PLACE_OR_CANCEL, Lane.ORDER, orders=orders, gate=gate)
