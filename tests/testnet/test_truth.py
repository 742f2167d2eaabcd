"""The control interface's account of what really happened."""

import asyncio
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from tests.testnet.conftest import Client
from tests.testnet.test_reply_shapes import BTC, LIMIT, OCO


async def test_the_truth_shows_orders_by_both_client_ids_and_their_fills(
    alice: Client, bob: Client
) -> None:
    now = alice.clock.time_ms()
    await bob.limit("SELL", "0.1", "20000", newClientOrderId="ask")
    await alice.limit("BUY", "0.3", "20000", newClientOrderId="bid")
    await alice.signed(
        "DELETE",
        "/api/v3/order",
        symbol="BTCUSDT",
        origClientOrderId="bid",
        newClientOrderId="the-cancel",
    )
    truth = await alice.truth()
    bid = next(order for order in truth["orders"] if order["account"] == "alice")
    assert bid == {
        "account": "alice",
        "symbol": "BTCUSDT",
        "orderId": 2,
        "clientOrderId": "the-cancel",
        "origClientOrderId": "bid",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "status": "CANCELED",
        "price": "20000.00000000",
        "origQty": "0.30000000",
        "origQuoteOrderQty": "0.00000000",
        "executedQty": "0.10000000",
        "cummulativeQuoteQty": "2000.00000000",
        "time": now,
        "updateTime": now,
    }
    fill = next(fill for fill in truth["fills"] if fill["account"] == "alice")
    assert fill == {
        "account": "alice",
        "symbol": "BTCUSDT",
        "tradeId": 1,
        "orderId": 2,
        "clientOrderId": "the-cancel",
        "origClientOrderId": "bid",
        "side": "BUY",
        "price": "20000.00000000",
        "qty": "0.10000000",
        "quoteQty": "2000.00000000",
        "commission": "0.00010000",
        "commissionAsset": "BTC",
        "isMaker": False,
        "time": now,
    }
    assert truth["balances"]["alice"]["USDT"] == {"free": "98000.00000000", "locked": "0.00000000"}
    for asset, issued in truth["issued"].items():
        held = [parts[asset] for parts in truth["balances"].values() if asset in parts]
        total = sum(Decimal(part["free"]) + Decimal(part["locked"]) for part in held)
        assert total == Decimal(issued)


async def test_every_order_request_is_on_record_with_its_times(alice: Client) -> None:
    signed_ms = alice.clock.time_ms()
    query = alice.sign(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=20000"
        f"&newClientOrderId=mine&timestamp={signed_ms}123"
    )
    alice.clock.advance(1.5)
    await alice.send("POST", "/api/v3/order", query)
    await alice.send("POST", "/api/v3/order", query)
    alice.clock.advance(5)
    await alice.send("POST", "/api/v3/order", query)
    await alice.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine")
    await alice.signed("GET", "/api/v3/openOrders")
    requests = (await alice.truth())["requests"]
    assert [(r["method"], r["status"], r["code"], r["accepted"]) for r in requests] == [
        ("POST", 200, None, True),
        ("POST", 400, -2010, False),
        ("POST", 400, -1021, False),
        ("DELETE", 200, None, True),
    ]
    assert requests[0] == {
        "time": signed_ms + 1500,
        "timestamp": signed_ms,
        "method": "POST",
        "path": "/api/v3/order",
        "account": "alice",
        "symbol": "BTCUSDT",
        "clientOrderId": "mine",
        "orderId": 1,
        "accepted": True,
        "orders": [{"orderId": 1, "clientOrderId": "mine", "execution": "NEW"}],
        "status": 200,
        "code": None,
        "trueStatus": 200,
        "trueCode": None,
        "fault": None,
    }
    assert [(r["time"] - r["timestamp"], r["orderId"]) for r in requests[1:]] == [
        (1500, None),
        (6500, None),
        (0, 1),
    ]


async def test_order_test_is_on_record_and_never_accepted(alice: Client) -> None:
    await alice.signed(
        "POST",
        "/api/v3/order/test",
        symbol="BTCUSDT",
        side="BUY",
        type="MARKET",
        quantity="0.1",
    )
    requests = (await alice.truth())["requests"]
    assert [(r["path"], r["status"], r["accepted"]) for r in requests] == [
        ("/api/v3/order/test", 200, False)
    ]


async def last_request(client: Client) -> dict[str, Any]:
    return dict((await client.truth())["requests"][-1])


def done(request: dict[str, Any]) -> list[tuple[str, str]]:
    return [(order["clientOrderId"], order["execution"]) for order in request["orders"]]


REPLACE = LIMIT | {"price": "20001", "newClientOrderId": "new"}
OLD_CANCELED = ("old", "CANCELED")


