"""Own orders withdrawn after a halt, from a venue that does not always answer."""

from dataclasses import replace
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.daemon.alarm import KEY_REFUSED
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.withdrawal import Withdrawal
from otonom_trader.domain.decision import Decision
from otonom_trader.domain.errors import Rejected, VenueError, VenueUnreachable
from otonom_trader.domain.order import OrderResult
from tests.daemon.conftest import StandingClock


class KeyRefused(Rejected):
    code = KEY_REFUSED


@pytest.fixture
def withdrawal(clock: StandingClock) -> Withdrawal:
    made = Withdrawal(clock, deadline_seconds=10)
    made.knows_earlier_orders = True
    return made


def fails_first(venue: DummyBroker, patch: pytest.MonkeyPatch, *failures: VenueError) -> None:
    """Have the venue answer the question after working orders only after so many failures."""
    left, answer = list(failures), venue.get_open_orders

    async def get_open_orders() -> list[OrderResult]:
        if left:
            raise left.pop(0)
        return await answer()

    patch.setattr(venue, "get_open_orders", get_open_orders)


async def rest(executor: ShadowModeExecutor, buy: Decision) -> None:
    await executor.execute_decision(None, replace(buy, qty=Decimal("0.01"), price=Decimal(40000)))


async def test_a_venue_that_does_not_answer_is_asked_less_and_less_often_but_always_again(
    withdrawal: Withdrawal,
    executor: ShadowModeExecutor,
    broker: GuardedBroker,
    venue: DummyBroker,
    clock: StandingClock,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await rest(executor, buy)
    fails_first(venue, monkeypatch, *[VenueUnreachable("no connection")] * 5)
    with capture_logs() as lines:
        await withdrawal.run(broker, goes_on=lambda: True)
    assert [pause for pause in clock.slept if pause != 10] == [1, 2, 4, 5, 5]
    events = [line["event"] for line in lines if line["event"] != "kill.orders_left"]
    assert events == [
        "kill.cancel_failed",
        "kill.cancel_answered",
        "kill.cancelled",
        "kill.verified",
    ]
    assert (withdrawal.left, withdrawal.cancelled, withdrawal.verified) == (0, 1, True)


async def test_a_refused_key_is_tried_twice_a_minute(
    withdrawal: Withdrawal,
    executor: ShadowModeExecutor,
    broker: GuardedBroker,
    venue: DummyBroker,
    clock: StandingClock,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await rest(executor, buy)
    fails_first(venue, monkeypatch, KeyRefused("revoked"), KeyRefused("revoked"))
    await withdrawal.run(broker, goes_on=lambda: True)
    assert [pause for pause in clock.slept if pause != 10] == [30, 30]
    assert withdrawal.verified


async def test_what_may_still_be_on_its_way_keeps_it_from_being_verified(
    withdrawal: Withdrawal, broker: GuardedBroker
) -> None:
    withdrawal.knows_earlier_orders = False
    looks = iter(range(3))
    await withdrawal.run(broker, goes_on=lambda: next(looks, None) is not None)
    assert (withdrawal.left, withdrawal.verified) == (0, False)
    withdrawal.knows_earlier_orders = True
    await withdrawal.run(broker, goes_on=lambda: True)
    assert withdrawal.verified
