"""The symbols this venue lists, with the rules each order is held to (page "Filters").

They are built in, or read from a saved reply of GET exchangeInfo.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from otonom_trader.testnet.amounts import DECIMALS, parse_amount
from otonom_trader.testnet.reference_price import PriceRange, ReferencePrice

Filter = Mapping[str, Any]

ORDER_TYPES: Final = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
STP_MODES: Final = ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER")
DEFAULT_STP_MODE: Final = "EXPIRE_MAKER"
STATUSES: Final = ("TRADING", "END_OF_DAY", "HALT", "BREAK", "CANCEL_ONLY")
# A symbol of a file is built in nowhere: its synthetic market starts at this many ticks.
_FIRST_TICKS: Final = 5_000

FILTER_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "PRICE_FILTER": ("minPrice", "maxPrice", "tickSize"),
    "PERCENT_PRICE": ("multiplierUp", "multiplierDown", "avgPriceMins"),
    "PERCENT_PRICE_BY_SIDE": (
        *("bidMultiplierUp", "bidMultiplierDown"),
        *("askMultiplierUp", "askMultiplierDown", "avgPriceMins"),
    ),
    "LOT_SIZE": ("minQty", "maxQty", "stepSize"),
    "MARKET_LOT_SIZE": ("minQty", "maxQty", "stepSize"),
    "MIN_NOTIONAL": ("minNotional", "applyToMarket", "avgPriceMins"),
    "NOTIONAL": (
        *("minNotional", "applyMinToMarket"),
        *("maxNotional", "applyMaxToMarket", "avgPriceMins"),
    ),
    "ICEBERG_PARTS": ("limit",),
    "MAX_NUM_ORDERS": ("maxNumOrders",),
    "MAX_NUM_ALGO_ORDERS": ("maxNumAlgoOrders",),
    "MAX_NUM_ICEBERG_ORDERS": ("maxNumIcebergOrders",),
    "MAX_POSITION": ("maxPosition",),
    "TRAILING_DELTA": (
        *("minTrailingAboveDelta", "maxTrailingAboveDelta"),
        *("minTrailingBelowDelta", "maxTrailingBelowDelta"),
    ),
    "MAX_NUM_ORDER_AMENDS": ("maxNumOrderAmends",),
    "MAX_NUM_ORDER_LISTS": ("maxNumOrderLists",),
    "EXCHANGE_MAX_NUM_ORDERS": ("maxNumOrders",),
    "EXCHANGE_MAX_NUM_ALGO_ORDERS": ("maxNumAlgoOrders",),
    "EXCHANGE_MAX_NUM_ICEBERG_ORDERS": ("maxNumIcebergOrders",),
    "EXCHANGE_MAX_NUM_ORDER_LISTS": ("maxNumOrderLists",),
}
_WHOLE: Final = ("Mins", "limit", "Orders", "Delta", "Amends", "Lists")
_FLAGS: Final = ("applyToMarket", "applyMinToMarket", "applyMaxToMarket")


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """One listed symbol. ``filters`` is exactly what exchangeInfo shows, keyed by filterType;
    ``info`` is its entry there. Amounts in units of 10**-8.
    """

    symbol: str
    base: str
    quote: str
    filters: Mapping[str, Filter]
    tick: int
    step: int
    first_price: int
    """Where the synthetic market starts."""
    info: Mapping[str, Any]
    status: str = "TRADING"
    price_range: PriceRange | None = None
    reference_buckets: tuple[int, int] | None = None
    """Count and width in milliseconds; None where the symbol has no reference price."""

    @property
    def base_decimals(self) -> int:
        """How many a quantity may have."""
        return int(self.info["baseAssetPrecision"])

    @property
    def quote_decimals(self) -> int:
        """How many a price or an amount of the quote asset may have."""
        return int(self.info["quotePrecision"])

    @property
    def order_types(self) -> list[str]:
        types: list[str] = self.info["orderTypes"]
        return types

    @property
    def permission_sets(self) -> list[list[str]]:
        """A caller needs one permission of each set."""
        sets: list[list[str]] = self.info["permissionSets"]
        return sets

    @property
    def stp_modes(self) -> list[str]:
        modes: list[str] = self.info["allowedSelfTradePreventionModes"]
        return modes

    def allows(self, flag: str) -> bool:
        """One of the entry's flags, such as ``icebergAllowed``."""
        return bool(self.info[flag])

    def new_reference(self) -> ReferencePrice | None:
        if self.reference_buckets is None:
            return None
        count, width_ms = self.reference_buckets
        return ReferencePrice(bucket_count=count, bucket_width_ms=width_ms)

    def smallest_of(self, lot_filter: str) -> int:
        """The least quantity by LOT_SIZE or MARKET_LOT_SIZE."""
        return _size(self.filters, lot_filter, "minQty")

    def average_minutes(self) -> int:
        """The longest time any of its filters averages the price over."""
        return max(
            (int(entry.get("avgPriceMins", 0)) for entry in self.filters.values()), default=0
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """What a venue lists: its symbols, and the filters of the exchange as a whole."""

    symbols: tuple[SymbolRules, ...]
    exchange_filters: tuple[Filter, ...] = ()


def parse_symbol(entry: Mapping[str, Any], *, first_price: int = 0) -> SymbolRules:
    """A symbol from its entry in exchangeInfo; ValueError says what is wrong with it.

    One-pays-for-the-other lists and pegs are shown as not allowed, whatever the entry says: they
    are not served here.
    """
    filters = parse_filters(entry["filters"])
    for asset in ("baseAssetPrecision", "quotePrecision", "quoteAssetPrecision"):
        if entry[asset] > DECIMALS:
            raise ValueError(f"{asset} {entry[asset]} is above {DECIMALS}")
    if entry["status"] not in STATUSES:
        raise ValueError(f"status {entry['status']!r} is none of {', '.join(STATUSES)}")
    unknown = set(entry["orderTypes"]) - set(ORDER_TYPES)
    if unknown:
        raise ValueError(f"order type {min(unknown)!r} is unknown")
    unknown = set(entry["allowedSelfTradePreventionModes"]) - {*STP_MODES, "NONE"}
    if unknown:
        raise ValueError(f"self-trade prevention mode {min(unknown)!r} is unknown")
    tick = _size(filters, "PRICE_FILTER", "tickSize")
    return SymbolRules(
        symbol=entry["symbol"],
        base=entry["baseAsset"],
        quote=entry["quoteAsset"],
        filters=filters,
        tick=tick,
        step=_size(filters, "LOT_SIZE", "stepSize"),
        first_price=first_price or tick * _FIRST_TICKS,
        info=_entry(entry),
        status=entry["status"],
    )


def parse_filters(entries: Any) -> dict[str, Filter]:
    """Filters by filterType; ValueError at an unknown or malformed one."""
    filters: dict[str, Filter] = {}
    for entry in entries:
        name = entry.get("filterType")
        if name not in FILTER_FIELDS:
            raise ValueError(f"filter {name!r} is unknown")
        for field in FILTER_FIELDS[name]:
            value = entry.get(field)
            if field in _FLAGS:
                fits = isinstance(value, bool)
            elif field.endswith(_WHOLE):
                fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            else:
                fits = isinstance(value, str)
                if fits:
                    parse_amount(value)
            if not fits:
                raise ValueError(f"{field} of filter {name} is missing or malformed: {value!r}")
        filters[name] = entry
    return filters


def read_listing(path: Path) -> Listing:
    """The symbols of a saved exchangeInfo reply; ValueError names the file and what is wrong."""
    try:
        content = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path}: not a JSON object: {error}") from error
    symbols = []
    for number, entry in enumerate(content.get("symbols") or ()):
        name = entry.get("symbol", f"symbol {number}") if isinstance(entry, dict) else number
        try:
            symbols.append(parse_symbol(entry))
        except KeyError as error:
            raise ValueError(f"{path}, {name}: {error.args[0]} is missing") from error
        except (TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{path}, {name}: {error}") from error
    if not symbols:
        raise ValueError(f"{path}: lists no symbols")
    try:
        exchange_filters = parse_filters(content.get("exchangeFilters") or ())
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}, exchangeFilters: {error}") from error
    return Listing(tuple(symbols), tuple(exchange_filters.values()))


