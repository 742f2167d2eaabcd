"""An order that the venue has accepted and forgotten, ended by a person who has looked there.

Source: docs/operations.md, "When journal and venue contradict each other".
"""

from dataclasses import replace

import structlog

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.outcomes import WRITTEN_OFF, OpenOrder
from otonom_trader.domain.errors import NotPermitted, VenueError, VenueUnreachable
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.order import OrderState, OrderStatus
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.events import KillEvent
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("write_off")


async def write_off(
    broker: GuardedBroker,
    journal: Journal,
    clock: Clock,
    client_order_id: str,
    reason: str,
    by: str,
) -> TradeExecutionLog:
    """End an own order on record, with the fills that are on record; its reservation is released.

    `by` names the person. The venue is asked once more. Raises `NotPermitted` where the venue knows
    the order, or it is not one that was accepted and has no end, and `VenueUnreachable` where the
    venue cannot be asked.
    """
    if not reason.strip():
        raise NotPermitted("a reason is needed: otonom-trader write-off ID --reason TEXT")
    order = await _accepted(broker, journal, client_order_id)
    await _require_forgotten(broker, order)
    event = KillEvent(clock.now(), "write_off", f"{client_order_id}: {reason}", by)
    await journal.record_kill(event)
    ended = replace(
        order.result,
        state=OrderState.ACCEPTED,
        status=OrderStatus.CANCELED,
        code=WRITTEN_OFF,
        message=f"written off by {by}: {reason}",
        fills=await journal.fills(client_order_id),
    )
    row = (await broker.outcomes.settle(order.intent, ended)).execution
    log.warning(
        "order.written_off",
        decision_id=row.decision_id,
        client_order_id=client_order_id,
        outcome=row.outcome,
        filled_qty=row.broker_qty,
        reason=reason,
        by=by,
    )
    return row


async def _accepted(broker: GuardedBroker, journal: Journal, id_: str) -> OpenOrder:
    """Return an order that was accepted and has no end yet."""
    order = next(
        (one for one in broker.outcomes.open_orders if one.intent.client_order_id == id_), None
    )
    if order is None:
        raise NotPermitted(f"order {id_} is not written off: {await _whereabouts(journal, id_)}")
    if order.row.outcome is Outcome.UNKNOWN:
        raise NotPermitted(
            f"order {id_} is not written off: it is UNKNOWN, and settled by asking, at the latest "
            f"{broker.venue.unknown_fence_seconds:g} s after the venue answers again"
        )
    return order


async def _whereabouts(journal: Journal, id_: str) -> str:
    if not await journal.has_order(id_):
        return "the journal does not know it"
    for earlier in await journal.open_intents():
        if earlier.intent.client_order_id == id_:
            return f"it is on its way, or of another account than this: {earlier.intent.account}"
    return "it has ended already"


async def _require_forgotten(broker: GuardedBroker, order: OpenOrder) -> None:
    id_ = order.intent.client_order_id
    try:
        found = await broker.venue.find_order(order.intent.order.symbol, id_)
    except VenueError as failure:
        broker.heed(failure.code, str(failure))
        raise VenueUnreachable(
            f"order {id_} is not written off: the venue cannot be asked for it: {failure}"
        ) from None
    if found is not None:
        raise NotPermitted(
            f"order {id_} is not written off: the venue knows it as {found.status}; "
            "otonom-trader reconcile books what it tells"
        )
