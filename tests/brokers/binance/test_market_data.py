from decimal import Decimal

import pytest

from otonom_trader.brokers.binance.errors import MismatchedReply, Unreadable
from otonom_trader.brokers.binance.market_data import BinanceMarketData
from otonom_trader.domain.errors import NotListed, OutcomeUnknown, Rejected
from otonom_trader.domain.market import Level
from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol
from tests.brokers.binance.conftest import BTCUSDT, SteppedClock, StubVenue, answer, refuse

INFO = "/api/v3/exchangeInfo"
BTC = Symbol("BTC", "USDT")
ETH = Symbol("ETH", "USDT")


def market(venue: StubVenue, clock: SteppedClock | None = None) -> BinanceMarketData:
    return BinanceMarketData(venue.url, renames={"BTC-USD": "BTC-USDT"}, clock=clock)


def listed(venue: StubVenue, *infos: dict[str, object]) -> None:
    venue.on("GET", INFO, answer(200, {"rateLimits": [], "exchangeFilters": [], "symbols": infos}))


@pytest.mark.parametrize(
    "text", ["BTCUSDT", "btcusdt", "BTC-USDT", "btc/usdt", "BTC_USDT", " btc:usdt ", "BTC-USD"]
)
async def test_a_symbol_is_found_however_it_is_written(venue: StubVenue, text: str) -> None:
    async with market(venue) as data:
        instrument = await data.get_instrument(text)
    assert instrument.venue_symbol == "BTCUSDT"
    assert instrument.symbol == BTC
    assert venue.requests[0].params == {"symbol": "BTCUSDT"}


@pytest.mark.parametrize("renamed", ["BTCUSD", "btc/usd", "BTC_USD"])
async def test_a_rename_holds_for_every_spelling(venue: StubVenue, renamed: str) -> None:
    async with market(venue) as data:
        assert (await data.get_instrument(renamed)).symbol == BTC


async def test_base_and_quote_are_the_venues_own(venue: StubVenue) -> None:
    listed(venue, BTCUSDT | {"symbol": "ABCDAI", "baseAsset": "ABCD", "quoteAsset": "AI"})
    async with market(venue) as data:
        assert (await data.get_instrument("ABCDAI")).symbol == Symbol("ABCD", "AI")
        with pytest.raises(NotListed):
            await data.get_instrument("ABC-DAI")


@pytest.mark.parametrize(
    "text",
    ["DOGE-XYZ", "DOGEXYZ", "", "-", "BTC--USDT", "BTC-USDT-X", "BTC.USDT", "\0", "x" * 10_000],
)
async def test_what_is_not_listed_is_not_tradable(venue: StubVenue, text: str) -> None:
    async with market(venue) as data:
        with pytest.raises(Rejected, match="is not tradable here") as refusal:
            await data.get_instrument(text)
    assert len(str(refusal.value)) < 100
    assert str(refusal.value).isprintable()


async def test_a_symbol_is_read_once_an_hour(venue: StubVenue) -> None:
    clock = SteppedClock()
    async with market(venue, clock) as data:
        for text in ("BTCUSDT", "BTC-USDT", "btc/usdt"):
            await data.get_instrument(text)
        clock.advance(3_599)
        await data.get_instrument("BTCUSDT")
        assert len(venue.seen("GET", INFO)) == 1
        clock.advance(2)
        await data.get_instrument("BTCUSDT")
    assert len(venue.seen("GET", INFO)) == 2


async def test_a_halt_is_looked_at_again_after_seconds(venue: StubVenue) -> None:
    clock = SteppedClock()
    listed(venue, BTCUSDT | {"status": "HALT"})
    async with market(venue, clock) as data:
        halted = await data.get_instrument("BTCUSDT")
        assert (halted.tradable, halted.status) == (False, "HALT")
        listed(venue, BTCUSDT)
        clock.advance(6)
        assert (await data.get_instrument("BTCUSDT")).tradable


async def test_what_is_not_listed_is_asked_for_once_a_minute(venue: StubVenue) -> None:
    clock = SteppedClock()
    async with market(venue, clock) as data:
        for _ in range(3):
            with pytest.raises(NotListed):
                await data.get_instrument("DOGEXYZ")
        assert len(venue.seen("GET", INFO)) == 1
        listed(venue, BTCUSDT | {"symbol": "DOGEXYZ", "baseAsset": "DOGE", "quoteAsset": "XYZ"})
        clock.advance(61)
        assert (await data.get_instrument("DOGEXYZ")).tradable


async def test_a_venue_that_answers_for_another_symbol_is_not_believed(venue: StubVenue) -> None:
    listed(venue, BTCUSDT | {"symbol": "ETHUSDT"})
    async with market(venue) as data:
        with pytest.raises(MismatchedReply):
            await data.get_instrument("BTCUSDT")


async def test_rules_that_cannot_be_read_are_not_made_up(venue: StubVenue) -> None:
    venue.on("GET", INFO, answer(503, b""))
    async with market(venue) as data:
        with pytest.raises(OutcomeUnknown):
            await data.get_instrument("BTCUSDT")


