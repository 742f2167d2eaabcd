"""Orders whose end is not known: settled by asking, never by sending again."""

from collections.abc import Iterable

import structlog

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.outcomes import OpenOrder
from otonom_trader.daemon.difference import Difference
from otonom_trader.daemon.outage import Outage
from otonom_trader.domain.compare import ABSENT
from otonom_trader.domain.errors import TradeConflict, VenueError
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.order import OrderResult, OrderState
from otonom_trader.domain.ports import Clock

log = structlog.get_logger("resolver")

_MISSES_TO_ABSENT = 2
_NS = 1_000_000_000


class Resolver:
    """Asks the venue after UNKNOWN and working orders until they are settled.

    An UNKNOWN order that the venue does not know is absent only once the fence has passed (nothing
    signed can be carried out any more) and it was missed twice. That the venue does not know an
    order which it accepted is a doubt, and so is a fill under the id of another one on record.
    Each round asks after all of its orders; where one could not be asked for it then raises
    `VenueError`, unless there is a doubt. Source: promises.md, P1.
    """

    def __init__(self, broker: GuardedBroker, clock: Clock) -> None:
        self._broker = broker
        self._clock = clock
        self._misses: dict[str, int] = {}
        self._questions = Outage(log, clock, "order.query_failed", "order.query_answered")

    @property
    def unknown(self) -> int:
        """How many orders are UNKNOWN."""
        return sum(
            order.row.outcome is Outcome.UNKNOWN for order in self._broker.outcomes.open_orders
        )

    async def settle_unknown(self) -> list[Difference]:
        """Ask once after every order that is UNKNOWN, or of which fills were missed."""
        in_doubt = [order for order in self._broker.outcomes.open_orders if order.in_doubt]
        ids = {order.intent.client_order_id for order in in_doubt}
        # What was told of meanwhile is not missed any more.
        self._misses = {id_: misses for id_, misses in self._misses.items() if id_ in ids}
        return await self._ask_each(in_doubt)

    async def follow_working(self) -> list[Difference]:
        """Ask once after every working order; cancel what is left of an expired one."""
        working = [order for order in self._broker.outcomes.open_orders if not order.in_doubt]
        for order in working:
            expires_at = order.intent.expires_at
            if expires_at is not None and expires_at <= self._clock.now():
                await self._cancel(order)
        return await self._ask_each(working)

    async def _ask_each(self, orders: Iterable[OpenOrder]) -> list[Difference]:
        found: list[Difference] = []
        failure: VenueError | None = None
        for order in orders:
            try:
                found += await self._ask(order)
            except VenueError as error:
                failure = failure or error
        if failure is not None and not any(difference.doubt for difference in found):
            raise failure
        return found

    async def _ask(self, order: OpenOrder) -> list[Difference]:
        intent = order.intent
        id_ = intent.client_order_id
        try:
            found = await self._broker.venue.find_order(intent.order.symbol, id_)
        except VenueError as failure:
            self._broker.heed(failure.code, str(failure))
            self._questions.failed(str(failure), id_, client_order_id=id_)
            raise
        self._questions.ended(id_, client_order_id=id_)
        if found is None:
            return await self._miss(order)
        self._misses.pop(id_, None)
        if _nothing_new(order, found):
            return []
        try:
            carried = await self._broker.outcomes.settle(intent, found)
        except TradeConflict as conflict:
            return [Difference.of_reused(order.row, found, str(conflict))]
        if not carried.is_news:
            return []
        log.info(
            "order.settled" if carried.execution.terminal else "order.working",
            decision_id=intent.decision.id,
            client_order_id=id_,
            order_id=found.order_id,
            outcome=carried.execution.outcome,
            status=found.status,
            filled_qty=found.filled_qty,
        )
        return [Difference.of_order(order.row, found)]

    async def _miss(self, order: OpenOrder) -> list[Difference]:
        intent = order.intent
        id_ = intent.client_order_id
        if order.row.outcome is not Outcome.UNKNOWN:
            return [Difference.of_forgotten(order.row)]
        fence_ns = order.since_ns + int(self._broker.venue.unknown_fence_seconds * _NS)
        if self._clock.monotonic_ns() < fence_ns:
            return []
        self._misses[id_] = self._misses.get(id_, 0) + 1
        if self._misses[id_] < _MISSES_TO_ABSENT:
            return []
        del self._misses[id_]
        absent = OrderResult(
            OrderState.NOT_SENT,
            symbol=intent.order.symbol,
            side=intent.order.side,
            client_order_id=id_,
            message="asked for after the fence, and never there",
            code=ABSENT,
            qty=intent.order.qty,
            price=intent.order.price,
        )
        await self._broker.outcomes.settle(intent, absent)
        log.warning(
            "order.absent",
            decision_id=intent.decision.id,
            client_order_id=id_,
            symbol=intent.symbol.canonical,
            side=intent.order.side,
            qty=intent.order.qty,
            reason=absent.message,
        )
        return [Difference.of_order(order.row, absent)]

    async def _cancel(self, order: OpenOrder) -> None:
        id_ = order.intent.client_order_id
        try:
            result = await self._broker.cancel_order(id_, order.intent.order.symbol)
        except VenueError as failure:
            log.warning("order.cancel_failed", client_order_id=id_, reason=str(failure))
            return
        log.info("order.expired", client_order_id=id_, status=result.status, state=result.state)


def _nothing_new(order: OpenOrder, found: OrderResult) -> bool:
    working = found.status is not None and not found.status.terminal
    known = order.row.outcome is not Outcome.UNKNOWN
    return known and working and found.filled_qty == order.row.broker_qty
