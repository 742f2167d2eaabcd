"""Books followed over the market streams, at the local exchange.

Venue and adapter share one clock, which stands still until a test moves it, so that what the
venue's book was at every moment is known. Whatever is served is held against that.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from otonom_trader.brokers.binance.books.followed_book import FollowedBook
from otonom_trader.brokers.binance.books.market_streams import MarketStreams
from otonom_trader.brokers.binance.books.stream_socket import StreamSocket
from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.choices import FOLLOWED
from otonom_trader.brokers.binance.market_data import BinanceMarketData, MarketReader
from otonom_trader.brokers.binance.shadow import BinanceShadow
from otonom_trader.brokers.binance.transport.ws_connect import HandshakeRefused
from otonom_trader.domain.market import Book, Level, MarketSnapshot
from otonom_trader.domain.order import OrderRequest
from otonom_trader.domain.symbol import Symbol
from otonom_trader.testnet import LocalTestnet, ManualClock, MarketSpec, RateLimits, TestnetConfig
from otonom_trader.testnet.amounts import format_amount
from tests.brokers.binance.test_against_testnet import MAKER, TRADER, limit

NOON_MS = 1_790_035_200_000
SECOND = 1_000_000_000
PATIENCE_SECONDS = 20
DEPTH = 100
BTC = "BTCUSDT"
STREAM = "btcusdt@depth@100ms"
UNLIMITED = RateLimits(10**9, 10**9, 10**9, 10**9, connections_per_5_minutes=10**6)


class OneClock:
    """The venue's own clock, as the adapter reads it."""

    def __init__(self) -> None:
        self.venue = ManualClock(NOON_MS)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.venue.time_ms() / 1000, UTC)

    def monotonic_ns(self) -> int:
        return 1_000 * SECOND + (self.venue.time_ms() - NOON_MS) * 1_000_000

    async def sleep(self, seconds: float) -> None:
        await self.venue.sleep(seconds)


async def turn() -> None:
    """Let everything that is ready run once."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_soon(passed.set)
    await passed.wait()


async def turns(count: int = 100) -> None:
    """Let what was sent over loopback arrive."""
    for _ in range(count):
        await turn()


@dataclass(frozen=True)
class Was:
    """A book of the venue's, and until when it was that."""

    book: Book
    until_ns: int


