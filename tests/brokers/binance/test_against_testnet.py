"""The adapter at the local exchange, which was written without it: what it tells is the truth."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.shadow import BinanceShadow
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState, OrderStatus
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.venue_event import ClockOff, VenueEvent
from otonom_trader.testnet import (
    AccountConfig,
    KeyConfig,
    LocalTestnet,
    MarketSpec,
    RateLimits,
    TestnetConfig,
    WallClock,
)
from tests.brokers.binance.keys import pem, public_pem

TRADER = AccountConfig(
    api_key="trader-key",
    api_secret="trader-secret",
    name="trader",
    balances={"USDT": Decimal(1_000_000), "BTC": Decimal(20)},
)
MAKER = AccountConfig(
    api_key="maker-key",
    api_secret="maker-secret",
    name="maker",
    balances={"USDT": Decimal(10_000_000), "BTC": Decimal(200)},
)
MANY = RateLimits(orders_per_10_seconds=10_000)


class SkewedClock(WallClock):
    """A venue's clock that goes wrong by as much as a test says."""

    skew_ms = 0

    def time_ms(self) -> int:
        return super().time_ms() + self.skew_ms


@dataclass
class Market:
    """A venue with nobody but a trader and a maker."""

    venue: LocalTestnet
    clock: SkewedClock
    trader: BinanceBroker
    maker: BinanceBroker

    async def make(self, side: str, qty: str, price: str) -> None:
        assert (await self.maker.place_order(limit(side, qty, price))).ok

    @property
    def orders(self) -> list[dict[str, Any]]:
        return [one for one in self.venue.truth()["orders"] if one["account"] == "trader"]

    @property
    def fills(self) -> list[dict[str, Any]]:
        return [one for one in self.venue.truth()["fills"] if one["account"] == "trader"]

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The trader's order requests that reached the venue."""
        return [
            one
            for one in self.venue.truth()["requests"]
            if (one["account"], one["method"], one["path"]) == ("trader", "POST", "/api/v3/order")
        ]


def broker_at(venue: LocalTestnet, account: AccountConfig, **settings: Any) -> BinanceBroker:
    return BinanceBroker(account.api_key, account.api_secret, venue.url, **settings)


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    clock = SkewedClock()
    config = TestnetConfig(
        accounts=(TRADER, MAKER), market=MarketSpec("empty"), limits=MANY, clock=clock
    )
    async with (
        LocalTestnet(config) as venue,
        broker_at(venue, TRADER, timeout_seconds=0.5) as trader,
        broker_at(venue, MAKER) as maker,
    ):
        yield Market(venue, clock, trader, maker)


def limit(
    side: str, qty: str, price: str, tif: str = "GTC", client_order_id: str | None = None
) -> OrderRequest:
    return OrderRequest("BTCUSDT", side, qty, price, "LIMIT", tif, client_order_id)


def at_market(side: str, qty: str, client_order_id: str | None = None) -> OrderRequest:
    return OrderRequest("BTCUSDT", side, qty, client_order_id=client_order_id)


def assert_is_the_truth(result: OrderResult, market: Market) -> None:
    """Compare all that a result tells with the venue's own books."""
    (order,) = (one for one in market.orders if str(one["orderId"]) == result.order_id)
    assert order["origClientOrderId"] in (result.client_order_id, None) or (
        order["clientOrderId"] == result.client_order_id
    )
    assert (order["status"], order["side"]) == (result.status, result.side)
    assert Decimal(order["origQty"]) == result.qty
    assert Decimal(order["executedQty"]) == result.filled_qty
    assert Decimal(order["cummulativeQuoteQty"]) == result.quote_qty
    told = {
        fill.trade_id: (fill.price, fill.qty, fill.quote_qty, fill.fee, fill.fee_asset)
        for fill in result.fills
    }
    true = {
        str(fill["tradeId"]): (
            Decimal(fill["price"]),
            Decimal(fill["qty"]),
            Decimal(fill["quoteQty"]),
            Decimal(fill["commission"]),
            fill["commissionAsset"],
        )
        for fill in market.fills
        if str(fill["orderId"]) == result.order_id
    }
    assert told == true


