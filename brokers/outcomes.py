"""What becomes of orders after they left: booked, and kept in sight until their end is known."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from otonom_trader.brokers.account_book import AccountBook
from otonom_trader.brokers.activity_book import ActivityBook
from otonom_trader.brokers.paper import SimulatedAccount, charge
from otonom_trader.brokers.plan import expected_of, unsent
from otonom_trader.brokers.resting import RestingOrders
from otonom_trader.domain.compare import compare, is_terminal, outcome_of
from otonom_trader.domain.errors import JournalError, TradeConflict
from otonom_trader.domain.execution import Outcome, SimulatedFill, Stage, TradeExecutionLog
from otonom_trader.domain.intent import Intent, LedgerChange, OpenIntent
from otonom_trader.domain.market import Level
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderResult, OrderState, OrderStatus
from otonom_trader.domain.order_life import has_all_fills, merge
from otonom_trader.domain.ports import Clock, IntentLog
from otonom_trader.domain.venue_event import OrderUpdate

UNKNOWN_MESSAGE = "OUTCOME UNKNOWN, do not resend:"
WRITTEN_OFF = "written_off"
"""Code of a result by which a person ends an order: nobody is left to be asked for its fills."""
_MOST_ENDED = 2_000  # late and repeated news of an ended order comes within seconds


class Contradiction(Exception):
    """The venue tells of an order what cannot be so by what is known: trading must stop."""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order whose end is not known yet.

    `result` is all that was told of it so far. `since_ns` is when its row last changed,
    `started_ns` when its decision was taken up, both monotonic; the latter is None for an order of
    an earlier run.
    """

    intent: Intent
    row: TradeExecutionLog
    result: OrderResult
    since_ns: int
    started_ns: int | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether the venue must be asked: for what became of it, or for fills that were missed."""
        return self.row.outcome is Outcome.UNKNOWN or not has_all_fills(self.result)


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of a plan: the broker's answer and the execution row.

    `is_news` is false where the row said the same before: what is asked for may be told meanwhile.
    """

    result: OrderResult
    execution: TradeExecutionLog
    is_news: bool = True


