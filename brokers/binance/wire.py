"""Binance's replies as they are on the wire: only what is read, and all of that is mandatory.

Amounts stay texts here and become ``Decimal`` in `number` alone.
"""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from otonom_trader.brokers.binance.errors import Reply, Unreadable
from otonom_trader.brokers.binance.usage import RateLimit
from otonom_trader.domain.order import OrderStatus, Side

NO_LIST: Final = -1
"""The list's id of an order that is of no list."""

_T = TypeVar("_T")
_NUMBER: Final = re.compile(r"-?\d{1,20}(\.\d{1,18})?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_999  # the end of the year 9999


class _Wire(msgspec.Struct, rename="camel", gc=False):
    """A message: unknown fields are ignored, missing ones an error."""


class ServerTime(_Wire):
    """GET /api/v3/time."""

    server_time: int


class SymbolInfo(_Wire):
    """One symbol of GET /api/v3/exchangeInfo."""

    symbol: str
    status: str
    base_asset: str
    base_asset_precision: int
    quote_asset: str
    quote_asset_precision: int
    order_types: list[str]
    oco_allowed: bool
    iceberg_allowed: bool
    allow_trailing_stop: bool
    is_spot_trading_allowed: bool
    filters: list[dict[str, Any]]


class ExchangeInfo(_Wire):
    """GET /api/v3/exchangeInfo."""

    rate_limits: list[RateLimit]
    exchange_filters: list[dict[str, Any]]
    symbols: list[SymbolInfo]


class Depth(_Wire):
    """GET /api/v3/depth."""

    last_update_id: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class BookTicker(_Wire):
    """One row of GET /api/v3/ticker/bookTicker."""

    symbol: str
    bid_price: str
    ask_price: str


class TickerPrice(_Wire):
    """GET /api/v3/ticker/price of one symbol: its last price."""

    symbol: str
    price: str


class AveragePrice(_Wire):
    """GET /api/v3/avgPrice: weighted by volume over so many minutes."""

    mins: int
    price: str


class ReferencePrice(_Wire):
    """GET /api/v3/referencePrice: null where there is none at present."""

    symbol: str
    reference_price: str | None


class ExecutionRule(_Wire):
    """One rule of a symbol; which fields it has depends on its type."""

    rule_type: str
    bid_limit_mult_up: str | None = None
    bid_limit_mult_down: str | None = None
    ask_limit_mult_up: str | None = None
    ask_limit_mult_down: str | None = None


class SymbolRules(_Wire):
    """One symbol of GET /api/v3/executionRules."""

    symbol: str
    rules: list[ExecutionRule]


class ExecutionRules(_Wire):
    """GET /api/v3/executionRules."""

    symbol_rules: list[SymbolRules]


class CommissionRates(_Wire):
    """Fee rates of an account; a trade pays by its role plus by its side."""

    taker: str
    buyer: str
    seller: str


class AssetBalance(_Wire):
    """One balance of an account."""

    asset: str
    free: str
    locked: str


class Account(_Wire):
    """GET /api/v3/account."""

    uid: int
    update_time: int
    commission_rates: CommissionRates
    balances: list[AssetBalance]


class KeyRestrictions(_Wire):
    """GET /sapi/v1/account/apiRestrictions."""

    ip_restrict: bool
    enable_withdrawals: bool
    enable_internal_transfer: bool
    permits_universal_transfer: bool


class Order(_Wire, kw_only=True):
    """What every reply about an order tells; the last where the order has them.

    `order_list_id` is `NO_LIST` for one that is of none.
    """

    symbol: str
    order_id: int
    client_order_id: str
    price: str
    orig_qty: str
    executed_qty: str
    cummulative_quote_qty: str
    status: OrderStatus
    type: str
    side: Side
    stop_price: str | None = None
    iceberg_qty: str | None = None
    trailing_delta: int | None = None
    order_list_id: int = NO_LIST


class OrderFill(_Wire):
    """One fill of a placed order."""

    price: str
    qty: str
    commission: str
    commission_asset: str
    trade_id: int


class PlacedOrder(Order):
    """POST /api/v3/order with newOrderRespType=FULL."""

    transact_time: int
    fills: list[OrderFill]


class ReportedOrder(Order):
    """An order in the reply to a list's placement; such orders are not filled at once."""

    transact_time: int
    fills: list[OrderFill] = msgspec.field(default_factory=list)


class PlacedList(_Wire):
    """POST /api/v3/orderList/oco with newOrderRespType=FULL."""

    order_reports: list[ReportedOrder]


class CancelledOrder(Order):
    """DELETE /api/v3/order; `client_order_id` is the cancel's own."""

    orig_client_order_id: str
    transact_time: int


class CancelledList(_Wire):
    """DELETE /api/v3/order of an order that is of a list: all of the list are cancelled."""

    order_reports: list[CancelledOrder]


class QueriedOrder(Order):
    """GET /api/v3/order, and one row of GET /api/v3/openOrders."""

    update_time: int
    stop_price: str
    iceberg_qty: str


class Trade(_Wire):
    """One row of GET /api/v3/myTrades."""

    symbol: str
    id: int
    order_id: int
    price: str
    qty: str
    quote_qty: str
    commission: str
    commission_asset: str
    time: int
    is_maker: bool


@lru_cache(maxsize=1024)
def number(text: str) -> Decimal:
    """Return an amount from the wire; raises `Unreadable` for all but plain decimals."""
    # A reply tells most of its amounts more than once, and the next reply the same again.
    if not _NUMBER.fullmatch(text):
        raise Unreadable(f"Binance sent {text[:40]!r} where a number belongs")
    return Decimal(text)


def numbers(texts: Collection[str]) -> list[Decimal]:
    """Return `number` of each, in a third less time: books have hundreds of them."""
    if not all(map(_NUMBER.fullmatch, texts)):
        return [number(text) for text in texts]  # names the first that is none
    return list(map(Decimal, texts))


def moment(epoch_ms: int) -> datetime:
    """Return a time from the wire, aware, in UTC; raises `Unreadable` outside of all years."""
    if not 0 <= epoch_ms <= _LAST_MS:
        raise Unreadable(f"Binance sent {epoch_ms!r:.40} where a time belongs")
    seconds, ms = divmod(epoch_ms, 1000)
    return _EPOCH + timedelta(0, seconds, ms * 1000)


def read(decoder: msgspec.json.Decoder[_T], reply: Reply) -> _T:
    """Return the body of an answer; raises `Unreadable` when it is not what the venue documents."""
    try:
        return decoder.decode(reply.body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unreadable(
            f"{reply.request} was answered HTTP {reply.status} with an unreadable body: "
            f"{str(error)[:200]}",
            status=reply.status,
            raw=reply.text,
        ) from None
