"""Bars from a file, made-up bars, and the trades that play one."""

from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otonom_trader.testnet.amounts import SCALE, parse_amount
from otonom_trader.testnet.bars import Bar, check_bars, play, read_bars, synthetic_bars

HEADER = "open_time_ms,open,high,low,close,volume_base\n"
TICK, STEP = SCALE // 100, SCALE // 100_000


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "bars.csv"
        path.write_text(text)
        return path

    return write


def test_a_file_of_bars_is_read_in_its_order(file: Callable[[str], Path]) -> None:
    path = file(HEADER + "60000,10,12.5,9,11,100.5\n120000,11,11,11,11,0\n")
    assert list(read_bars(path)) == [
        Bar(*(parse_amount(text) for text in ("10", "12.5", "9", "11", "100.5"))),
        Bar(*(parse_amount(text) for text in ("11", "11", "11", "11", "0"))),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a,b\n1,2\n", "the first line must name the columns"),
        (HEADER, "the file has no bars"),
        (HEADER + "60000,10,12,9,x,1\n", "line 2: 'x' is not a plain decimal"),
        (HEADER + "60000,10,12,9,11\n", "line 2: '' is not a plain decimal"),
        (HEADER + "60000,10,12,9,nan,1\n", "line 2: 'nan' is not a plain decimal"),
        (HEADER + "60000,10,12,9,11,-1\n", "line 2: '-1' is not a plain decimal"),
        (HEADER + "60000,10,10.5,9,11,1\n", "line 2: open, high, low and close do not fit"),
        (HEADER + "60000,0,0,0,0,1\n", "line 2: open, high, low and close do not fit"),
        (
            HEADER + "60000,1,1,1,1,1\n60000,1,1,1,1,1\n",
            "line 3: open_time_ms does not increase",
        ),
        (
            HEADER + "60000,1,1,1,1,1\n180000,1,1,1,1,1\n",
            "line 3: the bar is not of the minute after .*, which is open_time_ms 120000",
        ),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(
    file: Callable[[str], Path], text: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        check_bars(file(text))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.csv: No such file"):
        check_bars(tmp_path / "none.csv")


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low = draw(st.integers(1, 10**7))
    high = low + draw(st.integers(0, 10**5))
    prices = st.integers(low, high)
    volume = draw(st.one_of(st.just(0), st.integers(4, 100), st.integers(4 * STEP, 10**6 * STEP)))
    return Bar(draw(prices) * TICK, high * TICK, low * TICK, draw(prices) * TICK, volume)


@settings(deadline=None)
@given(bars(), st.integers(4, 120), st.integers())
def test_the_trades_of_a_bar_make_up_the_bar(bar: Bar, parts: int, seed: int) -> None:
    path = play(bar, parts, Random(seed), TICK, STEP)  # noqa: S311
    assert sum(step.qty for step in path) == bar.volume
    assert all(step.qty > 0 for step in path)
    assert [step.part for step in path] == sorted({step.part for step in path})
    assert all(0 <= step.part < step.parts == parts for step in path)
    if bar.volume >= parts:
        prices = [step.price for step in path]
        shown = (prices[0], max(prices), min(prices), prices[-1])
        assert shown == (bar.open, bar.high, bar.low, bar.close)
        assert all(price % TICK == 0 for price in prices)
    if bar.volume >= parts * STEP and bar.volume % STEP == 0:
        assert all(step.qty % STEP == 0 for step in path)


@settings(deadline=None)
@given(st.integers(), st.sampled_from([60_000, 3_000, 1]))
def test_made_up_bars_follow_on_each_other_from_the_seed(seed: int, price: int) -> None:
    def drawn() -> list[Bar]:
        random = Random(seed)  # noqa: S311
        return list(islice(synthetic_bars(random, price * SCALE, TICK, STEP), 30))

    first, second = drawn(), drawn()
    assert first == second
    assert first[0].open == price * SCALE
    for bar, following in pairwise(first):
        assert following.open == bar.close
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.volume > 0
        assert bar.volume % STEP == 0
