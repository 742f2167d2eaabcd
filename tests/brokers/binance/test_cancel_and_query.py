"""What becomes of an order: cancelled, found, or still in doubt."""

from decimal import Decimal
from typing import Any

import pytest

from otonom_trader.brokers.binance.errors import MismatchedReply, Unreadable
from otonom_trader.domain.errors import OutcomeUnknown, Rejected
from otonom_trader.domain.order import OrderState, OrderStatus
from tests.brokers.binance.conftest import Desk, answer, never_answer, queried_order, refuse

ORDER = "/api/v3/order"
UNKNOWN_ORDER = refuse(400, -2011, "Unknown order sent.")


def cancelled(**changes: object) -> dict[str, object]:
    reply = queried_order(status="CANCELED", clientOrderId="the-cancels-id")
    return reply | {"origClientOrderId": "mine-1", "transactTime": 1_700_000_000_000} | changes


def filled(qty: str = "0.01000000") -> dict[str, object]:
    return queried_order(status="FILLED", executedQty=qty, cummulativeQuoteQty="500.00000000")


def trade(number: int, qty: str = "0.01000000", **changes: object) -> dict[str, object]:
    row = {
        "symbol": "BTCUSDT",
        "id": number,
        "orderId": 28,
        "price": "50000.00000000",
        "qty": qty,
        "quoteQty": str(Decimal(qty) * 50_000),
        "commission": "0.00001000",
        "commissionAsset": "BTC",
        "time": 1_700_000_000_000,
        "isMaker": True,
    }
    return row | changes


@pytest.mark.parametrize(
    ("order_id", "selector"), [("28", "orderId"), ("mine-1", "origClientOrderId")]
)
async def test_an_order_is_cancelled_by_either_id(desk: Desk, order_id: str, selector: str) -> None:
    desk.venue.on("DELETE", ORDER, answer(200, cancelled()))
    result = await desk.broker.cancel_order(order_id, "btc/usdt")
    assert (result.state, result.status) == (OrderState.ACCEPTED, OrderStatus.CANCELED)
    assert (result.order_id, result.client_order_id) == ("28", "mine-1")
    request = desk.venue.seen("DELETE", ORDER)[0]
    assert request.is_well_signed
    assert (request.params["symbol"], request.params[selector]) == ("BTCUSDT", order_id)


@pytest.mark.parametrize("order_id", ["28", "mine-1"])
async def test_without_a_symbol_the_order_is_looked_for_among_the_open_ones(
    desk: Desk, order_id: str
) -> None:
    desk.venue.on("GET", "/api/v3/openOrders", answer(200, [queried_order()]))
    desk.venue.on("DELETE", ORDER, answer(200, cancelled()))
    assert (await desk.broker.cancel_order(order_id)).ok
    assert desk.venue.seen("DELETE", ORDER)[0].params["symbol"] == "BTCUSDT"


async def test_an_order_that_is_not_open_cannot_be_cancelled_without_a_symbol(
    desk: Desk,
) -> None:
    desk.venue.on("GET", "/api/v3/openOrders", answer(200, []))
    result = await desk.broker.cancel_order("mine-1")
    assert (result.state, result.code) == (OrderState.REJECTED, "unknown_order")
    assert "not among the open orders; name its symbol" in result.message
    assert desk.venue.seen("DELETE", ORDER) == []


async def test_an_unknown_order_on_cancel_may_have_filled(desk: Desk) -> None:
    desk.venue.on("DELETE", ORDER, UNKNOWN_ORDER)
    desk.venue.on("GET", ORDER, answer(200, filled()))
    desk.venue.on("GET", "/api/v3/myTrades", answer(200, [trade(7)]))
    result = await desk.broker.cancel_order("mine-1", "BTCUSDT")
    assert (result.state, result.status) == (OrderState.ACCEPTED, OrderStatus.FILLED)
    assert result.message == "nothing to cancel: Binance order 28 is FILLED"
    assert result.filled_qty == Decimal("0.01")
    assert [fill.trade_id for fill in result.fills] == ["7"]


async def test_an_order_whose_cancel_was_refused_works_on(desk: Desk) -> None:
    desk.venue.on("DELETE", ORDER, UNKNOWN_ORDER)
    desk.venue.on("GET", ORDER, answer(200, queried_order()))
    result = await desk.broker.cancel_order("mine-1", "BTCUSDT")
    assert (result.state, result.status) == (OrderState.REJECTED, OrderStatus.NEW)
    assert result.venue_code == -2011
    assert "Failed to cancel Binance order: HTTP 400" in result.message
    assert result.message.endswith("Binance order 28 is NEW")


async def test_an_order_that_nobody_knows_is_told_as_the_venue_told_it(desk: Desk) -> None:
    desk.venue.on("DELETE", ORDER, UNKNOWN_ORDER)
    result = await desk.broker.cancel_order("mine-1", "BTCUSDT")
    assert (result.state, result.code) == (OrderState.REJECTED, "unknown_order")
    assert result.message.endswith("(-2011 Unknown order sent.)")


async def test_a_cancel_without_an_answer_is_unknown(hasty: Desk) -> None:
    hasty.venue.on("DELETE", ORDER, never_answer)
    result = await hasty.broker.cancel_order("mine-1", "BTCUSDT")
    assert result.state is OrderState.UNKNOWN
    assert len(hasty.venue.seen("DELETE", ORDER)) == 1


