"""What a rehearsal can change by hand: the clock, keys, symbols, orders and balances."""

import json
from typing import Any

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, ManualClock
from tests.testnet.conftest import ALICE, Answer, Client
from tests.testnet.test_reply_shapes import OTO
from tests.testnet.wire import Signer, wire


async def post(client: Client, path: str, content: Any, method: str = "POST") -> Answer:
    return await client.send(method, f"/testnet/{path}", body=json.dumps(content))


@pytest.mark.parametrize("skew_ms", [7000, -7000])
async def test_the_venues_clock_can_be_off(alice: Client, clock: ManualClock, skew_ms: int) -> None:
    real = clock.time_ms()
    answer = await post(alice, "clock", {"skew_ms": skew_ms})
    assert answer.content == {"skew_ms": skew_ms, "serverTime": real + skew_ms}
    assert (await alice.get("/api/v3/time")).content == {"serverTime": real + skew_ms}
    refused = await alice.limit("BUY", "0.1", "20000")
    assert refused.refusal == (
        400,
        -1021,
        "Timestamp for this request is outside of the recvWindow."
        if skew_ms > 0
        else "Timestamp for this request was 1000ms ahead of the server's time.",
    )
    placed = await alice.limit("BUY", "0.1", "20000", timestamp=real + skew_ms)
    assert placed.content["transactTime"] == real + skew_ms
    assert [order["time"] for order in (await alice.truth())["orders"]] == [real + skew_ms]
    await post(alice, "clock", {"skew_ms": 0})
    assert (await alice.limit("BUY", "0.1", "20000")).status == 200


async def test_the_websocket_api_tells_the_same_time(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, clock: ManualClock
) -> None:
    await post(alice, "clock", {"skew_ms": 7000})
    async with wire(session, venue.url, "/ws-api/v3") as api:
        assert (await api.call("time"))["result"]["serverTime"] == clock.time_ms() + 7000
        refused = await api.ask(Signer(ALICE, clock).request("account.status"))
        assert refused["error"]["code"] == -1021


@pytest.mark.parametrize(
    "content", [{}, {"skew_ms": "1"}, {"skew_ms": True}, {"skew_ms": 1.5}, {"skew_ms": 10**9}]
)
async def test_a_skew_that_is_none_is_refused(alice: Client, content: dict[str, Any]) -> None:
    assert (await post(alice, "clock", content)).status == 400


async def test_a_key_can_be_revoked_and_given_back(alice: Client) -> None:
    answer = await post(alice, "keys/alice-key", {"revoked": True})
    assert answer.content["revoked"] is True
    refused = await alice.limit("BUY", "0.1", "20000")
    assert refused.refusal == (401, -2015, "Invalid API-key, IP, or permissions for action.")
    assert (await alice.truth())["orders"] == []
    await post(alice, "keys/alice-key", {"revoked": False})
    assert (await alice.limit("BUY", "0.1", "20000")).status == 200


async def test_a_key_can_get_the_right_to_withdraw(alice: Client) -> None:
    path = "/sapi/v1/account/apiRestrictions"
    before = (await alice.signed("GET", path)).content
    assert (before["enableWithdrawals"], before["ipRestrict"]) == (False, True)
    await post(alice, "keys/alice-key", {"can_withdraw": True, "ip_restricted": False})
    after = (await alice.signed("GET", path)).content
    assert (after["enableWithdrawals"], after["ipRestrict"]) == (True, False)


