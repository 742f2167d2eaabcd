"""Public market data: instruments, books and marks, without a key."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from itertools import chain
from operator import gt as falling
from operator import lt as rising
from typing import Final, Self

import msgspec

from otonom_trader.brokers.binance.books.followed_book import ProvenBook
from otonom_trader.brokers.binance.books.market_streams import MarketStreams
from otonom_trader.brokers.binance.choices import ASKED, FOLLOWED, MARKET_DATA
from otonom_trader.brokers.binance.errors import (
    FILTER_CODES,
    NotTrading,
    Reply,
    Unreadable,
    check,
)
from otonom_trader.brokers.binance.hosts import parse_base_url
from otonom_trader.brokers.binance.rules.listing import Listing
from otonom_trader.brokers.binance.rules.prices import FilterPrices
from otonom_trader.brokers.binance.transport.rest import PublicTransport
from otonom_trader.brokers.binance.transport.weights import BOOK_TICKER, DEPTH
from otonom_trader.brokers.binance.wire import BookTicker, Depth, number, numbers, read
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotListed
from otonom_trader.domain.market import Book, Instrument, Level, MarketSnapshot
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.venue_event import (
    Banned,
    BooksLost,
    BooksResumed,
    ClockOff,
    VenueEvent,
)

DEFAULT_DEPTH: Final = 100  # levels; the most that weighs 5
MAX_DEPTH: Final = 5_000

_depth = msgspec.json.Decoder(Depth)
_tickers = msgspec.json.Decoder(list[BookTicker])


class MarketReader:
    """Reads markets over a transport; the part all Binance classes share.

    With `market_data` ``streams`` a symbol is followed from when its market is first asked for, and
    answered from there whenever its book is known to be fresh.
    """

    def __init__(
        self,
        transport: PublicTransport,
        renames: Mapping[str, str] | None,
        depth_limit: int,
        market_data: str = ASKED,
    ) -> None:
        if market_data not in MARKET_DATA:
            known = ", ".join(MARKET_DATA)
            raise ValueError(f"market_data must be one of {known}, not {market_data!r}")
        if not 1 <= depth_limit <= MAX_DEPTH:
            raise ValueError(f"depth_limit must be 1 to {MAX_DEPTH}, not {depth_limit}")
        self._reader = transport
        self._clock = transport.clock
        self._listing = Listing(transport, renames)
        self._prices = FilterPrices(transport)
        self._depth_limit = depth_limit
        self._streams = MarketStreams(transport) if market_data == FOLLOWED else None

    async def get_instrument(self, symbol: str) -> Instrument:
        """Return how `symbol` trades; raises `NotListed` for what the venue does not list."""
        return (await self._listing.rules(symbol)).instrument

    async def get_market(self, symbol: str) -> MarketSnapshot:
        """Return the book of `symbol`, dated by when the venue's was the same, or a little later.

        That is when it was asked for or, of a symbol that is followed, a second ago at most. Raises
        `NotTrading` where the book is empty because the symbol has ceased to trade.
        """
        rules = await self._listing.rules(symbol)
        reading = self._market_since(rules.instrument)
        market = await self._prices.beside(rules, reading)
        if rules.instrument.tradable and not market.book.bids and not market.book.asks:
            await self._require_trading(rules.instrument)
        limits = self._prices.limits(rules)
        return market if limits is None else replace(market, limits=limits)

    async def get_marks(self, symbols: Iterable[Symbol]) -> dict[Symbol, Decimal]:
        """Return the mid price of each symbol that is listed and has both quotes, in one call."""
        listed: dict[Symbol, str] = {}
        for symbol in symbols:
            try:
                listed[symbol] = (await self.get_instrument(symbol.canonical)).venue_symbol
            except NotListed:
                continue
        if not listed:
            return {}
        names = sorted(set(listed.values()))
        followed = self._followed_marks(names)
        if followed is not None:
            return {symbol: followed[name] for symbol, name in listed.items() if name in followed}
        reply = await self._reader.get(
            BOOK_TICKER, (("symbols", msgspec.json.encode(names).decode()),)
        )
        self._forget_unknown(reply, names)
        check(reply)
        mids = {}
        for ticker in read(_tickers, reply):
            bid, ask = number(ticker.bid_price), number(ticker.ask_price)
            if bid > 0 and ask > 0:
                mids[ticker.symbol] = (bid + ask) / 2
        return {symbol: mids[name] for symbol, name in listed.items() if name in mids}

    def keep_silent_until(self, moment: datetime) -> None:
        """Ask nothing before `moment`: a ban of an earlier run that is not over."""
        self._reader.governor.keep_silent_until(moment)

    async def run(self, tell: Callable[[VenueEvent], None]) -> None:
        """Follow markets, tell of them, of bans and of a clock found off, until cancelled.

        `tell` must not wait.
        """
        self._reader.governor.on_ban = lambda until: tell(Banned(until))
        self._reader.venue_time.on_off = lambda by_ms, refused: tell(ClockOff(by_ms, refused))
        if self._streams is None:
            await asyncio.get_running_loop().create_future()
        else:
            self._streams.on_lost = lambda reason: tell(BooksLost(reason))
            self._streams.on_resumed = lambda: tell(BooksResumed())
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._prices.run())
                await self._streams.run()

    async def aclose(self) -> None:
        """Close connections; the next request opens them again."""
        await self._reader.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def _require_trading(self, known: Instrument) -> None:
        """Read the status of a symbol in which nobody quotes; raises `NotTrading` by it."""
        self._listing.forget(known.venue_symbol)
        now = await self.get_instrument(known.venue_symbol)
        if not now.tradable:
            raise NotTrading(f"{now.symbol} is not trading: its status is {now.status}")

    async def _market_since(self, instrument: Instrument, since_ns: int = 0) -> MarketSnapshot:
        """Return a book that was the venue's at `since_ns` or later."""
        if self._streams is not None:
            found = self._streams.find(instrument.venue_symbol, self._depth_limit, since_ns)
            if found is not None:
                return self._dated(instrument, found)
        return await self._read_market(instrument, self._depth_limit)

    def _dated(self, instrument: Instrument, found: ProvenBook) -> MarketSnapshot:
        age_ns = self._clock.monotonic_ns() - found.proven_ns
        taken_at = self._clock.now() - timedelta(microseconds=age_ns / 1000)
        return MarketSnapshot(instrument.symbol, found.book, taken_at, found.proven_ns)

    def _followed_marks(self, names: Iterable[str]) -> dict[str, Decimal] | None:
        """Return the mid prices of the symbols that have one; None unless all are followed."""
        if self._streams is None:
            return None
        mids = {}
        for name in names:
            found = self._streams.look(name, self._depth_limit)
            if found is None:
                return None
            if found.book.quote is not None:
                mids[name] = found.book.quote.mid
        return mids

    async def _read_market(self, instrument: Instrument, limit: int) -> MarketSnapshot:
        taken_at = self._clock.now()
        reply = await self._reader.get(
            DEPTH, (("symbol", instrument.venue_symbol), ("limit", str(limit)))
        )
        self._forget_unknown(reply, [instrument.venue_symbol])
        check(reply)
        depth = read(_depth, reply)
        book, last_id = _book(depth), depth.last_update_id
        if self._streams is not None:
            name = instrument.venue_symbol
            self._streams.compare(name, book, limit, last_id, reply.sent_ns)
        return MarketSnapshot(
            symbol=instrument.symbol, book=book, taken_at=taken_at, taken_ns=reply.sent_ns
        )

    def _forget_unknown(self, reply: Reply, venue_symbols: Iterable[str]) -> None:
        told = reply.venue_text if reply.status >= HTTPStatus.BAD_REQUEST else None
        if told is not None and told.code in FILTER_CODES:
            for name in venue_symbols:  # who asks again learns which of them is gone
                self._forget(name)

    def _forget(self, venue_symbol: str) -> None:
        """Drop what is known of a symbol's rules: the venue's are others."""
        self._listing.forget(venue_symbol)
        self._prices.forget(venue_symbol)


