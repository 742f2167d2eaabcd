"""What is held and what it is worth, kept current one asset at a time.

Totals are kept, not summed up anew: an order on an account of a thousand positions is judged as
fast as one on an account of ten.
"""

from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from typing import NamedTuple

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.market import Instrument
from otonom_trader.domain.symbol import Symbol

_NS = 1_000_000_000
_ALWAYS_FRESH_NS = 2**63

# Enough digits for sums to be exact: what is added now and taken away later leaves nothing behind.
_EXACT = Context(prec=120)


class _Mark(NamedTuple):
    """A price and when it was read (monotonic)."""

    price: Decimal
    taken_ns: int


class _Worth(NamedTuple):
    """An asset's value where it is a position, else 0; `oldest_ns` dates the marks it rests on.

    `known` is False for what is held and cannot be valued.
    """

    value: Decimal = ZERO
    oldest_ns: int = _ALWAYS_FRESH_NS
    known: bool = True


_NOTHING = _Worth()
_UNKNOWN = _Worth(known=False)
_PAR = _Mark(Decimal(1), _ALWAYS_FRESH_NS)


class Holdings:
    """Amounts by asset, and the worth of traded ones in the account `currency`.

    A position is a holding worth at least the venue's minimum. `quantities`, `positions` and
    `positions_value` are by the newest marks, however old; `are_valued` tells whether they can be
    relied on. Source: contract.md, "Formulas" (position, equity).
    """

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.quantities: Mapping[str, Decimal] = {}
        """What is held of each traded base asset; never changed, only replaced."""
        self.positions: frozenset[str] = frozenset()
        self.positions_value = ZERO
        self.amounts: Mapping[str, Decimal] = {}
        """What is held of each asset, traded or not; never changed, only replaced."""
        self._instruments: dict[Symbol, Instrument] = {}
        self._by_base: dict[str, list[Symbol]] = {}
        self._by_quote: dict[str, set[str]] = {}
        self._marks: dict[Symbol, _Mark] = {}
        self._worths: dict[str, _Worth] = {}
        self._unknown: set[str] = set()
        self._oldest_ns = _ALWAYS_FRESH_NS  # no mark that counts is older

    @property
    def traded(self) -> Iterable[Symbol]:
        """The symbols whose base assets are valued."""
        return self._instruments.keys()

    def trade(self, instrument: Instrument) -> None:
        """Count the base asset of `instrument` among those that are traded."""
        symbol = instrument.symbol
        if self._instruments.get(symbol) == instrument:
            return
        if symbol not in self._instruments:
            self._by_base.setdefault(symbol.base, []).append(symbol)
            self._by_quote.setdefault(symbol.quote, set()).add(symbol.base)
        self._instruments[symbol] = instrument
        self._take_over((symbol.base,))

    def amount(self, asset: str) -> Decimal:
        """What is held of `asset`."""
        return self.amounts.get(asset, ZERO)

    def replace(self, amounts: Mapping[str, Decimal]) -> None:
        """Take over all amounts; what is not among them is held no more."""
        self.amounts = dict(amounts)
        self._take_over(self._by_base)

    def update(self, amounts: Mapping[str, Decimal]) -> None:
        """Take over the new amounts of some assets."""
        self.amounts = {**self.amounts, **amounts}
        self._take_over(asset for asset in amounts if asset in self._by_base)

    def update_marks(self, marks: Mapping[Symbol, Decimal], taken_ns: int) -> None:
        """Take over mid prices read at `taken_ns` (monotonic); what is no price is left out."""
        changed: set[str] = set()
        for symbol, price in marks.items():
            if not (price.is_finite() and price > 0):
                continue
            self._marks[symbol] = _Mark(price, taken_ns)
            if symbol in self._instruments:
                changed.add(symbol.base)
            if symbol.quote == self.currency:
                changed |= self._by_quote.get(symbol.base, set())
            elif symbol.base == self.currency:
                changed |= self._by_quote.get(symbol.quote, set())
        for base in changed:
            self._appraise(base)

    def rate(self, asset: str, now_ns: int, max_age_seconds: Decimal) -> Decimal | None:
        """What one of `asset` is worth in the account currency by the direct pair.

        None without a mark at most `max_age_seconds` old.
        """
        mark = self._conversion(asset)
        if mark is None or not _is_fresh(mark.taken_ns, now_ns, max_age_seconds):
            return None
        return mark.price

    def are_valued(self, now_ns: int, max_age_seconds: Decimal) -> bool:
        """Whether all that is held is valued by marks at most `max_age_seconds` old."""
        if self._unknown:
            return False
        if not _is_fresh(self._oldest_ns, now_ns, max_age_seconds):
            # The oldest may have been renewed since: only now is it worth looking at all of them.
            worths = self._worths.values()
            self._oldest_ns = min((worth.oldest_ns for worth in worths), default=_ALWAYS_FRESH_NS)
        return _is_fresh(self._oldest_ns, now_ns, max_age_seconds)

    def _take_over(self, bases: Iterable[str]) -> None:
        amounts = {base: self.amount(base) for base in bases}
        if any(self.quantities.get(base) != amount for base, amount in amounts.items()):
            self.quantities = {**self.quantities, **amounts}
        for base in amounts:
            self._appraise(base)

    def _appraise(self, base: str) -> None:
        """Value one asset anew and bring the totals up to it."""
        before, worth = self._worths.get(base, _NOTHING), self._worth(base)
        self._worths[base] = worth
        self._oldest_ns = min(self._oldest_ns, worth.oldest_ns)
        if worth.known:
            self._unknown.discard(base)
        else:
            self._unknown.add(base)
        if worth.value != before.value:
            others = _EXACT.subtract(self.positions_value, before.value)
            self.positions_value = _EXACT.add(others, worth.value)
        if bool(worth.value) != bool(before.value):
            self.positions ^= {base}

    def _worth(self, base: str) -> _Worth:
        qty = self.amount(base)
        if base == self.currency or not qty:
            return _NOTHING  # money counts as such
        value, oldest_ns = ZERO, _ALWAYS_FRESH_NS
        for symbol in self._by_base[base]:
            mark, conversion = self._marks.get(symbol), self._conversion(symbol.quote)
            if mark is None or conversion is None:
                return _UNKNOWN
            oldest_ns = min(oldest_ns, mark.taken_ns, conversion.taken_ns)
            quote_value = qty * mark.price
            if quote_value >= self._instruments[symbol].min_notional:
                value = quote_value * conversion.price
        return _Worth(value, oldest_ns)

    def _conversion(self, asset: str) -> _Mark | None:
        """What turns `asset` into the account currency: the direct pair, or the newer inverse."""
        if asset == self.currency:
            return _PAR
        direct = self._marks.get(Symbol(asset, self.currency))
        inverse = self._marks.get(Symbol(self.currency, asset))
        if inverse is None or (direct and direct.taken_ns >= inverse.taken_ns):
            return direct
        return _Mark(1 / inverse.price, inverse.taken_ns)


def _is_fresh(taken_ns: int, now_ns: int, max_age_seconds: Decimal) -> bool:
    return now_ns - taken_ns <= max_age_seconds * _NS
