"""The market that plays bars: what it prints, and how clients' orders meet it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, ManualClock, MarketSpec, TestnetConfig
from otonom_trader.testnet.bars import Bar, read_bars
from otonom_trader.testnet.events import Event
from otonom_trader.testnet.klines import Candle
from otonom_trader.testnet.orders import Trade
from tests.testnet.conftest import ALICE, NOON_MS, Client

BARS = [
    (20000, 20060, 19990, 20050, 12),
    (20050, 20055, 20000, 20010, 8),
    (20010, 20200, 20010, 20190, 30),
    (20190, 20195, 20100, 20120, 9),
    (20120, 20121, 20000, 20001, 11),
    (20001, 20001, 19900, 19950, 14),
]


@pytest.fixture
def bars_file(tmp_path: Path) -> Path:
    path = tmp_path / "bars.csv"
    rows = [f"{k * 60_000},{','.join(map(str, bar))}" for k, bar in enumerate(BARS)]
    path.write_text("open_time_ms,open,high,low,close,volume_base\n" + "\n".join(rows) + "\n")
    return path


def config_for(path: Path, clock: ManualClock, **more: Any) -> TestnetConfig:
    spec = MarketSpec.parse(f"bars:{path}")
    plain = TestnetConfig(accounts=(ALICE,), market=spec, clock=clock, speed=Decimal(60))
    return replace(plain, **more)


def candles(venue: LocalTestnet, interval: str = "1s", symbol: str = "BTCUSDT") -> list[Candle]:
    series = venue.exchange.tapes[symbol].series(interval)
    return series.read(None, None, 1000, venue.config.clock.time_ms())


def shown(candle: Candle) -> Bar:
    return Bar(candle.open, candle.high, candle.low, candle.close, candle.volume)


def play_until(venue: LocalTestnet, clock: ManualClock, seconds: float, wake: float) -> None:
    for _ in range(round(seconds / wake)):
        clock.advance(wake)
        for market in venue.markets:
            market.advance()


def assert_conserved(venue: LocalTestnet) -> None:
    truth = venue.truth()
    for asset, issued in truth["issued"].items():
        held = [balances[asset] for balances in truth["balances"].values() if asset in balances]
        total = sum(Decimal(part["free"]) + Decimal(part["locked"]) for part in held)
        assert total == Decimal(issued)


@pytest.mark.parametrize("wake", [0.05, 0.3, 1.7])
@pytest.mark.parametrize("opened_into_bar_ms", [0, 250, 999])
async def test_each_bar_is_played_as_the_file_has_it(
    bars_file: Path, wake: float, opened_into_bar_ms: int
) -> None:
    clock = ManualClock(NOON_MS + opened_into_bar_ms)
    async with LocalTestnet(config_for(bars_file, clock)) as venue:
        play_until(venue, clock, len(BARS) + 1, wake)
        played = candles(venue)
        expected = list(read_bars(bars_file))
        assert [shown(candle) for candle in played[: len(BARS)]] == expected
        # The candles are the wall clock's: bar k from k seconds after the start.
        assert [c.open_ms for c in played[: len(BARS)]] == [
            NOON_MS + k * 1000 for k in range(len(BARS))
        ]
        assert all(candle.volume == 0 for candle in played[len(BARS) :])
        assert_conserved(venue)


async def test_warmup_bars_are_history_that_ends_at_the_start(bars_file: Path) -> None:
    clock = ManualClock(NOON_MS)
    async with LocalTestnet(config_for(bars_file, clock, warmup_bars=4)) as venue:
        before = candles(venue)
        expected = list(read_bars(bars_file))
        assert [candle.open_ms for candle in before] == [NOON_MS + k * 1000 for k in range(-4, 1)]
        assert [shown(candle) for candle in before[:4]] == expected[:4]
        assert before[4].open == expected[4].open
        play_until(venue, clock, 3, 0.2)
        assert [shown(candle) for candle in candles(venue)[4:6]] == expected[4:]


async def test_at_speed_1_a_bar_is_a_minute(bars_file: Path) -> None:
    clock = ManualClock(NOON_MS + 20_000)
    async with LocalTestnet(config_for(bars_file, clock, speed=Decimal(1))) as venue:
        play_until(venue, clock, 130, 0.5)
        minutes = candles(venue, "1m")
        expected = list(read_bars(bars_file))
        assert [candle.open_ms for candle in minutes] == [
            NOON_MS,
            NOON_MS + 60_000,
            NOON_MS + 120_000,
        ]
        assert [shown(candle) for candle in minutes[:2]] == expected[:2]


async def test_at_any_speed_a_candle_holds_the_bars_that_fell_into_it(bars_file: Path) -> None:
    clock = ManualClock(NOON_MS)
    async with LocalTestnet(config_for(bars_file, clock, speed=Decimal(120))) as venue:
        play_until(venue, clock, 4, 0.05)
        expected = list(read_bars(bars_file))
        for candle, (first, second) in zip(candles(venue), _pairs(expected), strict=False):
            assert candle.open == first.open
            assert candle.close == second.close
            assert candle.high == max(first.high, second.high)
            assert candle.low == min(first.low, second.low)
            assert candle.volume == first.volume + second.volume


def _pairs(bars: list[Bar]) -> list[tuple[Bar, Bar]]:
    return list(zip(bars[::2], bars[1::2], strict=True))


async def test_a_whole_real_day_is_played_bar_by_bar(shared_data: Path) -> None:
    path = shared_data / "market" / "BTCBUSD-1m-2022-12-13.csv"
    clock = ManualClock(NOON_MS)
    async with LocalTestnet(config_for(path, clock, warmup_bars=1000)) as venue:
        play_until(venue, clock, 441, 0.5)
        expected = list(read_bars(path))
        series = venue.exchange.tapes["BTCUSDT"].series("1s")
        played = series.read(NOON_MS - 1000 * 1000, None, 1440, clock.time_ms())
        assert [shown(candle) for candle in played] == expected


async def test_the_book_stands_around_the_last_price(bars_file: Path) -> None:
    clock = ManualClock(NOON_MS)
    async with LocalTestnet(config_for(bars_file, clock)) as venue:
        for _ in range(12):
            play_until(venue, clock, 0.5, 0.5)
            last = venue.exchange.tapes["BTCUSDT"].last_trade
            book = venue.exchange.engine.books["BTCUSDT"]
            bid, ask = book.bids.best(), book.asks.best()
            assert bid is not None
            assert ask is not None
            assert last is not None
            assert bid.price < last.price < ask.price
            assert len(list(book.bids)) >= 10
            assert len(list(book.asks)) >= 10


@pytest.fixture
async def replay(bars_file: Path) -> AsyncIterator[tuple[LocalTestnet, ManualClock, Client]]:
    clock = ManualClock(NOON_MS)
    async with (
        LocalTestnet(config_for(bars_file, clock)) as venue,
        aiohttp.ClientSession() as session,
    ):
        yield venue, clock, Client(venue.url, session, clock, ALICE.api_key, ALICE.api_secret)


Replay = tuple[LocalTestnet, ManualClock, Client]


async def test_a_resting_order_the_market_trades_through_is_filled_at_its_price(
    replay: Replay,
) -> None:
    venue, clock, alice = replay
    # The second bar falls to 20000.
    order = await alice.limit("BUY", "0.5", "19995", newClientOrderId="deep")
    play_until(venue, clock, 6, 0.25)
    found = await alice.signed(
        "GET", "/api/v3/order", symbol="BTCUSDT", orderId=order.content["orderId"]
    )
    assert found.content["status"] == "FILLED"
    fills = (await alice.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT")).content
    assert {fill["price"] for fill in fills} == {"19995.00000000"}
    assert all(fill["isMaker"] for fill in fills)
    assert sum(Decimal(fill["qty"]) for fill in fills) == Decimal("0.5")
    assert_conserved(venue)


async def test_an_order_at_an_extreme_is_filled_by_what_traded_there_and_no_more(
    replay: Replay,
) -> None:
    venue, clock, alice = replay
    # The third bar just reaches 20200, with a part of its 30.
    await alice.limit("SELL", "9", "20200", newClientOrderId="high")
    reached: list[Trade] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Trade) and event.price == 20200 * 10**8:
            reached.append(event)

    venue.exchange.listeners.append(on_event)
    play_until(venue, clock, 8, 0.25)
    found = await alice.signed("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="high")
    assert found.content["status"] == "PARTIALLY_FILLED"
    executed = Decimal(found.content["executedQty"])
    assert 0 < executed < 9
    assert executed == Decimal(sum(trade.qty for trade in reached)) / 10**8
    # The bar is the file's all the same: the client's order took part in its volume.
    assert shown(candles(venue)[2]) == Bar(
        *(figure * 10**8 for figure in (20010, 20200, 20010, 20190, 30))
    )
    assert_conserved(venue)


def prints_of(venue: LocalTestnet) -> list[Trade]:
    """The symbol's trades from now on, as they happen."""
    prints: list[Trade] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Trade) and event.symbol == "BTCUSDT":
            prints.append(event)

    venue.exchange.listeners.append(on_event)
    return prints


