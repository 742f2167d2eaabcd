"""Each filter of binance-facts.md, section 6: what just passes it, and what just does not."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from otonom_trader.brokers.binance.rules.context import Context, OpenOrders
from otonom_trader.brokers.binance.rules.price_limits import (
    ExecutionRange,
    parse_execution_range,
    price_limits,
)
from otonom_trader.brokers.binance.rules.trading_rules import (
    Rules,
    find_amend_violation,
    find_list_violation,
    find_violation,
    parse_rules,
)
from otonom_trader.brokers.binance.wire import ExecutionRule, SymbolInfo
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.market import PriceLimits, PriceRange
from otonom_trader.domain.order import OrderRequest, OrderType
from tests.brokers.binance.conftest import BTCUSDT

ALL_TYPES = {"orderTypes": list(OrderType)}
MINS = {"avgPriceMins": 5}


def rules(*filters: dict[str, Any], exchange: tuple[dict[str, Any], ...] = ()) -> Rules:
    info = BTCUSDT | ALL_TYPES | {"filters": list(filters)}
    return parse_rules(msgspec.convert(info, SymbolInfo), exchange)


def buy(qty: str, price: str | None = None, kind: str = "LIMIT", **terms: Any) -> OrderRequest:
    return OrderRequest("BTCUSDT", "BUY", qty, price, kind, **terms)


def sell(qty: str, price: str | None = None, kind: str = "LIMIT", **terms: Any) -> OrderRequest:
    return OrderRequest("BTCUSDT", "SELL", qty, price, kind, **terms)


def market(qty: str) -> OrderRequest:
    return buy(qty, None, "MARKET")


PRICE = {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "9", "tickSize": "0.5"}
LOT = {"filterType": "LOT_SIZE", "minQty": "0.2", "maxQty": "9", "stepSize": "0.1"}
MARKET_LOT = {"filterType": "MARKET_LOT_SIZE", "minQty": "0.2", "maxQty": "3", "stepSize": "0.2"}
PERCENT = {"filterType": "PERCENT_PRICE", "multiplierUp": "1.3", "multiplierDown": "0.7"} | MINS
BY_SIDE = {
    "filterType": "PERCENT_PRICE_BY_SIDE",
    "bidMultiplierUp": "1.2",
    "bidMultiplierDown": "0.2",
    "askMultiplierUp": "5",
    "askMultiplierDown": "0.8",
} | MINS
MIN_NOTIONAL = {"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": True} | MINS
NOTIONAL = {
    "filterType": "NOTIONAL",
    "minNotional": "10",
    "applyMinToMarket": True,
    "maxNotional": "100",
    "applyMaxToMarket": True,
} | MINS
PARTS = {"filterType": "ICEBERG_PARTS", "limit": 10}
TRAILING = {
    "filterType": "TRAILING_DELTA",
    "minTrailingAboveDelta": 10,
    "maxTrailingAboveDelta": 200,
    "minTrailingBelowDelta": 20,
    "maxTrailingBelowDelta": 100,
}
POSITION = {"filterType": "MAX_POSITION", "maxPosition": "10"}


def trailing(side: str, kind: str, delta: int) -> OrderRequest:
    return OrderRequest("BTCUSDT", side, 1, None, kind, trailing_delta_bps=delta)


@pytest.mark.parametrize(
    ("told", "passes", "fails", "problem"),
    [
        (PRICE, buy("1", "1"), buy("1", "0.5"), "price 0.5 is below the minimum 1"),
        (PRICE, buy("1", "9"), buy("1", "9.5"), "price 9.5 is above the maximum 9"),
        (PRICE, buy("1", "2.5"), buy("1", "2.6"), "price 2.6 is off the step 0.5"),
        (
            PRICE,
            sell("1", None, "STOP_LOSS", stop_price="1"),
            sell("1", None, "STOP_LOSS", stop_price="0.5"),
            "stop_price 0.5 is below the minimum 1",
        ),
        (
            PRICE,
            sell("1", "2", "TAKE_PROFIT_LIMIT", stop_price="2.5"),
            sell("1", "2", "TAKE_PROFIT_LIMIT", stop_price="2.6"),
            "stop_price 2.6 is off the step 0.5",
        ),
        (PRICE | {"minPrice": "0"}, buy("1", "0.5"), buy("1", "0.6"), "price 0.6 is off the step"),
        (PRICE | {"maxPrice": "0"}, buy("1", "99"), buy("1", "0.5"), "price 0.5 is below the"),
        (PRICE | {"tickSize": "0"}, buy("1", "2.6"), buy("1", "9.1"), "price 9.1 is above the"),
        (LOT, buy("0.2", "1"), buy("0.1", "1"), "qty 0.1 is below the minimum 0.2"),
        (LOT, market("9"), market("9.1"), "qty 9.1 is above the maximum 9"),
        (LOT, market("0.3"), market("0.25"), "qty 0.25 is off the step 0.1"),
        (
            LOT,
            buy("1", "1", iceberg_qty="0.2"),
            buy("1", "1", iceberg_qty="0.1"),
            "iceberg_qty 0.1 is below the minimum 0.2",
        ),
        (
            LOT,
            buy("1", "1", "LIMIT_MAKER", iceberg_qty="0.3"),
            buy("1", "1", "LIMIT_MAKER", iceberg_qty="0.35"),
            "iceberg_qty 0.35 is off the step 0.1",
        ),
        (MARKET_LOT, market("3"), market("3.2"), "qty 3.2 is above the maximum 3"),
        (MARKET_LOT, market("0.4"), market("0.5"), "qty 0.5 is off the step 0.2"),
        (MARKET_LOT | {"stepSize": "0"}, market("0.5"), market("0.1"), "qty 0.1 is below the"),
        (MARKET_LOT, buy("3.3", "1"), market("3.4"), "qty 3.4 is above the maximum 3"),
        (MARKET_LOT, sell("3.3", None, "STOP_LOSS", stop_price=1), market("3.4"), "qty 3.4 is"),
        (MIN_NOTIONAL, buy("5", "2"), buy("4", "2"), "notional 8 is below the minimum 10"),
        (NOTIONAL, buy("5", "2"), buy("4.99", "2"), "notional 9.98 is below the minimum 10"),
        (NOTIONAL, buy("50", "2"), buy("50.01", "2"), "notional 100.02 is above the maximum 100"),
        (
            NOTIONAL,
            sell("5", "2", "STOP_LOSS_LIMIT", stop_price="9"),
            sell("4", "2", "STOP_LOSS_LIMIT", stop_price="9"),
            "notional 8 is below the minimum 10",
        ),
        (
            PARTS,
            buy("10", "1", iceberg_qty="1"),
            buy("10.01", "1", iceberg_qty="1"),
            "iceberg_qty 1 makes more parts than the maximum 10",
        ),
        (PARTS, buy("10", "1"), buy("3", "1", iceberg_qty="0.29"), "iceberg_qty 0.29 makes more"),
        (
            TRAILING,
            trailing("BUY", "STOP_LOSS", 10),
            trailing("BUY", "STOP_LOSS", 9),
            "trailing_delta_bps 9 is below the minimum 10",
        ),
        (
            TRAILING,
            trailing("SELL", "TAKE_PROFIT", 200),
            trailing("SELL", "TAKE_PROFIT", 201),
            "trailing_delta_bps 201 is above the maximum 200",
        ),
        (
            TRAILING,
            trailing("SELL", "STOP_LOSS", 20),
            trailing("SELL", "STOP_LOSS", 19),
            "trailing_delta_bps 19 is below the minimum 20",
        ),
        (
            TRAILING,
            trailing("BUY", "TAKE_PROFIT", 100),
            trailing("BUY", "TAKE_PROFIT", 101),
            "trailing_delta_bps 101 is above the maximum 100",
        ),
    ],
)
def test_what_an_order_tells_by_itself(
    told: dict[str, Any], passes: OrderRequest, fails: OrderRequest, problem: str
) -> None:
    symbol = rules(told)
    assert find_violation(symbol, passes) is None
    assert_fails(symbol, fails, told["filterType"], problem)


# 100 is what prices are compared with, once by each way there is to it.
REFERENCE = Context(reference_price=Decimal(100), average_price=Decimal(1), average_mins=5)
AVERAGE = Context(reference_price=ZERO, average_price=Decimal(100), average_mins=5)
LAST = Context(reference_price=ZERO, last_price=Decimal(100))


@pytest.mark.parametrize(
    ("context", "minutes"), [(REFERENCE, 5), (REFERENCE, 0), (AVERAGE, 5), (LAST, 0)], ids=str
)
@pytest.mark.parametrize(
    ("told", "passes", "fails", "problem"),
    [
        (PERCENT, buy("1", "130"), buy("1", "130.01"), "price 130.01 is above the maximum 130"),
        (PERCENT, sell("1", "70"), sell("1", "69.99"), "price 69.99 is below the minimum 70"),
        (BY_SIDE, buy("1", "120"), buy("1", "120.01"), "price 120.01 is above the maximum 120"),
        (BY_SIDE, buy("1", "20"), buy("1", "19.99"), "price 19.99 is below the minimum 20"),
        (BY_SIDE, sell("1", "500"), sell("1", "500.01"), "price 500.01 is above the maximum 500"),
        (BY_SIDE, sell("1", "80"), sell("1", "79.99"), "price 79.99 is below the minimum 80"),
        (
            BY_SIDE,
            sell("1", "80", "STOP_LOSS_LIMIT", stop_price="1"),
            sell("1", "79.99", "STOP_LOSS_LIMIT", stop_price="1"),
            "price 79.99 is below the minimum 80",
        ),
        (MIN_NOTIONAL, market("0.1"), market("0.099"), "notional 9.9 is below the minimum 10"),
        (NOTIONAL, market("0.1"), market("0.099"), "notional 9.9 is below the minimum 10"),
        (NOTIONAL, market("1"), market("1.001"), "notional 100.1 is above the maximum 100"),
    ],
)
def test_what_compares_with_a_price(
    context: Context,
    minutes: int,
    told: dict[str, Any],
    passes: OrderRequest,
    fails: OrderRequest,
    problem: str,
) -> None:
    symbol = rules(told | {"avgPriceMins": minutes})
    assert symbol.minutes == {minutes}
    assert find_violation(symbol, passes, context) is None
    assert_fails(symbol, fails, told["filterType"], problem, context)
    for unknown in (
        Context(),
        replace(context, reference_price=None),
        Context(reference_price=ZERO),
        Context(reference_price=ZERO, average_price=Decimal(100), average_mins=1),
        Context(reference_price=ZERO, average_price=ZERO, average_mins=5, last_price=ZERO),
    ):
        assert find_violation(symbol, fails, unknown) is None


@pytest.mark.parametrize(
    "changes",
    [
        MIN_NOTIONAL | {"applyToMarket": False},
        NOTIONAL | {"applyMinToMarket": False, "applyMaxToMarket": False},
    ],
)
def test_a_notional_that_does_not_apply_to_market_orders(changes: dict[str, Any]) -> None:
    symbol = rules(changes)
    assert symbol.minutes == set()
    for qty in ("0.001", "1000"):
        assert find_violation(symbol, market(qty), REFERENCE) is None
    assert find_violation(symbol, buy("0.001", "1")) is not None


def test_what_a_stop_without_a_limit_is_worth_is_left_to_the_venue() -> None:
    for told in (MIN_NOTIONAL, NOTIONAL):
        order = sell("0.001", None, "STOP_LOSS", stop_price="1")
        assert find_violation(rules(told), order, REFERENCE) is None


def test_a_notional_finer_than_the_venues_amounts_is_not_above_the_maximum() -> None:
    assert find_violation(rules(NOTIONAL), buy("33.33333334", "3.00000000")) is not None
    assert find_violation(rules(NOTIONAL), buy("10.00000001", "9.99999999")) is None


def test_prices_that_may_have_moved_are_given_room() -> None:
    drifting = replace(REFERENCE, drift=Decimal("0.1"))
    symbol = rules(BY_SIDE, NOTIONAL)
    for order in (buy("0.5", "132"), sell("0.5", "72"), market("0.091"), market("1.11")):
        assert find_violation(symbol, order, drifting) is None
    for order in (buy("0.5", "132.01"), sell("0.5", "71.99"), market("0.090"), market("1.12")):
        assert find_violation(symbol, order, drifting) is not None


def with_open(context: Context, place: str, orders: OpenOrders) -> Context:
    if place == "here":
        return replace(context, here=orders)
    return replace(context, everywhere=orders)


@pytest.mark.parametrize("prefix", ["", "EXCHANGE_"])
@pytest.mark.parametrize(
    ("name", "field", "counted", "order"),
    [
        ("MAX_NUM_ORDERS", "maxNumOrders", "orders", buy("1", "1")),
        ("MAX_NUM_ORDERS", "maxNumOrders", "orders", buy("1", None, "STOP_LOSS", stop_price=1)),
        (
            *("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", "algo"),
            buy("1", None, "TAKE_PROFIT", stop_price=1),
        ),
        (
            *("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders", "iceberg"),
            buy("1", "1", iceberg_qty=1),
        ),
    ],
)
def test_what_counts_open_orders(
    prefix: str, name: str, field: str, counted: str, order: OrderRequest
) -> None:
    told = {"filterType": prefix + name, field: 5}
    symbol = rules(exchange=(told,)) if prefix else rules(told)
    place = "everywhere" if prefix else "here"
    plenty = OpenOrders(99, 99, 99, 99)
    others = Context(here=plenty) if prefix else Context(everywhere=plenty)
    room = with_open(others, place, plenty._replace(**{counted: 4}))
    full = with_open(others, place, OpenOrders()._replace(**{counted: 5}))
    assert find_violation(symbol, order, others) is None
    assert find_violation(symbol, order, room) is None
    of = "the account" if prefix else "BTCUSDT"
    violation = find_violation(symbol, order, full)
    assert violation is not None
    assert violation.message == (
        f"Filter failure: {prefix}{name}; open {counted} 6 is above the maximum 5 of {of} "
        f"({prefix}{name})"
    )
    for never_open in (market("1"), buy("1", "1", time_in_force="IOC")):
        assert find_violation(symbol, never_open, full) is None


@pytest.mark.parametrize("prefix", ["", "EXCHANGE_"])
def test_what_counts_order_lists(prefix: str) -> None:
    told = {"filterType": f"{prefix}MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 2}
    symbol = rules(exchange=(told,)) if prefix else rules(told)
    pair = [sell("1", "9", "LIMIT_MAKER"), sell("1", None, "STOP_LOSS", stop_price=1)]
    place = "everywhere" if prefix else "here"
    assert find_list_violation(symbol, pair) is None
    room = with_open(Context(), place, OpenOrders(lists=1))
    assert find_list_violation(symbol, pair, room) is None
    full = with_open(Context(), place, OpenOrders(lists=2))
    violation = find_list_violation(symbol, pair, full)
    assert violation is not None
    assert "open lists 3 is above the maximum 2" in violation.message
    assert find_violation(symbol, pair[0], full) is None


def test_each_order_of_a_list_keeps_to_the_filters() -> None:
    pair = [sell("1", "9", "LIMIT_MAKER"), sell("1", None, "STOP_LOSS", stop_price="0.5")]
    violation = find_list_violation(rules(PRICE), pair)
    assert violation is not None
    assert "stop_price 0.5 is below the minimum 1" in violation.message


def test_what_limits_the_position() -> None:
    symbol, context = rules(POSITION), Context(position=Decimal(7))
    assert find_violation(symbol, buy("3", "1"), context) is None
    assert_fails(symbol, buy("3.1", "1"), "MAX_POSITION", "position 10.1 is above the", context)
    assert find_violation(symbol, sell("99", "1"), context) is None
    assert find_violation(symbol, buy("99", "1")) is None


def test_what_limits_amendments() -> None:
    told = {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10}
    symbol, order = rules(told, LOT, PARTS), buy("5", "1", iceberg_qty="0.5")
    assert find_amend_violation(symbol, order, Decimal(4), 9) is None
    assert find_amend_violation(symbol, order, Decimal(4), None) is None
    violation = find_amend_violation(symbol, order, Decimal(4), 10)
    assert violation is not None
    assert violation.message == (
        "Filter failure: MAX_NUM_ORDER_AMENDS; amends 11 is above the maximum 10 of BTCUSDT "
        "(MAX_NUM_ORDER_AMENDS)"
    )
    # A part is never larger than what is left of the order.
    assert find_amend_violation(symbol, order, Decimal("0.4"), 0) is None
    violation = find_amend_violation(symbol, order, Decimal("0.45"), 0)
    assert violation is not None
    assert "qty 0.45 is off the step 0.1" in violation.message


def test_the_limits_of_prices_are_where_all_filters_and_the_rule_agree() -> None:
    symbol = rules(PERCENT, BY_SIDE)
    both = PriceLimits(
        buy=PriceRange(Decimal(70), Decimal(120)), sell=PriceRange(Decimal(80), Decimal(130))
    )
    for context in (REFERENCE, AVERAGE, replace(AVERAGE, drift=Decimal("0.5"))):
        assert price_limits(symbol, context, None) == both
    execution = ExecutionRange(
        bid=PriceRange(high=Decimal("1.1")), ask=PriceRange(low=Decimal("0.9"), high=None)
    )
    assert price_limits(symbol, REFERENCE, execution) == PriceLimits(
        buy=PriceRange(Decimal(70), Decimal(110)), sell=PriceRange(Decimal(90), Decimal(130))
    )
    # Without a reference price the rule is off.
    assert price_limits(symbol, AVERAGE, execution) == both
    assert price_limits(symbol, Context(), execution) is None
    assert price_limits(rules(), REFERENCE, None) is None


def test_an_execution_rule_without_a_bound_leaves_it_open() -> None:
    told = [
        ExecutionRule(rule_type="BRAND_NEW"),
        ExecutionRule(rule_type="PRICE_RANGE", bid_limit_mult_up="1.1", ask_limit_mult_down="0.9"),
    ]
    assert parse_execution_range(told) == ExecutionRange(
        bid=PriceRange(None, Decimal("1.1")), ask=PriceRange(Decimal("0.9"), None)
    )
    assert parse_execution_range([]) == ExecutionRange()


def assert_fails(
    symbol: Rules, order: OrderRequest, name: str, problem: str, context: Context | None = None
) -> None:
    violation = find_violation(symbol, order, context or Context())
    assert violation is not None
    assert violation.code == "filter_failure"
    assert violation.message.startswith(f"Filter failure: {name}; {problem}")
    assert violation.message.endswith(f" of BTCUSDT ({name})")
