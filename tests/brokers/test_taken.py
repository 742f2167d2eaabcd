"""What simulated orders have taken of a book that does not know of them."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.taken import TakenLiquidity
from otonom_trader.domain.market import Book, Level, MarketSnapshot
from otonom_trader.domain.order import Side
from otonom_trader.domain.resting import Leg
from otonom_trader.domain.symbol import Symbol

D = Decimal
BTC = Symbol("BTC", "USDT")


def showing(*asks: tuple[int, int]) -> MarketSnapshot:
    levels = tuple(Level(D(price), D(qty)) for price, qty in asks)
    return MarketSnapshot(BTC, Book((), levels), datetime(2026, 7, 1, tzinfo=UTC), 0)


def left(taken: TakenLiquidity, market: MarketSnapshot, leg: Leg = Leg.PAPER) -> list[Level]:
    return list(taken.left_of(market, leg, Side.BUY).asks)


def test_what_was_taken_is_not_there_again_while_its_level_stands() -> None:
    taken = TakenLiquidity()
    taken.add(Leg.PAPER, BTC, Side.BUY, [Level(D(100), D(2)), Level(D(101), D(1))])
    assert left(taken, showing((100, 2), (101, 3))) == [Level(D(101), D(2))]


def test_a_level_that_was_gone_is_new_when_it_comes_back() -> None:
    taken = TakenLiquidity()
    taken.add(Leg.PAPER, BTC, Side.BUY, [Level(D(100), D(2))])
    assert left(taken, showing((101, 1))) == [Level(D(101), D(1))]
    assert left(taken, showing((100, 2))) == [Level(D(100), D(2))]


def test_what_comes_to_a_level_anew_may_be_taken() -> None:
    taken = TakenLiquidity()
    taken.add(Leg.PAPER, BTC, Side.BUY, [Level(D(100), D(2))])
    assert left(taken, showing((100, 1))) == []
    assert left(taken, showing((100, 4))) == [Level(D(100), D(3))]


def test_each_leg_is_a_world_of_its_own() -> None:
    taken = TakenLiquidity()
    taken.add(Leg.PAPER, BTC, Side.BUY, [Level(D(100), D(2))])
    assert left(taken, showing((100, 2)), Leg.EXPECTED) == [Level(D(100), D(2))]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=20))
def test_no_more_is_taken_than_ever_stood_there(steps: list[tuple[int, int]]) -> None:
    """Whoever takes all that is left each time gets the first quantity and each increase."""
    taken, got, came, before = TakenLiquidity(), D(0), 0, 0
    for qty, _ in steps:
        came += max(qty - before, 0)
        before = qty
        levels = left(taken, showing((100, qty)))
        got += sum((level.qty for level in levels), D(0))
        taken.add(Leg.PAPER, BTC, Side.BUY, levels)
    assert got == came
