"""Opening a WebSocket: the address that was asked for and no other, and what a refusal said."""

import logging
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI, ProxyError

from otonom_trader.brokers.binance.errors import NO_REPLY, Reply, TlsFailed
from otonom_trader.brokers.binance.hosts import is_loopback
from otonom_trader.brokers.binance.transport.departure import Permit
from otonom_trader.brokers.binance.transport.governor import retry_after_seconds
from otonom_trader.brokers.binance.transport.tls import insecure
from otonom_trader.domain.errors import VenueUnreachable
from otonom_trader.domain.ports import Clock

_LARGEST_FRAME: Final = 8 * 2**20
_PING_SECONDS: Final = 20.0
_CLOSE_SECONDS: Final = 1.0
# At DEBUG the library would log frames, and with them signatures.
_log: Final = logging.getLogger("otonom_trader.websocket")
_log.setLevel(logging.WARNING)


class HandshakeRefused(VenueUnreachable):
    """The venue answered the handshake with something else than a connection: `reply`."""

    def __init__(self, message: str, reply: Reply) -> None:
        super().__init__(message, status=reply.status)
        self.reply = reply


class _Connect(connect):
    """A connection to the address that was asked for, and to no other."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_socket(
    url: str, clock: Clock, timeout_seconds: float, permit: Permit
) -> ClientConnection:
    """Connect to `url`, where `permit` allows it.

    Redirects are refused; proxies are taken from the environment, except to this machine. Raises
    what `permit` raises, `VenueUnreachable` when there is no connection, `HandshakeRefused` when
    the venue refuses one.
    """
    permit.check()
    permit.left()
    reply = NO_REPLY
    try:
        return await _shake_hands(url, clock, timeout_seconds)
    except HandshakeRefused as refused:
        reply = refused.reply
        raise
    finally:
        permit.answered(reply)


async def _shake_hands(url: str, clock: Clock, timeout_seconds: float) -> ClientConnection:
    wanted = _Connect(
        url,
        compression=None,
        max_size=_LARGEST_FRAME,
        open_timeout=timeout_seconds,
        ping_interval=_PING_SECONDS,
        ping_timeout=_PING_SECONDS,
        close_timeout=_CLOSE_SECONDS,
        user_agent_header="otonom-trader",
        logger=_log,
        proxy=None,
    )
    if not is_loopback(wanted.ws_uri.host):
        wanted.proxy = True
    began_ns = clock.monotonic_ns()
    try:
        return await wanted
    except InvalidStatus as refused:
        reply = _reply(refused, began_ns, clock.monotonic_ns())
        text = f"{reply.request} was answered HTTP {reply.status}"
        raise HandshakeRefused(text, reply) from None
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ProxyError) as error:
        raise _unreachable(f"{wanted.ws_uri.host}:{wanted.ws_uri.port}", error) from None


def _reply(refused: InvalidStatus, sent_ns: int, received_ns: int) -> Reply:
    response = refused.response
    return Reply(
        "the WebSocket handshake",
        response.status_code,
        sent_ns,
        received_ns,
        body=bytes(response.body or b""),
        retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After")),
    )


def _unreachable(host: str, error: Exception) -> VenueUnreachable:
    if isinstance(error, TimeoutError):
        return VenueUnreachable(f"no WebSocket connection to {host} in time")
    if isinstance(error, OSError) and type(error).__module__ == "ssl":
        return TlsFailed(f"no WebSocket connection: {insecure(host, error)}")
    why = getattr(error, "strerror", None) or type(error).__name__
    return VenueUnreachable(f"no WebSocket connection to {host}: {why}")
