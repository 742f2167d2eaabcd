"""Binance over REST: one connection pool, one deadline per request, nothing followed or repeated.

Which requests can leave at all is fixed by the class of the transport: see `departure`.
"""

import asyncio
from typing import ClassVar, Final, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from otonom_trader.brokers.binance.errors import NO_REPLY, Reply, TlsFailed
from otonom_trader.brokers.binance.hosts import is_loopback
from otonom_trader.brokers.binance.transport.departure import Departure, Endpoint, GuardedRequest
from otonom_trader.brokers.binance.transport.governor import RateGovernor, Toll, retry_after_seconds
from otonom_trader.brokers.binance.transport.signing import Params, encode_query
from otonom_trader.brokers.binance.transport.tls import insecure
from otonom_trader.brokers.binance.transport.venue_time import VenueTime
from otonom_trader.brokers.binance.transport.weights import (
    AVERAGE_PRICE,
    BOOK_TICKER,
    DEPTH,
    EXCHANGE_INFO,
    EXECUTION_RULES,
    REFERENCE_PRICE,
    TICKER_PRICE,
    TIME,
    lane_of,
    weight_of,
)
from otonom_trader.brokers.binance.usage import Usage, usage_of_headers
from otonom_trader.domain.errors import NotSent, VenueUnreachable
from otonom_trader.domain.ports import Clock

PUBLIC_ENDPOINTS: Final[frozenset[Endpoint]] = frozenset(
    ("GET", path)
    for path in (
        *(TIME, EXCHANGE_INFO, DEPTH, BOOK_TICKER),
        *(TICKER_PRICE, AVERAGE_PRICE, REFERENCE_PRICE, EXECUTION_RULES),
    )
)

MAX_CONNECTIONS: Final = 32
_KEEP_ALIVE_SECONDS: Final = 30.0
_HEADERS: Final = {
    "Accept": "application/json",
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "otonom-trader",
}
_NO_HEADERS: Final[dict[str, str]] = {}


class PublicRequest(GuardedRequest):
    """Market data, and nothing that needs a key."""

    allowed = PUBLIC_ENDPOINTS


class PublicTransport:
    """Public market data over REST; opens on first use and again after `aclose`.

    Proxies are taken from the environment, except to this machine.
    """

    request_class: ClassVar[type[GuardedRequest]] = PublicRequest

    def __init__(self, base_url: URL, clock: Clock, timeout_seconds: float) -> None:
        self.base_url = base_url
        self.clock = clock
        self.governor = RateGovernor(clock)
        self.timeout_seconds = timeout_seconds
        self.venue_time = VenueTime(clock, self.get)
        self._urls: dict[str, URL] = {}
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, params: Params = ()) -> Reply:
        """Ask for market data; raises `NotSent` when nothing left."""
        query = encode_query(params)
        departure = Departure(self.clock, self._toll(path, params), lambda: (None, query))
        return await self._exchange("GET", path, departure, _NO_HEADERS)

    def _toll(self, path: str, params: Params) -> Toll:
        return Toll(self.governor, weight_of(path, params), lane_of(path))

    async def aclose(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def _exchange(
        self, method: str, path: str, departure: Departure, headers: dict[str, str]
    ) -> Reply:
        """Send one request and return what came back.

        Raises `NotSent` or what the departure's permit raises, both only when nothing left; all
        that goes wrong later is told by the reply.
        """
        session = self._session or self._open()
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self.base_url.with_path(path)
        request = f"{method} {path}"
        status, body, retry_after, lost = 0, b"", None, ""
        usage: tuple[Usage, ...] = ()
        try:
            async with session.request(
                method,
                url,
                headers=headers,
                allow_redirects=False,
                middlewares=(_hand_over(departure),),
            ) as response:
                # Kept even when the body is cut off: the limits must see it.
                status, retry_after = response.status, response.headers.get("Retry-After")
                usage = usage_of_headers(response.headers)
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, NotSent) as error:
            # The cause is dropped: its texts and request may hold the signed address.
            if not departure.left:
                raise _not_sent(request, error, self.timeout_seconds) from None
            lost = _lost(error, self.timeout_seconds)
        except asyncio.CancelledError:
            departure.answered(NO_REPLY)
            raise
        reply = Reply(
            request=request,
            status=status,
            sent_ns=departure.sent_ns,
            received_ns=self.clock.monotonic_ns(),
            body=body,
            retry_after_seconds=retry_after_seconds(retry_after),
            signed_at_ms=departure.signed_at_ms,
            lost=lost,
            usage=usage,
        )
        departure.answered(reply)
        return reply

    def _open(self) -> aiohttp.ClientSession:
        # trust_env would look into ~/.netrc and cost two thread hops on every request.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=MAX_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_SECONDS, ttl_dns_cache=300
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            # The threshold keeps aiohttp from rounding the deadline up to whole seconds.
            timeout=aiohttp.ClientTimeout(total=self.timeout_seconds, ceil_threshold=3600),
            proxy=_proxy(self.base_url),
            request_class=self.request_class,
        )
        return self._session


def _hand_over(
    departure: Departure,
) -> aiohttp.ClientMiddlewareType:
    async def give(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if isinstance(request, GuardedRequest):
            request.departure = departure
        return await handler(request)

    return give


def _proxy(url: URL) -> URL | None:
    host = url.host or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    address = proxies.get(url.scheme) or proxies.get("all")
    if not address:
        return None
    proxy = URL(address)
    if proxy.scheme not in ("http", "https"):
        # Going around a proxy that somebody has set is not for us to decide.
        raise NotSent(f"not sent: the environment sets a {proxy.scheme} proxy; only http is known")
    return proxy


def _not_sent(request: str, error: Exception, timeout_seconds: float) -> NotSent:
    match error:
        case NotSent():
            return error
        case aiohttp.ClientConnectorCertificateError():
            why = insecure(f"{error.host}:{error.port}", error.certificate_error)
            return TlsFailed(f"{request} not sent: {why}")
        case aiohttp.ClientSSLError():
            why = insecure(f"{error.host}:{error.port}", error.os_error)
            return TlsFailed(f"{request} not sent: {why}")
        case aiohttp.ClientConnectorDNSError():
            return VenueUnreachable(f"{request} not sent: {error.host} has no address")
        case aiohttp.ClientConnectorError():
            why = error.strerror or type(error.os_error).__name__
            return VenueUnreachable(f"{request} not sent: {error.host}:{error.port}: {why}")
        case TimeoutError():
            return VenueUnreachable(
                f"{request} not sent: no connection within {timeout_seconds:g} s"
            )
        case _:
            return NotSent(f"{request} not sent: {type(error).__name__}")


def _lost(error: Exception, timeout_seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"was not answered within {timeout_seconds:g} s"
    return "lost its connection before a complete answer"
