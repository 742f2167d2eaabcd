"""The one place that reads the system's clocks; everything else is handed a `Clock`."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """Wall time in UTC for what is written down, monotonic time for what is measured."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251  this is the owner

    def monotonic_ns(self) -> int:
        """Return the monotonic time in nanoseconds."""
        return time.monotonic_ns()  # noqa: TID251  this is the owner

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)  # noqa: TID251  this is the owner
