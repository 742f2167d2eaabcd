"""Frames of the WebSocket API, both ways. Pure.

Source: binance-facts.md, section 9.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from otonom_trader.brokers.binance.errors import Reply, Unreadable
from otonom_trader.brokers.binance.usage import RateLimit, usage_of_limits

_NOTHING: Final = msgspec.Raw()
_SHUTDOWN: Final = "serverShutdown"


class Incoming(msgspec.Struct, rename="camel", gc=False):
    """Any frame of the venue's: a response has a status, a push an event."""

    id: int | str | None = None
    status: int | None = None
    result: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    rate_limits: list[RateLimit] = []
    subscription_id: int | None = None
    event: msgspec.Raw = _NOTHING


class _RetryData(msgspec.Struct, rename="camel"):
    server_time: int
    retry_after: int


class _Error(msgspec.Struct):
    data: _RetryData | None = None


class _EventName(msgspec.Struct):
    e: str


_incoming: Final = msgspec.json.Decoder(Incoming)
_error: Final = msgspec.json.Decoder(_Error)
_event_name: Final = msgspec.json.Decoder(_EventName)
_encode: Final = msgspec.json.Encoder().encode


def request_frame(number: int, method: str, params: Mapping[str, str | int]) -> str:
    """Return a request as it goes on the wire."""
    return _encode({"id": number, "method": method, "params": params}).decode()


def read_frame(text: str | bytes) -> Incoming:
    """Return what a frame holds; raises `Unreadable` for one that is neither response nor push."""
    try:
        incoming = _incoming.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        told = str(error)[:200]
        raise Unreadable(f"a frame of the WebSocket API is unreadable: {told}") from None
    if incoming.status is None and not incoming.event:
        raise Unreadable("a frame of the WebSocket API is neither a response nor an event")
    return incoming


def is_shutdown(incoming: Incoming) -> bool:
    """Return whether the venue says that it will close this connection soon."""
    if not incoming.event:
        return False
    try:
        return _event_name.decode(incoming.event).e == _SHUTDOWN
    except (msgspec.DecodeError, ValueError):
        return False


def reply_of(
    incoming: Incoming | None,
    request: str,
    sent_ns: int,
    received_ns: int,
    signed_at_ms: int | None,
    lost: str,
) -> Reply:
    """Return a response in the form that REST's replies have; None was lost for the reason given.

    The body is the result, or the error: what REST would have answered.
    """
    if incoming is None:
        return Reply(request, 0, sent_ns, received_ns, signed_at_ms=signed_at_ms, lost=lost)
    return Reply(
        request,
        incoming.status or 0,
        sent_ns,
        received_ns,
        body=bytes(incoming.error or incoming.result),
        retry_after_seconds=_retry_after_seconds(incoming.error),
        signed_at_ms=signed_at_ms,
        usage=usage_of_limits(incoming.rate_limits),
    )


def _retry_after_seconds(error: msgspec.Raw) -> float | None:
    """How long to keep silent, where an error says so; it names the time in epoch ms."""
    if not error:
        return None
    try:
        data = _error.decode(error).data
    except (msgspec.DecodeError, ValueError):
        return None
    return None if data is None else max(0.0, (data.retry_after - data.server_time) / 1000)
