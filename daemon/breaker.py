"""The health breaker at work: when the venue is unfit to trade at, only the paper leg goes on.

Source: the guide, "Emergency Procedures" (broker disconnection); contract.md, "States".
"""

import asyncio
import os

import structlog

from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.domain.errors import NotPermitted
from otonom_trader.domain.order import OrderResult
from otonom_trader.domain.ports import Clock
from otonom_trader.risk.health import (
    Health,
    HealthLimits,
    Sign,
    after,
    ailment,
    sign_of_order,
    sign_of_request,
)
from otonom_trader.storage.events import PAPER_ONLY, KillEvent
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("health")

_ONE_FAILURE_NS = 1_000_000_000


class Breaker:
    """Hears how the venue does and leaves it to paper when that is too bad; fills `HealthWatch`.

    The gate is shut when `answered` or `heard` returns; `act` makes that durable and tells it.
    `tripped` is set where there is something to act upon. Requests that fail within a second of
    each other count as one failure: many symbols may ask at once.
    """

    def __init__(
        self, limits: HealthLimits, lifecycle: Lifecycle, journal: Journal, clock: Clock
    ) -> None:
        self.limits = limits
        self.tripped = asyncio.Event()
        self._lifecycle = lifecycle
        self._journal = journal
        self._clock = clock
        self._health = Health()
        self._untold: str | None = None
        self._failed_ns: int | None = None

    async def begin(self) -> None:
        """Be where an earlier run left off: paper only until it is resumed."""
        standing = await self._journal.paper_only()
        if standing is not None:
            self._lifecycle.paper_only = standing.reason

    def answered(self, result: OrderResult) -> None:
        """Take note of the first answer to an order."""
        self._observe(sign_of_order(result, self.limits), result.message)

    def heard(self, code: str | None, message: str) -> None:
        """Take note of the answer to a request that is no order; `code` None is one in order."""
        self._observe(sign_of_request(code), message)

    async def act(self) -> None:
        """Journal that only paper goes on, and say so; raises `JournalError`."""
        reason = self._untold
        if reason is not None:
            event = KillEvent(self._clock.now(), PAPER_ONLY, reason, f"pid {os.getpid()}")
            await self._journal.record_kill(event)
            self._untold = None
            log.critical("health.tripped", reason=reason)

    def require_trading(self) -> None:
        """Raise `NotPermitted` with what to do while only paper goes on."""
        if self._lifecycle.paper_only:
            raise NotPermitted(
                f"paper only: {self._lifecycle.paper_only}; "
                "otonom-trader resume --reason TEXT is the way on"
            )

    def _observe(self, sign: Sign | None, message: str) -> None:
        if sign is None or self._lifecycle.paper_only or self._is_same_failure(sign):
            return
        self._health = after(self._health, sign)
        ill = ailment(self._health, self.limits)
        if ill is not None:
            self._health = Health()
            reason = f"{ill}, the last: {message}" if message else ill
            self._lifecycle.paper_only = self._untold = reason
            self.tripped.set()

    def _is_same_failure(self, sign: Sign) -> bool:
        if sign is not Sign.ERROR:
            return False
        now_ns, last_ns = self._clock.monotonic_ns(), self._failed_ns
        if last_ns is not None and now_ns - last_ns < _ONE_FAILURE_NS:
            return True
        self._failed_ns = now_ns
        return False
