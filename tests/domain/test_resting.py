"""Orders that rest in a simulation, and what a book makes of them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.execution import PaperStatus, SimulatedFill
from otonom_trader.domain.market import Book, Level
from otonom_trader.domain.order import OrderRequest, Side
from otonom_trader.domain.resting import Leg, RestingOrder, meet
from otonom_trader.domain.symbol import Symbol

D = Decimal


def resting(order: OrderRequest, fee_pct: str = "0") -> RestingOrder:
    return RestingOrder(
        decision=DecisionKey("patron", "1"),
        leg=Leg.PAPER,
        ledger="paper",
        symbol=Symbol("BTC", "USDT"),
        order=order,
        fee_pct=D(fee_pct),
        so_far=SimulatedFill(PaperStatus.RESTING),
        decides=True,
    )


def limit(side: str, qty: str, price: int) -> RestingOrder:
    return resting(OrderRequest("BTCUSDT", side, qty, price, "LIMIT"))


def stop(side: str, kind: str, **terms: Any) -> RestingOrder:
    return resting(OrderRequest("BTCUSDT", side, 2, order_type=kind, **terms))


def book(bid: int, ask: int, qty: int = 1) -> Book:
    deeper = 5
    return Book(
        (Level(D(bid), D(qty)), Level(D(bid - deeper), D(9))),
        (Level(D(ask), D(qty)), Level(D(ask + deeper), D(9))),
    )


def met(waiting: RestingOrder, *books: Book) -> RestingOrder:
    for each in books:
        waiting, _ = meet(waiting, each)
    return waiting


def test_a_limit_waits_while_the_market_is_away() -> None:
    waiting = limit("BUY", "1", 99)
    assert met(waiting, book(98, 100)) == waiting


def test_a_limit_fills_at_its_own_price_when_the_market_crosses_it() -> None:
    for waiting, crossed in ((limit("BUY", "1", 99), book(90, 95)),
                             (limit("SELL", "1", 105), book(110, 112))):  # fmt: skip
        after = met(waiting, crossed)
        assert after.so_far.status is PaperStatus.FILLED
        assert after.so_far.avg_price == waiting.order.price


def test_a_limit_fills_no_further_than_what_stands_at_its_price_or_beyond() -> None:
    waiting = limit("BUY", "3", 99)
    after = met(waiting, book(90, 99))
    assert (after.so_far.status, after.left) == (PaperStatus.RESTING, D(2))
    assert after.locked == ("USDT", D(198))
    assert met(after, book(90, 99), book(90, 99)).so_far.status is PaperStatus.FILLED


def test_the_fee_is_taken_from_what_is_received() -> None:
    bought = replace(limit("BUY", "1", 100), fee_pct=D("0.1"))
    assert met(bought, book(90, 100)).so_far.fee == D("0.001")
    sold = replace(limit("SELL", "1", 100), fee_pct=D("0.1"))
    fill = met(sold, book(100, 110)).so_far
    assert (fill.fee, fill.fee_asset) == (D("0.1"), "USDT")


@pytest.mark.parametrize(
    ("side", "kind", "before", "after"),
    [
        ("SELL", "STOP_LOSS", book(96, 98), book(93, 95)),
        ("BUY", "TAKE_PROFIT", book(96, 98), book(93, 95)),
        ("BUY", "STOP_LOSS", book(92, 94), book(94, 98)),
        ("SELL", "TAKE_PROFIT", book(92, 94), book(94, 98)),
    ],
)
def test_a_stop_waits_for_its_price_and_then_takes_what_there_is(
    side: str, kind: str, before: Book, after: Book
) -> None:
    waiting = met(stop(side, kind, stop_price=95), before)
    assert not waiting.is_triggered
    done = met(waiting, after)
    assert done.so_far.status is PaperStatus.FILLED
    walk = after.walk(Side(side), D(2))
    assert (done.so_far.qty, done.so_far.quote_qty) == (walk.qty, walk.quote_qty)


def test_a_stop_at_market_that_finds_too_little_ends_with_what_it_got() -> None:
    thin = Book((Level(D(90), D(1)),), (Level(D(91), D(1)),))
    done = met(stop("SELL", "STOP_LOSS", stop_price=95), thin)
    assert (done.so_far.status, done.so_far.qty) == (PaperStatus.PARTLY_FILLED, D(1))
    empty = Book((Level(D(90), D(1)),), ())
    assert met(stop("SELL", "STOP_LOSS", stop_price=95), empty).so_far.status is PaperStatus.RESTING


def test_a_stop_limit_that_is_left_behind_rests_and_fills_at_its_limit_later() -> None:
    waiting = stop("SELL", "STOP_LOSS_LIMIT", stop_price=95, price=94)
    left_behind = met(waiting, book(90, 92))
    assert (left_behind.is_triggered, left_behind.so_far.qty) == (True, D(0))
    later = met(left_behind, book(96, 97, qty=2))
    assert (later.so_far.status, later.so_far.avg_price) == (PaperStatus.FILLED, D(94))


def test_a_trailing_stop_follows_the_best_price_and_goes_when_it_turns() -> None:
    waiting = met(stop("SELL", "STOP_LOSS", trailing_delta_bps=500), book(99, 101), book(119, 121))
    assert (waiting.best_price, waiting.is_triggered) == (D(120), False)
    assert not met(waiting, book(114, 116)).is_triggered
    assert met(waiting, book(113, 115)).is_triggered  # 114 is 5 % below 120


def test_a_trailing_stop_with_a_price_begins_to_follow_there() -> None:
    waiting = stop("SELL", "TAKE_PROFIT", stop_price=110, trailing_delta_bps=100)
    assert met(waiting, book(99, 101), book(90, 92)).best_price is None
    assert met(waiting, book(109, 111)).best_price == 110


def test_an_order_that_is_ended_keeps_what_it_got() -> None:
    some = met(limit("BUY", "3", 99), book(90, 99))
    assert some.ended(PaperStatus.CANCELLED).so_far.status is PaperStatus.PARTLY_FILLED
    none = limit("BUY", "3", 99).ended(PaperStatus.CANCELLED)
    assert (none.so_far.status, none.has_ended) == (PaperStatus.CANCELLED, True)


prices = st.integers(90, 110)
books = st.builds(
    lambda bid, spread, qty: book(bid, bid + spread, qty),
    prices,
    st.integers(1, 5),
    st.integers(1, 3),
)


@given(
    st.sampled_from(Side),
    prices,
    st.sampled_from(["LIMIT", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT"]),
    st.lists(books, max_size=12),
)
def test_whatever_the_market_does_no_order_overfills_or_crosses_its_limit(
    side: Side, price: int, kind: str, seen: list[Book]
) -> None:
    terms: dict[str, Any] = {"stop_price": 100} if "STOP" in kind or "TAKE" in kind else {}
    limit_price = price if "LIMIT" in kind else None
    waiting = resting(OrderRequest("BTCUSDT", side, 5, limit_price, kind, **terms))
    for each in seen:
        before, (waiting, walk) = waiting, meet(waiting, each)
        assert before.so_far.qty <= waiting.so_far.qty <= 5
        assert walk.qty == waiting.so_far.qty - before.so_far.qty
        if waiting.so_far.avg_price is not None and limit_price is not None:
            assert side.sign * (waiting.so_far.avg_price - limit_price) <= 0
        assert (waiting.so_far.status is PaperStatus.FILLED) is (waiting.left == 0)
        if waiting.has_ended:
            break


def pair_of(side: str, price: int, stop_price: int) -> RestingOrder:
    return resting(OrderRequest("BTCUSDT", side, 2, price, "OCO", stop_price=stop_price))


def test_a_pair_takes_its_profit_at_its_limit() -> None:
    done = met(pair_of("SELL", 110, 90), book(99, 101), book(111, 113, qty=2))
    assert (done.so_far.status, done.so_far.avg_price) == (PaperStatus.FILLED, D(110))


def test_a_pair_stops_its_loss_at_market() -> None:
    for waiting, crash in ((pair_of("SELL", 110, 90), book(80, 82, qty=2)),
                           (pair_of("BUY", 90, 110), book(118, 120, qty=2))):  # fmt: skip
        done = met(waiting, book(99, 101), crash)
        walk = crash.walk(waiting.order.side, D(2))
        assert (done.so_far.status, done.so_far.quote_qty) == (PaperStatus.FILLED, walk.quote_qty)


def test_a_pair_whose_limit_has_begun_to_fill_has_no_stop_any_more() -> None:
    begun = met(pair_of("SELL", 110, 90), book(110, 112))
    assert begun.so_far.qty == 1
    assert met(begun, book(80, 82)) == begun


def test_a_pair_sets_aside_what_its_stop_may_cost() -> None:
    assert pair_of("BUY", 90, 110).locked == ("USDT", D(220))
