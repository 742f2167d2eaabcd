"""Market streams over a WebSocket: subscribing, and the frames (page "WebSocket Streams").

``/ws`` and ``/ws/<name>`` send events as they are, ``/stream`` and ``/stream?streams=a/b`` wrap
them with their name. A name that no stream has, or that is of a symbol not listed, is taken without
complaint, as ``/ws/0`` is by the venue, and stays silent. Undocumented and chosen here: subscribing
beyond 1024 streams is refused with code 2.
"""

import json
import re
from collections import deque
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from aiohttp import WSCloseCode, web

from otonom_trader.testnet.audiences import Audiences
from otonom_trader.testnet.dispatch import TIME_UNITS, Venue
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.outlets import Outlet, Outlets
from otonom_trader.testnet.sockets import Sockets
from otonom_trader.testnet.stream_names import parse
from otonom_trader.testnet.ws_request import parse_json
from otonom_trader.testnet.ws_session import Session

MOST_STREAMS: Final = 1024
_MESSAGES_PER_SECOND: Final = 5
_METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_STRING_ID: Final = re.compile("[A-Za-z0-9_-]{0,36}")
_BEYOND_IDS: Final = 2**63
_METHOD: Final = re.compile(r'"method"\s*:\s*')

Json = dict[str, Any]
_encode = msgspec.json.Encoder().encode


class StreamClient:
    """One connection to the market streams."""

    def __init__(
        self, request: web.BaseRequest, session: Session, venue: Venue, streams: "Streams"
    ) -> None:
        path, _, query = request.raw_path.partition("?")
        self.session: Final = session
        self.ticks: Final = time_unit(query)
        self.is_combined = path == "/stream" or path.startswith("/stream/")
        self._venue: Final = venue
        self._streams: Final = streams
        self._wanted: Final = _names_in(path, query)
        # Name to outlet, in the order they were asked for; None for a name no stream has.
        self._subscribed: Final[dict[str, Outlet | None]] = {}
        self._new: Final[list[Outlet]] = []
        self._arrivals: Final[deque[float]] = deque()
        session.farewell = self._farewell

    def started(self) -> None:
        self._subscribe(self._wanted)
        self._welcome()

    def ended(self) -> None:
        self._unsubscribe(list(self._subscribed))

    def received(self, frame: str | bytes | None) -> None:
        """Answer a message; pings and pongs count as messages too."""
        now = self._venue.clock.monotonic()
        self._arrivals.append(now)
        while now - self._arrivals[0] >= 1:
            self._arrivals.popleft()
        if len(self._arrivals) > _MESSAGES_PER_SECOND:
            self.session.close(WSCloseCode.POLICY_VIOLATION, "Too many requests")
        elif frame is not None:
            text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
            self.session.send(_encode(self._answered(text)))
            self._welcome()

    def framed(self, name: str, event: Any) -> bytes:
        payload = _encode(event)
        if not self.is_combined:
            return payload
        return b'{"stream":' + _encode(name) + b',"data":' + payload + b"}"

    def _answered(self, text: str) -> Json:
        try:
            wanted = parse_json(text, exact_numbers=False)
        except json.JSONDecodeError as error:
            return _not_json(error.lineno, error.colno)
        except ValueError:
            return _not_json(1, 1)
        if not isinstance(wanted, dict):
            return _invalid("expected an object at line 1 column 1")
        if "method" not in wanted:
            return _invalid(f"missing field `method` at line 1 column {len(text)}")
        method = wanted["method"]
        if not isinstance(method, str):
            return _not_json(*_place_of_method(text))
        if method not in _METHODS:
            column = text.find(json.dumps(method)) + len(json.dumps(method))
            expected = ", ".join(f"`{each}`" for each in _METHODS)
            return _invalid(
                f"unknown variant `{method}`, expected one of {expected} at line 1 column {column}"
            )
        if "id" not in wanted or not _is_id(wanted["id"]):
            return _invalid("request ID must be an unsigned integer")
        parameters = wanted.get("params", [])
        if not isinstance(parameters, list):
            return _invalid("params must be an array")
        return self._done(method, parameters, wanted["id"])

    def _done(self, method: str, parameters: list[Any], request_id: int | str | None) -> Json:
        if method.endswith("_PROPERTY"):
            return self._property(method, parameters, request_id)
        if method == "LIST_SUBSCRIPTIONS":
            if parameters:
                return _invalid("too many parameters")
            return {"result": list(self._subscribed), "id": request_id}
        if not all(isinstance(name, str) for name in parameters):
            return _invalid("stream names must be strings")
        if method == "SUBSCRIBE":
            if len(self._subscribed.keys() | set(parameters)) > MOST_STREAMS:
                return _invalid(f"more than {MOST_STREAMS} streams")
            self._subscribe(parameters)
        else:
            self._unsubscribe(parameters)
        return {"result": None, "id": request_id}

    def _property(self, method: str, parameters: list[Any], request_id: int | str | None) -> Json:
        sets = method == "SET_PROPERTY"
        if not parameters or not isinstance(parameters[0], str):
            return _invalid("property name must be a string")
        if len(parameters) > (2 if sets else 1):
            return _invalid("too many parameters")
        if parameters[0] != "combined":
            return _error(0, "Unknown property") | {"id": request_id}
        if not sets:
            return {"result": self.is_combined, "id": request_id}
        if len(parameters) < 2 or not isinstance(parameters[1], bool):
            return _error(1, "Invalid value type: expected Boolean")
        self.is_combined = parameters[1]
        return {"result": None, "id": request_id}

    def _subscribe(self, names: Iterable[str]) -> None:
        for text in names:
            if text in self._subscribed:
                continue
            name = parse(text)
            self._subscribed[text] = None
            if name is not None:
                outlet = self._streams.outlets.open(text, self.session)
                self._subscribed[text] = outlet
                self._new.append(outlet)
                self._streams.audiences.join(name, self, outlet)
        self._streams.audiences.on_change()

    def _welcome(self) -> None:
        """Faults meet a subscription once its confirmation is on its way."""
        while self._new:
            self._streams.outlets.welcome(self._new.pop())

    def _unsubscribe(self, names: Iterable[str]) -> None:
        for name in names:
            outlet = self._subscribed.pop(name, None)
            if outlet is not None:
                self._streams.audiences.leave(name, self)
                self._streams.outlets.close(outlet)
        self._streams.audiences.on_change()

    def _farewell(self) -> bytes:
        event = {"e": "serverShutdown", "E": self._venue.clock.time_ms() * self.ticks}
        return self.framed("!serverShutdown", event)