class BinanceMarketData(MarketReader):
    """Binance's public market data; it holds neither key nor signer, and nothing to order with."""

    def __init__(
        self,
        base_url: str,
        *,
        renames: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        timeout_seconds: float = 5.0,
        depth_limit: int = DEFAULT_DEPTH,
        market_data: str = ASKED,
    ) -> None:
        """Raises ``ValueError`` for a `base_url` that is no scheme and host.

        `renames` maps symbols as they are asked for to the venue's, such as BTC-USD to BTC-USDT.
        """
        transport = PublicTransport(
            parse_base_url(base_url), clock or SystemClock(), timeout_seconds
        )
        super().__init__(transport, renames, depth_limit, market_data)


def _book(depth: Depth) -> Book:
    bids, asks = _levels(depth.bids, falling), _levels(depth.asks, rising)
    if bids and asks and bids[0].price >= asks[0].price:
        raise Unreadable("Binance sent an order book that is crossed")
    return Book(bids, asks)


def _levels(
    side: Iterable[tuple[str, str]], in_order: Callable[[Decimal, Decimal], bool]
) -> tuple[Level, ...]:
    figures = numbers(list(chain.from_iterable(side)))
    prices, quantities = figures[::2], figures[1::2]
    if not all(map(in_order, prices, prices[1:])) or min(figures, default=1) <= 0:
        raise Unreadable("Binance sent an order book that is not in order")
    return tuple(map(Level, prices, quantities))
