"""Orders over REST: replies, cancels, queries."""

from typing import Any

import pytest

from otonom_trader.testnet import LocalTestnet
from tests.testnet.conftest import Client

ORDER = "/api/v3/order"


async def test_the_reply_type_follows_the_order_type_unless_asked_for(
    alice: Client, bob: Client
) -> None:
    await bob.limit("SELL", "1", "20000")
    limit = await alice.limit("BUY", "0.1", "20000")
    market = await alice.market("BUY", quantity="0.1")
    maker = await alice.order(
        symbol="BTCUSDT", side="BUY", type="LIMIT_MAKER", quantity="0.1", price="19000"
    )
    result = await alice.limit("BUY", "0.1", "20000", newOrderRespType="RESULT")
    assert "fills" in limit.content
    assert "fills" in market.content
    assert list(maker.content) == [
        "symbol",
        "orderId",
        "orderListId",
        "clientOrderId",
        "transactTime",
    ]
    assert "fills" not in result.content
    assert result.content["executedQty"] == "0.10000000"


async def test_a_market_buy_reports_each_fill_with_its_commission(
    alice: Client, bob: Client
) -> None:
    await bob.limit("SELL", "0.1", "20000")
    await bob.limit("SELL", "1", "20010")
    answer = await alice.market("BUY", quantity="0.3", newClientOrderId="mine")
    assert answer.content == {
        "symbol": "BTCUSDT",
        "orderId": 3,
        "orderListId": -1,
        "clientOrderId": "mine",
        "transactTime": alice.clock.time_ms(),
        "price": "0.00000000",
        "origQty": "0.30000000",
        "executedQty": "0.30000000",
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": "6002.00000000",
        "status": "FILLED",
        "timeInForce": "GTC",
        "type": "MARKET",
        "side": "BUY",
        "workingTime": alice.clock.time_ms(),
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "fills": [
            {
                "price": "20000.00000000",
                "qty": "0.10000000",
                "commission": "0.00010000",
                "commissionAsset": "BTC",
                "tradeId": 1,
            },
            {
                "price": "20010.00000000",
                "qty": "0.20000000",
                "commission": "0.00020000",
                "commissionAsset": "BTC",
                "tradeId": 2,
            },
        ],
    }


async def test_a_market_order_by_quote_quantity_shows_what_it_came_to(
    alice: Client, bob: Client
) -> None:
    await bob.limit("SELL", "1", "30000")
    answer = await alice.market("BUY", quoteOrderQty="1000")
    shown = {name: answer.content[name] for name in ("origQty", "executedQty", "status")}
    assert shown == {"origQty": "0.03333000", "executedQty": "0.03333000", "status": "FILLED"}
    assert answer.content["origQuoteOrderQty"] == "1000.00000000"
    assert answer.content["cummulativeQuoteQty"] == "999.90000000"


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
async def test_an_unfilled_remainder_says_why_it_expired(alice: Client, tif: str) -> None:
    answer = await alice.limit("BUY", "0.1", "20000", tif)
    assert answer.content["status"] == "EXPIRED"
    assert (
        answer.content["expiryReason"]
        == {
            "IOC": "UNFILLED_IOC_QUANTITY_EXPIRED",
            "FOK": "UNFILLED_FOK_ORDER_EXPIRED",
        }[tif]
    )


async def test_without_a_client_id_the_venue_makes_one(alice: Client) -> None:
    first = (await alice.limit("BUY", "0.1", "20000")).content["clientOrderId"]
    second = (await alice.limit("BUY", "0.1", "20000")).content["clientOrderId"]
    assert len(first) == len(second) == 22
    assert first != second


@pytest.mark.parametrize("in_body", [(), ("quantity", "price"), ("symbol", "quantity")])
async def test_parameters_are_taken_from_query_and_body(
    alice: Client, in_body: tuple[str, ...]
) -> None:
    parameters = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.1",
        "price": "20000",
    }
    query = "&".join(f"{k}={v}" for k, v in parameters.items() if k not in in_body)
    body = "&".join(f"{k}={parameters[k]}" for k in in_body)
    stamped = f"{query}&timestamp={alice.clock.time_ms()}"
    signature = alice.sign(stamped + body).rpartition("=")[2]
    answer = await alice.send("POST", ORDER, f"{stamped}&signature={signature}", body or None)
    assert (answer.status, answer.content["price"]) == (200, "20000.00000000")


