"""What has traded in one symbol: recent prints, candles, the average price, figures of a window."""

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Final

from otonom_trader.testnet.amounts import SCALE
from otonom_trader.testnet.klines import (
    INTERVALS,
    Candle,
    KlineSeries,
    finer_interval,
    next_open_time,
    regrouped,
)
from otonom_trader.testnet.orders import Trade

AVERAGE_MINUTES: Final = 5
_DAY_MS: Final = 86_400_000
_EVERYTHING: Final = 2**31


@dataclass(frozen=True, slots=True)
class DayStatistics:
    """The figures of a window of time, from the minute candles that opened in it."""

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


@dataclass(slots=True)
class AggregateTrade:
    """Trades of one taker order at one price and time."""

    aggregate_id: int
    price: int
    qty: int
    first_trade_id: int
    last_trade_id: int
    time_ms: int
    buyer_is_maker: bool
    taker_order_id: int

    def includes(self, trade: Trade) -> bool:
        """Whether a trade belongs to it; what traded before the venue opened stands alone."""
        return (
            trade.taker_order_id != 0
            and trade.taker_order_id == self.taker_order_id
            and trade.price == self.price
            and trade.time_ms == self.time_ms
        )


class Tape:
    """Everything is bounded: the newest ``trades_cap`` prints, ``klines_cap`` candles a series."""

    def __init__(
        self, *, trades_cap: int, klines_cap: int, average_minutes: int = AVERAGE_MINUTES
    ) -> None:
        self._average_minutes: Final = average_minutes
        self._trades: Final[deque[Trade]] = deque(maxlen=trades_cap)
        self._aggregates: Final[deque[AggregateTrade]] = deque(maxlen=trades_cap)
        self._last_aggregate_id = 0
        self._series: Final = {name: KlineSeries(name, klines_cap) for name in INTERVALS}
        # (second, base, quote) of the last minutes, newest last.
        self._seconds: Final[deque[list[int]]] = deque()

    @property
    def last_trade(self) -> Trade | None:
        return self._trades[-1] if self._trades else None

    def add(self, trade: Trade) -> None:
        self._trades.append(trade)
        self._aggregate(trade)
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

    def trades_from(self, first_id: int, limit: int) -> list[Trade]:
        """The oldest remembered from this trade id on."""
        found = (trade for trade in self._trades if trade.trade_id >= first_id)
        return list(islice(found, limit))

    def aggregates(self) -> list[AggregateTrade]:
        """Oldest first."""
        return list(self._aggregates)

    def newest_aggregates(self, first_trade_id: int) -> list[AggregateTrade]:
        """Those that began with this trade or a later one, oldest first."""
        found: list[AggregateTrade] = []
        for each in reversed(self._aggregates):
            if each.first_trade_id < first_trade_id:
                break
            found.append(each)
        return found[::-1]

    def series(self, interval: str) -> KlineSeries:
        return self._series[interval]

    def average_price(self, now_ms: int, minutes: int = AVERAGE_MINUTES) -> int:
        """Volume weighted over the last minutes, else the last price; 0 before any trade."""
        self._forget_seconds(now_ms // 1000)
        oldest = now_ms // 1000 - minutes * 60
        recent = [bucket for bucket in self._seconds if bucket[0] > oldest]
        base = sum(bucket[1] for bucket in recent)
        if base:
            return sum(bucket[2] for bucket in recent) * SCALE // base
        return self._trades[-1].price if self._trades else 0

    def candles(
        self,
        interval: str,
        start_ms: int | None,
        end_ms: int | None,
        limit: int,
        now_ms: int,
        *,
        offset_ms: int = 0,
    ) -> list[tuple[Candle, int]]:
        """Candles with the last millisecond of each: with a start the oldest from there, else the
        newest up to the end. Oldest first. The offset moves where days begin, start and end stay
        in UTC.
        """
        finer = finer_interval(interval, offset_ms)
        if finer == interval:
            series = self._series[interval]
            read = series.read(start_ms, end_ms, limit, now_ms)
            return [(candle, series.close_ms(candle)) for candle in read]
        everything = self._series[finer].read(None, None, _EVERYTHING, now_ms)
        found = [
            candle
            for candle in regrouped(everything, interval, offset_ms)
            if (start_ms is None or candle.open_ms >= start_ms)
            and (end_ms is None or candle.open_ms <= end_ms)
        ]
        return [
            (candle, next_open_time(interval, candle.open_ms, offset_ms) - 1)
            for candle in (found[:limit] if start_ms is not None else found[-limit:])
        ]

    def day(self, now_ms: int) -> DayStatistics:
        """The rolling 24 hours."""
        return self.window(now_ms - _DAY_MS, now_ms, now_ms)

    def window(self, open_ms: int, close_ms: int, now_ms: int) -> DayStatistics:
        """From an opening time to now, by the minute candles that opened since."""
        minutes = self._series["1m"].read(open_ms, None, _EVERYTHING, now_ms)
        traded = [candle for candle in minutes if candle.count]
        last = self.last_trade
        if not traded:
            price = last.price if last else 0
            flat = Candle(now_ms, price)
            traded = [flat]
        return DayStatistics(
            open_ms=open_ms,
            close_ms=close_ms,
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

    def _aggregate(self, trade: Trade) -> None:
        if self._aggregates and self._aggregates[-1].includes(trade):
            newest = self._aggregates[-1]
            newest.qty += trade.qty
            newest.last_trade_id = trade.trade_id
            return
        self._last_aggregate_id += 1
        self._aggregates.append(
            AggregateTrade(
                aggregate_id=self._last_aggregate_id,
                price=trade.price,
                qty=trade.qty,
                first_trade_id=trade.trade_id,
                last_trade_id=trade.trade_id,
                time_ms=trade.time_ms,
                buyer_is_maker=trade.buyer_is_maker,
                taker_order_id=trade.taker_order_id,
            )
        )

    def _forget_seconds(self, now_second: int) -> None:
        oldest = now_second - self._average_minutes * 60
        while self._seconds and self._seconds[0][0] <= oldest:
            self._seconds.popleft()
