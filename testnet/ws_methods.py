"""Which endpoint answers which method of the WebSocket API: the same that answers REST.

A method that is not here is refused by name.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from otonom_trader.testnet import reference_data, replacing
from otonom_trader.testnet.call import Call, Route
from otonom_trader.testnet.routes import ROUTES

_TWINS: Final = {
    "ping": "GET /api/v3/ping",
    "time": "GET /api/v3/time",
    "executionRules": "GET /api/v3/executionRules",
    "depth": "GET /api/v3/depth",
    "trades.recent": "GET /api/v3/trades",
    "trades.historical": "GET /api/v3/historicalTrades",
    "blockTrades.historical": "GET /api/v3/historicalBlockTrades",
    "trades.aggregate": "GET /api/v3/aggTrades",
    "klines": "GET /api/v3/klines",
    "uiKlines": "GET /api/v3/uiKlines",
    "avgPrice": "GET /api/v3/avgPrice",
    "ticker": "GET /api/v3/ticker",
    "ticker.24hr": "GET /api/v3/ticker/24hr",
    "ticker.tradingDay": "GET /api/v3/ticker/tradingDay",
    "ticker.price": "GET /api/v3/ticker/price",
    "ticker.book": "GET /api/v3/ticker/bookTicker",
    "referencePrice": "GET /api/v3/referencePrice",
    "referencePrice.calculation": "GET /api/v3/referencePrice/calculation",
    "sor.order.place": "POST /api/v3/sor/order",
    "sor.order.test": "POST /api/v3/sor/order/test",
    "order.place": "POST /api/v3/order",
    "order.test": "POST /api/v3/order/test",
    "order.status": "GET /api/v3/order",
    "order.cancel": "DELETE /api/v3/order",
    "order.cancelReplace": "POST /api/v3/order/cancelReplace",
    "order.amend.keepPriority": "PUT /api/v3/order/amend/keepPriority",
    "order.amendments": "GET /api/v3/order/amendments",
    "openOrders.status": "GET /api/v3/openOrders",
    "openOrders.cancelAll": "DELETE /api/v3/openOrders",
    "allOrders": "GET /api/v3/allOrders",
    "orderList.place.oco": "POST /api/v3/orderList/oco",
    "orderList.place.oto": "POST /api/v3/orderList/oto",
    "orderList.place.otoco": "POST /api/v3/orderList/otoco",
    "orderList.place.opo": "POST /api/v3/orderList/opo",
    "orderList.place.opoco": "POST /api/v3/orderList/opoco",
    "orderList.cancel": "DELETE /api/v3/orderList",
    "orderList.status": "GET /api/v3/orderList",
    "openOrderLists.status": "GET /api/v3/openOrderList",
    "allOrderLists": "GET /api/v3/allOrderList",
    "account.status": "GET /api/v3/account",
    "account.commission": "GET /api/v3/account/commission",
    "account.rateLimits.orders": "GET /api/v3/rateLimit/order",
    "myTrades": "GET /api/v3/myTrades",
    "myPreventedMatches": "GET /api/v3/myPreventedMatches",
    "myAllocations": "GET /api/v3/myAllocations",
    "myFilters": "GET /api/v3/myFilters",
}

COUNTING_ORDERS: Final = frozenset(
    {
        "order.place",
        "order.cancelReplace",
        "orderList.place.oco",
        "orderList.place.oto",
        "orderList.place.otoco",
    }
)
"""Their responses show the ORDERS limits too."""


def _exchange_info(call: Call) -> Any:
    """REST's, but for the limit that only this door has."""
    content = reference_data.exchange_info(call)
    limits = content["rateLimits"]
    content["rateLimits"] = [
        entry for entry in limits if entry["rateLimitType"] != "RAW_REQUESTS"
    ] + [
        {
            "rateLimitType": "CONNECTIONS",
            "interval": "MINUTE",
            "intervalNum": 5,
            "limit": call.limits.limits.connections_per_5_minutes,
        }
    ]
    return content


def _served() -> dict[str, Route]:
    methods = {
        method: ROUTES[http, path]
        for method, twin in _TWINS.items()
        for http, _, path in (twin.partition(" "),)
    }
    info = ROUTES["GET", "/api/v3/exchangeInfo"]
    replacement = methods["order.cancelReplace"]
    return methods | {
        "exchangeInfo": replace(info, handler=_exchange_info),
        "order.cancelReplace": replace(replacement, handler=replacing.replace_order_over_websocket),
    }


METHODS: Final[Mapping[str, Route]] = _served()
"""Besides these a connection has its own: logging on and user data (``ws_api.py``)."""
