"""Size: from a decision and what is owned to an order the venue takes."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.daemon.sizing import Means, Sized, SizingRules, size
from otonom_trader.domain.amount import is_multiple
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.market import (
    Book,
    Instrument,
    Level,
    MarketSnapshot,
    PriceLimits,
    PriceRange,
)
from otonom_trader.domain.order import OrderType, TimeInForce
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.verdict import Verdict

BTC = Symbol("BTC", "USDT")
INSTRUMENT = Instrument(
    BTC,
    "BTCUSDT",
    tradable=True,
    qty_step=Decimal("0.001"),
    min_qty=Decimal("0.001"),
    max_qty=Decimal(9000),
    price_tick=Decimal("0.1"),
    min_notional=Decimal(5),
)
MARKET = MarketSnapshot(
    BTC,
    Book((Level(Decimal(49990), Decimal(1)),), (Level(Decimal(50010), Decimal(1)),)),
    datetime(2026, 7, 1, tzinfo=UTC),
    0,
)
MEANS = Means(equity=Decimal(100000), sellable=Decimal("0.5"), rate=Decimal(1))
BUY = Decision("d", "BTC-USDT", Direction.BUY, strength=Decimal(1))
SELL = replace(BUY, direction=Direction.SELL)


RULES = SizingRules()


def sized(decision: Decision, means: Means = MEANS, rules: SizingRules = RULES) -> Sized:
    answer = size(decision, INSTRUMENT, MARKET, means, rules, "id")
    assert isinstance(answer, Sized), answer
    return answer


def refused(decision: Decision, means: Means = MEANS) -> Verdict:
    answer = size(decision, INSTRUMENT, MARKET, means, RULES, "id")
    assert isinstance(answer, Verdict), answer
    assert not answer.allowed
    return answer


def test_strength_risks_its_share_of_one_percent_of_equity_rounded_down_to_the_step() -> None:
    # 100,000 x 1 % x 1 / 50,010 = 0.019996..., on a step of 0.001: 0.019
    order = sized(BUY)
    assert order.order.qty == Decimal("0.019")
    assert order.requested_qty == Decimal("0.019996000799")
    half = sized(replace(BUY, strength=Decimal("0.5")))
    assert half.order.qty == Decimal("0.009")


def test_equity_in_another_currency_goes_through_the_rate() -> None:
    # 100,000 EUR at 1.25 EUR per USDT buys the same as 80,000 USDT: 800 / 50,010 = 0.0159...
    assert sized(BUY, replace(MEANS, rate=Decimal("1.25"))).order.qty == Decimal("0.015")


def test_a_notional_is_divided_by_the_best_opposite_quote() -> None:
    decision = replace(BUY, strength=None, notional=Decimal(1000))
    assert sized(decision).order.qty == Decimal("0.019")


def test_a_quantity_given_by_hand_is_taken_as_it_is() -> None:
    assert sized(replace(BUY, qty=Decimal("0.123"))).order.qty == Decimal("0.123")


def test_a_quantity_given_by_hand_off_the_step_is_refused_with_the_steps_value() -> None:
    verdict = refused(replace(BUY, qty=Decimal("0.0105")))
    assert verdict.code == "qty_step"
    assert verdict.message == "Quantity 0.0105 is off the step 0.001 of BTC-USDT"


def test_a_sell_is_clamped_to_the_holding() -> None:
    order = sized(replace(SELL, qty=Decimal(2)))
    assert order.order.qty == Decimal("0.5")
    assert order.requested_qty == 2


def test_a_sell_of_nothing_held_is_refused() -> None:
    verdict = refused(SELL, replace(MEANS, sellable=Decimal(0)))
    assert verdict.code == "min_qty"


def test_a_size_below_the_venues_minimum_is_refused() -> None:
    assert refused(replace(BUY, strength=Decimal("0.01"))).code == "min_qty"
    tiny = replace(INSTRUMENT, min_notional=Decimal(2000))
    answer = size(BUY, tiny, MARKET, MEANS, RULES, "id")
    assert isinstance(answer, Verdict)
    assert answer.code == "min_notional"


def test_without_equity_there_is_no_size_by_strength() -> None:
    for equity in (None, Decimal(0), Decimal("NaN")):
        assert refused(BUY, replace(MEANS, equity=equity)).code == "no_equity"
    assert refused(BUY, replace(MEANS, rate=None)).code == "no_equity"


def test_an_empty_opposite_side_has_no_size() -> None:
    empty = replace(MARKET, book=Book(MARKET.book.bids, ()))
    answer = size(BUY, INSTRUMENT, empty, MEANS, RULES, "id")
    assert isinstance(answer, Verdict)
    assert answer.code == "no_price"


def test_a_market_decision_goes_out_as_limit_ioc_at_the_collar() -> None:
    order = sized(BUY).order
    assert (order.order_type, order.time_in_force) == (OrderType.LIMIT, TimeInForce.IOC)
    assert order.limit_price == Decimal("50510.1")  # 50,010 x 1.01, on the tick
    assert sized(SELL).order.limit_price == Decimal("49490.1")  # 49,990 x 0.99


def test_plain_market_orders_carry_no_price() -> None:
    order = sized(BUY, rules=SizingRules(protected=False)).order
    assert (order.order_type, order.limit_price) == (OrderType.MARKET, None)


def test_a_price_makes_a_limit_good_till_cancelled_fitted_on_the_safe_side() -> None:
    buy = sized(replace(BUY, price=Decimal("49000.19"))).order
    sell = sized(replace(SELL, price=Decimal("51000.11"))).order
    assert (buy.order_type, buy.time_in_force) == (OrderType.LIMIT, TimeInForce.GTC)
    assert buy.limit_price == Decimal("49000.1")
    assert sell.limit_price == Decimal("51000.2")


@pytest.mark.parametrize(
    ("held", "message", "limit", "value"),
    [
        (
            "0.0025",
            "0.002 BTC are dust: 0.003 is the least to sell",
            "0.003",
            "0.002",
        ),
        (
            "0.0039",
            "0.003 BTC are dust: worth 148.4703 USDT, 150 USDT is the least to sell",
            "150",
            "148.4703",
        ),
    ],
)
def test_a_holding_too_small_to_be_sold_is_dust(
    held: str, message: str, limit: str, value: str
) -> None:
    coarse = replace(INSTRUMENT, min_qty=Decimal("0.003"), min_notional=Decimal(150))
    means = replace(MEANS, sellable=Decimal(held))
    for qty in (Decimal(1), Decimal("0.001")):
        verdict = size(replace(SELL, qty=qty), coarse, MARKET, means, RULES, "id")
        assert isinstance(verdict, Verdict)
        assert (verdict.code, verdict.message) == ("dust", message)
        assert (verdict.limit, verdict.value) == (limit, value)


def test_a_small_sell_of_a_large_holding_is_no_dust() -> None:
    tiny = replace(SELL, strength=Decimal("0.01"))
    assert refused(tiny).code == "min_qty"
    dear = replace(INSTRUMENT, min_notional=Decimal(2000))
    verdict = size(replace(SELL, qty=Decimal("0.01")), dear, MARKET, MEANS, RULES, "id")
    assert isinstance(verdict, Verdict)
    assert verdict.code == "min_notional"


def within(buy: PriceRange, sell: PriceRange) -> MarketSnapshot:
    return replace(MARKET, limits=PriceLimits(buy, sell))


def test_a_collar_is_drawn_in_to_the_prices_the_venue_takes() -> None:
    # 50,010 x 1.01 = 50,510.1 and 49,990 x 0.99 = 49,490.1 reach further; on the tick of 0.1.
    market = within(
        PriceRange(Decimal(1), Decimal("50100.19")), PriceRange(Decimal("49800.11"), Decimal(10**6))
    )
    for decision, limit in ((BUY, "50100.1"), (SELL, "49800.2")):
        answer = size(decision, INSTRUMENT, market, MEANS, RULES, "id")
        assert isinstance(answer, Sized)
        assert answer.order.limit_price == Decimal(limit)


def test_a_collar_is_never_moved_outwards_nor_a_price_by_hand_at_all() -> None:
    market = within(
        PriceRange(Decimal(60000), Decimal(70000)), PriceRange(Decimal(1), Decimal(40000))
    )
    for decision in (BUY, SELL):
        answer = size(decision, INSTRUMENT, market, MEANS, RULES, "id")
        assert isinstance(answer, Sized)
        assert answer.order.limit_price == sized(decision).order.limit_price
    tight = within(PriceRange(high=Decimal(100)), PriceRange(low=Decimal(10**6)))
    by_hand = size(replace(BUY, price=Decimal(49000)), INSTRUMENT, tight, MEANS, RULES, "id")
    assert isinstance(by_hand, Sized)
    assert by_hand.order.limit_price == 49000


@given(
    low=st.none() | st.decimals(1, 10**5, places=2),
    high=st.none() | st.decimals(1, 10**5, places=2),
    collar=st.decimals(Decimal("0.1"), 50, places=1),
    decision=st.sampled_from([BUY, SELL]),
)
def test_whatever_the_venue_takes_a_collar_only_draws_nearer(
    low: Decimal | None, high: Decimal | None, collar: Decimal, decision: Decision
) -> None:
    rules = SizingRules(collar_pct=collar)
    free = sized(decision, rules=rules).order.limit_price
    taken = PriceRange(low, high)
    answer = size(decision, INSTRUMENT, within(taken, taken), MEANS, rules, "id")
    assert free is not None
    if isinstance(answer, Verdict):  # drawn in so far that hardly anything is left of it
        assert answer.code in ("min_notional", "price_tick")
        return
    limit = answer.order.limit_price
    assert limit is not None
    assert is_multiple(limit, INSTRUMENT.price_tick)
    if decision is BUY:
        assert limit <= free
        assert high is None or limit <= high
    else:
        assert limit >= free
        assert low is None or limit >= low


def test_a_price_below_the_tick_is_refused() -> None:
    verdict = refused(replace(BUY, price=Decimal("0.09"), qty=Decimal(1)))
    assert verdict.code == "price_tick"
    assert verdict.message == "No price below the tick 0.1 of BTC-USDT"


@given(
    strength=st.decimals(Decimal("0.001"), 1, places=3),
    equity=st.decimals(1, 10**7, places=2),
    side=st.sampled_from([BUY, SELL]),
)
def test_no_size_is_off_the_step_above_what_was_asked_or_above_the_holding(
    strength: Decimal, equity: Decimal, side: Decision
) -> None:
    decision = replace(side, strength=strength)
    answer = size(decision, INSTRUMENT, MARKET, replace(MEANS, equity=equity), RULES, "id")
    if isinstance(answer, Verdict):
        return
    assert is_multiple(answer.order.qty, INSTRUMENT.qty_step)
    assert INSTRUMENT.min_qty <= answer.order.qty <= answer.requested_qty
    if decision.direction is Direction.SELL:
        assert answer.order.qty <= MEANS.sellable


STOP = replace(SELL, qty=Decimal("0.1"), strength=None, order_type=OrderType.STOP_LOSS)


def test_a_stop_waits_at_its_price_and_has_no_limit_of_its_own() -> None:
    order = sized(replace(STOP, stop_price=Decimal(48000))).order
    assert order.order_type is OrderType.STOP_LOSS
    assert order.stop_price == 48000
    assert (order.limit_price, order.time_in_force) == (None, None)


@pytest.mark.parametrize(
    ("side", "kind", "asked", "fit"),
    [
        ("SELL", "STOP_LOSS", "48000.04", "48000.1"),
        ("SELL", "TAKE_PROFIT", "52000.09", "52000"),
        ("BUY", "STOP_LOSS", "52000.09", "52000"),
        ("BUY", "TAKE_PROFIT", "48000.04", "48000.1"),
    ],
)
def test_a_stop_price_is_made_to_fit_so_that_it_triggers_no_later(
    side: str, kind: str, asked: str, fit: str
) -> None:
    given = replace(
        STOP, direction=Direction(side), order_type=OrderType(kind), stop_price=Decimal(asked)
    )
    assert sized(given).order.stop_price == Decimal(fit)


def test_a_stop_that_the_market_has_passed_already_is_refused() -> None:
    verdict = refused(replace(STOP, stop_price=Decimal(51000)))
    assert verdict.code == "stop_price"
    text = "Stop price 51000 would trigger at once: BTC-USDT is at 50000"
    assert verdict.message == text


def test_a_trailing_stop_needs_no_price_and_a_stop_limit_has_both() -> None:
    trailing = sized(replace(STOP, trailing_delta_bps=150)).order
    assert (trailing.stop_price, trailing.trailing_delta_bps) == (None, 150)
    kind, limit = OrderType.STOP_LOSS_LIMIT, Decimal("47900.01")
    both = sized(replace(STOP, order_type=kind, stop_price=Decimal(48000), price=limit)).order
    assert both.stop_price == 48000
    assert both.limit_price == Decimal("47900.1")
    assert both.time_in_force is TimeInForce.GTC


def test_a_maker_order_keeps_its_type() -> None:
    maker = replace(BUY, order_type=OrderType.LIMIT_MAKER, price=Decimal(49000))
    assert sized(maker).order.order_type is OrderType.LIMIT_MAKER
