"""Candles of every interval, built from the trades as they print.

A series has no holes: where nothing traded it repeats the last close with volume 0, as the venue
does, so open times are contiguous and strictly increasing.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from otonom_trader.testnet.orders import Trade

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_WEEK = 7 * _DAY
# Weeks open on Monday; the epoch was a Thursday.
_FIRST_MONDAY = 4 * _DAY

INTERVALS: Final[Mapping[str, int]] = {
    "1s": _SECOND,
    "1m": _MINUTE,
    "3m": 3 * _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "30m": 30 * _MINUTE,
    "1h": _HOUR,
    "2h": 2 * _HOUR,
    "4h": 4 * _HOUR,
    "6h": 6 * _HOUR,
    "8h": 8 * _HOUR,
    "12h": 12 * _HOUR,
    "1d": _DAY,
    "3d": 3 * _DAY,
    "1w": _WEEK,
    "1M": 0,
}
"""Name to length in milliseconds; a month has no fixed one."""


def open_time(interval: str, time_ms: int, offset_ms: int = 0) -> int:
    """When the candle that holds this moment opened, in UTC or at an offset from it."""
    if offset_ms:
        return open_time(interval, time_ms + offset_ms) - offset_ms
    if interval == "1M":
        moment = datetime.fromtimestamp(time_ms / 1000, UTC)
        return int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp()) * 1000
    length = INTERVALS[interval]
    first = _FIRST_MONDAY if interval == "1w" else 0
    return time_ms - (time_ms - first) % length


def next_open_time(interval: str, opened_ms: int, offset_ms: int = 0) -> int:
    # The longest month has 31 days, and no month fewer than 28.
    return (
        opened_ms + INTERVALS[interval]
        if interval != "1M"
        else open_time("1M", opened_ms + 32 * _DAY, offset_ms)
    )


def finer_interval(interval: str, offset_ms: int) -> str:
    """The series that holds the candles of an interval at an offset from UTC: the interval's own
    where the offset does not move it, else one to put them together from.
    """
    length = INTERVALS[interval]
    if not offset_ms or (length and interval != "3d" and offset_ms % length == 0):
        return interval
    return next(name for name in ("1h", "15m", "1m") if offset_ms % INTERVALS[name] == 0)


def regrouped(candles: Iterable["Candle"], interval: str, offset_ms: int) -> list["Candle"]:
    """Candles of another interval, put together from finer ones in their order."""
    found: list[Candle] = []
    for candle in candles:
        opened = open_time(interval, candle.open_ms, offset_ms)
        if not found or found[-1].open_ms != opened:
            found.append(Candle(opened, candle.open))
        found[-1].join(candle)
    return found


class Candle:
    """One candle; amounts in units of 10**-8."""

    __slots__ = (
        "close",
        "count",
        "first_trade_id",
        "high",
        "last_trade_id",
        "low",
        "open",
        "open_ms",
        "quote",
        "taker_quote",
        "taker_volume",
        "volume",
    )

    def __init__(self, open_ms: int, price: int) -> None:
        self.open_ms = open_ms
        self.open = self.high = self.low = self.close = price
        self.volume = self.quote = self.taker_volume = self.taker_quote = self.count = 0
        self.first_trade_id = self.last_trade_id = -1

    def add(self, trade: Trade) -> None:
        price = trade.price
        if not self.count:
            self.open = self.high = self.low = price
            self.first_trade_id = trade.trade_id
        elif price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.volume += trade.qty
        self.quote += trade.quote
        self.count += 1
        self.last_trade_id = trade.trade_id
        if not trade.buyer_is_maker:
            self.taker_volume += trade.qty
            self.taker_quote += trade.quote

    def join(self, later: "Candle") -> None:
        """Add all that traded in a finer candle; one without trades adds nothing."""
        if not later.count:
            return
        if not self.count:
            self.open, self.high, self.low = later.open, later.high, later.low
            self.first_trade_id = later.first_trade_id
        self.high, self.low = max(self.high, later.high), min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.quote += later.quote
        self.count += later.count
        self.taker_volume += later.taker_volume
        self.taker_quote += later.taker_quote
        self.last_trade_id = later.last_trade_id


class KlineSeries:
    """The newest candles of one interval."""

    def __init__(self, interval: str, cap: int) -> None:
        self.interval: Final = interval
        self._candles: Final[deque[Candle]] = deque(maxlen=cap)
        self._cap: Final = cap
        self._next_ms = 0

    def add(self, trade: Trade) -> None:
        """Trades arrive in the order of their times."""
        if trade.time_ms >= self._next_ms:
            self._advance(trade.time_ms, trade.price)
        self._candles[-1].add(trade)

    def read(
        self, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int
    ) -> list[Candle]:
        """With a start, the oldest from there; else the newest up to the end. Oldest first."""
        if not self._candles:
            return []
        if now_ms >= self._next_ms:
            self._advance(now_ms, self._candles[-1].close)
        if start_ms is None and end_ms is None:
            return list(islice(self._candles, max(0, len(self._candles) - limit), None))
        found = [
            candle
            for candle in self._candles
            if (start_ms is None or candle.open_ms >= start_ms)
            and (end_ms is None or candle.open_ms <= end_ms)
        ]
        return found[:limit] if start_ms is not None else found[-limit:]

    def close_ms(self, candle: Candle) -> int:
        return next_open_time(self.interval, candle.open_ms) - 1

    def _advance(self, time_ms: int, first_price: int) -> None:
        """Open candles up to the one of this moment; those nothing traded in repeat the close."""
        opened = open_time(self.interval, time_ms)
        if self._candles:
            last = self._candles[-1].close
            length = INTERVALS[self.interval]
            missing = self._next_ms
            if length and opened - missing > length * self._cap:
                missing = opened - length * self._cap
            while missing <= opened:
                self._candles.append(Candle(missing, last))
                missing = next_open_time(self.interval, missing)
        else:
            self._candles.append(Candle(opened, first_price))
        self._next_ms = next_open_time(self.interval, opened)
