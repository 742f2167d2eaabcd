"""Simulated accounts: what they hold, what it cost, and what each fill moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.order import Fill, Side
from otonom_trader.domain.symbol import Symbol


@dataclass(frozen=True, slots=True)
class Cost:
    """What a holding bought on one symbol cost, and what selling it has realised, in quote."""

    qty: Decimal = ZERO
    total: Decimal = ZERO
    realised: Decimal = ZERO

    @property
    def average(self) -> Decimal | None:
        """Quote paid per base still held; None when nothing is held."""
        return self.total / self.qty if self.qty else None

    def after(self, base_change: Decimal, quote_change: Decimal) -> "Cost":
        """Return the cost once a fill has moved so much, net of fees."""
        if base_change >= 0:  # 0 where the fee took all that was bought: it was paid for
            return Cost(self.qty + base_change, self.total - quote_change, self.realised)
        sold = min(-base_change, self.qty)
        if not sold:
            # What was held before the ledger began has no known cost: nothing is realised on it.
            return self
        cost_of_sold = self.total * (sold / self.qty)
        received = quote_change * sold / -base_change
        return Cost(
            self.qty - sold,
            ZERO if sold == self.qty else self.total - cost_of_sold,
            self.realised + received - cost_of_sold,
        )

    def without(self, qty: Decimal) -> "Cost":
        """Return the cost once so much is gone by another way, at what it cost."""
        gone = min(qty, self.qty)
        if gone <= ZERO:
            return self
        left = ZERO if gone == self.qty else self.total - self.total * (gone / self.qty)
        return Cost(self.qty - gone, left, self.realised)


@dataclass(frozen=True, slots=True)
class Payment:
    """What a fill moves: signed `changes` by asset, and the net base and quote for the cost."""

    symbol: str
    base_change: Decimal
    quote_change: Decimal
    changes: Mapping[str, Decimal]

    @classmethod
    def of_fill(
        cls, symbol: Symbol, side: Side, qty: Decimal, quote_qty: Decimal, fee: Decimal
    ) -> Self:
        """What a simulated fill moves; `fee` is in the asset received, as on Binance Spot.

        Source: binance-facts.md, section 5 (commission).
        """
        base = qty - fee if side is Side.BUY else -qty
        quote = -quote_qty if side is Side.BUY else quote_qty - fee
        return cls(symbol.canonical, base, quote, {symbol.base: base, symbol.quote: quote})


@dataclass(frozen=True, slots=True)
class Ledger:
    """A simulated account: amounts by asset, cost by canonical symbol.

    Values only; `apply` returns the next one, so a ledger is the fold of its fills.
    """

    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    costs: Mapping[str, Cost] = field(default_factory=dict)

    def amount(self, asset: str) -> Decimal:
        """What is held of `asset`."""
        return self.amounts.get(asset, ZERO)

    def can_pay(self, payment: Payment) -> bool:
        """Whether applying `payment` leaves no amount below zero."""
        return all(self.amount(asset) + change >= 0 for asset, change in payment.changes.items())

    def apply(self, payment: Payment) -> Self:
        """Return the ledger after `payment`.

        Raises ``ValueError`` where an amount would turn negative: check `can_pay` first.
        """
        if not self.can_pay(payment):
            raise ValueError(f"the account cannot pay for {payment.symbol}")
        amounts = dict(self.amounts)
        for asset, change in payment.changes.items():
            amounts[asset] = amounts.get(asset, ZERO) + change
        costs = dict(self.costs)
        before = costs.get(payment.symbol, Cost())
        costs[payment.symbol] = before.after(payment.base_change, payment.quote_change)
        return type(self)(amounts, costs)


def net_changes(
    symbol: Symbol, side: Side, fill: Fill, other_fee_pct: Decimal
) -> tuple[Decimal, Decimal]:
    """Return what a venue's fill moves of base and quote, net of its fee.

    A fee in a third asset counts as `other_fee_pct` of the quote: what that asset is worth is not
    known where fills are booked.
    """
    base, quote = side.sign * fill.qty, -side.sign * fill.quote_qty
    if fill.fee_asset == symbol.base:
        return base - fill.fee, quote
    if fill.fee_asset == symbol.quote:
        return base, quote - fill.fee
    return base, quote - (fill.quote_qty * other_fee_pct / 100 if fill.fee else ZERO)
