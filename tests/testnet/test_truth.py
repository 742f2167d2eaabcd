"""The control interface's account of what really happened."""

from decimal import Decimal

from tests.testnet.conftest import Client


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
        "status": 200,
        "code": None,
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


async def test_an_unknown_control_path_is_refused_with_what_there_is(alice: Client) -> None:
    answer = await alice.get("/testnet/lies")
    assert answer.status == 404
    assert "GET /testnet/truth" in answer.content["error"]