async def test_a_large_order_in_the_way_is_filled_part_by_part_before_the_price_moves_on(
    replay: Replay,
) -> None:
    venue, clock, alice = replay
    prints = prints_of(venue)
    statuses = []
    for number in range(5):
        order = await alice.limit("SELL", "2", "20100", newClientOrderId=f"n{number}")
        assert order.content["status"] == "NEW"
    # The third bar would go on to 20200.
    for _ in range(32):
        play_until(venue, clock, 0.25, 0.25)
        book = venue.exchange.engine.books["BTCUSDT"]
        bid, ask = book.bids.best(), book.asks.best()
        assert bid is not None
        assert ask is not None
        assert bid.price < ask.price
        orders = (await alice.signed("GET", "/api/v3/allOrders", symbol="BTCUSDT")).content
        statuses.append([entry["status"] for entry in orders])
        if "FILLED" not in statuses[-1][-1:]:
            assert all(trade.price <= 20100 * 10**8 for trade in prints)
    # One after the other, the oldest first.
    rank = ["NEW", "PARTIALLY_FILLED", "FILLED"].index
    for seen in statuses:
        assert [rank(status) for status in seen] == sorted(map(rank, seen), reverse=True)
    assert any("PARTIALLY_FILLED" in seen for seen in statuses)
    assert statuses[-1] == ["FILLED"] * 5
    fills = (await alice.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT")).content
    assert {fill["price"] for fill in fills} == {"20100.00000000"}
    assert len({fill["time"] for fill in fills}) > 1
    # Whoever is in the way, a bar trades its volume.
    assert [c.volume for c in candles(venue)[: len(BARS)]] == [bar[4] * 10**8 for bar in BARS]
    assert_conserved(venue)


RICH = replace(ALICE, balances={"USDT": Decimal(10**9), "BTC": Decimal(10**5)})


async def test_an_order_larger_than_all_that_trades_holds_the_price_until_it_is_cancelled(
    bars_file: Path,
) -> None:
    clock = ManualClock(NOON_MS)
    async with (
        LocalTestnet(config_for(bars_file, clock, accounts=(RICH,))) as venue,
        aiohttp.ClientSession() as session,
    ):
        alice = Client(venue.url, session, clock, RICH.api_key, RICH.api_secret)
        await alice.limit("SELL", "90", "20100", newClientOrderId="wall")
        play_until(venue, clock, 2.75, 0.25)
        third = candles(venue)[2]
        assert (third.open, third.high, third.close) == (
            20010 * 10**8,
            20100 * 10**8,
            20100 * 10**8,
        )
        by_id = {"symbol": "BTCUSDT", "origClientOrderId": "wall"}
        found = await alice.signed("GET", "/api/v3/order", **by_id)
        assert found.content["status"] == "PARTIALLY_FILLED"
        fills = (await alice.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT")).content
        assert len(fills) > 1
        assert {fill["price"] for fill in fills} == {"20100.00000000"}
        await alice.signed("DELETE", "/api/v3/order", **by_id)
        play_until(venue, clock, 1, 0.25)
        assert shown(candles(venue)[3]) == Bar(*(figure * 10**8 for figure in BARS[3]))
        assert_conserved(venue)


async def test_whoever_is_in_its_way_the_market_trades_its_volume_and_no_more(
    bars_file: Path,
) -> None:
    async def volumes(orders: list[tuple[str, str]]) -> list[int]:
        clock = ManualClock(NOON_MS)
        spec = MarketSpec.parse("synthetic")
        config = config_for(bars_file, clock, market=spec, accounts=(RICH,), seed=3)
        async with LocalTestnet(config) as venue, aiohttp.ClientSession() as session:
            alice = Client(venue.url, session, clock, RICH.api_key, RICH.api_secret)
            play_until(venue, clock, 1, 0.25)
            best = (await alice.get("/api/v3/ticker/bookTicker", symbol="BTCUSDT")).content
            for side, price in orders:
                more = {"side": side, "quantity": "90", "price": best[price]}
                placed = await alice.order(symbol="BTCUSDT", type="LIMIT_MAKER", **more)
                assert placed.status == 200, placed.content
            play_until(venue, clock, 5, 0.25)
            fills = (await alice.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT")).content
            assert len(fills) >= 2 * len(orders)
            assert_conserved(venue)
            return [candle.volume for candle in candles(venue)[1:6]]

    assert await volumes([("BUY", "bidPrice"), ("SELL", "askPrice")]) == await volumes([])


async def test_a_stop_that_the_market_triggers_finds_a_book(replay: Replay) -> None:
    venue, clock, alice = replay
    stop = {"side": "SELL", "type": "STOP_LOSS", "quantity": "0.5", "stopPrice": "19995"}
    placed = await alice.order(symbol="BTCUSDT", newClientOrderId="stop", **stop)
    assert placed.status == 200, placed.content
    play_until(venue, clock, 8, 0.25)
    found = await alice.signed("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="stop")
    assert (found.content["status"], found.content["executedQty"]) == ("FILLED", "0.50000000")
    assert_conserved(venue)


async def test_taking_from_the_book_costs_more_than_the_last_price(replay: Replay) -> None:
    venue, clock, alice = replay
    last = venue.exchange.tapes["BTCUSDT"].last_trade
    assert last is not None
    answer = await alice.market("BUY", quantity="1")
    paid = Decimal(answer.content["cummulativeQuoteQty"])
    assert answer.content["status"] == "FILLED"
    assert paid > Decimal(last.price) / 10**8
    assert len(answer.content["fills"]) > 1
    play_until(venue, clock, 1, 0.25)
    assert_conserved(venue)


async def test_after_the_last_bar_the_book_stays_and_is_renewed(replay: Replay) -> None:
    venue, clock, alice = replay
    play_until(venue, clock, 10, 0.5)
    count = len(venue.exchange.tapes["BTCUSDT"].trades(1000))
    answer = await alice.market("BUY", quantity="1")
    assert answer.content["status"] == "FILLED"
    assert len(venue.exchange.tapes["BTCUSDT"].trades(1000)) == count + len(answer.content["fills"])
    play_until(venue, clock, 2, 1)
    again = await alice.market("BUY", quantity="1")
    assert Decimal(again.content["fills"][0]["price"]) < Decimal(
        answer.content["fills"][-1]["price"]
    )


async def test_the_same_seed_gives_the_same_market(bars_file: Path) -> None:
    async def run(seed: int) -> list[Trade]:
        clock = ManualClock(NOON_MS)
        spec = MarketSpec.parse("synthetic")
        config = config_for(bars_file, clock, market=spec, seed=seed, warmup_bars=5)
        async with LocalTestnet(config) as venue:
            play_until(venue, clock, 5, 0.25)
            assert candles(venue)
            assert candles(venue, symbol="ETHUSDT")
            ids = [trade.trade_id for trade in venue.exchange.tapes["ETHUSDT"].trades(1000)]
            assert ids == list(range(1, len(ids) + 1))
            return venue.exchange.tapes["BTCUSDT"].trades(1000)

    assert await run(1) == await run(1)
    assert await run(1) != await run(2)


async def test_hours_of_market_leave_no_memory_of_finished_orders(bars_file: Path) -> None:
    clock = ManualClock(NOON_MS)
    config = config_for(bars_file, clock, market=MarketSpec.parse("synthetic"))
    async with LocalTestnet(config) as venue:
        play_until(venue, clock, 300, 1)
        for name in ("market-maker", "market-taker"):
            account = venue.exchange.engine.accounts[name]
            assert not account.orders
            assert not account.fills
            assert not account.latest_by_client_id
            assert len(account.working_orders()) <= 80
            assert len(account.working_by_client_id) == len(account.working_orders())
        assert_conserved(venue)


async def test_the_market_moves_by_itself_while_the_venue_is_open(bars_file: Path) -> None:
    config = TestnetConfig(market=MarketSpec.parse("synthetic"), speed=Decimal(6000))
    async with LocalTestnet(config) as venue:
        seen = len(venue.exchange.tapes["BTCUSDT"].trades(1000))
        while len(venue.exchange.tapes["BTCUSDT"].trades(1000)) < seen + 20:
            await config.clock.sleep(0.01)


@pytest.mark.parametrize(
    ("market", "warmup", "problem"),
    [
        ("bars:{path}", 6, "6 bars leave none to play after 6 of warmup"),
        ("bars:{path}@DOGEUSDT", 0, "market symbol DOGEUSDT is not listed here"),
        ("bars:{path}.none", 0, "No such file"),
    ],
)
async def test_a_market_that_cannot_be_played_is_refused_at_the_start(
    bars_file: Path, market: str, warmup: int, problem: str
) -> None:
    config = TestnetConfig(
        market=MarketSpec.parse(market.format(path=bars_file)), warmup_bars=warmup
    )
    with pytest.raises(ValueError, match=problem):
        async with LocalTestnet(config):
            pass
