"""Signatures of requests. Source: binance-facts.md, section 2."""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote

from otonom_trader.domain.secret import Secret

Params = Iterable[tuple[str, str]]

_UNRESERVED: Final = re.compile(r"[A-Za-z0-9_.~-]*", re.ASCII)
_MAX_RECV_WINDOW_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class HmacSigner:
    """Signs with HMAC-SHA256; the signature is lower-case hex."""

    secret: Secret

    def sign(self, payload: str) -> str:
        """Return the signature of `payload`, which must be the very text that is sent."""
        return hmac.digest(self.secret.reveal().encode(), payload.encode(), "sha256").hex()


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signed requests need: the key that names the account, its signer, and how long a
    request may be on its way before the venue refuses it.
    """

    api_key: Secret
    signer: HmacSigner
    recv_window_ms: int

    @classmethod
    def hmac(cls, api_key: Secret | str, api_secret: Secret | str, recv_window_ms: int) -> Self:
        """Check what a user gives; raises ``ValueError`` naming what is wrong, never its text."""
        if not 1 <= recv_window_ms <= _MAX_RECV_WINDOW_MS:
            raise ValueError(
                f"recv_window_ms must be 1 to {_MAX_RECV_WINDOW_MS}, not {recv_window_ms}"
            )
        key, secret = _key("api_key", api_key), _key("api_secret", api_secret)
        return cls(key, HmacSigner(secret), recv_window_ms)


def encode_query(params: Params) -> str:
    """Return `params` as a query string, percent-encoded, in the order given.

    Encoding comes before signing: the venue verifies the bytes as they arrive.
    """
    return "&".join(f"{name}={_percent_encode(value)}" for name, value in params)


def websocket_payload(params: Mapping[str, str]) -> str:
    """Return what a request over the WebSocket API signs: all but `signature`, sorted by name.

    Unlike a query string it is not percent-encoded.
    """
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")


def _percent_encode(text: str) -> str:
    # Nearly all values need none, and looking costs a tenth of quoting.
    return text if _UNRESERVED.fullmatch(text) else quote(text, safe="")


def _key(name: str, given: Secret | str) -> Secret:
    text = given.reveal() if isinstance(given, Secret) else given
    if not text:
        raise ValueError(f"{name} is empty")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{name} holds characters that no key has")
    return Secret(text)