def changed(rules: SymbolRules, *, status: str | None = None, filters: Any = None) -> SymbolRules:
    """The same symbol with another status, and with filters that replace those of their type.

    ValueError says what is wrong with them.
    """
    if status is not None and status not in STATUSES:
        raise ValueError(f"status {status!r} is none of {', '.join(STATUSES)}")
    given = [] if filters is None else filters
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise ValueError("filters must be a list of whole filters, as exchangeInfo shows them")
    merged = {**rules.filters, **parse_filters(given)}
    return replace(
        rules,
        filters=merged,
        tick=_size(merged, "PRICE_FILTER", "tickSize"),
        step=_size(merged, "LOT_SIZE", "stepSize"),
        status=rules.status if status is None else status,
    )


def _size(filters: Mapping[str, Filter], name: str, field: str) -> int:
    """A size of 0, or without its filter, is the smallest unit."""
    return (parse_amount(filters[name][field]) if name in filters else 0) or 1


def symbol_reply(rules: SymbolRules, *, with_permission_sets: bool) -> dict[str, Any]:
    """One entry of exchangeInfo's ``symbols``."""
    entry = dict(rules.info)
    entry["status"] = rules.status
    entry["filters"] = list(rules.filters.values())
    if not with_permission_sets:
        entry["permissionSets"] = []
    return entry


def _entry(given: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with today's fields in their documented order."""
    return {
        "symbol": given["symbol"],
        "status": given["status"],
        "baseAsset": given["baseAsset"],
        "baseAssetPrecision": given["baseAssetPrecision"],
        "quoteAsset": given["quoteAsset"],
        "quotePrecision": given["quotePrecision"],
        "quoteAssetPrecision": given["quoteAssetPrecision"],
        "baseCommissionPrecision": given["baseCommissionPrecision"],
        "quoteCommissionPrecision": given["quoteCommissionPrecision"],
        "orderTypes": list(given["orderTypes"]),
        "icebergAllowed": given["icebergAllowed"],
        "ocoAllowed": given["ocoAllowed"],
        "otoAllowed": given["otoAllowed"],
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": given["quoteOrderQtyMarketAllowed"],
        "allowTrailingStop": given["allowTrailingStop"],
        "cancelReplaceAllowed": given["cancelReplaceAllowed"],
        "amendAllowed": given["amendAllowed"],
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": given["isSpotTradingAllowed"],
        "isMarginTradingAllowed": given["isMarginTradingAllowed"],
        "filters": list(given["filters"]),
        "permissions": [],
        "permissionSets": [list(one_of) for one_of in given["permissionSets"]],
        "defaultSelfTradePreventionMode": given["defaultSelfTradePreventionMode"],
        "allowedSelfTradePreventionModes": list(given["allowedSelfTradePreventionModes"]),
    }