async def test_a_market_order_over_several_levels_is_told_as_it_was(market: Market) -> None:
    await market.make("SELL", "0.01", "50000")
    await market.make("SELL", "0.02", "50010.5")
    result = await market.trader.place_order(at_market("BUY", "0.025"))
    assert result.status is OrderStatus.FILLED
    assert len(result.fills) == 2
    assert_is_the_truth(result, market)


@pytest.mark.parametrize(
    ("tif", "price", "status"),
    [
        ("IOC", "50000", OrderStatus.EXPIRED),
        ("IOC", "49999", OrderStatus.EXPIRED),
        ("FOK", "50000", OrderStatus.EXPIRED),
        ("GTC", "50000", OrderStatus.PARTIALLY_FILLED),
        ("GTC", "49999", OrderStatus.NEW),
    ],
)
async def test_a_limit_order_is_told_as_it_was(
    market: Market, tif: str, price: str, status: OrderStatus
) -> None:
    await market.make("SELL", "0.01", "50000")
    result = await market.trader.place_order(limit("BUY", "0.03", price, tif))
    assert result.status is status
    assert_is_the_truth(result, market)


async def test_a_resting_orders_later_fills_are_found(market: Market) -> None:
    placed = await market.trader.place_order(limit("BUY", "0.03", "50000", "GTC", "mine-1"))
    for qty in ("0.01", "0.005"):
        await market.make("SELL", qty, "50000")
    found = await market.trader.find_order("BTCUSDT", "mine-1")
    assert found is not None
    assert (found.order_id, found.status) == (placed.order_id, OrderStatus.PARTIALLY_FILLED)
    assert [fill.is_maker for fill in found.fills] == [True, True]
    assert_is_the_truth(found, market)
    assert [one.filled_qty for one in await market.trader.get_open_orders()] == [Decimal("0.015")]


async def test_a_cancelled_order_is_found_under_its_own_id(market: Market) -> None:
    await market.trader.place_order(limit("BUY", "0.03", "50000", "GTC", "mine-1"))
    await market.make("SELL", "0.01", "50000")
    cancelled = await market.trader.cancel_order("mine-1")
    assert (cancelled.state, cancelled.status) == (OrderState.ACCEPTED, OrderStatus.CANCELED)
    assert cancelled.filled_qty == Decimal("0.01")
    found = await market.trader.find_order("BTCUSDT", "mine-1")
    assert found is not None
    assert_is_the_truth(found, market)
    again = await market.trader.cancel_order("mine-1", "BTCUSDT")
    assert (again.state, again.status) == (OrderState.ACCEPTED, OrderStatus.CANCELED)
    assert await market.trader.get_open_orders() == []


async def test_forty_orders_and_the_account_equal_the_truth(market: Market) -> None:
    chance = Random(7)  # noqa: S311  a market, no secret
    for step in range(40):
        await market.make("SELL", "0.05", str(50_001 + step % 7))
        await market.make("BUY", "0.05", str(49_999 - step % 7))
        side = chance.choice(["BUY", "SELL"])
        qty = f"{Decimal(chance.randint(1, 20_000)).scaleb(-5):f}"
        price = str(50_000 + chance.randint(-20, 20))
        tif = chance.choice(["IOC", "FOK", None])
        order = at_market(side, qty) if tif is None else limit(side, qty, price, tif)
        assert_is_the_truth(await market.trader.place_order(order), market)
    account = await market.trader.get_account()
    for asset, true in market.venue.truth()["balances"]["trader"].items():
        assert account.free(asset) == Decimal(true["free"])
        assert account.total(asset) == Decimal(true["free"]) + Decimal(true["locked"])


