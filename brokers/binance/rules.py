"""How a symbol may be traded, and whether an order keeps to it. Pure.

Source: binance-facts.md, section 6. What depends on other orders or on a reference price
(PERCENT_PRICE, MAX_NUM_ORDERS, the notional of a MARKET order) is left to the venue.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from otonom_trader.brokers.binance.errors import FILTER_FAILURE, Unreadable
from otonom_trader.brokers.binance.wire import Filter, SymbolInfo, number
from otonom_trader.domain.amount import ZERO, is_multiple, plain
from otonom_trader.domain.market import Instrument
from otonom_trader.domain.order import OrderRequest
from otonom_trader.domain.symbol import Symbol

TRADING: Final = "TRADING"


class Bounds(NamedTuple):
    """A filter on one value; a bound or step of 0 sets no rule."""

    filter_type: str
    low: Decimal = ZERO
    high: Decimal = ZERO
    step: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Violation:
    """An order that the venue would refuse: a stable code and the sentence that says why."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Rules:
    """One symbol's trading rules, and the instrument the other rooms see of them."""

    instrument: Instrument
    order_types: frozenset[str]
    price: Bounds
    lot: Bounds
    market_lot: Bounds
    notional: Bounds


def parse_rules(info: SymbolInfo) -> Rules:
    """Read one symbol of exchangeInfo; raises `Unreadable` for a filter without its figures."""
    filters = {entry.filter_type: entry for entry in info.filters}
    price = _bounds(filters, "PRICE_FILTER", "min_price", "max_price", "tick_size")
    lot = _bounds(filters, "LOT_SIZE", "min_qty", "max_qty", "step_size")
    market_lot = _bounds(filters, "MARKET_LOT_SIZE", "min_qty", "max_qty", "step_size")
    # A symbol has one of the two; NOTIONAL is the younger and knows a maximum as well.
    if "NOTIONAL" in filters:
        notional = _bounds(filters, "NOTIONAL", "min_notional", "max_notional")
    else:
        notional = _bounds(filters, "MIN_NOTIONAL", "min_notional")
    return Rules(
        instrument=Instrument(
            symbol=Symbol(info.base_asset, info.quote_asset),
            venue_symbol=info.symbol,
            tradable=info.status == TRADING and info.is_spot_trading_allowed,
            qty_step=lot.step,
            min_qty=lot.low,
            max_qty=lot.high,
            price_tick=price.step,
            min_notional=notional.low,
            status=info.status,
        ),
        order_types=frozenset(info.order_types),
        price=price,
        lot=lot,
        market_lot=market_lot,
        notional=notional,
    )


def find_violation(rules: Rules, order: OrderRequest) -> Violation | None:
    """Return the first rule that `order` breaks, None when it keeps to all that are known here."""
    venue_symbol = rules.instrument.venue_symbol
    if not rules.instrument.tradable:
        return Violation("not_trading", f"{venue_symbol} is {rules.instrument.status}, not TRADING")
    if order.order_type not in rules.order_types:
        return Violation(
            "order_type", f"{order.order_type} orders are not supported for {venue_symbol}"
        )
    limit = order.limit_price
    checks = [("qty", order.qty, rules.lot)]
    if limit is None:
        checks.append(("qty", order.qty, rules.market_lot))
    else:
        checks.append(("price", limit, rules.price))
        checks.append(("notional", limit * order.qty, rules.notional))
    for name, value, bounds in checks:
        problem = _problem(name, value, bounds, venue_symbol)
        if problem:
            text = f"Filter failure: {bounds.filter_type}; {problem}"
            return Violation(FILTER_FAILURE, text)
    return None


def _problem(name: str, value: Decimal, bounds: Bounds, venue_symbol: str) -> str:
    """Say what is wrong with `value`, nothing when it keeps to `bounds`."""
    if bounds.low and value < bounds.low:
        problem, rule = "below the minimum", bounds.low
    elif bounds.high and value > bounds.high:
        problem, rule = "above the maximum", bounds.high
    elif not is_multiple(value, bounds.step):
        problem, rule = "off the step", bounds.step
    else:
        return ""
    return (
        f"{name} {plain(value)} is {problem} {plain(rule)} of {venue_symbol} ({bounds.filter_type})"
    )


def _bounds(
    filters: Mapping[str, Filter],
    filter_type: str,
    low: str,
    high: str | None = None,
    step: str | None = None,
) -> Bounds:
    entry = filters.get(filter_type)
    if entry is None:
        return Bounds(filter_type)
    return Bounds(filter_type, *(_figure(entry, name) for name in (low, high, step)))


def _figure(entry: Filter, name: str | None) -> Decimal:
    if name is None:
        return ZERO
    text = getattr(entry, name)
    if text is None:
        raise Unreadable(f"filter {entry.filter_type} came without its {name}")
    return number(text)
