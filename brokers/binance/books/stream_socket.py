"""One connection to the market streams: commands answered one by one, events passed on."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from otonom_trader.brokers.binance.books.stream_frames import (
    LIST_SUBSCRIPTIONS,
    SUBSCRIBE,
    StreamFrame,
    command_frame,
    read_frame,
    read_names,
)
from otonom_trader.brokers.binance.errors import Unreadable
from otonom_trader.brokers.binance.transport.ws_keeper import KeptSocket
from otonom_trader.domain.errors import OutcomeUnknown, Rejected
from otonom_trader.domain.ports import Clock

# The venue takes five messages a second, pings and pongs among them.
_COMMAND_SECONDS: Final = 0.25
_NAMES_PER_COMMAND: Final = 200
_SILENCE_NS: Final = 5 * 1_000_000_000
# The venue's servers are not in step: what one has sent before, the other may send a little later.
_OVERLAP_SECONDS: Final = 2.0


class StreamSocket(KeptSocket):
    """A connection to the combined streams; `streams` are those that the venue has confirmed.

    `on_event` is called with the stream and the data of each event, `on_end` when no more will
    come; neither may wait.
    """

    def __init__(
        self,
        connection: ClientConnection,
        clock: Clock,
        timeout_seconds: float,
        on_event: Callable[[str, msgspec.Raw], None],
        on_end: Callable[["StreamSocket"], None],
    ) -> None:
        super().__init__(connection)
        self.streams: set[str] = set()
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._on_event = on_event
        self._on_end = on_end
        self._number = 0
        self._asking = asyncio.Lock()
        self._answer: asyncio.Future[StreamFrame | None] | None = None
        self._heard_ns = clock.monotonic_ns()
        self._asked_ns: int | None = None

    async def subscribe(self, streams: Sequence[str]) -> None:
        """Have the venue send `streams`; raises `VenueError` when it does not confirm that."""
        for first in range(0, len(streams), _NAMES_PER_COMMAND):
            names = streams[first : first + _NAMES_PER_COMMAND]
            await self._ask(SUBSCRIBE, names)
            self.streams.update(names)

    async def check(self) -> None:
        """Ask what is subscribed, where nothing has come for a while.

        Raises `VenueError` when that is not answered, or with something else.
        """
        if self._clock.monotonic_ns() - self._heard_ns < _SILENCE_NS:
            return
        answer = await self._ask(LIST_SUBSCRIPTIONS, ())
        if not self.streams <= set(read_names(answer.result)):
            raise Unreadable("the venue has lost a subscription")

    async def retire(self) -> None:
        """Close once the connection that took over has had time to bring the same events."""
        await self._clock.sleep(_OVERLAP_SECONDS)
        await super().retire()

    async def _ask(self, method: str, streams: Sequence[str]) -> StreamFrame:
        async with self._asking:
            await self._keep_pace()
            self._number += 1
            self._answer = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await self._connection.send(command_frame(self._number, method, streams))
                    answer = await self._answer
            except TimeoutError:
                raise OutcomeUnknown(
                    f"{method} was not answered within {self._timeout_seconds:g} s"
                ) from None
            except ConnectionClosed:
                answer = None
            finally:
                self._answer = None
        if answer is None:
            raise OutcomeUnknown(f"{method} lost its connection before an answer")
        if answer.refusal is not None:
            raise Rejected(f"{method} was refused: {answer.refusal.msg[:200]}")
        return answer

    async def _keep_pace(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if self._asked_ns is not None:
            left = _COMMAND_SECONDS - (now_ns - self._asked_ns) / 1e9
            if left > 0:
                await self._clock.sleep(left)
        self._asked_ns = self._clock.monotonic_ns()

    def _take(self, frame: bytes) -> None:
        self._heard_ns = self._clock.monotonic_ns()
        incoming = read_frame(frame)
        if incoming.is_shutdown:
            self.replace("the venue shuts this connection down")
        elif incoming.is_event:
            self._on_event(incoming.stream, incoming.data)
        elif incoming.id in (None, self._number):
            self._answered(incoming)

    def _ended(self) -> None:
        self._answered(None)
        self._on_end(self)

    def _answered(self, answer: StreamFrame | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)
