"""promises.md, fault 12: a reply that is not about the order asked for is trusted in nothing."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.errors import MismatchedReply, Reply, Unreadable
from otonom_trader.brokers.binance.orders.replies import (
    Asked,
    OrderName,
    cancelled_order,
    check_found,
    found_order,
    open_order,
    placed_order,
)
from otonom_trader.brokers.binance.wire import (
    CancelledOrder,
    PlacedOrder,
    QueriedOrder,
    Trade,
)
from otonom_trader.domain.order import (
    OrderRequest,
    OrderState,
    OrderStatus,
    OrderType,
    Side,
)

MINE = OrderName("mine-1")
ASKED = Asked("BTCUSDT", "mine-1", OrderRequest("BTCUSDT", "SELL", "3", "4000", "LIMIT", "IOC"))
REPLY = Reply(
    "POST /api/v3/order", 200, sent_ns=1_000, received_ns=4_000, body=b"{...}", signed_at_ms=77
)

PLACED: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "orderId": 28,
    "clientOrderId": "mine-1",
    "transactTime": 1_507_725_176_595,
    "price": "4000.00000000",
    "origQty": "3.00000000",
    "executedQty": "3.00000000",
    "cummulativeQuoteQty": "12005.00000000",
    "status": "FILLED",
    "type": "LIMIT",
    "side": "SELL",
    "fills": [
        {
            "price": "4001.00000000",
            "qty": "1.00000000",
            "commission": "4.00100000",
            "commissionAsset": "USDT",
            "tradeId": 56,
        },
        {
            "price": "4002.00000000",
            "qty": "2.00000000",
            "commission": "0.00300000",
            "commissionAsset": "BNB",
            "tradeId": 57,
        },
    ],
}

QUERIED = {
    **{key: value for key, value in PLACED.items() if key not in ("fills", "transactTime")},
    "updateTime": 1_507_725_176_600,
    "stopPrice": "0.00000000",
    "icebergQty": "0.00000000",
}

TRADES: list[dict[str, Any]] = [
    {
        "symbol": "BTCUSDT",
        "id": 56 + place,
        "orderId": 28,
        "price": "4001.00000000",
        "qty": qty,
        "quoteQty": quote,
        "commission": "4.00100000",
        "commissionAsset": "USDT",
        "time": 1_507_725_176_595,
        "isMaker": place == 1,
    }
    for place, (qty, quote) in enumerate((("1.0", "4001.0"), ("2.0", "8002.0")))
]


def placed(**changes: Any) -> PlacedOrder:
    return msgspec.convert(PLACED | changes, PlacedOrder)


def queried(**changes: Any) -> QueriedOrder:
    return msgspec.convert(QUERIED | changes, QueriedOrder)


def trades(*changes: dict[str, Any]) -> list[Trade]:
    rows = [row | change for row, change in zip(TRADES, changes, strict=False)] or TRADES
    return msgspec.convert(rows, list[Trade])


def test_a_placed_order_is_told_with_fills_and_fees_by_asset() -> None:
    result = placed_order(placed(), ASKED, REPLY)
    assert result.state is OrderState.ACCEPTED
    assert result.status is OrderStatus.FILLED
    assert (result.order_id, result.client_order_id) == ("28", "mine-1")
    assert (result.symbol, result.side) == ("BTCUSDT", Side.SELL)
    assert result.qty == result.filled_qty == 3
    assert result.quote_qty == 12_005
    assert result.avg_price == Decimal(12_005) / 3
    assert [(fill.trade_id, fill.qty, fill.quote_qty) for fill in result.fills] == [
        ("56", Decimal(1), Decimal(4_001)),
        ("57", Decimal(2), Decimal(8_004)),
    ]
    assert [(fill.fee, fill.fee_asset) for fill in result.fills] == [
        (Decimal("4.001"), "USDT"),
        (Decimal("0.003"), "BNB"),
    ]
    assert result.transact_time is not None
    assert result.transact_time.isoformat() == "2017-10-11T12:32:56.595000+00:00"
    assert result.signed_at_ms == 77
    assert result.stages_ns == {"sign_to_ack": 3_000}
    assert result.raw == "{...}"


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "ETHUSDT"},
        {"clientOrderId": "mine-2"},
        {"side": "BUY"},
        {"type": "MARKET"},
        {"origQty": "3.00000001"},
        {"price": "4000.01000000"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_reply_about_another_order_is_a_mismatch(change: dict[str, str]) -> None:
    with pytest.raises(MismatchedReply, match="another order's"):
        placed_order(placed(**change), ASKED, REPLY)


@pytest.mark.parametrize(
    "change",
    [
        {"executedQty": "2.00000000"},
        {"fills": []},
        {"executedQty": "4.00000000"},
        {"executedQty": "-1.00000000", "fills": []},
    ],
)
def test_a_reply_that_contradicts_itself_is_not_believed(change: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        placed_order(placed(**change), ASKED, REPLY)


@pytest.mark.parametrize("name", ["price", "origQty", "executedQty", "cummulativeQuoteQty"])
@pytest.mark.parametrize("text", ["NaN", "1e5", "", "4000,0"])
def test_a_number_that_is_none_makes_the_reply_unreadable(name: str, text: str) -> None:
    with pytest.raises(Unreadable):
        placed_order(placed(**{name: text}), ASKED, REPLY)


def test_the_zero_price_of_a_market_order_is_no_price() -> None:
    asked = Asked("BTCUSDT", "mine-1", OrderRequest("BTCUSDT", "SELL", "3", "4000"))
    reply = placed(type="MARKET", price="0.00000000")
    assert placed_order(reply, asked, REPLY).price is None


def test_an_expired_order_without_a_fill_is_accepted_and_empty() -> None:
    reply = placed(
        status="EXPIRED", executedQty="0.00000000", cummulativeQuoteQty="0.00000000", fills=[]
    )
    result = placed_order(reply, ASKED, REPLY)
    assert (result.state, result.status) == (OrderState.ACCEPTED, OrderStatus.EXPIRED)
    assert result.filled_qty == 0
    assert result.avg_price is None
    assert result.fills == ()


def test_an_order_the_engine_rejected_is_rejected() -> None:
    reply = placed(
        status="REJECTED", executedQty="0.00000000", cummulativeQuoteQty="0.00000000", fills=[]
    )
    assert placed_order(reply, ASKED, REPLY).state is OrderState.REJECTED


def test_a_found_order_is_told_with_its_trades() -> None:
    result = found_order(queried(), trades(), "BTCUSDT", MINE, REPLY)
    assert result.filled_qty == sum(fill.qty for fill in result.fills)
    assert [(fill.trade_id, fill.is_maker) for fill in result.fills] == [
        ("56", False),
        ("57", True),
    ]


@pytest.mark.parametrize("rows", [[], trades()[:1], trades() + trades()[:1]])
def test_trades_that_do_not_add_up_yet_are_not_booked(rows: list[Trade]) -> None:
    with pytest.raises(Unreadable, match="do not add up"):
        found_order(queried(), rows, "BTCUSDT", MINE, REPLY)


@pytest.mark.parametrize("change", [{"orderId": 29}, {"symbol": "ETHUSDT"}])
def test_a_trade_of_another_order_is_a_mismatch(change: dict[str, Any]) -> None:
    with pytest.raises(MismatchedReply):
        found_order(queried(), trades({}, change), "BTCUSDT", MINE, REPLY)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"clientOrderId": "other"}, MINE),
        ({"symbol": "ETHUSDT"}, MINE),
        ({}, OrderName("29", is_client_id=False)),
        ({}, OrderName("28")),
        ({"clientOrderId": "28", "orderId": 29}, OrderName("28", is_client_id=False)),
    ],
)
def test_another_order_than_asked_for_is_a_mismatch(
    change: dict[str, Any], name: OrderName
) -> None:
    with pytest.raises(MismatchedReply):
        found_order(queried(**change), trades(), "BTCUSDT", name, REPLY)


def test_a_cancelled_order_is_known_by_the_id_it_had() -> None:
    reply = queried(
        status="CANCELED",
        clientOrderId="the-cancels-id",
        executedQty="0.0",
        cummulativeQuoteQty="0.0",
    )
    result = found_order(reply, [], "BTCUSDT", MINE, REPLY)
    assert (result.client_order_id, result.status) == ("mine-1", OrderStatus.CANCELED)


def test_where_the_venue_forgot_the_quote_the_trades_tell_it() -> None:
    result = found_order(queried(cummulativeQuoteQty="-1.0"), trades(), "BTCUSDT", MINE, REPLY)
    assert result.quote_qty == Decimal(12_003)


def test_a_working_order_is_told_without_fills() -> None:
    result = open_order(queried(status="PARTIALLY_FILLED", executedQty="1.0"))
    assert result.status is OrderStatus.PARTIALLY_FILLED
    assert result.filled_qty == 1
    assert result.fills == ()


@pytest.mark.parametrize("name", [OrderName.parse("28"), OrderName.parse("mine-1")])
def test_a_cancel_is_told_under_the_orders_own_id(name: OrderName) -> None:
    reply = msgspec.convert(
        PLACED
        | {
            "status": "CANCELED",
            "clientOrderId": "the-cancels-id",
            "origClientOrderId": "mine-1",
            "executedQty": "1.0",
        },
        CancelledOrder,
    )
    result = cancelled_order(reply, "BTCUSDT", name, REPLY)
    assert (result.order_id, result.client_order_id) == ("28", "mine-1")
    assert result.status is OrderStatus.CANCELED
    assert result.filled_qty == 1
    with pytest.raises(MismatchedReply):
        cancelled_order(reply, "BTCUSDT", OrderName("other"), REPLY)
    with pytest.raises(MismatchedReply):
        cancelled_order(reply, "ETHUSDT", name, REPLY)


def test_an_order_found_under_our_id_must_be_ours() -> None:
    found = found_order(queried(), trades(), "BTCUSDT", MINE, REPLY)
    check_found(found, ASKED)
    other = Asked("BTCUSDT", "mine-1", OrderRequest("BTCUSDT", "SELL", "4", "4000", "LIMIT"))
    with pytest.raises(MismatchedReply, match=r"mine-1 at Binance has quantity 3\.0*, not 4$"):
        check_found(found, other)


STOP_LIMIT = OrderRequest(
    *("BTCUSDT", "SELL", "3", "4000", "STOP_LOSS_LIMIT"),
    stop_price="4100.10",
    trailing_delta_bps=50,
    iceberg_qty="1.5",
)
STOPPED = {
    "type": "STOP_LOSS_LIMIT",
    "stopPrice": "4100.10000000",
    "trailingDelta": 50,
    "icebergQty": "1.50000000",
}


def test_a_stop_and_an_iceberg_are_told_as_they_were_asked_for() -> None:
    asked = Asked("BTCUSDT", "mine-1", STOP_LIMIT)
    for result in (
        placed_order(placed(**STOPPED), asked, REPLY),
        found_order(queried(**STOPPED), trades(), "BTCUSDT", MINE, REPLY),
    ):
        assert result.order_type is OrderType.STOP_LOSS_LIMIT
        assert (result.price, result.stop_price) == (Decimal(4000), Decimal("4100.1"))
        assert (result.trailing_delta_bps, result.iceberg_qty) == (50, Decimal("1.5"))
        check_found(result, asked)


def test_an_order_without_stop_or_iceberg_has_none() -> None:
    for result in (
        placed_order(placed(), ASKED, REPLY),
        open_order(queried(stopPrice="0.00000000")),
    ):
        assert result.order_type is OrderType.LIMIT
        assert (result.stop_price, result.trailing_delta_bps, result.iceberg_qty) == (None,) * 3


def test_an_order_of_a_type_nobody_knows_yet_is_told_without_it() -> None:
    assert open_order(queried(type="BRAND_NEW")).order_type is None


@pytest.mark.parametrize(
    "change",
    [
        {"type": "TAKE_PROFIT_LIMIT"},
        {"stopPrice": "4100.11000000"},
        {"stopPrice": "0.00000000"},
        {"trailingDelta": 51},
        {"trailingDelta": None},
        {"icebergQty": "1.00000000"},
        {"icebergQty": "0.00000000"},
    ],
    ids=str,
)
def test_another_stop_or_iceberg_than_asked_for_is_a_mismatch(change: dict[str, Any]) -> None:
    asked = Asked("BTCUSDT", "mine-1", STOP_LIMIT)
    with pytest.raises(MismatchedReply, match="another order's"):
        placed_order(placed(**STOPPED | change), asked, REPLY)
    found = found_order(queried(**STOPPED | change), trades(), "BTCUSDT", MINE, REPLY)
    with pytest.raises(MismatchedReply, match="at Binance has"):
        check_found(found, asked)


def test_an_iceberg_that_was_not_asked_for_is_a_mismatch() -> None:
    with pytest.raises(MismatchedReply, match="iceberg quantity"):
        placed_order(placed(icebergQty="1.00000000"), ASKED, REPLY)


@given(st.data())
def test_no_change_of_an_asked_field_goes_unseen(data: st.DataObject) -> None:
    name = data.draw(
        st.sampled_from(["symbol", "clientOrderId", "side", "type", "origQty", "price"])
    )
    told = data.draw(
        st.sampled_from(["BUY", "SELL"])
        if name == "side"
        else st.text("0123456789.ABC", max_size=8)
    )
    reply = placed(**{name: told})
    try:
        placed_order(reply, ASKED, REPLY)
    except (MismatchedReply, Unreadable):
        assert told != PLACED[name]
    else:
        same = told == PLACED[name]
        assert same or Decimal(told) == Decimal(PLACED[name])
