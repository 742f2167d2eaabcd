"""Weights and order counts in clock-aligned windows, and what happens beyond them."""

from dataclasses import replace

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, ManualClock, RateLimits, TestnetConfig
from tests.testnet.conftest import Client
from tests.testnet.wire import wire

WEIGHT = "X-MBX-USED-WEIGHT-1M"
BTC = {"symbol": "BTCUSDT"}


@pytest.mark.parametrize(
    ("path", "parameters", "weight"),
    [
        ("/api/v3/ping", {}, 1),
        ("/api/v3/time", {}, 1),
        ("/api/v3/exchangeInfo", {}, 20),
        ("/api/v3/depth", BTC, 5),
        ("/api/v3/depth", BTC | {"limit": 100}, 5),
        ("/api/v3/depth", BTC | {"limit": 101}, 25),
        ("/api/v3/depth", BTC | {"limit": 501}, 50),
        ("/api/v3/depth", BTC | {"limit": 1001}, 250),
        ("/api/v3/klines", BTC | {"interval": "1m"}, 2),
        ("/api/v3/avgPrice", BTC, 2),
        ("/api/v3/ticker/price", BTC, 2),
        ("/api/v3/ticker/price", {}, 4),
        ("/api/v3/ticker/bookTicker", {}, 4),
        ("/api/v3/ticker/24hr", BTC, 2),
        ("/api/v3/ticker/24hr", {"symbols": '["BTCUSDT","ETHUSDT"]'}, 2),
        ("/api/v3/ticker/24hr", {}, 80),
    ],
)
async def test_public_requests_weigh_what_is_documented(
    alice: Client, path: str, parameters: dict[str, str], weight: int
) -> None:
    answer = await alice.get(path, **parameters)
    assert answer.status == 200
    assert answer.headers[WEIGHT] == str(weight)


@pytest.mark.parametrize(
    ("path", "parameters", "weight"),
    [
        ("/api/v3/order", BTC | {"orderId": 1}, 4),
        ("/api/v3/openOrders", BTC, 6),
        ("/api/v3/openOrders", {}, 80),
        ("/api/v3/allOrders", BTC, 20),
        ("/api/v3/myTrades", BTC, 20),
        ("/api/v3/myTrades", BTC | {"orderId": 1}, 5),
        ("/api/v3/account", {}, 20),
        ("/api/v3/account/commission", BTC, 20),
        ("/api/v3/rateLimit/order", {}, 40),
    ],
)
async def test_signed_queries_weigh_what_is_documented(
    alice: Client, path: str, parameters: dict[str, object], weight: int
) -> None:
    await alice.limit("BUY", "0.1", "20000")
    answer = await alice.signed("GET", path, **parameters)
    assert answer.status == 200
    assert answer.headers[WEIGHT] == str(weight)


async def test_trading_costs_weight_only_when_it_fails(alice: Client) -> None:
    assert (await alice.limit("BUY", "0.1", "20000")).headers[WEIGHT] == "0"
    assert (await alice.limit("BUY", "0.1", "0")).headers[WEIGHT] == "1"
    assert (await alice.signed("DELETE", "/api/v3/openOrders", **BTC)).headers[WEIGHT] == "1"
    assert (await alice.signed("DELETE", "/api/v3/openOrders", **BTC)).headers[WEIGHT] == "2"


async def test_weight_starts_anew_with_the_minute_of_the_clock(alice: Client) -> None:
    alice.clock.advance(59)
    assert (await alice.get("/api/v3/ping")).headers[WEIGHT] == "1"
    assert (await alice.get("/api/v3/ping")).headers[WEIGHT] == "2"
    alice.clock.advance(1)
    assert (await alice.get("/api/v3/ping")).headers[WEIGHT] == "1"


@pytest.mark.parametrize(
    ("text", "weight"), [("true", "20"), ("TRUE", "20"), ("True", "20"), ("FALSE", "1")]
)
async def test_asking_for_commission_rates_weighs_more_however_it_is_spelt(
    alice: Client, text: str, weight: str
) -> None:
    order = BTC | {"side": "BUY", "type": "MARKET", "quantity": "1"}
    path = "/api/v3/order/test"
    answer = await alice.signed("POST", path, **order, computeCommissionRates=text)
    assert (answer.status, answer.headers[WEIGHT]) == (200, weight)
    assert (answer.content != {}) is (weight == "20")


