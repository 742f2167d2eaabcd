"""An order that the venue has forgotten is ended by a person, and only such an order."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.write_off import write_off
from otonom_trader.domain.decision import Decision
from otonom_trader.domain.errors import NotPermitted, VenueUnreachable
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState
from otonom_trader.storage.journal import Journal
from tests.daemon.conftest import NOON, StandingClock

WriteOff = Callable[..., Awaitable[TradeExecutionLog]]


@pytest.fixture
def end(broker: GuardedBroker, journal: Journal, clock: StandingClock) -> WriteOff:
    """Write an order off, as ``alice`` unless the test says otherwise."""

    async def end(id_: str | None, reason: str = "not there") -> TradeExecutionLog:
        return await write_off(broker, journal, clock, id_ or "", reason, "alice")

    return end


@pytest.fixture
async def resting(executor: ShadowModeExecutor, buy: Decision) -> TradeExecutionLog:
    return await executor.execute_decision(None, replace(buy, price=Decimal(49000)))


async def test_it_ends_as_cancelled_releases_what_was_reserved_and_is_on_record(
    end: WriteOff,
    resting: TradeExecutionLog,
    broker: GuardedBroker,
    journal: Journal,
    venue: DummyBroker,
) -> None:
    assert broker.exposure().pending_buys
    venue._orders.clear()
    row = await end(resting.client_order_id)
    assert (row.outcome, row.terminal, row.broker_code) == (Outcome.CANCELLED, True, "written_off")
    assert row.broker_message == "written off by alice: not there"
    assert (broker.exposure().pending_buys, broker.outcomes.open_orders) == ({}, ())
    assert await journal.open_intents() == []
    (event,) = await journal.kill_events()
    assert (event.at, event.action, event.by) == (NOON, "write_off", "alice")
    assert event.reason == f"{resting.client_order_id}: not there"


async def test_an_order_that_the_venue_knows_is_not_written_off(
    end: WriteOff, resting: TradeExecutionLog, broker: GuardedBroker, journal: Journal
) -> None:
    with pytest.raises(NotPermitted, match="not written off: the venue knows it as NEW"):
        await end(resting.client_order_id)
    assert len(broker.outcomes.open_orders) == 1
    assert await journal.kill_events() == []


async def test_a_venue_that_cannot_be_asked_writes_nothing_off(
    end: WriteOff,
    resting: TradeExecutionLog,
    broker: GuardedBroker,
    venue: DummyBroker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def no_answer(symbol: str, client_order_id: str) -> OrderResult | None:
        raise VenueUnreachable("no connection")

    monkeypatch.setattr(venue, "find_order", no_answer)
    with pytest.raises(VenueUnreachable, match="the venue cannot be asked for it: no connection"):
        await end(resting.client_order_id)
    assert len(broker.outcomes.open_orders) == 1


async def test_an_order_that_is_unknown_is_settled_by_asking_alone(
    end: WriteOff,
    executor: ShadowModeExecutor,
    buy: Decision,
    venue: DummyBroker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lost(req: OrderRequest) -> OrderResult:
        return OrderResult(OrderState.UNKNOWN, client_order_id=req.client_order_id)

    monkeypatch.setattr(venue, "place_order", lost)
    monkeypatch.setattr(type(venue), "unknown_fence_seconds", 14.0)
    row = await executor.execute_decision(None, buy)
    with pytest.raises(
        NotPermitted, match="it is UNKNOWN, and settled by asking, at the latest 14"
    ):
        await end(row.client_order_id)


async def test_an_order_that_has_ended_and_one_that_is_not_ours_are_said_to_be(
    end: WriteOff, executor: ShadowModeExecutor, buy: Decision
) -> None:
    row = await executor.execute_decision(None, buy)
    with pytest.raises(NotPermitted, match="it has ended already"):
        await end(row.client_order_id)
    with pytest.raises(NotPermitted, match="the journal does not know it"):
        await end("otn-nobody")


async def test_without_a_reason_nothing_is_written_off(
    end: WriteOff, resting: TradeExecutionLog, venue: DummyBroker
) -> None:
    venue._orders.clear()
    with pytest.raises(NotPermitted, match="a reason is needed"):
        await end(resting.client_order_id, " ")