class Outcomes:
    """Books the outcomes of recorded orders on an account, in the journal first.

    Without `intents` there is no journal. Outcomes are in each other's way only on shadow's account
    and on rows of the same order: with a lock of their own they are made durable together with the
    records of other decisions.
    """

    def __init__(
        self,
        account: AccountBook,
        activity: ActivityBook,
        shadow: SimulatedAccount | None,
        intents: IntentLog | None,
        mode: Mode,
        clock: Clock,
        taker_fee_pct: Decimal,
    ) -> None:
        self._account = account
        self._activity = activity
        self.resting = RestingOrders(account, intents, clock, self.paper_moved)
        self._taker_fee_pct = taker_fee_pct
        self._shadow = shadow
        self._intents = intents
        self._mode = mode
        self._clock = clock
        self.lock = asyncio.Lock()
        self._open: dict[str, OpenOrder] = {}
        self._unanswered: dict[str, OrderResult | None] = {}
        self._papers: dict[str, SimulatedFill] = {}  # of orders in sight, where they have moved on
        self._ended: OrderedDict[str, tuple[Intent, OrderResult]] = OrderedDict()

    @property
    def open_orders(self) -> tuple[OpenOrder, ...]:
        """Orders that were answered, or not answered, and whose end is not known yet."""
        return tuple(self._open.values())

    @property
    def unanswered(self) -> int:
        """How many orders have left, or are about to, and are not answered."""
        return len(self._unanswered)

    def await_answer(self, intent: Intent) -> None:
        """Expect the answer to an order that is about to leave; news of it is kept until then."""
        self._unanswered[intent.client_order_id] = None

    def knows(self, client_order_id: str) -> bool:
        """Return whether an order is in sight, or was until a short while ago."""
        return any(client_order_id in ids for ids in (self._unanswered, self._open, self._ended))

    async def learn(self, update: OrderUpdate) -> Carried | None:
        """Add what the venue tells by itself of an order in sight; return what is booked of it.

        Raises `Contradiction` where that cannot be so by what is known.
        """
        id_, told = update.client_order_id, update.result
        if id_ in self._unanswered:
            # Booked with the answer, which alone tells how long it took.
            early = self._unanswered[id_]
            _check_same(early, told)
            self._unanswered[id_] = merge(early, told) if early else told
            return None
        if id_ in self._open:
            order = self._open[id_]
            _check_same(order.result, told)
            return await self.settle(order.intent, told)
        intent, ended = self._ended[id_]
        _check_same(ended, told)
        if told.ok and not ended.ok:
            await self.settle(intent, merge(ended, told))
            raise Contradiction(
                f"the venue tells that order {id_} is {told.status}, which it was taken not to have"
            )
        return None

    async def settle(
        self,
        intent: Intent,
        result: OrderResult,
        stages_ns: Mapping[str, int] | None = None,
        started_ns: int | None = None,
    ) -> Carried:
        """Book what is known of an order: at its acknowledgement, and as more is learnt.

        `started_ns` (monotonic) is when its decision was taken up, where this run knows it.
        """
        async with self.lock:
            change = None
            if self._shadow is not None:
                result, change = charge(self._shadow, intent, result)
            known = self._open.get(intent.client_order_id)
            before = known.row if known else None
            has_ended = intent.client_order_id in self._ended
            if known is not None:
                result = merge(known.result, result)
            early = self._unanswered.pop(intent.client_order_id, None)
            if early is not None:
                result = merge(early, result)
            told, result = result, _without_end_before_its_fills(result)
            started_ns = started_ns or (known.started_ns if known else None)
            stages = dict(stages_ns or {})
            if started_ns is not None:
                stages |= self._milestones(result, before, started_ns)
            now = self._clock.now()
            paper = self._papers.get(intent.client_order_id, intent.paper)
            intent = replace(intent, paper=paper)
            row = compare(intent, result, self._mode, now, stages_ns=stages, before=before)
            rests = None
            if self._shadow is not None and known is None:
                rests = expected_of(intent, result, self._shadow.name, self._taker_fee_pct)
            if self._intents is not None:
                try:
                    await self._intents.settle(intent, result, row, change, rests)
                except TradeConflict as conflict:
                    await self._keep_in_doubt(intent, result, conflict)
                    raise
                except JournalError as fault:
                    self._keep_in_sight(intent, f"the journal could not take the answer: {fault}")
                    raise
            self._book(intent, told, row, change, started_ns)
            if rests is not None and self._shadow is not None:
                met = [Level(fill.price, fill.qty) for fill in result.fills]
                self.resting.hold(rests, self._shadow, met)
            await self._activity.settle(intent.client_order_id, intent.order.side, row)
        return Carried(result, row, is_news=not has_ended and _differ(before, row))

    def paper_moved(self, client_order_id: str, paper: SimulatedFill) -> None:
        """Take over how far the paper leg of an order has come since it left."""
        if client_order_id in self._unanswered or client_order_id in self._open:
            self._papers[client_order_id] = paper

    def _milestones(
        self, result: OrderResult, before: TradeExecutionLog | None, started_ns: int
    ) -> dict[str, int]:
        """Return the stages that end with `result`: the first fill, and the whole way."""
        elapsed_ns = self._clock.monotonic_ns() - started_ns
        stages: dict[str, int] = {}
        if result.filled_qty and (before is None or Stage.FIRST_FILL not in before.stages_ns):
            stages[Stage.FIRST_FILL] = elapsed_ns
        if is_terminal(outcome_of(result), self._mode):
            stages[Stage.DONE] = elapsed_ns
        return stages

    async def take_up(self, earlier: OpenIntent) -> Carried | None:
        """Take up an order of an earlier run that is not settled: it counts at its worst again.

        One whose process died before its outcome was written becomes UNKNOWN; answers with its row
        where one was made for it.
        """
        intent, row = earlier.intent, earlier.execution
        left = intent.order.qty - earlier.filled_qty
        reservation = replace(intent.reservation, qty=left)
        self._account.reserve(intent.client_order_id, reservation)
        self._activity.take_up_order(intent)
        if row is not None:
            known = OrderResult(
                OrderState.UNKNOWN if row.outcome is Outcome.UNKNOWN else OrderState.ACCEPTED,
                order_id=earlier.order_id,
                client_order_id=intent.client_order_id,
                filled_qty=earlier.filled_qty,
                quote_qty=earlier.quote_qty,
            )
            now_ns = self._clock.monotonic_ns()
            self._open[intent.client_order_id] = OpenOrder(intent, row, known, now_ns)
            return None
        text = f"{UNKNOWN_MESSAGE} the process ended before the answer came"
        unknown = unsent(intent.order, text, "process_ended", OrderState.UNKNOWN)
        return await self.settle(intent, replace(unknown, signed_at_ms=earlier.signed_at_ms))

    def lose_sight(self, intent: Intent) -> None:
        """Keep an order in sight whose sender was cancelled before the answer came."""
        self._unanswered.pop(intent.client_order_id, None)
        self._keep_in_sight(
            intent, "the sender was cancelled before the answer came", "sender_cancelled"
        )

    def _keep_in_sight(self, intent: Intent, reason: str, code: str = "unrecorded") -> None:
        """Have an order asked for of which the journal knows the intent alone."""
        if intent.client_order_id in self._open:
            return
        order = self._in_doubt(intent, reason, code)
        if not order.row.terminal:
            self._open[intent.client_order_id] = order

    async def _keep_in_doubt(
        self, intent: Intent, result: OrderResult, conflict: TradeConflict
    ) -> None:
        """Keep an order in sight of which what was told cannot be written, as UNKNOWN."""
        if intent.client_order_id in self._open:
            return
        order = self._in_doubt(intent, str(conflict), "unrecorded", result.signed_at_ms)
        if self._intents is not None:
            await self._intents.settle(intent, order.result, order.row, None, None)
        self._open[intent.client_order_id] = order

    def _in_doubt(
        self, intent: Intent, reason: str, code: str, signed_at_ms: int | None = None
    ) -> OpenOrder:
        """Return an order as UNKNOWN, for `reason`, from now on."""
        unsure = unsent(intent.order, f"{UNKNOWN_MESSAGE} {reason}", code, OrderState.UNKNOWN)
        unsure = replace(unsure, signed_at_ms=signed_at_ms)
        row = compare(intent, unsure, self._mode, self._clock.now())
        return OpenOrder(intent, row, unsure, self._clock.monotonic_ns())

    def _book(
        self,
        intent: Intent,
        result: OrderResult,
        row: TradeExecutionLog,
        change: LedgerChange | None,
        started_ns: int | None,
    ) -> None:
        """Bring memory up to what the journal now says."""
        id_ = intent.client_order_id
        if change is not None and self._shadow is not None:
            self._shadow.book(change)
        elif self._shadow is None:
            self._account.book_fills(intent.symbol, intent.order.side, result.fills)
        if row.terminal or self._mode is not Mode.LIVE:
            self._account.release(id_)
            self._open.pop(id_, None)
            self._papers.pop(id_, None)
            self._ended[id_] = intent, replace(result, raw="")
            if len(self._ended) > _MOST_ENDED:
                self._ended.popitem(last=False)
            return
        left = intent.order.qty - result.filled_qty
        self._account.reserve(id_, replace(intent.reservation, qty=left))
        self._open[id_] = OpenOrder(intent, row, result, self._clock.monotonic_ns(), started_ns)


def _differ(before: TradeExecutionLog | None, row: TradeExecutionLog) -> bool:
    if before is None:
        return True
    return (before.outcome, before.broker_qty) != (row.outcome, row.broker_qty)


def _check_same(known: OrderResult | None, told: OrderResult) -> None:
    if known is not None and known.order_id and told.order_id not in (None, known.order_id):
        raise Contradiction(
            f"the venue tells of order {told.order_id} under client order id "
            f"{told.client_order_id}, which is that of order {known.order_id}"
        )


def _without_end_before_its_fills(result: OrderResult) -> OrderResult:
    """Return `result` as still working while fills are missing: they are asked for, not made up."""
    if result.status is None or not result.status.terminal or has_all_fills(result):
        return result
    if result.code == WRITTEN_OFF:
        return result
    return replace(result, status=OrderStatus.PARTIALLY_FILLED)
