"""What has traded in one symbol: recent prints, candles, the average price and 24 hour figures."""

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Final

from otonom_trader.testnet.amounts import SCALE
from otonom_trader.testnet.klines import INTERVALS, Candle, KlineSeries
from otonom_trader.testnet.orders import Trade

AVERAGE_MINUTES: Final = 5
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class DayStatistics:
    """The rolling 24 hours, from the minute candles that opened in them."""

    open_ms: int
    close_ms: int
    open: int
    high: int
    low: int
    last: int
    last_qty: int
    previous_close: int
    volume: int
    quote: int
    first_trade_id: int
    last_trade_id: int
    count: int


class Tape:
    """Everything is bounded: the newest ``trades_cap`` prints, ``klines_cap`` candles a series."""

    def __init__(self, *, trades_cap: int, klines_cap: int) -> None:
        self._trades: Final[deque[Trade]] = deque(maxlen=trades_cap)
        self._series: Final = {name: KlineSeries(name, klines_cap) for name in INTERVALS}
        # (second, base, quote) of the last minutes, newest last.
        self._seconds: Final[deque[list[int]]] = deque()

    @property
    def last_trade(self) -> Trade | None:
        return self._trades[-1] if self._trades else None

    def add(self, trade: Trade) -> None:
        self._trades.append(trade)
        for series in self._series.values():
            series.add(trade)
        second = trade.time_ms // 1000
        if self._seconds and self._seconds[-1][0] == second:
            bucket = self._seconds[-1]
            bucket[1] += trade.qty
            bucket[2] += trade.quote
        else:
            self._seconds.append([second, trade.qty, trade.quote])
            self._forget_seconds(second)

    def trades(self, limit: int) -> list[Trade]:
        return list(islice(self._trades, max(0, len(self._trades) - limit), None))

    def series(self, interval: str) -> KlineSeries:
        return self._series[interval]

    def average_price(self, now_ms: int) -> int:
        """Volume weighted over the last 5 minutes, else the last price; 0 before any trade."""
        self._forget_seconds(now_ms // 1000)
        base = sum(bucket[1] for bucket in self._seconds)
        if base:
            return sum(bucket[2] for bucket in self._seconds) * SCALE // base
        return self._trades[-1].price if self._trades else 0

    def day(self, now_ms: int) -> DayStatistics:
        minutes = self._series["1m"].read(now_ms - _DAY_MS, None, 1441, now_ms)
        traded = [candle for candle in minutes if candle.count]
        last = self.last_trade
        if not traded:
            price = last.price if last else 0
            flat = Candle(now_ms, price)
            traded = [flat]
        return DayStatistics(
            open_ms=now_ms - _DAY_MS,
            close_ms=now_ms,
            open=traded[0].open,
            high=max(candle.high for candle in traded),
            low=min(candle.low for candle in traded),
            last=traded[-1].close,
            last_qty=last.qty if last else 0,
            previous_close=minutes[0].open if minutes else traded[0].open,
            volume=sum(candle.volume for candle in traded),
            quote=sum(candle.quote for candle in traded),
            first_trade_id=traded[0].first_trade_id,
            last_trade_id=traded[-1].last_trade_id,
            count=sum(candle.count for candle in traded),
        )

    def _forget_seconds(self, now_second: int) -> None:
        oldest = now_second - AVERAGE_MINUTES * 60
        while self._seconds and self._seconds[0][0] <= oldest:
            self._seconds.popleft()
