"""One WebSocket kept open: replaced before it ends, opened again with patience when it is lost.

Source: promises.md, faults 21 and 22.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Generic, TypeVar

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from otonom_trader.brokers.binance.errors import Unreadable
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.ports import Clock

# The venue ends a connection after 24 hours.
LIFE_SECONDS: Final = 85_800.0
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0
# One that lived shorter counts as an attempt that failed: the venue counts connections.
_SETTLED_NS: Final = 30 * 1_000_000_000


class KeptSocket(ABC):
    """A connection that is open for as long as `listen` runs; `due` says that it should go."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.due = asyncio.Event()
        """Set when another connection should take this one's place."""
        self.why_due = ""

    @property
    def is_open(self) -> bool:
        """Whether something may be given to it."""
        return self._connection.state is State.OPEN

    def replace(self, why: str) -> None:
        """Ask for another connection in this one's place."""
        if not self.due.is_set():
            self.why_due = why
            self.due.set()

    async def listen(self) -> None:
        """Take in what the venue sends until the connection ends."""
        try:
            while True:
                self._take(await self._connection.recv(decode=False))
        except ConnectionClosed:
            self.replace("the connection was closed")
        except Unreadable as error:
            # Whose answer it was cannot be told: nobody's is known.
            self.replace(str(error))
        finally:
            self.abort()
            self._ended()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._connection.transport.abort()

    async def retire(self) -> None:
        """Close, once another one has taken over."""
        await self._connection.close()

    @abstractmethod
    def _take(self, frame: bytes) -> None:
        """Take one frame in; raises `Unreadable` for one that makes no sense."""

    @abstractmethod
    def _ended(self) -> None:
        """Tell whoever still waits for something of this connection."""


_Socket = TypeVar("_Socket", bound=KeptSocket)


class Keeper(Generic[_Socket]):
    """Holds one connection open while `run` runs.

    `connect` opens one; `prepare` makes it ready, while it is listened to, before it becomes
    `current` and the one before it retires: nothing falls between the two, some comes twice.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[_Socket]],
        prepare: Callable[[_Socket], Awaitable[None]],
        clock: Clock,
        *,
        random: Random | None = None,
        life_seconds: float = LIFE_SECONDS,
    ) -> None:
        self._connect = connect
        self._prepare = prepare
        self._clock = clock
        self._random = random or Random()  # noqa: S311  spreads reconnections, keeps no secret
        self._life_seconds = life_seconds
        self._pause_seconds = 0.0
        self.current: _Socket | None = None

    async def run(self, took_over: Callable[[], None], lost: Callable[[VenueError], None]) -> None:
        """Keep a connection until cancelled.

        `took_over` is called when one becomes `current`, `lost` when one could not be had, which is
        tried on.
        """
        async with asyncio.TaskGroup() as tasks:
            try:
                while True:
                    socket = await self._open_at_last(tasks, lost)
                    opened_ns = self._clock.monotonic_ns()
                    before, self.current = self.current, socket
                    took_over()
                    if before is not None:
                        tasks.create_task(before.retire())
                    await self._until_due(socket)
                    if self._clock.monotonic_ns() - opened_ns > _SETTLED_NS:
                        self._pause_seconds = 0.0
            finally:
                if self.current is not None:
                    self.current.abort()
                    self.current = None

    async def _open_at_last(
        self, tasks: asyncio.TaskGroup, lost: Callable[[VenueError], None]
    ) -> _Socket:
        while True:
            await self._pause()
            try:
                return await self._open(tasks)
            except VenueError as failure:
                lost(failure)

    async def _pause(self) -> None:
        """Wait before an attempt, the longer the more of them have failed."""
        pause = self._pause_seconds
        self._pause_seconds = min(max(pause * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        if pause:
            # Many clients of one venue must not come back in step.
            await self._clock.sleep(pause * self._random.uniform(0.5, 1))

    async def _open(self, tasks: asyncio.TaskGroup) -> _Socket:
        socket = await self._connect()
        tasks.create_task(socket.listen())
        try:
            await self._prepare(socket)
        except BaseException:
            socket.abort()
            raise
        return socket

    async def _until_due(self, socket: _Socket) -> None:
        try:
            async with asyncio.timeout(self._life_seconds):
                await socket.due.wait()
        except TimeoutError:
            socket.replace("the connection has lived nearly a day")
