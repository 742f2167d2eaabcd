"""News of the venue's, taken in: booked, noted, or a reason to stop."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.follow import Follower
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.errors import JournalError
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.order import Fill, OrderResult, OrderState, OrderStatus, Side
from otonom_trader.domain.venue_event import (
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
from tests.daemon.conftest import NOON, StandingClock

D = Decimal
VENUE = "https://venue.test"


@dataclass
class Desk:
    """A follower, what it asked for, and a way to let it take in everything it was told."""

    follower: Follower
    venue: DummyBroker
    missed: list[bool]
    doubts: list[str]
    refusals: list[str]
    faults: list[JournalError]

    async def told(self, *events: VenueEvent) -> None:
        """The venue tells all of it, and then nothing more."""

        async def tell(told: Callable[[VenueEvent], None]) -> None:
            for event in events:
                told(event)

        self.venue.run = tell  # type: ignore[assignment, method-assign]
        await self.follower.run()


@pytest.fixture
def desk(broker: GuardedBroker, journal: Journal, venue: DummyBroker, clock: StandingClock) -> Desk:
    missed: list[bool] = []
    doubts: list[str] = []
    refusals: list[str] = []
    faults: list[JournalError] = []

    follower = Follower(
        broker,
        journal,
        clock,
        VENUE,
        on_missed=missed.append,
        on_doubt=doubts.append,
        on_refused=refusals.append,
        on_fault=faults.append,
    )
    return Desk(follower, venue, missed, doubts, refusals, faults)


@pytest.fixture
async def resting(executor: ShadowModeExecutor) -> Any:
    decision = Decision("d1", "BTC-USDT", Direction.BUY, qty=D("0.1"), price=D(49000), source="t")
    return await executor.execute_decision(None, decision)


def update(
    id_: str, status: OrderStatus, filled: str = "0", *fills: Fill, order_id: str = "1"
) -> OrderUpdate:
    result = OrderResult(
        OrderState.ACCEPTED,
        symbol="BTCUSDT",
        side=Side.BUY,
        order_id=order_id,
        client_order_id=id_,
        status=status,
        qty=D("0.1"),
        filled_qty=D(filled),
        quote_qty=D(filled) * 49000,
        fills=fills,
    )
    return OrderUpdate(id_, result)


def fill(number: int, qty: str) -> Fill:
    at = NOON + timedelta(seconds=number)
    return Fill(f"{number}", D(49000), D(qty), D(49000) * D(qty), D(0), "BTC", at, is_maker=True)


async def test_fills_are_booked_as_they_are_told_and_once_each(
    desk: Desk, resting: Any, journal: Journal
) -> None:
    id_, own = resting.client_order_id, resting.broker_order_id
    part = update(id_, OrderStatus.PARTIALLY_FILLED, "0.04", fill(1, "0.04"), order_id=own)
    whole = update(id_, OrderStatus.FILLED, "0.1", fill(2, "0.06"), order_id=own)
    await desk.told(part, part, whole, part, whole)
    (row,) = await journal.orders()
    assert (row["status"], row["executed_qty"]) == ("FILLED", "0.1")
    (execution,) = await journal.executions()
    assert execution["outcome"] == "filled"
    assert not desk.doubts


async def test_an_end_without_its_fills_is_asked_for(
    desk: Desk, resting: Any, broker: GuardedBroker
) -> None:
    id_, own = resting.client_order_id, resting.broker_order_id
    await desk.told(update(id_, OrderStatus.FILLED, "0.1", fill(2, "0.06"), order_id=own))
    (order,) = broker.outcomes.open_orders
    assert order.in_doubt
    assert order.row.outcome is Outcome.RESTING


async def test_an_order_of_another_is_noted(desk: Desk, journal: Journal) -> None:
    await desk.told(update("theirs", OrderStatus.NEW), update("theirs", OrderStatus.CANCELED))
    (noted,) = await journal.external_orders()
    assert (noted["venue"], noted["client_order_id"], noted["status"]) == (
        VENUE,
        "theirs",
        "CANCELED",
    )
    assert not desk.doubts


@pytest.mark.parametrize("status", [OrderStatus.NEW, OrderStatus.FILLED])
async def test_an_order_with_our_prefix_that_nobody_recorded_is_a_doubt(
    desk: Desk, status: OrderStatus
) -> None:
    await desk.told(update("otn-" + "a" * 26, status))
    (doubt,) = desk.doubts
    assert "carries our prefix, but the journal does not know it" in doubt


async def test_another_order_under_an_id_of_ours_is_a_doubt(desk: Desk, resting: Any) -> None:
    await desk.told(update(resting.client_order_id, OrderStatus.NEW, order_id="4711"))
    (doubt,) = desk.doubts
    assert "order 4711 under client order id" in doubt


async def test_an_order_that_was_taken_for_absent_and_lives_is_booked_and_a_doubt(
    desk: Desk, resting: Any, broker: GuardedBroker, journal: Journal
) -> None:
    (order,) = broker.outcomes.open_orders
    lost = OrderResult(OrderState.NOT_SENT, code="absent", message="never there")
    # As if it had never been accepted.
    broker.outcomes._open.clear()
    broker.outcomes._ended[resting.client_order_id] = order.intent, lost
    await desk.told(update(resting.client_order_id, OrderStatus.FILLED, "0.1", fill(1, "0.1")))
    (doubt,) = desk.doubts
    assert "which it was taken not to have" in doubt
    assert (await journal.orders())[0]["executed_qty"] == "0.1"


async def test_a_gap_in_what_is_told_is_said_when_it_begins_and_when_it_ends(desk: Desk) -> None:
    await desk.told(StreamResumed())
    assert (desk.follower.is_live, desk.missed) == (True, [False])
    await desk.told(StreamLost("the connection was closed"), StreamLost("no connection"))
    assert (desk.follower.is_live, desk.missed) == (False, [False, True])
    await desk.told(StreamResumed())
    assert (desk.follower.is_live, desk.missed) == (True, [False, True, True])
    assert not desk.refusals


async def test_a_connection_that_is_replaced_in_time_leaves_no_gap(desk: Desk) -> None:
    await desk.told(StreamResumed(), StreamResumed())
    assert desk.missed == [False, False]


async def test_a_loss_of_the_stream_is_one_line_however_often_it_is_tried(
    desk: Desk, clock: StandingClock
) -> None:
    with capture_logs() as lines:
        await desk.told(StreamResumed())
        await desk.told(*[StreamLost("no connection")] * 5)
        clock.advance(12)
        await desk.told(StreamResumed())
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("stream.connected", "info"),
        ("stream.lost", "warning"),
        ("stream.resumed", "info"),
    ]
    assert (lines[-1]["failures"], lines[-1]["lasted_seconds"]) == (5, 12.0)


async def test_lost_market_streams_are_told_and_miss_nothing(
    desk: Desk, clock: StandingClock
) -> None:
    with capture_logs() as lines:
        await desk.told(BooksLost("the connection was closed"), BooksLost("no connection"))
        clock.advance(3)
        await desk.told(BooksResumed())
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("market.stream_lost", "warning"),
        ("market.stream_resumed", "info"),
    ]
    assert lines[0]["reason"] == "the connection was closed"
    assert (lines[-1]["failures"], lines[-1]["lasted_seconds"]) == (2, 3.0)
    assert desk.missed == []


async def test_a_clock_that_is_off_is_a_line_with_what_was_refused_for_it(desk: Desk) -> None:
    with capture_logs() as lines:
        await desk.told(ClockOff(7_000.4, "POST /api/v3/order"), ClockOff(-1_500.0))
    assert [(line["event"], line["by_ms"], line.get("refused")) for line in lines] == [
        ("clock.off", 7_000, "POST /api/v3/order"),
        ("clock.off", -1_500, None),
    ]


async def test_a_key_that_is_refused_is_told_of(desk: Desk) -> None:
    await desk.told(StreamLost("HTTP 401", refused=True))
    assert desk.refusals == ["HTTP 401"]


async def test_a_ban_is_remembered(desk: Desk, journal: Journal) -> None:
    until = NOON + timedelta(minutes=5)
    await desk.told(Banned(until), Banned(NOON))
    assert await journal.ban_until(VENUE) == until
    assert await journal.ban_until("https://another.test") is None


async def test_more_than_can_be_booked_in_time_is_asked_for_instead(desk: Desk) -> None:
    news = [update(f"theirs-{number}", OrderStatus.NEW) for number in range(10_001)]
    await desk.told(*news)
    assert desk.missed == [True]
