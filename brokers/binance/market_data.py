"""Public market data: instruments, books and marks, without a key."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from itertools import chain
from operator import gt as falling
from operator import lt as rising
from typing import Final, Self

import msgspec

from otonom_trader.brokers.binance.errors import FILTER_CODES, Reply, Unreadable, check
from otonom_trader.brokers.binance.hosts import parse_base_url
from otonom_trader.brokers.binance.listing import Listing
from otonom_trader.brokers.binance.rest import PublicTransport
from otonom_trader.brokers.binance.weights import BOOK_TICKER, DEPTH
from otonom_trader.brokers.binance.wire import BookTicker, Depth, number, numbers, read
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import Rejected
from otonom_trader.domain.market import Book, Instrument, Level, MarketSnapshot
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.venue_event import Banned, VenueEvent

DEFAULT_DEPTH: Final = 100  # levels; the most that weighs 5
MAX_DEPTH: Final = 5_000

_depth = msgspec.json.Decoder(Depth)
_tickers = msgspec.json.Decoder(list[BookTicker])


class MarketReader:
    """Reads markets over a transport; the part all Binance classes share."""

    def __init__(
        self,
        transport: PublicTransport,
        renames: Mapping[str, str] | None,
        depth_limit: int,
    ) -> None:
        if not 1 <= depth_limit <= MAX_DEPTH:
            raise ValueError(f"depth_limit must be 1 to {MAX_DEPTH}, not {depth_limit}")
        self._reader = transport
        self._clock = transport.clock
        self._listing = Listing(transport, renames)
        self._depth_limit = depth_limit

    async def get_instrument(self, symbol: str) -> Instrument:
        """Return how `symbol` trades; raises `Rejected` for what the venue does not list."""
        return (await self._listing.rules(symbol)).instrument

    async def get_market(self, symbol: str) -> MarketSnapshot:
        """Return the book of `symbol`; it is dated by the moment it was asked for."""
        instrument = await self.get_instrument(symbol)
        return await self._read_market(instrument, self._depth_limit)

    async def get_marks(self, symbols: Iterable[Symbol]) -> dict[Symbol, Decimal]:
        """Return the mid price of each symbol that is listed and has both quotes, in one call."""
        listed: dict[Symbol, str] = {}
        for symbol in symbols:
            try:
                listed[symbol] = (await self.get_instrument(symbol.canonical)).venue_symbol
            except Rejected:
                continue
        if not listed:
            return {}
        names = sorted(set(listed.values()))
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
        """Tell of bans, until cancelled; `tell` must not wait."""
        self._reader.governor.on_ban = lambda until: tell(Banned(until))
        await asyncio.get_running_loop().create_future()

    async def aclose(self) -> None:
        """Close connections; the next request opens them again."""
        await self._reader.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def _read_market(self, instrument: Instrument, limit: int) -> MarketSnapshot:
        taken_at = self._clock.now()
        reply = await self._reader.get(
            DEPTH, (("symbol", instrument.venue_symbol), ("limit", str(limit)))
        )
        self._forget_unknown(reply, [instrument.venue_symbol])
        check(reply)
        return MarketSnapshot(
            symbol=instrument.symbol,
            book=_book(read(_depth, reply)),
            taken_at=taken_at,
            taken_ns=reply.sent_ns,
        )

    def _forget_unknown(self, reply: Reply, venue_symbols: Iterable[str]) -> None:
        told = reply.venue_text if reply.status >= HTTPStatus.BAD_REQUEST else None
        if told is not None and told.code in FILTER_CODES:
            for name in venue_symbols:  # who asks again learns which of them is gone
                self._listing.forget(name)


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
    ) -> None:
        """Raises ``ValueError`` for a `base_url` that is no scheme and host.

        `renames` maps symbols as they are asked for to the venue's, such as BTC-USD to BTC-USDT.
        """
        transport = PublicTransport(
            parse_base_url(base_url), clock or SystemClock(), timeout_seconds
        )
        super().__init__(transport, renames, depth_limit)


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