class TestOverTheLimit:
    @pytest.fixture
    def config(self, config: TestnetConfig) -> TestnetConfig:
        return replace(
            config,
            limits=RateLimits(weight_per_minute=50, orders_per_10_seconds=3, orders_per_day=5),
        )

    async def test_too_much_weight_is_429_until_the_minute_ends(self, alice: Client) -> None:
        alice.clock.advance(15)
        for _ in range(10):
            assert (await alice.get("/api/v3/depth", **BTC)).status == 200
        answer = await alice.get("/api/v3/ping")
        text = (
            "Too much request weight used; current limit is 50 request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
        assert answer.refusal == (429, -1003, text)
        assert answer.headers["Retry-After"] == "45"
        alice.clock.advance(45)
        assert (await alice.get("/api/v3/ping")).status == 200

    async def test_orders_are_counted_by_account_and_refused_beyond_the_limit(
        self, alice: Client, bob: Client
    ) -> None:
        alice.clock.advance(4)
        for number in range(1, 4):
            answer = await alice.limit("BUY", "0.1", "20000")
            assert answer.headers["X-MBX-ORDER-COUNT-10S"] == str(number)
            assert answer.headers["X-MBX-ORDER-COUNT-1D"] == str(number)
        answer = await alice.limit("BUY", "0.1", "20000")
        text = "Too many new orders; current limit is 3 orders per 10 SECOND."
        assert answer.refusal == (429, -1015, text)
        assert answer.headers["Retry-After"] == "6"
        assert (await bob.limit("BUY", "0.1", "20000")).status == 200
        alice.clock.advance(6)
        answer = await alice.limit("BUY", "0.1", "20000")
        assert answer.headers["X-MBX-ORDER-COUNT-10S"] == "1"
        assert answer.headers["X-MBX-ORDER-COUNT-1D"] == "4"
        await alice.limit("BUY", "0.1", "20000")
        answer = await alice.limit("BUY", "0.1", "20000")
        text = "Too many new orders; current limit is 5 orders per 1 DAY."
        assert answer.refusal == (429, -1015, text)

    async def test_refused_orders_do_not_count(self, alice: Client) -> None:
        for _ in range(4):
            assert (await alice.limit("BUY", "100", "20000")).content["code"] == -2010
            assert (await alice.limit("BUY", "0", "20000")).content["code"] == -1013
        assert (await alice.limit("BUY", "0.1", "20000")).status == 200

    async def test_a_cancel_gives_nothing_back(self, alice: Client) -> None:
        for _ in range(3):
            await alice.limit("BUY", "0.1", "20000")
            await alice.signed("DELETE", "/api/v3/openOrders", **BTC)
        assert (await alice.limit("BUY", "0.1", "20000")).content["code"] == -1015


async def counts(client: Client) -> list[int]:
    answer = await client.signed("GET", "/api/v3/rateLimit/order")
    assert [(entry["interval"], entry["intervalNum"]) for entry in answer.content] == [
        ("SECOND", 10),
        ("DAY", 1),
    ]
    return [entry["count"] for entry in answer.content]


async def test_the_first_fill_gives_back_1_to_a_taker_and_more_to_a_maker(
    alice: Client, bob: Client
) -> None:
    for _ in range(8):
        await bob.limit("SELL", "0.1", "20000")
    assert await counts(bob) == [8, 8]
    await alice.limit("BUY", "0.05", "20000")
    assert await counts(alice) == [0, 0]
    assert await counts(bob) == [3, 3]
    # The second fill of the same order gives nothing.
    await alice.limit("BUY", "0.05", "20000")
    assert await counts(bob) == [3, 3]


class TestRawRequests:
    @pytest.fixture
    def config(self, config: TestnetConfig) -> TestnetConfig:
        return replace(config, limits=RateLimits(raw_requests_per_5_minutes=2))

    async def test_beyond_it_every_request_is_429(self, alice: Client) -> None:
        for _ in range(2):
            assert (await alice.limit("BUY", "0.1", "20000")).status == 200
        answer = await alice.limit("BUY", "0.1", "20000")
        assert (answer.status, answer.content["code"]) == (429, -1003)
        assert answer.headers["Retry-After"] == "300"


class TestBans:
    @pytest.fixture
    def config(self, config: TestnetConfig) -> TestnetConfig:
        return replace(config, limits=RateLimits(weight_per_minute=1, refusals_before_ban=2))

    async def test_who_goes_on_after_429_is_banned_and_each_time_for_longer(
        self, alice: Client
    ) -> None:
        lengths = []
        for _ in range(8):
            statuses = [(await alice.get("/api/v3/ping")).status for _ in range(3)]
            assert statuses == [200, 429, 429]
            banned = await alice.get("/api/v3/ping")
            assert (banned.status, banned.content["code"]) == (418, -1003)
            seconds = int(banned.headers["Retry-After"])
            until = alice.clock.time_ms() + seconds * 1000
            assert banned.content["msg"] == (
                f"Way too much request weight used; IP banned until {until}. Please use "
                "WebSocket Streams for live updates to avoid bans."
            )
            lengths.append(seconds // 60)
            alice.clock.advance(seconds - 1)
            assert (await alice.get("/api/v3/ping")).status == 418
            alice.clock.advance(1)
        assert lengths == [2, 8, 32, 128, 512, 2048, 4320, 4320]

    async def test_a_banned_address_loses_its_websocket_api_connections_at_once(
        self, config: TestnetConfig, session: aiohttp.ClientSession, clock: ManualClock
    ) -> None:
        limits = RateLimits(weight_per_minute=4, refusals_before_ban=1)
        path = "/ws-api/v3?returnRateLimits=false"
        async with (
            LocalTestnet(replace(config, limits=limits)) as venue,
            wire(session, venue.url, "/ws") as stream,
            wire(session, venue.url, path) as first,
            wire(session, venue.url, path) as second,
        ):
            rest = Client(venue.url, session, clock, "", "")
            assert [(await rest.get("/api/v3/ping")).status for _ in range(2)] == [429, 418]
            for idle in (first, second):
                assert await idle.ending() == (1008, "disconnected")
                assert idle.events == []
            listed = await stream.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            assert listed == {"result": [], "id": 1}
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with wire(session, venue.url, path):
                    pass
            assert refused.value.status == 418

    async def test_a_response_tells_the_very_moment_the_ban_ends(
        self, config: TestnetConfig, session: aiohttp.ClientSession, clock: ManualClock
    ) -> None:
        clock.advance(0.841)
        limits = RateLimits(weight_per_minute=2, refusals_before_ban=1)
        async with (
            LocalTestnet(replace(config, limits=limits)) as venue,
            wire(session, venue.url, "/ws-api/v3?returnRateLimits=false") as api,
        ):
            assert (await api.call("ping"))["status"] == 429
            banned = await api.call("ping")
            assert banned["status"] == 418
            until = clock.time_ms() + 120_000
            assert banned["error"]["data"] == {
                "serverTime": clock.time_ms(),
                "retryAfter": until,
            }
            assert f"IP banned until {until}." in banned["error"]["msg"]
            assert await api.ending() == (1008, "disconnected")
            rest = Client(venue.url, session, clock, "", "")
            clock.advance(30.5)
            seconds = int((await rest.get("/api/v3/ping")).headers["Retry-After"])
            assert (
                clock.time_ms() + seconds * 1000 >= until > clock.time_ms() + seconds * 1000 - 1000
            )
            clock.advance((until - clock.time_ms() - 1) / 1000)
            assert (await rest.get("/api/v3/ping")).status == 418
            clock.advance(0.001)
            assert (await rest.get("/api/v3/ping")).status == 200

    async def test_who_backs_off_is_not_banned(self, alice: Client) -> None:
        for _ in range(5):
            assert (await alice.get("/api/v3/ping")).status == 200
            assert (await alice.get("/api/v3/ping")).status == 429
            alice.clock.advance(60)
