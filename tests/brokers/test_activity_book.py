"""An account's past in memory: what it counts, and that the journal knows the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otonom_trader.brokers.activity_book import ActivityBook
from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.activity import EquityMarks
from otonom_trader.domain.decision import Decision, DecisionKey, Direction
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.intent import Claim, Entry, Intent, Reservation
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState, OrderStatus, Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.risk.activity import Activity
from otonom_trader.storage.journal import Journal

D = Decimal
ACCOUNT = AccountKey("live", "dummy", "dummy")
NIGHT = datetime(2026, 7, 1, 23, 59, 30, tzinfo=UTC)
SYMBOLS = (Symbol("BTC", "USDT"), Symbol("ETH", "USDT"))


@dataclass
class ToldClock:
    """Both times move together, but for a wall clock that is set."""

    elapsed_ns: int = 0
    set_seconds: float = 0

    def now(self) -> datetime:
        return NIGHT + timedelta(seconds=self.elapsed_ns / 1e9 + self.set_seconds)

    def monotonic_ns(self) -> int:
        return self.elapsed_ns

    async def sleep(self, seconds: float) -> None:
        self.elapsed_ns += int(seconds * 1e9)


def intent_of(number: int, now: datetime, notional: str = "100", symbol: int = 0) -> Intent:
    id_, pair = f"otn-{number}", SYMBOLS[symbol]
    return Intent(
        client_order_id=id_,
        account=ACCOUNT,
        decision=DecisionKey("test", str(number)),
        order=OrderRequest(pair.joined, "BUY", "3", "100", "LIMIT", "IOC", client_order_id=id_),
        symbol=pair,
        reservation=Reservation(pair, Side.BUY, D(3), D(100)),
        paper=None,
        requested_qty=D(3),
        recorded_at=now,
        notional=D(notional),
    )


def row_of(intent: Intent, outcome: Outcome, filled: str = "0") -> TradeExecutionLog:
    return TradeExecutionLog(
        decision_id=intent.decision.id,
        source=intent.decision.source,
        symbol=intent.symbol.canonical,
        side=Side.BUY,
        qty=intent.order.qty,
        outcome=outcome,
        mode="live",
        client_order_id=intent.client_order_id,
        broker_qty=D(filled),
        terminal=outcome not in (Outcome.UNKNOWN, Outcome.RESTING),
    )


def result_of(outcome: Outcome, filled: int) -> OrderResult:
    """What a venue, or the want of one, makes an outcome of."""
    if outcome in (Outcome.NOT_SENT, Outcome.ABSENT):
        return OrderResult(OrderState.NOT_SENT, code=outcome.value)
    return OrderResult(OrderState.ACCEPTED, status=OrderStatus.CANCELED, filled_qty=D(filled))


def book_of(clock: ToldClock) -> ActivityBook:
    return ActivityBook(None, clock)


def told(book: ActivityBook, symbol: int = 0) -> Activity:
    return book.activity(SYMBOLS[symbol])


def test_an_order_counts_from_when_it_is_on_record() -> None:
    clock = ToldClock()
    book = book_of(clock)
    assert (told(book).orders_today, told(book).seconds_since_order) == (0, None)
    book.record(intent_of(1, clock.now()))
    clock.elapsed_ns += 1_500_000_000
    assert told(book) == replace(
        told(book),
        orders_last_minute=1,
        orders_today=1,
        notional_today=D(100),
        seconds_since_order=D("1.5"),
    )
    assert told(book, symbol=1).seconds_since_order is None


def test_a_minute_later_it_is_no_order_of_the_last_minute() -> None:
    clock = ToldClock()
    book = book_of(clock)
    book.record(intent_of(1, clock.now()))
    clock.elapsed_ns = 59_999_999_999
    assert told(book).orders_last_minute == 1
    clock.elapsed_ns = 60_000_000_000
    assert told(book).orders_last_minute == 0


def test_at_midnight_the_day_begins_anew_and_what_is_open_stays_in_its_own() -> None:
    clock = ToldClock()
    book = book_of(clock)
    book.record(intent_of(1, clock.now()))
    clock.elapsed_ns = 31_000_000_000
    assert (told(book).orders_today, told(book).notional_today) == (0, D(0))
    book.record(intent_of(2, clock.now()))
    assert (told(book).orders_today, told(book).notional_today) == (1, D(100))


async def test_what_ends_after_midnight_takes_nothing_from_the_new_day() -> None:
    clock = ToldClock()
    book = book_of(clock)
    yesterdays = intent_of(1, clock.now())
    book.record(yesterdays)
    clock.elapsed_ns = 31_000_000_000
    book.record(intent_of(2, clock.now()))
    await book.settle(yesterdays.client_order_id, Side.BUY, row_of(yesterdays, Outcome.NOT_SENT))
    assert (told(book).orders_today, told(book).notional_today) == (1, D(100))


def test_a_clock_that_is_set_back_over_midnight_forgets_no_order() -> None:
    clock = ToldClock(elapsed_ns=31_000_000_000)
    book = book_of(clock)
    book.record(intent_of(1, clock.now()))
    clock.set_seconds = -3600
    book.record(intent_of(2, clock.now()))
    assert told(book).orders_today == 2


@pytest.mark.parametrize(
    ("outcome", "filled", "orders", "notional"),
    [
        (Outcome.FILLED, "3", 1, "100"),
        (Outcome.PARTLY_FILLED, "1", 1, "33.33333334"),  # never less than its share
        (Outcome.UNFILLED, "0", 1, "0"),
        (Outcome.REJECTED, "0", 1, "0"),
        (Outcome.UNKNOWN, "0", 1, "100"),
        (Outcome.RESTING, "1", 1, "100"),
        (Outcome.ABSENT, "0", 1, "0"),
        (Outcome.NOT_SENT, "0", 0, "0"),
    ],
)
async def test_what_became_of_an_order_decides_for_what_it_counts(
    outcome: Outcome, filled: str, orders: int, notional: str
) -> None:
    clock = ToldClock()
    book = book_of(clock)
    intent = intent_of(1, clock.now())
    book.record(intent)
    await book.settle(intent.client_order_id, Side.BUY, row_of(intent, outcome, filled))
    now = told(book)
    assert (now.orders_today, now.orders_last_minute) == (orders, orders)
    assert now.notional_today == D(notional)


def test_losses_are_measured_from_the_first_reading_of_a_day_and_the_highest_ever() -> None:
    clock = ToldClock()
    book = book_of(clock)
    for equity in (None, D("NaN"), D(0), D(-1)):
        book.observe(equity)
    assert told(book).day_start_equity is None
    for equity in (D(100), D(120), D(90)):
        book.observe(equity)
    assert (told(book).day_start_equity, told(book).highest_equity) == (D(100), D(120))
    clock.elapsed_ns = 31_000_000_000
    book.observe(D(95))
    book.observe(D(97))
    assert (told(book).day_start_equity, told(book).highest_equity) == (D(95), D(120))


def test_a_resume_after_a_loss_measures_anew_and_another_does_not() -> None:
    book = book_of(ToldClock())
    book.observe(D(100))
    book.begin_anew(after_loss=False)
    book.observe(D(90))
    assert told(book).highest_equity == 100
    book.begin_anew(after_loss=True)
    book.observe(D(90))
    assert (told(book).day_start_equity, told(book).highest_equity) == (D(90), D(90))


def test_without_a_journal_losses_in_a_row_are_not_known() -> None:
    assert told(book_of(ToldClock())).losses_in_a_row == -1


async def test_marks_are_on_record_once_they_have_changed(tmp_path: Path) -> None:
    clock = ToldClock()
    async with Journal(tmp_path / "journal.db", clock=clock) as journal:
        book = ActivityBook(journal, clock)
        await book.take_up(ACCOUNT)
        book.observe(D(100))
        await book.keep_marks()
        later = ActivityBook(journal, clock)
        await later.take_up(ACCOUNT)
        assert later.marks == book.marks == EquityMarks(NIGHT.date(), D(100), D(100))


# Memory and journal.

STEP = st.tuples(
    st.sampled_from([*Outcome]),
    st.integers(0, 3),
    st.integers(0, 1),
    st.decimals("0.01", "500", places=8),
    st.sampled_from([0, 1, 20, 45, 3600]),
)


@settings(max_examples=40)
@given(st.lists(STEP, max_size=8))
async def test_what_a_journal_tells_at_a_start_is_what_was_in_memory_before(
    steps: Sequence[tuple[Outcome, int, int, Decimal, int]],
) -> None:
    clock = ToldClock()
    with TemporaryDirectory() as folder:
        async with Journal(Path(folder) / "journal.db", clock=clock) as journal:
            book = ActivityBook(journal, clock)
            await book.take_up(ACCOUNT)
            for number, (outcome, filled, symbol, notional, pause) in enumerate(steps):
                intent = intent_of(number, clock.now(), str(notional), symbol)
                claim = Claim(
                    Decision(str(number), "BTC-USDT", Direction.BUY, qty=D(3), source="test"),
                    clock.now(),
                )
                await journal.record(Entry(claim, intent=intent))
                book.record(intent)
                clock.elapsed_ns += 1_000_000_000 * pause
                result = result_of(outcome, filled)
                row = row_of(intent, outcome, str(result.filled_qty))
                await journal.settle(intent, result, row)
                await book.settle(intent.client_order_id, Side.BUY, row)
            book.observe(D(100))
            await book.keep_marks()
            later = ActivityBook(journal, clock)
            await later.take_up(ACCOUNT)
            for symbol in (0, 1):
                assert told(later, symbol) == told(book, symbol)
