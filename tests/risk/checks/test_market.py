"""What the market would make of an order."""

from dataclasses import replace

from otonom_trader.domain.market import Walk
from otonom_trader.domain.order import Side
from tests.risk.samples import BOOK, BUY, EVERY, GUIDE, D, denied, verdict_of

NOTHING = Walk(D(0), D(0), None, ())


def test_expected_slippage_is_what_the_book_would_make_of_the_order() -> None:
    # 1 BTC at 50000 and the rest at 51000, or at 49000.
    for side in Side:
        order = replace(BUY, side=side, qty=D("1.0001"), walk=BOOK.walk(side, D("1.0001")))
        verdict = verdict_of("max_expected_slippage_pct", order)
        assert (verdict.allowed, verdict.limit, verdict.value_text) == (True, "2.0", "0.1")
        tight = replace(GUIDE, max_expected_slippage_pct=D("0.0001"))
        assert verdict_of("max_expected_slippage_pct", order, limits=tight) == denied(
            "max_expected_slippage_pct", "Expected slippage 0.1% exceeds max 0.0%", "0.0", "0.1"
        )


def test_what_takes_nothing_at_once_slips_nowhere() -> None:
    passive = replace(BUY, limit_price=D(40000), walk=NOTHING)
    assert verdict_of("max_expected_slippage_pct", passive).value_text == "0.0"


def test_a_limit_beyond_which_the_book_is_not_needed_is_judged_on_what_it_takes() -> None:
    order = replace(BUY, qty=D(99), limit_price=D(50000), walk=BOOK.walk(Side.BUY, D(99), D(50000)))
    assert verdict_of("max_expected_slippage_pct", order).value_text == "0.0"


def test_a_market_order_larger_than_the_book_cannot_be_told() -> None:
    order = replace(BUY, qty=D("10.1"), walk=BOOK.walk(Side.BUY, D("10.1")))
    assert verdict_of("max_expected_slippage_pct", order) == denied(
        "max_expected_slippage_pct",
        "Expected slippage cannot be told: the book of BTC-USDT is too thin",
        "2.0",
    )


def test_without_a_book_slippage_and_spread_cannot_be_told() -> None:
    assert verdict_of("max_expected_slippage_pct", replace(BUY, walk=None)) == denied(
        "max_expected_slippage_pct", "Expected slippage cannot be told: no book of BTC-USDT"
    )
    assert verdict_of("max_spread_pct", replace(BUY, bid=None), limits=EVERY) == denied(
        "max_spread_pct", "No spread can be told for BTC-USDT"
    )


def test_a_wide_spread_denies() -> None:
    assert (
        verdict_of("max_spread_pct", replace(BUY, ask=D(50250)), limits=EVERY).value_text == "0.5"
    )
    wide = replace(BUY, bid=D(49500), ask=D(50500))
    assert verdict_of("max_spread_pct", wide, limits=EVERY) == denied(
        "max_spread_pct", "Spread 2.0% exceeds max 0.5%", "0.5", "2.0"
    )


def test_a_crossed_book_has_no_spread() -> None:
    crossed = replace(BUY, ask=D(49999))
    assert not verdict_of("max_spread_pct", crossed, limits=EVERY).allowed
