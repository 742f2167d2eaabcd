"""What is read beside a book, how often, and what an order that leaves then knows."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.market_data import BinanceMarketData
from otonom_trader.brokers.binance.rules.context import UNKNOWN, Context
from otonom_trader.domain.errors import OutcomeUnknown
from otonom_trader.domain.market import PriceLimits, PriceRange
from otonom_trader.domain.order import OrderRequest, OrderState
from tests.brokers.binance.conftest import (
    API_KEY,
    API_SECRET,
    BTCUSDT,
    Handler,
    SteppedClock,
    StubVenue,
    answer,
    never_answer,
    refuse,
)

REFERENCE = "/api/v3/referencePrice"
AVERAGE = "/api/v3/avgPrice"
LAST = "/api/v3/ticker/price"
RANGES = "/api/v3/executionRules"
READ = (REFERENCE, AVERAGE, LAST, RANGES)
PERCENT = {
    "filterType": "PERCENT_PRICE_BY_SIDE",
    "bidMultiplierUp": "1.2",
    "bidMultiplierDown": "0.2",
    "askMultiplierUp": "5",
    "askMultiplierDown": "0.8",
    "avgPriceMins": 5,
}
NO_REFERENCE = refuse(400, -2043, "This symbol doesn't have a reference price.")


def reference(price: str | None) -> Handler:
    return answer(200, {"symbol": "BTCUSDT", "referencePrice": price, "timestamp": 1})


def ranges(*rules: dict[str, str]) -> Handler:
    return answer(200, {"symbolRules": [{"symbol": "BTCUSDT", "rules": rules}]})


def list_with(venue: StubVenue, *filters: dict[str, Any]) -> None:
    listed = BTCUSDT | {"filters": [*BTCUSDT["filters"][:3], *filters]}
    info = {"rateLimits": [], "exchangeFilters": [], "symbols": [listed]}
    venue.on("GET", "/api/v3/exchangeInfo", answer(200, info))


@pytest.fixture
def priced(venue: StubVenue) -> StubVenue:
    """A venue with a filter that compares, a book, and all prices."""
    list_with(venue, PERCENT)
    depth = {"lastUpdateId": 1, "bids": [["99", "1"]], "asks": [["101", "1"]]}
    venue.on("GET", "/api/v3/depth", answer(200, depth))
    venue.on("GET", REFERENCE, reference("100.00"))
    venue.on("GET", AVERAGE, answer(200, {"mins": 5, "price": "90.0", "closeTime": 1}))
    venue.on("GET", LAST, answer(200, {"symbol": "BTCUSDT", "price": "80.0"}))
    venue.on("GET", RANGES, answer(200, {"symbolRules": []}))
    return venue


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def data(priced: StubVenue, clock: SteppedClock) -> AsyncIterator[BinanceMarketData]:
    async with BinanceMarketData(priced.url, clock=clock) as opened:
        yield opened


def asked(venue: StubVenue) -> list[int]:
    """How often each of `READ` was asked for."""
    return [len(venue.seen("GET", path)) for path in READ]


async def context(data: BinanceMarketData) -> Context:
    return data._prices.context(await data._listing.rules("BTCUSDT"))


async def test_a_symbol_whose_filters_compare_with_nothing_is_asked_nothing(
    priced: StubVenue, data: BinanceMarketData
) -> None:
    list_with(priced, BTCUSDT["filters"][3])
    assert (await data.get_market("BTCUSDT")).limits is None
    assert asked(priced) == [0, 0, 0, 0]
    assert await context(data) == UNKNOWN


async def test_prices_are_read_beside_the_book_and_again_after_seconds(
    priced: StubVenue, data: BinanceMarketData, clock: SteppedClock
) -> None:
    await data.get_instrument("BTCUSDT")
    assert asked(priced) == [0, 0, 0, 0]
    await data.get_market("BTC-USDT")
    known = await context(data)
    assert (known.reference_price, known.drift) == (Decimal(100), Decimal("0.05"))
    # Whether there is a reference price was not known before: once the average too.
    assert asked(priced) == [1, 1, 0, 1]
    await data.get_market("BTCUSDT")
    clock.advance(4.9)
    await data.get_market("BTCUSDT")
    assert asked(priced) == [1, 1, 0, 1]
    clock.advance(0.2)
    await data.get_market("BTCUSDT")
    assert asked(priced) == [2, 1, 0, 1]
    assert [request.params for request in priced.seen("GET", REFERENCE)] == [
        {"symbol": "BTCUSDT"},
        {"symbol": "BTCUSDT"},
    ]


async def test_a_price_that_is_too_old_is_not_known(
    data: BinanceMarketData, clock: SteppedClock
) -> None:
    await data.get_market("BTCUSDT")
    clock.advance(9.9)
    assert (await context(data)).reference_price == 100
    clock.advance(0.2)
    assert (await context(data)).reference_price is None


async def test_that_a_symbol_has_no_reference_price_is_remembered(
    priced: StubVenue, data: BinanceMarketData, clock: SteppedClock
) -> None:
    priced.on("GET", REFERENCE, NO_REFERENCE)
    await data.get_market("BTCUSDT")
    known = await context(data)
    assert (known.reference_price, known.average_price) == (Decimal(0), Decimal(90))
    assert known.average_mins == 5
    for _ in range(9):
        clock.advance(6)
        await data.get_market("BTCUSDT")
    # The price range rule is off without one, and not asked for again.
    assert asked(priced) == [1, 10, 0, 1]
    clock.advance(7)
    await data.get_market("BTCUSDT")
    assert asked(priced)[0] == 2


async def test_a_reference_price_that_is_null_gives_way_for_as_long(
    priced: StubVenue, data: BinanceMarketData, clock: SteppedClock
) -> None:
    priced.on("GET", REFERENCE, reference(None))
    await data.get_market("BTCUSDT")
    assert (await context(data)).reference_price == 0
    priced.on("GET", REFERENCE, reference("101.5"))
    clock.advance(5.1)
    await data.get_market("BTCUSDT")
    assert (await context(data)).reference_price == Decimal("101.5")


async def test_the_last_price_is_read_where_a_filter_averages_over_no_minutes(
    priced: StubVenue, data: BinanceMarketData
) -> None:
    list_with(priced, PERCENT | {"avgPriceMins": 0})
    priced.on("GET", REFERENCE, NO_REFERENCE)
    await data.get_market("BTCUSDT")
    assert asked(priced) == [1, 0, 1, 1]
    assert (await context(data)).last_price == 80


async def test_a_market_tells_the_prices_at_which_orders_are_taken_and_trade(
    priced: StubVenue, data: BinanceMarketData
) -> None:
    rule = {"ruleType": "PRICE_RANGE", "bidLimitMultUp": "1.05", "askLimitMultDown": "0.95"}
    priced.on("GET", RANGES, ranges(rule))
    assert (await data.get_market("BTCUSDT")).limits == PriceLimits(
        buy=PriceRange(Decimal(20), Decimal(105)), sell=PriceRange(Decimal(95), Decimal(500))
    )


async def test_the_price_range_rule_is_kept_as_long_as_the_listing(
    priced: StubVenue, data: BinanceMarketData, clock: SteppedClock
) -> None:
    for seconds in (0, 3_599, 2):
        clock.advance(seconds)
        await data.get_market("BTCUSDT")
    assert asked(priced)[3] == 2


@pytest.mark.parametrize(
    "failure",
    [
        answer(503, b""),
        answer(200, b"{}"),
        answer(200, {"symbol": "ETHUSDT", "referencePrice": "1", "timestamp": 1}),
        answer(200, {"symbol": "BTCUSDT", "referencePrice": "NaN", "timestamp": 1}),
        refuse(400, -1121, "Invalid symbol."),
    ],
)
async def test_what_cannot_be_read_is_not_known_and_asked_for_later(
    priced: StubVenue, data: BinanceMarketData, clock: SteppedClock, failure: Handler
) -> None:
    priced.on("GET", REFERENCE, failure)
    market = await data.get_market("BTCUSDT")
    assert market.mark == 100
    assert market.limits is None
    assert (await context(data)).reference_price is None
    await data.get_market("BTCUSDT")
    assert asked(priced)[0] == 1
    priced.on("GET", REFERENCE, reference("100"))
    clock.advance(10.1)
    assert (await data.get_market("BTCUSDT")).limits is not None


async def test_a_failure_leaves_what_is_known_until_it_is_too_old(
    priced: StubVenue, data: BinanceMarketData, clock: SteppedClock
) -> None:
    await data.get_market("BTCUSDT")
    priced.on("GET", REFERENCE, answer(503, b""))
    clock.advance(6)
    await data.get_market("BTCUSDT")
    assert (await context(data)).reference_price == 100
    clock.advance(4.1)
    assert (await context(data)).reference_price is None


async def test_a_price_that_does_not_come_holds_up_a_book_no_longer_than_a_second(
    priced: StubVenue, data: BinanceMarketData, clock: SteppedClock
) -> None:
    priced.on("GET", REFERENCE, never_answer)
    async with asyncio.timeout(3):
        assert (await data.get_market("BTCUSDT")).mark == 100
    assert (await context(data)).reference_price is None


async def test_a_book_that_cannot_be_read_fails_as_it_did(
    priced: StubVenue, data: BinanceMarketData
) -> None:
    priced.on("GET", "/api/v3/depth", answer(503, b""))
    with pytest.raises(OutcomeUnknown, match="/api/v3/depth"):
        await data.get_market("BTCUSDT")
    assert (await context(data)).reference_price == 100


async def test_who_asks_at_the_same_time_does_not_ask_twice(
    priced: StubVenue, data: BinanceMarketData
) -> None:
    markets = await asyncio.gather(*(data.get_market("BTCUSDT") for _ in range(5)))
    assert asked(priced) == [1, 1, 0, 1]
    assert all(market.limits for market in markets)


async def test_a_reading_that_is_cancelled_can_be_done_again(
    priced: StubVenue, data: BinanceMarketData, clock: SteppedClock
) -> None:
    priced.on("GET", REFERENCE, never_answer)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await data.get_market("BTCUSDT")
    assert asked(priced)[0] == 1
    priced.on("GET", REFERENCE, reference("100"))
    clock.advance(10.1)
    await data.get_market("BTCUSDT")
    assert (await context(data)).reference_price == 100


def limit(side: str, price: str) -> OrderRequest:
    return OrderRequest("BTCUSDT", side, "1", price, "LIMIT")


async def test_an_order_leaves_without_asking_and_knows_what_was_read_before(
    priced: StubVenue, clock: SteppedClock
) -> None:
    async with BinanceBroker(API_KEY, API_SECRET, priced.url, clock=clock) as broker:
        # Nothing was read: the venue is the judge.
        assert (await broker.place_order(limit("BUY", "500"))).ok
        assert asked(priced) == [0, 0, 0, 0]
        await broker.get_market("BTCUSDT")
        before = asked(priced)
        refused = await broker.place_order(limit("BUY", "500"))
        assert (refused.state, refused.code) == (OrderState.REJECTED, "filter_failure")
        assert "PERCENT_PRICE_BY_SIDE; price 500 is above the maximum 126" in refused.message
        # 120 is the maximum at 100, and the price may have moved by 5 % since.
        assert (await broker.place_order(limit("BUY", "125.99"))).ok
        assert (await broker.place_order(limit("SELL", "76"))).ok
        assert asked(priced) == before
        clock.advance(10.1)
        assert (await broker.place_order(limit("BUY", "500"))).ok
        assert asked(priced) == before
        assert len(priced.orders) == 4


async def test_a_refusal_by_a_filter_forgets_the_prices_with_the_rules(
    priced: StubVenue, clock: SteppedClock
) -> None:
    async with BinanceBroker(API_KEY, API_SECRET, priced.url, clock=clock) as broker:
        await broker.get_market("BTCUSDT")
        priced.order_answers(refuse(400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"))
        await broker.place_order(limit("BUY", "110"))
        await broker.get_market("BTCUSDT")
    assert len(priced.seen("GET", "/api/v3/exchangeInfo")) == 2
    assert asked(priced) == [2, 2, 0, 2]


async def test_while_it_runs_nobody_waits_for_what_is_known(
    priced: StubVenue, data: BinanceMarketData, clock: SteppedClock
) -> None:
    prices = data._prices
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(prices.run())
        await data.get_market("BTCUSDT")
        assert asked(priced) == [1, 1, 0, 1]
        # What is due is read without anybody asking, and not waited for.
        clock.advance(5.1)
        async with asyncio.timeout(3):
            while asked(priced)[0] < 2:
                await clock.sleep(0.05)
        priced.on("GET", REFERENCE, never_answer)
        clock.advance(5.1)
        async with asyncio.timeout(0.5):
            await data.get_market("BTCUSDT")
        assert (await context(data)).reference_price == 100
        running.cancel()


async def test_what_nobody_has_wanted_for_a_minute_is_not_read_any_more(
    priced: StubVenue, data: BinanceMarketData, clock: SteppedClock
) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(data._prices.run())
        await clock.sleep(0)
        await data.get_market("BTCUSDT")
        clock.advance(61)
        await clock.sleep(1.2)
        assert asked(priced) == [1, 1, 0, 1]
        running.cancel()
