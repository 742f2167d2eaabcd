"""Filters from exchangeInfo. Pure. Source: binance-facts.md, section 6.

Read one by one from what the venue sent, so that a filter nobody knows yet can be left out, however
it looks. A figure that is missing is an error; where a flag or ``avgPriceMins`` is, what depends on
it is left to the venue.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

from otonom_trader.brokers.binance.errors import Unreadable
from otonom_trader.brokers.binance.rules.count_filters import (
    Counted,
    CountFilter,
    MaxPosition,
    OpenCount,
)
from otonom_trader.brokers.binance.rules.filters import (
    Bounds,
    IcebergParts,
    LotSize,
    Multipliers,
    Notional,
    OrderFilter,
    PercentPrice,
    PriceFilter,
    TrailingDelta,
)
from otonom_trader.brokers.binance.wire import number
from otonom_trader.domain.amount import ZERO

Entry = Mapping[str, Any]
"""One filter as it was sent."""

_T = TypeVar("_T")


def order_filters(entries: Iterable[Entry]) -> tuple[OrderFilter, ...]:
    """Return those that hold one order to something, in the order of `entries`.

    Raises `Unreadable` for one without its figures.
    """
    return tuple(_parsed(_ORDER_FILTERS, entries))


def count_filters(entries: Iterable[Entry]) -> tuple[CountFilter, ...]:
    """Return those that look at what works already; otherwise as `order_filters`."""
    return tuple(_parsed(_COUNT_FILTERS, entries))


def most_amends(entries: Iterable[Entry]) -> int | None:
    """Return how often an order may be amended; None where no filter tells."""
    for entry in entries:
        if _name(entry) == "MAX_NUM_ORDER_AMENDS":
            return _whole(entry, "maxNumOrderAmends")
    return None


def _parsed(
    parsers: Mapping[str, Callable[[str, Entry], _T]], entries: Iterable[Entry]
) -> Iterable[_T]:
    for entry in entries:
        name = _name(entry)
        if name in parsers:
            yield parsers[name](name, entry)


def _price(name: str, entry: Entry) -> PriceFilter:
    return PriceFilter(name, _bounds(entry, "minPrice", "maxPrice", "tickSize"))


def _lot(name: str, entry: Entry) -> LotSize:
    return LotSize(name, _bounds(entry, "minQty", "maxQty", "stepSize"))


def _market_lot(name: str, entry: Entry) -> LotSize:
    return LotSize(name, _bounds(entry, "minQty", "maxQty", "stepSize"), only_market=True)


def _percent(name: str, entry: Entry) -> PercentPrice:
    both = _multipliers(entry, "multiplier")
    return PercentPrice(name, both, both, _minutes(entry))


def _percent_by_side(name: str, entry: Entry) -> PercentPrice:
    bid, ask = _multipliers(entry, "bidMultiplier"), _multipliers(entry, "askMultiplier")
    return PercentPrice(name, bid, ask, _minutes(entry))


def _min_notional(name: str, entry: Entry) -> Notional:
    return Notional(
        name,
        low=_figure(entry, "minNotional"),
        high=ZERO,
        low_for_market=_flag(entry, "applyToMarket"),
        high_for_market=False,
        mins=_minutes(entry),
    )


def _notional(name: str, entry: Entry) -> Notional:
    return Notional(
        name,
        low=_figure(entry, "minNotional"),
        high=_figure(entry, "maxNotional"),
        low_for_market=_flag(entry, "applyMinToMarket"),
        high_for_market=_flag(entry, "applyMaxToMarket"),
        mins=_minutes(entry),
    )


def _iceberg_parts(name: str, entry: Entry) -> IcebergParts:
    return IcebergParts(name, _whole(entry, "limit"))


def _trailing_delta(name: str, entry: Entry) -> TrailingDelta:
    return TrailingDelta(
        name,
        above=(_whole(entry, "minTrailingAboveDelta"), _whole(entry, "maxTrailingAboveDelta")),
        below=(_whole(entry, "minTrailingBelowDelta"), _whole(entry, "maxTrailingBelowDelta")),
    )


def _count(counted: Counted, field: str) -> Callable[[str, Entry], OpenCount]:
    return lambda name, entry: OpenCount(name, counted, _whole(entry, field))


def _max_position(name: str, entry: Entry) -> MaxPosition:
    return MaxPosition(name, _figure(entry, "maxPosition"))


_ORDER_FILTERS: Final[Mapping[str, Callable[[str, Entry], OrderFilter]]] = {
    "PRICE_FILTER": _price,
    "PERCENT_PRICE": _percent,
    "PERCENT_PRICE_BY_SIDE": _percent_by_side,
    "LOT_SIZE": _lot,
    "MARKET_LOT_SIZE": _market_lot,
    "MIN_NOTIONAL": _min_notional,
    "NOTIONAL": _notional,
    "ICEBERG_PARTS": _iceberg_parts,
    "TRAILING_DELTA": _trailing_delta,
}

_ORDERS: Final = _count(Counted.ORDERS, "maxNumOrders")
_ALGO_ORDERS: Final = _count(Counted.ALGO, "maxNumAlgoOrders")
_ICEBERG_ORDERS: Final = _count(Counted.ICEBERG, "maxNumIcebergOrders")
_ORDER_LISTS: Final = _count(Counted.LISTS, "maxNumOrderLists")

_COUNT_FILTERS: Final[Mapping[str, Callable[[str, Entry], CountFilter]]] = {
    "MAX_NUM_ORDERS": _ORDERS,
    "MAX_NUM_ALGO_ORDERS": _ALGO_ORDERS,
    "MAX_NUM_ICEBERG_ORDERS": _ICEBERG_ORDERS,
    "MAX_NUM_ORDER_LISTS": _ORDER_LISTS,
    "MAX_POSITION": _max_position,
    "EXCHANGE_MAX_NUM_ORDERS": _ORDERS,
    "EXCHANGE_MAX_NUM_ALGO_ORDERS": _ALGO_ORDERS,
    "EXCHANGE_MAX_NUM_ICEBERG_ORDERS": _ICEBERG_ORDERS,
    "EXCHANGE_MAX_NUM_ORDER_LISTS": _ORDER_LISTS,
}


def _name(entry: Entry) -> str:
    name = entry.get("filterType")
    return name if isinstance(name, str) else ""


def _bounds(entry: Entry, low: str, high: str, step: str) -> Bounds:
    return Bounds(*(_figure(entry, name) for name in (low, high, step)))


def _multipliers(entry: Entry, prefix: str) -> Multipliers:
    return Multipliers(_figure(entry, f"{prefix}Down"), _figure(entry, f"{prefix}Up"))


def _figure(entry: Entry, name: str) -> Decimal:
    text = entry.get(name)
    if not isinstance(text, str):
        raise _without(entry, name)
    return number(text)


def _whole(entry: Entry, name: str) -> int:
    value = entry.get(name)
    if type(value) is not int:
        raise _without(entry, name)
    return value


def _minutes(entry: Entry) -> int | None:
    return None if entry.get("avgPriceMins") is None else _whole(entry, "avgPriceMins")


def _flag(entry: Entry, name: str) -> bool | None:
    value = entry.get(name)
    if value is not None and not isinstance(value, bool):
        raise _without(entry, name)
    return value


def _without(entry: Entry, name: str) -> Unreadable:
    return Unreadable(f"filter {_name(entry)} came without its {name}")
