"""What is owned and what may still change it, kept current between readings of the venue."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from otonom_trader.brokers.holdings import Holdings
from otonom_trader.brokers.paper import SimulatedAccount
from otonom_trader.domain.account import AccountSnapshot
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.intent import Reservation
from otonom_trader.domain.ledger import Ledger
from otonom_trader.domain.market import Instrument
from otonom_trader.domain.order import Fill, Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.venue_event import BalancesUpdate
from otonom_trader.risk.exposure import Exposure

_NS = 1_000_000_000
_LONGEST_LAG_NS = 10 * _NS  # of the copy that answers a reading, behind what was told already


class _Pending(NamedTuple):
    """Orders that may still fill, at their worst: base by asset, and what buying takes by quote.

    `symbol_costs` is what buying takes by symbol, in its quote.
    """

    buys: Mapping[str, Decimal]
    sells: Mapping[str, Decimal]
    costs: Mapping[str, Decimal]
    symbol_costs: Mapping[Symbol, Decimal]

    @classmethod
    def of(cls, reservations: Iterable[Reservation]) -> "_Pending":
        buys: dict[str, Decimal] = {}
        sells: dict[str, Decimal] = {}
        costs: dict[str, Decimal] = {}
        symbol_costs: dict[Symbol, Decimal] = {}
        for reservation in reservations:
            symbol, qty = reservation.symbol, reservation.qty
            if reservation.side is Side.SELL:
                sells[symbol.base] = sells.get(symbol.base, ZERO) + qty
                continue
            cost = qty * reservation.price
            buys[symbol.base] = buys.get(symbol.base, ZERO) + qty
            costs[symbol.quote] = costs.get(symbol.quote, ZERO) + cost
            symbol_costs[symbol] = symbol_costs.get(symbol, ZERO) + cost
        return cls(buys, sells, costs, symbol_costs)


class _PendingWorth(NamedTuple):
    """What the orders of `pending` may still buy is worth, by base and in all, at `rates`.

    None where a quote has no rate. `rates` go by quote asset.
    """

    pending: _Pending
    rates: Mapping[str, Decimal | None]
    values: Mapping[str, Decimal | None]
    total: Decimal | None

    @classmethod
    def of(cls, pending: _Pending, rates: Mapping[str, Decimal | None]) -> "_PendingWorth":
        values: dict[str, Decimal | None] = {}
        total: Decimal | None = ZERO
        for symbol, cost in pending.symbol_costs.items():
            rate = rates[symbol.quote]
            worth = None if rate is None else cost * rate
            values[symbol.base] = _sum(values.get(symbol.base, ZERO), worth)
            total = _sum(total, worth)
        return cls(pending, rates, values, total)


class AccountBook:
    """The account that orders are judged and sized on.

    With a `simulated` account (off, shadow) its ledger is the truth; without one (live) it is the
    venue's balances as of their update time plus own fills booked later. Orders that may still fill
    stand as reservations. Source: contract.md, "Modes" and "Formulas"; promises.md, P5.
    """

    def __init__(self, account_currency: str, simulated: SimulatedAccount | None = None) -> None:
        self.account_currency = account_currency
        self._simulated = simulated
        self._ledger = Ledger()  # as far as the holdings have followed the simulated account's
        self._snapshot: AccountSnapshot | None = None
        self._behind_since_ns: int | None = None  # the first reading of those that were older
        self._later: dict[tuple[Symbol, str], tuple[datetime, Mapping[str, Decimal]]] = {}
        self._holdings = Holdings(account_currency)
        self._reservations: dict[str, Reservation] = {}
        self._foreign: dict[str, Reservation] = {}
        self._pending: _Pending | None = None
        self._pending_worth: _PendingWorth | None = None

    @property
    def simulated(self) -> SimulatedAccount | None:
        """The simulated account that is the truth here, None where the venue's is."""
        return self._simulated

    def trade(self, instrument: Instrument) -> None:
        """Count the base asset of `instrument` among those this daemon trades."""
        self._holdings.trade(instrument)

    def symbols_to_mark(self) -> set[Symbol]:
        """The symbols whose marks value every holding: traded ones, and the way to the currency."""
        wanted = set(self._holdings.traded)
        symbols = {*wanted, *(open_.symbol for open_ in self._open())}
        assets = {asset for symbol in symbols for asset in (symbol.base, symbol.quote)}
        for asset in assets - {self.account_currency}:
            wanted |= {Symbol(asset, self.account_currency), Symbol(self.account_currency, asset)}
        return wanted

    def update_account(self, snapshot: AccountSnapshot) -> None:
        """Take over the venue's balances; own fills they already include are forgotten.

        A reading that is older than what is known already, by the venue's own time, shows that
        nothing newer is there: balances stay, and count as read. One that stays older for seconds
        is no copy that lags: it is taken over.
        """
        known = self._snapshot
        if known is not None and snapshot.updated_at < known.updated_at:
            if self._behind_since_ns is None:
                self._behind_since_ns = snapshot.taken_ns
            if snapshot.taken_ns - self._behind_since_ns < _LONGEST_LAG_NS:
                self._snapshot = replace(known, taken_ns=max(known.taken_ns, snapshot.taken_ns))
                return
        self._behind_since_ns = None
        self._snapshot = snapshot
        self._later = {
            trade: entry for trade, entry in self._later.items() if entry[0] > snapshot.updated_at
        }
        if self._simulated is not None:
            return
        amounts = {asset: balance.total for asset, balance in snapshot.balances.items()}
        for _, changes in self._later.values():
            amounts |= _changed(amounts, changes)
        self._holdings.replace(amounts)

    def update_balances(self, update: BalancesUpdate) -> None:
        """Take over the balances that changed; the others are what they were.

        How old the whole account is counted from its last whole reading.
        """
        snapshot = self._snapshot
        if snapshot is None or update.updated_at < snapshot.updated_at:
            return
        balances = {**snapshot.balances, **update.balances}
        self.update_account(replace(snapshot, balances=balances, updated_at=update.updated_at))

    def update_marks(self, marks: Mapping[Symbol, Decimal], taken_ns: int) -> None:
        """Take over mid prices read at `taken_ns` (monotonic); what is no price is left out."""
        self._holdings.update_marks(marks, taken_ns)

    def update_foreign(self, reservations: Mapping[str, Reservation]) -> None:
        """Take over the working orders of others on this account."""
        self._foreign = dict(reservations)
        self._pending = None

    @property
    def foreign(self) -> Mapping[str, Reservation]:
        """The working orders of others, as they were last told of."""
        return self._foreign

    def reserve(self, client_order_id: str, reservation: Reservation) -> None:
        """Count an order at its worst until it is settled; called again, it replaces."""
        self._reservations[client_order_id] = reservation
        self._pending = None

    def release(self, client_order_id: str) -> None:
        """Stop counting an order."""
        self._reservations.pop(client_order_id, None)
        self._pending = None

    def book_fills(self, symbol: Symbol, side: Side, fills: Iterable[Fill]) -> None:
        """Add own fills that the venue's balances may not include yet, each once."""
        for fill in fills:
            trade = (symbol, fill.trade_id)
            included = self._snapshot is not None and fill.at <= self._snapshot.updated_at
            if included or trade in self._later:
                continue
            changes = {symbol.base: side.sign * fill.qty, symbol.quote: -side.sign * fill.quote_qty}
            changes[fill.fee_asset] = changes.get(fill.fee_asset, ZERO) - fill.fee
            self._later[trade] = (fill.at, changes)
            if self._simulated is None:
                known = {asset: self._holdings.amount(asset) for asset in changes}
                self._holdings.update(_changed(known, changes))

    def total(self, asset: str) -> Decimal:
        """What is owned of `asset`, free and locked."""
        self._follow_ledger()
        return self._holdings.amount(asset)

    def selling(self, base: str) -> Decimal:
        """How much of `base` working orders may still sell."""
        return self._orders().sells.get(base, ZERO)

    def rate(self, asset: str, now_ns: int, max_age_seconds: Decimal) -> Decimal | None:
        """What one of `asset` is worth in the account currency by the direct pair.

        None without a mark at most `max_age_seconds` old.
        """
        return self._holdings.rate(asset, now_ns, max_age_seconds)

    def exposure(self, now_ns: int, max_age_seconds: Decimal) -> Exposure:
        """Return the account as it is judged now.

        Equity is None while the account was not read, or a holding cannot be valued by a mark at
        most `max_age_seconds` old; so is the value of working orders without such a conversion.
        """
        self._follow_ledger()
        holdings, orders = self._holdings, self._orders()
        is_read = self._simulated is not None or self._snapshot is not None
        known = is_read and holdings.are_valued(now_ns, max_age_seconds)
        equity = holdings.amount(self.account_currency) + holdings.positions_value
        worth = self._worth_of(orders, now_ns, max_age_seconds)
        return Exposure(
            equity=equity if known else None,
            age_seconds=self._age_seconds(now_ns),
            positions_value=+holdings.positions_value,
            positions=holdings.positions,
            balances=holdings.amounts,
            holdings=holdings.quantities,
            pending_buy_value=worth.total,
            pending_buy_values=worth.values,
            pending_buys=orders.buys,
            pending_sells=orders.sells,
            pending_costs=orders.costs,
        )

    def _follow_ledger(self) -> None:
        """Take over what a simulated account has booked since; untouched amounts are the same."""
        if self._simulated is None or self._simulated.ledger is self._ledger:
            return
        before, self._ledger = self._ledger.amounts, self._simulated.ledger
        now = self._ledger.amounts
        self._holdings.update(
            {asset: amount for asset, amount in now.items() if before.get(asset) is not amount}
        )

    def _age_seconds(self, now_ns: int) -> Decimal | None:
        if self._simulated is not None:
            return ZERO
        if self._snapshot is None:
            return None
        return Decimal(now_ns - self._snapshot.taken_ns) / _NS

    def _open(self) -> Iterable[Reservation]:
        yield from self._reservations.values()
        yield from self._foreign.values()

    def _orders(self) -> _Pending:
        if self._pending is None:
            self._pending = _Pending.of(self._open())
        return self._pending

    def _worth_of(self, orders: _Pending, now_ns: int, max_age_seconds: Decimal) -> _PendingWorth:
        """Value what may still be bought; it is the same until an order or a rate changes."""
        rates = {quote: self.rate(quote, now_ns, max_age_seconds) for quote in orders.costs}
        worth = self._pending_worth
        if worth is None or worth.pending is not orders or worth.rates != rates:
            worth = self._pending_worth = _PendingWorth.of(orders, rates)
        return worth


def _sum(first: Decimal | None, second: Decimal | None) -> Decimal | None:
    return None if first is None or second is None else first + second


def _changed(amounts: Mapping[str, Decimal], changes: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {asset: amounts.get(asset, ZERO) + change for asset, change in changes.items()}
