"""Signed requests over REST: what each mode can send, and nothing else."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import ClassVar, Final

import msgspec
from yarl import URL

from otonom_trader.brokers.binance.departure import Departure, Endpoint, GuardedRequest
from otonom_trader.brokers.binance.errors import ClockUnsure, Reply, check
from otonom_trader.brokers.binance.rest import PUBLIC_ENDPOINTS, TIME, PublicTransport
from otonom_trader.brokers.binance.signing import (
    Credentials,
    Params,
    encode_query,
    percent_encode,
)
from otonom_trader.brokers.binance.time_sync import ClockSample, VenueClock
from otonom_trader.brokers.binance.wire import ServerTime, read
from otonom_trader.domain.errors import NotSent, VenueError
from otonom_trader.domain.ports import Clock, KillGate

ACCOUNT: Final = "/api/v3/account"
ORDER: Final = "/api/v3/order"
ORDER_TEST: Final = "/api/v3/order/test"
OPEN_ORDERS: Final = "/api/v3/openOrders"
MY_TRADES: Final = "/api/v3/myTrades"

_ACCOUNT_ENDPOINTS: Final[frozenset[Endpoint]] = PUBLIC_ENDPOINTS | {
    ("GET", ACCOUNT),
    ("GET", OPEN_ORDERS),
}
_CLOCK_SAMPLES: Final = 2

_server_time = msgspec.json.Decoder(ServerTime)


class AccountRequest(GuardedRequest):
    """Market data and reads of the account."""

    allowed = _ACCOUNT_ENDPOINTS


class ShadowRequest(GuardedRequest):
    """Reads, and the validation of an order that never reaches matching."""

    allowed = _ACCOUNT_ENDPOINTS | {("POST", ORDER_TEST)}


class LiveRequest(GuardedRequest):
    """Reads, and placing, querying and cancelling orders."""

    allowed = _ACCOUNT_ENDPOINTS | {
        ("GET", ORDER),
        ("GET", MY_TRADES),
        ("POST", ORDER),
        ("DELETE", ORDER),
    }


class SignedTransport(PublicTransport):
    """Reads of one account. It has no method that could place or cancel an order."""

    request_class: ClassVar[type[GuardedRequest]] = AccountRequest

    def __init__(
        self,
        base_url: URL,
        clock: Clock,
        timeout_seconds: float,
        credentials: Credentials,
    ) -> None:
        super().__init__(base_url, clock, timeout_seconds)
        self.venue_clock = VenueClock(clock)
        self._credentials = credentials
        self._syncing = asyncio.Lock()

    async def get_signed(self, path: str, params: Params = ()) -> Reply:
        """Read the account at `path`; raises `NotSent` when nothing left."""
        return await self._signed("GET", path, params, self.pause.check_request)

    async def clock_offset_ms(self) -> float:
        """Read the venue's clock and return how far it is ahead of the wall clock here."""
        await self.sync_clock()
        return self.venue_clock.timestamp_ms() - self.clock.now().timestamp() * 1000

    async def sync_clock(self) -> None:
        """Estimate the venue's clock from round trips; raises `NotSent` when it cannot be read."""
        try:
            samples = [await self._clock_sample() for _ in range(_CLOCK_SAMPLES)]
        except NotSent:
            raise
        except VenueError as error:
            raise ClockUnsure(f"not signed: the venue's clock cannot be read: {error}") from None
        self.venue_clock.settle(samples)

    async def freshen_clock(self) -> None:
        """Estimate the venue's clock when the last estimate has some age.

        Never raises: whether a request may be signed is decided where it is.
        """
        if not self.venue_clock.due:
            return
        async with self._syncing:
            if self.venue_clock.due:
                with contextlib.suppress(VenueError):
                    await self.sync_clock()

    async def _clock_sample(self) -> ClockSample:
        reply = await self.get(TIME)
        check(reply)
        return ClockSample(read(_server_time, reply).server_time, reply.sent_ns, reply.received_ns)

    async def _signed(
        self, method: str, path: str, params: Params, permit: Callable[[], None]
    ) -> Reply:
        if not self.venue_clock.usable:
            async with self._syncing:
                if not self.venue_clock.usable:  # whoever held the lock may have done it
                    await self.sync_clock()
        query = encode_query(params)
        headers = {"X-MBX-APIKEY": self._credentials.api_key.reveal()}
        reply = await self._exchange(
            method, path, Departure(self.clock, query, permit, self._seal), headers
        )
        if not reply.is_stale_timestamp:
            return reply
        # Refused for its time and so not carried out: once more, by a clock read afresh.
        self.venue_clock.distrust()
        await self.sync_clock()
        return await self._exchange(
            method, path, Departure(self.clock, query, permit, self._seal), headers
        )

    def _seal(self, query: str) -> tuple[int, str]:
        timestamp_ms = self.venue_clock.timestamp_ms()
        timing = f"recvWindow={self._credentials.recv_window_ms}&timestamp={timestamp_ms}"
        payload = f"{query}&{timing}" if query else timing
        signature = percent_encode(self._credentials.signer.sign(payload))
        return timestamp_ms, f"{payload}&signature={signature}"


class ShadowTransport(SignedTransport):
    """Reads, and validation of orders; it has no method that could place or cancel one."""

    request_class = ShadowRequest

    async def validate(self, params: Params) -> Reply:
        """Have an order checked; it never reaches matching."""
        return await self._signed("POST", ORDER_TEST, params, self.pause.check_request)


class LiveTransport(SignedTransport):
    """Reads, and real orders behind the kill gate."""

    request_class = LiveRequest

    def __init__(
        self,
        base_url: URL,
        clock: Clock,
        timeout_seconds: float,
        credentials: Credentials,
        gate: KillGate | None,
    ) -> None:
        super().__init__(base_url, clock, timeout_seconds, credentials)
        self._gate = gate

    async def place(self, params: Params) -> Reply:
        """Place an order; raises `TradingHalted` when the gate is shut, `NotSent` likewise."""
        return await self._signed("POST", ORDER, params, self._may_place)

    async def cancel(self, params: Params) -> Reply:
        """Cancel an order; the gate does not hold cancels back."""
        return await self._signed("DELETE", ORDER, params, self.pause.check_request)

    def _may_place(self) -> None:
        self.pause.check_order()
        if self._gate is not None:
            self._gate.check()