async def test_a_cancel_may_be_sent_in_a_body(alice: Client) -> None:
    order = await alice.limit("BUY", "0.1", "20000")
    body = alice.sign(f"symbol=BTCUSDT&orderId={order.content['orderId']}")
    answer = await alice.send("DELETE", ORDER, "", body)
    assert answer.content["status"] == "CANCELED"


async def test_a_cancel_renames_the_order_and_both_names_find_it(alice: Client) -> None:
    await alice.limit("BUY", "0.1", "20000", newClientOrderId="mine")
    cancel = await alice.signed(
        "DELETE",
        ORDER,
        symbol="BTCUSDT",
        origClientOrderId="mine",
        newClientOrderId="the-cancel",
    )
    assert cancel.content["origClientOrderId"] == "mine"
    assert cancel.content["clientOrderId"] == "the-cancel"
    for name in ("mine", "the-cancel"):
        found = await alice.signed("GET", ORDER, symbol="BTCUSDT", origClientOrderId=name)
        assert found.content["clientOrderId"] == "the-cancel"
        assert found.content["status"] == "CANCELED"


async def test_a_second_cancel_finds_no_order(alice: Client) -> None:
    await alice.limit("BUY", "0.1", "20000", newClientOrderId="mine")
    cancel = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    assert (await alice.signed("DELETE", ORDER, **cancel)).status == 200
    answer = await alice.signed("DELETE", ORDER, **cancel)
    assert answer.refusal == (400, -2011, "Unknown order sent.")


async def test_a_client_id_used_again_finds_the_newer_order(alice: Client, bob: Client) -> None:
    await bob.limit("SELL", "1", "20000")
    first = await alice.limit("BUY", "0.1", "20000", newClientOrderId="mine")
    second = await alice.limit("BUY", "0.1", "20000", newClientOrderId="mine")
    assert first.content["status"] == second.content["status"] == "FILLED"
    found = await alice.signed("GET", ORDER, symbol="BTCUSDT", origClientOrderId="mine")
    assert found.content["orderId"] == second.content["orderId"]


@pytest.mark.parametrize(
    ("restriction", "filled", "passes"),
    [
        ("ONLY_NEW", False, True),
        ("ONLY_NEW", True, False),
        ("ONLY_PARTIALLY_FILLED", False, False),
        ("ONLY_PARTIALLY_FILLED", True, True),
    ],
)
async def test_a_cancel_can_be_restricted_to_a_status(
    alice: Client, bob: Client, restriction: str, *, filled: bool, passes: bool
) -> None:
    order = await alice.limit("BUY", "0.1", "20000")
    if filled:
        await bob.limit("SELL", "0.01", "20000")
    answer = await alice.signed(
        "DELETE",
        ORDER,
        symbol="BTCUSDT",
        orderId=order.content["orderId"],
        cancelRestrictions=restriction,
    )
    assert (answer.status == 200) is passes


