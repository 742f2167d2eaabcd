"""Orders that wait for a person, and what the person said."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.decision import Decision, DecisionKey
from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol


class RulingKind(StrEnum):
    """How a wait for a person ended."""

    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The end of a wait: `by` is a person's name, and empty where nobody came in time."""

    kind: RulingKind
    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Parked:
    """An order that nothing stands against but that a person must confirm it.

    `qty` (base) is what was sized and `notional` what that was worth then, in the account currency;
    `reason` is the guardrail's sentence. Nothing is reserved for it.
    """

    decision: Decision
    received_at: datetime
    account: AccountKey
    symbol: Symbol
    qty: Decimal
    requested_qty: Decimal
    notional: Decimal
    reason: str
    parked_at: datetime
    expires_at: datetime

    @property
    def key(self) -> DecisionKey:
        """Identity of the decision."""
        return self.decision.key

    @property
    def side(self) -> Side:
        """Which way it would trade."""
        return Side(self.decision.direction)

    @property
    def age_seconds(self) -> Decimal:
        """How old the decision was when it was parked."""
        created = self.decision.created_at or self.received_at
        return Decimal((self.parked_at - created).total_seconds())
