"""What is written down before an order leaves, and what its outcome is booked against."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.approval import Parked, Ruling
from otonom_trader.domain.decision import Decision, DecisionKey, Malformed
from otonom_trader.domain.execution import SimulatedFill, TradeExecutionLog
from otonom_trader.domain.ledger import Ledger, Payment
from otonom_trader.domain.market import MarketSnapshot
from otonom_trader.domain.order import OrderRequest, Side
from otonom_trader.domain.resting import RestingOrder
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.verdict import Verdict


class SourcePosition(NamedTuple):
    """How far a decision source was read: `position` is the source's own text."""

    source: str
    position: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A decision taken up for execution, or what came in place of one.

    `position` is where its source stands once this claim is written; None for a direct order.
    """

    item: Decision | Malformed
    received_at: datetime
    position: SourcePosition | None = None

    @property
    def key(self) -> DecisionKey:
        """Identity of what was claimed."""
        return self.item.key


@dataclass(frozen=True, slots=True)
class Reservation:
    """The worst an unsettled order may still do: `qty` (base) at up to `price` (quote per base)."""

    symbol: Symbol
    side: Side
    qty: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Intent:
    """An order about to leave. Durable before the first byte is sent. Source: promises.md, P3.

    `order` carries its client order id and is what goes out; `requested_qty` is what was asked for
    before rounding to the venue's step. At `expires_at` what is left of it is cancelled. `notional`
    is what it was judged to be worth, in the account currency; `fee_pct` what a trade is taken to
    cost where the fee is in an asset that is not traded.
    """

    client_order_id: str
    account: AccountKey
    decision: DecisionKey
    order: OrderRequest
    symbol: Symbol
    reservation: Reservation
    paper: SimulatedFill | None
    requested_qty: Decimal
    recorded_at: datetime
    expires_at: datetime | None = None
    notional: Decimal = ZERO
    fee_pct: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class LedgerChange:
    """A simulated account's next state, and the payment that led to it.

    `ledger` names the account: leg and account key, such as ``paper:shadow:host:uid``.
    """

    ledger: str
    payment: Payment
    after: Ledger


@dataclass(frozen=True, slots=True)
class Entry:
    """All that one transaction writes about a claim: step 6 of a decision's way.

    Exactly one of three is given: `intent` where an order is about to be sent, `execution` where
    none is, `parked` where a person is to say so. `paper` is what the paper leg paid at once,
    `resting` what of it waits for the market. With a `ruling` the claim is on record already and
    waits for one.
    """

    claim: Claim
    verdicts: tuple[Verdict, ...] = ()
    market: MarketSnapshot | None = None
    equity: Decimal | None = None
    intent: Intent | None = None
    paper: LedgerChange | None = None
    resting: RestingOrder | None = None
    execution: TradeExecutionLog | None = None
    parked: Parked | None = None
    ruling: Ruling | None = None


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """An intent that is not settled, as the journal knows it.

    `signed_at_ms` is the newest signature known to have carried it, None when the process died
    before it could be noted; `execution` is the row so far, None before the first outcome.
    """

    intent: Intent
    order_id: str | None
    signed_at_ms: int | None
    filled_qty: Decimal
    quote_qty: Decimal
    execution: TradeExecutionLog | None
