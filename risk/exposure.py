"""What an account carries already, and what one more order would add."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.market import Instrument, Walk
from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol


@dataclass(frozen=True, slots=True)
class Exposure:
    """An account as it is judged; values are in the account currency, quantities in base.

    `balances` are free and locked amounts of all assets, `holdings` those of traded base assets,
    `positions` the assets among these worth at least the venue's minimum. `pending_*` are orders
    that may still fill: working, in flight and UNKNOWN ones at their worst. `pending_costs` is what
    buying may take of each quote asset, fees included; `pending_buy_values` the same by base asset,
    in the account currency, and `pending_buy_value` their sum. `equity` and the values are None
    when they cannot be told.
    Source: contract.md, "Formulas" (position, equity, open risk).
    """

    equity: Decimal | None
    age_seconds: Decimal | None
    positions_value: Decimal = ZERO
    positions: Set[str] = frozenset()
    balances: Mapping[str, Decimal] = field(default_factory=dict)
    holdings: Mapping[str, Decimal] = field(default_factory=dict)
    pending_buy_value: Decimal | None = ZERO
    pending_buy_values: Mapping[str, Decimal | None] = field(default_factory=dict)
    pending_buys: Mapping[str, Decimal] = field(default_factory=dict)
    pending_sells: Mapping[str, Decimal] = field(default_factory=dict)
    pending_costs: Mapping[str, Decimal] = field(default_factory=dict)


class Confirmed(NamedTuple):
    """The notionals that a person has confirmed, in the account currency."""

    least: Decimal
    most: Decimal


@dataclass(frozen=True, slots=True)
class Proposal:
    """One order as it is judged.

    `price` is what it can execute at, `worst_price` the same at its worst and with fees, and
    `reference` the best opposite quote, in quote per base, as are `bid` and `ask`; `rate` turns the
    quote asset into the account currency; `mark` values the base asset in the account currency.
    `walk` is what the order takes of the book as it comes. `limit_price` is None for a MARKET
    order, `decision_age_seconds` for an order without a decision, `confirmed` for one that no
    person was asked about. Otherwise None is what is not known.
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
    worst_price: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    walk: Walk | None = None
    instrument: Instrument | None = None
    judged_at: datetime | None = None
    confirmed: Confirmed | None = None

    @property
    def notional(self) -> Decimal | None:
        """Quantity times the price it can execute at, in the account currency."""
        if self.price is None or self.rate is None:
            return None
        return self.qty * self.price * self.rate
