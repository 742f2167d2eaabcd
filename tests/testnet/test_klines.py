"""Candles are contiguous, aligned and made of exactly the trades of their time."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otonom_trader.testnet.klines import INTERVALS, KlineSeries, next_open_time, open_time
from otonom_trader.testnet.orders import Trade


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def trade(trade_id: int, time_ms: int, price: int = 100, qty: int = 1) -> Trade:
    return Trade(trade_id, "BTCUSDT", price, qty, price * qty, time_ms, buyer_is_maker=False)


@pytest.mark.parametrize(
    ("interval", "opened"),
    [
        ("1s", "2026-11-18T13:47:29"),
        ("1m", "2026-11-18T13:47:00"),
        ("15m", "2026-11-18T13:45:00"),
        ("4h", "2026-11-18T12:00:00"),
        ("1d", "2026-11-18T00:00:00"),
        ("1w", "2026-11-16T00:00:00"),
        ("1M", "2026-11-01T00:00:00"),
    ],
)
def test_a_candle_opens_on_its_interval_in_utc(interval: str, opened: str) -> None:
    assert open_time(interval, ms("2026-11-18T13:47:29.250")) == ms(opened)


@pytest.mark.parametrize("interval", INTERVALS)
@settings(deadline=None)
@given(time_ms=st.integers(0, 4_000_000_000_000))
def test_a_moment_lies_in_its_candle(interval: str, time_ms: int) -> None:
    opened = open_time(interval, time_ms)
    following = next_open_time(interval, opened)
    assert opened <= time_ms < following
    assert open_time(interval, following) == following


def test_months_follow_each_other() -> None:
    assert next_open_time("1M", ms("2026-01-01T00:00")) == ms("2026-02-01T00:00")
    assert next_open_time("1M", ms("2026-02-01T00:00")) == ms("2026-03-01T00:00")
    assert next_open_time("1M", ms("2026-12-01T00:00")) == ms("2027-01-01T00:00")


TRADES = st.lists(
    st.tuples(st.integers(0, 40_000), st.integers(90, 110), st.integers(1, 9)), min_size=1
)


@settings(deadline=None)
@given(TRADES)
def test_candles_have_no_holes_and_hold_their_trades(
    drawn: list[tuple[int, int, int]],
) -> None:
    series = KlineSeries("1s", 1000)
    trades = [
        trade(number, time_ms, price, qty)
        for number, (time_ms, price, qty) in enumerate(sorted(drawn))
    ]
    for one in trades:
        series.add(one)
    candles = series.read(None, None, 1000, 60_000)
    assert candles[0].open_ms == open_time("1s", trades[0].time_ms)
    assert candles[-1].open_ms == 60_000
    for candle, following in pairwise(candles):
        assert following.open_ms == candle.open_ms + 1000
    close = None
    for candle in candles:
        inside = [one for one in trades if 0 <= one.time_ms - candle.open_ms < 1000]
        assert candle.count == len(inside)
        assert candle.volume == sum(one.qty for one in inside)
        assert candle.quote == sum(one.quote for one in inside)
        if inside:
            prices = [one.price for one in inside]
            shown = (candle.open, candle.high, candle.low, candle.close)
            assert shown == (prices[0], max(prices), min(prices), prices[-1])
        else:
            assert candle.open == candle.high == candle.low == candle.close == close
        close = candle.close


@pytest.fixture
def minutes() -> KlineSeries:
    """Ten candles that open at minute 0 to 9."""
    series = KlineSeries("1m", 100)
    for minute in range(10):
        series.add(trade(minute, minute * 60_000 + 5))
    return series


@pytest.mark.parametrize(
    ("start", "end", "limit", "opened"),
    [
        (None, None, 3, [7, 8, 9]),
        (2, None, 3, [2, 3, 4]),
        (None, 5, 3, [3, 4, 5]),
        (2, 5, 3, [2, 3, 4]),
        (2, 3, 3, [2, 3]),
        (20, None, 3, []),
    ],
)
def test_a_start_reads_onwards_and_an_end_reads_backwards(
    minutes: KlineSeries, start: int | None, end: int | None, limit: int, opened: list[int]
) -> None:
    def at(minute: int | None) -> int | None:
        return None if minute is None else minute * 60_000

    candles = minutes.read(at(start), at(end), limit, 9 * 60_000 + 30_000)
    assert [candle.open_ms // 60_000 for candle in candles] == opened


def test_a_series_keeps_the_newest_and_skips_a_long_silence_at_once() -> None:
    series = KlineSeries("1s", 100)
    series.add(trade(1, 0))
    series.add(trade(2, 10_000_000_000))
    candles = series.read(None, None, 1000, 10_000_000_000)
    assert len(candles) == 100
    assert candles[-1].open_ms == 10_000_000_000
    assert candles[-1].count == 1
    assert all(after.open_ms - before.open_ms == 1000 for before, after in pairwise(candles))
