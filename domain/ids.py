"""Client order ids: derived from what they name, so that the same decision has the same id."""

import base64
import hashlib

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.decision import DecisionKey

PREFIX = "otn-"
"""What every client order id of ours begins with."""

_CHARACTERS = 26  # 130 bits of the hash; prefix and hash stay below the venue's 36 characters


def client_order_id(account: AccountKey, key: DecisionKey, leg: str = "entry") -> str:
    """Return the client order id of one leg of a decision on one account.

    Deterministic: a restart finds the same order by it. Fields are length-prefixed before hashing,
    so that no two different inputs can read the same. Source: promises.md, P1.
    """
    fields = (account.mode, account.venue, account.uid, key.source, key.id, leg)
    digest = hashlib.sha256()
    for text in fields:
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return PREFIX + base64.b32encode(digest.digest()).decode()[:_CHARACTERS].lower()


def is_ours(id_: str) -> bool:
    """Return whether a client order id was made by this daemon, on this host or another."""
    return id_.startswith(PREFIX) and len(id_) == len(PREFIX) + _CHARACTERS