@dataclass
class Stage:
    venue: LocalTestnet
    clock: OneClock
    data: MarketReader
    maker: BinanceBroker
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Depths asked for over REST: symbol and levels."""
    history: dict[str, list[Was]] = field(default_factory=dict)
    random: Random = field(default_factory=lambda: Random(3))  # noqa: S311

    @property
    def streams(self) -> MarketStreams:
        assert self.data._streams is not None
        return self.data._streams

    @property
    def socket(self) -> StreamSocket:
        socket = self.streams._keeper.current
        assert socket is not None
        return socket

    @property
    def snapshots(self) -> int:
        """How many books were made from a snapshot."""
        return sum(levels == "1000" for _, levels in self.asked)

    @property
    def read(self) -> int:
        """How many books were answered over REST."""
        return len(self.asked) - self.snapshots

    def followed(self, symbol: str = BTC) -> FollowedBook:
        return self.streams._books[symbol]

    def truth(self, symbol: str = BTC, count: int = DEPTH) -> Book:
        book = self.venue.exchange.engine.books[symbol]
        bids, asks = (
            tuple(
                Level(Decimal(format_amount(level.price)), Decimal(format_amount(level.qty)))
                for level in list(side)[:count]
            )
            for side in (book.bids, book.asks)
        )
        return Book(bids, asks)

    def note(self) -> None:
        """Remember what the venue's books are now."""
        now_ns = self.clock.monotonic_ns()
        for symbol in self.streams._books:
            self.history.setdefault(symbol, []).append(Was(self.truth(symbol), now_ns))

    def advance(self, seconds: float) -> None:
        """Move time; until then the venue's books stay what they are."""
        books = {symbol: self.truth(symbol) for symbol in self.streams._books}
        self.clock.venue.advance(seconds)
        for symbol, book in books.items():
            self.history.setdefault(symbol, []).append(Was(book, self.clock.monotonic_ns()))

    async def step(self, seconds: float = 0.1) -> None:
        self.advance(seconds)
        await turns()

    async def until(self, condition: Callable[[], object], *, stepping: bool = False) -> None:
        """Wait for what happens over loopback, and where `stepping` with time."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                if stepping:
                    await self.step()
                else:
                    await turn()

    async def act(self) -> None:
        """Change the book: an order that rests, or all of them go."""
        if self.random.random() < 0.1:
            for order in await self.maker.get_open_orders():
                assert order.client_order_id is not None
                await self.maker.cancel_order(order.client_order_id, BTC)
                self.note()
            return
        side = self.random.choice(["BUY", "SELL"])
        price = 20_000 + self.random.randint(1, 30) * (-1 if side == "BUY" else 1)
        await self.place(side, f"0.{self.random.randint(1, 9)}", str(price))

    async def place(self, side: str, qty: str, price: str, symbol: str = BTC) -> None:
        order = replace(limit(side, qty, price), symbol=symbol)
        result = await self.maker.place_order(order)
        assert result.ok, result.message
        self.note()

    async def ask(self, symbol: str = BTC) -> MarketSnapshot:
        """Ask for the market as a decision does, and hold the answer against the truth."""
        snapshot = await self.data.get_market(symbol)
        self.hold(snapshot, symbol)
        return snapshot

    def hold(self, snapshot: MarketSnapshot, symbol: str = BTC) -> None:
        """The venue's book was this one when it says so or later, and that is not long ago."""
        now_ns = self.clock.monotonic_ns()
        assert 0 <= now_ns - snapshot.taken_ns <= SECOND
        was = self.history.get(symbol, [])
        true_since = [one.book for one in was if one.until_ns >= snapshot.taken_ns]
        assert snapshot.book in [*true_since, self.truth(symbol)], "a book the venue had not then"
        age_seconds = (self.clock.now() - snapshot.taken_at).total_seconds()
        assert age_seconds == pytest.approx((now_ns - snapshot.taken_ns) / 1e9, abs=1e-4)

    def is_served_locally(self, symbol: str = BTC) -> bool:
        return self.streams.look(symbol, DEPTH) is not None

    async def agree(self, symbol: str = BTC) -> None:
        """The local book comes to equal the venue's, as soon as the venue has told all of it.

        One that is not known to be fresh, as when a busy machine answered late, is asked for until
        it is: only a book that is served can be a wrong one.
        """
        behind = 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while behind < 5:
                found = self.streams.look(symbol, DEPTH)
                if found is None:
                    await self.ask(symbol)
                elif found.book == self.truth(symbol):
                    return
                else:
                    behind += 1
                await self.step()
        raise AssertionError(f"{symbol} is another book than the venue's")

    async def follow(self, *symbols: str) -> None:
        for symbol in symbols or [BTC]:
            await self.ask(symbol)
        for symbol in symbols or [BTC]:
            await self.until(partial(self.is_served_locally, symbol), stepping=True)

    def fault(self, name: str, **more: Any) -> None:
        self.venue.faults.add({"path": STREAM, "fault": name, "count": 1} | more)


def watch_depths(stage: Stage) -> None:
    """Write down every depth that the adapter asks for over REST."""
    get = stage.data._reader.get

    async def noted(path: str, params: Any = ()) -> Any:
        if path == "/api/v3/depth":
            named = dict(params)
            stage.asked.append((named["symbol"], named["limit"]))
        return await get(path, params)

    stage.data._reader.get = noted  # type: ignore[method-assign]


@asynccontextmanager
async def opened(
    market: MarketSpec | None = None,
    *,
    timeout_seconds: float = 5.0,
    exchange_info: Path | None = None,
) -> AsyncIterator[Stage]:
    """A venue, and market data that runs; one pair of quotes where nobody else trades."""
    clock = OneClock()
    config = TestnetConfig(
        accounts=(TRADER, MAKER),
        market=market or MarketSpec("empty"),
        limits=UNLIMITED,
        clock=clock.venue,
        exchange_info=exchange_info,
        seed=7,
    )
    async with (
        LocalTestnet(config) as venue,
        BinanceMarketData(
            venue.url, clock=clock, timeout_seconds=timeout_seconds, market_data=FOLLOWED
        ) as data,
        BinanceBroker(MAKER.api_key, MAKER.api_secret, venue.url, clock=clock) as maker,
        asyncio.TaskGroup() as tasks,
    ):
        running = tasks.create_task(data.run(lambda event: None))
        stage = Stage(venue, clock, data, maker)
        watch_depths(stage)
        if market is None:
            await stage.place("BUY", "1", "19000")
            await stage.place("SELL", "1", "21000")
        yield stage
        running.cancel()


