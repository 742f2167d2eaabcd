"""Public endpoints."""

from typing import Any

import pytest

from tests.testnet.conftest import Client

BTC = {"symbol": "BTCUSDT"}


async def test_ping_and_time(alice: Client) -> None:
    assert (await alice.get("/api/v3/ping")).content == {}
    assert (await alice.get("/api/v3/time")).content == {"serverTime": alice.clock.time_ms()}


async def symbols(client: Client, **parameters: Any) -> list[str]:
    answer = await client.get("/api/v3/exchangeInfo", **parameters)
    assert answer.status == 200, answer.content
    return [entry["symbol"] for entry in answer.content["symbols"]]


async def test_exchange_info_lists_what_is_asked_for(alice: Client) -> None:
    assert await symbols(alice) == ["BTCUSDT", "ETHUSDT"]
    assert await symbols(alice, symbol="ETHUSDT") == ["ETHUSDT"]
    assert await symbols(alice, symbols='["ETHUSDT","BTCUSDT"]') == ["ETHUSDT", "BTCUSDT"]
    assert await symbols(alice, permissions="SPOT") == ["BTCUSDT", "ETHUSDT"]
    assert await symbols(alice, permissions='["MARGIN","LEVERAGED"]') == []
    assert await symbols(alice, symbolStatus="TRADING") == ["BTCUSDT", "ETHUSDT"]
    assert await symbols(alice, symbolStatus="HALT") == []


async def test_exchange_info_shows_the_limits_in_force(alice: Client) -> None:
    limits = (await alice.get("/api/v3/exchangeInfo")).content["rateLimits"]
    assert [tuple(entry.values()) for entry in limits] == [
        ("REQUEST_WEIGHT", "MINUTE", 1, 6000),
        ("ORDERS", "SECOND", 10, 50),
        ("ORDERS", "DAY", 1, 160000),
        ("RAW_REQUESTS", "MINUTE", 5, 300000),
    ]


REFUSED = [
    ("exchangeInfo", {"symbol": "NOSUCH"}, -1121),
    ("exchangeInfo", {"symbols": '["BTCUSDT","NOSUCH"]'}, -1121),
    ("exchangeInfo", {"symbols": '["BTCUSDT","BTCUSDT"]'}, -1151),
    ("exchangeInfo", {"symbols": "BTCUSDT"}, -1100),
    ("exchangeInfo", BTC | {"permissions": "SPOT"}, -1128),
    ("exchangeInfo", BTC | {"symbolStatus": "TRADING"}, -1128),
    ("depth", {}, -1102),
    ("depth", BTC | {"limit": "0"}, -1130),
    ("depth", BTC | {"limit": "ten"}, -1100),
    ("depth", BTC | {"symbolStatus": "HALT"}, -1220),
    ("klines", BTC, -1102),
    ("klines", BTC | {"interval": "7m"}, -1120),
    ("klines", BTC | {"interval": "1m", "timeZone": "15"}, -1130),
    ("klines", BTC | {"interval": "1m", "timeZone": "-12:30"}, -1130),
    ("klines", BTC | {"interval": "1m", "timeZone": "UTC"}, -1130),
    ("ticker/price", BTC | {"symbols": '["BTCUSDT"]'}, -1128),
    ("ticker/24hr", BTC | {"type": "SMALL"}, -1139),
    ("ticker/24hr", BTC | {"symbolStatus": "SLEEPING"}, -1122),
    ("ticker/24hr", BTC | {"symbolStatus": "HALT"}, -1220),
    ("ticker", {}, -1102),
    ("ticker", BTC | {"windowSize": "60m"}, -1130),
    ("ticker", BTC | {"windowSize": "8d"}, -1130),
    ("ticker", BTC | {"windowSize": "1d2h"}, -1130),
    ("ticker/tradingDay", {}, -1102),
    ("aggTrades", BTC | {"fromId": "1", "startTime": "1"}, -1128),
    ("executionRules", BTC | {"symbolStatus": "TRADING"}, -1128),
    ("referencePrice", BTC, -2043),
    ("referencePrice", {"symbol": "ETHUSDT"}, -2043),
    ("referencePrice/calculation", {"symbol": "ETHUSDT"}, -2043),
]


@pytest.mark.parametrize(("path", "parameters", "code"), REFUSED)
async def test_what_makes_no_sense_is_refused(
    alice: Client, path: str, parameters: dict[str, str], code: int
) -> None:
    answer = await alice.get(f"/api/v3/{path}", **parameters)
    assert (answer.status, answer.content["code"]) == (400, code)


