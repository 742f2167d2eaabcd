"""Every type of order at the local exchange: placed, found, cancelled and triggered."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.orders.replies import Asked, check_found
from otonom_trader.brokers.binance.shadow import BinanceShadow
from otonom_trader.domain.order import (
    OrderRequest,
    OrderResult,
    OrderState,
    OrderStatus,
    OrderType,
)
from otonom_trader.testnet import AccountConfig, LocalTestnet, MarketSpec, TestnetConfig

TRADER = AccountConfig(
    api_key="trader-key",
    api_secret="trader-secret",
    name="trader",
    balances={"USDT": Decimal(1_000_000), "BTC": Decimal(20)},
)
OTHER = replace(TRADER, api_key="other-key", api_secret="other-secret", name="other")


class Market:
    """A venue whose price others move by hand."""

    def __init__(self, venue: LocalTestnet, session: aiohttp.ClientSession) -> None:
        self.venue = venue
        self._session = session

    async def quote(self, side: str, qty: str, price: str, **more: str) -> None:
        """Place an order of another participant."""
        order = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC"}
        body = order | {"quantity": qty, "price": price} | more
        async with self._session.post(f"{self.venue.url}/testnet/orders", json=body) as reply:
            assert reply.status == 200, await reply.text()

    async def trade_at(self, price: str) -> None:
        """Let two others trade: the last price is then `price`."""
        await self.quote("SELL", "0.1", price)
        await self.quote("BUY", "0.1", price, timeInForce="IOC", account="other")


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    config = TestnetConfig(accounts=(TRADER, OTHER), market=MarketSpec("empty"))
    async with LocalTestnet(config) as venue, aiohttp.ClientSession() as session:
        opened = Market(venue, session)
        await opened.trade_at("50000")
        yield opened


@pytest.fixture
async def broker(market: Market) -> AsyncIterator[BinanceBroker]:
    async with BinanceBroker(TRADER.api_key, TRADER.api_secret, market.venue.url) as opened:
        await opened.get_market("BTCUSDT")  # so that all is known that filters compare with
        yield opened


def order(side: str, kind: str, terms: dict[str, Any]) -> OrderRequest:
    return OrderRequest("BTCUSDT", side, "0.02", order_type=kind, client_order_id="mine-1", **terms)


def assert_told(result: OrderResult | None, request: OrderRequest, status: OrderStatus) -> None:
    assert result is not None
    assert (result.state, result.status) == (OrderState.ACCEPTED, status), result.message
    assert result.client_order_id == "mine-1"
    check_found(result, Asked("BTCUSDT", "mine-1", request))


STOPS: list[tuple[str, str, dict[str, Any], str]] = [
    # What is asked for, and the trades that trigger it: above or below the market, at 50000.
    ("BUY", "STOP_LOSS", {"stop_price": "51000"}, "50999.99 51000"),
    ("SELL", "STOP_LOSS", {"stop_price": "49000"}, "49000.01 49000"),
    ("BUY", "TAKE_PROFIT", {"stop_price": "49000"}, "51000 48999.5"),
    ("SELL", "TAKE_PROFIT", {"stop_price": "51000"}, "49000 51000.5"),
    ("BUY", "STOP_LOSS_LIMIT", {"stop_price": "51000", "price": "52000"}, "51000"),
    ("SELL", "STOP_LOSS_LIMIT", {"stop_price": "49000", "price": "48000"}, "49000"),
    ("BUY", "TAKE_PROFIT_LIMIT", {"stop_price": "49000", "price": "50000"}, "49000"),
    (
        *("SELL", "TAKE_PROFIT_LIMIT"),
        {"stop_price": "51000", "price": "50000", "time_in_force": "IOC"},
        "51000",
    ),
    (
        *("SELL", "STOP_LOSS_LIMIT"),
        {"stop_price": "49000", "price": "48000", "iceberg_qty": "0.01"},
        "49000",
    ),
    ("SELL", "STOP_LOSS", {"trailing_delta_bps": 100}, "51000 50490"),
    ("BUY", "STOP_LOSS", {"trailing_delta_bps": 100}, "49000 49490"),
    ("SELL", "STOP_LOSS_LIMIT", {"trailing_delta_bps": 100, "price": "45000"}, "49500"),
    ("SELL", "TAKE_PROFIT", {"stop_price": "51000", "trailing_delta_bps": 100}, "51000 50490"),
]


@pytest.mark.parametrize(("side", "kind", "terms", "trades"), STOPS, ids=str)
async def test_a_stop_is_placed_found_and_triggered(
    broker: BinanceBroker, market: Market, side: str, kind: str, terms: dict[str, Any], trades: str
) -> None:
    request = order(side, kind, terms)
    assert_told(await broker.place_order(request), request, OrderStatus.NEW)
    (working,) = await broker.get_open_orders()
    assert_told(working, request, OrderStatus.NEW)
    *before, trigger = trades.split(" ")
    for price in before:
        await market.trade_at(price)
        assert_told(await broker.find_order("BTCUSDT", "mine-1"), request, OrderStatus.NEW)
    # Somebody is there for it to trade with.
    behind = Decimal(trigger) + (10 if side == "BUY" else -10)
    await market.quote("SELL" if side == "BUY" else "BUY", "0.02", str(behind))
    await market.trade_at(trigger)
    found = await broker.find_order("BTCUSDT", "mine-1")
    assert_told(found, request, OrderStatus.FILLED)
    assert found is not None
    assert {(fill.price, fill.is_maker) for fill in found.fills} == {(behind, False)}


@pytest.mark.parametrize(
    ("side", "kind", "terms"),
    [
        ("BUY", "LIMIT_MAKER", {"price": "49000"}),
        ("SELL", "LIMIT_MAKER", {"price": "51000", "iceberg_qty": "0.005"}),
        ("BUY", "LIMIT", {"price": "49000", "iceberg_qty": "0.005"}),
        *((side, kind, terms) for side, kind, terms, _ in STOPS),
    ],
    ids=str,
)
async def test_an_order_that_waits_is_cancelled_and_found_as_it_was(
    broker: BinanceBroker, side: str, kind: str, terms: dict[str, Any]
) -> None:
    request = order(side, kind, terms)
    assert_told(await broker.place_order(request), request, OrderStatus.NEW)
    assert_told(await broker.cancel_order("mine-1", "BTCUSDT"), request, OrderStatus.CANCELED)
    found = await broker.find_order("BTCUSDT", "mine-1")
    assert_told(found, request, OrderStatus.CANCELED)


async def test_a_limit_maker_rests_and_is_filled_by_who_comes(
    broker: BinanceBroker, market: Market
) -> None:
    request = order("BUY", "LIMIT_MAKER", {"price": "49000"})
    assert_told(await broker.place_order(request), request, OrderStatus.NEW)
    await market.quote("SELL", "0.02", "49000")
    found = await broker.find_order("BTCUSDT", "mine-1")
    assert_told(found, request, OrderStatus.FILLED)
    assert found is not None
    assert [fill.is_maker for fill in found.fills] == [True]


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (order("SELL", "LIMIT_MAKER", {"price": "49000"}), "would immediately match and take"),
        (order("BUY", "STOP_LOSS", {"stop_price": "49000"}), "would trigger immediately"),
    ],
    ids=["LIMIT_MAKER", "STOP_LOSS"],
)
async def test_what_the_market_does_not_let_wait_is_refused_by_the_venue(
    broker: BinanceBroker, market: Market, request_: OrderRequest, text: str
) -> None:
    await market.quote("BUY", "1", "49500")
    result = await broker.place_order(request_)
    assert (result.state, result.venue_code) == (OrderState.REJECTED, -2010)
    assert text in result.message
    assert await broker.get_open_orders() == []


async def test_shadow_lets_what_waits_wait_and_a_limit_maker_take_nothing(market: Market) -> None:
    await market.quote("BUY", "1", "49500")
    async with BinanceShadow(TRADER.api_key, TRADER.api_secret, market.venue.url) as shadow:
        for side, kind, terms, _ in STOPS:
            result = await shadow.place_order(order(side, kind, terms))
            assert (result.state, result.status) == (OrderState.ACCEPTED, OrderStatus.NEW)
            assert (result.filled_qty, result.fills) == (Decimal(0), ())
        rests = await shadow.place_order(order("SELL", "LIMIT_MAKER", {"price": "49500.01"}))
        assert (rests.status, rests.filled_qty) == (OrderStatus.NEW, Decimal(0))
        takes = await shadow.place_order(order("SELL", "LIMIT_MAKER", {"price": "49500"}))
        assert (takes.state, takes.code) == (OrderState.REJECTED, "would_match")
        assert takes.fills == ()


async def test_the_terms_of_an_order_that_did_not_leave_are_told_too(
    broker: BinanceBroker,
) -> None:
    request = order("SELL", "STOP_LOSS", {"stop_price": "49000.001"})
    result = await broker.place_order(request)
    assert (result.state, result.code) == (OrderState.REJECTED, "filter_failure")
    assert (result.order_type, result.stop_price) == (OrderType.STOP_LOSS, request.stop_price)


async def test_the_prices_that_are_taken_are_known_from_the_market_and_kept_to(
    broker: BinanceBroker, market: Market
) -> None:
    limits = (await broker.get_market("BTCUSDT")).limits
    assert limits is not None
    for range_ in limits:  # a fifth and five times the reference price of 50000
        assert range_ == (Decimal(10_000), Decimal(250_000))
    # Beyond what the price can have moved since, nothing is sent.
    far = await broker.place_order(order("BUY", "LIMIT", {"price": "262500.01"}))
    assert (far.code, far.venue_code) == ("filter_failure", None)
    assert "PERCENT_PRICE_BY_SIDE" in far.message
    near = await broker.place_order(order("BUY", "LIMIT", {"price": "250000.01"}))
    assert (near.code, near.venue_code) == ("filter_failure", -1013)
    at_the_limit = order("BUY", "LIMIT", {"price": "250000"})
    await market.quote("SELL", "0.02", "60000")
    assert_told(await broker.place_order(at_the_limit), at_the_limit, OrderStatus.FILLED)
