"""The symbols this venue lists, with the rules each order is held to (page "Filters")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from otonom_trader.testnet.amounts import format_amount, parse_amount

Filter = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """One listed symbol. ``filters`` is exactly what exchangeInfo shows, keyed by filterType."""

    symbol: str
    base: str
    quote: str
    filters: Mapping[str, Filter]
    tick: int
    step: int
    first_price: int
    """Where the synthetic market starts; as tick and step in units of 10**-8."""


ORDER_TYPES: Final = ("LIMIT", "LIMIT_MAKER", "MARKET")
"""What is served. The other types exist and are refused with the venue's own text."""

STP_MODES: Final = ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")
DEFAULT_STP_MODE: Final = "EXPIRE_MAKER"


def _eight(text: str) -> str:
    return format_amount(parse_amount(text))


def spot_symbol(
    base: str, quote: str, *, tick: str, step: str, max_market_qty: str, first_price: str
) -> SymbolRules:
    """A symbol with today's usual set of filters; numbers are decimal texts."""
    filters: list[Filter] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": _eight(tick),
            "maxPrice": "1000000.00000000",
            "tickSize": _eight(tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": _eight(step),
            "maxQty": "9000.00000000",
            "stepSize": _eight(step),
        },
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": _eight(max_market_qty),
            "stepSize": "0.00000000",
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]
    return SymbolRules(
        symbol=base + quote,
        base=base,
        quote=quote,
        filters={entry["filterType"]: entry for entry in filters},
        tick=parse_amount(tick),
        step=parse_amount(step),
        first_price=parse_amount(first_price),
    )


BUILT_IN: Final = (
    spot_symbol(
        "BTC", "USDT", tick="0.01", step="0.00001", max_market_qty="120", first_price="60000"
    ),
    spot_symbol(
        "ETH", "USDT", tick="0.01", step="0.0001", max_market_qty="2400", first_price="3000"
    ),
)


def symbol_reply(rules: SymbolRules, *, with_permission_sets: bool) -> dict[str, Any]:
    """One entry of exchangeInfo's ``symbols``. What is not served yet is shown as not allowed."""
    return {
        "symbol": rules.symbol,
        "status": "TRADING",
        "baseAsset": rules.base,
        "baseAssetPrecision": 8,
        "quoteAsset": rules.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": list(rules.filters.values()),
        "permissions": [],
        "permissionSets": [["SPOT"]] if with_permission_sets else [],
        "defaultSelfTradePreventionMode": DEFAULT_STP_MODE,
        "allowedSelfTradePreventionModes": list(STP_MODES),
    }
