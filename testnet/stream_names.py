"""Names of market streams (page "WebSocket Streams", "Detailed Stream information")."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from otonom_trader.testnet.klines import INTERVALS

FAST_MS: Final = 100
SLOW_MS: Final = 1000
_KLINE_MS: Final = 2000


class Topic(Enum):
    TRADE = "trade"
    AGGREGATE_TRADE = "aggTrade"
    BOOK_TICKER = "bookTicker"
    DEPTH = "depth"
    KLINE = "kline"
    MINI_TICKER = "miniTicker"
    TICKER = "ticker"
    WINDOW_TICKER = "window ticker"
    AVERAGE_PRICE = "avgPrice"
    REFERENCE_PRICE = "referencePrice"


REAL_TIME: Final = frozenset({Topic.TRADE, Topic.AGGREGATE_TRADE, Topic.BOOK_TICKER})


@dataclass(frozen=True, slots=True)
class StreamName:
    """What a name asks for. ``symbol`` is in capitals, and empty for all symbols."""

    text: str
    topic: Topic
    symbol: str
    every_ms: int = SLOW_MS
    """0 as it happens."""
    levels: int = 0
    """Of a partial book; 0 for the differences of the whole book."""
    interval: str = ""
    """Of candles, or the width of a ticker's window."""
    offset_ms: int = 0
    """Where days begin, for candles."""


_PLAIN: Final = {
    topic.value: topic
    for topic in Topic
    if topic not in (Topic.DEPTH, Topic.KLINE, Topic.WINDOW_TICKER)
}
_DEPTH: Final = re.compile(r"depth(5|10|20)?(@100ms|@1000ms)?")
_KLINE: Final = re.compile(r"kline_([0-9]+[smhdwM])(@\+08:00)?")
_WINDOW: Final = re.compile("ticker_(1h|4h|1d)")
_ALL_SYMBOLS: Final = re.compile("!(miniTicker|ticker_(1h|4h|1d))@arr")
_UTC_8_MS: Final = 8 * 3_600_000


def parse(text: str) -> StreamName | None:
    """None where no stream has that name; nothing is ever sent on it then."""
    everything = _ALL_SYMBOLS.fullmatch(text)
    if everything is not None:
        width = everything[2] or ""
        return StreamName(
            text, Topic.WINDOW_TICKER if width else Topic.MINI_TICKER, "", interval=width
        )
    symbol, at, kind = text.partition("@")
    if not at or not symbol or symbol != symbol.lower():
        return None
    symbol = symbol.upper()
    depth = _DEPTH.fullmatch(kind)
    if depth is not None:
        every_ms = FAST_MS if depth[2] == "@100ms" else SLOW_MS
        return StreamName(text, Topic.DEPTH, symbol, every_ms, levels=int(depth[1] or 0))
    kline = _KLINE.fullmatch(kind)
    if kline is not None and kline[1] in INTERVALS:
        every_ms = SLOW_MS if kline[1] == "1s" else _KLINE_MS
        offset_ms = _UTC_8_MS if kline[2] else 0
        return StreamName(
            text, Topic.KLINE, symbol, every_ms, interval=kline[1], offset_ms=offset_ms
        )
    window = _WINDOW.fullmatch(kind)
    if window is not None:
        return StreamName(text, Topic.WINDOW_TICKER, symbol, interval=window[1])
    topic = _PLAIN.get(kind)
    if topic is None:
        return None
    return StreamName(text, topic, symbol, 0 if topic in REAL_TIME else SLOW_MS)
