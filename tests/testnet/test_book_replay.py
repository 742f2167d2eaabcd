"""A recorded order book replayed: what stands in it, what trades, and what clients change of it."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otonom_trader.testnet import (
    AccountConfig,
    LocalTestnet,
    ManualClock,
    MarketSpec,
    RateLimits,
    TestnetConfig,
)
from otonom_trader.testnet.amounts import SCALE, format_amount, parse_amount
from otonom_trader.testnet.book_replay import BookReplay, Pace
from otonom_trader.testnet.built_in import RECORDED_LISTING
from otonom_trader.testnet.clock import VenueClock
from otonom_trader.testnet.config import HistoryCaps
from otonom_trader.testnet.depth_feed import DepthFeed
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.events import Event
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.orders import NewOrder, OrderType, Side, TimeInForce, Trade
from otonom_trader.testnet.recording import Diff, RecordedTrade, Recording
from otonom_trader.testnet.stream_names import FAST_MS
from tests.testnet.conftest import NOON_MS, Client
from tests.testnet.local_book import LocalBook
from tests.testnet.test_recording import diff_line, snapshot_line, trade_line, write
from tests.testnet.wire import wire

CARA = AccountConfig(
    api_key="cara-key",
    api_secret="cara-secret",
    name="cara",
    balances={"USDT": Decimal(100_000), "NKN": Decimal(100_000)},
    fee_pct=Decimal(0),
)
SYMBOLS = ("NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR")


def config_for(rest: Path, stream: Path, clock: ManualClock, **more: Any) -> TestnetConfig:
    spec = MarketSpec("book", rest, stream_path=stream)
    return replace(TestnetConfig(accounts=(CARA,), market=spec, clock=clock), **more)


def play_until(venue: LocalTestnet, clock: ManualClock, ms: int) -> None:
    """Move time to so many milliseconds after noon."""
    clock.advance((NOON_MS + ms - clock.time_ms()) / 1000)
    for market in venue.markets:
        market.advance()


def levels(venue: LocalTestnet, symbol: str = "NKNUSDT") -> dict[str, dict[str, str]]:
    book = venue.exchange.engine.books[symbol]
    return {
        name: {format_amount(level.price): format_amount(level.qty) for level in side}
        for name, side in (("b", book.bids), ("a", book.asks))
    }


def shown(venue: LocalTestnet, symbol: str = "NKNUSDT") -> dict[str, dict[str, str]]:
    """Without the zeros at the end."""
    return {
        name: {price.rstrip("0"): qty.rstrip("0").rstrip(".") for price, qty in side.items()}
        for name, side in levels(venue, symbol).items()
    }


def assert_conserved(venue: LocalTestnet) -> None:
    truth = venue.truth()
    for asset, issued in truth["issued"].items():
        held = [balances[asset] for balances in truth["balances"].values() if asset in balances]
        assert all(Decimal(part["free"]) >= 0 and Decimal(part["locked"]) >= 0 for part in held)
        total = sum(Decimal(part["free"]) + Decimal(part["locked"]) for part in held)
        assert total == Decimal(issued)


def assert_not_crossed(venue: LocalTestnet, symbol: str) -> None:
    book = venue.exchange.engine.books[symbol]
    bid, ask = book.bids.best(), book.asks.best()
    assert bid is not None
    assert ask is not None
    assert bid.price < ask.price


# What the files say, read anew and compared with what the venue makes of them.


def frames_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "stream.txt").read_text().splitlines()
    frames = [json.loads(line.partition(": ")[2]) for line in lines if ': {"stream"' in line]
    return [frame["data"] for frame in frames]


def snapshots_of(folder: Path) -> tuple[dict[str, dict[str, Any]], float]:
    lines = (folder / "rest.txt").read_text().split("\n")
    found, earliest = {}, float("inf")
    for line in lines:
        url, arrow, reply = line.partition(" -> ")
        if arrow:
            time, _, body = reply.partition(": ")
            found[url.partition("symbol=")[2].partition("&")[0]] = json.loads(body)
            earliest = min(earliest, float(time))
    return found, earliest


@pytest.fixture
def recorded(shared_data: Path) -> Path:
    return shared_data / "market" / "book-2021-10-12"


async def test_the_book_is_the_recorded_one_after_each_diff(recorded: Path) -> None:
    """Its ids, its levels, and the best prices that the recorded tickers tell at the same id."""
    frames = frames_of(recorded)
    snapshots, earliest = snapshots_of(recorded)
    tickers = {(f["s"], f["u"]): f for f in frames if "e" not in f}
    clock = ManualClock(NOON_MS)
    config = config_for(recorded / "rest.txt", recorded / "stream.txt", clock)
    seen = compared = 0
    async with LocalTestnet(config) as venue:
        books = {symbol: LocalBook() for symbol in SYMBOLS}
        for symbol, book in books.items():
            book.load(snapshots[symbol])
            assert levels(venue, symbol) == book.sides
            assert venue.exchange.engine.books[symbol].update_id == book.update_id
        diffs = [frame for frame in frames if frame.get("e") == "depthUpdate"]
        for diff in sorted(diffs, key=lambda frame: frame["E"]):
            symbol = diff["s"]
            if diff["u"] <= snapshots[symbol]["lastUpdateId"]:
                continue
            play_until(venue, clock, diff["E"] - int(earliest * 1000))
            books[symbol].apply(diff)
            assert levels(venue, symbol) == books[symbol].sides
            assert venue.exchange.engine.books[symbol].update_id == diff["u"]
            assert_not_crossed(venue, symbol)
            seen += 1
            ticker = tickers.get((symbol, diff["u"]))
            if ticker is not None:
                compared += 1
                bid = max(books[symbol].sides["b"], key=Decimal)
                ask = min(books[symbol].sides["a"], key=Decimal)
                assert (ticker["b"], ticker["B"]) == (bid, books[symbol].sides["b"][bid])
                assert (ticker["a"], ticker["A"]) == (ask, books[symbol].sides["a"][ask])
        assert_conserved(venue)
    assert seen > 150
    assert compared > 10


async def test_recorded_trades_are_on_the_tape(recorded: Path) -> None:
    clock = ManualClock(NOON_MS)
    config = config_for(recorded / "rest.txt", recorded / "stream.txt", clock)
    async with LocalTestnet(config) as venue:
        play_until(venue, clock, 40_000)
        _, earliest = snapshots_of(recorded)
        for frame in frames_of(recorded):
            if frame.get("e") == "aggTrade":
                trades = venue.exchange.tapes[frame["s"]].trades(1000)[1:]
                assert {t.price for t in trades} == {parse_amount(frame["p"])}
                assert sum(t.qty for t in trades) == parse_amount(frame["q"])
                assert {t.buyer_is_maker for t in trades} == {frame["m"]}
                at_ms = NOON_MS + frame["T"] - int(earliest * 1000)
                assert {t.time_ms for t in trades} == {at_ms}
        assert_conserved(venue)


async def test_candles_are_told_when_the_recording_has_them(recorded: Path) -> None:
    clock = ManualClock(NOON_MS)
    config = config_for(recorded / "rest.txt", recorded / "stream.txt", clock)
    kinds = ("kline_1m", "aggTrade")
    names = "/".join(f"{symbol.lower()}@{kind}" for symbol in SYMBOLS for kind in kinds)
    told = []
    async with (
        LocalTestnet(config) as venue,
        aiohttp.ClientSession() as session,
        wire(session, venue.url, f"/stream?streams={names}") as stream,
    ):
        await stream.heard()
        for second in range(1, 32):
            play_until(venue, clock, second * 1000)
            told += await stream.heard()
    kept = [frame["s"] for frame in frames_of(recorded) if frame.get("e") == "kline"]
    assert len(kept) > 1
    candles = [entry["data"] for entry in told if entry["stream"].endswith("kline_1m")]
    trades = [entry["data"] for entry in told if entry["stream"].endswith("aggTrade")]
    assert [candle["s"] for candle in candles] == kept
    # As recorded, in the same moment as the trade.
    assert [(candle["s"], candle["E"]) for candle in candles] == [
        (trade["s"], trade["E"]) for trade in trades
    ]


@pytest.mark.parametrize("trades_too", [False, True], ids=["alone", "beside a trading client"])
async def test_a_client_that_keeps_its_own_book_equals_the_venue_after_each_step(
    recorded: Path, *, trades_too: bool
) -> None:
    clock = ManualClock(NOON_MS)
    limits = RateLimits(weight_per_minute=10**6, orders_per_10_seconds=10**6)
    config = config_for(recorded / "rest.txt", recorded / "stream.txt", clock, limits=limits)
    random = Random(5)  # noqa: S311
    async with LocalTestnet(config) as venue, aiohttp.ClientSession() as session:
        client = Client(venue.url, session, clock, CARA.api_key, CARA.api_secret)
        local = LocalBook()

        async def snapshot() -> dict[str, Any]:
            answer = await client.get("/api/v3/depth", symbol="NKNUSDT", limit=5000)
            assert isinstance(answer.content, dict)
            return answer.content

        async with wire(session, venue.url, "/ws/nknusdt@depth@100ms") as stream:
            await stream.heard()
            book = venue.exchange.engine.books["NKNUSDT"]
            heard = 0
            for step in range(300):
                play_until(venue, clock, clock.time_ms() - NOON_MS + 100)
                if trades_too:
                    await act(client, random)
                if step == 0:
                    # Buffer first, then the snapshot that the buffer joins on.
                    buffered = await stream.heard()
                    local.load(await snapshot())
                    for event in buffered:
                        local.apply(event)
                while local.update_id < book.update_id:
                    clock.advance(0.1)
                    local.apply(await stream.hear())
                    heard += 1
                assert local.update_id == book.update_id
                assert local.sides == levels(venue)
                assert_not_crossed(venue, "NKNUSDT")
            assert heard > 100
            truth = await snapshot()
            while local.update_id < truth["lastUpdateId"]:
                clock.advance(0.1)
                local.apply(await stream.hear())
            truth = await snapshot()
            assert local.sides == {"b": dict(truth["bids"]), "a": dict(truth["asks"])}
        assert_conserved(venue)


async def act(client: Client, random: Random) -> None:
    """Take from the book, rest in it, or cancel what rests."""
    side = random.choice(["BUY", "SELL"])
    order = {"symbol": "NKNUSDT", "side": side, "quantity": random.randint(30, 3000)}
    chance = random.random()
    if chance < 0.3:
        answer = await client.order(type="MARKET", **order)
    elif chance < 0.8:
        price = f"0.{3524 + random.randint(-6, 6)}"
        answer = await client.order(type="LIMIT", timeInForce="GTC", price=price, **order)
    else:
        answer = await client.signed("DELETE", "/api/v3/openOrders", symbol="NKNUSDT")
    assert answer.status in (200, 400), answer.content


# Small recordings, made for one behaviour each.


SMALL = snapshot_line([["0.35", "100"], ["0.34", "50"]], [["0.36", "70"], ["0.37", "90"]])
"""Taken half a second after 1,000,000 ms; the frames below are told by milliseconds after it."""
TAKEN_MS = 1_000_500


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON_MS)


class Stage:
    """A venue that replays a small recording, with one client."""

    def __init__(self, venue: LocalTestnet, client: Client, clock: ManualClock) -> None:
        self.venue = venue
        self.client = client
        self.clock = clock

    def play_until(self, ms: int) -> None:
        play_until(self.venue, self.clock, ms)

    @property
    def shown(self) -> dict[str, dict[str, str]]:
        return shown(self.venue)

    async def limit(self, side: str, quantity: int, price: str, tif: str = "GTC") -> dict[str, Any]:
        answer = await self.client.order(
            symbol="NKNUSDT",
            side=side,
            type="LIMIT",
            timeInForce=tif,
            quantity=quantity,
            price=price,
        )
        assert answer.status == 200, answer.content
        assert isinstance(answer.content, dict)
        return answer.content

    async def executed(self, order: dict[str, Any]) -> tuple[str, str]:
        answer = await self.client.signed(
            "GET", "/api/v3/order", symbol="NKNUSDT", orderId=order["orderId"]
        )
        return answer.content["status"], answer.content["executedQty"]

    def prints(self) -> list[tuple[str, str, bool]]:
        """Price, quantity and whether the buyer was the maker, without the opening price."""
        trades = self.venue.exchange.tapes["NKNUSDT"].trades(1000)[1:]
        return [(format_amount(t.price)[:4], str(t.qty // SCALE), t.buyer_is_maker) for t in trades]


@pytest.fixture
async def staged(tmp_path: Path, clock: ManualClock) -> Any:
    opened = []

    async def stage(frames: list[str], **more: Any) -> Stage:
        rest, stream = write(tmp_path, [SMALL], frames)
        venue = LocalTestnet(config_for(rest, stream, clock, **more))
        await venue.__aenter__()
        session = aiohttp.ClientSession()
        opened.append((venue, session))
        return Stage(venue, Client(venue.url, session, clock, CARA.api_key, CARA.api_secret), clock)

    yield stage
    for venue, session in opened:
        assert_conserved(venue)
        await session.close()
        await venue.__aexit__(None, None, None)


def diff(first: int, last: int, ms: int, **changed: Any) -> str:
    return diff_line(first, last, TAKEN_MS + ms, **changed)


def trade(price: str, qty: str, ms: int, *, buyer_is_maker: bool) -> str:
    return trade_line(price, qty, TAKEN_MS + ms, buyer_is_maker=buyer_is_maker)


async def test_what_a_client_fills_is_gone_until_a_diff_names_the_level(staged: Any) -> None:
    stage = await staged(
        [
            diff(101, 101, 100, b=[["0.34", "51"]]),
            diff(102, 102, 200, a=[["0.37", "80"]]),
            diff(103, 103, 300, a=[["0.36", "65"]]),
        ]
    )
    order = await stage.limit("BUY", 30, "0.36")
    assert order["status"] == "FILLED"
    assert stage.shown["a"] == {"0.36": "40", "0.37": "90"}
    stage.play_until(100)
    assert stage.shown == {"b": {"0.35": "100", "0.34": "51"}, "a": {"0.36": "40", "0.37": "90"}}
    stage.play_until(200)
    assert stage.shown["a"] == {"0.36": "40", "0.37": "80"}
    stage.play_until(300)
    assert stage.shown["a"] == {"0.36": "65", "0.37": "80"}


async def test_a_level_that_is_gone_can_be_taken_by_a_client_and_comes_back_when_named(
    staged: Any,
) -> None:
    stage = await staged([diff(101, 101, 100, a=[["0.36", "5"]])])
    order = await stage.limit("BUY", 100, "0.36")
    assert order["executedQty"] == "70.00000000"
    assert stage.shown == {
        "b": {"0.36": "30", "0.35": "100", "0.34": "50"},
        "a": {"0.37": "90"},
    }
    # It comes back against the client's order, and fills 5 of it.
    stage.play_until(100)
    assert await stage.executed(order) == ("PARTIALLY_FILLED", "75.00000000")
    assert stage.shown["b"]["0.36"] == "25"
    assert stage.shown["a"] == {"0.37": "90"}


async def test_what_is_recorded_against_a_resting_order_fills_it_at_its_price(staged: Any) -> None:
    stage = await staged(
        [diff(101, 104, 100, b=[["0.36", "40"]], a=[["0.36", "0"], ["0.38", "1"]])]
    )
    order = await stage.limit("SELL", 15, "0.355")
    stage.play_until(100)
    assert await stage.executed(order) == ("FILLED", "15.00000000")
    fills = (await stage.client.signed("GET", "/api/v3/myTrades", symbol="NKNUSDT")).content
    assert [(fill["price"], fill["isMaker"]) for fill in fills] == [("0.35500000", True)]
    # What it took is missing until the level is named again.
    assert stage.shown["b"]["0.36"] == "25"


async def test_a_reduced_level_keeps_its_place_and_an_addition_queues_behind_clients(
    staged: Any,
) -> None:
    stage = await staged(
        [
            diff(101, 101, 100, b=[["0.35", "60"]]),
            diff(102, 102, 200, b=[["0.35", "90"]]),
            trade("0.35", "60", 250, buyer_is_maker=True),
            trade("0.35", "25", 260, buyer_is_maker=True),
        ]
    )
    order = await stage.limit("BUY", 20, "0.35")
    stage.play_until(200)
    assert stage.shown["b"]["0.35"] == "110"
    # 60 were there before the client, 30 came after.
    stage.play_until(250)
    assert await stage.executed(order) == ("NEW", "0.00000000")
    stage.play_until(260)
    assert await stage.executed(order) == ("FILLED", "20.00000000")
    assert stage.shown["b"]["0.35"] == "25"


async def test_what_came_last_to_a_level_leaves_it_first(staged: Any) -> None:
    stage = await staged(
        [
            diff(101, 101, 100, b=[["0.35", "130"]]),
            diff(102, 102, 200, b=[["0.35", "90"]]),
            trade("0.35", "90", 250, buyer_is_maker=True),
            trade("0.35", "1", 260, buyer_is_maker=True),
        ]
    )
    order = await stage.limit("BUY", 20, "0.35")
    stage.play_until(250)
    assert await stage.executed(order) == ("NEW", "0.00000000")
    stage.play_until(260)
    assert await stage.executed(order) == ("PARTIALLY_FILLED", "1.00000000")


async def test_a_recorded_trade_at_the_price_of_a_client_on_the_other_side_fills_it(
    staged: Any,
) -> None:
    stage = await staged([trade("0.355", "30", 150, buyer_is_maker=True)])
    order = await stage.limit("SELL", 20, "0.355")
    stage.play_until(150)
    assert await stage.executed(order) == ("FILLED", "20.00000000")
    assert sorted(qty for _, qty, _ in stage.prints()) == ["10", "20"]


async def test_a_recorded_trade_takes_from_its_level_what_the_next_diff_says_is_gone(
    staged: Any,
) -> None:
    stage = await staged(
        [
            trade("0.36", "12", 150, buyer_is_maker=False),
            diff(101, 101, 200, a=[["0.36", "58"]]),
        ]
    )
    stage.play_until(150)
    assert stage.prints() == [("0.36", "12", False)]
    assert stage.shown["a"]["0.36"] == "58"
    stage.play_until(200)
    assert stage.shown["a"]["0.36"] == "58"


async def test_a_level_that_was_traded_is_restored_by_a_diff_that_does_not_name_it(
    staged: Any,
) -> None:
    stage = await staged(
        [
            trade("0.36", "12", 150, buyer_is_maker=False),
            diff(101, 101, 200, b=[["0.34", "49"]]),
        ]
    )
    stage.play_until(200)
    assert stage.shown["a"] == {"0.36": "70", "0.37": "90"}


async def test_a_recorded_trade_fills_the_better_order_of_a_client_first(staged: Any) -> None:
    stage = await staged(
        [
            trade("0.35", "30", 150, buyer_is_maker=True),
            diff(101, 101, 200, b=[["0.35", "70"]]),
        ]
    )
    better = await stage.limit("BUY", 20, "0.355")
    stage.play_until(150)
    assert await stage.executed(better) == ("FILLED", "20.00000000")
    assert stage.prints() == [("0.35", "20", True), ("0.35", "10", True)]
    assert stage.shown["b"]["0.35"] == "90"
    stage.play_until(200)
    assert stage.shown["b"] == {"0.35": "70", "0.34": "50"}


async def test_a_recorded_trade_off_the_shown_book_still_prints_at_its_price(staged: Any) -> None:
    """The diff that says what became of the levels between comes up to 100 ms later."""
    stage = await staged(
        [
            trade("0.37", "200", 150, buyer_is_maker=False),
            diff(101, 109, 200, b=[["0.36", "3"]], a=[["0.36", "0"], ["0.37", "0"], ["0.39", "4"]]),
        ]
    )
    resting = await stage.limit("SELL", 25, "0.365")
    stage.play_until(150)
    assert await stage.executed(resting) == ("FILLED", "25.00000000")
    assert stage.prints()[0] == ("0.36", "25", False)
    assert {price for price, _, _ in stage.prints()[1:]} == {"0.37"}
    assert sum(int(qty) for _, qty, _ in stage.prints()) == 200
    assert "0.36" not in stage.shown["a"]
    stage.play_until(200)
    assert stage.shown == {
        "b": {"0.36": "3", "0.35": "100", "0.34": "50"},
        "a": {"0.39": "4"},
    }


async def test_speed_shortens_the_recorded_time(staged: Any) -> None:
    frames = [diff(101, 101, 1000, b=[["0.35", "1"]])]
    stage = await staged(frames, speed=Decimal(10))
    stage.play_until(99)
    assert stage.shown["b"]["0.35"] == "100"
    stage.play_until(100)
    assert stage.shown["b"]["0.35"] == "1"


async def test_at_its_end_a_recording_stands_still(staged: Any) -> None:
    stage = await staged([diff(101, 101, 100, b=[["0.35", "1"]])])
    stage.play_until(100)
    await stage.limit("BUY", 70, "0.36")
    stage.play_until(60_000)
    assert stage.shown == {"b": {"0.35": "1", "0.34": "50"}, "a": {"0.37": "90"}}


async def test_looped_it_begins_again_from_its_snapshot(
    staged: Any, tmp_path: Path, clock: ManualClock
) -> None:
    frames = [diff(101, 120, 900, b=[["0.35", "1"], ["0.33", "2"]], a=[["0.36", "0"]])]
    spec = MarketSpec("book", tmp_path / "rest.txt", stream_path=tmp_path / "stream.txt")
    stage = await staged(frames, market=replace(spec, is_looped=True))
    book = stage.venue.exchange.engine.books["NKNUSDT"]
    feed = DepthFeed(book)
    feed.open()
    local = LocalBook()
    local.load({"lastUpdateId": 100, "bids": [], "asks": []})
    ids = [book.update_id]
    first = stage.shown
    for lap in range(3):
        stage.play_until(lap * 1000 + 900)
        assert stage.shown == {"b": {"0.35": "1", "0.34": "50", "0.33": "2"}, "a": {"0.37": "90"}}
        ids.append(book.update_id)
        stage.play_until(lap * 1000 + 1000)
        assert stage.shown == first
        ids.append(book.update_id)
        told = feed.take(FAST_MS)
        assert told is not None
        assert told[0] == (ids[-3] + 1, ids[-1])
    assert ids == sorted(set(ids))
    assert ids[:2] == [100, 120]


async def test_in_a_halted_symbol_nothing_moves_and_then_it_is_up_to_date(staged: Any) -> None:
    stage = await staged(
        [
            diff(101, 101, 100, b=[["0.35", "1"]]),
            trade("0.36", "5", 150, buyer_is_maker=False),
            diff(102, 102, 200, a=[["0.38", "3"]]),
        ]
    )
    before = stage.shown
    stage.venue.exchange.change_symbol("NKNUSDT", status="HALT")
    stage.play_until(150)
    assert stage.shown == before
    assert stage.prints() == []
    stage.venue.exchange.change_symbol("NKNUSDT", status="TRADING")
    stage.play_until(200)
    assert stage.shown == {
        "b": {"0.35": "1", "0.34": "50"},
        "a": {"0.36": "70", "0.37": "90", "0.38": "3"},
    }


async def test_the_replay_is_one_account_and_the_last_price_starts_in_the_middle(
    staged: Any,
) -> None:
    stage = await staged([])
    balances = stage.venue.truth()["balances"]
    assert {"NKN", "USDT"} <= balances["market-replay"].keys()
    assert Decimal(balances["market-replay"]["NKN"]["locked"]) == 160
    assert not {"NKN"} & (balances["market-maker"].keys() | balances["market-taker"].keys())
    price = (await stage.client.get("/api/v3/ticker/price", symbol="NKNUSDT")).content
    assert price == {"symbol": "NKNUSDT", "price": "0.35500000"}


async def test_it_moves_by_itself_while_the_venue_is_open(tmp_path: Path) -> None:
    rest, stream = write(tmp_path, [SMALL], [diff(101, 150, 2000, b=[["0.35", "1"]])])
    spec = MarketSpec("book", rest, stream_path=stream)
    async with LocalTestnet(TestnetConfig(market=spec, speed=Decimal(100))) as venue:
        while venue.exchange.engine.books["NKNUSDT"].update_id < 150:
            await venue.config.clock.sleep(0.01)


async def test_a_recorded_symbol_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    line = snapshot_line([["1", "1"]], [["2", "1"]], symbol="DOGEEUR")
    rest, stream = write(tmp_path, [line], [])
    with pytest.raises(ValueError, match="market symbol DOGEEUR is not listed here"):
        async with LocalTestnet(config_for(rest, stream, ManualClock(NOON_MS))):
            pass


async def test_its_rules_may_come_from_an_exchange_info_file(tmp_path: Path) -> None:
    rest, stream = write(tmp_path, [SMALL], [])
    async with LocalTestnet(config_for(rest, stream, ManualClock(NOON_MS))) as venue:
        known = json.loads(venue.answer("GET", "/api/v3/exchangeInfo").body)
    known["symbols"] = [each for each in known["symbols"] if each["symbol"] == "NKNUSDT"]
    file = tmp_path / "info.json"
    file.write_text(json.dumps(known))
    config = config_for(rest, stream, ManualClock(NOON_MS), exchange_info=file)
    async with LocalTestnet(config) as venue:
        assert list(venue.exchange.engine.rules) == ["NKNUSDT"]
        assert shown(venue)["a"] == {"0.36": "70", "0.37": "90"}


# Any recording, any client.

CENT = SCALE // 100


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """A walk of the middle, with sound books on either side of it and trades between diffs."""
    quantities = st.integers(0, 50).map(lambda qty: qty * SCALE)
    middle = 35

    def side_levels(side: Side) -> dict[int, int]:
        sign = -1 if side is Side.BUY else 1
        return {(middle + sign * n) * CENT: draw(quantities) for n in range(1, 5)}

    book: dict[Side, dict[int, int]] = {side: {} for side in Side}
    steps: list[Diff | RecordedTrade] = []
    snapshot: Diff | None = None
    for number in range(draw(st.integers(2, 12))):
        at_ms = 1_000_000 + number * 100
        middle = max(10, middle + draw(st.integers(-3, 3)))
        changed: dict[Side, dict[int, int]] = {}
        for side, known in book.items():
            gone = {
                price: 0
                for price in known
                if (price >= middle * CENT if side is Side.BUY else price <= middle * CENT)
            }
            fresh = side_levels(side)
            kept = {price: qty for price, qty in fresh.items() if draw(st.booleans())}
            changed[side] = gone | kept
            known.update(changed[side])
            book[side] = {price: qty for price, qty in known.items() if qty}
        if snapshot is None:
            snapshot = Diff(at_ms, 1, 1, {side: dict(known) for side, known in book.items()})
            continue
        if draw(st.booleans()):
            price = max(1, middle + draw(st.integers(-4, 4))) * CENT
            qty = draw(st.integers(1, 60)) * SCALE
            steps.append(RecordedTrade(at_ms - 50, price, qty, draw(st.booleans())))
        last = 1 + number * 7
        steps.append(Diff(at_ms, last - 6, last, changed))
    assert snapshot is not None
    return Recording("NKNUSDT", snapshot, tuple(steps))


class Floor:
    """A replay and two clients without a wire."""

    def __init__(self, recording: Recording) -> None:
        self.clock = ManualClock(NOON_MS)
        self.told_clock = VenueClock(self.clock)
        self.exchange = Exchange(seed=1, history=HistoryCaps(), listing=RECORDED_LISTING)
        self.rules = self.exchange.engine.rules["NKNUSDT"]
        self.clients = [
            self.exchange.open_account(replace(CARA, name=name, api_key=name))
            for name in ("cara", "dan")
        ]
        self.prints: list[Trade] = []
        self.exchange.listeners.append(self._on_event)
        pace = Pace.of([recording], NOON_MS, speed=Decimal(1), is_looped=False)
        self.replay = BookReplay(
            self.exchange,
            self.rules,
            recording,
            self.exchange.open_participant("market-replay"),
            pace,
            self.told_clock,
        )
        self.replay.open()
        self.book = self.exchange.engine.books["NKNUSDT"]

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Trade):
            self.prints.append(event)

    def act(self, random: Random) -> None:
        client = random.choice(self.clients)
        working = list(client.working_orders())
        if working and random.random() < 0.2:
            order = random.choice(working)
            self.exchange.cancel(order, "cancel", self.clock.time_ms())
            return
        new = NewOrder(
            symbol="NKNUSDT",
            side=random.choice([Side.BUY, Side.SELL]),
            type=OrderType.LIMIT,
            client_id=self.exchange.new_client_id(),
            qty=random.randint(1, 40) * SCALE,
            price=random.randint(30, 40) * CENT,
            time_in_force=random.choice(list(TimeInForce)),
        )
        try:
            self.exchange.place(client, new, self.clock.time_ms())
        except VenueError as error:
            if error.code != -2010:
                raise

    def check(self) -> None:
        bid, ask = self.book.bids.best(), self.book.asks.best()
        assert bid is None or ask is None or bid.price < ask.price
        for asset, credited in self.exchange.engine.credited.items():
            held = [each.balance(asset) for each in self.exchange.engine.accounts.values()]
            assert all(balance.free >= 0 and balance.locked >= 0 for balance in held)
            assert sum(balance.free + balance.locked for balance in held) == credited


def test_a_step_that_is_played_late_prints_no_earlier_than_the_last_trade() -> None:
    book = {Side.BUY: {35 * CENT: 9 * SCALE}, Side.SELL: {36 * CENT: 9 * SCALE}}
    late = RecordedTrade(1_000_100, 35 * CENT, SCALE, buyer_is_maker=True)
    floor = Floor(Recording("NKNUSDT", Diff(1_000_000, 1, 1, book), (late,)))
    floor.clock.advance(1)
    bought = NewOrder(
        symbol="NKNUSDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        client_id="first",
        qty=SCALE,
        price=36 * CENT,
    )
    floor.exchange.place(floor.clients[0], bought, floor.clock.time_ms())
    floor.replay.advance()
    assert [trade.time_ms for trade in floor.prints] == [NOON_MS + 1000, NOON_MS + 1000]


def test_setting_the_clock_moves_what_is_stamped_and_not_when_it_is_played() -> None:
    book = {Side.BUY: {35 * CENT: 9 * SCALE}, Side.SELL: {36 * CENT: 9 * SCALE}}
    steps = tuple(
        RecordedTrade(at_ms, 35 * CENT, SCALE, buyer_is_maker=True)
        for at_ms in (1_000_100, 1_000_200, 1_000_300)
    )
    floor = Floor(Recording("NKNUSDT", Diff(1_000_000, 1, 1, book), steps))
    for skew_ms in (60_000, 0, 70_000):
        floor.told_clock.skew_ms = skew_ms
        floor.clock.advance(0.1)
        floor.replay.advance()
    assert [trade.time_ms - NOON_MS for trade in floor.prints] == [60_100, 60_100, 70_300]


@settings(max_examples=150, deadline=None)
@given(recordings())
def test_any_recording_is_replayed_exactly_while_no_client_trades(recording: Recording) -> None:
    floor = Floor(recording)
    book: dict[Side, dict[int, int]] = {
        side: {price: qty for price, qty in known.items() if qty}
        for side, known in recording.snapshot.levels.items()
    }
    for step in recording.steps:
        floor.prints.clear()
        floor.clock.advance((NOON_MS + step.time_ms - 1_000_000 - floor.clock.time_ms()) / 1000)
        floor.replay.advance()
        floor.check()
        if isinstance(step, RecordedTrade):
            assert {trade.price for trade in floor.prints} == {step.price}
            assert {trade.buyer_is_maker for trade in floor.prints} == {step.buyer_is_maker}
            assert sum(trade.qty for trade in floor.prints) == step.qty
            continue
        assert not floor.prints
        for side, known in book.items():
            known.update(step.levels[side])
            there = {level.price: level.qty for level in floor.book.side(side)}
            assert there == {price: qty for price, qty in known.items() if qty}
        assert floor.book.update_id == step.last_id


@settings(max_examples=150, deadline=None)
@given(recordings(), st.integers())
def test_beside_any_clients_the_book_stays_sound_and_is_followed(
    recording: Recording, seed: int
) -> None:
    random = Random(seed)  # noqa: S311
    floor = Floor(recording)
    feed, local = DepthFeed(floor.book), LocalBook()
    feed.open()
    local.load(
        {
            "lastUpdateId": floor.book.update_id,
            "bids": [(format_amount(x.price), format_amount(x.qty)) for x in floor.book.bids],
            "asks": [(format_amount(x.price), format_amount(x.qty)) for x in floor.book.asks],
        }
    )
    for step in recording.steps:
        for _ in range(random.randint(0, 4)):
            floor.act(random)
            floor.check()
        floor.prints.clear()
        floor.clock.advance((NOON_MS + step.time_ms - 1_000_000 - floor.clock.time_ms()) / 1000)
        floor.replay.advance()
        floor.check()
        if isinstance(step, RecordedTrade):
            assert sum(trade.qty for trade in floor.prints) == step.qty
        told = feed.take(FAST_MS)
        if told is not None:
            (first, last), (bids, asks) = told
            local.apply({"U": first, "u": last, "b": bids, "a": asks})
        # A diff without levels is an update that nobody is told of.
        assert told is None or local.update_id == floor.book.update_id
        assert local.sides == {
            "b": {format_amount(x.price): format_amount(x.qty) for x in floor.book.bids},
            "a": {format_amount(x.price): format_amount(x.qty) for x in floor.book.asks},
        }
        for client in floor.clients:
            for order in client.orders.values():
                assert sum(fill.trade.qty for fill in order.fills) == order.executed
