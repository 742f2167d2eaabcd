"""Frames of the market streams, both ways, over one combined connection. Pure.

Source: binance-facts.md, section 8.
"""

from collections.abc import Collection
from typing import Final, TypeVar

import msgspec

from otonom_trader.brokers.binance.errors import Unreadable

SUBSCRIBE: Final = "SUBSCRIBE"
LIST_SUBSCRIPTIONS: Final = "LIST_SUBSCRIPTIONS"

_SHUTDOWN_STREAM: Final = "!serverShutdown"
_SHUTDOWN: Final = "serverShutdown"
_NOTHING: Final = msgspec.Raw()

_T = TypeVar("_T")


class DepthUpdate(msgspec.Struct, gc=False):
    """``depthUpdate``: the levels that changed from one update id to another, as they are now."""

    event_time: int = msgspec.field(name="E")
    symbol: str = msgspec.field(name="s")
    first_id: int = msgspec.field(name="U")
    last_id: int = msgspec.field(name="u")
    bids: list[tuple[str, str]] = msgspec.field(name="b")
    asks: list[tuple[str, str]] = msgspec.field(name="a")


class Refusal(msgspec.Struct, gc=False):
    """Why a command was not taken."""

    code: int
    msg: str


class StreamFrame(msgspec.Struct, gc=False):
    """Any frame: an event has a stream and data, an answer a result, code or error."""

    stream: str = ""
    data: msgspec.Raw = _NOTHING
    id: int | str | None = None
    result: msgspec.Raw = _NOTHING
    error: Refusal | None = None
    code: int | None = None
    msg: str = ""
    e: str = ""

    @property
    def is_shutdown(self) -> bool:
        """Whether the venue says that it will close this connection soon."""
        return self.stream == _SHUTDOWN_STREAM or self.e == _SHUTDOWN

    @property
    def is_event(self) -> bool:
        """Whether it tells something of a stream."""
        return bool(self.stream and self.data)

    @property
    def refusal(self) -> Refusal | None:
        """Why a command was not taken, None where it was."""
        return self.error if self.code is None else Refusal(self.code, self.msg)

    @property
    def is_answer(self) -> bool:
        """Whether it answers a command."""
        return bool(self.result) or self.refusal is not None


_frame: Final = msgspec.json.Decoder(StreamFrame)
_depth_update: Final = msgspec.json.Decoder(DepthUpdate)
_names: Final = msgspec.json.Decoder(list[str])
_encode: Final = msgspec.json.Encoder().encode


def command_frame(number: int, method: str, streams: Collection[str]) -> str:
    """Return a command as it goes on the wire."""
    command: dict[str, object] = {"method": method, "id": number}
    if streams:
        command["params"] = list(streams)
    return _encode(command).decode()


def read_frame(text: bytes) -> StreamFrame:
    """Return what a frame holds; raises `Unreadable` for one that is of no known kind."""
    frame = _read(_frame, text)
    if not (frame.is_event or frame.is_answer or frame.is_shutdown):
        raise Unreadable("a frame of the market streams is neither an event nor an answer")
    return frame


def read_depth_update(data: msgspec.Raw | bytes) -> DepthUpdate:
    """Return a change of a book; raises `Unreadable` where it is not what the venue documents."""
    update = _read(_depth_update, data)
    if update.first_id > update.last_id:
        raise Unreadable("a change of a book ends before it begins")
    return update


def read_names(result: msgspec.Raw | bytes) -> list[str]:
    """Return the streams that ``LIST_SUBSCRIPTIONS`` answers; raises `Unreadable`."""
    return _read(_names, result)


def _read(decoder: msgspec.json.Decoder[_T], text: msgspec.Raw | bytes) -> _T:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        told = str(error)[:200]
        raise Unreadable(f"a frame of the market streams is unreadable: {told}") from None
