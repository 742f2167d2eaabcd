"""The control interface under /testnet. Loopback only, not part of Binance.

- ``GET /testnet/truth``: the engine's own account of everything.
- ``POST``, ``GET``, ``DELETE /testnet/faults``: faults (``faults.py``).
- ``POST /testnet/clock {"skew_ms": n}``: how far the venue's clock is off.
- ``POST /testnet/keys/{key}``: ``revoked``, ``can_read``, ``can_trade``, ``can_withdraw``,
  ``ip_restricted``, each true or false.
- ``POST /testnet/symbols/{symbol}``: ``status``, ``filters`` (as exchangeInfo shows them).
- ``POST``, ``DELETE /testnet/orders``, ``POST /testnet/transfers``, ``POST /testnet/locks``: by
  hand (``by_hand.py``).
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import msgspec

from otonom_trader.testnet.by_hand import ByHand
from otonom_trader.testnet.delivery import Reply
from otonom_trader.testnet.dispatch import Venue
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.faults import USER_PATH, Door
from otonom_trader.testnet.routes import ROUTES
from otonom_trader.testnet.stream_names import parse
from otonom_trader.testnet.streams import is_stream_path
from otonom_trader.testnet.truth import truth
from otonom_trader.testnet.ws_api import OWN_METHODS
from otonom_trader.testnet.ws_api import PATH as WS_API_PATH
from otonom_trader.testnet.ws_methods import METHODS

_FAULTS: Final = "/testnet/faults"
_KEYS: Final = "/testnet/keys/"
_SYMBOLS: Final = "/testnet/symbols/"
_KEY_FIELDS: Final = ("revoked", "can_read", "can_trade", "can_withdraw", "ip_restricted")
_LARGEST_SKEW_MS: Final = 86_400_000


class NotThere(Exception):
    """What the path names does not exist; the text says what does."""


class Control:
    """Never struck by a fault and counted by no limit."""

    def __init__(self, venue: Venue) -> None:
        self._venue: Final = venue
        self._by_hand: Final = ByHand(venue)
        self._exact: Final[dict[tuple[str, str], Callable[[str, bytes], Any]]] = {
            ("GET", "/testnet/truth"): self._truth,
            ("POST", _FAULTS): self._order_fault,
            ("GET", _FAULTS): self._list_faults,
            ("DELETE", _FAULTS): self._end_faults,
            ("POST", "/testnet/clock"): self._set_clock,
            ("POST", "/testnet/orders"): lambda _, body: self._by_hand.order("POST", body),
            ("DELETE", "/testnet/orders"): lambda _, body: self._by_hand.order("DELETE", body),
            ("POST", "/testnet/transfers"): lambda _, body: self._by_hand.transfer(body),
            ("POST", "/testnet/locks"): lambda _, body: self._by_hand.lock(body),
        }

    def answer(self, method: str, path: str, query: str, body: bytes) -> Reply:
        try:
            exact = self._exact.get((method, path))
            if exact is not None:
                return _reply(exact(query, body))
            if method == "DELETE" and path.startswith(f"{_FAULTS}/"):
                return _reply(self._end_fault(path.removeprefix(f"{_FAULTS}/")))
            if method == "POST" and path.startswith(_KEYS):
                return _reply(self._change_key(unquote(path.removeprefix(_KEYS)), body))
            if method == "POST" and path.startswith(_SYMBOLS):
                return _reply(self._change_symbol(unquote(path.removeprefix(_SYMBOLS)), body))
            listed = ", ".join(f"{verb} {where}" for verb, where in self._exact)
            raise NotThere(
                f"there is no {method} {path}; there are {listed}, DELETE {_FAULTS}/ID, "
                f"POST {_KEYS}KEY and POST {_SYMBOLS}SYMBOL"
            )
        except NotThere as error:
            return _refusal(HTTPStatus.NOT_FOUND, str(error))
        except ValueError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))
        except VenueError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, f"the venue refuses: {error}")

    def _truth(self, query: str, _: bytes) -> Any:
        everyone = parse_qs(query).get("all", ["0"])[-1] == "1"
        return truth(self._venue.exchange, self._venue.requests, everyone=everyone)

    def _order_fault(self, _: str, body: bytes) -> Any:
        wanted = _decode(body)
        path = wanted.get("path")
        if isinstance(path, str) and path:
            self._check_path(path, wanted.get("method"))
        return {"id": self._venue.faults.add(wanted)}

    def _list_faults(self, _query: str, _body: bytes) -> Any:
        return self._venue.faults.as_json(self._venue.faults.in_force())

    def _end_faults(self, _query: str, _body: bytes) -> Any:
        ended = self._venue.faults.end_all()
        return {
            "ended": self._venue.faults.as_json(ended),
            "bans_lifted": self._venue.limits.lift_bans(self._venue.clock.time_ms()),
        }

    def _end_fault(self, fault_id: str) -> Any:
        known = fault_id.isascii() and fault_id.isdigit()
        ended = self._venue.faults.end(int(fault_id)) if known else None
        if ended is None:
            raise NotThere(f"there is no fault {fault_id} in force")
        return {"ended": self._venue.faults.as_json([ended])}

    def _set_clock(self, _: str, body: bytes) -> Any:
        wanted = _decode(body)
        skew_ms = wanted.get("skew_ms")
        if wanted.keys() != {"skew_ms"} or type(skew_ms) is not int:
            raise ValueError('the body is {"skew_ms": n}, a whole number of milliseconds')
        if abs(skew_ms) > _LARGEST_SKEW_MS:
            raise ValueError(f"skew_ms {skew_ms} is more than a day")
        self._venue.clock.skew_ms = skew_ms
        return {"skew_ms": skew_ms, "serverTime": self._venue.clock.time_ms()}

    def _change_key(self, api_key: str, body: bytes) -> Any:
        key = self._venue.keys.get(api_key)
        if key is None:
            raise NotThere(f"there is no key {api_key!r}")
        wanted = _decode(body)
        unknown = sorted(wanted.keys() - {*_KEY_FIELDS})
        if unknown or not wanted:
            given = f"{unknown[0]} is none of them" if unknown else "none is given"
            raise ValueError(f"the fields are {', '.join(_KEY_FIELDS)}: {given}")
        for name, value in wanted.items():
            if not isinstance(value, bool):
                raise ValueError(f"{name} must be true or false")
        for name, value in wanted.items():
            setattr(key, name, value)
        return {name: getattr(key, name) for name in _KEY_FIELDS}

    def _change_symbol(self, symbol: str, body: bytes) -> Any:
        if symbol not in self._venue.exchange.engine.rules:
            raise NotThere(f"symbol {symbol!r} is not listed here")
        wanted = _decode(body)
        unknown = wanted.keys() - {"status", "filters"}
        if unknown or not wanted:
            raise ValueError("the fields are status and filters")
        self._venue.exchange.change_symbol(
            symbol, status=wanted.get("status"), filters=wanted.get("filters")
        )
        rules = self._venue.exchange.engine.rules[symbol]
        return {"status": rules.status, "filters": list(rules.filters.values())}

    def _check_path(self, path: str, method: object) -> None:
        """ValueError for a path, method or stream there is not: no fault would ever strike it."""
        door = Door.of(path)
        if door is Door.REST:
            _check_rest(path, method)
        if door is Door.METHOD and path not in METHODS and path not in OWN_METHODS:
            raise ValueError(f"path {path!r} is neither a REST path, a method, a stream nor user")
        if door is Door.STREAM and path != USER_PATH:
            name = parse(path)
            if name is None:
                raise ValueError(
                    f"path {path!r}: there is no such stream, for example btcusdt@depth"
                )
            if name.symbol and name.symbol not in self._venue.exchange.engine.rules:
                raise ValueError(f"path {path!r}: symbol {name.symbol} is not listed here")


def _check_rest(path: str, method: object) -> None:
    """A handshake is a GET."""
    is_handshake = path == WS_API_PATH or is_stream_path(path)
    methods = ["GET"] if is_handshake else [verb for verb, where in ROUTES if where == path]
    if not methods:
        raise ValueError(f"path {path!r} is not served, for example /api/v3/order is")
    if isinstance(method, str) and method.upper() not in methods:
        raise ValueError(f"{path} is not served by {method}, but by {', '.join(methods)}")


def _decode(body: bytes) -> dict[str, Any]:
    try:
        wanted: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ValueError(f"the body is not a JSON object: {error}") from None
    return wanted


def _reply(content: Any) -> Reply:
    return Reply(HTTPStatus.OK, msgspec.json.encode(content), {})


def _refusal(status: HTTPStatus, message: str) -> Reply:
    return Reply(status, msgspec.json.encode({"error": message}), {})
