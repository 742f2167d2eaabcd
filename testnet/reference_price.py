"""The reference price of a symbol and the price range trades must stay within.

Source: the FAQ "Price Range Execution Rule". The price is the moving average of trade prices over
a window of buckets; the oldest bucket counts with the part of it that is still in the window.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from otonom_trader.testnet.amounts import SCALE, parse_amount
from otonom_trader.testnet.orders import Side

# The documented precision of a bucket's count, and of its sum beyond the price's.
_FRACTION: Final = 10**4


@dataclass(slots=True)
class _Bucket:
    open_ms: int
    count: int = 0
    total: int = 0


class ReferencePrice:
    """The arithmetic mean that the matching engine keeps."""

    def __init__(self, *, bucket_count: int, bucket_width_ms: int) -> None:
        self.bucket_count: Final = bucket_count
        self.bucket_width_ms: Final = bucket_width_ms
        self.was_set = False
        self._buckets: Final[deque[_Bucket]] = deque()

    def add(self, price: int, time_ms: int) -> None:
        """A trade; trades arrive in the order of their times."""
        self.was_set = True
        opened = time_ms - time_ms % self.bucket_width_ms
        if not self._buckets or self._buckets[-1].open_ms < opened:
            self._buckets.append(_Bucket(opened))
            self._forget(time_ms)
        bucket = self._buckets[-1]
        bucket.count += _FRACTION
        bucket.total += price * _FRACTION

    def price(self, now_ms: int) -> int:
        """0 where nothing traded within the window: the reference price is then null."""
        self._forget(now_ms)
        cutoff = now_ms - self.bucket_count * self.bucket_width_ms
        count = total = 0
        for bucket in self._buckets:
            left = min(self.bucket_width_ms, bucket.open_ms + self.bucket_width_ms - cutoff)
            count += bucket.count * left // self.bucket_width_ms
            total += bucket.total * left // self.bucket_width_ms
        return total // count if count else 0

    def _forget(self, now_ms: int) -> None:
        cutoff = now_ms - self.bucket_count * self.bucket_width_ms
        buckets = self._buckets
        while buckets and buckets[0].open_ms + self.bucket_width_ms <= cutoff:
            buckets.popleft()


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Execution rule PRICE_RANGE; a multiplier that is None bounds nothing."""

    bid_up: str | None = None
    bid_down: str | None = None
    ask_up: str | None = None
    ask_down: str | None = None

    def bounds(self, side: Side, reference: int) -> tuple[int, int | None]:
        """The lowest and highest price an order of this side may trade at."""
        down = self.bid_down if side is Side.BUY else self.ask_down
        up = self.bid_up if side is Side.BUY else self.ask_up
        lowest = 0 if down is None else -(-reference * parse_amount(down) // SCALE)
        return lowest, None if up is None else reference * parse_amount(up) // SCALE

    def as_json(self) -> Mapping[str, str]:
        """One entry of ``rules`` in executionRules."""
        multipliers = {
            "bidLimitMultUp": self.bid_up,
            "bidLimitMultDown": self.bid_down,
            "askLimitMultUp": self.ask_up,
            "askLimitMultDown": self.ask_down,
        }
        given = {name: value for name, value in multipliers.items() if value is not None}
        return {"ruleType": "PRICE_RANGE"} | given
