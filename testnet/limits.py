"""Counting requests and orders in fixed, clock-aligned windows (page "Rate Limits").

Weight and raw requests are counted by address, unfilled orders by account.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from otonom_trader.testnet.config import RateLimits
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.events import Event, Execution

_MINUTE_MS: Final = 60_000
_TEN_SECONDS_MS: Final = 10_000
_DAY_MS: Final = 86_400_000
# The documented example of what a maker's first fill gives back; a taker's gives back 1.
_MAKER_CREDIT: Final = 5
# Bans last from two minutes to three days; how they grow in between is not documented.
_FIRST_BAN_MS: Final = 2 * _MINUTE_MS
_BAN_GROWTH: Final = 4
_LONGEST_BAN_MS: Final = 3 * _DAY_MS


@dataclass(slots=True)
class Window:
    """A counter that starts anew at each multiple of its length."""

    length_ms: int
    _opened_ms: int = -1
    _count: int = 0

    def count(self, now_ms: int) -> int:
        opened = now_ms - now_ms % self.length_ms
        if opened != self._opened_ms:
            self._opened_ms, self._count = opened, 0
        return self._count

    def add(self, amount: int, now_ms: int) -> int:
        self._count = max(0, self.count(now_ms) + amount)
        return self._count

    def give_back(self, amount: int, now_ms: int) -> None:
        """Of the window of this moment; where another is open there is nothing to give back."""
        if now_ms - now_ms % self.length_ms == self._opened_ms:
            self._count = max(0, self._count - amount)

    def seconds_left(self, now_ms: int) -> int:
        return -(-(self.length_ms - now_ms % self.length_ms) // 1000)


@dataclass(slots=True)
class OrderCount:
    """Unfilled orders of one account."""

    ten_seconds: Window = field(default_factory=lambda: Window(_TEN_SECONDS_MS))
    day: Window = field(default_factory=lambda: Window(_DAY_MS))


@dataclass(slots=True)
class Caller:
    """What one address has used, and what came of using too much."""

    weight: Window = field(default_factory=lambda: Window(_MINUTE_MS))
    raw: Window = field(default_factory=lambda: Window(5 * _MINUTE_MS))
    refused: Window = field(default_factory=lambda: Window(_MINUTE_MS))
    """Requests answered with 429."""
    bans: int = 0
    banned_until_ms: int = 0


class Limits:
    """All counters of the venue."""

    def __init__(self, limits: RateLimits) -> None:
        self.limits: Final = limits
        self.on_ban: Final[list[Callable[[str], None]]] = []
        """Told the address."""
        self._callers: Final[dict[str, Caller]] = {}
        self._orders: Final[dict[int, OrderCount]] = {}

    def charge(self, address: str, weight: int, now_ms: int, *, is_raw: bool = True) -> int:
        """Count one request; its weight used so far. Over a limit: -1003, HTTP 429.

        RAW_REQUESTS counts REST only: ``is_raw`` is False for what came over a WebSocket.
        """
        caller = self._caller(address)
        if now_ms < caller.banned_until_ms:
            raise self._banned(caller, now_ms)
        used = caller.weight.add(weight, now_ms)
        raw = caller.raw.add(1 if is_raw else 0, now_ms)
        if is_raw and raw > self.limits.raw_requests_per_5_minutes:
            raise self._refused(
                address,
                f"Too many requests; current limit is {self.limits.raw_requests_per_5_minutes} "
                "requests per 5 MINUTE.",
                caller.raw,
                now_ms,
            )
        if used > self.limits.weight_per_minute:
            raise self._refused(
                address,
                "Too much request weight used; current limit is "
                f"{self.limits.weight_per_minute} request weight per 1 MINUTE.",
                caller.weight,
                now_ms,
            )
        return used

    def banned_until_ms(self, address: str) -> int:
        """When the ban of an address ends or ended; 0 for one that never was banned."""
        return self._caller(address).banned_until_ms

    def ban(self, address: str, now_ms: int, seconds: int) -> None:
        """Ban an address by hand; the next one it earns is no longer for that."""
        self._ban(address, now_ms + seconds * 1000)

    def lift_bans(self, now_ms: int) -> int:
        """Returns how many addresses were banned."""
        banned = [each for each in self._callers.values() if each.banned_until_ms > now_ms]
        for caller in banned:
            caller.banned_until_ms = 0
        return len(banned)

    def _ban(self, address: str, until_ms: int) -> None:
        self._caller(address).banned_until_ms = until_ms
        for told in self.on_ban:
            told(address)

    def _refused(self, address: str, text: str, window: Window, now_ms: int) -> VenueError:
        """429; an address that goes on after several of them is banned.

        How many is not documented: ``refusals_before_ban`` in one minute.
        """
        caller = self._caller(address)
        if caller.refused.add(1, now_ms) > self.limits.refusals_before_ban:
            length_ms = min(_FIRST_BAN_MS * _BAN_GROWTH**caller.bans, _LONGEST_BAN_MS)
            caller.bans += 1
            self._ban(address, now_ms + length_ms)
            return self._banned(caller, now_ms)
        return VenueError(
            -1003,
            f"{text} Please use WebSocket Streams for live updates to avoid polling the API.",
            status=429,
            retry_after_seconds=window.seconds_left(now_ms),
        )

    @staticmethod
    def _banned(caller: Caller, now_ms: int) -> VenueError:
        return VenueError(
            -1003,
            f"Way too much request weight used; IP banned until {caller.banned_until_ms}. Please "
            "use WebSocket Streams for live updates to avoid bans.",
            status=418,
            retry_after_seconds=-(-(caller.banned_until_ms - now_ms) // 1000),
        )

    def refund(self, address: str, weight: int, now_ms: int) -> None:
        """A successful trading request costs no weight."""
        self._caller(address).weight.give_back(weight, now_ms)

    def used_weight(self, address: str, now_ms: int) -> int:
        return self._caller(address).weight.count(now_ms)

    def count_orders(self, uid: int, orders: int, now_ms: int) -> tuple[int, int]:
        """Count orders on their way to the engine: the new counts. Over a limit: -1015."""
        count = self._order_count(uid)
        for window, limit, per in (
            (count.day, self.limits.orders_per_day, "1 DAY"),
            (count.ten_seconds, self.limits.orders_per_10_seconds, "10 SECOND"),
        ):
            # The day is looked at first: once it is used up the seconds stop counting.
            if window.count(now_ms) + orders > limit:
                raise VenueError(
                    -1015,
                    f"Too many new orders; current limit is {limit} orders per {per}.",
                    status=429,
                    retry_after_seconds=window.seconds_left(now_ms),
                )
        return count.ten_seconds.add(orders, now_ms), count.day.add(orders, now_ms)

    def uncount_orders(self, uid: int, orders: int, now_ms: int) -> None:
        """The engine refused them."""
        self._credit(uid, orders, now_ms)

    def on_event(self, event: Event) -> None:
        """An order's first fill gives back some of the count of the current windows."""
        if not isinstance(event, Execution) or event.fill is None:
            return
        first = event.executed == event.fill.trade.qty
        if first and not event.order.account.is_participant:
            credit = _MAKER_CREDIT if event.fill.is_maker else 1
            self._credit(event.order.account.uid, credit, event.time_ms)

    def order_counts(self, uid: int, now_ms: int) -> list[dict[str, Any]]:
        """As GET rateLimit/order replies."""
        count = self._order_count(uid)
        counts = (count.ten_seconds.count(now_ms), count.day.count(now_ms))
        windows = [entry for entry in self.rate_limits() if entry["rateLimitType"] == "ORDERS"]
        return [entry | {"count": used} for entry, used in zip(windows, counts, strict=True)]

    def rate_limits(self) -> list[dict[str, Any]]:
        """As exchangeInfo shows them."""
        limits = self.limits
        rows = (
            ("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_per_minute),
            ("ORDERS", "SECOND", 10, limits.orders_per_10_seconds),
            ("ORDERS", "DAY", 1, limits.orders_per_day),
            ("RAW_REQUESTS", "MINUTE", 5, limits.raw_requests_per_5_minutes),
        )
        return [
            {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
            for kind, interval, number, limit in rows
        ]

    def _credit(self, uid: int, amount: int, now_ms: int) -> None:
        count = self._order_count(uid)
        count.ten_seconds.give_back(amount, now_ms)
        count.day.give_back(amount, now_ms)

    def _caller(self, address: str) -> Caller:
        return self._callers.setdefault(address, Caller())

    def _order_count(self, uid: int) -> OrderCount:
        return self._orders.setdefault(uid, OrderCount())
