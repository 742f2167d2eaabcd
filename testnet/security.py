"""Who is asking, whether the bytes are theirs, and whether they were signed just now.

Source: "Request Security" of the REST page. The signed payload is the raw query string followed
by the raw body, both without ``signature``, exactly as transmitted.
"""

import base64
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.config import KeyConfig
from otonom_trader.testnet.errors import VenueError, mandatory
from otonom_trader.testnet.parameters import INTEGER, Parameters
from otonom_trader.testnet.times import milliseconds

DEFAULT_RECV_WINDOW_MS: Final = Decimal(5000)
MAX_RECV_WINDOW_MS: Final = 60_000
_AHEAD_MS: Final = 1000
_KEY_FORMAT = re.compile("[A-Za-z0-9]{64}")


Verifier = Callable[[bytes, str], bool]
"""Whether a signature, as sent, is of this payload."""


@dataclass(slots=True)
class Key:
    """An API key and what it may do. ``kind`` is HMAC_SHA256, RSA or ED25519."""

    api_key: str
    account: Account
    created_ms: int
    kind: str
    is_signature: Verifier
    can_read: bool = True
    can_trade: bool = True
    can_withdraw: bool = False
    ip_restricted: bool = True
    revoked: bool = False

    @property
    def is_ed25519(self) -> bool:
        """The one kind a WebSocket session can log on with."""
        return self.kind == "ED25519"


def make_key(config: KeyConfig, account: Account, created_ms: int) -> Key:
    """ValueError where a public key is not one of RSA or Ed25519 in PEM."""
    kind, verifier = "HMAC_SHA256", hmac_verifier(config.secret.encode())
    if config.public_key:
        kind, verifier = _public_key_verifier(config.api_key, config.public_key)
    return Key(
        api_key=config.api_key,
        account=account,
        created_ms=created_ms,
        kind=kind,
        is_signature=verifier,
        can_read=config.can_read,
        can_trade=config.can_trade,
        can_withdraw=config.can_withdraw,
        ip_restricted=config.ip_restricted,
    )


def hmac_verifier(secret: bytes) -> Verifier:
    """HMAC SHA-256 in hex of either case."""

    def is_signature(payload: bytes, signature: str) -> bool:
        return hmac.compare_digest(sign(secret, payload).encode(), signature.lower().encode())

    return is_signature


def _public_key_verifier(api_key: str, pem: str) -> tuple[str, Verifier]:
    """Base64 of an Ed25519 signature, or of an RSA one: PKCS#1 v1.5 with SHA-256."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"key {api_key!r}: the public key is not PEM: {error}") from error
    check: Callable[[bytes, bytes], None]
    if isinstance(key, ed25519.Ed25519PublicKey):
        kind, check = "ED25519", key.verify
    elif isinstance(key, rsa.RSAPublicKey):
        kind = "RSA"
        check = partial(_verify_rsa, key)
    else:
        raise ValueError(f"key {api_key!r}: the public key is neither RSA nor Ed25519")

    def is_signature(payload: bytes, signature: str) -> bool:
        try:
            check(base64.b64decode(signature, validate=True), payload)
        except (ValueError, InvalidSignature):
            return False
        return True

    return kind, is_signature


def _verify_rsa(key: rsa.RSAPublicKey, signature: bytes, payload: bytes) -> None:
    key.verify(signature, payload, padding.PKCS1v15(), hashes.SHA256())


def sign(secret: bytes, payload: bytes) -> str:
    """HMAC SHA-256 in lower-case hex."""
    return hmac.digest(secret, payload, "sha256").hex()


def without_signature(raw: str) -> str:
    """A raw query string or form body as it was signed."""
    if "signature=" not in raw:
        return raw
    return "&".join(pair for pair in raw.split("&") if not pair.startswith("signature="))


def check_time(timestamp: str, recv_window: str | None, now_ms: int) -> None:
    """Accept iff timestamp < now + 1000 ms and now - timestamp <= recvWindow (-1021 else)."""
    stamp = milliseconds(timestamp)
    window = DEFAULT_RECV_WINDOW_MS if recv_window is None else Decimal(recv_window)
    if window > MAX_RECV_WINDOW_MS:
        raise VenueError(-1131, "recvWindow must be less than 60000.")
    if stamp >= now_ms + _AHEAD_MS:
        raise VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - stamp > window:
        raise VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")


def timestamp_ms(parameters: Parameters) -> int | None:
    """When a request says it was signed, epoch milliseconds; None where it does not say."""
    text = parameters.text("timestamp")
    if text is None or INTEGER.pattern.fullmatch(text) is None:
        return None
    return int(milliseconds(text))


def find_key(keys: Mapping[str, Key], api_key: str | None) -> Key:
    """The key a request names; -2014 malformed or missing, -2015 unknown or revoked."""
    key = keys.get(api_key) if api_key else None
    if key is not None and not key.revoked:
        return key
    if key is None and (not api_key or _KEY_FORMAT.fullmatch(api_key) is None):
        raise VenueError(-2014, "API-key format invalid.", status=401)
    raise refused_key()


def check_permission(key: Key, *, trading: bool) -> None:
    """-2015 where the key may not read, or may not trade."""
    if not (key.can_trade if trading else key.can_read):
        raise refused_key()


def refused_key() -> VenueError:
    return VenueError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def authenticate(
    key: Key, parameters: Parameters, raw_query: str, raw_body: str, now_ms: int
) -> None:
    """A REST request: timing first, then the signature (-1022)."""
    payload = without_signature(raw_query) + without_signature(raw_body)
    # Text outside ASCII must be percent-encoded before it is signed and sent.
    verify(key, parameters, payload.encode() if payload.isascii() else None, now_ms)


def check_timing(parameters: Parameters, now_ms: int) -> None:
    """The mandatory timestamp within the recvWindow; raises VenueError as ``check_time``."""
    timestamp = parameters.checked("timestamp")
    if timestamp is None:
        raise mandatory("timestamp")
    check_time(timestamp, parameters.checked("recvWindow"), now_ms)


def verify(key: Key, parameters: Parameters, payload: bytes | None, now_ms: int) -> None:
    """Time and signature of a request; a payload of None is one nobody can have signed."""
    if parameters.checked("timestamp") is None:
        raise mandatory("timestamp")
    signature = parameters.checked("signature")
    if signature is None:
        raise mandatory("signature")
    check_timing(parameters, now_ms)
    if payload is None or not key.is_signature(payload, signature):
        raise VenueError(-1022, "Signature for this request is not valid.")
