"""binance-facts.md, section 6."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.errors import Unreadable
from otonom_trader.brokers.binance.orders import Asked, order_params
from otonom_trader.brokers.binance.rules import Rules, find_violation, parse_rules
from otonom_trader.brokers.binance.wire import SymbolInfo
from otonom_trader.domain.amount import round_down
from otonom_trader.domain.order import OrderRequest
from otonom_trader.domain.symbol import Symbol
from tests.brokers.binance.conftest import BTCUSDT


def rules(**changes: object) -> Rules:
    return parse_rules(msgspec.convert(BTCUSDT | changes, SymbolInfo))


def rules_with(*filters: dict[str, Any]) -> Rules:
    """BTCUSDT with some of its filters replaced."""
    kept = {entry["filterType"]: entry for entry in BTCUSDT["filters"]}
    return rules(filters=list((kept | {new["filterType"]: new for new in filters}).values()))


def limit(qty: str, price: str) -> OrderRequest:
    return OrderRequest("BTCUSDT", "BUY", qty, price, "LIMIT")


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
    assert find_violation(rules(filters=[]), limit("0.123456789", "0.123456789")) is None


def test_filters_nobody_knows_yet_are_left_to_the_venue() -> None:
    assert rules(filters=[*BTCUSDT["filters"], {"filterType": "BRAND_NEW", "limit": 7}]) == rules()


@pytest.mark.parametrize("status", ["HALT", "BREAK", "CANCEL_ONLY", "END_OF_DAY"])
def test_a_halted_symbol_is_not_traded(status: str) -> None:
    halted = rules(status=status)
    assert not halted.instrument.tradable
    violation = find_violation(halted, market("1"))
    assert violation is not None
    assert violation.message == f"BTCUSDT is {status}, not TRADING"


def test_an_order_type_the_symbol_does_not_know_is_refused() -> None:
    violation = find_violation(rules(orderTypes=["LIMIT"]), market("1"))
    assert violation is not None
    assert violation.message == "MARKET orders are not supported for BTCUSDT"


@pytest.mark.parametrize(
    "broken",
    [
        {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "1"},
        {"filterType": "LOT_SIZE", "minQty": "NaN", "maxQty": "1", "stepSize": "1"},
        {"filterType": "PRICE_FILTER", "minPrice": "1e-8", "maxPrice": "1", "tickSize": "1"},
        {"filterType": "NOTIONAL"},
    ],
)
def test_a_filter_without_its_figures_is_not_guessed_at(broken: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        rules(filters=[broken])


steps = st.integers(0, 10).map(lambda places: Decimal(1).scaleb(-places))
amounts = st.decimals("0.0000000001", "1000000", places=10, allow_nan=False)


@given(qty=amounts, step=steps)
def test_a_quantity_rounded_down_to_the_step_is_on_it(qty: Decimal, step: Decimal) -> None:
    lot = {"filterType": "LOT_SIZE", "minQty": "0", "maxQty": "0", "stepSize": f"{step:f}"}
    rounded = round_down(qty, step)
    assume(rounded > 0)
    assert find_violation(rules(filters=[lot]), market(f"{rounded:f}")) is None


@given(qty=amounts, price=amounts)
def test_amounts_reach_the_wire_as_plain_digits_of_the_same_value(
    qty: Decimal, price: Decimal
) -> None:
    order = OrderRequest("BTCUSDT", "SELL", qty, price, "LIMIT")
    params = dict(order_params(Asked("BTCUSDT", "id", order)))
    for name, value in (("quantity", qty), ("price", price)):
        assert set(params[name]) <= set("0123456789.")
        assert Decimal(params[name]) == value


def test_a_market_orders_price_is_not_sent() -> None:
    params = order_params(Asked("BTCUSDT", "mine-1", market("0.5", "50000")))
    assert params == [
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "MARKET"),
        ("quantity", "0.5"),
        ("newClientOrderId", "mine-1"),
    ]


@pytest.mark.parametrize("tif", ["GTC", "IOC", "FOK"])
def test_a_limit_order_is_sent_with_price_and_time_in_force(tif: str) -> None:
    order = OrderRequest("BTCUSDT", "SELL", "0.00001", "50000.10", "LIMIT", tif)
    params = dict(order_params(Asked("BTCUSDT", "mine-1", order)))
    assert (params["timeInForce"], params["price"], params["quantity"]) == (
        tif,
        "50000.1",
        "0.00001",
    )
