"""Where time comes from. Everything in the testnet asks a Clock, so that a test can own time."""

import asyncio
import time
from typing import Final, Protocol


class Clock(Protocol):
    """Time as the venue sees it."""

    def time_ms(self) -> int:
        """Milliseconds since the epoch: the venue's clock."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never steps; only differences mean something."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        ...


class WallClock:
    """The machine's own time."""

    def time_ms(self) -> int:
        return time.time_ns() // 1_000_000  # noqa: TID251  this class is where time comes from

    def monotonic(self) -> float:
        return time.monotonic()  # noqa: TID251

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)  # noqa: TID251


class VenueClock:
    """The clock the venue tells its clients: another one, and how far it is off on purpose.

    Only ``time_ms`` is off; durations are the other clock's. Everything the venue stamps is
    stamped by this one, what it plans ahead is planned by the other.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self.skew_ms = 0

    def time_ms(self) -> int:
        return self._clock.time_ms() + self.skew_ms

    def planned_ms(self) -> int:
        """What it would tell without being off: what is planned by it moves with ``skew_ms``."""
        return self._clock.time_ms()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


class ManualClock:
    """Time that moves only when told to, for runs that must repeat exactly."""

    def __init__(self, time_ms: int) -> None:
        self._start_ms: Final = time_ms
        self._elapsed_ms = 0
        self._sleepers: list[tuple[int, asyncio.Event]] = []

    def time_ms(self) -> int:
        return self._start_ms + self._elapsed_ms

    def monotonic(self) -> float:
        return self._elapsed_ms / 1000

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self._elapsed_ms + round(seconds * 1000), woken))
        await woken.wait()

    def advance(self, seconds: float) -> None:
        """Move time; whoever slept until then runs at the next turn of the event loop."""
        self._elapsed_ms += round(seconds * 1000)
        due = [event for until, event in self._sleepers if until <= self._elapsed_ms]
        self._sleepers = [entry for entry in self._sleepers if entry[0] > self._elapsed_ms]
        for event in due:
            event.set()
