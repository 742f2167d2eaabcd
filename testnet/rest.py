"""The REST side: one request in, one reply out, with limits, security and faults around it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from aiohttp import web

from otonom_trader.testnet import account_data, errors, market_data, trading
from otonom_trader.testnet.call import Call, Route, Security
from otonom_trader.testnet.clock import Clock
from otonom_trader.testnet.control import Control
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.faults import Faults, OrderedFault, Reply
from otonom_trader.testnet.limits import Limits
from otonom_trader.testnet.parameters import FORM, Parameters, decode
from otonom_trader.testnet.security import Key, authenticate, find_key, timestamp_ms
from otonom_trader.testnet.truth import RequestLog, RequestRecord

ROUTES: Final[Mapping[tuple[str, str], Route]] = (
    market_data.ROUTES | trading.ROUTES | account_data.ROUTES
)
_TIME_UNITS: Final = {"MILLISECOND": 1, "MICROSECOND": 1000}
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


class ClientConnection:
    """What a fault may do to the connection a request came in on."""

    __slots__ = ("_request", "closed")

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.closed = False

    def close(self) -> None:
        self.closed = True
        if self._request.transport is not None:
            self._request.transport.abort()


class RestApi:
    """Answers /api/v3 and /sapi, and hands /testnet to the control interface."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        keys: Mapping[str, Key],
        limits: Limits,
        faults: Faults,
        requests: RequestLog,
        clock: Clock,
    ) -> None:
        self._exchange: Final = exchange
        self._keys: Final = keys
        self._limits: Final = limits
        self._faults: Final = faults
        self._requests: Final = requests
        self._clock: Final = clock
        self._control: Final = Control(exchange, faults, requests)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """For aiohttp: reads the body, lets an ordered fault strike, writes the reply."""
        path, _, query = request.raw_path.partition("?")
        body = await request.read() if request.can_read_body else b""
        if path.startswith("/testnet/"):
            return _written(self._control.answer(request.method, path, query, body))
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
        route = ROUTES.get((incoming.method, path))
        record = None
        if route is not None and route.is_recorded:
            record = self._requests.open(self._clock.time_ms(), incoming.method, path)
        ordered = self._faults.take(incoming.method, path)
        if ordered is None:
            return _written(self._answer(incoming, route, record))
        return await self._struck(ordered, incoming, route, record, ClientConnection(request))

    async def _struck(
        self,
        ordered: OrderedFault,
        incoming: Incoming,
        route: Route | None,
        record: RequestRecord | None,
        connection: ClientConnection,
    ) -> web.Response:
        fault = ordered.fault
        if record is not None:
            record.fault = ordered.name
            key = self._keys.get(incoming.headers.get("X-MBX-APIKEY", ""))
            _note_unexecuted(record, key, incoming)
        if fault.before is not None:
            await fault.before(connection)
        reply = Reply(200, b"{}", {})
        if ordered.executed and not connection.closed:
            reply = self._answer(incoming, route, record)
        if fault.after is not None and not connection.closed:
            await fault.after(connection)
        # On a closed connection what is returned here goes nowhere.
        return _written(fault.reply or reply)

    def _answer(
        self, incoming: Incoming, route: Route | None, record: RequestRecord | None
    ) -> Reply:
        now_ms = self._clock.time_ms()
        headers: dict[str, str] = {}
        weight = 1
        try:
            if route is None:
                self._limits.charge(incoming.address, weight, now_ms)
                raise errors.not_served(incoming.method, incoming.path)
            try:
                parameters = decode(incoming.query, incoming.body)
            except VenueError:
                self._limits.charge(incoming.address, weight, now_ms)
                raise
            weight = route.weight(parameters)
            self._limits.charge(incoming.address, weight, now_ms)
            call = self._admit(incoming, route, parameters, record, now_ms)
            headers = call.headers
            body = _encode(route.handler(call))
            status = 200
            if route.is_trading:
                self._limits.refund(incoming.address, weight, now_ms)
        except VenueError as error:
            status = error.status
            body = _encode({"code": error.code, "msg": error.msg})
            if error.retry_after_seconds is not None:
                headers["Retry-After"] = str(error.retry_after_seconds)
            if record is not None:
                record.code = error.code
        if record is not None:
            record.status = status
        prefix = "X-SAPI-USED-IP-WEIGHT-1M" if incoming.path.startswith("/sapi/") else None
        headers[prefix or "X-MBX-USED-WEIGHT-1M"] = str(
            self._limits.used_weight(incoming.address, now_ms)
        )
        return Reply(status, body, headers)

    def _admit(
        self,
        incoming: Incoming,
        route: Route,
        parameters: Parameters,
        record: RequestRecord | None,
        now_ms: int,
    ) -> Call:
        """Security first, then the parameters' names and characters."""
        unit = incoming.headers.get("X-MBX-TIME-UNIT", "MILLISECOND").upper()
        if unit not in _TIME_UNITS:
            raise VenueError(
                -1194,
                "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.",
            )
        key = None
        if route.security is Security.SIGNED:
            key = find_key(self._keys, incoming.headers.get("X-MBX-APIKEY"))
            if record is not None:
                _note_caller(record, key, parameters)
            authenticate(key, parameters, incoming.query, incoming.body, now_ms)
        parameters.check(route.parameters)
        return Call(
            exchange=self._exchange,
            limits=self._limits,
            parameters=parameters,
            now_ms=now_ms,
            ticks=_TIME_UNITS[unit],
            key=key,
            record=record,
        )


def _note_caller(record: RequestRecord, key: Key | None, parameters: Parameters) -> None:
    if key is not None:
        record.account = key.account.name
    record.timestamp_ms = timestamp_ms(parameters)
    record.symbol = parameters.text("symbol")
    record.client_order_id = parameters.text("newClientOrderId")
    if record.method == "DELETE":
        record.client_order_id = parameters.text("origClientOrderId")


def _note_unexecuted(record: RequestRecord, key: Key | None, incoming: Incoming) -> None:
    """A request that a fault keeps from the engine is on record too, by what it says."""
    try:
        _note_caller(record, key, decode(incoming.query, incoming.body))
    except VenueError as error:
        record.code = error.code


def _written(reply: Reply) -> web.Response:
    return web.Response(
        status=reply.status,
        body=reply.body,
        headers={"Content-Type": reply.content_type, **reply.headers},
    )
