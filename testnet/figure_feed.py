"""Candles, tickers and averages for the streams that ask for them.

The figures are those REST shows, under the names of the page "WebSocket Streams".
"""

from collections.abc import Callable, Collection
from typing import Any, Final

from otonom_trader.testnet import market_replies, stream_payloads
from otonom_trader.testnet.audiences import Audience, Audiences
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.klines import INTERVALS, Candle
from otonom_trader.testnet.stream_names import StreamName, Topic

_MOST_CANDLES: Final = 1000
_MINUTE_MS: Final = 60_000

# From the ticks of a listener to a payload.
Payload = Callable[[int], Any]


class FigureFeed:
    """``publish`` at each tick; candles may be due out of turn."""

    def __init__(self, exchange: Exchange, audiences: Audiences) -> None:
        self._exchange: Final = exchange
        self._audiences: Final = audiences
        # Opening and closing time of the candle told last, by stream.
        self._told_candles: Final[dict[str, tuple[int, int]]] = {}
        # The last trade told of, by stream of all symbols and symbol.
        self._told_trades: Final[dict[str, dict[str, int]]] = {}

    def forget(self, present: Collection[str]) -> None:
        """What was told to streams that nobody listens to any more."""
        for gone in self._told_candles.keys() - present:
            del self._told_candles[gone]
        for gone in self._told_trades.keys() - present:
            del self._told_trades[gone]

    def publish(self, audience: Audience, now_ms: int, *, is_due: bool) -> None:
        name = audience.name
        if name.topic is Topic.KLINE:
            self._publish_candles(audience, now_ms, is_due=is_due)
        elif is_due and not name.symbol:
            self._publish_all(audience, now_ms)
        elif is_due and name.symbol in self._exchange.tapes:
            payload = self._payload(name, name.symbol, now_ms)
            if payload is not None:
                self._audiences.publish(audience, payload)

    def _publish_candles(self, audience: Audience, now_ms: int, *, is_due: bool) -> None:
        """Each candle once more when it has closed, then the one that is open."""
        name = audience.name
        tape = self._exchange.tapes.get(name.symbol)
        told = self._told_candles.get(name.text)
        if tape is None or (told is not None and not is_due and now_ms <= told[1]):
            return
        since_ms, limit = (None, 1) if told is None else (told[0], _MOST_CANDLES)
        for candle, close_ms in tape.candles(
            name.interval, since_ms, None, limit, now_ms, offset_ms=name.offset_ms
        ):
            self._told_candles[name.text] = (candle.open_ms, close_ms)
            self._audiences.publish(audience, _kline(name, candle, close_ms, now_ms))

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
            return self._average(symbol, now_ms)
        if name.topic is Topic.REFERENCE_PRICE:
            return self._reference(symbol, now_ms)
        if name.topic is Topic.WINDOW_TICKER:
            return self._window(symbol, name.interval, now_ms)
        return self._day(symbol, name.topic, now_ms)

    def _average(self, symbol: str, now_ms: int) -> Payload:
        tape = self._exchange.tapes[symbol]
        price, last = tape.average_price(now_ms), tape.last_trade
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


def _kline(name: StreamName, candle: Candle, close_ms: int, now_ms: int) -> Payload:
    return lambda ticks: {
        "e": "kline",
        "E": now_ms * ticks,
        "s": name.symbol,
        "k": stream_payloads.kline(name.symbol, name.interval, candle, (close_ms, now_ms), ticks),
    }
