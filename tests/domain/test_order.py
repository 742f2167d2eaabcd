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
        ({"order_type": "STOP"}, "order_type must be one of MARKET, LIMIT, not 'STOP'"),
        ({"order_type": 3}, "order_type must be one of MARKET, LIMIT, not 3"),
        ({"order_type": "LIMIT"}, "price is needed for a LIMIT order"),
        (
            {"time_in_force": "IOC"},
            "time_in_force belongs to LIMIT orders, not to a MARKET order",
        ),
        (
            {"order_type": "LIMIT", "price": 1, "time_in_force": "DAY"},
            "time_in_force must be one of GTC, IOC, FOK, not 'DAY'",
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
