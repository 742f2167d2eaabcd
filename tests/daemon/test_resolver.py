"""Orders whose end is not known: settled by asking, never by sending again."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.resolver import Resolver
from otonom_trader.daemon.withdrawal import Withdrawal
from otonom_trader.domain.decision import Decision
from otonom_trader.domain.errors import VenueUnreachable
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState, OrderStatus
from otonom_trader.domain.venue_event import OrderUpdate
from otonom_trader.storage.journal import Journal

FENCE_SECONDS = 14.0


class Unanswering:
    """Makes a dummy venue lose replies: the order is carried out, or it is not."""

    def __init__(self, venue: DummyBroker, monkeypatch: pytest.MonkeyPatch) -> None:
        self._place = venue.place_order
        self.executes = True
        self.sent = 0
        monkeypatch.setattr(venue, "place_order", self.place_order)
        monkeypatch.setattr(type(venue), "unknown_fence_seconds", FENCE_SECONDS)

    async def place_order(self, req: OrderRequest) -> OrderResult:
        self.sent += 1
        if self.executes:
            await self._place(req)
        return OrderResult(
            OrderState.UNKNOWN,
            symbol=req.symbol,
            side=req.side,
            client_order_id=req.client_order_id,
            message="OUTCOME UNKNOWN, do not resend: timeout",
        )


@pytest.fixture
def lost(venue: DummyBroker, monkeypatch: pytest.MonkeyPatch) -> Unanswering:
    return Unanswering(venue, monkeypatch)


@pytest.fixture
def resolver(broker: GuardedBroker, clock: Any) -> Resolver:
    return Resolver(broker, clock)


async def outcome(journal: Journal, decision: Decision) -> Outcome:
    row = await journal.execution(decision.key)
    assert row is not None
    return row.outcome


async def test_an_unknown_order_that_the_venue_carried_out_is_settled_as_filled(
    executor: ShadowModeExecutor,
    resolver: Resolver,
    journal: Journal,
    lost: Unanswering,
    buy: Decision,
) -> None:
    row = await executor.execute_decision(None, buy)
    assert (row.outcome, row.terminal, resolver.unknown) == (Outcome.UNKNOWN, False, 1)
    await resolver.settle_unknown()
    assert await outcome(journal, buy) is Outcome.FILLED
    assert (resolver.unknown, lost.sent) == (0, 1)


async def test_an_unknown_order_the_venue_does_not_know_is_absent_after_the_fence_and_two_misses(
    executor: ShadowModeExecutor,
    resolver: Resolver,
    broker: GuardedBroker,
    journal: Journal,
    lost: Unanswering,
    clock: Any,
    buy: Decision,
) -> None:
    lost.executes = False
    await executor.execute_decision(None, buy)
    for _ in range(5):
        await resolver.settle_unknown()
    assert await outcome(journal, buy) is Outcome.UNKNOWN
    clock.advance(FENCE_SECONDS - 0.001)
    await resolver.settle_unknown()
    await resolver.settle_unknown()
    assert await outcome(journal, buy) is Outcome.UNKNOWN
    assert broker.exposure().pending_buys == {"BTC": Decimal("0.02")}
    clock.advance(0.001)
    await resolver.settle_unknown()
    assert await outcome(journal, buy) is Outcome.UNKNOWN
    await resolver.settle_unknown()
    assert await outcome(journal, buy) is Outcome.ABSENT
    assert broker.exposure().pending_buys == {}
    assert lost.sent == 1


async def test_an_order_that_arrives_late_is_found_before_the_fence(
    executor: ShadowModeExecutor,
    resolver: Resolver,
    journal: Journal,
    lost: Unanswering,
    clock: Any,
    buy: Decision,
) -> None:
    lost.executes = False
    row = await executor.execute_decision(None, buy)
    clock.advance(FENCE_SECONDS + 1)
    await resolver.settle_unknown()
    await lost._place(OrderRequest("BTCUSDT", "BUY", row.qty, client_order_id=row.client_order_id))
    await resolver.settle_unknown()
    assert await outcome(journal, buy) is Outcome.FILLED


def resting(buy: Decision, clock: Any, lives_seconds: float | None = None) -> Decision:
    expires_at = None if lives_seconds is None else clock.now() + timedelta(seconds=lives_seconds)
    return replace(buy, price=Decimal(49000), expires_at=expires_at)


async def test_a_resting_order_is_followed_until_it_ends(
    executor: ShadowModeExecutor,
    resolver: Resolver,
    broker: GuardedBroker,
    journal: Journal,
    venue: DummyBroker,
    clock: Any,
    buy: Decision,
) -> None:
    row = await executor.execute_decision(None, resting(buy, clock))
    assert (row.outcome, row.terminal) == (Outcome.RESTING, False)
    await resolver.follow_working()
    assert await outcome(journal, buy) is Outcome.RESTING
    await venue.cancel_order(row.client_order_id or "")
    await resolver.follow_working()
    assert await outcome(journal, buy) is Outcome.CANCELLED
    assert broker.outcomes.open_orders == ()


async def test_an_end_that_is_told_while_it_is_asked_for_is_booked_once(
    executor: ShadowModeExecutor,
    resolver: Resolver,
    broker: GuardedBroker,
    venue: DummyBroker,
    clock: Any,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = await executor.execute_decision(None, resting(buy, clock))
    await venue.cancel_order(row.client_order_id or "")
    find = venue.find_order

    async def find_and_be_told(symbol: str, id_: str) -> OrderResult | None:
        found = await find(symbol, id_)
        assert found is not None
        await broker.outcomes.learn(OrderUpdate(id_, found))
        return found

    monkeypatch.setattr(venue, "find_order", find_and_be_told)
    with capture_logs() as lines:
        assert await resolver.follow_working() == []
    assert lines == []


async def test_an_order_that_is_told_of_between_two_misses_is_kept_in_mind_no_longer(
    executor: ShadowModeExecutor,
    resolver: Resolver,
    broker: GuardedBroker,
    lost: Unanswering,
    clock: Any,
    buy: Decision,
) -> None:
    lost.executes = False
    row = await executor.execute_decision(None, buy)
    clock.advance(FENCE_SECONDS)
    await resolver.settle_unknown()
    assert len(resolver._misses) == 1
    id_ = row.client_order_id or ""
    told = OrderResult(OrderState.ACCEPTED, client_order_id=id_, status=OrderStatus.CANCELED)
    await broker.outcomes.learn(OrderUpdate(id_, told))
    await resolver.settle_unknown()
    assert resolver._misses == {}


async def test_an_absent_order_is_told_with_what_it_was(
    executor: ShadowModeExecutor, resolver: Resolver, lost: Unanswering, clock: Any, buy: Decision
) -> None:
    lost.executes = False
    await executor.execute_decision(None, buy)
    clock.advance(FENCE_SECONDS + 1)
    with capture_logs() as lines:
        for _ in range(2):
            await resolver.settle_unknown()
    (line,) = lines
    assert (line["event"], line["symbol"], line["side"]) == ("order.absent", "BTC-USDT", "BUY")
    assert (line["qty"], line["reason"]) == (
        Decimal("0.02"),
        "asked for after the fence, and never there",
    )


async def test_what_is_left_of_a_limit_decision_is_cancelled_when_it_expires(
    executor: ShadowModeExecutor, resolver: Resolver, journal: Journal, clock: Any, buy: Decision
) -> None:
    await executor.execute_decision(None, resting(buy, clock, lives_seconds=10))
    clock.advance(9)
    await resolver.follow_working()
    assert await outcome(journal, buy) is Outcome.RESTING
    clock.advance(1)
    await resolver.follow_working()
    assert await outcome(journal, buy) is Outcome.CANCELLED


async def test_a_venue_that_forgets_an_accepted_order_puts_the_truth_in_doubt(
    executor: ShadowModeExecutor,
    resolver: Resolver,
    venue: DummyBroker,
    clock: Any,
    buy: Decision,
) -> None:
    row = await executor.execute_decision(None, resting(buy, clock))
    venue._orders.clear()
    (forgotten,) = await resolver.follow_working()
    assert (forgotten.kind, forgotten.journal, forgotten.venue) == (
        "forgotten",
        "resting, filled 0",
        "not known",
    )
    assert forgotten.doubt == (
        f"the venue does not know order {row.client_order_id}, which it accepted"
    )
    assert f"otonom-trader write-off {row.client_order_id} --reason TEXT" in forgotten.remedy


async def test_where_one_order_cannot_be_asked_for_the_others_are_and_it_is_said(
    executor: ShadowModeExecutor,
    resolver: Resolver,
    venue: DummyBroker,
    journal: Journal,
    clock: Any,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = await executor.execute_decision(None, resting(buy, clock))
    other = replace(resting(buy, clock), id="d2")
    second = await executor.execute_decision(None, other)
    await venue.cancel_order(second.client_order_id or "")
    find = venue.find_order

    async def answers_for_one(symbol: str, id_: str) -> OrderResult | None:
        if id_ == first.client_order_id:
            raise VenueUnreachable("no connection")
        return await find(symbol, id_)

    monkeypatch.setattr(venue, "find_order", answers_for_one)
    with pytest.raises(VenueUnreachable):
        await resolver.follow_working()
    assert await outcome(journal, other) is Outcome.CANCELLED


async def test_a_halt_cancels_own_working_orders_and_leaves_those_of_others(
    executor: ShadowModeExecutor,
    broker: GuardedBroker,
    venue: DummyBroker,
    clock: Any,
    buy: Decision,
) -> None:
    await executor.execute_decision(None, resting(buy, clock))
    await venue.place_order(
        OrderRequest("BTCUSDT", "BUY", 1, 40000, "LIMIT", client_order_id="by-hand")
    )
    withdrawal = Withdrawal(clock, deadline_seconds=10)
    withdrawal.knows_earlier_orders = True
    await withdrawal.run(broker, goes_on=lambda: True)
    assert (withdrawal.verified, withdrawal.left) == (True, 0)
    left = await venue.get_open_orders()
    assert [(order.client_order_id, order.status) for order in left] == [
        ("by-hand", OrderStatus.NEW)
    ]
