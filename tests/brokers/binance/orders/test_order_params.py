"""What is sent for an order. Source: binance-facts.md, section 5."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.orders.replies import Asked, order_params
from otonom_trader.domain.order import OrderRequest, OrderType, Side, TimeInForce

# As fine and as large as an amount can be, with exponents and zeros at the end.
amounts = st.one_of(
    st.decimals("0.000000000000000001", "999999999999999999", places=18, allow_nan=False),
    st.builds(
        lambda digits, exponent: Decimal(digits).scaleb(exponent),
        st.integers(1, 10**6),
        st.integers(-18, 12),
    ),
)


@st.composite
def requests(draw: st.DrawFn) -> OrderRequest:
    kind = draw(st.sampled_from([kind for kind in OrderType if kind is not OrderType.OCO]))
    qty = draw(amounts)
    terms: dict[str, Any] = {}
    if kind.is_stop:
        terms["stop_price"] = draw(st.none() | amounts)
        no_trigger = terms["stop_price"] is None
        terms["trailing_delta_bps"] = draw(st.integers(1, 10**4) if no_trigger else st.none())
    if kind.has_limit and kind is not OrderType.LIMIT_MAKER:
        terms["time_in_force"] = draw(st.sampled_from(TimeInForce))
    if kind.has_limit and terms.get("time_in_force") in (None, TimeInForce.GTC):
        terms["iceberg_qty"] = draw(st.none() | st.just(qty))
    price = draw(amounts) if kind.has_limit or kind is OrderType.MARKET else None
    return OrderRequest("BTCUSDT", draw(st.sampled_from(Side)), qty, price, kind, **terms)


@given(requests())
def test_all_of_an_order_reaches_the_wire_as_plain_digits_and_reads_back(
    order: OrderRequest,
) -> None:
    params = dict(order_params(Asked("BTCUSDT", "mine-1", order)))
    told = {
        "quantity": order.qty,
        "price": order.limit_price,
        "stopPrice": order.stop_price,
        "icebergQty": order.iceberg_qty,
        "trailingDelta": order.trailing_delta_bps,
    }
    for name, value in told.items():
        if value is None:
            assert name not in params
        else:
            assert set(params[name]) <= set("0123456789.")
            assert Decimal(params[name]) == value
    again = OrderRequest(
        params["symbol"],
        params["side"],
        params["quantity"],
        params.get("price"),
        params["type"],
        params.get("timeInForce"),
        stop_price=params.get("stopPrice"),
        trailing_delta_bps=int(params["trailingDelta"]) if "trailingDelta" in params else None,
        iceberg_qty=params.get("icebergQty"),
    )
    assert again.limit_price == order.limit_price
    assert (again.qty, again.side, again.order_type) == (order.qty, order.side, order.order_type)
    assert again.time_in_force is order.time_in_force
    assert (again.stop_price, again.iceberg_qty) == (order.stop_price, order.iceberg_qty)


def test_a_market_orders_price_is_not_sent() -> None:
    params = order_params(
        Asked("BTCUSDT", "mine-1", OrderRequest("BTCUSDT", "BUY", "0.5", "50000"))
    )
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


def test_a_stop_limit_order_is_sent_with_all_its_terms() -> None:
    order = OrderRequest(
        *("BTCUSDT", "SELL", "0.5", "50000.10", "STOP_LOSS_LIMIT"),
        stop_price="50100.00",
        trailing_delta_bps=25,
        iceberg_qty="0.10",
    )
    assert order_params(Asked("BTCUSDT", "mine-1", order)) == [
        ("symbol", "BTCUSDT"),
        ("side", "SELL"),
        ("type", "STOP_LOSS_LIMIT"),
        ("timeInForce", "GTC"),
        ("price", "50000.1"),
        ("quantity", "0.5"),
        ("newClientOrderId", "mine-1"),
        ("stopPrice", "50100"),
        ("trailingDelta", "25"),
        ("icebergQty", "0.1"),
    ]


def test_a_limit_maker_is_sent_without_time_in_force() -> None:
    order = OrderRequest("BTCUSDT", "BUY", "0.5", "50000", "LIMIT_MAKER")
    params = dict(order_params(Asked("BTCUSDT", "mine-1", order)))
    assert "timeInForce" not in params
    assert (params["type"], params["price"]) == ("LIMIT_MAKER", "50000")
