"""Executions: slippage, what a result means for its decision, and the row of both legs."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.compare import (
    ABSENT,
    compare,
    is_terminal,
    outcome_of,
    paper_outcome,
    with_paper,
)
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.execution import (
    Outcome,
    PaperStatus,
    SimulatedFill,
    Stage,
    TradeExecutionLog,
    slippage_pct,
)
from otonom_trader.domain.intent import Intent, Reservation
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import (
    Fill,
    OrderRequest,
    OrderResult,
    OrderState,
    OrderStatus,
    Side,
)
from otonom_trader.domain.symbol import Symbol

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
BTC = Symbol("BTC", "USDT")
PAPER = SimulatedFill(
    PaperStatus.FILLED, Decimal(2), Decimal(100), fee=Decimal("0.002"), fee_asset="BTC"
)


def intent_for(side: Side = Side.BUY, paper: SimulatedFill | None = PAPER) -> Intent:
    return Intent(
        client_order_id="otn-1",
        account=AccountKey("live", "127.0.0.1", "7"),
        decision=DecisionKey("patron", "42"),
        order=OrderRequest("BTCUSDT", side, 2, 55, "LIMIT", "IOC", client_order_id="otn-1"),
        symbol=BTC,
        reservation=Reservation(BTC, side, Decimal(2), Decimal(55)),
        paper=paper,
        requested_qty=Decimal("2.004"),
        recorded_at=NOON,
    )


def fill(trade_id: str, price: int, qty: str, fee: str, fee_asset: str = "BTC") -> Fill:
    amount = Decimal(qty)
    return Fill(trade_id, Decimal(price), amount, price * amount, Decimal(fee), fee_asset, NOON)


def result_of(
    *fills: Fill,
    state: OrderState = OrderState.ACCEPTED,
    status: OrderStatus | None = OrderStatus.FILLED,
    code: str | None = None,
    stages_ns: Mapping[str, int] | None = None,
) -> OrderResult:
    return OrderResult(
        state,
        order_id="28",
        status=status,
        code=code,
        filled_qty=sum((fill.qty for fill in fills), Decimal(0)),
        quote_qty=sum((fill.quote_qty for fill in fills), Decimal(0)),
        fills=fills,
        stages_ns=stages_ns or {},
    )


@pytest.mark.parametrize(
    ("side", "paper", "broker", "slippage"),
    [
        (Side.BUY, "100", "101", "1"),  # paid more than on paper
        (Side.BUY, "100", "99", "-1"),
        (Side.SELL, "100", "99", "1"),  # received less than on paper
        (Side.SELL, "100", "102.5", "-2.5"),
        (Side.BUY, "50000", "50000", "0"),
        (Side.SELL, "50000", "50000", "0"),
    ],
)
def test_positive_slippage_is_worse_for_us(
    side: Side, paper: str, broker: str, slippage: str
) -> None:
    estimate = slippage_pct(side, Decimal(paper), Decimal(broker))
    assert estimate == Decimal(slippage)
    assert not str(estimate).startswith("-0")


@pytest.mark.parametrize(
    ("paper", "broker"),
    [(None, Decimal(1)), (Decimal(1), None), (None, None), (Decimal(0), Decimal(1))],
)
def test_slippage_is_nan_unless_both_legs_filled(
    paper: Decimal | None, broker: Decimal | None
) -> None:
    assert slippage_pct(Side.BUY, paper, broker).is_nan()


prices = st.decimals("0.01", "1000000", places=2)


@given(prices, prices)
def test_what_is_worse_for_a_buyer_is_better_for_a_seller(paper: Decimal, broker: Decimal) -> None:
    bought, sold = (slippage_pct(side, paper, broker) for side in (Side.BUY, Side.SELL))
    assert bought == -sold
    assert (bought > 0) is (broker > paper)


ONE = fill("t1", 51, "1", "0.001")
ACCEPTED = [
    (OrderStatus.FILLED, (ONE,), Outcome.FILLED),
    (OrderStatus.NEW, (), Outcome.RESTING),
    (OrderStatus.PENDING_NEW, (), Outcome.RESTING),
    (OrderStatus.PARTIALLY_FILLED, (ONE,), Outcome.RESTING),
    (OrderStatus.PENDING_CANCEL, (), Outcome.RESTING),
    (OrderStatus.CANCELED, (), Outcome.CANCELLED),
    (OrderStatus.CANCELED, (ONE,), Outcome.PARTLY_FILLED),
    (OrderStatus.EXPIRED, (), Outcome.UNFILLED),
    (OrderStatus.EXPIRED, (ONE,), Outcome.PARTLY_FILLED),
    (OrderStatus.EXPIRED_IN_MATCH, (), Outcome.UNFILLED),
    (OrderStatus.EXPIRED_IN_MATCH, (ONE,), Outcome.PARTLY_FILLED),
    (OrderStatus.REJECTED, (), Outcome.REJECTED),
    (None, (), Outcome.RESTING),
]


@pytest.mark.parametrize(("status", "fills", "outcome"), ACCEPTED)
def test_what_an_accepted_order_came_to(
    status: OrderStatus | None, fills: tuple[Fill, ...], outcome: Outcome
) -> None:
    assert outcome_of(result_of(*fills, status=status)) is outcome


def test_every_status_of_the_venue_has_its_outcome() -> None:
    assert {status for status, _, _ in ACCEPTED} == {*OrderStatus, None}


@pytest.mark.parametrize(
    ("state", "code", "outcome"),
    [
        (OrderState.REJECTED, None, Outcome.REJECTED),
        (OrderState.NOT_SENT, "kill_switch", Outcome.NOT_SENT),
        (OrderState.NOT_SENT, ABSENT, Outcome.ABSENT),
        (OrderState.UNKNOWN, None, Outcome.UNKNOWN),
    ],
)
def test_what_an_order_that_was_not_accepted_came_to(
    state: OrderState, code: str | None, outcome: Outcome
) -> None:
    assert outcome_of(result_of(state=state, status=None, code=code)) is outcome


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("outcome", Outcome)
def test_there_is_more_to_learn_of_what_rests_and_in_live_of_what_is_unknown(
    outcome: Outcome, mode: Mode
) -> None:
    asked_for = outcome is Outcome.UNKNOWN and mode is Mode.LIVE
    assert is_terminal(outcome, mode) is not (asked_for or outcome is Outcome.RESTING)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (PaperStatus.FILLED, Outcome.FILLED),
        (PaperStatus.PARTLY_FILLED, Outcome.PARTLY_FILLED),
        (PaperStatus.UNFILLED, Outcome.UNFILLED),
        (PaperStatus.RESTING, Outcome.RESTING),
        (PaperStatus.CANCELLED, Outcome.CANCELLED),
        (PaperStatus.INSUFFICIENT_BALANCE, Outcome.UNFILLED),
    ],
)
def test_what_the_paper_leg_alone_came_to(status: PaperStatus, outcome: Outcome) -> None:
    assert paper_outcome(SimulatedFill(status)) is outcome


def test_the_row_sets_both_legs_side_by_side() -> None:
    # Paper: 2 BTC for 100, so 50 each. Broker: 1 at 51 and 1 at 53, so 52 each, 4 % worse.
    result = result_of(
        ONE,
        fill("t2", 53, "1", "0.003"),
        fill("t3", 0, "0", "0.5", "BNB"),
        stages_ns={Stage.SIGN_TO_ACK: 12_500_000},
    )
    row = compare(intent_for(), result, Mode.LIVE, NOON, stages_ns={Stage.JUDGE: 40_000})
    assert (row.decision_id, row.source, row.symbol) == ("42", "patron", "BTC-USDT")
    assert row.qty == 2
    assert row.requested_qty == Decimal("2.004")
    assert (row.outcome, row.terminal, row.mode) == (Outcome.FILLED, True, "live")
    assert row.paper_status is PaperStatus.FILLED
    assert row.paper_qty == 2
    assert row.paper_fill_price == 50
    assert (row.paper_fee, row.paper_fee_asset) == (Decimal("0.002"), "BTC")
    assert (row.broker_ok, row.broker_order_id) == (True, "28")
    assert row.broker_qty == 2
    assert row.broker_fill_price == 52
    assert row.broker_fees == {"BTC": Decimal("0.004"), "BNB": Decimal("0.5")}
    assert (row.broker_ack_time, row.latency_ms) == (NOON, 12.5)
    assert row.slippage_estimate == 4
    assert row.stages_ns == {"judge": 40_000, "sign_to_ack": 12_500_000}


def test_where_nothing_filled_or_was_sent_the_figures_are_nan() -> None:
    result = result_of(state=OrderState.NOT_SENT, status=None)
    row = compare(intent_for(paper=None), result, Mode.LIVE, NOON)
    assert row.paper_status is None
    assert row.broker_ack_time is None
    assert row.paper_fill_price.is_nan()
    assert row.broker_fill_price.is_nan()
    assert row.slippage_estimate.is_nan()
    assert math.isnan(row.latency_ms)


def test_a_later_row_keeps_what_only_the_first_acknowledgement_told() -> None:
    first = compare(
        intent_for(),
        result_of(status=OrderStatus.NEW, stages_ns={Stage.SIGN_TO_ACK: 5_000_000}),
        Mode.LIVE,
        NOON,
    )
    later = NOON + timedelta(seconds=9)
    row = compare(intent_for(), result_of(ONE), Mode.LIVE, later, before=first)
    assert (first.outcome, first.terminal) == (Outcome.RESTING, False)
    assert (row.outcome, row.terminal) == (Outcome.FILLED, True)
    assert (row.broker_ack_time, row.latency_ms, row.recorded_at) == (NOON, 5.0, later)


def test_an_unknown_order_has_no_acknowledgement_until_it_is_found() -> None:
    unknown = result_of(state=OrderState.UNKNOWN, status=None)
    first = compare(intent_for(), unknown, Mode.LIVE, NOON)
    assert (first.broker_ok, first.broker_ack_time) == (False, None)
    later = NOON + timedelta(seconds=9)
    row = compare(intent_for(), result_of(ONE), Mode.LIVE, later, before=first)
    assert row.broker_ack_time == later


def test_a_row_without_a_paper_leg_stays_as_it_is() -> None:
    row = TradeExecutionLog("42", "BTC-USDT", Side.BUY, Decimal(1), Outcome.DENIED)
    assert with_paper(row, None) is row