@pytest.mark.parametrize(
    ("mode", "cancel", "changes", "accepted", "orders"),
    [
        ("STOP_ON_FAILURE", "old", {}, True, [OLD_CANCELED, ("new", "NEW")]),
        ("STOP_ON_FAILURE", "old", {"quantity": "10"}, False, [OLD_CANCELED]),
        ("STOP_ON_FAILURE", "none", {}, False, []),
        ("ALLOW_FAILURE", "none", {}, True, [("new", "NEW")]),
    ],
)
async def test_a_cancel_replace_is_known_by_its_new_order_and_tells_of_both(
    alice: Client,
    mode: str,
    cancel: str,
    changes: dict[str, str],
    *,
    accepted: bool,
    orders: list[tuple[str, str]],
) -> None:
    await alice.order(**LIMIT, price="20000", newClientOrderId="old")
    asked = {"cancelReplaceMode": mode, "cancelOrigClientOrderId": cancel}
    answer = await alice.signed("POST", "/api/v3/order/cancelReplace", **REPLACE | asked | changes)
    request = await last_request(alice)
    assert (request["clientOrderId"], request["accepted"]) == ("new", accepted)
    assert request["orderId"] == (2 if accepted else None)
    assert done(request) == orders
    assert request["status"] == answer.status


async def test_a_list_tells_of_all_its_orders(alice: Client, bob: Client) -> None:
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000")
    legs = {"aboveClientOrderId": "above", "belowClientOrderId": "below"}
    await alice.signed("POST", "/api/v3/orderList/oco", **OCO | legs)
    request = await last_request(alice)
    assert (request["clientOrderId"], request["accepted"]) == ("below", True)
    assert done(request) == [("below", "NEW"), ("above", "NEW")]
    await alice.signed("DELETE", "/api/v3/orderList", **BTC, orderListId=0)
    assert done(await last_request(alice)) == [("below", "CANCELED"), ("above", "CANCELED")]


async def test_cancelling_all_orders_tells_of_each(alice: Client) -> None:
    for name in ("one", "two"):
        await alice.order(**LIMIT, price="20000", newClientOrderId=name)
    await alice.signed("DELETE", "/api/v3/openOrders", **BTC)
    request = await last_request(alice)
    assert done(request) == [("one", "CANCELED"), ("two", "CANCELED")]
    assert [order["orderId"] for order in request["orders"]] == [1, 2]
    assert (request["clientOrderId"], request["orderId"]) == ("one", 1)


async def test_an_amendment_tells_what_the_order_is_called_now(alice: Client) -> None:
    await alice.order(**LIMIT, price="20000", newClientOrderId="old")
    change = BTC | {"origClientOrderId": "old", "newQty": "0.05", "newClientOrderId": "new"}
    await alice.signed("PUT", "/api/v3/order/amend/keepPriority", **change)
    assert done(await last_request(alice)) == [("new", "REPLACED")]


@pytest.mark.parametrize(
    ("fault", "more", "told", "true"),
    [
        ("error_1007", {}, (504, -1007), (200, None)),
        ("error_1006", {"executed": False}, (500, -1006), (None, None)),
        ("rate_429", {}, (429, -1003), (None, None)),
        ("http_503", {}, (503, None), (200, None)),
        ("html_403", {"executed": False}, (403, None), (None, None)),
        ("truncate_json", {}, (200, None), (200, None)),
        ("wrong_reply", {}, (200, None), (200, None)),
        ("drop_before", {}, (None, None), (None, None)),
        ("drop_after", {}, (None, None), (200, None)),
        ("no_answer_after", {}, (None, None), (200, None)),
    ],
)
@pytest.mark.parametrize("is_good", [True, False])
async def test_what_the_client_is_told_is_kept_beside_what_was_so(
    alice: Client,
    fault: str,
    more: dict[str, Any],
    told: tuple[int | None, int | None],
    true: tuple[int | None, int | None],
    *,
    is_good: bool,
) -> None:
    await alice.order_fault(fault, **more)
    price = "20000" if is_good else "20000.001"
    with suppress(aiohttp.ClientError, TimeoutError, json.JSONDecodeError):
        await asyncio.wait_for(alice.order(**LIMIT, price=price), 0.2)
    request = await last_request(alice)
    if not is_good:
        told = (400, -1013) if told == (200, None) else told
        true = (400, -1013) if true == (200, None) else true
    assert (request["status"], request["code"]) == told
    assert (request["trueStatus"], request["trueCode"]) == true
    assert request["accepted"] is (true == (200, None))


async def test_an_unknown_control_path_is_refused_with_what_there_is(alice: Client) -> None:
    answer = await alice.get("/testnet/lies")
    assert answer.status == 404
    assert "GET /testnet/truth" in answer.content["error"]
