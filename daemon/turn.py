"""The order of decisions: claims are recorded one after another, sends overlap."""

import asyncio


class Turn:
    """A place in the order of decisions: claims are recorded one after another, sends overlap."""

    _over: asyncio.Event

    def __init__(self, before: "Turn | None" = None) -> None:
        self._over = asyncio.Event()
        self._before = before._over if before else None  # noqa: SLF001  one of its own kind
        self.has_come = False

    async def come(self) -> None:
        """Wait until the decision before this one is on record."""
        if self._before is not None:
            await self._before.wait()
            self._before = None
        self.has_come = True

    def over(self) -> None:
        """Let the next one come: this one is on record."""
        self._over.set()
