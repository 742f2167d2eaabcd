"""Where Binance is reached, and which addresses are play money.

Source: binance-facts.md, section 1.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from yarl import URL

TESTNET_URL: Final = "https://testnet.binance.vision"
PRODUCTION_URL: Final = "https://api.binance.com"

_TESTNET_HOSTS: Final = frozenset(
    {"testnet.binance.vision", "api1.testnet.binance.vision", "demo-api.binance.com"}
)

_PRODUCTION_HOSTS: Final = (
    *("api.binance.com", "api-gcp.binance.com"),
    *(f"api{number}.binance.com" for number in range(1, 5)),
)
_WS_API_HOSTS: Final = {
    **dict.fromkeys(_PRODUCTION_HOSTS, "ws-api.binance.com"),
    "testnet.binance.vision": "ws-api.testnet.binance.vision",
    "api1.testnet.binance.vision": "ws-api.testnet.binance.vision",
    "demo-api.binance.com": "demo-ws-api.binance.com",
}
_STREAM_HOSTS: Final = {
    **dict.fromkeys(_PRODUCTION_HOSTS, "stream.binance.com"),
    "data-api.binance.vision": "data-stream.binance.vision",
    "testnet.binance.vision": "stream.testnet.binance.vision",
    "api1.testnet.binance.vision": "stream.testnet.binance.vision",
    "demo-api.binance.com": "demo-stream.binance.com",
}


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine."""
    try:
        return ip_address(_folded(host)).is_loopback
    except ValueError:
        return _folded(host) == "localhost"


def is_testnet(host: str) -> bool:
    """Return whether `host` trades play money; every host not known to is production.

    Source: contract.md, "Configuration" (``use_testnet`` and ``base_url``).
    """
    return _folded(host) in _TESTNET_HOSTS or is_loopback(host)


def tells_key_rights(host: str) -> bool:
    """Return whether a host can be asked what a key may do: Binance's own testnets cannot."""
    return _folded(host) not in _TESTNET_HOSTS


def _folded(host: str) -> str:
    """One way to write a host: brackets of IPv6 and the root's dot left out."""
    return host.lower().strip("[]").removesuffix(".")


def parse_base_url(base_url: str) -> URL:
    """Return the address of a REST host, such as ``https://api.binance.com``.

    Raises ``ValueError`` for a path, credentials or a query in it, and for plain HTTP to anything
    but this machine: the key would travel in the clear.
    """
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError as wrong:
        raise ValueError(f"base_url {base_url[:80]!r} is not an address: {wrong}") from None
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in ("http", "https") or not host or extra:
        raise ValueError(
            f"base_url must be scheme and host only, such as {TESTNET_URL}, "
            f"not {parts.scheme}://{host or ''}{parts.path[:40]}"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(f"base_url http://{host} must be https: the key would travel in the clear")
    return URL.build(scheme=parts.scheme, host=host, port=port)


def choose_base_url(base_url: str | None, *, use_testnet: bool) -> URL:
    """Return the address to use; ``ValueError`` when it belongs to the other environment."""
    url = parse_base_url(base_url or (TESTNET_URL if use_testnet else PRODUCTION_URL))
    host = url.host or ""
    if use_testnet and not is_testnet(host):
        raise ValueError(
            f"use_testnet is true but base_url {url} is a production host; "
            f"use {TESTNET_URL} or set use_testnet to false"
        )
    if not use_testnet and is_testnet(host):
        raise ValueError(
            f"use_testnet is false but base_url {url} is a testnet host; "
            f"use {PRODUCTION_URL} or set use_testnet to true"
        )
    return url


def ws_api_url(base_url: URL) -> str:
    """Return where the WebSocket API of a REST host is reached."""
    return f"{_ws_origin(base_url, _WS_API_HOSTS)}/ws-api/v3"


def streams_url(base_url: URL) -> str:
    """Return where the market streams of a REST host are reached, all over one connection."""
    return f"{_ws_origin(base_url, _STREAM_HOSTS)}/stream"


def _ws_origin(base_url: URL, hosts: Mapping[str, str]) -> str:
    """Return scheme, host and port of a WebSocket; an unknown host serves all on one port."""
    scheme = "wss" if base_url.scheme == "https" else "ws"
    host = hosts.get(_folded(base_url.host or ""))
    return f"{scheme}://{host or base_url.raw_authority}"


def venue_name(url: URL) -> str:
    """Return host and port, by which accounts at different venues are told apart."""
    return f"{url.host}:{url.port}"
