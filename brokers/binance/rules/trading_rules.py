"""How a symbol may be traded, and whether an order keeps to it. Pure.

Source: binance-facts.md, sections 5 and 6.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from otonom_trader.brokers.binance.errors import FILTER_FAILURE, PRECISION
from otonom_trader.brokers.binance.rules.context import UNKNOWN, Context
from otonom_trader.brokers.binance.rules.count_filters import EXCHANGE, CountFilter
from otonom_trader.brokers.binance.rules.filters import (
    Bounds,
    LotSize,
    Notional,
    OrderFilter,
    PercentPrice,
    PriceFilter,
)
from otonom_trader.brokers.binance.rules.parsing import (
    Entry,
    count_filters,
    most_amends,
    order_filters,
)
from otonom_trader.brokers.binance.wire import SymbolInfo
from otonom_trader.domain.amount import ZERO, is_multiple, plain
from otonom_trader.domain.market import Instrument
from otonom_trader.domain.order import OrderRequest
from otonom_trader.domain.symbol import Symbol

TRADING: Final = "TRADING"
_OTHERWISE: Final = {
    "CANCEL_ONLY": "orders may be cancelled, none placed or amended",
    "HALT": "orders wait until it resumes; a cancel may be tried, nothing is placed",
    "BREAK": "it is closed for now; a cancel may be tried, nothing is placed",
    "END_OF_DAY": "its day is over; a cancel may be tried, nothing is placed",
}
"""What can be done while a symbol's status is not TRADING."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An order that the venue would refuse: a stable code and the sentence that says why."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Rules:
    """One symbol's trading rules, and the instrument the other rooms see of them.

    `qty_unit` and `price_unit` are the finest the venue reads at all. `minutes` are those over
    which filters average the price they compare with; None where it is not told.
    """

    instrument: Instrument
    order_types: frozenset[str]
    oco_allowed: bool
    iceberg_allowed: bool
    trailing_allowed: bool
    qty_unit: Decimal
    price_unit: Decimal
    filters: tuple[OrderFilter, ...]
    counts: tuple[CountFilter, ...]
    most_amends: int | None
    minutes: frozenset[int | None]


def parse_rules(info: SymbolInfo, exchange_filters: Iterable[Entry] = ()) -> Rules:
    """Read one symbol of exchangeInfo; raises `Unreadable` for a filter without its figures."""
    filters = order_filters(info.filters)
    price = next((one.bounds for one in filters if isinstance(one, PriceFilter)), Bounds())
    lots = (one for one in filters if isinstance(one, LotSize) and not one.only_market)
    lot = next((one.bounds for one in lots), Bounds())
    notionals = [one for one in filters if isinstance(one, Notional)]
    return Rules(
        instrument=Instrument(
            symbol=Symbol(info.base_asset, info.quote_asset),
            venue_symbol=info.symbol,
            tradable=info.status == TRADING and info.is_spot_trading_allowed,
            qty_step=lot.step,
            min_qty=lot.low,
            max_qty=lot.high,
            price_tick=price.step,
            min_notional=max((one.low for one in notionals), default=ZERO),
            status=info.status,
        ),
        order_types=frozenset(info.order_types),
        oco_allowed=info.oco_allowed,
        iceberg_allowed=info.iceberg_allowed,
        trailing_allowed=info.allow_trailing_stop,
        qty_unit=Decimal(1).scaleb(-info.base_asset_precision),
        price_unit=Decimal(1).scaleb(-info.quote_asset_precision),
        filters=filters,
        counts=(*count_filters(info.filters), *count_filters(exchange_filters)),
        most_amends=most_amends(info.filters),
        minutes=frozenset(
            one.mins
            for one in filters
            if isinstance(one, PercentPrice) or (isinstance(one, Notional) and one.compares)
        ),
    )


