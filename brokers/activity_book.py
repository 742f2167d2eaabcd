"""What was ordered, lost and owned until now, kept current for the next order's judging."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.activity import Counted, EarlierActivity, EquityMarks, counted
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.execution import TradeExecutionLog
from otonom_trader.domain.intent import Intent
from otonom_trader.domain.order import Side
from otonom_trader.domain.ports import Clock, IntentLog
from otonom_trader.domain.symbol import Symbol
from otonom_trader.risk.activity import Activity

_NS = 1_000_000_000
_MINUTE_NS = 60 * _NS
_UNKNOWN = -1


@dataclass(slots=True)
class _Open:
    """An order that has not ended, the day it counts in, and for what so far."""

    intent: Intent
    day: date
    counts: Counted


class ActivityBook:
    """An account's past, as far as orders are judged by it.

    In memory are the orders of the last minute, those that have not ended, the last time of each
    symbol, and totals of the day. The journal keeps the same by itself, and `take_up` reads it.
    Without `intents` there is no journal, and nobody counts losses in a row.
    """

    def __init__(self, intents: IntentLog | None, clock: Clock) -> None:
        self.marks: EquityMarks | None = None
        self._intents = intents
        self._clock = clock
        self._account: AccountKey | None = None
        self._losses_in_a_row = _UNKNOWN
        self._day: date | None = None
        self._today = Counted(0, ZERO)
        self._minute: OrderedDict[str, int] = OrderedDict()  # by client order id, oldest first
        self._last: dict[str, int] = {}
        self._open: dict[str, _Open] = {}
        self._marks_on_record: EquityMarks | None = None

    async def take_up(self, account: AccountKey) -> None:
        """Take up what the journal knows of `account`; done once."""
        if self._account is not None:
            return
        earlier = EarlierActivity()
        if self._intents is not None:
            earlier = await self._intents.earlier_activity(account)
            self._losses_in_a_row = earlier.losses_in_a_row
        now, now_ns = self._clock.now(), self._clock.monotonic_ns()
        self._account = account
        self._day = _day(now)
        self._today = Counted(earlier.orders_today, earlier.notional_today)
        recent = sorted(earlier.recent.items(), key=lambda order: order[1])
        self._minute = OrderedDict((id_, _monotonic(at, now, now_ns)) for id_, at in recent)
        self._last = {name: _monotonic(at, now, now_ns) for name, at in earlier.last_orders.items()}
        self.marks = self._marks_on_record = earlier.marks
        for intent in earlier.resting:
            self.take_up_order(intent)

    def take_up_order(self, intent: Intent) -> None:
        """Take up an order of an earlier run that has not ended: the totals have it already."""
        whole = Counted(1, intent.notional)
        self._open[intent.client_order_id] = _Open(intent, _day(intent.recorded_at), whole)

    def record(self, intent: Intent) -> None:
        """Count an order that is on record and about to leave."""
        now_ns = self._clock.monotonic_ns()
        day, whole = self._begin_day(_day(intent.recorded_at)), Counted(1, intent.notional)
        self._open[intent.client_order_id] = _Open(intent, day, whole)
        self._add(day, *whole)
        self._minute[intent.client_order_id] = now_ns
        self._last[intent.symbol.canonical] = now_ns

    async def settle(self, client_order_id: str, side: Side, row: TradeExecutionLog) -> None:
        """Take over what became of an order, once it is on record.

        Raises `JournalError` where the losses cannot be read.
        """
        order = self._open.get(client_order_id)
        if order is not None:
            qty, filled, before = order.intent.order.qty, row.broker_qty, order.counts
            notional = order.intent.notional
            order.counts = counted(notional, qty, row.outcome, filled, ended=row.terminal)
            orders = order.counts.orders - before.orders
            self._add(order.day, orders, order.counts.notional - before.notional)
            if not order.counts.orders:
                self._minute.pop(client_order_id, None)
            if row.terminal:
                del self._open[client_order_id]
        if row.terminal and side is Side.SELL and row.broker_qty:
            await self._count_losses()

    def observe(self, equity: Decimal | None) -> None:
        """Take note of what the account is worth; what cannot be an equity is no news."""
        if equity is None or not (equity.is_finite() and equity > 0):
            return
        today = _day(self._clock.now())
        if self.marks is None:
            self.marks = EquityMarks(today, day_start=equity, highest=equity)
        else:
            self.marks = self.marks.after(equity, today)

    async def keep_marks(self) -> None:
        """Write down what losses are measured from, where it has changed; raises `JournalError`."""
        marks = self.marks
        if marks is None or self._intents is None or self._account is None:
            return
        if marks != self._marks_on_record:
            await self._intents.record_equity_marks(self._account, marks)
            self._marks_on_record = marks

    def begin_anew(self, *, after_loss: bool) -> None:
        """Count losses in a row anew, since a person has resumed trading.

        `after_loss` where that was halted for one: it is accepted, and equity measured anew too.
        """
        self._losses_in_a_row = min(self._losses_in_a_row, 0)
        if after_loss:
            self.marks = self._marks_on_record = None

    def activity(self, symbol: Symbol | None = None) -> Activity:
        """Return the past as an order of `symbol` is judged by it now, without one of no symbol."""
        now_ns = self._clock.monotonic_ns()
        self._begin_day(_day(self._clock.now()))
        self._forget_before(now_ns - _MINUTE_NS)
        last_ns = None if symbol is None else self._last.get(symbol.canonical)
        marks = self.marks
        return Activity(
            orders_last_minute=len(self._minute),
            orders_today=self._today.orders,
            notional_today=self._today.notional,
            seconds_since_order=None if last_ns is None else Decimal(now_ns - last_ns) / _NS,
            day_start_equity=marks.day_start if marks else None,
            highest_equity=marks.highest if marks else None,
            losses_in_a_row=self._losses_in_a_row,
        )

    def _begin_day(self, day: date) -> date:
        """Count anew from midnight on; a clock that is set back goes on with the day it was."""
        if self._day is None or day > self._day:
            self._day, self._today = day, Counted(0, ZERO)
        return self._day

    def _add(self, day: date, orders: int, notional: Decimal) -> None:
        if day == self._day:
            self._today = Counted(self._today.orders + orders, self._today.notional + notional)

    def _forget_before(self, oldest_ns: int) -> None:
        while self._minute:
            client_order_id = next(iter(self._minute))
            if self._minute[client_order_id] > oldest_ns:
                return
            del self._minute[client_order_id]

    async def _count_losses(self) -> None:
        if self._intents is not None and self._account is not None:
            self._losses_in_a_row = await self._intents.losses_in_a_row(self._account)


def _monotonic(at: datetime, now: datetime, now_ns: int) -> int:
    """Return the monotonic time of an earlier run's `at`; what lies ahead of the clock is now."""
    return now_ns - max(0, int((now - at).total_seconds() * _NS))


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
