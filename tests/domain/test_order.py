"""Orders: how a request is checked and normalised, and what its states mean."""

from dataclasses import FrozenInstanceError, replace
from decimal import Decimal
from typing import Any

import pytest

from otonom_trader.domain.order import (
    OrderRequest,
    OrderResult,
    OrderState,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)

TYPES = (
    "MARKET, LIMIT, LIMIT_MAKER, STOP_LOSS, STOP_LOSS_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT, OCO"
)


def test_the_guides_market_order_needs_symbol_side_and_quantity() -> None:
    request = OrderRequest(symbol="BTCUSDT", side="BUY", qty=0.001)
    assert request.side is Side.BUY
    assert request.qty == Decimal("0.001")
    assert request.order_type is OrderType.MARKET
    assert (request.price, request.limit_price, request.time_in_force) == (None, None, None)
    assert not request.may_rest


def test_the_guides_limit_order_is_good_till_cancelled() -> None:
    request = OrderRequest(
        symbol="BTCUSDT", side="buy", qty=0.001, price=50000.0, order_type="LIMIT"
    )
    assert request.limit_price == Decimal(50000)
    assert request.time_in_force is TimeInForce.GTC
    assert request.may_rest


def test_the_price_of_a_market_order_is_no_limit() -> None:
    request = OrderRequest("BTCUSDT", "SELL", 1, price=50000)
    assert request.price == Decimal(50000)
    assert request.limit_price is None


@pytest.mark.parametrize("tif", ["IOC", "fok"])
def test_an_immediate_order_does_not_rest(tif: str) -> None:
    assert not OrderRequest("BTCUSDT", "BUY", 1, 1, "LIMIT", tif).may_rest


@pytest.mark.parametrize(
    ("order_type", "terms", "limited", "tif"),
    [
        ("LIMIT_MAKER", {"price": 5}, True, None),
        ("STOP_LOSS", {"stop_price": 5}, False, None),
        ("STOP_LOSS", {"trailing_delta_bps": 50}, False, None),
        ("STOP_LOSS_LIMIT", {"price": 5, "stop_price": 5}, True, TimeInForce.GTC),
        ("TAKE_PROFIT", {"stop_price": 5, "trailing_delta_bps": 50}, False, None),
        ("TAKE_PROFIT_LIMIT", {"price": 5, "trailing_delta_bps": 50}, True, TimeInForce.GTC),
    ],
)
def test_each_type_has_what_belongs_to_it(
    order_type: str, terms: dict[str, Any], *, limited: bool, tif: TimeInForce | None
) -> None:
    request = OrderRequest("BTCUSDT", "SELL", 1, order_type=order_type, **terms)
    assert request.order_type.is_stop is (order_type != "LIMIT_MAKER")
    assert request.order_type.has_limit is limited
    assert request.limit_price == (Decimal(5) if limited else None)
    assert request.time_in_force is tif
    assert (request.may_rest, request.takes_at_once) == (True, False)
    assert replace(request, qty=Decimal(2)).stop_price == request.stop_price


def test_an_order_that_waits_may_work_on_even_if_it_is_immediate_then() -> None:
    stop = OrderRequest("BTCUSDT", "BUY", 1, 5, "STOP_LOSS_LIMIT", "IOC", stop_price=4)
    assert stop.may_rest