async def test_all_open_orders_of_a_symbol_are_cancelled_at_once(
    venue: LocalTestnet, alice: Client, bob: Client
) -> None:
    for price in ("20000", "20001"):
        await alice.limit("BUY", "0.1", price)
    await bob.limit("BUY", "0.1", "19000")
    answer = await alice.signed("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    assert [order["status"] for order in answer.content] == ["CANCELED", "CANCELED"]
    assert len({order["clientOrderId"] for order in answer.content}) == 1
    states = {order["account"]: order["status"] for order in venue.truth()["orders"]}
    assert states == {"alice": "CANCELED", "bob": "NEW"}
    again = await alice.signed("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    assert again.refusal == (400, -2011, "Unknown order sent.")


async def test_a_query_shows_partial_fills(alice: Client, bob: Client) -> None:
    order = await alice.limit("BUY", "0.1", "20000", newClientOrderId="mine")
    placed_ms = alice.clock.time_ms()
    alice.clock.advance(1)
    await bob.limit("SELL", "0.04", "19000")
    answer = await alice.signed("GET", ORDER, symbol="BTCUSDT", origClientOrderId="mine")
    assert answer.content == {
        "symbol": "BTCUSDT",
        "orderId": order.content["orderId"],
        "orderListId": -1,
        "clientOrderId": "mine",
        "price": "20000.00000000",
        "origQty": "0.10000000",
        "executedQty": "0.04000000",
        "cummulativeQuoteQty": "800.00000000",
        "status": "PARTIALLY_FILLED",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": placed_ms,
        "updateTime": placed_ms + 1000,
        "isWorking": True,
        "workingTime": placed_ms,
        "origQuoteOrderQty": "0.00000000",
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


async def test_open_orders_are_those_that_work(alice: Client) -> None:
    await alice.limit("BUY", "0.1", "20000", newClientOrderId="btc")
    await alice.limit("BUY", "0.1", "20000", "IOC", newClientOrderId="gone")
    await alice.order(
        symbol="ETHUSDT",
        side="BUY",
        type="LIMIT_MAKER",
        quantity="1",
        price="1000",
        newClientOrderId="eth",
    )

    async def ids(**parameters: Any) -> list[str]:
        answer = await alice.signed("GET", "/api/v3/openOrders", **parameters)
        return [order["clientOrderId"] for order in answer.content]

    assert await ids() == ["btc", "eth"]
    assert await ids(symbol="BTCUSDT") == ["btc"]


async def test_all_orders_are_listed_from_an_id_or_within_a_day(alice: Client) -> None:
    start = alice.clock.time_ms()
    for _ in range(5):
        await alice.limit("BUY", "0.001", "20000", "IOC")
        alice.clock.advance(60)

    async def ids(**parameters: Any) -> list[int]:
        answer = await alice.signed("GET", "/api/v3/allOrders", symbol="BTCUSDT", **parameters)
        return [order["orderId"] for order in answer.content]

    assert await ids() == [1, 2, 3, 4, 5]
    assert await ids(limit=2) == [4, 5]
    assert await ids(orderId=3) == [3, 4, 5]
    assert await ids(orderId=2, limit=2) == [2, 3]
    assert await ids(startTime=start + 60_000) == [2, 3, 4, 5]
    assert await ids(startTime=start + 60_000, limit=1) == [2]
    assert await ids(endTime=start + 60_000) == [1, 2]
    assert await ids(startTime=start + 60_000, endTime=start + 120_000) == [2, 3]
    answer = await alice.signed(
        "GET",
        "/api/v3/allOrders",
        symbol="BTCUSDT",
        startTime=start - 86_400_001,
        endTime=start,
    )
    assert answer.refusal == (400, -1127, "More than 24 hours between startTime and endTime.")


ARCHIVED = (
    "Order was canceled or expired with no executed qty over 90 days ago and has been archived."
)


async def test_an_order_that_never_traded_is_archived_after_90_days(
    alice: Client, bob: Client
) -> None:
    await alice.limit("BUY", "0.1", "20000", newClientOrderId="cancelled")
    await alice.limit("BUY", "0.1", "19000", "IOC", newClientOrderId="expired")
    await alice.limit("BUY", "0.1", "21000", newClientOrderId="partly")
    await bob.limit("SELL", "0.05", "21000")
    await alice.limit("BUY", "0.1", "18000", newClientOrderId="open")
    for name in ("cancelled", "partly"):
        await alice.signed("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId=name)

    async def told(name: str) -> Any:
        answer = await alice.signed("GET", ORDER, symbol="BTCUSDT", origClientOrderId=name)
        return answer.content.get("status") or answer.refusal

    alice.clock.advance(90 * 86_400)
    assert await told("cancelled") == "CANCELED"
    alice.clock.advance(0.001)
    for name in ("cancelled", "expired"):
        assert await told(name) == (400, -2026, ARCHIVED)
    assert (await told("partly"), await told("open")) == ("CANCELED", "NEW")
    listed = (await alice.signed("GET", "/api/v3/allOrders", symbol="BTCUSDT")).content
    assert len(listed) == 4


async def test_an_order_expired_by_self_trade_prevention_is_archived_too(alice: Client) -> None:
    await alice.limit("SELL", "0.1", "20000")
    mode = {"selfTradePreventionMode": "EXPIRE_TAKER"}
    assert (await alice.limit("BUY", "0.1", "20000", **mode)).content["status"] == (
        "EXPIRED_IN_MATCH"
    )
    alice.clock.advance(91 * 86_400)
    answer = await alice.signed("GET", ORDER, symbol="BTCUSDT", orderId=2)
    assert answer.refusal == (400, -2026, ARCHIVED)


async def test_own_trades_are_selected_by_the_documented_combinations(
    alice: Client, bob: Client
) -> None:
    start = alice.clock.time_ms()
    await bob.limit("SELL", "1", "20000")
    for _ in range(3):
        await alice.limit("BUY", "0.01", "20000")
        alice.clock.advance(60)

    async def ids(**parameters: Any) -> list[int]:
        answer = await alice.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT", **parameters)
        return [trade["id"] for trade in answer.content]

    assert await ids() == [1, 2, 3]
    assert await ids(limit=2) == [2, 3]
    assert await ids(fromId=2) == [2, 3]
    assert await ids(orderId=3) == [2]
    assert await ids(orderId=3, fromId=3) == []
    assert await ids(startTime=start + 60_000) == [2, 3]
    assert await ids(endTime=start) == [1]
    assert await ids(startTime=start, endTime=start + 60_000) == [1, 2]
    for mix in ({"fromId": 1, "startTime": start}, {"orderId": 1, "endTime": start}):
        answer = await alice.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT", **mix)
        text = "Combination of optional parameters invalid."
        assert answer.refusal == (400, -1128, text)


async def test_a_trade_has_a_maker_and_a_taker_half(alice: Client, bob: Client) -> None:
    await bob.limit("SELL", "1", "20000")
    await alice.limit("BUY", "0.01", "20001")
    halves = [
        (await client.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT")).content[0]
        for client in (alice, bob)
    ]
    assert [(half["isBuyer"], half["isMaker"]) for half in halves] == [(True, False), (False, True)]
    assert [half["commission"] for half in halves] == ["0.00001000", "0.20000000"]
    assert [half["commissionAsset"] for half in halves] == ["BTC", "USDT"]
    assert halves[0]["id"] == halves[1]["id"]


async def test_the_account_shows_free_and_locked(alice: Client) -> None:
    await alice.limit("BUY", "0.5", "20000")
    answer = await alice.signed("GET", "/api/v3/account", omitZeroBalances="true")
    assert answer.content["balances"] == [
        {"asset": "BTC", "free": "10.00000000", "locked": "0.00000000"},
        {"asset": "USDT", "free": "90000.00000000", "locked": "10000.00000000"},
    ]
    everything = await alice.signed("GET", "/api/v3/account")
    assert [held["asset"] for held in everything.content["balances"]] == ["BTC", "USDT", "ETH"]


async def test_the_key_may_trade_from_one_address_and_not_withdraw(alice: Client) -> None:
    answer = await alice.signed("GET", "/sapi/v1/account/apiRestrictions")
    assert answer.status == 200
    allowed = {name for name, value in answer.content.items() if value is True}
    assert allowed == {"ipRestrict", "enableReading", "enableSpotAndMarginTrading"}


async def test_order_test_can_tell_the_commission(alice: Client) -> None:
    answer = await alice.signed(
        "POST",
        "/api/v3/order/test",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.1",
        price="20000",
        computeCommissionRates="true",
    )
    rates = {"maker": "0.00100000", "taker": "0.00100000"}
    assert answer.content["standardCommissionForOrder"] == rates


async def test_a_prevented_match_with_oneself_is_told_on_both_orders(
    alice: Client, bob: Client
) -> None:
    own = await alice.limit("SELL", "0.1", "20000")
    await bob.limit("SELL", "1", "20000")
    answer = await alice.limit("BUY", "0.3", "20000")
    assert answer.content["status"] == "FILLED"
    assert answer.content["preventedMatches"] == [
        {
            "preventedMatchId": 0,
            "makerSymbol": "BTCUSDT",
            "makerOrderId": own.content["orderId"],
            "price": "20000.00000000",
            "makerPreventedQuantity": "0.10000000",
        }
    ]
    found = await alice.signed("GET", ORDER, symbol="BTCUSDT", orderId=own.content["orderId"])
    assert found.content["status"] == "EXPIRED_IN_MATCH"
    assert found.content["preventedMatchId"] == 0
    assert found.content["preventedQuantity"] == "0.10000000"
