"""Who is asking, whether the bytes are theirs, and whether they were signed just now.

Source: "Request Security" of the REST page. The signed payload is the raw query string followed
by the raw body, both without ``signature``, exactly as transmitted.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.errors import VenueError, mandatory
from otonom_trader.testnet.parameters import INTEGER, Parameters

DEFAULT_RECV_WINDOW_MS: Final = Decimal(5000)
MAX_RECV_WINDOW_MS: Final = 60_000
_AHEAD_MS: Final = 1000
# Milliseconds reach 16 digits in the year 33658.
_MICROSECOND_DIGITS: Final = 16
_KEY_FORMAT = re.compile("[A-Za-z0-9]{64}")


@dataclass(slots=True)
class Key:
    """An API key and what it may do."""

    api_key: str
    secret: bytes
    account: Account
    created_ms: int
    ip_restricted: bool = True
    can_withdraw: bool = False


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
    stamp = _milliseconds(timestamp)
    window = DEFAULT_RECV_WINDOW_MS if recv_window is None else Decimal(recv_window)
    if window > MAX_RECV_WINDOW_MS:
        raise VenueError(-1131, "recvWindow must be less than 60000.")
    if stamp >= now_ms + _AHEAD_MS:
        raise VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - stamp > window:
        raise VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _milliseconds(timestamp: str) -> Decimal:
    stamp = Decimal(timestamp)
    return stamp / 1000 if len(timestamp) >= _MICROSECOND_DIGITS else stamp


def timestamp_ms(parameters: Parameters) -> int | None:
    """When a request says it was signed, epoch milliseconds; None where it does not say."""
    text = parameters.text("timestamp")
    if text is None or INTEGER.pattern.fullmatch(text) is None:
        return None
    return int(_milliseconds(text))


def find_key(keys: Mapping[str, Key], api_key: str | None) -> Key:
    """The key of the X-MBX-APIKEY header; -2014 malformed or missing, -2015 unknown."""
    key = keys.get(api_key) if api_key else None
    if key is not None:
        return key
    if not api_key or _KEY_FORMAT.fullmatch(api_key) is None:
        raise VenueError(-2014, "API-key format invalid.", status=401)
    raise VenueError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def authenticate(
    key: Key, parameters: Parameters, raw_query: str, raw_body: str, now_ms: int
) -> None:
    """Timing first, then the signature (-1022)."""
    timestamp = parameters.checked("timestamp")
    if timestamp is None:
        raise mandatory("timestamp")
    recv_window = parameters.checked("recvWindow")
    signature = parameters.checked("signature")
    if signature is None:
        raise mandatory("signature")
    check_time(timestamp, recv_window, now_ms)
    payload = without_signature(raw_query) + without_signature(raw_body)
    # Text outside ASCII must be percent-encoded before it is signed and sent.
    expected = sign(key.secret, payload.encode()) if payload.isascii() else ""
    if not hmac.compare_digest(expected.encode(), signature.lower().encode()):
        raise VenueError(-1022, "Signature for this request is not valid.")
