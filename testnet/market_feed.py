"""What market streams are told, and when (page "WebSocket Streams", "Update Speed").

Trades and aggregate trades as they happen; the best bid and ask when what is happening has come to
rest; everything else at multiples of 100 ms of the venue's clock, a candle's first trade for a
while at once. While nobody listens, nothing is worked out.

Undocumented and chosen here: diff and partial depth send nothing while what they show stands
still, except that a new listener of a partial book is told at once; tickers of one symbol are sent
at their speed even when nothing traded.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from otonom_trader.testnet import market_replies, stream_payloads
from otonom_trader.testnet.audiences import Audience, Audiences
from otonom_trader.testnet.candle_feed import CandleFeed
from otonom_trader.testnet.clock import Clock
from otonom_trader.testnet.depth_feed import DepthFeed
from otonom_trader.testnet.events import Event
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.figure_feed import FigureFeed
from otonom_trader.testnet.orders import Trade
from otonom_trader.testnet.stream_names import FAST_MS, REAL_TIME, SLOW_MS, Topic
from otonom_trader.testnet.stream_payloads import Rows
from otonom_trader.testnet.tape import AggregateTrade

_TOLD_OTHERWISE: Final = REAL_TIME | {Topic.KLINE}
# The two ways to ask for the slow one.
_DEPTH_SUFFIXES: Final = {FAST_MS: ("@100ms",), SLOW_MS: ("", "@1000ms")}


class MarketFeed:
    """``run`` until cancelled; the engine's events come in by ``on_event`` and ``on_settled``."""

    def __init__(self, exchange: Exchange, audiences: Audiences, clock: Clock) -> None:
        self._exchange: Final = exchange
        self._audiences: Final = audiences
        self._clock: Final = clock
        self._depths: Final[dict[str, DepthFeed]] = {}
        self._prints: Final[list[Trade]] = []
        self._best: Final[dict[str, dict[str, Any]]] = {}
        # Bids and asks that a partial book was told last, by stream.
        self._told_levels: Final[dict[str, tuple[Rows, Rows]]] = {}
        self._figures: Final = FigureFeed(exchange, audiences)
        self._candles: Final = CandleFeed(exchange, audiences)
        self._is_timed: Final = asyncio.Event()
        self._is_best_due = False
        self._last_ms = clock.time_ms()
        audiences.on_change = self._on_audience

    def on_event(self, event: Event) -> None:
        if isinstance(event, Trade) and not self._audiences.is_empty:
            self._prints.append(event)
            audience = self._audiences.find(f"{event.symbol.lower()}@trade")
            if audience is not None:
                now_ms = self._clock.time_ms()
                self._audiences.publish(
                    audience, lambda ticks: stream_payloads.trade(event, now_ms, ticks)
                )

    def on_settled(self) -> None:
        """A command is done with: the book will not change before the next one."""
        if self._audiences.is_empty:
            self._prints.clear()
            return
        self._publish_prints()
        if self._best and not self._is_best_due:
            # A market maker that renews its quotes in one go is never seen without any.
            self._is_best_due = True
            asyncio.get_running_loop().call_soon(self._publish_best)

    async def run(self) -> None:
        while True:
            await self._is_timed.wait()
            now_ms = self._clock.time_ms()
            await self._clock.sleep((FAST_MS - now_ms % FAST_MS) / 1000)
            self.tick()

    def tick(self) -> None:
        """Tell every stream whose time has come since the last tick."""
        now_ms, last_ms = self._clock.time_ms(), self._last_ms
        self._last_ms = now_ms

        def is_due(every_ms: int) -> bool:
            return now_ms // every_ms != last_ms // every_ms

        self._publish_best()
        for audience in self._audiences:
            name = audience.name
            if name.topic is Topic.DEPTH:
                if name.levels and (is_due(name.every_ms) or audience.is_new):
                    self._publish_levels(audience)
            elif name.topic not in _TOLD_OTHERWISE and is_due(name.every_ms):
                self._figures.publish(audience, now_ms)
        self._candles.publish_all(now_ms)
        for symbol, depth in self._depths.items():
            for every_ms in _DEPTH_SUFFIXES:
                if is_due(every_ms):
                    self._publish_depth(symbol, depth, every_ms, now_ms)

    def _on_audience(self) -> None:
        """Streams came or went: listen to the books that somebody wants the changes of."""
        names = [audience.name for audience in self._audiences]
        if all(name.topic in REAL_TIME for name in names):
            self._is_timed.clear()
        elif not self._is_timed.is_set():
            self._last_ms = self._clock.time_ms()
            self._is_timed.set()
        books = self._exchange.engine.books
        wanted = {
            name.symbol
            for name in names
            if name.topic is Topic.DEPTH and not name.levels and name.symbol in books
        }
        for symbol in self._depths.keys() - wanted:
            self._depths.pop(symbol).close()
        for symbol in sorted(wanted - self._depths.keys()):
            self._depths[symbol] = DepthFeed(books[symbol])
            self._depths[symbol].open()
        for name in names:
            if name.topic is Topic.BOOK_TICKER and name.symbol in books:
                self._best.setdefault(name.symbol, self._best_of(name.symbol))
        present = {name.text for name in names}
        quoted = {name.symbol for name in names if name.topic is Topic.BOOK_TICKER}
        self._figures.begin(names, self._clock.time_ms())
        self._candles.begin(names, self._clock.time_ms())
        for told, kept in (
            (self._told_levels, present),
            (self._best, quoted),
        ):
            for gone in told.keys() - kept:
                del told[gone]

    def _publish_prints(self) -> None:
        """Aggregates and candles of the command's trades: only now are they complete."""
        firsts: dict[str, Trade] = {}
        for trade in self._prints:
            firsts.setdefault(trade.symbol, trade)
        self._prints.clear()
        for symbol, first in firsts.items():
            audience = self._audiences.find(f"{symbol.lower()}@aggTrade")
            if audience is not None:
                for each in self._exchange.tapes[symbol].newest_aggregates(first.trade_id):
                    self._publish_aggregate(audience, each)
            self._candles.publish(symbol, self._clock.time_ms())

    def _publish_aggregate(self, audience: Audience, trade: AggregateTrade) -> None:
        now_ms, symbol = self._clock.time_ms(), audience.name.symbol
        self._audiences.publish(
            audience,
            lambda ticks: stream_payloads.aggregate_trade(
                symbol, market_replies.aggregate_trade(trade, ticks), now_ms, ticks
            ),
        )

    def _best_of(self, symbol: str) -> dict[str, Any]:
        best = stream_payloads.book_ticker(symbol, self._exchange.engine.books[symbol])
        del best["u"]
        return best

    def _publish_best(self) -> None:
        self._is_best_due = False
        for symbol, told in self._best.items():
            best = self._best_of(symbol)
            audience = self._audiences.find(f"{symbol.lower()}@bookTicker")
            if best != told and audience is not None:
                self._best[symbol] = best
                event = {"u": self._exchange.engine.books[symbol].update_id} | best
                self._audiences.publish(audience, _always(event))

    def _publish_depth(self, symbol: str, depth: DepthFeed, every_ms: int, now_ms: int) -> None:
        names = [f"{symbol.lower()}@depth{suffix}" for suffix in _DEPTH_SUFFIXES[every_ms]]
        audiences = [found for found in map(self._audiences.find, names) if found is not None]
        if not audiences:
            depth.skip(every_ms)
            return
        taken = depth.take(every_ms)
        if taken is not None:
            ids, levels = taken
            for audience in audiences:
                self._audiences.publish(
                    audience,
                    lambda ticks: stream_payloads.depth_update(symbol, ids, levels, now_ms, ticks),
                )

    def _publish_levels(self, audience: Audience) -> None:
        name = audience.name
        book = self._exchange.engine.books.get(name.symbol)
        if book is None:
            return
        bids = market_replies.levels(book.bids, name.levels)
        asks = market_replies.levels(book.asks, name.levels)
        if self._told_levels.get(name.text) != (bids, asks) or audience.is_new:
            self._told_levels[name.text] = (bids, asks)
            event = {"lastUpdateId": book.update_id, "bids": bids, "asks": asks}
            self._audiences.publish(audience, _always(event))


def _always(event: Any) -> Callable[[int], Any]:
    """An event without times is the same in every unit."""
    return lambda _: event