async def test_a_synthetic_market_is_followed_at_every_step() -> None:
    async with opened(MarketSpec("synthetic")) as stage:
        await stage.follow(BTC, "ETHUSDT")
        asked = len(stage.asked)
        for _ in range(100):
            await stage.step()
            for symbol in (BTC, "ETHUSDT"):
                await stage.agree(symbol)
                assert (await stage.ask(symbol)).book == stage.truth(symbol)
        assert len(stage.asked) == asked, "all of it from the streams"


async def test_two_who_trade_are_followed_at_every_step() -> None:
    async with opened() as stage:
        await stage.follow()
        for _ in range(100):
            await stage.act()
            await stage.step()
            assert (await stage.ask()).book == stage.truth()
        assert stage.snapshots == 1


async def test_the_recorded_books_are_followed_at_every_step(shared_data: Path) -> None:
    folder = shared_data / "market" / "book-2021-10-12"
    recorded = MarketSpec("book", folder / "rest.txt", stream_path=folder / "stream.txt")
    symbols = ("NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR")
    compared = 0
    async with opened(recorded) as stage:
        await stage.follow(*symbols)
        for _ in range(300):
            await stage.step()
            for symbol in symbols:
                snapshot = await stage.ask(symbol)
                compared += snapshot.book == stage.truth(symbol)
                assert stage.followed(symbol).is_made
        for symbol in symbols:
            await stage.ask(symbol)
            await stage.agree(symbol)
        # A recorded event may fall between two ticks of the stream: then it comes with the next.
        assert compared > 1000
        assert stage.snapshots == len(symbols)


@pytest.mark.parametrize(
    "fault",
    [
        {"name": "drop"},
        {"name": "drop", "on_event": True},
        {"name": "drop", "count": None, "seconds": 3},
        {"name": "silence"},
        {"name": "duplicate", "count": 5},
        {"name": "reorder", "count": 3},
        {"name": "delay", "ms": 300},
        {"name": "delay", "ms": 3000},
        {"name": "delay", "ms": 8000},
        {"name": "delay", "ms": 2000, "count": 50},
        {"name": "omit"},
        {"name": "omit", "count": None, "probability": 0.3},
        {"name": "server_shutdown"},
    ],
    ids=str,
)
async def test_whatever_befalls_the_stream_nothing_stale_is_served(fault: dict[str, Any]) -> None:
    """And once it is over the book is followed again, equal to the venue's."""
    async with opened(timeout_seconds=2.0) as stage:
        await stage.follow()
        for number in range(130):
            if number == 10:
                stage.fault(**fault)
            if number == 100:
                stage.venue.faults.end_all()
            await stage.act()
            await stage.step()
            await stage.ask()
        # A connection that is silent is given up only when an answer is overdue.
        await stage.until(stage.is_served_locally, stepping=True)
        for _ in range(20):
            await stage.act()
            await stage.step()
            await stage.agree()
            assert (await stage.ask()).book == stage.truth()


async def test_a_duplicated_event_changes_nothing() -> None:
    async with opened() as stage:
        await stage.follow()
        stage.fault("duplicate", count=20)
        for _ in range(20):
            await stage.act()
            await stage.step()
            await stage.agree()
        assert stage.snapshots == 1


@pytest.mark.parametrize("fault", ["omit", "reorder"])
async def test_a_gap_is_noticed_and_the_book_made_anew(fault: str) -> None:
    async with opened() as stage:
        await stage.follow()
        stage.fault(fault)
        for price in ("20010", "20011", "20012"):
            await stage.place("SELL", "0.1", price)
            await stage.step()
        await stage.until(lambda: stage.snapshots == 2, stepping=True)
        await stage.agree()


async def test_a_connection_is_replaced_without_a_gap() -> None:
    """The venue says that it will close it: the next one is subscribed before, nothing is missed.

    Source: promises.md, fault 22.
    """
    async with opened() as stage:
        await stage.follow()
        asked, first = len(stage.asked), stage.socket
        stage.fault("server_shutdown", ms=1000)
        for _ in range(60):
            await stage.act()
            await stage.step()
            assert (await stage.ask()).book == stage.truth()
        assert stage.socket is not first
        assert not first.is_open
        assert len(stage.asked) == asked, "nothing was missed, so that nothing had to be read"


