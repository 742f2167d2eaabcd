"""An order's life: the news of it in any order, and any number of times, come to the same."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.order import Fill, OrderResult, OrderState, OrderStatus, Side
from otonom_trader.domain.order_life import has_all_fills, merge

D = Decimal
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
QTY = D(10)


@dataclass(frozen=True)
class Life:
    """What the venue tells of one order, in the order in which it happens, and how it ends."""

    news: tuple[OrderResult, ...]
    end: OrderResult


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """An order is placed, filled in steps, and is filled, cancelled or expires."""
    steps = draw(st.lists(st.integers(1, 4), max_size=4).filter(lambda qtys: sum(qtys) <= QTY))
    known = OrderResult(
        OrderState.ACCEPTED,
        symbol="BTCUSDT",
        side=Side.BUY,
        order_id="7",
        client_order_id="mine",
        status=OrderStatus.NEW,
        qty=QTY,
    )
    news = [OrderResult(OrderState.UNKNOWN, message="OUTCOME UNKNOWN, do not resend: lost"), known]
    fills: list[Fill] = []
    for number, step in enumerate(steps, 1):
        at = NOON + timedelta(seconds=number)
        price = D(100 + number)
        fill = Fill(str(number), price, D(step), price * step, D(0), "BTC", at)
        fills.append(fill)
        filled = known.filled_qty + fill.qty
        known = replace(
            known,
            status=OrderStatus.FILLED if filled == QTY else OrderStatus.PARTIALLY_FILLED,
            filled_qty=filled,
            quote_qty=known.quote_qty + fill.quote_qty,
            fills=(fill,),
            transact_time=at,
        )
        news.append(known)
        if draw(st.booleans()):  # a query, which tells all fills so far
            news.append(replace(known, fills=tuple(fills)))
    if known.status is not OrderStatus.FILLED:
        status = draw(st.sampled_from([OrderStatus.CANCELED, OrderStatus.EXPIRED]))
        known = replace(known, status=status, fills=())
        news.append(known)
    return Life(tuple(news), replace(known, fills=tuple(fills)))


def facts(order: OrderResult) -> tuple[object, ...]:
    return (
        order.state,
        order.status,
        order.order_id,
        order.client_order_id,
        order.qty,
        order.filled_qty,
        order.quote_qty,
        order.fills,
    )


@given(lives(), st.data())
def test_any_permutation_and_repetition_of_a_life_ends_in_the_same(
    life: Life, data: st.DataObject
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(life.news), max_size=6))
    news = data.draw(st.permutations([*life.news, *repeated]))
    order = reduce(merge, news)
    assert facts(order) == facts(life.end)
    assert has_all_fills(order)


@given(lives(), st.data())
def test_what_is_known_only_grows(life: Life, data: st.DataObject) -> None:
    known = OrderResult(OrderState.UNKNOWN)
    for told in data.draw(st.permutations(life.news)):
        grown = merge(known, told)
        assert grown.filled_qty >= known.filled_qty
        assert set(grown.fills) >= set(known.fills)
        assert not (known.status and known.status.terminal) or grown.status is not None
        assert known.state is not OrderState.ACCEPTED or grown.state is OrderState.ACCEPTED
        known = grown


@given(lives(), st.data())
def test_a_fill_that_was_missed_is_noticed(life: Life, data: st.DataObject) -> None:
    with_fills = [one for one in life.news if one.fills]
    if not with_fills:
        return
    missed = data.draw(st.sampled_from(with_fills)).fills[-1]
    heard = [replace(one, fills=tuple({*one.fills} - {missed})) for one in life.news]
    assert not has_all_fills(reduce(merge, heard))


def test_an_order_that_was_asked_for_in_vain_is_not_unknown_any_more() -> None:
    lost = OrderResult(OrderState.UNKNOWN, message="OUTCOME UNKNOWN, do not resend: lost")
    absent = OrderResult(OrderState.NOT_SENT, message="never there", code="absent")
    assert merge(lost, absent).state is OrderState.NOT_SENT
    assert merge(lost, absent).code == "absent"
