"""Accounts: what is owned, where, and what it is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from otonom_trader.domain.amount import ZERO


@dataclass(frozen=True, slots=True)
class AccountKey:
    """Which account is meant. Another mode, venue host or uid is another account."""

    mode: str
    venue: str
    uid: str

    def __str__(self) -> str:
        return f"{self.mode}:{self.venue}:{self.uid}"


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What a key may do beside trading, and whether it works from anywhere."""

    may_withdraw: bool
    may_transfer: bool
    is_ip_restricted: bool


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset: `free` can be spent, `locked` is held by working orders."""

    asset: str
    free: Decimal
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Free and locked together."""
        return self.free + self.locked


@dataclass(frozen=True, slots=True)
class Position:
    """A holding of a base asset and what it is worth in the account currency."""

    asset: str
    qty: Decimal
    mark: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """All balances of an account at one moment.

    `updated_at` is the venue's own time of the last change it knew of; `taken_ns` the monotonic
    time of the reading.
    """

    balances: Mapping[str, Balance]
    updated_at: datetime
    taken_ns: int
    uid: str = ""

    def total(self, asset: str) -> Decimal:
        """Free and locked amount of `asset`; 0 when it is not held."""
        balance = self.balances.get(asset)
        return balance.total if balance else ZERO

    def free(self, asset: str) -> Decimal:
        """Free amount of `asset`; 0 when it is not held."""
        balance = self.balances.get(asset)
        return balance.free if balance else ZERO


NO_BALANCES: Mapping[str, Balance] = MappingProxyType({})