class Streams:
    """The door for market streams."""

    def __init__(self, venue: Venue, sockets: Sockets, outlets: Outlets) -> None:
        self.audiences: Final = Audiences()
        self.outlets: Final = outlets
        self._venue: Final = venue
        self._sockets: Final = sockets

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._sockets.serve(
            request,
            door="streams",
            weight=0,
            client=lambda session: StreamClient(request, session, self._venue, self),
        )


def is_stream_path(path: str) -> bool:
    return path in ("/ws", "/stream") or path.startswith(("/ws/", "/stream/"))


def _names_in(path: str, query: str) -> list[str]:
    """A plus sign stands for itself, in ``kline_1d@+08:00``."""
    listed = path.removeprefix("/ws") if path.startswith("/ws") else ""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name == "streams":
            listed += f"/{value}"
    names = [name for name in unquote(listed).split("/") if name]
    if len(set(names)) > MOST_STREAMS:
        raise VenueError(-1130, "Data sent for parameter 'streams' is not valid.")
    return names


def time_unit(query: str) -> int:
    units = [pair[9:].upper() for pair in query.split("&") if pair.startswith("timeUnit=")]
    unit = units[-1] if units else "MILLISECOND"
    if unit not in TIME_UNITS:
        raise VenueError(
            -1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND."
        )
    return TIME_UNITS[unit]


def _is_id(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, str):
        return _STRING_ID.fullmatch(value) is not None
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return is_whole and -_BEYOND_IDS <= value < _BEYOND_IDS


def _place_of_method(text: str) -> tuple[int, int]:
    """Line and column of its value."""
    found = _METHOD.search(text)
    before = text[: found.end()] if found is not None else ""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _error(code: int, message: str) -> Json:
    return {"code": code, "msg": message}


def _not_json(line: int, column: int) -> Json:
    return _error(3, f"Invalid JSON: expected value at line {line} column {column}")


def _invalid(problem: str) -> Json:
    return _error(2, f"Invalid request: {problem}")
