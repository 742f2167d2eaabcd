"""What is owned and what may still change it, kept current between readings of the venue."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from otonom_trader.brokers.paper import SimulatedAccount
from otonom_trader.domain.account import AccountSnapshot
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.intent import Reservation
from otonom_trader.domain.market import Instrument
from otonom_trader.domain.order import Fill, Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.risk.exposure import Exposure

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Mark:
    price: Decimal
    taken_ns: int

    def is_fresh(self, now_ns: int, max_age_seconds: Decimal) -> bool:
        return now_ns - self.taken_ns <= max_age_seconds * _NS


class AccountBook:
    """The account that orders are judged and sized on.

    With a `simulated` account (off, shadow) its ledger is the truth; without one (live) it is the
    venue's balances as of their update time plus own fills booked later. Orders that may still fill
    stand as reservations. Source: contract.md, "Modes" and "Formulas"; promises.md, P5.
    """

    def __init__(self, account_currency: str, simulated: SimulatedAccount | None = None) -> None:
        self.account_currency = account_currency
        self._simulated = simulated
        self._snapshot: AccountSnapshot | None = None
        self._later: dict[tuple[Symbol, str], tuple[datetime, Mapping[str, Decimal]]] = {}
        self._instruments: dict[Symbol, Instrument] = {}
        self._marks: dict[Symbol, _Mark] = {}
        self._reservations: dict[str, Reservation] = {}
        self._foreign: dict[str, Reservation] = {}

    def trade(self, instrument: Instrument) -> None:
        """Count the base asset of `instrument` among those this daemon trades."""
        self._instruments[instrument.symbol] = instrument

    def symbols_to_mark(self) -> set[Symbol]:
        """The symbols whose marks value every holding: traded ones, and the way to the currency."""
        symbols = {*self._instruments, *(open_.symbol for open_ in self._open())}
        assets = {asset for symbol in symbols for asset in (symbol.base, symbol.quote)}
        wanted = set(self._instruments)
        for asset in assets - {self.account_currency}:
            wanted |= {Symbol(asset, self.account_currency), Symbol(self.account_currency, asset)}
        return wanted

    def update_account(self, snapshot: AccountSnapshot) -> None:
        """Take over the venue's balances; own fills they already include are forgotten."""
        if self._snapshot is None or snapshot.updated_at >= self._snapshot.updated_at:
            self._snapshot = snapshot
            self._later = {
                trade: entry
                for trade, entry in self._later.items()
                if entry[0] > snapshot.updated_at
            }

    def update_marks(self, marks: Mapping[Symbol, Decimal], taken_ns: int) -> None:
        """Take over mid prices read at `taken_ns` (monotonic); what is no price is left out."""
        for symbol, price in marks.items():
            if price.is_finite() and price > 0:
                self._marks[symbol] = _Mark(price, taken_ns)

    def update_foreign(self, reservations: Mapping[str, Reservation]) -> None:
        """Take over the working orders of others on this account."""
        self._foreign = dict(reservations)

    def reserve(self, client_order_id: str, reservation: Reservation) -> None:
        """Count an order at its worst until it is settled; called again, it replaces."""
        self._reservations[client_order_id] = reservation

    def release(self, client_order_id: str) -> None:
        """Stop counting an order."""
        self._reservations.pop(client_order_id, None)

    def book_fills(self, symbol: Symbol, side: Side, fills: Iterable[Fill]) -> None:
        """Add own fills that the venue's balances may not include yet, each once."""
        for fill in fills:
            if self._snapshot is not None and fill.at <= self._snapshot.updated_at:
                continue
            changes = {symbol.base: side.sign * fill.qty, symbol.quote: -side.sign * fill.quote_qty}
            changes[fill.fee_asset] = changes.get(fill.fee_asset, ZERO) - fill.fee
            self._later[symbol, fill.trade_id] = (fill.at, changes)

    def total(self, asset: str) -> Decimal:
        """What is owned of `asset`, free and locked."""
        if self._simulated is not None:
            return self._simulated.ledger.amount(asset)
        known = self._snapshot.total(asset) if self._snapshot else ZERO
        return known + sum((change.get(asset, ZERO) for _, change in self._later.values()), ZERO)

    def selling(self, base: str) -> Decimal:
        """How much of `base` working orders may still sell."""
        return self._pending(Side.SELL).get(base, ZERO)

    def rate(self, asset: str, now_ns: int, max_age_seconds: Decimal) -> Decimal | None:
        """What one of `asset` is worth in the account currency by the direct pair.

        None without a mark at most `max_age_seconds` old.
        """
        if asset == self.account_currency:
            return Decimal(1)
        direct = self._marks.get(Symbol(asset, self.account_currency))
        if direct is not None and direct.is_fresh(now_ns, max_age_seconds):
            return direct.price
        inverse = self._marks.get(Symbol(self.account_currency, asset))
        if inverse is not None and inverse.is_fresh(now_ns, max_age_seconds):
            return 1 / inverse.price
        return None

    def exposure(self, now_ns: int, max_age_seconds: Decimal) -> Exposure:
        """Return the account as it is judged now.

        Equity is None while the account was not read, or a holding cannot be valued by a mark at
        most `max_age_seconds` old; so is the value of working orders without such a conversion.
        """
        holdings = {symbol.base: self.total(symbol.base) for symbol in self._instruments}
        values: dict[str, Decimal] = {}
        known = self._simulated is not None or self._snapshot is not None
        for symbol, instrument in self._instruments.items():
            if symbol.base == self.account_currency:
                continue  # money, and counted as such
            value, minimum = self._value(symbol, instrument, now_ns, max_age_seconds)
            if value is None or minimum is None:
                known = known and not holdings[symbol.base]
            elif value and value >= minimum:
                values[symbol.base] = value
        positions_value = sum(values.values(), ZERO)
        equity = self.total(self.account_currency) + positions_value
        return Exposure(
            equity=equity if known else None,
            age_seconds=self._age_seconds(now_ns),
            positions_value=positions_value,
            positions=frozenset(values),
            holdings=holdings,
            pending_buy_value=self._pending_buy_value(now_ns, max_age_seconds),
            pending_buys=self._pending(Side.BUY),
            pending_sells=self._pending(Side.SELL),
        )

    def _value(
        self, symbol: Symbol, instrument: Instrument, now_ns: int, max_age_seconds: Decimal
    ) -> tuple[Decimal | None, Decimal | None]:
        mark, rate = self._marks.get(symbol), self.rate(symbol.quote, now_ns, max_age_seconds)
        if mark is None or rate is None or not mark.is_fresh(now_ns, max_age_seconds):
            return None, None
        return self.total(symbol.base) * mark.price * rate, instrument.min_notional * rate

    def _age_seconds(self, now_ns: int) -> Decimal | None:
        if self._simulated is not None:
            return ZERO
        if self._snapshot is None:
            return None
        return Decimal(now_ns - self._snapshot.taken_ns) / _NS

    def _open(self) -> Iterable[Reservation]:
        yield from self._reservations.values()
        yield from self._foreign.values()

    def _pending(self, side: Side) -> dict[str, Decimal]:
        pending: dict[str, Decimal] = {}
        for reservation in self._open():
            if reservation.side is side:
                base = reservation.symbol.base
                pending[base] = pending.get(base, ZERO) + reservation.qty
        return pending

    def _pending_buy_value(self, now_ns: int, max_age_seconds: Decimal) -> Decimal | None:
        total = ZERO
        for reservation in self._open():
            if reservation.side is Side.BUY:
                rate = self.rate(reservation.symbol.quote, now_ns, max_age_seconds)
                if rate is None:
                    return None
                total += reservation.qty * reservation.price * rate
        return total
