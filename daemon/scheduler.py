"""What happens when: APScheduler sets events, and tasks of the daemon's group do the work.

A job does nothing else, because APScheduler swallows a job's exception and cancels running jobs
when it shuts down.
"""

import asyncio
from types import TracebackType
from typing import Self

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger


class Scheduler:
    """Named intervals, each an event that is set when its time comes. Used by ``async with``."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    async def __aenter__(self) -> Self:
        self._scheduler.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._scheduler.shutdown(wait=False)

    def every(self, seconds: float, name: str) -> asyncio.Event:
        """Return an event that is set now, and then every `seconds`; its reader clears it."""
        due = asyncio.Event()
        due.set()

        async def mark() -> None:  # a coroutine, so that it runs on the loop and not in a thread
            due.set()

        self._scheduler.add_job(
            mark,
            IntervalTrigger(seconds=seconds, timezone="UTC"),
            id=name,
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
        )
        return due