async def test_a_connection_is_replaced_before_its_day_is_over_without_a_gap() -> None:
    async with opened() as stage:
        stage.streams._keeper._life_seconds = 0.05
        await stage.follow()
        sockets = {stage.socket}
        asked = len(stage.asked)
        while len(sockets) < 4:
            await stage.act()
            await stage.step()
            assert (await stage.ask()).book == stage.truth()
            sockets.add(stage.socket)
        assert len(stage.asked) == asked
        stage.streams._keeper._life_seconds = 3600
        await stage.until(
            lambda: [one for one in sockets | {stage.socket} if one.is_open] == [stage.socket],
            stepping=True,
        )


async def test_the_connection_before_is_kept_while_the_two_may_be_out_of_step() -> None:
    async with opened() as stage:
        await stage.follow()
        first = stage.socket
        first.replace("a test wants it")
        await stage.until(lambda: stage.socket is not first, stepping=True)
        for _ in range(19):
            await stage.step()
            assert first.is_open
        await stage.until(lambda: not first.is_open, stepping=True)


async def test_what_was_missed_without_a_connection_is_not_waited_for() -> None:
    async with opened() as stage:
        await stage.place("BUY", "1", "1000", "ETHUSDT")
        await stage.follow(BTC, "ETHUSDT")
        first = stage.socket
        stage.fault("drop")
        await stage.until(lambda: not first.is_open)
        await stage.place("BUY", "2", "1001", "ETHUSDT")
        await stage.until(lambda: stage.socket is not first, stepping=True)
        second = stage.socket
        await stage.until(lambda: stage.followed("ETHUSDT").is_made, stepping=True)
        for _ in range(80):
            await stage.step()
            await stage.ask("ETHUSDT")
        assert stage.socket is second
        await stage.agree("ETHUSDT")


async def test_a_lost_connection_is_opened_again_with_patience() -> None:
    async with opened() as stage:
        await stage.follow()
        stage.venue.faults.add({"path": "/stream", "fault": "drop_before", "seconds": 10})
        told: list[str] = []
        stage.streams.on_lost = told.append
        stage.streams.on_resumed = lambda: told.append("resumed")
        stage.fault("drop")
        await stage.until(lambda: not stage.socket.is_open)
        await stage.until(lambda: told == ["the connection was closed"])
        attempts: list[int] = []
        connect = stage.streams._keeper._connect

        async def noted() -> StreamSocket:
            attempts.append(stage.clock.monotonic_ns())
            return await connect()

        stage.streams._keeper._connect = noted
        for _ in range(300):
            await stage.step()
            await stage.ask()
        assert stage.socket.is_open
        assert stage.is_served_locally()
        assert len(attempts) >= 4
        assert told[-1] == "resumed"
        assert len(told) == 1 + len(attempts), "the loss, each attempt that failed, and the end"
        for number, (earlier, later) in enumerate(pairwise(attempts)):
            assert 2**number / 2 <= (later - earlier) / SECOND <= 2**number + 0.2
        await stage.agree()


async def test_a_quiet_symbol_is_proven_by_rest_once_a_second() -> None:
    """Nothing comes of it, alive or dead: only an answer of the venue tells."""
    async with opened() as stage:
        await stage.follow(BTC, "ETHUSDT")
        before = stage.read
        for _ in range(100):
            await stage.act()
            await stage.step()
            await stage.ask("ETHUSDT")
        assert 9 <= stage.read - before <= 11
        assert stage.snapshots == 2


async def test_an_event_of_a_quiet_symbol_that_never_comes_is_missed() -> None:
    """Other symbols are told of: the connection is alive, and yet the book is another."""
    async with opened() as stage:
        await stage.place("BUY", "1", "1000", "ETHUSDT")
        await stage.follow(BTC, "ETHUSDT")
        first = stage.socket
        stage.fault("omit", path="ethusdt@depth@100ms")
        await stage.place("BUY", "2", "1001", "ETHUSDT")
        for _ in range(120):
            await stage.act()
            await stage.step()
            await stage.ask("ETHUSDT")
        assert (await stage.ask("ETHUSDT")).book == stage.truth("ETHUSDT")
        assert stage.socket is not first
        await stage.until(lambda: stage.followed("ETHUSDT").is_made, stepping=True)
        await stage.ask("ETHUSDT")
        await stage.agree("ETHUSDT")


