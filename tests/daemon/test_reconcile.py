"""Journal and venue brought to agree: what is missing is booked, what contradicts is a doubt."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.reconcile import Reconciler
from otonom_trader.daemon.resolver import Resolver
from otonom_trader.domain.decision import Decision
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.order import Fill, OrderRequest, OrderResult
from otonom_trader.storage.journal import Journal
from tests.daemon.conftest import NOON, StandingClock

VENUE = "https://venue.test"


@pytest.fixture
def reconciler(broker: GuardedBroker, journal: Journal, clock: StandingClock) -> Reconciler:
    return Reconciler(broker, Resolver(broker, clock), journal, clock, VENUE)


async def outcome(journal: Journal, decision: Decision) -> Outcome:
    row = await journal.execution(decision.key)
    assert row is not None
    return row.outcome


async def test_an_intent_whose_process_died_is_asked_for_before_trading_starts(
    reconciler: Reconciler,
    executor: ShadowModeExecutor,
    journal: Journal,
    venue: DummyBroker,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(BaseException):
        pass

    placed = venue.place_order

    async def dies_after_sending(req: OrderRequest) -> OrderResult:
        await placed(req)
        raise Killed

    monkeypatch.setattr(venue, "place_order", dies_after_sending)
    with pytest.raises(Killed):
        await executor.execute_decision(None, buy)
    assert await journal.execution(buy.key) is None
    await reconciler.take_up_earlier_orders()
    assert await outcome(journal, buy) is Outcome.UNKNOWN
    (difference,) = await reconciler.reconcile()
    assert (difference.kind, difference.journal, difference.venue) == (
        "order",
        "unknown, filled 0",
        "filled, filled 0.02",
    )
    assert await outcome(journal, buy) is Outcome.FILLED


async def test_a_working_order_with_our_prefix_that_is_not_on_record_is_a_doubt(
    reconciler: Reconciler, venue: DummyBroker
) -> None:
    id_ = "otn-" + "a" * 26
    await venue.place_order(OrderRequest("BTCUSDT", "BUY", 1, 1, "LIMIT", client_order_id=id_))
    (stranger,) = await reconciler.look_at_working_orders()
    assert (stranger.kind, stranger.client_order_id) == ("unrecorded", id_)
    assert "carries our prefix, but the journal does not know it" in stranger.doubt


async def test_a_contradiction_is_one_difference_among_the_others(
    reconciler: Reconciler, executor: ShadowModeExecutor, venue: DummyBroker, buy: Decision
) -> None:
    await executor.execute_decision(None, replace(buy, price=Decimal(49000)))
    venue._orders.clear()
    await venue.place_order(
        OrderRequest("BTCUSDT", "BUY", 1, 40000, "LIMIT", client_order_id="by-hand")
    )
    found = await reconciler.reconcile()
    assert [(one.kind, bool(one.doubt)) for one in found] == [
        ("forgotten", True),
        ("external", False),
    ]


async def test_working_orders_of_others_count_as_exposure_and_raise_no_doubt(
    reconciler: Reconciler, broker: GuardedBroker, journal: Journal, venue: DummyBroker
) -> None:
    broker.account.trade(await venue.get_instrument("BTC-USDT"))
    await venue.place_order(
        OrderRequest("BTCUSDT", "BUY", 1, 40000, "LIMIT", client_order_id="by-hand")
    )
    (difference,) = await reconciler.look_at_working_orders()
    assert (difference.kind, difference.client_order_id) == ("external", "by-hand")
    assert await reconciler.look_at_working_orders() == []
    (noted,) = await journal.external_orders()
    assert (noted["venue"], noted["status"]) == (VENUE, "NEW")
    exposure = broker.exposure()
    assert exposure.pending_buys == {"BTC": Decimal(1)}
    assert exposure.pending_buy_value == 40000


async def test_a_venue_that_agrees_differs_in_nothing(
    reconciler: Reconciler, executor: ShadowModeExecutor, buy: Decision
) -> None:
    await executor.execute_decision(None, buy)
    assert await reconciler.reconcile() == []
    assert await reconciler.look_over() == []


async def test_fills_that_the_journal_lacks_are_asked_for_and_booked(
    reconciler: Reconciler,
    executor: ShadowModeExecutor,
    journal: Journal,
    venue: DummyBroker,
    buy: Decision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An order that was taken for cancelled, and of which one more fill came to light."""
    row = await executor.execute_decision(None, replace(buy, price=Decimal(49000)))
    id_ = row.client_order_id or ""
    await venue.cancel_order(id_)
    await reconciler.look_over()
    assert await outcome(journal, buy) is Outcome.CANCELLED

    at = NOON + timedelta(seconds=3)
    fill = Fill("71", Decimal(49000), Decimal("0.01"), Decimal(490), Decimal(0), "BTC", at)
    known = await venue.find_order("BTCUSDT", id_)
    assert known is not None

    async def trades(symbol: str, since: str | None) -> list[tuple[str, Fill]]:
        return [(known.order_id or "", fill), ("4711", replace(fill, trade_id="70"))]

    async def found(symbol: str, client_order_id: str) -> OrderResult:
        return replace(known, filled_qty=fill.qty, quote_qty=fill.quote_qty, fills=(fill,))

    monkeypatch.setattr(venue, "get_trades", trades)
    monkeypatch.setattr(venue, "find_order", found)
    (difference,) = await reconciler.look_over()
    assert (difference.kind, difference.client_order_id) == ("fills", id_)
    assert difference.venue == "canceled, filled 0.01"
    assert (await journal.orders())[0]["executed_qty"] == "0.01"
    assert await outcome(journal, buy) is Outcome.PARTLY_FILLED
    assert await reconciler.look_over() == []


async def test_trades_are_asked_for_from_a_fill_some_way_back(
    executor: ShadowModeExecutor,
    journal: Journal,
    broker: GuardedBroker,
    venue: DummyBroker,
    buy: Decision,
) -> None:
    symbol = (await venue.get_instrument("BTC-USDT")).symbol
    account = await venue.get_account_key()
    assert await journal.trade_mark(account, symbol) is None
    for number in range(120):
        await executor.execute_decision(None, replace(buy, id=f"d{number}", qty=Decimal("0.001")))
    orders = list(venue._orders.values())
    assert await journal.trade_mark(account, symbol) == orders[-100].fills[0].trade_id
