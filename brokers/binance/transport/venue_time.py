"""Reading the venue's clock. Source: promises.md, P12."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from otonom_trader.brokers.binance.errors import ClockUnsure, Reply, check
from otonom_trader.brokers.binance.transport.time_sync import (
    FARTHEST_APART_NS,
    ClockSample,
    VenueClock,
)
from otonom_trader.brokers.binance.transport.weights import TIME
from otonom_trader.brokers.binance.wire import ServerTime, read
from otonom_trader.domain.errors import NotSent, VenueError
from otonom_trader.domain.ports import Clock

_SAMPLES: Final = 2
_NS_PER_MS: Final = 1_000_000

_server_time = msgspec.json.Decoder(ServerTime)


def _untold(by_ms: float, refused: str) -> None:
    """Nobody listens."""


class VenueTime:
    """Keeps the estimate `clock` of the venue's clock; `get` asks the venue for a path."""

    def __init__(self, clock: Clock, get: Callable[[str], Awaitable[Reply]]) -> None:
        self.clock = VenueClock(clock)
        self._own_clock = clock
        self._get = get
        self._reading = asyncio.Lock()
        self.on_off: Callable[[float, str], None] = _untold
        """Told when the clock is found off by so many milliseconds, and what was refused for it."""

    async def offset_ms(self) -> float:
        """Read the venue's clock and return how far it is ahead of the wall clock here."""
        await self.read()
        return self.clock.timestamp_ms() - self._own_clock.now().timestamp() * 1000

    async def read(self) -> None:
        """Estimate the venue's clock from round trips; raises `NotSent` when it cannot be read."""
        moved_ns = await self._read()
        if abs(moved_ns) > FARTHEST_APART_NS:
            self.on_off(moved_ns / _NS_PER_MS, "")

    async def correct(self, refused: str) -> None:
        """Estimate it anew because the venue did not take the time of the request `refused`.

        Raises as `read` does.
        """
        self.clock.distrust()
        self.on_off(await self._read() / _NS_PER_MS, refused)

    async def _read(self) -> int:
        try:
            samples = [await self._sample() for _ in range(_SAMPLES)]
        except NotSent:
            raise
        except VenueError as error:
            raise ClockUnsure(f"not signed: the venue's clock cannot be read: {error}") from None
        return self.clock.settle(samples)

    async def freshen(self) -> None:
        """Estimate the venue's clock when the last estimate has some age.

        Never raises: whether a request may be signed is decided where it is.
        """
        if not self.clock.due:
            return
        async with self._reading:
            if self.clock.due:
                with contextlib.suppress(VenueError):
                    await self.read()

    async def ensure(self) -> None:
        """Estimate the venue's clock where there is no usable estimate; raises as `read` does."""
        if self.clock.usable:
            return
        async with self._reading:
            if not self.clock.usable:  # whoever held the lock may have done it
                await self.read()

    async def _sample(self) -> ClockSample:
        reply = await self._get(TIME)
        check(reply)
        return ClockSample(read(_server_time, reply).server_time, reply.sent_ns, reply.received_ns)