async def test_a_connection_over_which_nothing_comes_is_asked_whether_it_lives() -> None:
    async with opened(timeout_seconds=0.3) as stage:
        await stage.follow()
        first = stage.socket
        for _ in range(120):
            await stage.step()
        assert stage.socket is first, "it has answered"
        stage.fault("silence")
        await stage.until(lambda: stage.socket is not first, stepping=True)
        await stage.until(lambda: stage.followed().is_made, stepping=True)


async def test_a_venue_whose_clock_is_wrong_is_not_believed() -> None:
    for skew_ms in (-5_000, 5_000):
        async with opened() as stage:
            await stage.follow()
            before = stage.read
            stage.venue._clock.skew_ms = skew_ms
            for _ in range(50):
                await stage.act()
                await stage.step()
                await stage.ask()
            assert stage.read - before >= 4, "by its updates alone no book is proven"
            stage.advance(600)  # the venue's clock is read again
            for _ in range(30):
                await stage.act()
                await stage.step()
                await stage.ask()
            before = stage.read
            for _ in range(30):
                await stage.act()
                await stage.step()
                assert (await stage.ask()).book == stage.truth()
            assert stage.read == before


async def test_a_snapshot_that_cannot_be_read_is_read_later() -> None:
    async with opened() as stage:
        stage.venue.faults.add({"path": "/api/v3/depth", "fault": "http_503", "count": 3})
        stage.streams.find(BTC, DEPTH)
        await stage.until(lambda: stage.snapshots == 1)
        assert not stage.followed().is_made
        await stage.until(stage.is_served_locally, stepping=True)
        assert stage.snapshots == 4
        await stage.agree()


async def test_marks_come_from_the_books_where_all_are_followed() -> None:
    symbols = [Symbol("BTC", "USDT"), Symbol("ETH", "USDT")]
    async with opened(MarketSpec("synthetic")) as stage:
        await stage.data.get_marks(symbols)
        assert not stage.streams._books, "a holding alone is not followed"
        await stage.follow(BTC)
        await stage.step()
        over_rest = await stage.data.get_marks([*symbols, Symbol("NO", "SUCH")])
        await stage.follow("ETHUSDT")

        async def fail(path: str, params: object = ()) -> None:
            raise AssertionError(path)

        stage.data._reader.get = fail  # type: ignore[method-assign,assignment]
        await stage.step()
        marks = await stage.data.get_marks([*symbols, Symbol("NO", "SUCH")])
        assert marks.keys() == over_rest.keys() == set(symbols)
        for symbol in symbols:
            quote = stage.truth(symbol.base + symbol.quote).quote
            assert quote is not None
            assert marks[symbol] == quote.mid


async def test_a_shadows_fill_is_walked_on_a_book_from_after_the_acknowledgement() -> None:
    async with (
        opened() as stage,
        BinanceShadow(
            TRADER.api_key,
            TRADER.api_secret,
            stage.venue.url,
            clock=stage.clock,
            market_data=FOLLOWED,
        ) as shadow,
        asyncio.TaskGroup() as tasks,
    ):
        running = tasks.create_task(shadow.run(lambda event: None))
        stage.data = shadow
        stage.asked.clear()
        watch_depths(stage)
        await stage.follow()
        await stage.step()
        await stage.place("SELL", "0.5", "20500")
        assert stage.is_served_locally(), "a book that does not know the order yet"
        before = stage.read
        result = await shadow.place_order(OrderRequest(BTC, "BUY", "0.1"))
        assert [fill.price for fill in result.fills] == [20500]
        assert stage.read == before + 1
        running.cancel()


async def test_live_follows_markets_beside_its_account() -> None:
    async with (
        opened() as stage,
        BinanceBroker(
            TRADER.api_key,
            TRADER.api_secret,
            stage.venue.url,
            clock=stage.clock,
            market_data=FOLLOWED,
        ) as live,
        asyncio.TaskGroup() as tasks,
    ):
        running = tasks.create_task(live.run(lambda event: None))
        stage.data = live
        await stage.follow()
        await stage.act()
        await stage.step()
        await stage.agree()
        running.cancel()


