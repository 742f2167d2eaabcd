"""Plans: the price an order is judged at, and the worst that is reserved for it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.plan import (
    Plan,
    executable_price,
    flat_market,
    intent_of,
    proposal_of,
    reservation_of,
    unsent_row,
)
from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.execution import Outcome, PaperStatus, SimulatedFill
from otonom_trader.domain.intent import Claim, Reservation
from otonom_trader.domain.market import Book, Instrument, Level, MarketSnapshot
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest, Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.verdict import Verdict

D = Decimal
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
BTC = Symbol("BTC", "USDT")
STEP = D("0.00001")
BOOK = Book(
    bids=(Level(D(99), D(1)), Level(D(90), D(9))),
    asks=(Level(D(101), D(1)), Level(D(111), D(9))),
)
MARKET = MarketSnapshot(BTC, BOOK, NOON, 1_000_000_000)


def plan_of(order: OrderRequest, market: MarketSnapshot | None = MARKET) -> Plan:
    decision = Decision("42", "BTC-USDT", Direction(order.side), qty=order.qty, source="patron")
    return Plan(
        claim=Claim(decision, NOON),
        order=replace(order, client_order_id="otn-42"),
        instrument=Instrument(BTC, "BTCUSDT", True, STEP, STEP, D(0), D("0.01"), D(5)),
        market=market,
        requested_qty=order.qty,
        started_ns=0,
    )


def limit(side: str, qty: int | str, price: int | str, tif: str = "GTC") -> OrderRequest:
    return OrderRequest("BTCUSDT", side, qty, price, "LIMIT", tif)


def market(side: str, qty: int | str) -> OrderRequest:
    return OrderRequest("BTCUSDT", side, qty)


@pytest.mark.parametrize(
    ("order", "price"),
    [
        (limit("BUY", 2, 105), "105"),  # its limit, whatever the book says
        (limit("SELL", 2, 200), "200"),
        (market("BUY", 1), "101"),
        (market("BUY", 2), "106"),  # 1 at 101 and 1 at 111
        (market("SELL", 2), "94.5"),  # 1 at 99 and 1 at 90
    ],
)
def test_the_price_judged_is_the_limit_else_the_walk_through_the_book(
    order: OrderRequest, price: str
) -> None:
    assert executable_price(plan_of(order)) == D(price)


def test_a_protected_market_decision_is_judged_on_the_walk_up_to_its_limit() -> None:
    plan = replace(plan_of(limit("BUY", 2, 105, "IOC")), protected=True)
    assert executable_price(plan) == 101  # the second level lies beyond the limit
    unmet = replace(plan_of(limit("BUY", 2, 100, "IOC")), protected=True)
    assert executable_price(unmet) == 101  # nothing to walk: the best opposite quote


def test_without_a_market_or_an_opposite_quote_there_is_no_price() -> None:
    assert executable_price(plan_of(market("BUY", 1), None)) is None
    bare = replace(MARKET, book=Book(BOOK.bids, ()))
    assert executable_price(plan_of(market("BUY", 1), bare)) is None
    assert executable_price(plan_of(limit("BUY", 1, 105), None)) is None


@pytest.mark.parametrize(("kind", "limit_price"), [("STOP_LOSS", None), ("STOP_LOSS_LIMIT", 105)])
def test_a_stop_is_judged_where_the_market_will_be_when_it_triggers(
    kind: str, limit_price: int | None
) -> None:
    order = OrderRequest("BTCUSDT", "BUY", 1, limit_price, kind, stop_price=104)
    proposal = proposal_of(plan_of(order), D(1), now_ns=0)
    assert proposal.price == (limit_price or 104)
    assert proposal.reference == 104
    assert reservation_of(plan_of(order), D(1), D(0)).price == (limit_price or D("106.08"))


def test_a_stop_that_only_trails_is_judged_on_the_market_as_it_is() -> None:
    order = OrderRequest("BTCUSDT", "SELL", 1, None, "STOP_LOSS", trailing_delta_bps=100)
    assert executable_price(plan_of(order)) == 99
    assert proposal_of(plan_of(order), D(1), now_ns=0).reference == 99


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_callers_price_only_makes_the_price_larger(side: str) -> None:
    plan = plan_of(market(side, 1))
    own = executable_price(plan)
    assert own is not None
    assert executable_price(replace(plan, current_price=own + 10)) == own + 10
    assert executable_price(replace(plan, current_price=own - 10)) == own


def test_a_proposal_carries_what_the_guardrails_judge() -> None:
    plan = replace(plan_of(limit("BUY", 2, 105)), decision_age_seconds=D(7))
    proposal = proposal_of(plan, D(2), now_ns=3_500_000_000)
    assert (proposal.symbol, proposal.side) == (BTC, Side.BUY)
    assert proposal.price == 105
    assert proposal.reference == 101
    assert proposal.mark == 200  # the mid of 100, at a rate of 2
    assert proposal.notional == 2 * 105 * 2
    assert proposal.price_age_seconds == D("2.5")
    assert proposal.limit_price == 105
    assert proposal.decision_age_seconds == 7


def test_a_proposal_without_a_market_or_a_conversion_says_so() -> None:
    blind = proposal_of(plan_of(market("BUY", 1), None), D(1), 0)
    assert (blind.price, blind.reference, blind.mark) == (None, None, None)
    assert (blind.price_age_seconds, blind.notional) == (None, None)
    foreign = proposal_of(plan_of(market("BUY", 1)), None, 0)
    assert (foreign.mark, foreign.notional) == (None, None)


@pytest.mark.parametrize(
    ("order", "price"),
    [
        (limit("BUY", 2, 105), D(105) * D("1.001")),  # with the fee
        (limit("SELL", 2, 105), D(105)),
        (market("BUY", 2), D(101) * D("1.06") * D("1.001")),  # twice the collar, and the fee
        (market("SELL", 2), D(99) * D("0.94")),
    ],
)
def test_what_is_reserved_is_the_worst_the_order_may_do(
    order: OrderRequest, price: Decimal
) -> None:
    reservation = reservation_of(plan_of(order), collar_pct=D(3), taker_fee_pct=D("0.1"))
    assert reservation == Reservation(BTC, order.side, order.qty, price)


quantities = st.decimals("0.001", "10", places=3)


@given(quantities, st.decimals("99", "103", places=2))
def test_a_protected_buy_is_never_judged_worse_than_it_is_reserved(
    qty: Decimal, price: Decimal
) -> None:
    plan = replace(plan_of(limit("BUY", str(qty), str(price), "IOC")), protected=True)
    filled = BOOK.walk(Side.BUY, qty, price)
    assert filled.quote_qty <= qty * reservation_of(plan, D(1), D(0)).price


def test_a_flat_market_trades_any_quantity_at_its_price() -> None:
    flat = flat_market(BTC, D(100), NOON, 0)
    for side in Side:
        assert flat.book.walk(side, D(1000000)).avg_price == 100
        assert flat.reference(side) == 100
    assert flat.mark == 100


def test_an_intent_keeps_order_decision_and_expiry() -> None:
    expires_at = NOON + timedelta(seconds=60)
    plan = plan_of(limit("BUY", 2, 105))
    assert isinstance(plan.claim.item, Decision)
    claim = replace(plan.claim, item=replace(plan.claim.item, expires_at=expires_at))
    plan = replace(plan, claim=claim, requested_qty=D("2.000004"))
    account, reservation = AccountKey("live", "host", "7"), Reservation(BTC, Side.BUY, D(2), D(105))
    intent = intent_of(plan, account, reservation, None, NOON)
    assert (intent.client_order_id, intent.order) == ("otn-42", plan.order)
    assert (intent.account, intent.decision) == (account, plan.claim.key)
    assert intent.requested_qty == D("2.000004")
    assert (intent.expires_at, intent.recorded_at) == (expires_at, NOON)


DENIED = Verdict("kill_switch", allowed=False, message="Kill switch is active: drill")
FILLED = SimulatedFill(PaperStatus.FILLED, D(2), D(202), D(0), "BTC")


@pytest.mark.parametrize(
    ("denied", "paper", "outcome", "message"),
    [
        (DENIED, None, Outcome.DENIED, "RISK REJECTED: Kill switch is active: drill"),
        (DENIED, FILLED, Outcome.FILLED, "RISK REJECTED: Kill switch is active: drill"),
        (None, FILLED, Outcome.FILLED, ""),
        (None, SimulatedFill(PaperStatus.RESTING), Outcome.RESTING, ""),
        (None, SimulatedFill(PaperStatus.INSUFFICIENT_BALANCE), Outcome.UNFILLED, ""),
    ],
)
def test_the_row_of_an_order_that_is_not_sent(
    denied: Verdict | None, paper: SimulatedFill | None, outcome: Outcome, message: str
) -> None:
    row = unsent_row(plan_of(market("BUY", 2)), Mode.OFF, denied, None, paper, {}, NOON)
    assert (row.outcome, row.broker_message) == (outcome, message)
    assert row.broker_code == (denied.code if denied else None)
    assert (row.broker_ok, row.terminal) == (False, outcome is not Outcome.RESTING)
    assert row.paper_status == (paper.status if paper else None)


def test_the_row_of_an_order_without_any_leg_says_that_nothing_was_sent() -> None:
    row = unsent_row(plan_of(market("BUY", 2)), Mode.OFF, None, None, None, {}, NOON)
    assert row.outcome is Outcome.NOT_SENT
    assert row.broker_message
