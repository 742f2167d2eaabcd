"""One request of the WebSocket API: read, and its signature (pages "Request format", "Request
security").

The signed payload is every parameter but ``signature``, sorted by name, ``name=value`` joined by
``&``, in UTF-8 and not percent-encoded. Numbers may be JSON numbers; they count as they are
written, so ``1e-05`` is signed as that, and refused as that.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from otonom_trader.testnet import errors
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.parameters import Parameters
from otonom_trader.testnet.security import Key, check_timing, find_key, verify

_VERSION: Final = "v3/"
_INTEGER: Final = re.compile("-?[0-9]{1,19}")
_NAME: Final = re.compile("[a-zA-Z0-9_-]{1,36}")
# These belong to the connection and to security, not to any endpoint.
_OUTER: Final = frozenset({"apiKey", "returnRateLimits"})


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


def parse_json(text: str | bytes, *, exact_numbers: bool) -> Any:
    """Any JSON; ValueError for what is none, or cannot be said again in UTF-8.

    ``exact_numbers`` keeps numbers as they are written.
    """
    number = Number if exact_numbers else None
    try:
        value = json.loads(text, parse_float=number, parse_int=number, parse_constant=_refused)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if (b"\\u" in text) if isinstance(text, bytes) else ("\\u" in text):
        # An escape can spell half a character.
        json.dumps(value, ensure_ascii=False).encode()
    return value


class FrameError(VenueError):
    """A frame that is no request (-1135): its id as far as that could be read, and whether the
    venue hangs up over it.
    """

    def __init__(
        self, problem: str, request_id: int | str | None = None, *, is_final: bool = False
    ) -> None:
        super().__init__(-1135, problem)
        self.request_id: Final = request_id
        self.is_final: Final = is_final


@dataclass(frozen=True, slots=True)
class Message:
    """A frame as it was understood."""

    request_id: int | str | None
    method: str
    parameters: Mapping[str, str]


def read(frame: str | bytes) -> Message:
    """Raises FrameError where the frame is not a request."""
    try:
        wanted = parse_json(frame, exact_numbers=True)
    except ValueError:
        raise FrameError("Invalid JSON Request") from None
    if not isinstance(wanted, dict):
        raise FrameError("Invalid JSON Request")
    request_id = _request_id(wanted)
    method = wanted.get("method")
    if not isinstance(method, str) or isinstance(method, Number):
        raise FrameError("Invalid 'method' in JSON request; expected a string.", request_id)
    parameters = wanted.get("params", {})
    if not isinstance(parameters, dict):
        raise FrameError("Invalid 'params' in JSON request; expected an object.", request_id)
    try:
        texts = {name: text_of(name, value) for name, value in parameters.items()}
    except VenueError as error:
        raise FrameError(error.msg, request_id) from None
    return Message(request_id, method.removeprefix(_VERSION), texts)


def payload(parameters: Mapping[str, str]) -> str:
    """What a client signs."""
    return "&".join(
        f"{name}={value}" for name, value in sorted(parameters.items()) if name != "signature"
    )


@dataclass(frozen=True, slots=True)
class WsRequest:
    """For ``dispatch``. ``session_key`` is the key of a logged-on connection; a request that
    names its own key overrides it.
    """

    message: Message
    address: str
    time_ticks: int
    session_key: Key | None
    is_raw: bool = False

    @property
    def name(self) -> str:
        return self.message.method

    @property
    def rides_on_session(self) -> bool:
        """Whether the connection's key speaks for it."""
        sent = self.message.parameters
        return self.session_key is not None and "apiKey" not in sent and "signature" not in sent

    def parameters(self) -> Parameters:
        sent = self.message.parameters
        return Parameters({name: sent[name] for name in sent if name not in _OUTER})

    def ticks(self) -> int:
        return self.time_ticks

    def find_key(self, keys: Mapping[str, Key]) -> Key:
        api_key = self.message.parameters.get("apiKey")
        if api_key is None and self.session_key is not None:
            api_key = self.session_key.api_key
        if api_key is None:
            raise errors.mandatory("apiKey")
        return find_key(keys, api_key)

    def authenticate(self, key: Key, parameters: Parameters, now_ms: int) -> None:
        if self.rides_on_session:
            check_timing(parameters, now_ms)
        else:
            verify(key, parameters, payload(self.message.parameters).encode(), now_ms)


def returns_rate_limits(message: Message, *, default: bool) -> bool:
    """Whether the response shows ``rateLimits``; VenueError where it is not a boolean."""
    wanted = message.parameters.get("returnRateLimits")
    if wanted is None:
        return default
    if wanted.lower() not in ("true", "false"):
        raise errors.invalid_data("returnRateLimits")
    return wanted.lower() == "true"


def _request_id(wanted: Mapping[str, Any]) -> int | str | None:
    """Over one that is malformed the venue hangs up, as clients' logs show; one that is missing
    is taken for that.
    """
    request_id = wanted.get("id", "")
    if request_id is None:
        return None
    if isinstance(request_id, Number):
        if _INTEGER.fullmatch(request_id):
            return int(request_id)
    elif isinstance(request_id, str) and _NAME.fullmatch(request_id):
        return str(request_id)
    raise FrameError(
        "Invalid 'id' in JSON request; expected an integer, a string matching "
        "'^[a-zA-Z0-9-_]{1,36}$', or null.",
        is_final=True,
    )


def text_of(name: str, value: Any) -> str:
    """A parameter's JSON value as the text that is signed and checked."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    raise VenueError(-1135, f"JSON sent for parameter '{name}' is not valid")


def _refused(_: str) -> None:
    raise ValueError("not a number of JSON")
