"""A fault at work on one request, the same way for REST and for the WebSocket API.

A delayed request is one that is long on its way to the engine, or whose answer is long on its way
back. Either way the API waits ten seconds for the engine ("General API Information"), then it
answers -1007; what the engine does it does all the same.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from otonom_trader.testnet import replies
from otonom_trader.testnet.dispatch import Outcome, refusal
from otonom_trader.testnet.faults import Hitch, Moment, timed_out
from otonom_trader.testnet.ordered_faults import OrderedFault
from otonom_trader.testnet.truth import RequestRecord

PATIENCE_MS: Final = 10_000
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

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that the answer does not wait for."""
        ...


async def strike(
    ordered: OrderedFault,
    connection: Connection,
    act: Callable[[], Outcome],
    now_ms: int,
    *,
    record: RequestRecord | None = None,
    is_request: bool = True,
) -> Outcome | None:
    """Answer a request that a fault strikes; None where nobody is to get an answer.

    Whether ``act``, which gives the true outcome, is called is as ordered. On ``record`` goes what
    the client is told. A handshake is no request: it waits for no engine.
    """

    def act_on_record() -> Outcome:
        told = None if record is None else (record.status, record.code)
        outcome = act()
        if record is not None and told is not None:
            record.status, record.code = told
        return outcome

    meet = _give_up_on if is_request and _outlasts_patience(ordered) else _struck
    outcome = await meet(ordered, connection, act_on_record, now_ms)
    if record is not None and outcome is not None:
        record.tell(outcome.status, None if outcome.error is None else outcome.error.code)
    return outcome


async def _struck(
    ordered: OrderedFault, connection: Connection, act: Callable[[], Outcome], now_ms: int
) -> Outcome | None:
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


async def _give_up_on(
    ordered: OrderedFault, connection: Connection, act: Callable[[], Outcome], now_ms: int
) -> Outcome | None:
    """Answer when patience ends; the engine acts at once, or when the request gets there."""

    async def arrive() -> None:
        await connection.sleep(ordered.ms / 1000)
        act()

    outcome = Outcome(200, {})
    if ordered.fault.hitch == (Moment.BEFORE, Hitch.DELAY):
        connection.spawn(arrive())
    else:
        outcome = act()
    await connection.sleep(PATIENCE_MS / 1000)
    return None if connection.is_closed else refusal(timed_out(0, now_ms), outcome)


def _outlasts_patience(ordered: OrderedFault) -> bool:
    hitch = ordered.fault.hitch
    return hitch is not None and hitch[1] is Hitch.DELAY and ordered.ms > PATIENCE_MS


async def _passes(ordered: OrderedFault, connection: Connection, moment: Moment) -> bool:
    """Whether the connection is still there after what happens to it at this moment."""
    planned, hitch = ordered.fault.hitch or (None, None)
    if planned is not moment:
        return True
    if hitch is Hitch.CLOSE:
        connection.abort()
    elif hitch is Hitch.DELAY:
        await connection.sleep(ordered.ms / 1000)
        # What is on its way arrives, whoever has gone meanwhile.
        return moment is Moment.BEFORE or not connection.is_closed
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