async def test_a_book_is_read_exactly(venue: StubVenue) -> None:
    venue.on(
        "GET",
        "/api/v3/depth",
        answer(
            200,
            {
                "lastUpdateId": 1,
                "bids": [["4.00000000", "431.00000000"], ["3.99000000", "9.00000000"]],
                "asks": [["4.00000200", "12.00000000"]],
            },
        ),
    )
    clock = SteppedClock()
    before_ns = clock.monotonic_ns()
    async with market(venue, clock) as data:
        snapshot = await data.get_market("BTC-USDT")
    assert snapshot.symbol == BTC
    assert snapshot.book.bids == (
        Level(Decimal(4), Decimal(431)),
        Level(Decimal("3.99"), Decimal(9)),
    )
    assert snapshot.reference(Side.BUY) == Decimal("4.000002")
    assert snapshot.mark == Decimal("4.000001")
    assert before_ns < snapshot.taken_ns < clock.monotonic_ns()
    assert venue.seen("GET", "/api/v3/depth")[0].params == {"symbol": "BTCUSDT", "limit": "100"}


async def test_the_depth_that_is_read_can_be_chosen(venue: StubVenue) -> None:
    venue.on("GET", "/api/v3/depth", answer(200, {"lastUpdateId": 1, "bids": [], "asks": []}))
    async with BinanceMarketData(venue.url, depth_limit=20) as data:
        assert (await data.get_market("BTCUSDT")).mark is None
    assert venue.seen("GET", "/api/v3/depth")[0].params["limit"] == "20"


@pytest.mark.parametrize("depth_limit", [0, -1, 5_001])
def test_a_depth_the_venue_does_not_serve_is_refused(depth_limit: int) -> None:
    with pytest.raises(ValueError, match="depth_limit"):
        BinanceMarketData("http://127.0.0.1:1", depth_limit=depth_limit)


@pytest.mark.parametrize(
    "book",
    [
        {"bids": [["1", "1"], ["2", "1"]], "asks": []},
        {"bids": [], "asks": [["2", "1"], ["1", "1"]]},
        {"bids": [["2", "1"]], "asks": [["2", "1"]]},
        {"bids": [["NaN", "1"]], "asks": []},
        {"bids": [["1", "-1"]], "asks": []},
        {"bids": [["0", "1"]], "asks": []},
        {"bids": [["1"]], "asks": []},
        {"bids": [[1.0, "1"]], "asks": []},
        {"bids": []},
    ],
    ids=str,
)
async def test_a_book_that_cannot_be_is_not_used(venue: StubVenue, book: dict[str, object]) -> None:
    venue.on("GET", "/api/v3/depth", answer(200, {"lastUpdateId": 1} | book))
    async with market(venue) as data:
        with pytest.raises(Unreadable):
            await data.get_market("BTCUSDT")


def tickers(*rows: tuple[str, str, str]) -> list[dict[str, str]]:
    return [
        {"symbol": name, "bidPrice": bid, "bidQty": "1", "askPrice": ask, "askQty": "1"}
        for name, bid, ask in rows
    ]


async def test_marks_are_read_in_one_call(venue: StubVenue) -> None:
    venue.then(
        "GET", INFO, answer(200, {"rateLimits": [], "exchangeFilters": [], "symbols": [BTCUSDT]})
    )
    venue.then(
        "GET",
        INFO,
        answer(
            200,
            {
                "rateLimits": [],
                "exchangeFilters": [],
                "symbols": [BTCUSDT | {"symbol": "ETHUSDT", "baseAsset": "ETH"}],
            },
        ),
    )
    venue.on(
        "GET",
        "/api/v3/ticker/bookTicker",
        answer(200, tickers(("BTCUSDT", "4.0", "4.1"), ("ETHUSDT", "0.0", "1.0"))),
    )
    async with market(venue) as data:
        marks = await data.get_marks([BTC, ETH, Symbol("NO", "SUCH"), Symbol("BTC", "USD")])
    assert marks == {BTC: Decimal("4.05"), Symbol("BTC", "USD"): Decimal("4.05")}
    asked = venue.seen("GET", "/api/v3/ticker/bookTicker")
    assert [request.params["symbols"] for request in asked] == ['["BTCUSDT","ETHUSDT"]']


async def test_marks_of_nothing_need_no_call(venue: StubVenue) -> None:
    async with market(venue) as data:
        assert await data.get_marks([]) == {}
        assert await data.get_marks([Symbol("NO", "SUCH")]) == {}
    assert venue.seen("GET", "/api/v3/ticker/bookTicker") == []


async def test_a_symbol_that_was_delisted_is_forgotten(venue: StubVenue) -> None:
    venue.on("GET", "/api/v3/ticker/bookTicker", refuse(400, -1121, "Invalid symbol."))
    async with market(venue) as data:
        with pytest.raises(Rejected):
            await data.get_marks([BTC])
        venue.on("GET", INFO, refuse(400, -1121, "Invalid symbol."))
        assert await data.get_marks([BTC]) == {}


async def test_market_data_carries_no_key(venue: StubVenue) -> None:
    async with market(venue) as data:
        await data.get_instrument("BTCUSDT")
    assert "x-mbx-apikey" not in venue.requests[0].headers
    assert "cookie" not in venue.requests[0].headers


@pytest.mark.parametrize(
    "body",
    [b"x" * 100, b'{"symbols":[]}', b'{"symbols":[{"symbol":"BTCUSDT"}]}', b"[]"],
)
async def test_rules_as_nobody_documents_them_are_not_used(venue: StubVenue, body: bytes) -> None:
    venue.on("GET", INFO, answer(200, body))
    async with market(venue) as data:
        with pytest.raises(OutcomeUnknown):
            await data.get_instrument("BTCUSDT")
