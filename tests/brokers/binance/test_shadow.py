"""contract.md, "Modes": the venue validates, the book fills, nothing is placed."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.orders.outcome import draft
from otonom_trader.brokers.binance.orders.replies import Asked
from otonom_trader.brokers.binance.shadow import BinanceShadow, expected_result
from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.market import Book, Level
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState, OrderStatus, Side
from otonom_trader.domain.symbol import Symbol
from tests.brokers.binance.conftest import (
    API_KEY,
    API_SECRET,
    StubVenue,
    answer,
    never_answer,
    queried_order,
    refuse,
)

BOOK: dict[str, Any] = {
    "lastUpdateId": 1,
    "bids": [["99.00000000", "1.00000000"], ["98.00000000", "2.00000000"]],
    "asks": [["100.00000000", "1.00000000"], ["101.00000000", "2.00000000"]],
}


@pytest.fixture
async def shadow(venue: StubVenue) -> AsyncIterator[BinanceShadow]:
    venue.on("GET", "/api/v3/depth", answer(200, BOOK))
    async with BinanceShadow(API_KEY, API_SECRET, venue.url, timeout_seconds=0.5) as shadow:
        yield shadow


def order(side: str, qty: str, price: str | None = None, tif: str | None = None) -> OrderRequest:
    kind = "LIMIT" if tif else "MARKET"
    return OrderRequest("BTCUSDT", side, qty, price, kind, tif, client_order_id="mine-1")


async def test_a_buy_is_validated_and_filled_on_the_book(
    shadow: BinanceShadow, venue: StubVenue
) -> None:
    result = await shadow.place_order(order("BUY", "2.5"))
    assert (result.state, result.status) == (OrderState.ACCEPTED, OrderStatus.FILLED)
    assert (result.order_id, result.client_order_id) == ("test:mine-1", "mine-1")
    assert result.quote_qty == Decimal("251.5")
    assert [(fill.trade_id, fill.price, fill.qty) for fill in result.fills] == [
        ("expected:mine-1:1", Decimal(100), Decimal(1)),
        ("expected:mine-1:2", Decimal(101), Decimal("1.5")),
    ]
    # Taker 0.1 % and buyer 0 % of the base received.
    assert [(fill.fee, fill.fee_asset) for fill in result.fills] == [
        (Decimal("0.001"), "BTC"),
        (Decimal("0.0015"), "BTC"),
    ]
    assert result.stages_ns["sign_to_ack"] > 0
    assert result.signed_at_ms is not None
    validated = venue.seen("POST", "/api/v3/order/test")
    assert [request.is_well_signed for request in validated] == [True]
    assert venue.orders == []


async def test_a_sell_pays_its_fee_in_the_quote(shadow: BinanceShadow) -> None:
    result = await shadow.place_order(order("SELL", "1"))
    # Taker 0.1 % and seller 0.02 % of 99 quote.
    assert [(fill.fee, fill.fee_asset) for fill in result.fills] == [(Decimal("0.1188"), "USDT")]


@pytest.mark.parametrize(
    ("asked", "status", "filled"),
    [
        (order("BUY", "1", "100", "IOC"), OrderStatus.FILLED, "1"),
        (order("BUY", "2", "100", "IOC"), OrderStatus.EXPIRED, "1"),
        (order("BUY", "2", "99.99", "IOC"), OrderStatus.EXPIRED, "0"),
        (order("BUY", "2", "100", "FOK"), OrderStatus.EXPIRED, "0"),
        (order("BUY", "2", "101", "FOK"), OrderStatus.FILLED, "2"),
        (order("BUY", "2", "100", "GTC"), OrderStatus.PARTIALLY_FILLED, "1"),
        (order("BUY", "2", "99", "GTC"), OrderStatus.NEW, "0"),
        (order("SELL", "2", "98.5", "IOC"), OrderStatus.EXPIRED, "1"),
        (order("BUY", "50"), OrderStatus.EXPIRED, "3"),
    ],
)
async def test_the_expected_fill_keeps_limit_and_time_in_force(
    shadow: BinanceShadow, asked: OrderRequest, status: OrderStatus, filled: str
) -> None:
    result = await shadow.place_order(asked)
    assert result.ok
    assert result.status is status
    assert result.filled_qty == Decimal(filled) == sum(fill.qty for fill in result.fills)


async def test_the_book_is_read_after_the_acknowledgement(
    shadow: BinanceShadow, venue: StubVenue
) -> None:
    await shadow.place_order(order("BUY", "1"))
    assert [request.path for request in venue.requests][-2:] == [
        "/api/v3/order/test",
        "/api/v3/depth",
    ]


async def test_a_book_that_ends_too_early_is_read_to_its_end(venue: StubVenue) -> None:
    deeper = BOOK | {"asks": [*BOOK["asks"], ["102.00000000", "5.00000000"]]}
    venue.then("GET", "/api/v3/depth", answer(200, BOOK), answer(200, deeper))
    async with BinanceShadow(API_KEY, API_SECRET, venue.url, depth_limit=2) as shadow:
        result = await shadow.place_order(order("BUY", "4"))
    assert result.status is OrderStatus.FILLED
    limits = [request.params["limit"] for request in venue.seen("GET", "/api/v3/depth")]
    assert limits == ["2", "5000"]


async def test_a_refusal_of_the_validation_is_a_rejection(
    shadow: BinanceShadow, venue: StubVenue
) -> None:
    venue.on("POST", "/api/v3/order/test", refuse(400, -1013, "Filter failure: NOTIONAL"))
    result = await shadow.place_order(order("BUY", "1"))
    assert (result.state, result.code) == (OrderState.REJECTED, "filter_failure")
    assert result.message == (
        "Failed to place Binance order: HTTP 400 Bad Request (-1013 Filter failure: NOTIONAL)"
    )
    assert result.fills == ()


async def test_a_validation_without_an_answer_stays_unknown_without_a_fence(
    shadow: BinanceShadow, venue: StubVenue
) -> None:
    venue.on("POST", "/api/v3/order/test", never_answer)
    result = await shadow.place_order(order("BUY", "1"))
    assert result.state is OrderState.UNKNOWN
    assert shadow.unknown_fence_seconds == 0
    assert await shadow.find_order("BTCUSDT", "mine-1") is None


async def test_without_a_book_no_fill_is_made_up(shadow: BinanceShadow, venue: StubVenue) -> None:
    venue.on("GET", "/api/v3/depth", answer(503, b""))
    result = await shadow.place_order(order("BUY", "1"))
    assert (result.state, result.code) == (OrderState.UNKNOWN, "no_book")
    assert result.filled_qty == 0


async def test_an_order_that_breaks_a_filter_is_not_even_validated(
    shadow: BinanceShadow, venue: StubVenue
) -> None:
    result = await shadow.place_order(order("BUY", "0.0000123"))
    assert (result.state, result.code) == (OrderState.REJECTED, "filter_failure")
    assert venue.seen("POST", "/api/v3/order/test") == []


async def test_without_fee_rates_nothing_is_validated(
    shadow: BinanceShadow, venue: StubVenue
) -> None:
    venue.on("GET", "/api/v3/account", refuse(401, -2015, "Invalid API-key."))
    result = await shadow.place_order(order("BUY", "1"))
    assert result.state is OrderState.NOT_SENT
    assert "-2015 Invalid API-key." in result.message
    assert venue.seen("POST", "/api/v3/order/test") == []


async def test_a_shadow_cancels_nothing(shadow: BinanceShadow, venue: StubVenue) -> None:
    result = await shadow.cancel_order("mine-1", "BTCUSDT")
    assert (result.state, result.code) == (OrderState.NOT_SENT, "shadow")
    assert venue.requests == []


async def test_a_shadow_sees_the_real_accounts_orders_under_a_key_of_its_own(
    shadow: BinanceShadow, venue: StubVenue
) -> None:
    venue.on("GET", "/api/v3/openOrders", answer(200, [queried_order()]))
    assert [found.order_id for found in await shadow.get_open_orders()] == ["28"]
    port = venue.url.rpartition(":")[2]
    key = AccountKey("shadow", f"127.0.0.1:{port}", "354937868")
    assert await shadow.get_account_key() == key


levels = st.lists(
    st.tuples(st.integers(1, 50), st.integers(1, 20)),
    min_size=0,
    max_size=6,
    unique_by=lambda x: x[0],
)


def expect(asked: OrderRequest, book: Book) -> OrderResult:
    known = draft(Asked("BTCUSDT", "mine-1", asked))
    walk = book.walk(asked.side, asked.qty, asked.limit_price)
    rate = Decimal("0.001")
    return expected_result(known, asked, Symbol("BTC", "USDT"), walk, rate, SystemClock().now())


@given(
    asks=levels,
    qty=st.integers(1, 60),
    limit=st.none() | st.integers(1, 60),
    tif=st.sampled_from(["GTC", "IOC", "FOK"]),
)
def test_an_expected_fill_never_exceeds_order_book_or_limit(
    asks: list[tuple[int, int]], qty: int, limit: int | None, tif: str
) -> None:
    book = Book((), tuple(Level(Decimal(p), Decimal(q)) for p, q in sorted(asks)))
    asked = order("BUY", str(qty), None if limit is None else str(limit), tif if limit else None)
    result = expect(asked, book)
    assert result.filled_qty == sum(fill.qty for fill in result.fills) <= qty
    assert result.quote_qty == sum(fill.quote_qty for fill in result.fills)
    assert result.filled_qty <= sum(q for p, q in asks if limit is None or p <= limit)
    assert all(limit is None or fill.price <= limit for fill in result.fills)
    assert all(fill.fee == fill.qty * Decimal("0.001") for fill in result.fills)
    assert (result.status is OrderStatus.FILLED) == (result.filled_qty == qty)
    if asked.time_in_force == "FOK":
        assert result.filled_qty in (0, qty)
    assert result.side is Side.BUY
