"""The REST side: one request in, one reply out, with limits, security and faults around it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from otonom_trader.testnet.call import Route
from otonom_trader.testnet.delivery import ClientConnection, Reply, deliver, page_reply
from otonom_trader.testnet.dispatch import (
    TIME_UNITS,
    Outcome,
    Venue,
    dispatch,
    note_caller,
    refusal,
)
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.parameters import FORM, Parameters, decode
from otonom_trader.testnet.routes import ROUTES
from otonom_trader.testnet.security import Key, authenticate, find_key
from otonom_trader.testnet.strikes import strike
from otonom_trader.testnet.truth import RequestRecord

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
        is_served = (incoming.method, path) in ROUTES
        ordered = self._venue.faults.take(incoming.method, path) if is_served else None
        if ordered is None:
            return self.answer(incoming).written()
        route, record = self._arrived(incoming)
        if record is not None:
            record.fault = ordered.name
            self._note_unexecuted(record, incoming)
        connection = ClientConnection(request, self._venue)
        now_ms = self._now_ms()

        def act() -> Outcome:
            return dispatch(self._venue, incoming, route, record)

        striking = strike(ordered, connection, act, now_ms, record=record)
        # A client that leaves ends what waits for it, and not what is on its way.
        struck = await (self._venue.errands.see_through(striking) if ordered.is_delay else striking)
        if struck is None:
            # The connection is closed: what is returned here goes nowhere.
            return web.Response()
        if ordered.fault.bans:
            self._venue.limits.ban(incoming.address, now_ms, ordered.retry_after_s)
        reply = self._reply(incoming, struck)
        page = ordered.fault.page
        if page is not None:
            reply = page_reply(page, request.raw_path)
            if record is not None:
                record.tell(page.status, None)
        return await deliver(reply, ordered, request, connection)

    def answer(self, incoming: Incoming) -> Reply:
        """The reply to a request that no fault strikes."""
        route, record = self._arrived(incoming)
        if route is None:
            return self._not_served(incoming)
        return self._reply(incoming, dispatch(self._venue, incoming, route, record))

    def _arrived(self, incoming: Incoming) -> tuple[Route | None, RequestRecord | None]:
        route = ROUTES.get((incoming.method, incoming.path))
        if route is None or not route.is_recorded:
            return route, None
        return route, self._venue.requests.open(self._now_ms(), incoming.method, incoming.path)

    def _not_served(self, incoming: Incoming) -> Reply:
        """A path there is not, or not with this method; either costs what the least request does.

        The page is documented. What comes without ``text/html`` in Accept is not, nor what a wrong
        method gets: here an empty body, and 405.
        """
        counted = Outcome(HTTPStatus.NOT_FOUND, None)
        try:
            self._venue.limits.charge(incoming.address, 1, self._now_ms())
        except VenueError as error:
            return self._reply(incoming, refusal(error, counted))
        methods = [method for method, path in ROUTES if path == incoming.path]
        counted.headers["X-Testnet-Note"] = "not served here; docs/testnet.md lists what is"
        body, kind = b"", "text/plain;charset=UTF-8"
        if methods:
            counted.status = HTTPStatus.METHOD_NOT_ALLOWED
            counted.headers["Allow"] = ", ".join(methods)
        elif "text/html" in incoming.headers.get("Accept", ""):
            body, kind = b"<html><body><h2>404 Not found</h2></body></html>", "text/html"
        plain = self._reply(incoming, counted)
        return Reply(plain.status, body, plain.headers, kind)

    def _reply(self, incoming: Incoming, outcome: Outcome) -> Reply:
        used = self._venue.limits.used_weight(incoming.address, self._now_ms())
        is_sapi = incoming.path.startswith("/sapi/")
        name = "X-SAPI-USED-IP-WEIGHT-1M" if is_sapi else "X-MBX-USED-WEIGHT-1M"
        outcome.headers[name] = str(used)
        return Reply(outcome.status, _encode(outcome.content), outcome.headers)

    def _note_unexecuted(self, record: RequestRecord, incoming: Incoming) -> None:
        """A request that a fault may keep from the engine is on record too, by what it says."""
        key = self._venue.keys.get(incoming.headers.get("X-MBX-APIKEY", ""))
        with suppress(VenueError):
            note_caller(record, key, incoming.parameters())

    def _now_ms(self) -> int:
        return self._venue.clock.time_ms()
