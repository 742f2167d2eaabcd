"""Signatures of requests. Source: binance-facts.md, section 2."""

import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, Self
from urllib.parse import quote

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from otonom_trader.domain.secret import Secret

Params = Iterable[tuple[str, str]]

_UNRESERVED: Final = re.compile(r"[A-Za-z0-9_.~-]*", re.ASCII)
_MAX_RECV_WINDOW_MS: Final = 60_000
_PEM: Final = "-----BEGIN "
_FOLDED: Final = re.compile(r"(-----BEGIN [A-Z ]+-----)(.*)(-----END [A-Z ]+-----)", re.DOTALL)
_SHORTEST_RSA_BITS: Final = 2048


class Signer(Protocol):
    """Signs requests. `can_log_on`: the venue takes such a key for a whole WebSocket session."""

    @property
    def can_log_on(self) -> bool: ...

    def sign(self, payload: str) -> str:
        """Return the signature of `payload`, which must be the very text that is sent.

        Base64 and hex alike: what a query carries must be percent-encoded afterwards.
        """


@dataclass(frozen=True, slots=True)
class HmacSigner:
    """Signs with HMAC-SHA256; the signature is lower-case hex."""

    secret: Secret
    can_log_on = False

    def sign(self, payload: str) -> str:
        """See `Signer`."""
        return hmac.digest(self.secret.reveal().encode(), payload.encode(), "sha256").hex()


@dataclass(frozen=True, slots=True)
class RsaSigner:
    """Signs with RSA, PKCS1-v1_5 over SHA-256; the signature is base64."""

    key: RSAPrivateKey
    can_log_on = False

    def sign(self, payload: str) -> str:
        """See `Signer`."""
        return b64encode(self.key.sign(payload.encode(), PKCS1v15(), SHA256())).decode()


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """Signs with Ed25519; the signature is base64."""

    key: Ed25519PrivateKey
    can_log_on = True

    def sign(self, payload: str) -> str:
        """See `Signer`."""
        return b64encode(self.key.sign(payload.encode())).decode()


def is_private_key(text: str) -> bool:
    """Return whether a secret is a private key in PEM rather than a secret of HMAC."""
    return text.lstrip().startswith(_PEM)


def _unfolded(pem: str) -> str:
    """Return `pem` in lines, as it was before an environment or a YAML text folded it into one."""
    return _FOLDED.sub(lambda found: "\n".join((found[1], *found[2].split(), found[3])), pem)


def load_signer(secret: Secret) -> Signer:
    """Return what signs with `secret`: an HMAC secret, or a private key in PEM.

    Raises ``ValueError`` for a private key that is not one the venue takes, never showing it.
    """
    text = secret.reveal()
    if not is_private_key(text):
        return HmacSigner(secret)
    try:
        key = load_pem_private_key(_unfolded(text).encode(), password=None)
    except TypeError:
        raise ValueError("is an encrypted private key; give it decrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a private key in PEM that can be read") from None
    if isinstance(key, Ed25519PrivateKey):
        return Ed25519Signer(key)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("is a private key of another kind than Ed25519 or RSA")
    if key.key_size < _SHORTEST_RSA_BITS:
        raise ValueError(f"is an RSA key of {key.key_size} bits; {_SHORTEST_RSA_BITS} are needed")
    return RsaSigner(key)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signed requests need: the key that names the account, its signer, and how long a
    request may be on its way before the venue refuses it.
    """

    api_key: Secret
    signer: Signer
    recv_window_ms: int

    @classmethod
    def of(cls, api_key: Secret | str, api_secret: Secret | str, recv_window_ms: int) -> Self:
        """Check what a user gives; raises ``ValueError`` naming what is wrong, never its text.

        `api_secret` is the secret of an HMAC key, or the private key of an RSA or Ed25519 key.
        """
        if not 1 <= recv_window_ms <= _MAX_RECV_WINDOW_MS:
            raise ValueError(
                f"recv_window_ms must be 1 to {_MAX_RECV_WINDOW_MS}, not {recv_window_ms}"
            )
        key, secret = _key("api_key", api_key), _key("api_secret", api_secret)
        try:
            return cls(key, load_signer(secret), recv_window_ms)
        except ValueError as wrong:
            raise ValueError(f"api_secret {wrong}") from None


def encode_query(params: Params) -> str:
    """Return `params` as a query string, percent-encoded, in the order given.

    Encoding comes before signing: the venue verifies the bytes as they arrive.
    """
    return "&".join(f"{name}={percent_encode(value)}" for name, value in params)


def websocket_payload(params: Mapping[str, str]) -> str:
    """Return what a request over the WebSocket API signs: all but `signature`, sorted by name.

    Unlike a query string it is not percent-encoded.
    """
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")


def percent_encode(text: str) -> str:
    """Return `text` as a query carries it."""
    # Nearly all values need none, and looking costs a tenth of quoting.
    return text if _UNRESERVED.fullmatch(text) else quote(text, safe="")


def _key(name: str, given: Secret | str) -> Secret:
    text = given.reveal() if isinstance(given, Secret) else given
    if not text:
        raise ValueError(f"{name} is empty")
    if name == "api_secret" and is_private_key(text):
        return Secret(text)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{name} holds characters that no key has")
    return Secret(text)
