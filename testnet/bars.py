"""One-minute bars, from a file or made up, and the path of trades that plays a bar.

Amounts are integers of 10**-8.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final

from otonom_trader.testnet.amounts import SCALE, parse_amount

_MINUTE_MS: Final = 60_000
COLUMNS: Final = ("open_time_ms", "open", "high", "low", "close", "volume_base")


@dataclass(frozen=True, slots=True)
class Bar:
    """Prices and traded base volume of one minute."""

    open: int
    high: int
    low: int
    close: int
    volume: int


@dataclass(frozen=True, slots=True)
class Print:
    """One trade of a bar's path. ``part`` and ``parts``: at which fraction of the bar."""

    part: int
    parts: int
    price: int
    qty: int
    buyer_is_taker: bool


def read_bars(path: Path) -> Iterator[Bar]:
    """The bars of a CSV file with the columns ``COLUMNS``, in its order, minute by minute.

    ValueError names the file, the line and what is wrong with it.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames is None or not set(COLUMNS) <= set(reader.fieldnames):
            raise ValueError(f"{path}: the first line must name the columns {','.join(COLUMNS)}")
        before: int | None = None
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            try:
                opened = int(row["open_time_ms"] or "")
                bar = Bar(
                    open=parse_amount(row["open"] or ""),
                    high=parse_amount(row["high"] or ""),
                    low=parse_amount(row["low"] or ""),
                    close=parse_amount(row["close"] or ""),
                    volume=parse_amount(row["volume_base"] or ""),
                )
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
            if not 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
                raise ValueError(f"{where}: open, high, low and close do not fit together")
            if before is not None and opened <= before:
                raise ValueError(f"{where}: open_time_ms does not increase")
            if before is not None and opened != before + _MINUTE_MS:
                raise ValueError(
                    f"{where}: the bar is not of the minute after the one before it, which is "
                    f"open_time_ms {before + _MINUTE_MS}"
                )
            before = opened
            yield bar


def check_bars(path: Path) -> int:
    """How many bars the file has; ValueError where it is unreadable, malformed or empty."""
    try:
        count = sum(1 for _ in read_bars(path))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file in UTF-8") from None
    if not count:
        raise ValueError(f"{path}: the file has no bars")
    return count


def synthetic_bars(random: Random, first_price: int, tick: int, step: int) -> Iterator[Bar]:
    """A random walk without end: minutes of about 0.05 % standard deviation."""
    price = first_price
    while True:
        closes = price
        high = low = price
        for _ in range(8):
            # The sum of three uniform steps is near enough to a bell and exact in integers.
            moved = sum(random.randint(-20_000, 20_000) for _ in range(3))
            closes = max(tick * 100, closes + _rounded(closes * moved // SCALE, tick))
            high, low = max(high, closes), min(low, closes)
        # Worth about 100 million of the quote asset an hour at any price.
        volume = 1_700_000 * SCALE * SCALE // price * random.randint(30, 300) // 100
        yield Bar(price, high, low, closes, max(step, volume - volume % step))
        price = closes


def play(bar: Bar, parts: int, random: Random, tick: int, step: int) -> list[Print]:
    """Trades that make up the bar: its open first, its close last, both extremes in between.

    ``parts`` is at least 4. Prices in between are on the tick; quantities are whole steps where
    the volume has enough of them, and always add up to it. A bar without volume has no trades.
    """
    anchors = [(0, bar.open), (parts - 1, bar.close)]
    first = random.randint(1, parts - 3)
    second = random.randint(first + 1, parts - 2)
    extremes = [bar.low, bar.high] if bar.close >= bar.open else [bar.high, bar.low]
    anchors[1:1] = zip((first, second), extremes, strict=True)
    quantities = _split(bar.volume, parts, random, step)
    prints = []
    for (left, start), (right, end) in pairwise(anchors):
        for part in range(left, right):
            price = start
            if part > left:
                price += (end - start) * (part - left) // (right - left)
                wiggle = (bar.high - bar.low) // 8
                price += random.randint(-wiggle, wiggle)
                price = min(bar.high, max(bar.low, _rounded(price, tick)))
            prints.append((part, price))
    prints.append((parts - 1, bar.close))
    before = bar.open
    path = []
    for (part, price), qty in zip(prints, quantities, strict=True):
        rising = random.random() < 0.5 if price == before else price > before
        before = price
        if qty:
            path.append(Print(part, parts, price, qty, rising))
    return path


def _rounded(amount: int, tick: int) -> int:
    return amount - amount % tick


def _split(volume: int, parts: int, random: Random, step: int) -> list[int]:
    """Random shares of the volume, in whole steps, the remainder on the last."""
    lot = step if volume >= parts * step else 1
    lots = volume // lot
    if lots < parts:
        return [lot] * lots + [0] * (parts - lots)
    weights = [random.randint(1, 10) for _ in range(parts)]
    total = sum(weights)
    shares = [1 + (lots - parts) * weight // total for weight in weights]
    shares[-1] += lots - sum(shares)
    quantities = [share * lot for share in shares]
    quantities[-1] += volume - lots * lot
    return quantities
