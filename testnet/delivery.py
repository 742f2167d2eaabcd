"""What goes back over HTTP: a reply, a page in its place, and how a fault has it delivered."""

import socket
import struct
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from otonom_trader.testnet.dispatch import Venue
from otonom_trader.testnet.faults import Delivery, Page
from otonom_trader.testnet.ordered_faults import OrderedFault

JSON_TYPE: Final = "application/json;charset=UTF-8"
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class ClientConnection:
    """The connection a request came in on, for a fault."""

    __slots__ = ("_request", "_venue", "is_closed")

    def __init__(self, request: web.BaseRequest, venue: Venue) -> None:
        self._request = request
        self._venue = venue
        self.is_closed = False

    def abort(self, *, with_reset: bool = False) -> None:
        """Close without another byte; with a reset, the client's side errs instead of ending."""
        self.is_closed = True
        transport = self._request.transport
        if transport is None:
            return
        connection = transport.get_extra_info("socket")
        if with_reset and connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()

    async def sleep(self, seconds: float) -> None:
        await self._venue.clock.sleep(seconds)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """It goes on when the connection is closed."""
        self._venue.errands.spawn(work)


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the client."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    content_type: str = JSON_TYPE

    def written(self) -> web.Response:
        return web.Response(
            status=self.status,
            body=self.body,
            headers={"Content-Type": self.content_type, **self.headers},
        )


def page_reply(page: Page, raw_path: str) -> Reply:
    """A redirect leads to the same request under another path."""
    where = {} if page.location is None else {"Location": page.location + raw_path}
    return Reply(page.status, page.html, where, "text/html")


async def deliver(
    reply: Reply, ordered: OrderedFault, request: web.BaseRequest, connection: ClientConnection
) -> web.StreamResponse:
    """Send a reply the way a fault says, as far as the client waits for it."""
    delivery = ordered.fault.delivery
    if delivery is Delivery.WHOLE:
        return reply.written()
    half = reply.body[: len(reply.body) // 2]
    if delivery is Delivery.TRUNCATED:
        return Reply(reply.status, half, reply.headers, reply.content_type).written()
    # The whole length is promised, and then not delivered, or slowly.
    response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
    response.content_type = "application/json"
    response.content_length = len(reply.body)
    try:
        await response.prepare(request)
        if delivery is Delivery.RESET:
            await response.write(half)
            connection.abort(with_reset=True)
            return response
        for place in range(len(reply.body)):
            await response.write(reply.body[place : place + 1])
            await connection.sleep(ordered.ms / 1000)
        await response.write_eof()
    except ConnectionError:
        # The client left.
        connection.abort()
    return response
