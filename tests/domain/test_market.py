"""Books: what an order meets in one."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.market import Book, Level, MarketSnapshot
from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol

BTC = Symbol("BTC", "USDT")
BOOK = Book(
    bids=(Level(Decimal(99), Decimal(1)), Level(Decimal(98), Decimal(2))),
    asks=(Level(Decimal(101), Decimal(1)), Level(Decimal(103), Decimal(2))),
)

quantities = st.decimals("0.001", "100", places=3)
prices = st.decimals("0.01", "1000", places=2)


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Sorted as a venue sends them: bids falling, asks rising, never crossing."""
    ladder = sorted(draw(st.lists(prices, unique=True, max_size=12)))
    split = draw(st.integers(0, len(ladder)))
    levels = [Level(price, draw(quantities)) for price in ladder]
    return Book(tuple(reversed(levels[:split])), tuple(levels[split:]))


def test_a_buy_takes_the_asks_from_the_best_up() -> None:
    walk = BOOK.walk(Side.BUY, Decimal(2))
    assert walk.qty == 2
    assert walk.quote_qty == 204
    assert walk.worst_price == 103
    assert walk.avg_price == 102
    assert walk.levels == (Level(Decimal(101), Decimal(1)), Level(Decimal(103), Decimal(1)))


def test_a_sell_takes_the_bids_from_the_best_down() -> None:
    walk = BOOK.walk(Side.SELL, Decimal("1.5"))
    assert walk.qty == Decimal("1.5")
    assert walk.quote_qty == 148
    assert walk.worst_price == 98


def test_a_limit_price_is_met_but_not_passed() -> None:
    assert BOOK.walk(Side.BUY, Decimal(9), Decimal(101)).qty == 1
    assert BOOK.walk(Side.BUY, Decimal(9), Decimal("100.99")).qty == 0
    assert BOOK.walk(Side.SELL, Decimal(9), Decimal(98)).qty == 3
    assert BOOK.walk(Side.SELL, Decimal(9), Decimal("98.01")).qty == 1


def test_what_the_book_does_not_hold_does_not_fill() -> None:
    assert BOOK.walk(Side.BUY, Decimal(100)).qty == 3
    nothing = Book((), ()).walk(Side.BUY, Decimal(1))
    assert nothing.qty == 0
    assert nothing.avg_price is None
    assert nothing.worst_price is None


@given(books(), st.sampled_from(Side), quantities, st.none() | prices)
def test_a_walk_never_goes_beyond_its_quantity_its_limit_or_the_book(
    book: Book, side: Side, qty: Decimal, limit: Decimal | None
) -> None:
    walk = book.walk(side, qty, limit)
    assert walk.qty == sum(level.qty for level in walk.levels) <= qty
    assert walk.quote_qty == sum(level.qty * level.price for level in walk.levels)
    available = book.opposite(side)
    for taken, there in zip(walk.levels, available, strict=False):
        assert taken.price == there.price
        assert 0 < taken.qty <= there.qty
        if limit is not None:
            assert (taken.price - limit) * side.sign <= 0
    reachable = sum(
        level.qty for level in available if limit is None or (level.price - limit) * side.sign <= 0
    )
    assert walk.qty == min(qty, reachable)


@given(books(), st.sampled_from(Side), quantities, quantities)
def test_a_larger_order_never_fills_less_nor_at_a_better_price(
    book: Book, side: Side, one: Decimal, other: Decimal
) -> None:
    small, large = (book.walk(side, qty) for qty in sorted((one, other)))
    assert small.qty <= large.qty
    assert small.quote_qty <= large.quote_qty
    if small.avg_price is not None and large.avg_price is not None:
        # Averages are rounded to 28 digits, which may differ in the last one.
        assert (large.avg_price - small.avg_price) * side.sign >= Decimal("-1e-20")


def test_reference_and_mark_are_best_opposite_quote_and_mid() -> None:
    market = MarketSnapshot(BTC, BOOK, datetime(2026, 7, 1, tzinfo=UTC), 0)
    assert market.reference(Side.BUY) == 101
    assert market.reference(Side.SELL) == 99
    assert market.mark == 100


@pytest.mark.parametrize("book", [Book((), BOOK.asks), Book(BOOK.bids, ()), Book((), ())])
def test_a_book_with_an_empty_side_has_no_mark(book: Book) -> None:
    market = MarketSnapshot(BTC, book, datetime(2026, 7, 1, tzinfo=UTC), 0)
    assert market.mark is None
    assert book.quote is None
    assert (market.reference(Side.BUY) is None) is not bool(book.asks)