@pytest.mark.parametrize(
    ("fault", "executed"),
    [
        ({"fault": "drop_before"}, False),
        ({"fault": "drop_after"}, True),
        ({"fault": "no_answer_before"}, False),
        ({"fault": "no_answer_after"}, True),
        ({"fault": "http_503"}, True),
        ({"fault": "http_503", "executed": False}, False),
    ],
    ids=str,
)
async def test_an_order_lost_on_the_way_is_unknown_sent_once_and_found_by_asking(
    market: Market, fault: dict[str, Any], *, executed: bool
) -> None:
    await market.make("SELL", "1", "50000")
    market.venue.faults.add({"path": "/api/v3/order", "method": "POST", "count": 1} | fault)
    result = await market.trader.place_order(at_market("BUY", "0.01", "mine-1"))
    assert result.state is OrderState.UNKNOWN
    assert result.message.startswith("OUTCOME UNKNOWN, do not resend:")
    (request,) = market.sent
    assert request["timestamp"] == result.signed_at_ms
    found = await market.trader.find_order("BTCUSDT", "mine-1")
    if not executed:
        assert found is None
        assert market.orders == []
        return
    assert found is not None
    assert found.status is OrderStatus.FILLED
    assert_is_the_truth(found, market)


async def test_a_lost_cancel_is_unknown_and_found_by_asking(market: Market) -> None:
    await market.trader.place_order(limit("BUY", "0.03", "50000", "GTC", "mine-1"))
    market.venue.faults.add(
        {"path": "/api/v3/order", "method": "DELETE", "fault": "drop_after", "count": 1}
    )
    assert (await market.trader.cancel_order("mine-1", "BTCUSDT")).state is OrderState.UNKNOWN
    found = await market.trader.find_order("BTCUSDT", "mine-1")
    assert found is not None
    assert found.status is OrderStatus.CANCELED


async def test_an_id_that_works_already_is_not_placed_twice(market: Market) -> None:
    order = limit("BUY", "0.03", "50000", "GTC", "mine-1")
    first = await market.trader.place_order(order)
    second = await market.trader.place_order(order)
    assert (second.state, second.order_id) == (OrderState.ACCEPTED, first.order_id)
    assert len(market.orders) == 1