async def test_a_cancel_that_cannot_be_looked_into_is_unknown(desk: Desk) -> None:
    desk.venue.on("DELETE", ORDER, UNKNOWN_ORDER)
    desk.venue.on("GET", ORDER, answer(503, b""))
    result = await desk.broker.cancel_order("mine-1", "BTCUSDT")
    assert result.state is OrderState.UNKNOWN


async def test_a_cancel_of_another_order_is_unknown(desk: Desk) -> None:
    desk.venue.on("DELETE", ORDER, answer(200, cancelled(origClientOrderId="other")))
    result = await desk.broker.cancel_order("mine-1", "BTCUSDT")
    assert (result.state, result.code) == (OrderState.UNKNOWN, "mismatched_reply")


@pytest.mark.parametrize("order_id", ["", "x" * 37, "a b", "28&symbol=ETHUSDT", "２８"])  # noqa: RUF001
async def test_what_cannot_be_an_id_is_a_wrong_argument(desk: Desk, order_id: str) -> None:
    with pytest.raises(ValueError, match="order id"):
        await desk.broker.cancel_order(order_id, "BTCUSDT")
    with pytest.raises(ValueError, match="order id"):
        await desk.broker.find_order("BTCUSDT", order_id)


async def test_an_order_is_found_with_its_real_fills(desk: Desk) -> None:
    desk.venue.on("GET", ORDER, answer(200, filled()))
    desk.venue.on(
        "GET",
        "/api/v3/myTrades",
        answer(200, [trade(7, "0.00400000"), trade(8, "0.00600000")]),
    )
    found = await desk.broker.find_order("BTC-USDT", "mine-1")
    assert found is not None
    assert (found.order_id, found.status) == ("28", OrderStatus.FILLED)
    assert [(fill.trade_id, fill.is_maker) for fill in found.fills] == [("7", True), ("8", True)]
    assert desk.venue.seen("GET", "/api/v3/myTrades")[0].params["orderId"] == "28"


async def test_the_trades_of_an_unfilled_order_are_not_asked_for(desk: Desk) -> None:
    desk.venue.on("GET", ORDER, answer(200, queried_order()))
    found = await desk.broker.find_order("BTCUSDT", "mine-1")
    assert found is not None
    assert found.fills == ()
    assert desk.venue.seen("GET", "/api/v3/myTrades") == []


async def test_all_pages_of_a_long_list_of_trades_are_read(desk: Desk) -> None:
    first = [trade(number, "0.00001000") for number in range(1000)]
    desk.venue.on("GET", ORDER, answer(200, filled("0.01002000") | {"origQty": "0.01002"}))
    desk.venue.then(
        "GET",
        "/api/v3/myTrades",
        answer(200, first),
        answer(200, [trade(number, "0.00001000") for number in (1000, 1001)]),
    )
    found = await desk.broker.find_order("BTCUSDT", "mine-1")
    assert found is not None
    assert len(found.fills) == 1002
    assert desk.venue.seen("GET", "/api/v3/myTrades")[1].params["fromId"] == "1000"


async def test_a_client_id_of_digits_is_still_a_client_id(desk: Desk) -> None:
    desk.venue.on("GET", ORDER, answer(200, queried_order(clientOrderId="12345")))
    found = await desk.broker.find_order("BTCUSDT", "12345")
    assert found is not None
    assert (found.order_id, found.client_order_id) == ("28", "12345")
    assert desk.venue.seen("GET", ORDER)[0].params["origClientOrderId"] == "12345"


async def test_an_order_the_venue_does_not_know_is_none(desk: Desk) -> None:
    assert await desk.broker.find_order("BTCUSDT", "mine-1") is None


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"code": -2026, "msg": "Order was canceled or expired ..."}, Rejected),
        (401, {"code": -2015, "msg": "Invalid API-key ..."}, Rejected),
        (404, b"<html>", OutcomeUnknown),
        (503, b"", OutcomeUnknown),
        (200, b"{}", Unreadable),
        (200, queried_order(clientOrderId="other"), MismatchedReply),
        (200, queried_order(executedQty="0.02000000"), Unreadable),
    ],
)
async def test_nothing_else_is_taken_for_absence(
    desk: Desk, status: int, body: Any, error: type[Exception]
) -> None:
    desk.venue.on("GET", ORDER, answer(status, body))
    desk.venue.on("GET", "/api/v3/myTrades", answer(200, [trade(7, "0.02000000")]))
    with pytest.raises(error):
        await desk.broker.find_order("BTCUSDT", "mine-1")


async def test_fills_that_lag_behind_their_order_are_not_booked_in_part(desk: Desk) -> None:
    desk.venue.on("GET", ORDER, answer(200, filled()))
    desk.venue.on("GET", "/api/v3/myTrades", answer(200, []))
    with pytest.raises(Unreadable, match="do not add up"):
        await desk.broker.find_order("BTCUSDT", "mine-1")


async def test_absence_counts_once_window_and_engine_and_lag_have_passed(desk: Desk) -> None:
    assert desk.broker.unknown_fence_seconds == 14
    assert Desk.at(desk.venue, recv_window_ms=5_000).broker.unknown_fence_seconds == 17
