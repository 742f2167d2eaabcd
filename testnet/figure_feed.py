"""Tickers and averages for the streams that ask for them.

The figures are those REST shows, under the names of the page "WebSocket Streams".
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from otonom_trader.testnet import market_replies, stream_payloads
from otonom_trader.testnet.audiences import Audience, Audiences
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.klines import INTERVALS
from otonom_trader.testnet.stream_names import StreamName, Topic

_MINUTE_MS: Final = 60_000

# From the ticks of a listener to a payload.
Payload = Callable[[int], Any]


class FigureFeed:
    """``publish`` when a stream is due."""

    def __init__(self, exchange: Exchange, audiences: Audiences) -> None:
        self._exchange: Final = exchange
        self._audiences: Final = audiences
        # The average told last, by stream.
        self._told_averages: Final[dict[str, int]] = {}
        # The last trade told of, by stream of all symbols and symbol.
        self._told_trades: Final[dict[str, dict[str, int]]] = {}

    def begin(self, names: Sequence[StreamName], now_ms: int) -> None:
        """These are the streams from now on: new ones of averages begin with the next change."""
        present = {name.text for name in names}
        for told in (self._told_averages, self._told_trades):
            for gone in told.keys() - present:
                del told[gone]
        for name in names:
            tape = self._exchange.tapes.get(name.symbol)
            if name.topic is Topic.AVERAGE_PRICE and tape is not None:
                self._told_averages.setdefault(name.text, tape.average_price(now_ms))

    def publish(self, audience: Audience, now_ms: int) -> None:
        name = audience.name
        if not name.symbol:
            self._publish_all(audience, now_ms)
        elif name.symbol in self._exchange.tapes:
            payload = self._payload(name, name.symbol, now_ms)
            if payload is not None:
                self._audiences.publish(audience, payload)

    def _publish_all(self, audience: Audience, now_ms: int) -> None:
        """Of the symbols in which something traded since the last time; nothing where none did."""
        told = self._told_trades.setdefault(audience.name.text, {})
        changed: list[Payload] = []
        for symbol, tape in self._exchange.tapes.items():
            last = tape.last_trade.trade_id if tape.last_trade else 0
            if told.get(symbol, 0) == last:
                continue
            told[symbol] = last
            payload = self._payload(audience.name, symbol, now_ms)
            if payload is not None:
                changed.append(payload)
        if changed:
            self._audiences.publish(audience, lambda ticks: [each(ticks) for each in changed])

    def _payload(self, name: StreamName, symbol: str, now_ms: int) -> Payload | None:
        if name.topic is Topic.AVERAGE_PRICE:
            return self._average(name, now_ms)
        if name.topic is Topic.REFERENCE_PRICE:
            return self._reference(symbol, now_ms)
        if name.topic is Topic.WINDOW_TICKER:
            return self._window(symbol, name.interval, now_ms)
        return self._day(symbol, name.topic, now_ms)

    def _average(self, name: StreamName, now_ms: int) -> Payload | None:
        """None where it is what was told last."""
        symbol = name.symbol
        tape = self._exchange.tapes[symbol]
        price, last = tape.average_price(now_ms), tape.last_trade
        if price == self._told_averages.get(name.text):
            return None
        self._told_averages[name.text] = price
        return lambda ticks: stream_payloads.average_price(symbol, price, last, now_ms, ticks)

    def _reference(self, symbol: str, now_ms: int) -> Payload | None:
        """None where the symbol never had one."""
        reference = self._exchange.engine.books[symbol].reference
        if reference is None or not reference.was_set:
            return None
        price = reference.price(now_ms) or None
        return lambda ticks: stream_payloads.reference_price(symbol, price, now_ms, ticks)

    def _window(self, symbol: str, width: str, now_ms: int) -> Payload:
        """From the start of a minute, so up to a minute wider than its name says."""
        opened = now_ms - INTERVALS[width]
        window = self._exchange.tapes[symbol].window(opened - opened % _MINUTE_MS, now_ms, now_ms)

        def payload(ticks: int) -> Any:
            rest = market_replies.window_ticker(symbol, window, ticks, mini=False)
            return stream_payloads.window_ticker(rest, width, now_ms, ticks)

        return payload

    def _day(self, symbol: str, topic: Topic, now_ms: int) -> Payload:
        day = self._exchange.tapes[symbol].day(now_ms)
        shown = stream_payloads.book_ticker(symbol, self._exchange.engine.books[symbol])
        best = {
            "bidPrice": shown["b"],
            "bidQty": shown["B"],
            "askPrice": shown["a"],
            "askQty": shown["A"],
        }

        def payload(ticks: int) -> Any:
            rest = market_replies.day_ticker(symbol, day, best, ticks, mini=False)
            if topic is Topic.TICKER:
                return stream_payloads.ticker(rest, now_ms, ticks)
            return stream_payloads.mini_ticker(rest, now_ms, ticks)

        return payload
