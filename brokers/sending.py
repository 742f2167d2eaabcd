"""An order on its way out; tried again only where it certainly did not leave."""

from collections.abc import Callable

from otonom_trader.brokers.base import OrderDoor
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState
from otonom_trader.domain.ports import Clock

_FIRST_PAUSE_SECONDS = 0.1
_MAY_LEAVE_LATER = {"unreachable", "not_sent", "paused", "clock_unsure", "not_ready"}
_NS = 1_000_000_000


async def send(
    door: OrderDoor,
    order: OrderRequest,
    clock: Clock,
    until_ns: int,
    told: Callable[[str | None, str], None],
) -> OrderResult:
    """Send `order` by `door`; where it certainly did not leave, again until `until_ns` (monotonic).

    `told` is given code and message of each answer. Source: promises.md, P1 and fault 6.
    """
    pause = _FIRST_PAUSE_SECONDS
    while True:
        result = await door.place_order(order)
        told(result.code, result.message)
        if result.state is not OrderState.NOT_SENT or result.code not in _MAY_LEAVE_LATER:
            return result
        if clock.monotonic_ns() + pause * _NS > until_ns:
            return result
        await clock.sleep(pause)
        pause *= 2