async def test_a_run_that_ends_leaves_nothing_behind() -> None:
    async with opened() as stage:
        before = asyncio.all_tasks()
        async with BinanceMarketData(
            stage.venue.url, clock=stage.clock, market_data=FOLLOWED
        ) as data:
            running = asyncio.get_running_loop().create_task(data.run(lambda event: None))
            stage.data = data
            await stage.follow()
            first = stage.socket
            first.replace("a test wants it")
            await stage.until(lambda: stage.socket is not first, stepping=True)
            sockets = [first, stage.socket]
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        await turns()
        assert [socket for socket in sockets if socket.is_open] == []
        ours = {
            "Keeper",
            "KeptSocket",
            "StreamSocket",
            "MarketStreams",
            "Connection",
            "MarketReader",
        }
        names = [str(task.get_coro()) for task in asyncio.all_tasks() - before]
        assert [name for name in names if any(f" {one}." in name for one in ours)] == []


async def test_without_a_run_nothing_is_connected() -> None:
    async with (
        opened() as stage,
        BinanceMarketData(stage.venue.url, clock=stage.clock, market_data=FOLLOWED) as data,
    ):
        stage.data = data
        for _ in range(3):
            await stage.ask()
            await stage.step()
        assert stage.streams._keeper.current is None
        assert not stage.is_served_locally()


async def test_nothing_is_connected_before_a_symbol_is_asked_for() -> None:
    async with opened() as stage:
        for _ in range(30):
            await stage.step()
        assert stage.streams._keeper.current is None
        await stage.follow()


async def test_symbols_are_subscribed_as_they_are_asked_for_and_not_too_fast(
    shared_data: Path,
) -> None:
    async with opened(exchange_info=shared_data / "exchangeInfo-2025-08-07.json") as stage:
        await stage.follow()
        first = stage.socket
        symbols = [name for name, rules in stage.venue.exchange.engine.rules.items()][:20]
        for symbol in symbols:
            await stage.ask(symbol)
            await turns()
        await stage.until(lambda: len(first.streams) >= 20, stepping=True)
        assert stage.socket is first, "the venue closes on whoever sends too fast"
        assert first.is_open


async def test_what_nobody_asks_for_is_left_behind_with_its_connection() -> None:
    async with opened() as stage:
        await stage.follow(BTC, "ETHUSDT")
        stage.advance(3_600)
        await turns()
        await stage.until(lambda: stage.socket.is_open, stepping=True)
        await stage.ask(BTC)
        first = stage.socket
        stage.socket.replace("a test wants it")
        await stage.until(lambda: stage.socket is not first, stepping=True)
        assert stage.socket.streams == {STREAM}
        assert list(stage.streams._books) == [BTC]


async def test_more_symbols_than_can_be_followed_are_read_over_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("otonom_trader.brokers.binance.books.market_streams._MOST_SYMBOLS", 1)
    async with opened() as stage:
        await stage.follow(BTC)
        for _ in range(3):
            before = stage.read
            await stage.ask("ETHUSDT")
            assert stage.read == before + 1


async def test_a_book_deeper_than_is_followed_is_read_over_rest() -> None:
    async with opened() as stage:
        assert stage.streams.find(BTC, 501) is None
        assert not stage.streams._books


@pytest.mark.parametrize("fault", ["redirect", "html_403", "http_503"])
async def test_a_handshake_that_is_refused_leads_nowhere_else(fault: str) -> None:
    async with opened() as stage:
        stage.venue.faults.add({"path": "/stream", "fault": fault, "count": 1})
        with pytest.raises(HandshakeRefused) as refusal:
            await stage.streams._connect()
        assert refusal.value.status == {"redirect": 307, "html_403": 403, "http_503": 503}[fault]


async def test_a_ban_is_heeded_by_streams_and_rest_alike() -> None:
    async with opened() as stage:
        stage.venue.faults.add({"path": "/stream", "fault": "ban_418", "count": 1})
        with pytest.raises(HandshakeRefused):
            await stage.streams._connect()
        for asking in (stage.streams._connect(), stage.data.get_market("ETHUSDT")):
            with pytest.raises(Exception, match="after HTTP 418 Binance takes no requests"):
                await asking


async def test_this_machine_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with opened() as stage:
        await stage.follow()


@pytest.mark.parametrize("market_data", ["", "REST", "stream"])
def test_market_data_comes_from_rest_or_streams(market_data: str) -> None:
    with pytest.raises(ValueError, match="market_data must be one of rest, streams"):
        BinanceMarketData("http://127.0.0.1:1", market_data=market_data)
