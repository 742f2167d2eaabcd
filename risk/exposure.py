"""What an account carries already, and what one more order would add."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from decimal import Decimal

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol


@dataclass(frozen=True, slots=True)
class Exposure:
    """An account as it is judged; values are in the account currency, quantities in base.

    `holdings` are free and locked base quantities of traded symbols; `positions` the assets among
    them worth at least the venue's minimum. `pending_*` are orders that may still fill: working, in
    flight and UNKNOWN ones at their worst. `equity` and `pending_buy_value` are None when they
    cannot be told.
    Source: contract.md, "Formulas" (position, equity, open risk).
    """

    equity: Decimal | None
    age_seconds: Decimal | None
    positions_value: Decimal = ZERO
    positions: Set[str] = frozenset()
    holdings: Mapping[str, Decimal] = field(default_factory=dict)
    pending_buy_value: Decimal | None = ZERO
    pending_buys: Mapping[str, Decimal] = field(default_factory=dict)
    pending_sells: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One order as it is judged.

    `price` is what it can execute at and `reference` the best opposite quote, in quote per base;
    `rate` turns the quote asset into the account currency; `mark` values the base asset in the
    account currency. `limit_price` is None for a MARKET order. None where something is not known.
    """

    symbol: Symbol
    side: Side
    qty: Decimal
    price: Decimal | None
    reference: Decimal | None
    mark: Decimal | None
    rate: Decimal | None
    price_age_seconds: Decimal | None
    limit_price: Decimal | None = None
    decision_age_seconds: Decimal | None = None

    @property
    def notional(self) -> Decimal | None:
        """Quantity times the price it can execute at, in the account currency."""
        if self.price is None or self.rate is None:
            return None
        return self.qty * self.price * self.rate