async def test_depth_is_best_first_and_cut_at_its_limit(alice: Client, bob: Client) -> None:
    for price in ("20000", "20002", "20001"):
        await alice.limit("BUY", "0.1", price)
    await alice.limit("BUY", "0.2", "20001")
    for price in ("21002", "21000", "21001"):
        await bob.limit("SELL", "0.3", price)
    book = (await alice.get("/api/v3/depth", **BTC, limit=2)).content
    assert book["bids"] == [["20002.00000000", "0.10000000"], ["20001.00000000", "0.30000000"]]
    assert book["asks"] == [["21000.00000000", "0.30000000"], ["21001.00000000", "0.30000000"]]
    whole = (await alice.get("/api/v3/depth", **BTC, limit=100_000)).content
    assert (len(whole["bids"]), len(whole["asks"])) == (3, 3)


async def test_the_update_id_of_the_book_grows_with_each_change(alice: Client) -> None:
    seen = []
    for _ in range(3):
        await alice.limit("BUY", "0.1", "20000")
        seen.append((await alice.get("/api/v3/depth", **BTC)).content["lastUpdateId"])
    await alice.signed("DELETE", "/api/v3/openOrders", **BTC)
    seen.append((await alice.get("/api/v3/depth", **BTC)).content["lastUpdateId"])
    assert seen == sorted(set(seen))


async def test_tickers_are_an_object_for_one_symbol_and_an_array_for_more(
    alice: Client, bob: Client
) -> None:
    await bob.limit("SELL", "1", "20000")
    await alice.limit("BUY", "0.4", "20000")
    price = {"symbol": "BTCUSDT", "price": "20000.00000000"}
    best = {
        "symbol": "BTCUSDT",
        "bidPrice": "0.00000000",
        "bidQty": "0.00000000",
        "askPrice": "20000.00000000",
        "askQty": "0.60000000",
    }
    for path, expected in (("ticker/price", price), ("ticker/bookTicker", best)):
        assert (await alice.get(f"/api/v3/{path}", **BTC)).content == expected
        many = await alice.get(f"/api/v3/{path}", symbols='["BTCUSDT"]')
        assert many.content == [expected]
        assert len((await alice.get(f"/api/v3/{path}")).content) == 2


async def test_a_day_in_figures(alice: Client, bob: Client) -> None:
    for price, qty in (("20000", "1"), ("22000", "2"), ("21000", "0.5")):
        await bob.limit("SELL", qty, price)
        await alice.limit("BUY", qty, price)
        alice.clock.advance(60)
    day = (await alice.get("/api/v3/ticker/24hr", **BTC)).content
    now = alice.clock.time_ms()
    assert day == {
        "symbol": "BTCUSDT",
        "priceChange": "1000.00000000",
        "priceChangePercent": "5.000",
        "weightedAvgPrice": "21285.71428571",
        "prevClosePrice": "20000.00000000",
        "lastPrice": "21000.00000000",
        "lastQty": "0.50000000",
        "bidPrice": "0.00000000",
        "bidQty": "0.00000000",
        "askPrice": "0.00000000",
        "askQty": "0.00000000",
        "openPrice": "20000.00000000",
        "highPrice": "22000.00000000",
        "lowPrice": "20000.00000000",
        "volume": "3.50000000",
        "quoteVolume": "74500.00000000",
        "openTime": now - 86_400_000,
        "closeTime": now,
        "firstId": 1,
        "lastId": 3,
        "count": 3,
    }


@pytest.mark.parametrize(
    ("first", "last", "percent"),
    [
        ("30000", "29999.9", "0.000"),
        ("30000", "30000.1", "0.000"),
        ("20000", "19999.9", "-0.001"),
        ("20000", "20000.1", "0.001"),
        ("30000", "29999.8", "-0.001"),
        ("30000", "30000.2", "0.001"),
        ("20000", "19999.7", "-0.002"),
        ("20000", "15000", "-25.000"),
    ],
)
async def test_a_change_in_percent_is_rounded_to_three_places(
    alice: Client, bob: Client, first: str, last: str, percent: str
) -> None:
    for price in (first, last):
        await bob.limit("SELL", "0.1", price)
        await alice.limit("BUY", "0.1", price)
    for path in ("ticker/24hr", "ticker", "ticker/tradingDay"):
        told = (await alice.get(f"/api/v3/{path}", **BTC)).content
        assert told["priceChangePercent"] == percent


async def test_the_average_price_covers_five_minutes(alice: Client, bob: Client) -> None:
    async def trade(price: str, qty: str) -> None:
        await bob.limit("SELL", qty, price)
        await alice.limit("BUY", qty, price)

    async def average() -> str:
        content = (await alice.get("/api/v3/avgPrice", **BTC)).content
        assert content["mins"] == 5
        return str(content["price"])

    await trade("20000", "1")
    alice.clock.advance(299)
    await trade("21000", "3")
    assert await average() == "20750.00000000"
    alice.clock.advance(1)
    assert await average() == "21000.00000000"
    alice.clock.advance(1000)
    assert await average() == "21000.00000000"


