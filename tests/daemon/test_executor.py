"""The executor: one decision, its whole way, exactly once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.sizing import SizingRules
from otonom_trader.domain.decision import Decision, Direction, Malformed
from otonom_trader.domain.errors import NotSent
from otonom_trader.domain.execution import Outcome, PaperStatus
from otonom_trader.domain.ids import client_order_id
from otonom_trader.domain.intent import Claim
from otonom_trader.domain.market import Instrument, MarketSnapshot
from otonom_trader.domain.order import OrderRequest
from otonom_trader.storage.journal import Journal


async def test_a_decision_is_filled_on_paper_and_at_the_broker_and_recorded(
    executor: ShadowModeExecutor, journal: Journal, buy: Decision
) -> None:
    row = await executor.execute_decision(None, buy)
    assert row.outcome is Outcome.FILLED
    assert row.broker_ok
    assert row.paper_status is PaperStatus.FILLED
    assert row.qty == Decimal("0.02")  # 1 % of 100,000 at 50,000
    assert row.paper_fill_price == row.broker_fill_price == 50000
    assert row.slippage_estimate == 0
    assert await journal.execution(buy.key) == row


async def test_asked_again_it_answers_with_the_row_it_has_and_sends_nothing(
    executor: ShadowModeExecutor, venue: DummyBroker, buy: Decision
) -> None:
    first = await executor.execute_decision(None, buy)
    held = (await venue.get_account_balance())["BTC"].free
    assert await executor.execute_decision(None, buy) == first
    assert (await venue.get_account_balance())["BTC"].free == held


async def test_hold_never_orders(executor: ShadowModeExecutor, buy: Decision) -> None:
    row = await executor.execute_decision(None, replace(buy, direction=Direction.HOLD))
    assert row.outcome is Outcome.HOLD
    assert row.side is None
    assert row.client_order_id is None


async def test_what_is_malformed_is_recorded_with_its_reason(
    executor: ShadowModeExecutor, journal: Journal, clock: Any
) -> None:
    item = Malformed("@line 3", "file", "qty must be a finite number, not 'NaN'", "{...}")
    row = await executor.execute(Claim(item, clock.now()))
    assert row.outcome is Outcome.MALFORMED
    assert row.broker_message == item.reason
    assert (await journal.counts())["malformed"] == 1


@pytest.mark.parametrize(
    ("change", "outcome", "code"),
    [
        ({"created_at": -301}, Outcome.EXPIRED, "max_decision_age_seconds"),
        ({"expires_at": 0}, Outcome.EXPIRED, "expires_at"),
        ({"created_at": 60}, Outcome.DENIED, "from_the_future"),
        ({"created_at": -299}, Outcome.FILLED, None),
        ({"created_at": 4}, Outcome.FILLED, None),
    ],
)
async def test_a_decision_out_of_its_time_is_not_executed(
    executor: ShadowModeExecutor,
    buy: Decision,
    clock: Any,
    change: dict[str, int],
    outcome: Outcome,
    code: str | None,
) -> None:
    times = {name: clock.now() + timedelta(seconds=offset) for name, offset in change.items()}
    row = await executor.execute_decision(None, replace(buy, **times))
    assert (row.outcome, row.broker_code) == (outcome, code)


async def test_without_created_at_the_first_sight_counts(
    executor: ShadowModeExecutor, buy: Decision
) -> None:
    row = await executor.execute_decision(None, replace(buy, created_at=None))
    assert row.outcome is Outcome.FILLED


async def test_live_on_production_needs_created_at(
    broker: GuardedBroker, journal: Journal, clock: Any, buy: Decision
) -> None:
    strict = ShadowModeExecutor(broker, journal, SizingRules(), clock, needs_created_at=True)
    row = await strict.execute_decision(None, replace(buy, created_at=None))
    assert (row.outcome, row.broker_code) == (Outcome.DENIED, "no_created_at")


async def test_what_is_no_pair_is_not_tradable(executor: ShadowModeExecutor, buy: Decision) -> None:
    row = await executor.execute_decision(None, replace(buy, symbol="nonsense"))
    assert (row.outcome, row.broker_code) == (Outcome.DENIED, "not_tradable")


async def test_a_halted_symbol_is_denied(
    executor: ShadowModeExecutor,
    venue: DummyBroker,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = await venue.get_instrument("BTC-USDT")

    async def halted(symbol: str) -> Instrument:
        return replace(listed, tradable=False, status="HALT")

    monkeypatch.setattr(venue, "get_instrument", halted)
    row = await executor.execute_decision(None, buy)
    assert row.outcome is Outcome.DENIED
    assert row.broker_message == ("RISK REJECTED: BTC-USDT is not trading: its status is HALT")


async def test_a_denial_keeps_every_verdict_and_fills_no_leg(
    executor: ShadowModeExecutor, journal: Journal, buy: Decision
) -> None:
    row = await executor.execute_decision(None, replace(buy, strength=None, qty=Decimal(1)))
    assert row.outcome is Outcome.DENIED
    assert row.broker_message == "RISK REJECTED: Order notional $50000 exceeds max $10000"
    assert row.paper_status is None
    verdicts = await journal.verdicts(buy.key)
    assert len(verdicts) > 7
    denied = [verdict.code for verdict in verdicts if not verdict.allowed]
    assert denied == ["max_notional_per_order", "max_position_size_pct", "max_open_risk_pct"]


async def test_a_size_that_cannot_be_is_recorded_as_a_verdict(
    executor: ShadowModeExecutor, journal: Journal, buy: Decision
) -> None:
    odd = replace(buy, strength=None, qty=Decimal("0.0000001"))
    row = await executor.execute_decision(None, odd)
    assert (row.outcome, row.broker_code) == (Outcome.DENIED, "qty_step")
    assert [verdict.code for verdict in await journal.verdicts(buy.key)] == ["qty_step"]


def fails(times: int, market: Callable[[str], Any]) -> Callable[[str], Any]:
    left = times

    async def get_market(symbol: str) -> MarketSnapshot:
        nonlocal left
        left -= 1
        if left >= 0:
            raise NotSent("connection refused")
        snapshot: MarketSnapshot = await market(symbol)
        return snapshot

    return get_market


def fails_twice(find: Callable[..., Any]) -> Callable[..., Any]:
    left = 2

    async def find_order(symbol: str, client_order_id: str) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise NotSent("connection refused")
        return await find(symbol, client_order_id)

    return find_order


async def test_a_decision_waits_for_an_unreachable_venue_with_growing_pauses(
    executor: ShadowModeExecutor,
    venue: DummyBroker,
    clock: Any,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(venue, "get_market", fails(5, venue.get_market))
    row = await executor.execute_decision(None, buy)
    assert row.outcome is Outcome.FILLED
    assert clock.slept == [0.2, 0.4, 0.8, 1.6, 2.0]


async def test_it_waits_no_longer_than_the_decision_lives(
    executor: ShadowModeExecutor,
    venue: DummyBroker,
    clock: Any,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(venue, "get_market", fails(10**6, venue.get_market))
    short = replace(buy, expires_at=clock.now() + timedelta(seconds=3))
    row = await executor.execute_decision(None, short)
    assert (row.outcome, row.broker_code) == (Outcome.NOT_SENT, "no_market")
    assert row.broker_message == "Not sent: connection refused"
    assert sum(clock.slept) < 3


async def test_an_order_the_venue_has_already_is_adopted_not_sent_again(
    broker: GuardedBroker, journal: Journal, venue: DummyBroker, clock: Any, buy: Decision
) -> None:
    # The journal is older than the venue: restored from a backup, it has forgotten this decision.
    id_ = client_order_id(await venue.get_account_key(), buy.key)
    sent = ShadowModeExecutor(broker, journal, SizingRules(), clock, ask_before=clock.now())
    before = await sent.broker.venue.get_instrument("BTC-USDT")
    await venue.place_order(OrderRequest(before.venue_symbol, "BUY", "0.02", client_order_id=id_))
    row = await sent.execute_decision(None, buy)
    assert row.outcome is Outcome.FILLED
    assert row.client_order_id == id_
    assert (await venue.get_account_balance())["BTC"].free == Decimal("0.02")


async def test_a_venue_that_cannot_be_asked_for_a_forgotten_order_is_asked_again(
    broker: GuardedBroker,
    journal: Journal,
    venue: DummyBroker,
    clock: Any,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(venue, "find_order", fails_twice(venue.find_order))
    asking = ShadowModeExecutor(broker, journal, SizingRules(), clock, ask_before=clock.now())
    row = await asking.execute_decision(None, buy)
    assert row.outcome is Outcome.FILLED
    assert clock.slept == [0.2, 0.4]


async def test_a_caller_can_only_tighten_in_live(
    executor: ShadowModeExecutor, buy: Decision
) -> None:
    smaller = await executor.execute_decision(None, buy, current_equity=50000)
    assert smaller.qty == Decimal("0.01")
    larger = await executor.execute_decision(None, replace(buy, id="d2"), current_equity=10**7)
    assert larger.qty == Decimal("0.02")


@pytest.mark.parametrize("wrong", [0, -1, "NaN", float("inf")])
async def test_a_wrong_price_from_the_caller_is_refused_by_name(
    executor: ShadowModeExecutor, buy: Decision, wrong: Any
) -> None:
    with pytest.raises(ValueError, match="current_price"):
        await executor.execute_decision(None, buy, current_price=wrong)
