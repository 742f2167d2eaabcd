"""Silence the venue has asked for. Source: binance-facts.md, section 3."""

from http import HTTPStatus
from typing import Final

from otonom_trader.brokers.binance.errors import ORDER_RATE_EXCEEDED, Paused, Reply
from otonom_trader.domain.ports import Clock

_SECOND: Final = 1_000_000_000
# Where no Retry-After came: the shortest ban, a whole weight window, a whole order window.
_BAN_SECONDS: Final = 120.0
_WEIGHT_WINDOW_SECONDS: Final = 60.0
_ORDER_WINDOW_SECONDS: Final = 10.0


class RatePause:
    """Remembers until when the venue wants no requests, or no new orders; times are monotonic."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._quiet_until_ns = 0
        self._quiet_reason = ""
        self._orders_until_ns = 0

    def observe(self, reply: Reply) -> None:
        """Take note of a reply that asks for silence; going on would turn into a ban."""
        if reply.status not in (418, 429, HTTPStatus.FORBIDDEN):
            return
        told = reply.venue_text
        asked = reply.retry_after_seconds
        now = self._clock.monotonic_ns()
        if told is not None and told.code == ORDER_RATE_EXCEEDED:
            wait = _ORDER_WINDOW_SECONDS if asked is None else asked
            self._orders_until_ns = max(self._orders_until_ns, now + int(wait * _SECOND))
            return
        default = _BAN_SECONDS if reply.status == 418 else _WEIGHT_WINDOW_SECONDS
        wait = default if asked is None else asked
        self._quiet_until_ns = max(self._quiet_until_ns, now + int(wait * _SECOND))
        self._quiet_reason = f"HTTP {reply.status}"

    def check_request(self) -> None:
        """Return when a request may leave; raises `Paused` otherwise."""
        if not self._quiet_until_ns:
            return
        left_ns = self._quiet_until_ns - self._clock.monotonic_ns()
        if left_ns > 0:
            raise Paused(
                f"not sent: after {self._quiet_reason} Binance takes no requests for another "
                f"{-(-left_ns // _SECOND)} s"
            )

    def check_order(self) -> None:
        """Return when a new order may leave; raises `Paused` otherwise."""
        self.check_request()
        if not self._orders_until_ns:
            return
        left_ns = self._orders_until_ns - self._clock.monotonic_ns()
        if left_ns > 0:
            raise Paused(
                f"not sent: the order rate limit is used up for another {-(-left_ns // _SECOND)} s"
            )


def retry_after_seconds(header: str | None) -> float | None:
    """Return what a ``Retry-After`` header asks for; the venue gives whole seconds."""
    if header is None or not header.isascii() or not header.isdigit():
        return None
    return min(float(header), 7 * 86_400.0)
