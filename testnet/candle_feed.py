"""Candles for the streams that ask for them.

A candle is told when it has gained a trade: at once after a time as long as its stream's update
speed in which nothing was told, else when that time is over; and once more when it has closed. A
candle without trades is never told, as recorded streams of quiet symbols have none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from otonom_trader.testnet import stream_payloads
from otonom_trader.testnet.audiences import Audiences
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.klines import Candle, next_open_time, open_time
from otonom_trader.testnet.stream_names import StreamName, Topic

_MOST_CANDLES: Final = 1000


@dataclass(slots=True)
class _Told:
    """How far a stream has come."""

    name: StreamName
    open_ms: int
    close_ms: int
    trade_id: int
    """The last one told, or traded before anybody listened."""
    at_ms: int = 0


class CandleFeed:
    """``publish`` at each tick and when something traded."""

    def __init__(self, exchange: Exchange, audiences: Audiences) -> None:
        self._exchange: Final = exchange
        self._audiences: Final = audiences
        self._told: Final[dict[str, _Told]] = {}

    def begin(self, names: Iterable[StreamName], now_ms: int) -> None:
        """These are the streams from now on: new ones begin with what trades next."""
        tapes = self._exchange.tapes
        wanted = {
            name.text: name for name in names if name.topic is Topic.KLINE and name.symbol in tapes
        }
        for gone in self._told.keys() - wanted.keys():
            del self._told[gone]
        for text, name in wanted.items():
            if text not in self._told:
                opened = open_time(name.interval, now_ms, name.offset_ms)
                closes = next_open_time(name.interval, opened, name.offset_ms) - 1
                last = tapes[name.symbol].last_trade
                self._told[text] = _Told(name, opened, closes, last.trade_id if last else 0)

    def publish(self, symbol: str, now_ms: int) -> None:
        for told in self._told.values():
            if told.name.symbol == symbol:
                self._publish(told, now_ms)

    def publish_all(self, now_ms: int) -> None:
        for told in self._told.values():
            self._publish(told, now_ms)

    def _publish(self, told: _Told, now_ms: int) -> None:
        """Candles that have closed, then the open one."""
        name = told.name
        tape = self._exchange.tapes[name.symbol]
        rests_until = told.at_ms + name.every_ms
        last = tape.last_trade
        has_news = last is not None and last.trade_id > told.trade_id
        if now_ms <= told.close_ms and (now_ms < rests_until or not has_news):
            return
        for candle, close_ms in tape.candles(
            name.interval, told.open_ms, None, _MOST_CANDLES, now_ms, offset_ms=name.offset_ms
        ):
            told.open_ms, told.close_ms = candle.open_ms, close_ms
            is_closed = close_ms < now_ms
            has_gained = candle.last_trade_id > told.trade_id and now_ms >= rests_until
            if candle.count and (is_closed or has_gained):
                told.trade_id = max(told.trade_id, candle.last_trade_id)
                told.at_ms = now_ms
                rests_until = now_ms + name.every_ms
                self._tell(name, candle, close_ms, now_ms)

    def _tell(self, name: StreamName, candle: Candle, close_ms: int, now_ms: int) -> None:
        audience = self._audiences.find(name.text)
        if audience is not None:
            self._audiences.publish(
                audience,
                lambda ticks: {
                    "e": "kline",
                    "E": now_ms * ticks,
                    "s": name.symbol,
                    "k": stream_payloads.kline(
                        name.symbol, name.interval, candle, (close_ms, now_ms), ticks
                    ),
                },
            )
