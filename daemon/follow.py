"""What the venue tells by itself, taken in: news of orders and balances.

Source: design.md, "One decision's way", step 8; promises.md, faults 18 to 23.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.outcomes import Contradiction
from otonom_trader.daemon.outage import Outage
from otonom_trader.domain.errors import JournalError
from otonom_trader.domain.ids import is_ours
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.venue_event import (
    BalancesUpdate,
    Banned,
    BooksLost,
    BooksResumed,
    ClockOff,
    OrderUpdate,
    StreamLost,
    StreamResumed,
    VenueEvent,
)
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("follow")

_MOST_WAITING = 10_000


class Follower:
    """Books what happens to own orders as it is told, in the order in which it came.

    `venue` names it in the journal. `on_missed` is told at once when something may have been
    missed, and whether there is a gap in what came. `on_doubt` is told of an order that carries our
    prefix and that the journal does not know, `on_refused` when the venue does not take the key any
    more, `on_fault` when the journal fails.
    """

    def __init__(
        self,
        broker: GuardedBroker,
        journal: Journal,
        clock: Clock,
        venue: str,
        on_missed: Callable[[bool], None],
        on_doubt: Callable[[str], None],
        on_refused: Callable[[str], None],
        on_fault: Callable[[JournalError], None],
    ) -> None:
        self._broker = broker
        self._journal = journal
        self._clock = clock
        self._venue = venue
        self._on_missed = on_missed
        self._on_doubt = on_doubt
        self._on_refused = on_refused
        self._on_fault = on_fault
        self._waiting: deque[VenueEvent] = deque()
        self._came = asyncio.Event()
        self._has_ended = False
        self._stream = Outage(log, clock, "stream.lost", "stream.resumed")
        self._books = Outage(log, clock, "market.stream_lost", "market.stream_resumed")
        self.is_live = False
        """Whether events come."""

    async def run(self) -> None:
        """Follow the venue until cancelled; returns where it never tells anything by itself."""
        async with asyncio.TaskGroup() as tasks:
            self._has_ended = False
            tasks.create_task(self._take_all())
            await self._broker.venue.run(self.tell)
            self._has_ended = True
            self._came.set()

    def tell(self, event: VenueEvent) -> None:
        """Take one event in; it is booked by `run`."""
        if isinstance(event, StreamLost):
            self._lose(event)
        elif isinstance(event, StreamResumed):
            self._resume()
        elif isinstance(event, BooksLost):
            self._books.failed(event.reason)
        elif isinstance(event, BooksResumed):
            self._books.ended()
        elif len(self._waiting) >= _MOST_WAITING:
            # More than can be booked in time: asking says the same in fewer words.
            self._waiting.clear()
            self._lose(StreamLost("more is told than can be booked"))
            self._resume()
        else:
            self._waiting.append(event)
            self._came.set()

    def _lose(self, lost: StreamLost) -> None:
        was_live, self.is_live = self.is_live, False
        self._stream.failed(lost.reason)
        if lost.refused:
            self._on_refused(lost.reason)
        if was_live:
            self._on_missed(True)

    def _resume(self) -> None:
        self.is_live = True
        was_lost = self._stream.ended()
        if not was_lost:
            log.info("stream.connected")
        self._on_missed(was_lost)

    async def _take_all(self) -> None:
        while self._waiting or not self._has_ended:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                try:
                    await self._take(self._waiting.popleft())
                except JournalError as fault:
                    self._on_fault(fault)

    async def _take(self, event: VenueEvent) -> None:
        match event:
            case OrderUpdate():
                await self._order(event)
            case BalancesUpdate():
                self._broker.account.update_balances(event)
            case Banned():
                log.critical("venue.banned", until=event.until.isoformat())
                await self._journal.record_ban(self._venue, event.until)
            case ClockOff():
                told = {"refused": event.refused} if event.refused else {}
                log.warning("clock.off", by_ms=round(event.by_ms), **told)

    async def _order(self, update: OrderUpdate) -> None:
        id_, outcomes = update.client_order_id, self._broker.outcomes
        if not outcomes.knows(id_):
            await self._stranger(update)
            return
        try:
            carried = await outcomes.learn(update)
        except Contradiction as contradiction:
            self._on_doubt(str(contradiction))
            return
        if carried is not None and carried.is_news:
            log.info(
                "order.settled" if carried.execution.terminal else "order.working",
                decision_id=carried.execution.decision_id,
                client_order_id=id_,
                order_id=update.result.order_id,
                outcome=carried.execution.outcome,
                status=update.result.status,
                filled_qty=carried.result.filled_qty,
            )

    async def _stranger(self, update: OrderUpdate) -> None:
        id_, order = update.client_order_id, update.result
        if not is_ours(id_):
            log.info(
                "order.external",
                client_order_id=id_,
                order_id=order.order_id,
                symbol=order.symbol,
                side=order.side,
                status=order.status,
                filled_qty=order.filled_qty,
            )
            await self._journal.record_external(self._venue, [order])
        elif not await self._journal.has_order(id_):
            self._on_doubt(
                f"the venue tells of order {id_} of {order.symbol}, which carries our prefix, but "
                "the journal does not know it: another daemon, or an older journal, placed it"
            )
