"""The REST side: one request in, one reply out, with limits, security and faults around it."""

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from aiohttp import web

from otonom_trader.testnet.call import Route
from otonom_trader.testnet.clock import Clock
from otonom_trader.testnet.dispatch import TIME_UNITS, Outcome, Venue, dispatch, note_caller
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.faults import Delivery, Page
from otonom_trader.testnet.ordered_faults import OrderedFault
from otonom_trader.testnet.parameters import FORM, Parameters, decode
from otonom_trader.testnet.routes import ROUTES
from otonom_trader.testnet.security import Key, authenticate, find_key
from otonom_trader.testnet.strikes import strike
from otonom_trader.testnet.truth import RequestRecord

_NO_LINGER: Final = struct.pack("ii", 1, 0)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as its bytes came in, query and body undecoded."""

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]
    address: str
    is_raw: bool = True

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def parameters(self) -> Parameters:
        return decode(self.query, self.body)

    def ticks(self) -> int:
        unit = self.headers.get("X-MBX-TIME-UNIT", "MILLISECOND").upper()
        if unit not in TIME_UNITS:
            raise VenueError(
                -1194,
                "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.",
            )
        return TIME_UNITS[unit]

    def find_key(self, keys: Mapping[str, Key]) -> Key:
        return find_key(keys, self.headers.get("X-MBX-APIKEY"))

    def authenticate(self, key: Key, parameters: Parameters, now_ms: int) -> None:
        authenticate(key, parameters, self.query, self.body, now_ms)


class ClientConnection:
    """The connection a request came in on, for a fault."""

    __slots__ = ("_clock", "_request", "is_closed")

    def __init__(self, request: web.BaseRequest, clock: Clock) -> None:
        self._request = request
        self._clock = clock
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
        await self._clock.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the client."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    content_type: str = "application/json;charset=UTF-8"

    def written(self) -> web.Response:
        return web.Response(
            status=self.status,
            body=self.body,
            headers={"Content-Type": self.content_type, **self.headers},
        )


class RestApi:
    """Answers /api/v3 and /sapi."""

    def __init__(self, venue: Venue) -> None:
        self._venue: Final = venue

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """For aiohttp: reads the body, lets an ordered fault strike, writes the reply."""
        path, _, query = request.raw_path.partition("?")
        body = await request.read() if request.can_read_body else b""
        # A body counts only in the one form the venue documents; GET has none.
        is_form = request.method != "GET" and request.content_type == FORM
        incoming = Incoming(
            method=request.method,
            path=path,
            query=query,
            body=body.decode("utf-8", "surrogateescape") if is_form else "",
            headers=request.headers,
            address=request.remote or "",
        )
        ordered = self._venue.faults.take(incoming.method, path)
        if ordered is None:
            return self.answer(incoming).written()
        route, record = self._arrived(incoming)
        if record is not None:
            record.fault = ordered.name
            self._note_unexecuted(record, incoming)
        connection = ClientConnection(request, self._venue.clock)
        struck = await strike(
            ordered,
            connection,
            lambda: dispatch(self._venue, incoming, route, record),
            self._now_ms(),
        )
        if struck is None:
            # The connection is closed: what is returned here goes nowhere.
            return web.Response()
        reply = self._reply(incoming, struck)
        page = ordered.fault.page
        if page is not None:
            reply = page_reply(page, request.raw_path)
        return await deliver(reply, ordered, request, connection)

    def answer(self, incoming: Incoming) -> Reply:
        """The reply to a request that no fault strikes."""
        route, record = self._arrived(incoming)
        return self._reply(incoming, dispatch(self._venue, incoming, route, record))

    def _arrived(self, incoming: Incoming) -> tuple[Route | None, RequestRecord | None]:
        route = ROUTES.get((incoming.method, incoming.path))
        if route is None or not route.is_recorded:
            return route, None
        return route, self._venue.requests.open(self._now_ms(), incoming.method, incoming.path)

    def _reply(self, incoming: Incoming, outcome: Outcome) -> Reply:
        used = self._venue.limits.used_weight(incoming.address, self._now_ms())
        is_sapi = incoming.path.startswith("/sapi/")
        name = "X-SAPI-USED-IP-WEIGHT-1M" if is_sapi else "X-MBX-USED-WEIGHT-1M"
        outcome.headers[name] = str(used)
        return Reply(outcome.status, _encode(outcome.content), outcome.headers)

    def _note_unexecuted(self, record: RequestRecord, incoming: Incoming) -> None:
        """A request that a fault may keep from the engine is on record too, by what it says."""
        key = self._venue.keys.get(incoming.headers.get("X-MBX-APIKEY", ""))
        try:
            note_caller(record, key, incoming.parameters())
        except VenueError as error:
            record.code = error.code

    def _now_ms(self) -> int:
        return self._venue.clock.time_ms()


def page_reply(page: Page, raw_path: str) -> Reply:
    """A redirect leads to the same request under another path."""
    where = {} if page.location is None else {"Location": page.location + raw_path}
    return Reply(page.status, page.html, where, "text/html")


async def deliver(
    reply: Reply, ordered: OrderedFault, request: web.BaseRequest, connection: ClientConnection
) -> web.StreamResponse:
    """Send a reply the way a fault says."""
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
    await response.prepare(request)
    if delivery is Delivery.RESET:
        await response.write(half)
        connection.abort(with_reset=True)
        return response
    for place in range(len(reply.body)):
        await response.write(reply.body[place : place + 1])
        await connection.sleep(ordered.ms / 1000)
    await response.write_eof()
    return response
