"""A fault at work on one request, the same way for REST and for the WebSocket API."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from otonom_trader.testnet import replies
from otonom_trader.testnet.dispatch import Outcome, refusal
from otonom_trader.testnet.faults import Hitch, Moment
from otonom_trader.testnet.ordered_faults import OrderedFault

_STAND_IN: Final = "another-order"


class Connection(Protocol):
    """What a fault may do to the client's connection."""

    @property
    def is_closed(self) -> bool: ...

    def abort(self) -> None:
        """Close it without sending anything more."""
        ...

    async def sleep(self, seconds: float) -> None:
        """On the venue's clock."""
        ...


async def strike(
    ordered: OrderedFault, connection: Connection, act: Callable[[], Outcome], now_ms: int
) -> Outcome | None:
    """Answer a request that a fault strikes; None where nobody is to get an answer.

    Whether ``act``, which gives the true outcome, is called is as ordered.
    """
    fault = ordered.fault
    if not await _passes(ordered, connection, Moment.BEFORE):
        return None
    outcome = act() if ordered.executed else Outcome(200, {})
    if not await _passes(ordered, connection, Moment.AFTER):
        return None
    if fault.refusal is not None:
        return refusal(fault.refusal(ordered.retry_after_s, now_ms), outcome)
    if fault.is_wrong:
        outcome.content = _of_another_order(outcome)
    return outcome


async def _passes(ordered: OrderedFault, connection: Connection, moment: Moment) -> bool:
    """Whether the connection is still there after what happens to it at this moment."""
    planned, hitch = ordered.fault.hitch or (None, None)
    if planned is not moment:
        return True
    if hitch is Hitch.CLOSE:
        connection.abort()
    elif hitch is Hitch.DELAY:
        await connection.sleep(ordered.ms / 1000)
    else:
        # Until the client gives up or the venue closes; either cancels this.
        await asyncio.get_running_loop().create_future()
    return not connection.is_closed


def _of_another_order(outcome: Outcome) -> Any:
    """The same fields, filled from another order of the account; made up where it has none.

    A reply that is about no order loses its content.
    """
    told = outcome.content
    if not isinstance(told, dict) or "orderId" not in told:
        return {}
    orders = outcome.key.account.orders.values() if outcome.key is not None else ()
    other = next((order for order in reversed(orders) if order.order_id != told["orderId"]), None)
    if other is None:
        return told | {"orderId": told["orderId"] + 1, "clientOrderId": _STAND_IN}
    actual = replies.full(other, 1) | replies.queried(other, 1)
    return {name: actual.get(name, value) for name, value in told.items()}
