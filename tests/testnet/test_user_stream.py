"""User data over the WebSocket API: who hears what, in which order, with which fields."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from otonom_trader.testnet import KeyConfig, LocalTestnet, ManualClock, TestnetConfig
from otonom_trader.testnet.user_stream import MOST_EVER
from tests.testnet.conftest import ALICE, BOB, Client
from tests.testnet.test_reply_shapes import OTO
from tests.testnet.wire import ED25519, Signer, Wire, logon, wire

PATH = "/ws-api/v3"


@pytest.fixture
def config(config: TestnetConfig) -> TestnetConfig:
    alice = replace(ALICE, keys=(ED25519,))
    return replace(config, accounts=(alice, BOB))


@pytest_asyncio.fixture
async def api(venue: LocalTestnet, session: aiohttp.ClientSession) -> AsyncIterator[Wire]:
    async with wire(session, venue.url, f"{PATH}?returnRateLimits=false") as opened:
        yield opened


@pytest.fixture
def signer(clock: ManualClock) -> Signer:
    return Signer(ALICE, clock)


@pytest.fixture
def of_bob(clock: ManualClock) -> Signer:
    return Signer(BOB, clock)


async def listen(api: Wire, signer: Signer) -> None:
    answer = await api.ask(signer.request("userDataStream.subscribe.signature"))
    assert answer == {"id": 1, "status": 200, "result": {"subscriptionId": 0}}


async def events(api: Wire) -> list[dict[str, Any]]:
    """Those heard so far, out of their envelopes."""
    await api.call("ping")
    heard, api.events = api.events, []
    assert all(entry.keys() == {"subscriptionId", "event"} for entry in heard)
    return [entry["event"] for entry in heard]


async def test_the_life_of_a_limit_order_is_told_in_the_documented_order(
    api: Wire, signer: Signer, alice: Client, bob: Client, clock: ManualClock
) -> None:
    await listen(api, signer)
    await alice.limit("BUY", "0.5", "20000", newClientOrderId="mine")
    placed = await events(api)
    now = clock.time_ms()
    assert [event["e"] for event in placed] == ["executionReport", "outboundAccountPosition"]
    assert placed[0] == {
        "e": "executionReport",
        "E": now,
        "s": "BTCUSDT",
        "c": "mine",
        "S": "BUY",
        "o": "LIMIT",
        "f": "GTC",
        "q": "0.50000000",
        "p": "20000.00000000",
        "P": "0.00000000",
        "F": "0.00000000",
        "g": -1,
        "C": "",
        "x": "NEW",
        "X": "NEW",
        "r": "NONE",
        "i": 1,
        "l": "0.00000000",
        "z": "0.00000000",
        "L": "0.00000000",
        "n": "0",
        "N": None,
        "T": now,
        "t": -1,
        "I": placed[0]["I"],
        "w": True,
        "m": False,
        "M": False,
        "O": now,
        "Z": "0.00000000",
        "Y": "0.00000000",
        "Q": "0.00000000",
        "W": now,
        "V": "EXPIRE_MAKER",
    }
    assert placed[1]["B"] == [
        {"a": "BTC", "f": "10.00000000", "l": "0.00000000"},
        {"a": "USDT", "f": "90000.00000000", "l": "10000.00000000"},
    ]
    clock.advance(1)
    await bob.limit("SELL", "0.2", "20000")
    trade, position = await events(api)
    assert {name: trade[name] for name in "xXlLzZYnNtmw"} == {
        "x": "TRADE",
        "X": "PARTIALLY_FILLED",
        "l": "0.20000000",
        "L": "20000.00000000",
        "z": "0.20000000",
        "Z": "4000.00000000",
        "Y": "4000.00000000",
        "n": "0.00020000",
        "N": "BTC",
        "t": 1,
        "m": True,
        "w": True,
    }
    assert (trade["T"], trade["O"], trade["W"]) == (now + 1000, now, now)
    assert trade["I"] > placed[0]["I"]
    assert position["u"] == now + 1000
    await alice.signed(
        "DELETE",
        "/api/v3/order",
        symbol="BTCUSDT",
        origClientOrderId="mine",
        newClientOrderId="the-cancel",
    )
    canceled, _ = await events(api)
    assert {name: canceled[name] for name in "cCxXzlw"} == {
        "c": "the-cancel",
        "C": "mine",
        "x": "CANCELED",
        "X": "CANCELED",
        "z": "0.20000000",
        "l": "0.00000000",
        "w": False,
    }


async def test_a_market_order_is_new_then_trades_then_expires_then_its_balances(
    api: Wire, signer: Signer, alice: Client, bob: Client
) -> None:
    for price in ("20000", "20001"):
        await bob.limit("SELL", "0.1", price)
    await listen(api, signer)
    await alice.market("BUY", quantity="0.3")
    told = await events(api)
    assert [(event["e"], event.get("x"), event.get("w")) for event in told] == [
        ("executionReport", "NEW", True),
        ("executionReport", "TRADE", False),
        ("executionReport", "TRADE", False),
        ("executionReport", "EXPIRED", False),
        ("outboundAccountPosition", None, None),
    ]
    reports = told[:4]
    assert len({report["T"] for report in reports}) == 1
    assert sorted(report["I"] for report in reports) == [report["I"] for report in reports]
    assert reports[3]["eR"] == "INSUFFICIENT_LIQUIDITY"
    assert (reports[3]["z"], reports[3]["p"]) == ("0.20000000", "0.00000000")


async def test_prevented_matches_are_told_with_their_conditional_fields(
    api: Wire, signer: Signer, alice: Client
) -> None:
    await alice.limit("SELL", "0.1", "20000")
    await listen(api, signer)
    await alice.limit(
        "BUY",
        "0.1",
        "20000",
        selfTradePreventionMode="EXPIRE_BOTH",
        strategyId=4,
        strategyType=10**6,
    )
    told = [event for event in await events(api) if event.get("x") == "TRADE_PREVENTION"]
    assert [event["i"] for event in told] == [1, 2]
    for event, other in zip(told, (2, 1), strict=True):
        assert {name: event[name] for name in ("X", "l", "L", "Y", "A", "B", "U", "Cs", "u")} == {
            "X": "EXPIRED_IN_MATCH",
            "l": "0.00000000",
            "L": "0.00000000",
            "Y": "0.00000000",
            "A": "0.10000000",
            "B": "0.10000000",
            "U": other,
            "Cs": "BTCUSDT",
            "u": -1,
        }
        assert event["v"] == told[0]["v"]
    assert (told[1]["j"], told[1]["J"]) == (4, 1_000_000)
    assert "j" not in told[0]


@pytest.mark.parametrize(
    "mode", ["EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"]
)
@pytest.mark.parametrize(("maker", "iceberg"), [("0.1", "0"), ("0.5", "0.1")])
async def test_a_prevented_match_tells_in_every_mode_what_would_have_traded(
    api: Wire, signer: Signer, alice: Client, mode: str, maker: str, iceberg: str
) -> None:
    hidden = {"icebergQty": iceberg} if iceberg != "0" else {}
    await alice.limit("SELL", maker, "20000", **hidden)
    await listen(api, signer)
    await alice.limit("BUY", "0.15", "20001", selfTradePreventionMode=mode)
    told = [event for event in await events(api) if event.get("x") == "TRADE_PREVENTION"]
    assert told
    for event in told[:2]:
        assert {name: event[name] for name in ("pl", "pL", "pY")} == {
            "pl": "0.10000000",
            "pL": "20000.00000000",
            "pY": "2000.00000000",
        }
        assert list(event)[-9:] == ["V", "A", "B", "u", "U", "Cs", "pl", "pL", "pY"]


async def test_what_is_to_be_ignored_is_true_of_trades_as_in_the_documented_sample(
    api: Wire, signer: Signer, alice: Client, bob: Client
) -> None:
    await bob.limit("SELL", "0.1", "20000")
    await listen(api, signer)
    await alice.market("BUY", quantity="0.2")
    told = [event for event in await events(api) if event["e"] == "executionReport"]
    assert [(event["x"], event["M"]) for event in told] == [
        ("NEW", False),
        ("TRADE", True),
        ("EXPIRED", False),
    ]


async def test_a_deposit_and_a_withdrawal_are_balance_updates(
    api: Wire, signer: Signer, alice: Client, clock: ManualClock
) -> None:
    await listen(api, signer)
    for amount in ("100", "-0.5"):
        body = json.dumps({"account": "alice", "asset": "USDT", "amount": amount})
        assert (await alice.send("POST", "/testnet/transfers", body=body)).status == 200
    told = await events(api)
    now = clock.time_ms()
    assert told[0] == {
        "e": "balanceUpdate",
        "E": now,
        "a": "USDT",
        "d": "100.00000000",
        "T": now,
    }
    assert told[1]["B"] == [{"a": "USDT", "f": "100100.00000000", "l": "0.00000000"}]
    assert (told[2]["d"], told[3]["B"][0]["f"]) == ("-0.50000000", "100099.50000000")
    truth = await alice.truth()
    assert truth["balances"]["alice"]["USDT"]["free"] == "100099.50000000"


async def test_a_list_is_told_after_its_reports(
    api: Wire, signer: Signer, alice: Client, bob: Client
) -> None:
    await bob.limit("BUY", "0.1", "20000")
    await alice.limit("SELL", "0.1", "20000")
    await listen(api, signer)
    placed = await alice.signed(
        "POST",
        "/api/v3/orderList/oco",
        symbol="BTCUSDT",
        side="SELL",
        quantity="0.1",
        aboveType="LIMIT_MAKER",
        abovePrice="21000",
        belowType="STOP_LOSS",
        belowStopPrice="19000",
        listClientOrderId="both",
    )
    assert placed.status == 200
    told = await events(api)
    assert [event["e"] for event in told] == [
        "executionReport",
        "executionReport",
        "listStatus",
        "outboundAccountPosition",
    ]
    stop = next(event for event in told if event.get("o") == "STOP_LOSS")
    assert (stop["P"], stop["w"], "W" in stop) == ("19000.00000000", False, False)
    status = told[2]
    assert list(status) == ["e", "E", "s", "g", "c", "l", "L", "r", "C", "T", "O"]
    assert (status["c"], status["l"], status["L"], status["C"]) == (
        "OCO",
        "EXEC_STARTED",
        "EXECUTING",
        "both",
    )
    assert [order["i"] for order in status["O"]] == [event["i"] for event in told[:2]]
    assert {event["g"] for event in told[:2]} == {status["g"]}


async def test_events_go_to_every_listener_of_the_account_and_to_nobody_else(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    api: Wire,
    signer: Signer,
    of_bob: Signer,
    alice: Client,
    bob: Client,
) -> None:
    await listen(api, signer)
    async with wire(session, venue.url, PATH) as second, wire(session, venue.url, PATH) as third:
        await second.ask(signer.request("userDataStream.subscribe.signature"))
        await third.ask(of_bob.request("userDataStream.subscribe.signature"))
        await alice.limit("BUY", "0.1", "20000")
        assert len(await events(api)) == len(await events(second)) == 2
        assert await events(third) == []
        await bob.limit("BUY", "0.1", "19000")
        assert await events(api) == []
        assert len(await events(third)) == 2
    await alice.limit("BUY", "0.1", "20000")
    assert len(await events(api)) == 2


async def test_one_connection_may_hear_several_accounts(
    api: Wire, signer: Signer, of_bob: Signer, alice: Client, bob: Client
) -> None:
    await listen(api, signer)
    answer = await api.ask(of_bob.request("userDataStream.subscribe.signature"))
    assert answer["result"] == {"subscriptionId": 1}
    listed = await api.call("session.subscriptions")
    assert listed["result"] == [{"subscriptionId": 0}, {"subscriptionId": 1}]
    await alice.limit("BUY", "0.1", "20000")
    await bob.limit("BUY", "0.1", "20000")
    await api.call("ping")
    assert [entry["subscriptionId"] for entry in api.events] == [0, 0, 1, 1]


async def test_an_account_has_one_subscription_a_connection(api: Wire, signer: Signer) -> None:
    await listen(api, signer)
    answer = await api.ask(signer.request("userDataStream.subscribe.signature"))
    assert (answer["status"], answer["error"]) == (
        400,
        {"code": -2035, "msg": "User Data Stream subscription already active."},
    )


async def test_a_subscription_ends_with_an_event_and_its_id_is_not_used_again(
    api: Wire, signer: Signer, alice: Client, clock: ManualClock
) -> None:
    await listen(api, signer)
    assert (await api.call("userDataStream.unsubscribe", subscriptionId=0))["result"] == {}
    assert await events(api) == [{"e": "eventStreamTerminated", "E": clock.time_ms()}]
    await alice.limit("BUY", "0.1", "20000")
    assert await events(api) == []
    answer = await api.ask(signer.request("userDataStream.subscribe.signature"))
    assert answer["result"] == {"subscriptionId": 1}


@pytest.mark.parametrize("params", [{}, {"subscriptionId": 3}])
async def test_what_is_not_active_cannot_end(api: Wire, params: dict[str, int]) -> None:
    answer = await api.call("userDataStream.unsubscribe", **params)
    assert answer["error"] == {"code": -2036, "msg": "User Data Stream subscription not active."}


async def test_without_an_id_all_subscriptions_end(
    api: Wire, signer: Signer, of_bob: Signer
) -> None:
    await listen(api, signer)
    await api.ask(of_bob.request("userDataStream.subscribe.signature"))
    await api.call("userDataStream.unsubscribe")
    assert [event["e"] for event in await events(api)] == ["eventStreamTerminated"] * 2
    assert (await api.call("session.subscriptions"))["result"] == []


async def test_ids_run_out(api: Wire, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_EVER == 65_535
    monkeypatch.setattr("otonom_trader.testnet.user_stream.MOST_EVER", 2)
    for number in range(2):
        answer = await api.ask(signer.request("userDataStream.subscribe.signature"))
        assert answer["result"] == {"subscriptionId": number}
        await api.call("userDataStream.unsubscribe")
    refused = await api.ask(signer.request("userDataStream.subscribe.signature"))
    assert refused["error"] == {
        "code": -2042,
        "msg": "Maximum subscription ID reached for this connection.",
    }


async def test_too_many_active_subscriptions_are_refused(
    api: Wire, signer: Signer, of_bob: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otonom_trader.testnet.user_stream.MOST_ACTIVE", 1)
    await listen(api, signer)
    refused = await api.ask(of_bob.request("userDataStream.subscribe.signature"))
    assert refused["error"]["code"] == -1191


async def test_a_session_logs_on_and_needs_no_more_signatures(
    api: Wire, alice: Client, clock: ManualClock
) -> None:
    connected = clock.time_ms()
    assert (await api.call("session.status"))["result"] == {
        "apiKey": None,
        "authorizedSince": None,
        "connectedSince": connected,
        "returnRateLimits": False,
        "serverTime": connected,
        "userDataStream": False,
    }
    clock.advance(3)
    answer = await api.ask(logon(clock))
    assert answer["result"] == {
        "apiKey": "alice-ed25519",
        "authorizedSince": connected + 3000,
        "connectedSince": connected,
        "returnRateLimits": False,
        "serverTime": connected + 3000,
        "userDataStream": False,
    }
    order = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.1",
        "price": "20000",
    }
    placed = await api.call("order.place", **order, timestamp=clock.time_ms())
    assert placed["result"]["status"] == "NEW"
    late = await api.call("order.place", **order)
    assert late["error"]["code"] == -1102
    assert "'timestamp'" in late["error"]["msg"]
    assert [order["account"] for order in (await alice.truth())["orders"]] == ["alice"]


async def test_a_session_can_ask_what_its_key_may_not_do_with_another_key(
    venue: LocalTestnet, api: Wire, clock: ManualClock, alice: Client
) -> None:
    """As documented: a key that reads logs on, one that trades signs the orders."""
    reads_only = json.dumps({"can_trade": False})
    await alice.send("POST", "/testnet/keys/alice-ed25519", body=reads_only)
    await api.ask(logon(clock))
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    refused = await api.call("order.place", **order, timestamp=clock.time_ms())
    assert (refused["status"], refused["error"]["code"]) == (401, -2015)
    assert (await api.call("account.status", timestamp=clock.time_ms()))["status"] == 200
    placed = await api.ask(Signer(ALICE, clock).request("order.place", **order))
    assert placed["result"]["status"] == "EXPIRED"


async def test_rsa_signatures_are_base64_of_the_same_payload(
    config: TestnetConfig, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key = KeyConfig("alice-rsa", public_key=pem.decode())
    accounts = (replace(ALICE, keys=(key,)),)
    params: dict[str, Any] = {"apiKey": key.api_key, "timestamp": clock.time_ms()}
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    proof = private.sign(payload.encode(), padding.PKCS1v15(), hashes.SHA256())
    params["signature"] = base64.b64encode(proof).decode()
    async with (
        LocalTestnet(replace(config, accounts=accounts)) as venue,
        wire(session, venue.url, PATH) as api,
    ):
        assert (await api.call("userDataStream.subscribe.signature", **params))["status"] == 200
        refused = await api.call("session.logon", **params)
        assert refused["error"] == {"code": -4056, "msg": "RSA API key is not supported."}


async def test_a_listener_that_falls_too_far_behind_is_cut_off(
    api: Wire, signer: Signer, alice: Client, bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await bob.limit("SELL", "0.01", "20000")
    await listen(api, signer)
    monkeypatch.setattr("otonom_trader.testnet.ws_session._MOST_QUEUED", 4)
    await alice.market("BUY", quantity="0.05")
    assert (await api.ending())[0] == 1006
    assert (await alice.truth())["orders"][0]["status"] == "FILLED"


async def test_a_key_named_in_a_request_overrides_the_session(
    api: Wire, of_bob: Signer, clock: ManualClock
) -> None:
    await api.ask(logon(clock))
    answer = await api.ask(of_bob.request("account.status"))
    assert answer["result"]["uid"] == 1_000_002
    unsigned = await api.call("account.status", apiKey=BOB.api_key, timestamp=clock.time_ms())
    assert unsigned["error"]["code"] == -1102


@pytest.mark.parametrize("missing", ["apiKey", "signature"])
async def test_logging_on_again_needs_key_and_signature(
    api: Wire, clock: ManualClock, missing: str
) -> None:
    await api.ask(logon(clock))
    request = logon(clock)
    del request["params"][missing]
    assert f"'{missing}'" in (await api.ask(request))["error"]["msg"]


async def test_only_ed25519_keys_log_on(api: Wire, signer: Signer) -> None:
    answer = await api.ask(signer.request("session.logon"))
    refusal = {"code": -4056, "msg": "HMAC_SHA256 API key is not supported."}
    assert (answer["status"], answer["error"]) == (400, refusal)
    assert (await api.call("session.status"))["result"]["apiKey"] is None


async def test_logging_out_ends_the_subscription_of_the_logon_only(
    api: Wire, of_bob: Signer, clock: ManualClock
) -> None:
    await api.ask(logon(clock))
    assert (await api.call("userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
    await api.ask(of_bob.request("userDataStream.subscribe.signature"))
    assert (await api.call("session.status"))["result"]["userDataStream"] is True
    answer = await api.call("session.logout")
    assert (answer["result"]["apiKey"], answer["result"]["authorizedSince"]) == (None, None)
    assert answer["result"]["userDataStream"] is True
    assert api.events == [
        {"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": clock.time_ms()}}
    ]
    answer = await api.call("account.status", timestamp=clock.time_ms())
    assert "'apiKey'" in answer["error"]["msg"]


async def test_subscribing_without_a_logon_is_refused(api: Wire) -> None:
    answer = await api.call("userDataStream.subscribe")
    assert (answer["status"], answer["error"]["code"]) == (401, -1002)


async def test_a_revoked_key_loses_its_session_after_the_next_request(
    api: Wire, alice: Client, clock: ManualClock
) -> None:
    await api.ask(logon(clock))
    await api.call("userDataStream.subscribe")
    revoked = await alice.send("POST", "/testnet/keys/alice-ed25519", body='{"revoked": true}')
    assert revoked.content["revoked"] is True
    refused = await api.call("account.status", timestamp=clock.time_ms())
    refusal = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
    assert (refused["id"], refused["status"], refused["error"]) == (1, 401, refusal)
    ended = await api.hear()
    assert ended["event"]["e"] == "eventStreamTerminated"
    assert await api.hear() == {"id": None, "status": 401, "error": refusal}
    assert (await api.call("session.status"))["result"]["apiKey"] is None


@pytest.mark.parametrize("lost", ["can_read", "can_trade"])
async def test_a_key_that_loses_a_permission_loses_its_session_like_one_that_is_revoked(
    api: Wire, alice: Client, clock: ManualClock, lost: str
) -> None:
    await api.ask(logon(clock))
    await api.call("userDataStream.subscribe")
    await alice.send("POST", "/testnet/keys/alice-ed25519", body=json.dumps({lost: False}))
    await alice.limit("BUY", "0.1", "20000")
    # Nothing happens before the next request, which need not be one that the key signs for.
    assert (await api.call("ping"))["status"] == 200
    kinds = [(await api.hear())["event"]["e"] for _ in range(3)]
    assert kinds == ["executionReport", "outboundAccountPosition", "eventStreamTerminated"]
    refusal = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
    assert await api.hear() == {"id": None, "status": 401, "error": refusal}
    assert (await api.call("session.status"))["result"]["apiKey"] is None
    await alice.limit("BUY", "0.1", "20000")
    assert await events(api) == []


@pytest.mark.parametrize("lost", ["can_read", "can_trade"])
async def test_a_key_that_lost_a_permission_cannot_subscribe(
    api: Wire, alice: Client, clock: ManualClock, lost: str
) -> None:
    await api.ask(logon(clock))
    await alice.send("POST", "/testnet/keys/alice-ed25519", body=json.dumps({lost: False}))
    refused = await api.call("userDataStream.subscribe")
    assert (refused["id"], refused["status"], refused["error"]["code"]) == (1, 401, -2015)
    pushed = await api.hear()
    assert (pushed["id"], pushed["status"]) == (None, 401)
    assert (await api.call("session.subscriptions"))["result"] == []


async def test_a_key_that_is_given_more_keeps_its_session(
    api: Wire, alice: Client, clock: ManualClock
) -> None:
    change = "/testnet/keys/alice-ed25519"
    await alice.send("POST", change, body=json.dumps({"can_trade": False}))
    await api.ask(logon(clock))
    await alice.send("POST", change, body=json.dumps({"can_trade": True}))
    assert (await api.call("userDataStream.subscribe"))["status"] == 200
    assert (await api.call("session.status"))["result"]["apiKey"] == "alice-ed25519"


async def test_times_can_be_in_microseconds(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    signer: Signer,
    alice: Client,
    clock: ManualClock,
) -> None:
    async with wire(session, venue.url, f"{PATH}?timeUnit=MICROSECOND") as api:
        await api.ask(signer.request("userDataStream.subscribe.signature"))
        await alice.limit("BUY", "0.1", "20000")
        report, position = await events(api)
    now = clock.time_ms() * 1000
    assert [report[name] for name in "ETOW"] == [now] * 4
    assert (position["E"], position["u"]) == (now, now)


async def test_the_examples_of_the_documentation_have_our_fields(
    api: Wire, signer: Signer, alice: Client, bob: Client, shared_data: Path
) -> None:
    examples = shared_data / "binance-docs-examples" / "user-data-stream"
    await listen(api, signer)
    await alice.limit("BUY", "0.1", "20000")
    amount = json.dumps({"account": "alice", "asset": "USDT", "amount": "1"})
    await alice.send("POST", "/testnet/transfers", body=amount)
    await alice.send("POST", "/testnet/locks", body=amount)
    told = {event["e"]: event for event in await events(api)}
    await alice.signed("POST", "/api/v3/orderList/oto", **OTO)
    told |= {event["e"]: event for event in await events(api) if event["e"] == "listStatus"}
    await api.call("userDataStream.unsubscribe")
    told |= {event["event"]["e"]: event["event"] for event in api.events}
    compared = set()
    for file in examples.glob("*.ws-event.json"):
        example = json.loads(file.read_text("utf-8"))["event"]
        # The example shows a prevented match's id beside an order that has none.
        names = [name for name in example if (example["e"], name) != ("executionReport", "v")]
        ours = told[example["e"]]
        assert list(ours) == names
        assert [type(ours[name]) for name in names] == [type(example[name]) for name in names]
        compared.add(example["e"])
    assert compared == told.keys()
    assert Decimal(told["balanceUpdate"]["d"]) == 1