async def test_recent_trades_are_oldest_first(alice: Client, bob: Client) -> None:
    await bob.limit("SELL", "1", "20000")
    await alice.limit("BUY", "0.4", "20000")
    await bob.limit("SELL", "0.1", "19000")
    await alice.limit("BUY", "0.6", "20000")
    trades = (await alice.get("/api/v3/trades", **BTC, limit=2)).content
    assert [(trade["id"], trade["price"]) for trade in trades] == [
        (2, "19000.00000000"),
        (3, "20000.00000000"),
    ]
    assert trades[0]["quoteQty"] == "1900.00000000"


async def test_a_maker_buy_is_marked_as_such(alice: Client, bob: Client) -> None:
    await alice.limit("BUY", "0.4", "20000")
    await bob.limit("SELL", "0.4", "20000")
    assert (await alice.get("/api/v3/trades", **BTC)).content[0]["isBuyerMaker"] is True


async def test_trades_of_one_taker_at_one_price_are_aggregated(alice: Client, bob: Client) -> None:
    for price in ("20000", "20000", "20010"):
        await bob.limit("SELL", "0.1", price)
    await alice.limit("BUY", "0.25", "20010")
    await alice.limit("BUY", "0.05", "20010")
    trades = (await alice.get("/api/v3/aggTrades", **BTC)).content
    assert [(t["a"], t["p"], t["q"], t["f"], t["l"]) for t in trades] == [
        (1, "20000.00000000", "0.20000000", 1, 2),
        (2, "20010.00000000", "0.05000000", 3, 3),
        (3, "20010.00000000", "0.05000000", 4, 4),
    ]
    newer = (await alice.get("/api/v3/aggTrades", **BTC, fromId=2, limit=1)).content
    assert [trade["a"] for trade in newer] == [2]
    now = alice.clock.time_ms()
    assert (await alice.get("/api/v3/aggTrades", **BTC, startTime=now + 1)).content == []


async def test_older_trades_are_read_from_an_id(alice: Client, bob: Client) -> None:
    await bob.limit("SELL", "1", "20000")
    for _ in range(4):
        await alice.limit("BUY", "0.1", "20000")
    path = "/api/v3/historicalTrades"
    older = (await alice.get(path, **BTC, fromId=2, limit=2)).content
    assert [trade["id"] for trade in older] == [2, 3]
    newest = (await alice.get(path, **BTC, limit=2)).content
    assert [trade["id"] for trade in newest] == [3, 4]


@pytest.mark.parametrize(
    ("zone", "opened_hours_ago"),
    [("0", 12), ("8", 20), ("+8:00", 20), ("-1:00", 11), ("05:45", 17.75), ("-12", 0), ("14", 2)],
)
async def test_a_day_begins_at_midnight_of_the_zone_asked_for(
    alice: Client, bob: Client, zone: str, opened_hours_ago: float
) -> None:
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000")
    noon = alice.clock.time_ms()
    wanted = {"interval": "1d", "timeZone": zone}
    candle = (await alice.get("/api/v3/klines", **BTC, **wanted)).content[-1]
    opened = noon - int(opened_hours_ago * 3_600_000)
    assert (candle[0], candle[6]) == (opened, opened + 86_400_000 - 1)
    assert (candle[1], candle[5], candle[8]) == ("20000.00000000", "0.10000000", 1)
    day = (await alice.get("/api/v3/ticker/tradingDay", **BTC, timeZone=zone)).content
    assert (day["openTime"], day["closeTime"]) == (opened, opened + 86_400_000 - 1)


async def test_a_zone_does_not_move_candles_shorter_than_its_offset(
    alice: Client, bob: Client
) -> None:
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000")
    for interval in ("1m", "1h"):
        wanted = {"interval": interval}
        plain = (await alice.get("/api/v3/klines", **BTC, **wanted)).content
        moved = (await alice.get("/api/v3/klines", **BTC, **wanted, timeZone="9")).content
        assert plain == moved


async def test_a_rolling_window_opens_on_the_minute(alice: Client, bob: Client) -> None:
    async def trade(price: str) -> None:
        await bob.limit("SELL", "0.1", price)
        await alice.limit("BUY", "0.1", price)

    await trade("20000")
    alice.clock.advance(3600)
    await trade("21000")
    alice.clock.advance(67.099)
    now = alice.clock.time_ms()
    hour = (await alice.get("/api/v3/ticker", **BTC, windowSize="1h")).content
    assert (hour["openTime"], hour["closeTime"]) == (now - 3_600_000 - 7_099, now)
    assert (hour["openPrice"], hour["count"]) == ("21000.00000000", 1)
    longer = (await alice.get("/api/v3/ticker", **BTC, windowSize="2h")).content
    assert (longer["openPrice"], longer["count"]) == ("20000.00000000", 2)
    assert longer["priceChangePercent"] == "5.000"