@pytest.mark.parametrize(
    ("order", "venue_code", "text"),
    [
        (at_market("SELL", "50"), -2010, "insufficient balance"),
        (limit("BUY", "1", "900000"), -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    ],
)
async def test_the_venues_refusals_are_final(
    market: Market, order: OrderRequest, venue_code: int, text: str
) -> None:
    await market.make("BUY", "100", "50000")
    assert (await market.trader.place_order(at_market("SELL", "0.01"))).ok
    result = await market.trader.place_order(order)
    assert (result.state, result.venue_code) == (OrderState.REJECTED, venue_code)
    assert text in result.message
    assert len(market.orders) == 1


@pytest.mark.parametrize(
    ("key", "secret", "status", "venue_code"),
    [("trader-key", "wrong", 400, -1022), ("k" * 64, "trader-secret", 401, -2015)],
)
async def test_a_wrong_key_or_secret_is_rejected(
    market: Market, key: str, secret: str, status: int, venue_code: int
) -> None:
    async with BinanceBroker(key, secret, market.venue.url) as broker:
        result = await broker.place_order(at_market("BUY", "0.01"))
    assert (result.state, result.code) == (OrderState.REJECTED, "auth")
    assert result.venue_code == venue_code
    assert result.message.startswith(f"Failed to place Binance order: HTTP {status} ")


@pytest.mark.parametrize("skew_ms", [5_000, -5_000])
async def test_a_venue_whose_clock_jumps_is_followed(market: Market, skew_ms: int) -> None:
    await market.make("SELL", "1", "50000")
    assert (await market.trader.place_order(at_market("BUY", "0.01"))).ok
    market.clock.skew_ms = skew_ms
    assert (await market.trader.place_order(at_market("BUY", "0.01"))).ok
    assert [one["code"] for one in market.sent if one["code"]] == [-1021]
    assert len(market.orders) == 2


async def test_a_clock_found_off_is_told_of_with_what_was_refused_for_it(market: Market) -> None:
    await market.make("SELL", "1", "50000")
    told: list[VenueEvent] = []
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(market.trader.run(told.append))
        assert (await market.trader.place_order(at_market("BUY", "0.01"))).ok
        market.clock.skew_ms = 5_000
        assert (await market.trader.place_order(at_market("BUY", "0.01"))).ok
        market.clock.skew_ms = 0
        await market.trader.sync_clock()
        following.cancel()
    first, second = [event for event in told if isinstance(event, ClockOff)]
    assert (round(first.by_ms, -3), first.refused) == (5_000, "POST /api/v3/order")
    assert (round(second.by_ms, -3), second.refused) == (-5_000, "")


async def test_shadow_expects_what_live_then_gets_and_leaves_no_trace(market: Market) -> None:
    await market.make("SELL", "0.01", "50000")
    await market.make("SELL", "0.02", "50010.5")
    before = market.venue.truth()["balances"]
    order = limit("BUY", "0.025", "50010.5", "IOC", "mine-1")
    async with BinanceShadow(TRADER.api_key, TRADER.api_secret, market.venue.url) as shadow:
        expected = await shadow.place_order(order)
    assert market.orders == []
    assert market.venue.truth()["balances"] == before
    real = await market.trader.place_order(order)
    assert (expected.status, expected.filled_qty, expected.quote_qty) == (
        real.status,
        real.filled_qty,
        real.quote_qty,
    )
    for imagined, true in zip(expected.fills, real.fills, strict=True):
        assert (imagined.price, imagined.qty, imagined.fee, imagined.fee_asset) == (
            true.price,
            true.qty,
            true.fee,
            true.fee_asset,
        )


async def test_the_limit_of_orders_is_kept_without_a_refusal() -> None:
    config = TestnetConfig(accounts=(TRADER,), limits=RateLimits(orders_per_10_seconds=2))
    async with LocalTestnet(config) as venue, broker_at(venue, TRADER) as broker:
        results = [await broker.place_order(limit("BUY", "0.001", "20000")) for _ in range(7)]
        sent = [one for one in venue.truth()["requests"] if one["account"] == "trader"]
    # The ten seconds may end in between, once.
    accepted = [result for result in results if result.ok]
    assert 2 <= len(accepted) <= 4
    assert [request["accepted"] for request in sent] == [True] * len(accepted)
    others = {(result.state, result.code) for result in results if not result.ok}
    assert others == {(OrderState.NOT_SENT, "paused")}


async def test_a_moving_market_is_read() -> None:
    async with (
        LocalTestnet(TestnetConfig(accounts=(TRADER,), seed=3)) as venue,
        broker_at(venue, TRADER) as broker,
    ):
        snapshot = await broker.get_market("BTC-USDT")
        marks = await broker.get_marks([Symbol("BTC", "USDT"), Symbol("ETH", "USDT")])
    assert snapshot.mark is not None
    assert abs(marks[Symbol("BTC", "USDT")] / snapshot.mark - 1) < Decimal("0.01")
    assert marks[Symbol("ETH", "USDT")] > 0


@pytest.mark.parametrize(
    "private",
    [
        pytest.param(rsa.generate_private_key(public_exponent=65_537, key_size=2048), id="RSA"),
        pytest.param(ed25519.Ed25519PrivateKey.generate(), id="Ed25519"),
    ],
)
async def test_a_private_key_trades_like_a_secret(private: PrivateKeyTypes) -> None:
    key = KeyConfig("a-key-pair", public_key=public_pem(private))
    config = TestnetConfig(
        accounts=(replace(TRADER, keys=(key,)),), market=MarketSpec("empty"), limits=MANY
    )
    async with (
        LocalTestnet(config) as venue,
        BinanceBroker(key.api_key, pem(private), venue.url) as trader,
    ):
        placed = [await trader.place_order(limit("BUY", "0.1", "20000")) for _ in range(20)]
        assert all(result.ok for result in placed)
        assert len(venue.truth()["orders"]) == 20
        assert placed[0].client_order_id is not None
        cancelled = await trader.cancel_order(placed[0].client_order_id, "BTCUSDT")
        assert cancelled.status is OrderStatus.CANCELED
