"""The command line's side of a local testnet's control interface."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

import typer

from otonom_trader.brokers.binance.hosts import is_loopback
from otonom_trader.brokers.binance.transport.tls import insecure
from otonom_trader.domain.errors import TraderError

_PATIENCE_SECONDS: Final = 10.0


def ask(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Return what the testnet at `url` answers.

    Raises ``typer.BadParameter`` for an address that is not of this machine, and `TraderError` with
    the testnet's words when it refuses, or with why there is no answer.
    """
    place = _place(url)
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url.rstrip("/") + path, data, method=method)  # noqa: S310  loopback
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_PATIENCE_SECONDS) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as refusal:
        raise TraderError(_refusal(place, refusal)) from None
    except (OSError, ValueError, http.client.HTTPException) as failure:
        raise TraderError(f"no testnet answers at {url}: {_why(place, failure)}") from None


def _place(url: str) -> str:
    """Return host and port of a local testnet's address."""
    try:
        parts = urlsplit(url)
        local = parts.scheme in ("http", "https") and is_loopback(parts.hostname or "")
        if local and parts.port is not None:
            return parts.netloc
    except ValueError:
        pass
    raise typer.BadParameter(
        f"{url!r} is no local testnet: give the address that it printed, "
        "such as http://127.0.0.1:8080"
    )


def _why(place: str, failure: Exception) -> str:
    cause = failure.reason if isinstance(failure, urllib.error.URLError) else failure
    match cause:
        case ssl.SSLError():
            return insecure(place, cause)
        case TimeoutError():
            return f"no answer within {_PATIENCE_SECONDS:g} s"
        case http.client.RemoteDisconnected():
            return "it closed the connection; with --tls its address begins with https://"
        case OSError() if cause.strerror:
            return cause.strerror.lower()
        case _:
            return "what answers there is not one"


def _refusal(place: str, refusal: urllib.error.HTTPError) -> str:
    try:
        answer = json.loads(refusal.read())
        words = answer.get("error") or answer.get("msg")
    except (OSError, ValueError, AttributeError, http.client.HTTPException):
        words = None
    if not words:
        return f"what answers at {place} is no testnet: HTTP {refusal.code} {refusal.reason}"
    return f"the testnet refused: {words}"
