"""What each request weighs, and how urgent it is. Source: binance-facts.md, section 3."""

from typing import Final

from otonom_trader.brokers.binance.transport.governor import Lane
from otonom_trader.brokers.binance.transport.signing import Params

TIME: Final = "/api/v3/time"
EXCHANGE_INFO: Final = "/api/v3/exchangeInfo"
DEPTH: Final = "/api/v3/depth"
BOOK_TICKER: Final = "/api/v3/ticker/bookTicker"
TICKER_PRICE: Final = "/api/v3/ticker/price"
AVERAGE_PRICE: Final = "/api/v3/avgPrice"
REFERENCE_PRICE: Final = "/api/v3/referencePrice"
EXECUTION_RULES: Final = "/api/v3/executionRules"
ACCOUNT: Final = "/api/v3/account"
ORDER: Final = "/api/v3/order"
ORDER_LIST_OCO: Final = "/api/v3/orderList/oco"
ORDER_TEST: Final = "/api/v3/order/test"
OPEN_ORDERS: Final = "/api/v3/openOrders"
MY_TRADES: Final = "/api/v3/myTrades"
KEY_RIGHTS: Final = "/sapi/v1/account/apiRestrictions"

PLACE_OR_CANCEL: Final = 1
"""Of placing or cancelling an order; 0 where that succeeds, as the venue's count then says."""
SESSION: Final = 2
"""Of connecting, logging on and subscribing over the WebSocket API."""

_WEIGHTS: Final = {
    TIME: 1,
    EXCHANGE_INFO: 20,
    BOOK_TICKER: 4,
    TICKER_PRICE: 2,
    AVERAGE_PRICE: 2,
    REFERENCE_PRICE: 2,
    EXECUTION_RULES: 2,
    ACCOUNT: 20,
    ORDER: 4,
    ORDER_TEST: 1,
    OPEN_ORDERS: 80,
    MY_TRADES: 20,
    KEY_RIGHTS: 1,
}
# Depth by its most levels.
_DEPTH: Final = ((100, 5), (500, 25), (1_000, 50))
_DEEPEST: Final = 250
# What became of an order, and what must be cancelled, is asked for however little is left.
_URGENT: Final = frozenset({ORDER, OPEN_ORDERS, MY_TRADES})


def weight_of(path: str, params: Params) -> int:
    """Return what a GET of `path` weighs."""
    if path != DEPTH:
        return _WEIGHTS[path]
    levels = next((int(value) for name, value in params if name == "limit"), 100)
    return next((weight for most, weight in _DEPTH if levels <= most), _DEEPEST)


def lane_of(path: str) -> Lane:
    """Return how urgent a GET of `path` is."""
    return Lane.URGENT if path in _URGENT else Lane.ORDINARY
