"""binance-facts.md, section 6."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.errors import Unreadable
from otonom_trader.brokers.binance.rules.context import Context, OpenOrders
from otonom_trader.brokers.binance.rules.trading_rules import (
    Rules,
    find_amend_violation,
    find_list_violation,
    find_violation,
    parse_rules,
)
from otonom_trader.brokers.binance.wire import SymbolInfo
from otonom_trader.domain.amount import ZERO, round_down
from otonom_trader.domain.order import OrderRequest
from otonom_trader.domain.symbol import Symbol
from tests.brokers.binance.conftest import BTCUSDT


def rules(**changes: object) -> Rules:
    return parse_rules(msgspec.convert(BTCUSDT | changes, SymbolInfo))


def rules_with(*filters: dict[str, Any]) -> Rules:
    """BTCUSDT with some of its filters replaced."""
    kept = {entry["filterType"]: entry for entry in BTCUSDT["filters"]}
    return rules(filters=list((kept | {new["filterType"]: new for new in filters}).values()))


def limit(qty: str, price: str, **terms: Any) -> OrderRequest:
    return OrderRequest("BTCUSDT", "BUY", qty, price, "LIMIT", **terms)


def stop(kind: str, **terms: Any) -> OrderRequest:
    return OrderRequest("BTCUSDT", "SELL", "1", None, kind, **terms)


def market(qty: str, price: str | None = None) -> OrderRequest:
    return OrderRequest("BTCUSDT", "BUY", qty, price)


def test_an_instrument_carries_the_venues_figures() -> None:
    instrument = rules().instrument
    assert instrument.symbol == Symbol("BTC", "USDT")
    assert instrument.venue_symbol == "BTCUSDT"
    assert instrument.tradable
    assert instrument.qty_step == Decimal("0.00001")
    assert instrument.min_qty == Decimal("0.00001")
    assert instrument.max_qty == 9000
    assert instrument.price_tick == Decimal("0.01")
    assert instrument.min_notional == 5


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        (
            market("0.0000123"),
            "LOT_SIZE; qty 0.0000123 is off the step 0.00001 of BTCUSDT (LOT_SIZE)",
        ),
        (
            market("0.000001"),
            "LOT_SIZE; qty 0.000001 is below the minimum 0.00001 of BTCUSDT (LOT_SIZE)",
        ),
        (
            limit("9000.00001", "10"),
            "LOT_SIZE; qty 9000.00001 is above the maximum 9000 of BTCUSDT (LOT_SIZE)",
        ),
        (
            market("100.00001"),
            "MARKET_LOT_SIZE; qty 100.00001 is above the maximum 100 of BTCUSDT (MARKET_LOT_SIZE)",
        ),
        (
            limit("1", "50000.001"),
            "PRICE_FILTER; price 50000.001 is off the step 0.01 of BTCUSDT (PRICE_FILTER)",
        ),
        (
            limit("1", "1000000.01"),
            "PRICE_FILTER; price 1000000.01 is above the maximum 1000000 of BTCUSDT (PRICE_FILTER)",
        ),
        (
            limit("0.0001", "49999.99"),
            "NOTIONAL; notional 4.999999 is below the minimum 5 of BTCUSDT (NOTIONAL)",
        ),
        (
            limit("1000", "9000.01"),
            "NOTIONAL; notional 9000010 is above the maximum 9000000 of BTCUSDT (NOTIONAL)",
        ),
    ],
)
def test_a_broken_filter_is_named_with_its_figure(order: OrderRequest, problem: str) -> None:
    violation = find_violation(rules(), order)
    assert violation is not None
    assert violation.code == "filter_failure"
    assert violation.message == f"Filter failure: {problem}"


@pytest.mark.parametrize(
    "order",
    [
        limit("0.0001", "50000"),
        limit("100.00001", "10"),
        market("100"),
        market("0.00001", "1"),
        limit("9000", "1000"),
    ],
)
def test_an_order_on_the_edge_of_its_filters_keeps_them(order: OrderRequest) -> None:
    assert find_violation(rules(), order) is None


def test_the_older_minimum_notional_counts_too() -> None:
    filters = [{"filterType": "MIN_NOTIONAL", "minNotional": "10.0"}]
    violation = find_violation(rules(filters=filters), limit("0.1", "99"))
    assert violation is not None
    assert "notional 9.9 is below the minimum 10 of BTCUSDT (MIN_NOTIONAL)" in violation.message


def test_a_market_step_of_its_own_holds_for_market_orders_alone() -> None:
    coarse = {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "0", "stepSize": "0.1"}
    violation = find_violation(rules_with(coarse), market("0.15"))
    assert violation is not None
    assert "qty 0.15 is off the step 0.1 of BTCUSDT (MARKET_LOT_SIZE)" in violation.message
    assert find_violation(rules_with(coarse), limit("0.15", "1000")) is None


def test_a_symbol_without_filters_sets_no_rule() -> None:
    assert find_violation(rules(filters=[]), limit("0.12345678", "0.12345678")) is None


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        (
            limit("0.123456789", "1"),
            "qty 0.123456789 has more digits than the 0.00000001 of BTCUSDT",
        ),
        (limit("1", "0.1234567"), "price 0.1234567 has more digits than the 0.000001 of BTCUSDT"),
        (
            stop("STOP_LOSS", stop_price="0.1234567"),
            "stop_price 0.1234567 has more digits than the 0.000001 of BTCUSDT",
        ),
        (
            limit("1", "1", iceberg_qty="0.123456789"),
            "iceberg_qty 0.123456789 has more digits than the 0.00000001 of BTCUSDT",
        ),
    ],
)
def test_digits_that_the_asset_does_not_have_are_too_much_precision(
    order: OrderRequest, problem: str
) -> None:
    told = rules(filters=[], quoteAssetPrecision=6, orderTypes=["LIMIT", "STOP_LOSS"])
    violation = find_violation(told, order)
    assert violation is not None
    assert (violation.code, violation.message) == ("precision", problem)


def test_zeros_at_the_end_are_no_precision() -> None:
    order = limit("1.000000000000", "1.000000000000")
    assert find_violation(rules(filters=[]), order) is None


def test_filters_nobody_knows_yet_are_left_to_the_venue() -> None:
    for new in ({"filterType": "BRAND_NEW", "limit": [7]}, {"filterType": 7}, {}):
        assert rules(filters=[*BTCUSDT["filters"], new]) == rules()


@pytest.mark.parametrize(
    ("status", "what"),
    [
        ("HALT", ": orders wait until it resumes; a cancel may be tried, nothing is placed"),
        ("BREAK", ": it is closed for now; a cancel may be tried, nothing is placed"),
        ("END_OF_DAY", ": its day is over; a cancel may be tried, nothing is placed"),
        ("CANCEL_ONLY", ": orders may be cancelled, none placed or amended"),
        ("BRAND_NEW", ""),
    ],
)
def test_a_halted_symbol_is_not_traded(status: str, what: str) -> None:
    halted = rules(status=status)
    assert not halted.instrument.tradable
    order = limit("0.001", "50000")
    for violation in (
        find_violation(halted, order),
        find_list_violation(halted, [order, order]),
        find_amend_violation(halted, order, Decimal("0.0005"), 0),
    ):
        assert violation is not None
        assert violation.code == "not_trading"
        assert violation.message == f"BTCUSDT is {status}, not TRADING{what}"


def test_a_symbol_without_spot_trading_is_not_traded() -> None:
    violation = find_violation(rules(isSpotTradingAllowed=False), market("1"))
    assert violation is not None
    assert (violation.code, violation.message) == ("not_trading", "BTCUSDT is not traded on spot")


def test_an_order_type_the_symbol_does_not_know_is_refused() -> None:
    violation = find_violation(rules(orderTypes=["LIMIT"]), market("1"))
    assert violation is not None
    assert violation.message == "MARKET orders are not supported for BTCUSDT"


@pytest.mark.parametrize(
    ("flag", "order", "what"),
    [
        ("icebergAllowed", limit("1", "50000", iceberg_qty="0.5"), "iceberg"),
        ("allowTrailingStop", stop("STOP_LOSS", trailing_delta_bps=50), "trailing stop"),
    ],
)
def test_what_a_symbol_does_not_allow_is_refused(flag: str, order: OrderRequest, what: str) -> None:
    kinds = [*BTCUSDT["orderTypes"], "STOP_LOSS"]
    assert find_violation(rules(orderTypes=kinds), order) is None
    violation = find_violation(rules(orderTypes=kinds, **{flag: False}), order)
    assert violation is not None
    assert violation.code == "order_type"
    assert violation.message == f"{what} orders are not supported for BTCUSDT"


def test_what_a_flag_or_the_minutes_would_tell_is_left_to_the_venue_without_them() -> None:
    notional = {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "9"}
    told = rules(filters=[notional | {"applyMinToMarket": True, "avgPriceMins": 5}])
    context = Context(reference_price=ZERO, average_price=Decimal(1), average_mins=5)
    assert find_violation(told, market("1"), context) is not None
    for silent in (notional, notional | {"applyMinToMarket": True}):
        assert find_violation(rules(filters=[silent]), market("1"), context) is None


def test_a_symbol_with_both_kinds_of_notional_keeps_to_the_larger_minimum() -> None:
    both = [
        {"filterType": "MIN_NOTIONAL", "minNotional": "10"},
        {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "100"},
    ]
    told = rules(filters=both)
    assert told.instrument.min_notional == 10
    for qty, name in (("9", "MIN_NOTIONAL"), ("4", "MIN_NOTIONAL"), ("101", "NOTIONAL")):
        violation = find_violation(told, limit(qty, "1"))
        assert violation is not None
        assert violation.message.startswith(f"Filter failure: {name};")


def test_filters_are_judged_in_the_order_of_the_list_and_counts_last() -> None:
    count = {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 0}
    price = {"filterType": "PRICE_FILTER", "minPrice": "2", "maxPrice": "0", "tickSize": "0"}
    lot = {"filterType": "LOT_SIZE", "minQty": "2", "maxQty": "0", "stepSize": "0"}
    context = Context(here=OpenOrders())
    for filters, first in (
        ([count, price, lot], "PRICE_FILTER"),
        ([count, lot, price], "LOT_SIZE"),
        ([count], "MAX_NUM_ORDERS"),
    ):
        violation = find_violation(rules(filters=filters), limit("1", "1"), context)
        assert violation is not None
        assert violation.message.startswith(f"Filter failure: {first};")


@pytest.mark.parametrize(
    "broken",
    [
        {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "1"},
        {"filterType": "LOT_SIZE", "minQty": "NaN", "maxQty": "1", "stepSize": "1"},
        {"filterType": "PRICE_FILTER", "minPrice": "1e-8", "maxPrice": "1", "tickSize": "1"},
        {"filterType": "NOTIONAL"},
        {"filterType": "NOTIONAL", "minNotional": "1", "maxNotional": 5},
        {"filterType": "MIN_NOTIONAL", "minNotional": "1", "applyToMarket": "yes"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "5", "avgPriceMins": 5},
        {"filterType": "ICEBERG_PARTS", "limit": "10"},
        {"filterType": "ICEBERG_PARTS", "limit": True},
        {"filterType": "MAX_NUM_ORDERS"},
        {"filterType": "MAX_NUM_ORDER_AMENDS"},
        {"filterType": "MAX_POSITION", "maxPosition": 5},
    ],
)
def test_a_filter_without_its_figures_is_not_guessed_at(broken: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        rules(filters=[broken])


steps = st.integers(0, 8).map(lambda places: Decimal(1).scaleb(-places))
amounts = st.decimals("0.0000000001", "1000000", places=10, allow_nan=False)


@given(qty=amounts, step=steps)
def test_a_quantity_rounded_down_to_the_step_is_on_it(qty: Decimal, step: Decimal) -> None:
    lot = {"filterType": "LOT_SIZE", "minQty": "0", "maxQty": "0", "stepSize": f"{step:f}"}
    rounded = round_down(qty, step)
    assume(rounded > 0)
    assert find_violation(rules(filters=[lot]), market(f"{rounded:f}")) is None
