"""Own working orders withdrawn after a halt: cancelled until the venue shows none.

Source: design.md, "The way of a kill"; promises.md, P2.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import structlog

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.daemon.alarm import KEY_REFUSED
from otonom_trader.daemon.outage import Outage
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.ids import is_ours
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderResult, OrderState, OrderStatus
from otonom_trader.domain.ports import Clock

log = structlog.get_logger("kill")

_AT_ONCE: Final = 16
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 5.0
_KEY_PAUSE_SECONDS: Final = 30.0
_MOST_NAMED: Final = 20


class Canceller(Protocol):
    """A venue as far as it is asked for working orders, and to cancel them."""

    async def get_open_orders(self) -> list[OrderResult]:
        """Return all working orders of the account."""

    async def cancel_order(self, order_id: str, symbol: str | None = None) -> OrderResult:
        """Cancel a working order by the venue's id or by its client order id."""


class Cancelled(NamedTuple):
    """A working order, and what became of its cancel."""

    order: OrderResult
    result: OrderResult


def own(order: OrderResult) -> bool:
    """Return whether an order of the account was placed by this program."""
    return is_ours(order.client_order_id or "")


async def cancel_working(
    venue: Canceller, wanted: Callable[[OrderResult], bool]
) -> list[Cancelled]:
    """Look once, and send a cancel for each of the working orders that is `wanted`.

    The cancels go out side by side. Empty when the venue shows no such order. Raises `VenueError`
    when it cannot be asked.
    """
    working = [order for order in await venue.get_open_orders() if wanted(order)]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def cancel(order: OrderResult) -> Cancelled:
        # Ours are known by the client id, which of a pair is that of both its orders.
        id_ = order.client_order_id if own(order) else order.order_id
        async with slots:
            return Cancelled(order, await venue.cancel_order(id_ or "", order.symbol))

    return list(await asyncio.gather(*map(cancel, working)))


class Withdrawal:
    """Withdraws the own orders of `broker`'s account, in live.

    `left` is how many worked by the venue's last word, None while that is not known. After
    `deadline_seconds` it is told loudly what still works, once, and tried on.
    """

    def __init__(self, clock: Clock, deadline_seconds: float) -> None:
        self.left: int | None = None
        self.cancelled = 0
        """How many orders were cancelled."""
        self.verified_ns: int | None = None
        """When it was verified, monotonic; None while it is not."""
        self.knows_earlier_orders = False
        """Whether orders of earlier runs are in sight: until then one may be on its way."""
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._failing = Outage(log, clock, "kill.cancel_failed", "kill.cancel_answered")
        self._working: list[OrderResult] = []

    @property
    def verified(self) -> bool:
        """Whether the venue shows none, and none can turn up any more."""
        return self.verified_ns is not None

    def reset(self) -> None:
        """Know nothing any more: trading goes on."""
        self.left, self.verified_ns, self.cancelled = None, None, 0

    async def run(self, broker: GuardedBroker, goes_on: Callable[[], bool]) -> None:
        """Cancel until that is verified, or until it does not go on."""
        if broker.mode is not Mode.LIVE:
            return
        async with asyncio.TaskGroup() as tasks:
            deadline = tasks.create_task(self._tell_when_late())
            pause = _FIRST_PAUSE_SECONDS
            while goes_on():
                try:
                    if await self._look_and_cancel(broker):
                        break
                except VenueError as failure:
                    self._failing.failed(str(failure))
                    broker.heed(failure.code, str(failure))
                    # A refused key stays so until a person has done something about it.
                    refused = failure.code == KEY_REFUSED
                    await self._clock.sleep(_KEY_PAUSE_SECONDS if refused else pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                else:
                    pause = _FIRST_PAUSE_SECONDS
            deadline.cancel()

    async def _look_and_cancel(self, broker: GuardedBroker) -> bool:
        """Do it once; return whether nothing is left. Raises `VenueError` as `cancel_working`."""
        # Before the look: what is answered after this can be seen by it.
        on_its_way = not self.knows_earlier_orders or _on_its_way(broker)
        sent = await cancel_working(broker, own)
        self._failing.ended()
        self.left = len(sent)
        self._working = [order for order, _ in sent]
        self.cancelled += sum(result.status is OrderStatus.CANCELED for _, result in sent)
        for order, result in sent:
            log.warning(
                "kill.cancelled",
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                state=result.state,
                status=result.status,
                **({} if result.state is OrderState.ACCEPTED else {"reason": result.message}),
            )
        if sent or on_its_way:
            self.verified_ns = None
            if on_its_way or any(result.state is not OrderState.ACCEPTED for _, result in sent):
                await self._clock.sleep(_FIRST_PAUSE_SECONDS)
            return False
        if not self.verified:
            self.verified_ns = self._clock.monotonic_ns()
            log.warning("kill.verified", working_orders=0)
        return True

    async def _tell_when_late(self) -> None:
        await self._clock.sleep(self._deadline_seconds)
        log.critical(
            "kill.orders_left",
            after_seconds=self._deadline_seconds,
            working_orders=self.left,
            client_order_ids=[order.client_order_id for order in self._working[:_MOST_NAMED]],
        )


def _on_its_way(broker: GuardedBroker) -> bool:
    """Whether an order that left before the halt may still come to work at the venue."""
    outcomes = broker.outcomes
    return bool(outcomes.unanswered) or any(
        order.row.outcome is Outcome.UNKNOWN for order in outcomes.open_orders
    )
