"""A clock that is set while the market plays: what is stamped, and what is not disturbed."""

import json
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, ManualClock, MarketSpec, RateLimits, TestnetConfig
from tests.testnet.conftest import Client

BTC = {"symbol": "BTCUSDT"}
MINUTE_MS = 60_000


async def set_clock(client: Client, skew_ms: int) -> int:
    """The venue's time then."""
    answer = await client.send("POST", "/testnet/clock", body=json.dumps({"skew_ms": skew_ms}))
    return int(answer.content["serverTime"])


async def trades(client: Client) -> list[dict[str, Any]]:
    answer = await client.get("/api/v3/trades", **BTC, limit=1000)
    return list(answer.content)


async def candles(client: Client) -> list[Any]:
    return list((await client.get("/api/v3/klines", **BTC, interval="1s", limit=1000)).content)


async def buy(client: Client, venue_ms: int) -> dict[str, Any]:
    answer = await client.market("BUY", quantity="0.001", timestamp=venue_ms)
    assert answer.status == 200, answer.content
    return dict(answer.content)


def play(venue: LocalTestnet, clock: ManualClock, seconds: int) -> None:
    for _ in range(seconds * 2):
        clock.advance(0.5)
        for market in venue.markets:
            market.advance()


class TestASyntheticMarket:
    @pytest.fixture
    def config(self, config: TestnetConfig) -> TestnetConfig:
        spec = MarketSpec.parse("synthetic")
        return replace(config, market=spec, speed=Decimal(60), warmup_bars=5)

    @pytest.mark.parametrize("skew_ms", [MINUTE_MS, 5000, -1000, -MINUTE_MS])
    async def test_trades_and_candles_are_stamped_by_the_clock_the_venue_tells(
        self, venue: LocalTestnet, alice: Client, clock: ManualClock, skew_ms: int
    ) -> None:
        play(venue, clock, 3)
        before = len(await trades(alice))
        now = await set_clock(alice, skew_ms)
        order = await buy(alice, now)
        play(venue, clock, 3)
        now = clock.time_ms() + skew_ms
        times = [trade["time"] for trade in await trades(alice)]
        assert times == sorted(times)
        opened = [candle[0] for candle in await candles(alice)]
        assert all(later - earlier == 1000 for earlier, later in pairwise(opened))
        mine = (await alice.signed("GET", "/api/v3/myTrades", **BTC, timestamp=now)).content
        assert mine[0]["time"] == order["transactTime"]
        if skew_ms > 0:
            assert order["transactTime"] == now - 3000
            assert order["transactTime"] < times[-1] <= now
            assert times[before:][1] >= order["transactTime"]
            assert opened[-1] == now - now % 1000

    async def test_the_market_keeps_its_pace(
        self, venue: LocalTestnet, alice: Client, clock: ManualClock
    ) -> None:
        counts = []
        for skew_ms in (0, MINUTE_MS, 0, -MINUTE_MS, 0):
            await set_clock(alice, skew_ms)
            before = len(await trades(alice))
            play(venue, clock, 5)
            counts.append(len(await trades(alice)) - before)
        assert max(counts) - min(counts) <= 1

    async def test_time_stands_still_where_the_clock_is_put_back_and_then_goes_on(
        self, venue: LocalTestnet, alice: Client, clock: ManualClock
    ) -> None:
        await set_clock(alice, MINUTE_MS)
        play(venue, clock, 2)
        newest = (await trades(alice))[-1]["time"]
        now = await set_clock(alice, 0)
        assert now < newest
        order = await buy(alice, now)
        assert order["transactTime"] == order["workingTime"] == newest
        mine = (await alice.signed("GET", "/api/v3/myTrades", **BTC)).content
        assert [trade["time"] for trade in mine] == [newest]
        play(venue, clock, 5)
        assert (await trades(alice))[-1]["time"] == newest
        play(venue, clock, 60)
        times = [trade["time"] for trade in await trades(alice)]
        assert times == sorted(times)
        assert newest < times[-1] <= clock.time_ms()
        opened = [candle[0] for candle in await candles(alice)]
        assert all(later - earlier == 1000 for earlier, later in pairwise(opened))


@pytest.mark.parametrize("skew_ms", [7000, -7000])
async def test_fills_are_stamped_as_their_orders(alice: Client, bob: Client, skew_ms: int) -> None:
    now = await set_clock(alice, skew_ms)
    await bob.limit("SELL", "0.1", "20000", timestamp=now)
    await alice.limit("BUY", "0.1", "20000", timestamp=now)
    truth = await alice.truth()
    assert {order["time"] for order in truth["orders"]} == {now}
    assert {fill["time"] for fill in truth["fills"]} == {now}
    assert [trade["time"] for trade in await trades(alice)] == [now]


async def test_the_count_of_orders_is_kept_where_the_clock_is_put_back(
    config: TestnetConfig, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    limited = replace(config, limits=RateLimits(orders_per_10_seconds=2))
    async with LocalTestnet(limited) as venue:
        alice, bob = (
            Client(venue.url, session, clock, account.api_key, account.api_secret)
            for account in config.accounts
        )
        ahead = await set_clock(alice, MINUTE_MS)
        await bob.limit("SELL", "0.1", "20000", timestamp=ahead)
        await alice.limit("BUY", "0.01", "20000", timestamp=ahead)
        await set_clock(alice, 0)
        for _ in range(2):
            assert (await alice.limit("BUY", "0.01", "20000")).status == 200
        assert (await alice.limit("BUY", "0.01", "20000")).content["code"] == -1015


async def test_queries_lag_no_longer_where_the_clock_is_put_back(
    config: TestnetConfig, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    async with LocalTestnet(replace(config, query_lag_ms=500)) as venue:
        account = config.accounts[0]
        alice = Client(venue.url, session, clock, account.api_key, account.api_secret)
        ahead = await set_clock(alice, MINUTE_MS)
        await alice.limit("BUY", "0.01", "20000", timestamp=ahead)
        await set_clock(alice, 0)
        assert (await alice.signed("GET", "/api/v3/openOrders")).content == []
        clock.advance(0.5)
        assert len((await alice.signed("GET", "/api/v3/openOrders")).content) == 1
