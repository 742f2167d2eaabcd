"""Market streams: paths, subscribing, and what each one sends."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from otonom_trader.testnet import LocalTestnet, ManualClock
from tests.testnet.conftest import Client
from tests.testnet.wire import Wire, turn, wire


@pytest_asyncio.fixture
async def raw(venue: LocalTestnet, session: aiohttp.ClientSession) -> AsyncIterator[Wire]:
    async with wire(session, venue.url, "/ws") as opened:
        yield opened


async def subscribe(stream: Wire, *names: str) -> None:
    answer = await stream.ask({"method": "SUBSCRIBE", "params": list(names), "id": 1})
    assert answer == {"result": None, "id": 1}


async def trade(alice: Client, bob: Client, price: str = "20000", qty: str = "0.1") -> None:
    await bob.limit("SELL", qty, price)
    await alice.limit("BUY", qty, price)


async def after(stream: Wire, clock: ManualClock, seconds: int) -> list[Any]:
    """What is heard while that much time goes by, second by second."""
    told = []
    for _ in range(seconds):
        clock.advance(1)
        told += await stream.heard()
    return told


@pytest.mark.parametrize(
    "path",
    [
        "/ws/btcusdt@trade",
        "/ws/btcusdt@trade/ethusdt@trade",
        "/ws/btcusdt%40trade?timeUnit=MILLISECOND",
    ],
)
async def test_a_raw_path_sends_events_as_they_are(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, bob: Client, path: str
) -> None:
    async with wire(session, venue.url, path) as stream:
        await trade(alice, bob)
        assert (await stream.hear())["e"] == "trade"


async def test_a_combined_path_wraps_events_with_their_stream(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, bob: Client
) -> None:
    path = "/stream?streams=ethusdt@trade/btcusdt@trade"
    async with wire(session, venue.url, path) as stream:
        await trade(alice, bob)
        heard = await stream.hear()
        assert heard.keys() == {"stream", "data"}
        assert (heard["stream"], heard["data"]["e"]) == ("btcusdt@trade", "trade")


@pytest.mark.parametrize(
    ("path", "combined"), [("/ws", False), ("/ws/0", False), ("/stream", True), ("/stream?", True)]
)
async def test_a_connection_may_subscribe_later(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    alice: Client,
    bob: Client,
    path: str,
    *,
    combined: bool,
) -> None:
    async with wire(session, venue.url, path) as stream:
        await subscribe(stream, "btcusdt@trade")
        await trade(alice, bob)
        assert ("stream" in await stream.hear()) is combined


@pytest.mark.parametrize(
    "request_id",
    [0, -5, 2**63 - 1, -(2**63), "a", "922bcc6e-9de8-440d-9e84-7c80933a8d0d", None],
)
async def test_a_request_is_answered_with_its_id(raw: Wire, request_id: Any) -> None:
    answer = await raw.ask({"method": "LIST_SUBSCRIPTIONS", "id": request_id})
    assert answer == {"result": [], "id": request_id}


async def test_subscriptions_are_listed_and_end(
    raw: Wire, clock: ManualClock, alice: Client, bob: Client
) -> None:
    await subscribe(raw, "btcusdt@trade", "btcusdt@depth", "btcusdt@trade")
    answer = await raw.ask({"method": "LIST_SUBSCRIPTIONS", "id": 3})
    assert answer == {"result": ["btcusdt@trade", "btcusdt@depth"], "id": 3}
    ended = {"method": "UNSUBSCRIBE", "params": ["btcusdt@trade", "unknown"], "id": 312}
    assert await raw.ask(ended) == {"result": None, "id": 312}
    clock.advance(1)
    await trade(alice, bob)
    assert await raw.heard() == []
    answer = await raw.ask({"method": "LIST_SUBSCRIPTIONS", "id": 4})
    assert answer == {"result": ["btcusdt@depth"], "id": 4}


@pytest.mark.parametrize("name", ["nousdt@trade", "nousdt@depth", "btcusdt@nothing", "0"])
async def test_what_there_is_not_is_subscribed_to_in_silence(
    raw: Wire, clock: ManualClock, alice: Client, bob: Client, name: str
) -> None:
    await subscribe(raw, name)
    clock.advance(3)
    await trade(alice, bob)
    assert await raw.heard() == []
    assert (await raw.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1}))["result"] == [name]


async def test_combined_is_a_property(raw: Wire, alice: Client, bob: Client) -> None:
    assert await raw.ask({"method": "GET_PROPERTY", "params": ["combined"], "id": 2}) == {
        "result": False,
        "id": 2,
    }
    wanted = {"method": "SET_PROPERTY", "params": ["combined", True], "id": 5}
    assert await raw.ask(wanted) == {"result": None, "id": 5}
    answer = await raw.ask({"method": "GET_PROPERTY", "params": ["combined"], "id": 2})
    assert answer["result"] is True
    await subscribe(raw, "btcusdt@trade")
    await trade(alice, bob)
    assert (await raw.hear())["stream"] == "btcusdt@trade"


METHODS = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (
            '{"method": "SET_PROPERTY", "params": ["colour", true], "id": 9}',
            {"code": 0, "msg": "Unknown property", "id": 9},
        ),
        (
            '{"method": "SET_PROPERTY", "params": ["combined", 1], "id": 9}',
            {"code": 1, "msg": "Invalid value type: expected Boolean"},
        ),
        (
            '{"method": "GET_PROPERTY", "params": [1], "id": 9}',
            {"code": 2, "msg": "Invalid request: property name must be a string"},
        ),
        (
            '{"method": "GET_PROPERTY", "id": 9}',
            {"code": 2, "msg": "Invalid request: property name must be a string"},
        ),
        (
            '{"method": "GET_PROPERTY", "params": ["combined", 1], "id": 9}',
            {"code": 2, "msg": "Invalid request: too many parameters"},
        ),
        (
            '{"method": "LIST_SUBSCRIPTIONS", "params": ["x"], "id": 9}',
            {"code": 2, "msg": "Invalid request: too many parameters"},
        ),
        (
            '{"method": "SUBSCRIBE", "params": ["btcusdt@trade"]}',
            {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"},
        ),
        (
            '{"method": "SUBSCRIBE", "params": [], "id": 1.5}',
            {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"},
        ),
        (
            '{"method": "SUBSCRIBE", "params": [], "id": 9223372036854775808}',
            {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"},
        ),
        (
            '{"method": "SUBSCRIBE", "params": [], "id": -9223372036854775809}',
            {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"},
        ),
        (
            '{"id": 1, "method":["SUBSCRIBE"], "params": []}',
            {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 20"},
        ),
        (
            '{"id": 1,\n "method": null}',
            {"code": 3, "msg": "Invalid JSON: expected value at line 2 column 12"},
        ),
        (
            '{"method": "SUBSCRIBED", "params": []}',
            {
                "code": 2,
                "msg": f"Invalid request: unknown variant `SUBSCRIBED`, expected one of {METHODS} "
                "at line 1 column 23",
            },
        ),
        (
            '{"params": [], "id": 1}',
            {"code": 2, "msg": "Invalid request: missing field `method` at line 1 column 23"},
        ),
        (
            '{"method": ',
            {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 12"},
        ),
        (
            "[" * 100_000,
            {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"},
        ),
        (
            '{"method": "SUBSCRIBE", "params": ["\\ud800@trade"], "id": 1}',
            {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"},
        ),
        (
            f'{{"method": "SUBSCRIBE", "params": [], "id": {"9" * 5000}}}',
            {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"},
        ),
    ],
)
async def test_a_bad_request_is_refused_in_the_documented_words(
    raw: Wire, sent: str, answer: dict[str, Any]
) -> None:
    assert await raw.ask(sent) == answer


async def test_beyond_1024_streams_nothing_is_added(raw: Wire) -> None:
    await subscribe(raw, *(f"s{number}@trade" for number in range(1024)))
    answer = await raw.ask({"method": "SUBSCRIBE", "params": ["one@trade"], "id": 1})
    assert answer["code"] == 2
    listed = await raw.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    assert len(listed["result"]) == 1024


async def test_five_messages_a_second_are_the_most(raw: Wire, clock: ManualClock) -> None:
    for _ in range(5):
        await raw.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    clock.advance(1)
    await raw.socket.ping(b"counts")
    await raw.socket.pong(b"counts")
    for _ in range(3):
        await raw.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    await raw.say({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    assert await raw.ending() == (1008, "Too many requests")


async def test_trades_and_their_aggregate_per_price(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock
) -> None:
    await subscribe(raw, "btcusdt@trade", "btcusdt@aggTrade")
    for price, qty in (("20000", "0.1"), ("20000", "0.2"), ("20001", "0.3")):
        await bob.limit("SELL", qty, price)
    await alice.limit("BUY", "0.6", "20001")
    now = clock.time_ms()
    heard = [await raw.hear() for _ in range(5)]
    assert heard[0] == {
        "e": "trade",
        "E": now,
        "s": "BTCUSDT",
        "t": 1,
        "p": "20000.00000000",
        "q": "0.10000000",
        "T": now,
        "m": False,
        "M": True,
    }
    assert [(event["e"], event["q"]) for event in heard] == [
        ("trade", "0.10000000"),
        ("trade", "0.20000000"),
        ("trade", "0.30000000"),
        ("aggTrade", "0.30000000"),
        ("aggTrade", "0.30000000"),
    ]
    first, second = heard[3:]
    assert list(first) == ["e", "E", "s", "a", "p", "q", "f", "l", "T", "m", "M"]
    assert (first["p"], first["f"], first["l"]) == ("20000.00000000", 1, 2)
    assert (second["p"], second["f"], second["l"]) == ("20001.00000000", 3, 3)
    assert second["a"] == first["a"] + 1
    over_rest = (await alice.get("/api/v3/aggTrades", symbol="BTCUSDT")).content
    assert [
        {name: entry[name] for name in ("a", "p", "q", "f", "l", "T", "m")} for entry in over_rest
    ] == [
        {name: event[name] for name in ("a", "p", "q", "f", "l", "T", "m")} for event in heard[3:]
    ]


async def test_a_seller_that_takes_leaves_the_buyer_as_maker(
    raw: Wire, alice: Client, bob: Client
) -> None:
    await subscribe(raw, "btcusdt@trade")
    await alice.limit("BUY", "0.1", "20000")
    await bob.limit("SELL", "0.1", "20000")
    assert (await raw.hear())["m"] is True


async def test_the_best_bid_and_ask_are_told_when_they_change(raw: Wire, alice: Client) -> None:
    await subscribe(raw, "btcusdt@bookTicker")
    await alice.limit("BUY", "0.1", "20000")
    assert await raw.hear() == {
        "u": 1,
        "s": "BTCUSDT",
        "b": "20000.00000000",
        "B": "0.10000000",
        "a": "0.00000000",
        "A": "0.00000000",
    }
    await alice.limit("BUY", "0.1", "19999")
    await alice.limit("BUY", "0.2", "20000")
    assert (await raw.hear())["B"] == "0.30000000"


async def test_partial_depth_is_a_snapshot_without_type_or_symbol(
    raw: Wire, alice: Client, clock: ManualClock
) -> None:
    for number in range(6):
        await alice.limit("BUY", "0.1", str(20000 - number))
    await subscribe(raw, "btcusdt@depth5@100ms")
    clock.advance(0.1)
    heard = await raw.hear()
    assert list(heard) == ["lastUpdateId", "bids", "asks"]
    assert (heard["lastUpdateId"], len(heard["bids"]), heard["asks"]) == (6, 5, [])
    assert heard["bids"][0] == ["20000.00000000", "0.10000000"]
    clock.advance(0.1)
    await alice.limit("SELL", "0.1", "21000")
    clock.advance(0.1)
    assert (await raw.hear())["asks"] == [["21000.00000000", "0.10000000"]]


async def test_orders_that_do_not_show_leave_no_trace_in_the_book(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock
) -> None:
    await trade(alice, bob)
    await alice.limit("BUY", "0.1", "19000")
    await subscribe(
        raw, "btcusdt@depth@100ms", "btcusdt@depth", "btcusdt@depth5@100ms", "btcusdt@bookTicker"
    )
    clock.advance(1)
    assert (await raw.hear())["lastUpdateId"] == 3
    stop = {"type": "STOP_LOSS", "side": "SELL", "quantity": "0.1", "stopPrice": "18000"}
    placed = await alice.order(symbol="BTCUSDT", newClientOrderId="stop", **stop)
    assert placed.status == 200
    assert (await bob.limit("BUY", "0.1", "18500", tif="IOC")).content["status"] == "EXPIRED"
    assert (await bob.limit("SELL", "1", "19000", tif="FOK")).content["status"] == "EXPIRED"
    await alice.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="stop")
    clock.advance(1)
    assert await raw.heard() == []
    assert (await alice.get("/api/v3/depth", symbol="BTCUSDT")).content["lastUpdateId"] == 3


async def test_an_icebergs_next_part_that_shows_the_same_is_no_change(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock
) -> None:
    await alice.limit("BUY", "0.3", "20000", icebergQty="0.1")
    await subscribe(raw, "btcusdt@depth@100ms")
    await bob.limit("SELL", "0.1", "20000")
    clock.advance(0.1)
    assert await raw.heard() == []
    await bob.limit("SELL", "0.05", "20000")
    clock.advance(0.1)
    heard = await raw.hear()
    assert (heard["U"], heard["u"], heard["b"]) == (2, 2, [["20000.00000000", "0.05000000"]])


async def test_a_partial_book_is_told_only_what_changed_in_its_levels(
    raw: Wire, alice: Client, clock: ManualClock
) -> None:
    for number in range(5):
        await alice.limit("BUY", "0.1", str(20000 - number))
    await subscribe(raw, "btcusdt@depth5@100ms")
    clock.advance(0.1)
    assert (await raw.hear())["lastUpdateId"] == 5
    await alice.limit("BUY", "0.1", "19000")
    clock.advance(0.1)
    assert await raw.heard() == []
    await alice.limit("BUY", "0.1", "19998")
    clock.advance(0.1)
    heard = await raw.hear()
    assert (heard["lastUpdateId"], heard["bids"][2]) == (7, ["19998.00000000", "0.20000000"])


async def test_slow_depth_comes_once_a_second(raw: Wire, alice: Client, clock: ManualClock) -> None:
    await subscribe(raw, "btcusdt@depth", "btcusdt@depth@100ms")
    await alice.limit("BUY", "0.1", "20000")
    clock.advance(0.1)
    fast = await raw.hear()
    assert (fast["U"], fast["u"], fast["b"]) == (1, 1, [["20000.00000000", "0.10000000"]])
    await alice.limit("BUY", "0.1", "20001")
    clock.advance(0.9)
    heard = {event["U"]: event for event in [await raw.hear(), await raw.hear()]}
    assert list(heard[1]) == ["e", "E", "s", "U", "u", "b", "a"]
    assert (heard[1]["u"], len(heard[1]["b"]), heard[1]["a"]) == (2, 2, [])
    assert (heard[2]["u"], heard[2]["b"]) == (2, [["20001.00000000", "0.10000000"]])


async def test_the_slow_depth_has_two_names(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, clock: ManualClock
) -> None:
    path = "/stream?streams=btcusdt@depth/btcusdt@depth@1000ms"
    async with wire(session, venue.url, path) as stream:
        await stream.heard()
        await alice.limit("BUY", "0.1", "20000")
        clock.advance(1)
        heard = [await stream.hear(), await stream.hear()]
        assert {event["stream"] for event in heard} == set(path[16:].split("/"))
        assert heard[0]["data"] == heard[1]["data"]
        assert heard[0]["data"]["b"] == [["20000.00000000", "0.10000000"]]


async def test_a_level_that_is_gone_has_quantity_0(
    raw: Wire, alice: Client, clock: ManualClock
) -> None:
    await alice.limit("BUY", "0.1", "20000", newClientOrderId="mine")
    await subscribe(raw, "btcusdt@depth@100ms")
    await alice.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine")
    clock.advance(0.1)
    heard = await raw.hear()
    assert (heard["U"], heard["u"]) == (2, 2)
    assert heard["b"] == [["20000.00000000", "0.00000000"]]


async def test_the_book_is_watched_only_while_somebody_listens(
    venue: LocalTestnet, session: aiohttp.ClientSession
) -> None:
    def watched() -> list[bool]:
        book = venue.exchange.engine.books["BTCUSDT"]
        return [side.changed is not None for side in (book.bids, book.asks)]

    assert watched() == [False, False]
    async with wire(session, venue.url, "/ws/btcusdt@depth") as stream:
        await stream.heard()
        assert watched() == [True, True]
    while any(watched()):
        await turn()


async def test_a_candle_is_told_when_it_gained_a_trade_and_once_when_it_closed(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock
) -> None:
    await subscribe(raw, "btcusdt@kline_1m")
    opened = clock.time_ms()
    await trade(alice, bob)
    first = await raw.hear()
    assert first["E"] == opened
    assert list(first) == ["e", "E", "s", "k"]
    assert first["k"] == {
        "t": opened,
        "T": opened + 59_999,
        "s": "BTCUSDT",
        "i": "1m",
        "f": 1,
        "L": 1,
        "o": "20000.00000000",
        "c": "20000.00000000",
        "h": "20000.00000000",
        "l": "20000.00000000",
        "v": "0.10000000",
        "n": 1,
        "x": False,
        "q": "2000.00000000",
        "V": "0.10000000",
        "Q": "2000.00000000",
        "B": "0",
    }
    clock.advance(2)
    assert await raw.heard() == []
    clock.advance(57.9)
    assert await raw.heard() == []
    clock.advance(0.1)
    closed = await raw.hear()
    assert (closed["k"]["t"], closed["k"]["x"], closed["k"]["n"]) == (opened, True, 1)
    assert await after(raw, clock, 130) == []


@pytest.mark.parametrize(("interval", "seconds"), [("1m", 2), ("1h", 2), ("1s", 1)])
async def test_a_candle_is_told_no_more_often_than_its_stream_is_updated(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock, interval: str, seconds: int
) -> None:
    await subscribe(raw, f"btcusdt@kline_{interval}")
    clock.advance(0.3)
    await trade(alice, bob)
    assert (await raw.hear())["k"]["n"] == 1
    clock.advance(0.2)
    for _ in range(2):
        await trade(alice, bob)
    assert await raw.heard() == []
    clock.advance(seconds - 0.2)
    told = await raw.hear()
    assert (told["k"]["n"], told["k"]["x"]) == (3, interval == "1s")
    clock.advance(1.5)
    assert await raw.heard() == []


async def test_candles_without_trades_are_never_told(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock
) -> None:
    await subscribe(raw, "btcusdt@kline_1s", "ethusdt@kline_1s")
    assert await after(raw, clock, 10) == []
    await trade(alice, bob)
    heard = await after(raw, clock, 10)
    await trade(alice, bob)
    heard += await after(raw, clock, 10)
    assert [(entry["k"]["x"], entry["k"]["n"]) for entry in heard] == [(False, 1), (True, 1)] * 2
    assert {entry["s"] for entry in heard} == {"BTCUSDT"}


async def test_who_comes_after_a_trade_is_told_only_that_its_candle_closed(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock
) -> None:
    await trade(alice, bob)
    await subscribe(raw, "btcusdt@kline_1m")
    clock.advance(59)
    assert await raw.heard() == []
    clock.advance(1)
    closed = await raw.hear()
    assert (closed["k"]["x"], closed["k"]["n"]) == (True, 1)


async def test_days_may_begin_at_midnight_in_utc_plus_8(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    alice: Client,
    bob: Client,
    clock: ManualClock,
) -> None:
    noon = clock.time_ms()
    for number, path in enumerate(
        ("/ws/btcusdt@kline_1d@+08:00", "/ws/btcusdt@kline_1d@%2B08:00"), start=1
    ):
        async with wire(session, venue.url, path) as stream:
            await stream.heard()
            await trade(alice, bob)
            heard = await stream.hear()
            # Noon in UTC is 20:00 there.
            assert heard["k"]["t"] == noon - 20 * 3_600_000
            assert heard["k"]["n"] == number


async def test_tickers_are_the_figures_of_rest(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock
) -> None:
    await trade(alice, bob)
    await trade(alice, bob, price="20010")
    await subscribe(raw, "btcusdt@ticker", "btcusdt@miniTicker")
    clock.advance(1)
    full, mini = await raw.hear(), await raw.hear()
    rest = (await alice.get("/api/v3/ticker/24hr", symbol="BTCUSDT")).content
    assert list(full) == [
        *("e", "E", "s", "p", "P", "w", "x", "c", "Q", "b", "B", "a", "A"),
        *("o", "h", "l", "v", "q", "O", "C", "F", "L", "n"),
    ]
    assert (full["c"], full["p"], full["n"]) == (rest["lastPrice"], rest["priceChange"], 2)
    assert mini == {
        "e": "24hrMiniTicker",
        "E": clock.time_ms(),
        "s": "BTCUSDT",
        "c": "20010.00000000",
        "o": "20000.00000000",
        "h": "20010.00000000",
        "l": "20000.00000000",
        "v": "0.20000000",
        "q": "4001.00000000",
    }


async def test_all_mini_tickers_are_those_that_changed(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock
) -> None:
    await subscribe(raw, "!miniTicker@arr")
    clock.advance(1)
    assert await raw.heard() == []
    await trade(alice, bob)
    clock.advance(1)
    assert [entry["s"] for entry in await raw.hear()] == ["BTCUSDT"]
    clock.advance(1)
    assert await raw.heard() == []


@pytest.mark.parametrize("width", ["1h", "4h", "1d"])
async def test_a_window_begins_on_a_minute_and_ends_now(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock, width: str
) -> None:
    await trade(alice, bob)
    await subscribe(raw, f"btcusdt@ticker_{width}", f"!ticker_{width}@arr")
    clock.advance(1)
    heard = await raw.hear()
    assert list(heard) == [
        *("e", "E", "s", "p", "P", "o", "h", "l", "c", "w", "v", "q", "O", "C", "F", "L", "n")
    ]
    assert heard["e"] == f"{width}Ticker"
    hours = {"1h": 1, "4h": 4, "1d": 24}[width]
    assert (heard["O"], heard["C"]) == (
        clock.time_ms() - 1000 - hours * 3_600_000,
        clock.time_ms(),
    )
    assert (heard["v"], heard["n"]) == ("0.10000000", 1)
    assert await raw.hear() == [heard]
    clock.advance(1)
    assert (await raw.hear())["C"] == clock.time_ms()
    assert await raw.heard() == []


async def test_the_average_price_comes_once_a_second_when_it_changed(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock
) -> None:
    await subscribe(raw, "btcusdt@avgPrice", "ethusdt@avgPrice")
    clock.advance(3)
    assert await raw.heard() == []
    await trade(alice, bob)
    traded = clock.time_ms()
    clock.advance(1)
    assert await raw.hear() == {
        "e": "avgPrice",
        "E": clock.time_ms(),
        "s": "BTCUSDT",
        "i": "5m",
        "w": "20000.00000000",
        "T": traded,
    }
    clock.advance(1)
    await trade(alice, bob)
    clock.advance(1)
    assert await raw.heard() == []
    await trade(alice, bob, price="20030")
    clock.advance(1)
    assert (await raw.hear())["w"] == "20010.00000000"
    # The average forgets what is older than five minutes.
    assert [entry["w"] for entry in await after(raw, clock, 300)] == [
        "20015.00000000",
        "20030.00000000",
    ]


async def test_times_can_be_in_microseconds(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    alice: Client,
    bob: Client,
    clock: ManualClock,
) -> None:
    path = "/stream?streams=btcusdt@trade&timeUnit=microsecond"
    async with wire(session, venue.url, path) as stream:
        await trade(alice, bob)
        assert (await stream.hear())["data"]["T"] == clock.time_ms() * 1000


@pytest.mark.parametrize("name", ["BTCUSDT@trade", "nosuch@depth", "btcusdt@explode", "0"])
async def test_a_name_that_no_stream_has_is_taken_and_stays_silent(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock, name: str
) -> None:
    await subscribe(raw, name)
    await trade(alice, bob)
    clock.advance(2)
    assert await raw.heard() == []


EXAMPLES = {
    "btcusdt@referencePrice": "00220-reference-price-streams.ws-event.json",
    "btcusdt@aggTrade": "00237-aggregate-trade-streams.ws-event.json",
    "btcusdt@trade": "00261-trade-streams.ws-event.json",
    "btcusdt@kline_1m": "00326-kline-candlestick-streams-for-utc.ws-event.json",
    "btcusdt@kline_1m@+08:00": "00370-kline-candlestick-streams-with-timezone-offset.ws-event.json",
    "btcusdt@miniTicker": "00405-individual-symbol-mini-ticker-stream.ws-event.json",
    "btcusdt@ticker": "00443-individual-symbol-ticker-streams.ws-event.json",
    "btcusdt@ticker_1h": "00487-individual-symbol-rolling-window-statistics-streams.ws-event.json",
    "btcusdt@bookTicker": "00541-individual-symbol-book-ticker-streams.json",
    "btcusdt@avgPrice": "00562-average-price.ws-event.json",
    "btcusdt@depth5": "00581-partial-book-depth-streams.json",
    "btcusdt@depth": "00607-diff-depth-stream.ws-event.json",
}
ARRAYS = {
    "!miniTicker@arr": "00427-all-market-mini-tickers-stream.json",
    "!ticker_1h@arr": "00522-all-market-rolling-window-statistics-streams.json",
}
NEVER = {"00282": "there are no block trades"}


async def test_the_examples_of_the_documentation_have_our_fields(
    raw: Wire, alice: Client, bob: Client, clock: ManualClock, shared_data: Any
) -> None:
    examples = shared_data / "binance-docs-examples" / "web-socket-streams"
    await raw.ask({"method": "SET_PROPERTY", "params": ["combined", True], "id": 1})
    await subscribe(raw, *EXAMPLES, *ARRAYS)
    await alice.limit("BUY", "0.1", "19000")
    await bob.limit("SELL", "0.1", "21000")
    await trade(alice, bob)
    clock.advance(2)
    heard: dict[str, Any] = {}
    while heard.keys() != {*EXAMPLES, *ARRAYS}:
        event = await raw.hear()
        heard[event["stream"]] = event["data"]
    for stream, file in EXAMPLES.items():
        example = json.loads((examples / file).read_text("utf-8"))
        assert shape(heard[stream]) == shape(example), stream
    # The examples of arrays leave the entries to those of one symbol.
    assert [shape(entry) for entry in heard["!miniTicker@arr"]] == [
        shape(heard["btcusdt@miniTicker"])
    ]
    assert [shape(entry) for entry in heard["!ticker_1h@arr"]] == [
        shape(heard["btcusdt@ticker_1h"])
    ]


async def test_requests_are_answered_as_in_the_documentation(raw: Wire, shared_data: Any) -> None:
    examples = shared_data / "binance-docs-examples" / "web-socket-streams"
    for number, answer in (
        ("00103", "00112"),
        ("00121", "00130"),
        ("00140", "00148"),
        ("00161", "00170"),
        ("00179", "00188"),
    ):
        (asked,), (told,) = examples.glob(f"{number}-*"), examples.glob(f"{answer}-*")
        answered = await raw.ask(json.loads(asked.read_text("utf-8")))
        assert answered == json.loads(told.read_text("utf-8"))


def test_every_example_of_an_event_is_compared_or_never_sent(shared_data: Any) -> None:
    examples = shared_data / "binance-docs-examples" / "web-socket-streams"
    index = json.loads((examples.parent / "index.json").read_text("utf-8"))
    payloads = {
        entry["file"].split("/")[1]
        for entry in index
        if entry["doc"] == "web-socket-streams.md" and entry["label"] == "Payload"
    }
    left = payloads - {*EXAMPLES.values(), *ARRAYS.values()}
    assert {name[:5] for name in left} == set(NEVER)


def shape(value: Any) -> Any:
    """Names in their order, and the types of their values; of a list its first entry."""
    if isinstance(value, dict):
        return [(name, shape(each)) for name, each in value.items()]
    if isinstance(value, list):
        return [shape(each) for each in value[:1]] if value and value[0] != [] else []
    return type(value).__name__
