"""Orders whose end is not known: settled by asking, never by sending again."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Self

import structlog

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.outcomes import OpenOrder
from otonom_trader.domain.amount import plain
from otonom_trader.domain.compare import ABSENT
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.intent import Intent
from otonom_trader.domain.order import OrderResult, OrderState
from otonom_trader.domain.ports import Clock

log = structlog.get_logger("resolver")

_MISSES_TO_ABSENT = 2
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which journal and venue differed; the venue's word is booked."""

    kind: str
    symbol: str
    client_order_id: str
    journal: str
    venue: str

    @classmethod
    def of_order(cls, before: TradeExecutionLog, order: OrderResult) -> Self:
        """An order of which the venue tells more than the row `before`."""
        known = f"{before.outcome}, filled {plain(before.broker_qty)}"
        told = order.status or order.code or order.state
        venue = f"{str(told).lower()}, filled {plain(order.filled_qty)}"
        return cls("order", before.symbol, before.client_order_id or "", known, venue)

    @classmethod
    def of_fills(cls, intent: Intent, order: OrderResult) -> Self:
        """An order whose end was known, and not all of its fills."""
        venue = f"{str(order.status).lower()}, filled {plain(order.filled_qty)}"
        return cls("fills", intent.symbol.canonical, intent.client_order_id, "not all", venue)

    @classmethod
    def of_another(cls, order: OrderResult) -> Self:
        """A working order of somebody else on the account."""
        venue = f"{order.side} {plain(order.qty)}, filled {plain(order.filled_qty)}"
        return cls("external", order.symbol, order.client_order_id or "", "none", venue)

    def as_fields(self) -> dict[str, str]:
        """Its fields by name, as they are logged and printed."""
        return asdict(self)


class Resolver:
    """Asks the venue after UNKNOWN and working orders until they are settled.

    An UNKNOWN order that the venue does not know is absent only once the fence has passed (nothing
    signed can be carried out any more) and it was missed twice. `on_doubt` is told when the venue
    denies knowing an order that it accepted. Source: promises.md, P1.
    """

    def __init__(
        self, broker: GuardedBroker, clock: Clock, on_doubt: Callable[[str], None]
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._on_doubt = on_doubt
        self._misses: dict[str, int] = {}

    @property
    def unknown(self) -> int:
        """How many orders are UNKNOWN."""
        return sum(
            order.row.outcome is Outcome.UNKNOWN for order in self._broker.outcomes.open_orders
        )

    async def settle_unknown(self) -> list[Difference]:
        """Ask once after every order that is UNKNOWN, or of which fills were missed."""
        found: list[Difference] = []
        for order in self._broker.outcomes.open_orders:
            if order.in_doubt:
                found += await self._ask(order)
        return found

    async def follow_working(self) -> list[Difference]:
        """Ask once after every working order; cancel what is left of an expired one."""
        found: list[Difference] = []
        for order in self._broker.outcomes.open_orders:
            if order.in_doubt:
                continue
            expires_at = order.intent.expires_at
            if expires_at is not None and expires_at <= self._clock.now():
                await self._cancel(order)
            found += await self._ask(order)
        return found

    async def _ask(self, order: OpenOrder) -> list[Difference]:
        intent = order.intent
        id_ = intent.client_order_id
        try:
            found = await self._broker.venue.find_order(intent.order.symbol, id_)
        except VenueError as failure:
            self._broker.heed(failure.code, str(failure))
            log.warning("order.query_failed", client_order_id=id_, reason=str(failure))
            return []
        if found is None:
            return await self._miss(order)
        self._misses.pop(id_, None)
        if _nothing_new(order, found):
            return []
        carried = await self._broker.outcomes.settle(intent, found)
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
            self._on_doubt(f"the venue does not know order {id_}, which it accepted")
            return []
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
        log.warning("order.absent", decision_id=intent.decision.id, client_order_id=id_)
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
