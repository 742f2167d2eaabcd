"""The symbols of a venue that is given no exchangeInfo file."""

from dataclasses import replace
from typing import Any, Final

from otonom_trader.testnet.amounts import format_amount, parse_amount
from otonom_trader.testnet.exchange_info import (
    DEFAULT_STP_MODE,
    ORDER_TYPES,
    STP_MODES,
    Filter,
    Listing,
    SymbolRules,
    parse_symbol,
)
from otonom_trader.testnet.reference_price import PriceRange


def _eight(text: str) -> str:
    return format_amount(parse_amount(text))


def _filters(
    tick: str, step: str, max_qty: str, max_market_qty: str, min_notional: str
) -> list[Filter]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": _eight(tick),
            "maxPrice": "1000000.00000000",
            "tickSize": _eight(tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": _eight(step),
            "maxQty": _eight(max_qty),
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
            "minNotional": _eight(min_notional),
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


def spot_symbol(
    base: str,
    quote: str,
    *,
    tick: str,
    step: str,
    max_market_qty: str,
    first_price: str,
    max_qty: str = "9000",
    min_notional: str = "5",
) -> SymbolRules:
    """A symbol with today's usual set of filters; numbers are decimal texts."""
    entry: dict[str, Any] = {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ORDER_TYPES,
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(tick, step, max_qty, max_market_qty, min_notional),
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": DEFAULT_STP_MODE,
        "allowedSelfTradePreventionModes": STP_MODES,
    }
    return parse_symbol(entry, first_price=parse_amount(first_price))


BUILT_IN: Final = (
    replace(
        spot_symbol(
            "BTC", "USDT", tick="0.01", step="0.00001", max_market_qty="120", first_price="60000"
        ),
        price_range=PriceRange(bid_up="5", bid_down="0.2", ask_up="5", ask_down="0.2"),
        # Ten seconds, as in the documentation's example.
        reference_buckets=(10, 1000),
    ),
    spot_symbol(
        "ETH", "USDT", tick="0.01", step="0.0001", max_market_qty="2400", first_price="3000"
    ),
)
LISTING: Final = Listing(BUILT_IN)

# What production recordings are at hand of; tick and lot sizes are those of the recorded day.
RECORDED: Final = (
    spot_symbol(
        *("NKN", "USDT"),
        tick="0.0001",
        step="1",
        max_market_qty="300000",
        first_price="0.35",
        max_qty="9000000",
    ),
    spot_symbol(
        *("BLZ", "ETH"),
        tick="0.00000001",
        step="1",
        max_market_qty="300000",
        first_price="0.000066",
        max_qty="9000000",
        min_notional="0.005",
    ),
    spot_symbol(
        *("LRC", "BTC"),
        tick="0.00000001",
        step="1",
        max_market_qty="300000",
        first_price="0.0000064",
        max_qty="9000000",
        min_notional="0.0001",
    ),
    spot_symbol(
        *("RUNE", "EUR"),
        tick="0.001",
        step="0.1",
        max_market_qty="10000",
        first_price="6.25",
        max_qty="90000",
    ),
)
RECORDED_LISTING: Final = Listing((*BUILT_IN, *RECORDED))
