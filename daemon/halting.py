"""After the latch: own orders cancelled, and the venue asked whether any is left.

Source: design.md, "The way of a kill".
"""

import structlog

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.ids import is_ours
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.ports import Clock

log = structlog.get_logger("kill")

_PAUSE_SECONDS = 1.0


async def cancel_own_orders(broker: GuardedBroker, clock: Clock) -> None:
    """Cancel every working order of ours; return once the venue shows none.

    In off and shadow there is nothing of ours to cancel. Asks again for as long as the venue cannot
    be reached.
    """
    if broker.mode is not Mode.LIVE:
        return
    while True:
        try:
            left = await _cancel_all(broker)
        except VenueError as failure:
            log.warning("kill.cancel_failed", reason=str(failure))
            left = -1
        if left == 0:
            log.warning("kill.verified", working_orders=0)
            return
        await clock.sleep(_PAUSE_SECONDS)


async def _cancel_all(broker: GuardedBroker) -> int:
    """Send a cancel for each own working order; return how many there were."""
    own = [o for o in await broker.get_open_orders() if is_ours(o.client_order_id or "")]
    for order in own:
        result = await broker.cancel_order(order.client_order_id or "", order.symbol)
        log.warning(
            "kill.cancelled",
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            state=result.state,
            status=result.status,
        )
    return len(own)