@pytest.mark.parametrize(
    ("path", "content", "status", "problem"),
    [
        ("keys/nobody", {"revoked": True}, 404, "there is no key 'nobody'"),
        ("keys/alice-key", {"revoked": 1}, 400, "revoked must be true or false"),
        ("keys/alice-key", {"colour": True}, 400, "ip_restricted: colour is none of them"),
        ("keys/alice-key", {}, 400, "ip_restricted: none is given"),
        ("symbols/NOSUCH", {"status": "HALT"}, 404, "symbol 'NOSUCH' is not listed here"),
        ("symbols/BTCUSDT", {"status": "ASLEEP"}, 400, "ASLEEP"),
        ("symbols/BTCUSDT", {"colour": "red"}, 400, "the fields are status and filters"),
        ("symbols/BTCUSDT", {}, 400, "the fields are status and filters"),
        ("symbols/BTCUSDT", {"filters": 5}, 400, "filter"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_in_words(
    alice: Client, path: str, content: dict[str, Any], status: int, problem: str
) -> None:
    answer = await post(alice, path, content)
    assert answer.status == status
    assert problem in answer.content["error"]


async def test_a_symbol_can_be_halted(alice: Client) -> None:
    answer = await post(alice, "symbols/BTCUSDT", {"status": "HALT"})
    assert answer.content["status"] == "HALT"
    refused = await alice.limit("BUY", "0.1", "20000")
    assert refused.refusal[:2] == (400, -2010)
    info = (await alice.get("/api/v3/exchangeInfo", symbol="BTCUSDT")).content
    assert info["symbols"][0]["status"] == "HALT"
    assert (await alice.truth())["orders"] == []
    await post(alice, "symbols/BTCUSDT", {"status": "TRADING"})
    assert (await alice.limit("BUY", "0.1", "20000")).status == 200


async def test_a_symbols_filters_can_change(alice: Client) -> None:
    info = (await alice.get("/api/v3/exchangeInfo", symbol="BTCUSDT")).content
    filters = {entry["filterType"]: entry for entry in info["symbols"][0]["filters"]}
    wider = filters["LOT_SIZE"] | {"minQty": "0.50000000"}
    assert (await post(alice, "symbols/BTCUSDT", {"filters": [wider]})).status == 200
    refused = await alice.limit("BUY", "0.1", "20000")
    assert refused.refusal == (400, -1013, "Filter failure: LOT_SIZE")
    info = (await alice.get("/api/v3/exchangeInfo", symbol="BTCUSDT")).content
    assert wider in info["symbols"][0]["filters"]
    assert len(info["symbols"][0]["filters"]) == len(filters)


async def test_another_participant_can_trade_by_hand(alice: Client) -> None:
    await alice.limit("BUY", "0.3", "20000", newClientOrderId="mine")
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": 0.1}
    answer = await post(alice, "orders", order)
    assert (answer.status, answer.content["status"]) == (200, "FILLED")
    truth = await alice.truth()
    assert truth["orders"][0]["executedQty"] == "0.10000000"
    assert [fill["account"] for fill in truth["fills"]] == ["alice"]
    assert truth["balances"]["by-hand"]["BTC"]["free"] == "999999.90000000"
    assert truth["requests"][-1]["clientOrderId"] == "mine"


async def test_a_participants_order_can_rest_and_be_cancelled(alice: Client) -> None:
    order = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.1",
        "price": "21000",
        "newClientOrderId": "wall",
    }
    assert (await post(alice, "orders", order)).content["status"] == "NEW"
    depth = (await alice.get("/api/v3/depth", symbol="BTCUSDT")).content
    assert depth["asks"] == [["21000.00000000", "0.10000000"]]
    cancel = {"symbol": "BTCUSDT", "origClientOrderId": "wall"}
    answer = await post(alice, "orders", cancel, method="DELETE")
    assert answer.content["status"] == "CANCELED"


async def test_an_order_can_be_placed_by_hand_in_a_clients_account(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, clock: ManualClock
) -> None:
    async with wire(session, venue.url, "/ws-api/v3") as api:
        await api.ask(Signer(ALICE, clock).request("userDataStream.subscribe.signature"))
        order = {
            "account": "alice",
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.1",
            "price": "20000",
            "newClientOrderId": "from-the-app",
        }
        assert (await post(alice, "orders", order)).status == 200
        assert (await api.hear())["event"]["c"] == "from-the-app"
    found = (await alice.signed("GET", "/api/v3/openOrders")).content
    assert [entry["clientOrderId"] for entry in found] == ["from-the-app"]


async def test_what_is_free_can_be_locked_from_outside_and_released(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, clock: ManualClock
) -> None:
    async with wire(session, venue.url, "/ws-api/v3") as api:
        await api.ask(Signer(ALICE, clock).request("userDataStream.subscribe.signature"))
        lock = {"account": "alice", "asset": "USDT", "amount": "99000"}
        assert (await post(alice, "locks", lock)).content == {}
        now = clock.time_ms()
        assert (await api.hear())["event"] == {
            "e": "externalLockUpdate",
            "E": now,
            "a": "USDT",
            "d": "99000.00000000",
            "T": now,
        }
        assert (await api.hear())["event"]["B"] == [
            {"a": "USDT", "f": "1000.00000000", "l": "99000.00000000"}
        ]
        refused = await alice.limit("BUY", "0.1", "20000")
        assert refused.content["code"] == -2010
        assert (await alice.limit("BUY", "0.01", "20000")).status == 200
        # What an order locks is not released from outside.
        assert (await post(alice, "locks", lock | {"amount": "-99000.5"})).status == 400
        assert (await post(alice, "locks", lock | {"amount": "-99000"})).status == 200
        told = [(await api.hear())["event"] for _ in range(4)]
        assert [(event["e"], event.get("d")) for event in told[2:]] == [
            ("externalLockUpdate", "-99000.00000000"),
            ("outboundAccountPosition", None),
        ]
    truth = await alice.truth()
    assert truth["balances"]["alice"]["USDT"] == {
        "free": "99800.00000000",
        "locked": "200.00000000",
    }


async def test_the_venue_itself_can_end_an_order(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, clock: ManualClock
) -> None:
    await alice.limit("BUY", "0.1", "20000", newClientOrderId="mine")
    async with wire(session, venue.url, "/ws-api/v3") as api:
        await api.ask(Signer(ALICE, clock).request("userDataStream.subscribe.signature"))
        by_id = {"account": "alice", "symbol": "BTCUSDT", "origClientOrderId": "mine"}
        answer = await post(
            alice, "orders", by_id | {"reason": "EXCHANGE_CANCELED"}, method="DELETE"
        )
        assert (answer.status, answer.content["status"]) == (200, "EXPIRED")
        report, position = [(await api.hear())["event"] for _ in range(2)]
    assert {name: report[name] for name in ("x", "X", "c", "C", "eR", "w")} == {
        "x": "EXPIRED",
        "X": "EXPIRED",
        "c": "mine",
        "C": "",
        "eR": "EXCHANGE_CANCELED",
        "w": False,
    }
    assert position["B"][1] == {"a": "USDT", "f": "100000.00000000", "l": "0.00000000"}
    found = await alice.signed("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine")
    assert (found.content["status"], found.content["expiryReason"]) == (
        "EXPIRED",
        "EXCHANGE_CANCELED",
    )
    assert (await alice.get("/api/v3/depth", symbol="BTCUSDT")).content["bids"] == []


async def test_with_an_order_of_a_list_the_venue_ends_the_list(
    alice: Client, venue: LocalTestnet
) -> None:
    placed = await alice.signed("POST", "/api/v3/orderList/oto", **OTO)
    assert placed.status == 200, placed.content
    order_id = placed.content["orders"][0]["orderId"]
    content = {
        "account": "alice",
        "symbol": OTO["symbol"],
        "orderId": order_id,
        "reason": "EXCHANGE_CANCELED",
    }
    assert (await post(alice, "orders", content, method="DELETE")).status == 200
    orders = venue.exchange.engine.accounts["alice"].orders.values()
    assert [order.expiry_reason for order in orders] == [
        "EXCHANGE_CANCELED",
        "OTO_PHASE_ONE_EXPIRED",
    ]
    assert (await alice.signed("GET", "/api/v3/openOrderList")).content == []


@pytest.mark.parametrize("reason", ["OCO_TRIGGER", "", 5, ["EXCHANGE_CANCELED"]])
async def test_the_venue_ends_orders_for_one_reason_only(alice: Client, reason: Any) -> None:
    await alice.limit("BUY", "0.1", "20000", newClientOrderId="mine")
    content = {"account": "alice", "symbol": "BTCUSDT", "orderId": 1, "reason": reason}
    answer = await post(alice, "orders", content, method="DELETE")
    assert (answer.status, answer.content["error"]) == (
        400,
        "the only reason is EXCHANGE_CANCELED",
    )
    assert [order["status"] for order in (await alice.truth())["orders"]] == ["NEW"]


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        ("orders", {"account": "nobody"}, "account 'nobody' is unknown; the accounts are alice"),
        ("orders", {"symbol": "NOSUCH", "side": "BUY", "type": "MARKET"}, "-1121 Invalid symbol"),
        ("orders", {"symbol": "BTCUSDT", "timestamp": 1}, "-1104"),
        ("orders", [], "not a JSON object"),
        ("transfers", {"asset": "USDT", "amount": "1"}, "the fields are account, amount, asset"),
        (
            "transfers",
            {"account": "alice", "asset": "USDT"},
            "the fields are account, amount, asset",
        ),
        (
            "transfers",
            {"account": "alice", "asset": "USDT", "amount": "1", "colour": "red"},
            "the fields are account, amount, asset",
        ),
        (
            "transfers",
            {"account": "nobody", "asset": "USDT", "amount": "1"},
            "account 'nobody' is unknown; the accounts are alice",
        ),
        (
            "transfers",
            {"account": "alice", "asset": "XXX", "amount": "1"},
            "'XXX' is none of account",
        ),
        ("transfers", {"account": "alice", "asset": "USDT", "amount": "0"}, "amount is 0"),
        ("transfers", {"account": "alice", "asset": "USDT", "amount": "x"}, "plain decimal"),
        ("transfers", {"account": "alice", "asset": "USDT", "amount": "-1e9"}, "plain decimal"),
        ("transfers", {"account": "alice", "asset": "USDT", "amount": "-100001"}, "insufficient"),
        ("locks", {"asset": "USDT", "amount": "1"}, "the fields are account, amount, asset"),
        ("locks", {"account": "alice", "asset": "USDT", "amount": "100001"}, "insufficient"),
        ("locks", {"account": "alice", "asset": "USDT", "amount": "-1"}, "insufficient"),
    ],
)
async def test_what_cannot_be_done_by_hand_is_refused_in_words(
    alice: Client, path: str, content: Any, problem: str
) -> None:
    answer = await post(alice, path, content)
    assert answer.status == 400
    assert problem in answer.content["error"]


async def test_an_unknown_path_is_told_what_there_is(alice: Client) -> None:
    answer = await alice.send("PUT", "/testnet/clock")
    assert answer.status == 404
    assert "POST /testnet/clock" in answer.content["error"]
