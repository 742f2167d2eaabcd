"""One connection to the WebSocket API: requests answered by their number, events passed on."""

import asyncio
import itertools
from collections.abc import Callable, Mapping

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from otonom_trader.brokers.binance.errors import NO_REPLY, Reply, Unreadable
from otonom_trader.brokers.binance.transport.departure import Departure, Permit, Seal
from otonom_trader.brokers.binance.transport.ws_frames import (
    Incoming,
    is_shutdown,
    read_frame,
    reply_of,
    request_frame,
)
from otonom_trader.brokers.binance.transport.ws_keeper import KeptSocket
from otonom_trader.domain.errors import NotSent
from otonom_trader.domain.ports import Clock

Params = Mapping[str, str | int]
Sign = Callable[[Params], tuple[int | None, Params]]
"""Returns a request's timestamp (venue clock, ms) and its parameters as they are sent."""


class ApiSocket(KeptSocket):
    """A connection that is open, for as long as `listen` runs.

    Requests may overlap. A method outside of `allowed` cannot leave: what a mode may not do is not
    open to its connection. Source: promises.md, P2 and P8.
    """

    def __init__(
        self,
        connection: ClientConnection,
        clock: Clock,
        timeout_seconds: float,
        allowed: frozenset[str],
        on_event: Callable[[Incoming], None],
        on_broken: Callable[["ApiSocket"], None],
    ) -> None:
        """`on_broken` is told when it can no longer be relied on that everything comes."""
        super().__init__(connection)
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._allowed = allowed
        self._on_event = on_event
        self._on_broken = on_broken
        self._numbers = itertools.count(1)
        self._waiting: dict[int | str | None, asyncio.Future[Incoming | None]] = {}
        self.logged_on = False

    async def request(self, method: str, params: Params, permit: Permit, sign: Sign) -> Reply:
        """Send one request and return what came back.

        Raises `NotSent` or what `permit` raises, both only when nothing left; all that goes wrong
        later is told by the reply.
        """
        if method not in self._allowed:
            raise NotSent(f"{method} is not open to this connection")
        number = next(self._numbers)
        departure = Departure(self._clock, permit, _seal(number, method, params, sign))
        answer: asyncio.Future[Incoming | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        incoming, lost = None, ""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                self._check_ready(method)
                # On an open connection with nothing queued, `send` writes before it first awaits.
                await self._connection.send(departure.leave())
                incoming = await answer
            if incoming is None:
                lost = "lost its connection before an answer"
        except TimeoutError:
            lost = f"was not answered within {self._timeout_seconds:g} s"
            self.doubt(f"{method} {lost}")
        except ConnectionClosed:
            lost = "lost its connection before an answer"
        except asyncio.CancelledError:
            departure.answered(NO_REPLY)
            raise
        finally:
            del self._waiting[number]
        if not departure.left:
            raise NotSent(f"{method} not sent: {lost}")
        received_ns = self._clock.monotonic_ns()
        reply = reply_of(
            incoming, method, departure.sent_ns, received_ns, departure.signed_at_ms, lost
        )
        departure.answered(reply)
        return reply

    def doubt(self, why: str) -> None:
        """Ask for another connection: not everything may have come over this one."""
        self.replace(why)
        self._on_broken(self)

    async def retire(self) -> None:
        """Close once everything that was sent is answered, or has had its time."""
        waiting = [answer for answer in self._waiting.values() if not answer.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=self._timeout_seconds)
        await self._connection.close()

    def _take(self, frame: bytes) -> None:
        incoming = read_frame(frame)
        if incoming.status is None:
            if is_shutdown(incoming):
                self.replace("the venue shuts this connection down")
            else:
                self._on_event(incoming)
            return
        if incoming.id is None:
            # The session's key is no good any more, or a frame of ours was not understood.
            self.logged_on = False
            raise Unreadable(f"the venue answers no request: {bytes(incoming.error)!r:.200}")
        answer = self._waiting.get(incoming.id)
        if answer is not None and not answer.done():
            answer.set_result(incoming)

    def _ended(self) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(None)
        self._on_broken(self)

    def _check_ready(self, method: str) -> None:
        if not self.is_open:
            raise NotSent(f"{method} not sent: the connection is closed")
        if self._connection.transport.get_write_buffer_size():
            raise NotSent(f"{method} not sent: the connection is not ready to write")


def _seal(number: int, method: str, params: Params, sign: Sign) -> Seal:
    def seal() -> tuple[int | None, str]:
        timestamp_ms, signed = sign(params)
        return timestamp_ms, request_frame(number, method, signed)

    return seal
