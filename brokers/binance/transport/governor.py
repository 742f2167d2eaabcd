"""What the venue lets one address and one account ask, and when it wants to be left alone.

Source: binance-facts.md, section 3. Windows are fixed and aligned with the clock. What the venue
says of its own counts is believed; what is on its way and not answered yet is added.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import IntEnum
from http import HTTPStatus
from typing import Final

from otonom_trader.brokers.binance.errors import ORDER_RATE_EXCEEDED, Paused, Reply
from otonom_trader.brokers.binance.usage import ORDERS, REQUEST_WEIGHT, Usage
from otonom_trader.domain.ports import Clock, KillGate

_SECOND: Final = 1_000_000_000
# Where no Retry-After came: the shortest ban, a whole weight window, a whole order window.
_BAN_SECONDS: Final = 120.0
_WEIGHT_WINDOW_SECONDS: Final = 60.0
_ORDER_WINDOW_SECONDS: Final = 10.0
# How often a cancel may knock while the venue asks for silence, short of a ban.
_KNOCK_SECONDS: Final = 5.0
_BANNED: Final = HTTPStatus.IM_A_TEAPOT


class Lane(IntEnum):
    """How much of the weight a request may use up, in percent: a lane is kept for the urgent."""

    ORDINARY = 80
    ORDER = 90
    URGENT = 100
    """Cancels, and asking what became of an order."""


class Window:
    """One limit in its present window: what the venue has counted, and what is on its way."""

    __slots__ = ("_index", "limit", "on_the_way", "seconds", "used")

    def __init__(self, seconds: int, limit: int) -> None:
        self.seconds = seconds
        self.limit = limit
        self.used = 0
        self.on_the_way = 0
        self._index = 0

    def seconds_until_room(self, amount: int, percent: int, now: float) -> float:
        """Return 0.0 when `amount` more fits, else how long the present window still lasts."""
        self._roll(now)
        if self.used + self.on_the_way + amount <= self.limit * percent // 100:
            return 0.0
        return self.seconds - now % self.seconds

    def add(self, amount: int, now: float) -> None:
        """Count what may have been carried out."""
        self._roll(now)
        self.used += amount

    def told(self, count: int, now: float) -> None:
        """Take over the venue's own count."""
        self._roll(now)
        self.used = count

    def _roll(self, now: float) -> None:
        index = int(now // self.seconds)
        if index != self._index:
            self._index, self.used = index, 0


class RateGovernor:
    """Keeps requests within the limits, and silent when the venue asks for silence.

    `on_ban` is told until when the venue has banned this address: it must be remembered beyond the
    process. Durations are monotonic, windows by the wall clock.
    """

    def __init__(self, clock: Clock, on_ban: Callable[[datetime], None] | None = None) -> None:
        self._clock = clock
        self.on_ban = on_ban
        self._weight = Window(60, 6_000)
        self._orders = {10: Window(10, 50), 86_400: Window(86_400, 160_000)}
        self._quiet_until_ns = 0
        self._quiet_reason = ""
        self._quiet_status = 0
        self._orders_until_ns = 0
        self._knocked_ns = 0
        self.last_order_ns: int | None = None
        """When an order was last let go, monotonic."""

    def check(self, weight: int, lane: Lane, *, orders: int = 0) -> None:
        """Return when a request may leave now; raises `Paused` otherwise."""
        self._check_silence(lane)
        now = self._now()
        left = self._weight.seconds_until_room(weight, lane, now)
        if left:
            raise Paused(f"not sent: the request weight is used up for another {_whole(left)} s")
        if orders and (left := self._order_pause_seconds(orders, now)):
            raise Paused(f"not sent: the order rate limit is used up for another {_whole(left)} s")

    def order_pause_seconds(self, orders: int = 1) -> float:
        """Return for how long no more `orders` may leave, 0.0 when they may now."""
        return self._order_pause_seconds(orders, self._now())

    def left(self, weight: int, lane: Lane, *, orders: int = 0) -> None:
        """Count a request whose bytes leave: it is on its way until `observe`."""
        if lane is Lane.URGENT and self._clock.monotonic_ns() < self._quiet_until_ns:
            self._knocked_ns = self._clock.monotonic_ns()
        self._weight.on_the_way += weight
        if orders:
            self.last_order_ns = self._clock.monotonic_ns()
            for window in self._orders.values():
                window.on_the_way += orders

    def observe(self, reply: Reply, weight: int = 0, *, orders: int = 0) -> None:
        """Take note of the answer, or that there is none, to a request of that `weight`."""
        now = self._now()
        self._weight.on_the_way -= weight
        self._weight.add(weight, now)
        for window in self._orders.values() if orders else ():
            window.on_the_way -= orders
            window.add(orders, now)
        for usage in reply.usage:
            self._told(usage, now)
        self._note_silence(reply)

    def learn(self, usages: tuple[Usage, ...]) -> None:
        """Take over the limits that the venue lists; their counts are not told there."""
        for usage in usages:
            window = self._window(usage)
            if window is not None and usage.limit:
                window.limit = usage.limit

    def keep_silent_until(self, moment: datetime) -> None:
        """Send nothing before `moment`: a ban of an earlier run that is not over."""
        left = (moment - self._clock.now()).total_seconds()
        if left > 0:
            self._be_quiet(left, _BANNED)

    def _order_pause_seconds(self, orders: int, now: float) -> float:
        left = 0.0
        for window in self._orders.values():
            left = max(left, window.seconds_until_room(orders, 100, now))
        until_ns = max(self._orders_until_ns, self._quiet_until_ns)
        if until_ns:
            left = max(left, (until_ns - self._clock.monotonic_ns()) / _SECOND)
        return left

    def _told(self, usage: Usage, now: float) -> None:
        window = self._window(usage)
        if window is not None:
            window.told(usage.used, now)
            window.limit = usage.limit or window.limit

    def _window(self, usage: Usage) -> Window | None:
        if usage.kind == REQUEST_WEIGHT and usage.seconds == self._weight.seconds:
            return self._weight
        return self._orders.get(usage.seconds) if usage.kind == ORDERS else None

    def _note_silence(self, reply: Reply) -> None:
        if reply.status not in (_BANNED, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.FORBIDDEN):
            return
        told, asked = reply.venue_text, reply.retry_after_seconds
        if told is not None and told.code == ORDER_RATE_EXCEEDED:
            wait = _ORDER_WINDOW_SECONDS if asked is None else asked
            until_ns = self._clock.monotonic_ns() + int(wait * _SECOND)
            self._orders_until_ns = max(self._orders_until_ns, until_ns)
            return
        default = _BAN_SECONDS if reply.status == _BANNED else _WEIGHT_WINDOW_SECONDS
        wait = default if asked is None else asked
        self._be_quiet(wait, reply.status)
        if reply.status == _BANNED and self.on_ban is not None:
            self.on_ban(self._clock.now() + timedelta(seconds=wait))

    def _be_quiet(self, seconds: float, status: int) -> None:
        until_ns = self._clock.monotonic_ns() + int(seconds * _SECOND)
        if until_ns > self._quiet_until_ns:
            self._quiet_until_ns, self._quiet_status = until_ns, status
            self._quiet_reason = f"HTTP {int(status)}"

    def _check_silence(self, lane: Lane) -> None:
        if not self._quiet_until_ns:
            return
        now_ns = self._clock.monotonic_ns()
        left_ns = self._quiet_until_ns - now_ns
        if left_ns <= 0 or self._may_knock(lane, now_ns):
            return
        raise Paused(
            f"not sent: after {self._quiet_reason} Binance takes no requests for another "
            f"{_whole(left_ns / _SECOND)} s"
        )

    def _may_knock(self, lane: Lane, now_ns: int) -> bool:
        """Whether something urgent may be tried although silence was asked for, short of a ban."""
        if lane is not Lane.URGENT or self._quiet_status != HTTPStatus.TOO_MANY_REQUESTS:
            return False
        return not self._knocked_ns or now_ns - self._knocked_ns >= _KNOCK_SECONDS * _SECOND

    def _now(self) -> float:
        return self._clock.now().timestamp()


class Toll:
    """A request's way past the governor and, for an order, the gate: a `departure.Permit`."""

    __slots__ = ("_gate", "_governor", "_lane", "_orders", "_weight")

    def __init__(
        self,
        governor: RateGovernor,
        weight: int,
        lane: Lane = Lane.ORDINARY,
        *,
        orders: int = 0,
        gate: KillGate | None = None,
    ) -> None:
        self._governor = governor
        self._weight = weight
        self._lane = lane
        self._orders = orders
        self._gate = gate

    def check(self) -> None:
        """Raise `Paused`, or what the gate raises, where the request may not leave."""
        self._governor.check(self._weight, self._lane, orders=self._orders)
        if self._gate is not None:
            self._gate.check()

    def confirm(self) -> None:
        """Raise what the gate raises: a signal may have shut it since `check`."""
        if self._gate is not None:
            self._gate.check()

    def left(self) -> None:
        """Count it as on its way."""
        self._governor.left(self._weight, self._lane, orders=self._orders)

    def answered(self, reply: Reply) -> None:
        """Count it as carried out, or as the venue says."""
        self._governor.observe(reply, self._weight, orders=self._orders)


def _whole(seconds: float) -> int:
    return -int(-seconds // 1)


def retry_after_seconds(header: str | None) -> float | None:
    """Return what a ``Retry-After`` header asks for; the venue gives whole seconds."""
    if header is None or not header.isascii() or not header.isdigit():
        return None
    return min(float(header), 7 * 86_400.0)
