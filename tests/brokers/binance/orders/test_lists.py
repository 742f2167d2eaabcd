"""Pairs: two orders at the venue, one order here."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.errors import MismatchedReply, Reply
from otonom_trader.brokers.binance.orders.lists import (
    as_news,
    list_params,
    orders_of,
    own_id,
    pair,
    placed_list,
    stop_id,
    without_stops,
)
from otonom_trader.brokers.binance.orders.replies import Asked
from otonom_trader.brokers.binance.wire import PlacedList, ReportedOrder
from otonom_trader.domain.order import (
    OrderRequest,
    OrderResult,
    OrderState,
    OrderStatus,
    OrderType,
    Side,
)

SELL = OrderRequest("BTCUSDT", "SELL", "0.5", "110", "OCO", stop_price="90")
BUY = OrderRequest("BTCUSDT", "BUY", "0.5", "90", "OCO", stop_price="110")
ENDED = {OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED}


def leg(status: OrderStatus, filled: str = "0", number: int = 1) -> OrderResult:
    return OrderResult(
        OrderState.REJECTED if status is OrderStatus.REJECTED else OrderState.ACCEPTED,
        symbol="BTCUSDT",
        side=Side.SELL,
        order_id=str(number),
        client_order_id="mine" if number == 1 else stop_id("mine"),
        status=status,
        qty=Decimal("0.5"),
        filled_qty=Decimal(filled),
        quote_qty=Decimal(filled) * 100,
    )


def test_what_is_sent_names_the_limit_and_the_stop_by_their_side_of_the_market() -> None:
    sent = dict(list_params(Asked("BTCUSDT", "mine", SELL)))
    assert sent == {
        "symbol": "BTCUSDT",
        "listClientOrderId": "mine-list",
        "side": "SELL",
        "quantity": "0.5",
        "aboveType": "LIMIT_MAKER",
        "abovePrice": "110",
        "aboveClientOrderId": "mine",
        "belowType": "STOP_LOSS",
        "belowStopPrice": "90",
        "belowClientOrderId": "mine-stop",
    }
    bought = dict(list_params(Asked("BTCUSDT", "mine", BUY)))
    assert (bought["belowPrice"], bought["aboveStopPrice"]) == ("90", "110")


def test_the_venue_works_a_limit_and_a_stop() -> None:
    limit, stop = orders_of(SELL)
    assert (limit.order_type, limit.price, limit.stop_price) == (
        OrderType.LIMIT_MAKER,
        Decimal(110),
        None,
    )
    assert (stop.order_type, stop.price, stop.stop_price) == (
        OrderType.STOP_LOSS,
        None,
        Decimal(90),
    )
    assert orders_of(limit) == (limit,)


@pytest.mark.parametrize(
    ("limit", "stop", "status"),
    [
        (leg(OrderStatus.NEW), leg(OrderStatus.NEW), OrderStatus.NEW),
        (leg(OrderStatus.FILLED, "0.5"), leg(OrderStatus.EXPIRED), OrderStatus.FILLED),
        (leg(OrderStatus.EXPIRED), leg(OrderStatus.FILLED, "0.5"), OrderStatus.FILLED),
        # Asked one after the other: the limit has not been told of its end yet.
        (leg(OrderStatus.NEW), leg(OrderStatus.FILLED, "0.5"), OrderStatus.FILLED),
        (
            leg(OrderStatus.PARTIALLY_FILLED, "0.2"),
            leg(OrderStatus.EXPIRED),
            OrderStatus.PARTIALLY_FILLED,
        ),
        (leg(OrderStatus.CANCELED, "0.2"), leg(OrderStatus.EXPIRED), OrderStatus.CANCELED),
        (leg(OrderStatus.CANCELED), leg(OrderStatus.CANCELED), OrderStatus.CANCELED),
        (leg(OrderStatus.EXPIRED), leg(OrderStatus.EXPIRED, "0.1"), OrderStatus.EXPIRED),
        (leg(OrderStatus.EXPIRED), leg(OrderStatus.REJECTED), OrderStatus.EXPIRED),
    ],
)
def test_a_pair_is_where_its_two_orders_are(
    limit: OrderResult, stop: OrderResult, status: OrderStatus
) -> None:
    whole = pair(limit, replace(stop, stop_price=Decimal(90)))
    assert (whole.status, whole.state) == (status, OrderState.ACCEPTED)
    assert whole.filled_qty == limit.filled_qty + stop.filled_qty
    assert (whole.order_type, whole.stop_price) == (OrderType.OCO, Decimal(90))


def test_a_pair_of_which_both_were_refused_was_refused() -> None:
    refused = pair(leg(OrderStatus.REJECTED), leg(OrderStatus.REJECTED, number=2))
    assert (refused.state, refused.status) == (OrderState.REJECTED, OrderStatus.REJECTED)


@given(st.sampled_from(OrderStatus), st.sampled_from(["0", "0.2"]), st.sampled_from([1, 2]))
def test_news_of_one_never_end_the_pair_unless_all_is_filled(
    status: OrderStatus, filled: str, number: int
) -> None:
    news = as_news(leg(status, filled, number))
    assert (news.client_order_id, news.order_id) == ("mine", None)
    assert news.status is not None
    assert not news.status.terminal
    assert as_news(leg(status, "0.5", number)).status is OrderStatus.FILLED


def test_a_working_pair_is_listed_once_under_its_own_id() -> None:
    limit, stop = leg(OrderStatus.NEW), leg(OrderStatus.NEW, number=2)
    other = replace(leg(OrderStatus.NEW), client_order_id="another", order_id="3")
    assert without_stops([stop, other, limit]) == [other, limit]
    assert without_stops([stop]) == [replace(stop, client_order_id="mine")]
    assert own_id("another") == "another"


def report(client_order_id: str, kind: str, **terms: str) -> ReportedOrder:
    return ReportedOrder(
        symbol="BTCUSDT",
        order_id=len(client_order_id),
        client_order_id=client_order_id,
        price=terms.get("price", "0.00"),
        orig_qty="0.50000000",
        executed_qty="0.00000000",
        cummulative_quote_qty="0.00000000",
        status=OrderStatus.NEW,
        type=kind,
        side=Side.SELL,
        stop_price=terms.get("stop_price"),
        transact_time=1_790_000_000_000,
    )


def test_a_reply_about_another_list_is_not_believed() -> None:
    asked, reply = Asked("BTCUSDT", "mine", SELL), Reply("POST", 200, 0, 1)
    limit = report("mine", "LIMIT_MAKER", price="110.00")
    stop = report("mine-stop", "STOP_LOSS", stop_price="90.00")
    assert placed_list(PlacedList([stop, limit]), asked, reply).order_id == str(len("mine"))
    for reports in ([limit], [limit, report("other-stop", "STOP_LOSS", stop_price="90.00")],
                    [limit, report("mine-stop", "STOP_LOSS", stop_price="91.00")]):  # fmt: skip
        with pytest.raises(MismatchedReply):
            placed_list(PlacedList(reports), asked, reply)