def find_violation(
    rules: Rules, order: OrderRequest, context: Context = UNKNOWN
) -> Violation | None:
    """Return the first rule that `order` breaks, None when it keeps to all that can be told of.

    In the venue's order: what the symbol takes at all, precision, filters as exchangeInfo lists
    them, and last the filters that count.
    """
    return (
        _closed(rules)
        or _unsupported(rules, order)
        or _broken_by_itself(rules, order, context)
        or _broken_together(rules, (order,), 0, context)
    )


def find_list_violation(
    rules: Rules, orders: Sequence[OrderRequest], context: Context = UNKNOWN
) -> Violation | None:
    """Return the first rule that an order list of these `orders` breaks; as `find_violation`."""
    if not rules.oco_allowed:
        symbol = rules.instrument.venue_symbol
        return Violation("order_type", f"OCO orders are not supported for {symbol}")
    for order in orders:
        violation = _unsupported(rules, order) or _broken_by_itself(rules, order, context)
        if violation:
            return violation
    return _closed(rules) or _broken_together(rules, orders, 1, context)


def find_amend_violation(
    rules: Rules,
    order: OrderRequest,
    qty: Decimal,
    amends: int | None,
    context: Context = UNKNOWN,
) -> Violation | None:
    """Return the first rule that `order` breaks once it is reduced to `qty`.

    `amends` is how often it was amended already, None where that is not known.
    """
    most = rules.most_amends
    if amends is not None and most is not None and amends >= most:
        problem = f"amends {amends + 1} is above the maximum {most}"
        return _failure(rules, "MAX_NUM_ORDER_AMENDS", problem)
    iceberg_qty = order.iceberg_qty and min(order.iceberg_qty, qty)
    amended = replace(order, qty=qty, iceberg_qty=iceberg_qty)
    return _closed(rules) or _broken_by_itself(rules, amended, context)


def _closed(rules: Rules) -> Violation | None:
    instrument = rules.instrument
    if instrument.tradable:
        return None
    name, status = instrument.venue_symbol, instrument.status
    if status == TRADING:
        text = f"{name} is not traded on spot"
    else:
        text = f"{name} is {status}, not TRADING"
        if status in _OTHERWISE:
            text = f"{text}: {_OTHERWISE[status]}"
    return Violation("not_trading", text)


def _unsupported(rules: Rules, order: OrderRequest) -> Violation | None:
    if order.order_type not in rules.order_types:
        what = f"{order.order_type} orders"
    elif order.iceberg_qty is not None and not rules.iceberg_allowed:
        what = "iceberg orders"
    elif order.trailing_delta_bps is not None and not rules.trailing_allowed:
        what = "trailing stop orders"
    else:
        return None
    return Violation("order_type", f"{what} are not supported for {rules.instrument.venue_symbol}")


def _broken_by_itself(rules: Rules, order: OrderRequest, context: Context) -> Violation | None:
    for name, value, unit in (
        ("qty", order.qty, rules.qty_unit),
        ("price", order.limit_price, rules.price_unit),
        ("stop_price", order.stop_price, rules.price_unit),
        ("iceberg_qty", order.iceberg_qty, rules.qty_unit),
    ):
        if value is not None and not is_multiple(value, unit):
            symbol = rules.instrument.venue_symbol
            text = f"{name} {plain(value)} has more digits than the {plain(unit)} of {symbol}"
            return Violation(PRECISION, text)
    for one in rules.filters:
        problem = one.problem(order, context)
        if problem:
            return _failure(rules, one.name, problem)
    return None


def _broken_together(
    rules: Rules, orders: Sequence[OrderRequest], lists: int, context: Context
) -> Violation | None:
    for one in rules.counts:
        problem = one.problem(orders, lists, context)
        if problem:
            return _failure(rules, one.name, problem)
    return None


def _failure(rules: Rules, name: str, problem: str) -> Violation:
    of = "the account" if name.startswith(EXCHANGE) else rules.instrument.venue_symbol
    return Violation(FILTER_FAILURE, f"Filter failure: {name}; {problem} of {of} ({name})")