@pytest.mark.parametrize(
    ("side", "order_type", "above"),
    [
        ("BUY", "STOP_LOSS", True),
        ("SELL", "TAKE_PROFIT", True),
        ("SELL", "STOP_LOSS", False),
        ("BUY", "TAKE_PROFIT", False),
    ],
)
def test_a_stop_waits_above_or_below_the_market(side: str, order_type: str, *, above: bool) -> None:
    assert OrderRequest("BTCUSDT", side, 1, None, order_type, stop_price=4).waits_above is above


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"symbol": ""}, "symbol must be a text such as BTCUSDT"),
        ({"symbol": None}, "symbol must be a text such as BTCUSDT"),
        ({"side": "LONG"}, "side must be one of BUY, SELL, not 'LONG'"),
        ({"side": None}, "side must be one of BUY, SELL, not None"),
        ({"qty": 0}, "qty must be above zero, not 0"),
        ({"qty": -1}, "qty must be above zero, not -1"),
        ({"qty": float("nan")}, "qty must be a finite number, not 'nan'"),
        ({"qty": "1e999"}, "qty must lie between 1e-18 and 1e18, not 1e999"),
        ({"price": 0}, "price must be above zero, not 0"),
        ({"price": float("inf")}, "price must be a finite number, not 'inf'"),
        ({"order_type": "STOP"}, f"order_type must be one of {TYPES}, not 'STOP'"),
        ({"order_type": 3}, f"order_type must be one of {TYPES}, not 3"),
        ({"order_type": "LIMIT"}, "price is needed for a LIMIT order"),
        (
            {"time_in_force": "IOC"},
            "time_in_force belongs to LIMIT orders, not to a MARKET order",
        ),
        (
            {"order_type": "LIMIT", "price": 1, "time_in_force": "DAY"},
            "time_in_force must be one of GTC, IOC, FOK, not 'DAY'",
        ),
        ({"order_type": "LIMIT_MAKER"}, "price is needed for a LIMIT_MAKER order"),
        (
            {"order_type": "LIMIT_MAKER", "price": 1, "time_in_force": "GTC"},
            "time_in_force belongs to LIMIT orders, not to a LIMIT_MAKER order",
        ),
        (
            {"order_type": "STOP_LOSS", "stop_price": 1, "time_in_force": "GTC"},
            "time_in_force belongs to LIMIT orders, not to a STOP_LOSS order",
        ),
        (
            {"order_type": "TAKE_PROFIT", "stop_price": 1, "price": 1},
            "price belongs to TAKE_PROFIT_LIMIT orders: a TAKE_PROFIT order takes any",
        ),
        (
            {"order_type": "STOP_LOSS"},
            "stop_price or trailing_delta_bps is needed for a STOP_LOSS order",
        ),
        (
            {"order_type": "TAKE_PROFIT_LIMIT", "price": 1},
            "stop_price or trailing_delta_bps is needed for a TAKE_PROFIT_LIMIT order",
        ),
        (
            {"order_type": "STOP_LOSS_LIMIT", "stop_price": 1},
            "price is needed for a STOP_LOSS_LIMIT order",
        ),
        ({"stop_price": 1}, "stop_price belongs to stop orders, not to a MARKET order"),
        (
            {"order_type": "LIMIT", "price": 1, "trailing_delta_bps": 5},
            "trailing_delta_bps belongs to stop orders, not to a LIMIT order",
        ),
        (
            {"order_type": "STOP_LOSS", "trailing_delta_bps": 0},
            "trailing_delta_bps must be a whole number above zero, not 0",
        ),
        (
            {"order_type": "STOP_LOSS", "trailing_delta_bps": 1.5},
            "trailing_delta_bps must be a whole number above zero, not 1.5",
        ),
        (
            {"iceberg_qty": 1},
            "iceberg_qty belongs to limit orders that are good till cancelled",
        ),
        (
            {"order_type": "LIMIT", "price": 1, "time_in_force": "IOC", "iceberg_qty": 1},
            "iceberg_qty belongs to limit orders that are good till cancelled",
        ),
        (
            {"order_type": "LIMIT", "price": 1, "iceberg_qty": 2},
            "iceberg_qty must be at most qty, not 2",
        ),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"must|needed|belongs") as refusal:
        OrderRequest(**{"symbol": "BTCUSDT", "side": "BUY", "qty": 1, **wrong})
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("id_", ["", "a b", "x" * 37, "naïve", "a\n", 7])
def test_a_client_order_id_that_no_venue_takes_is_refused_before_anything_is_recorded(
    id_: Any,
) -> None:
    with pytest.raises(ValueError, match=r"^client_order_id must be 1 to 36 letters, digits"):
        OrderRequest("BTCUSDT", "BUY", 1, client_order_id=id_)


def test_a_request_cannot_be_changed_but_copied_with_a_change() -> None:
    request = OrderRequest("BTCUSDT", "BUY", 1, 50000, "LIMIT", "IOC")
    with pytest.raises(FrozenInstanceError):
        setattr(request, "qty", Decimal(2))  # noqa: B010  an assignment mypy would refuse
    named = replace(request, client_order_id="otn-1")
    assert named.client_order_id == "otn-1"
    assert replace(named, client_order_id=None) == request


def test_a_buy_counts_up_and_a_sell_counts_down() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)


@pytest.mark.parametrize("state", OrderState)
def test_only_an_accepted_order_is_ok(state: OrderState) -> None:
    assert OrderResult(state).ok is (state is OrderState.ACCEPTED)


def test_the_average_price_is_cumulative_quote_over_cumulative_base() -> None:
    result = OrderResult(OrderState.ACCEPTED, filled_qty=Decimal(4), quote_qty=Decimal(10))
    assert result.avg_price == Decimal("2.5")
    assert OrderResult(OrderState.ACCEPTED).avg_price is None


def test_working_states_are_the_only_ones_that_may_change() -> None:
    assert {status for status in OrderStatus if not status.terminal} == {
        OrderStatus.NEW,
        OrderStatus.PENDING_NEW,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.PENDING_CANCEL,
    }


def test_the_venues_raw_reply_does_not_show_when_a_result_is_printed() -> None:
    assert "apiKey" not in repr(OrderResult(OrderState.UNKNOWN, raw='{"apiKey": "k"}'))
