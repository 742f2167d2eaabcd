"""Every fault of requests, on REST and on the WebSocket API: the answer, and the truth."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from otonom_trader.testnet import LocalTestnet, ManualClock
from tests.testnet.conftest import ALICE, Answer, Client
from tests.testnet.test_faults import buy, last_request, orders
from tests.testnet.wire import Signer, Wire, turn, wire


@pytest_asyncio.fixture
async def api(venue: LocalTestnet, session: aiohttp.ClientSession) -> AsyncIterator[Wire]:
    async with wire(session, venue.url, "/ws-api/v3?returnRateLimits=false") as opened:
        yield opened


@pytest.fixture
def signer(clock: ManualClock) -> Signer:
    return Signer(ALICE, clock)


async def until_struck(alice: Client, venue: LocalTestnet, fault: str) -> None:
    """Until a request that waits on the venue's clock has arrived."""
    requests = venue.requests.records
    while not requests or requests[-1].fault != fault:
        await turn()
    for _ in range(10):
        await turn()


@pytest.mark.parametrize(("fault", "at_once"), [("delay_before", []), ("delay_after", ["mine"])])
async def test_a_delayed_request_is_answered_in_the_end(
    venue: LocalTestnet, alice: Client, clock: ManualClock, fault: str, at_once: list[str]
) -> None:
    await alice.order_fault(fault, ms=2000)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(buy(alice))
        await until_struck(alice, venue, fault)
        assert await orders(alice) == at_once
        clock.advance(1.9)
        await turn()
        assert not waiting.done()
        clock.advance(0.2)
    assert waiting.result().status == 200
    assert await orders(alice) == ["mine"]


async def test_a_request_held_up_too_long_is_too_old(
    venue: LocalTestnet, alice: Client, clock: ManualClock
) -> None:
    await alice.order_fault("delay_before", ms=6000)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(buy(alice))
        await until_struck(alice, venue, "delay_before")
        clock.advance(6)
    assert waiting.result().refusal[:2] == (400, -1021)
    assert await orders(alice) == []


async def test_a_reset_comes_in_the_middle_of_a_reply(alice: Client) -> None:
    await alice.order_fault("reset_mid_reply")
    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
        await buy(alice)
    assert await orders(alice) == ["mine"]


async def test_a_truncated_reply_ends_in_the_middle_of_its_json(alice: Client) -> None:
    await alice.order_fault("truncate_json")
    with pytest.raises(json.JSONDecodeError):
        await buy(alice)
    assert await orders(alice) == ["mine"]
    assert (await last_request(alice))["accepted"] is True


async def test_a_slow_drip_comes_byte_by_byte(
    venue: LocalTestnet, alice: Client, clock: ManualClock
) -> None:
    await alice.order_fault("slow_drip", ms=100)
    started = clock.monotonic()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(buy(alice))
        await until_struck(alice, venue, "slow_drip")
        while not waiting.done():
            clock.advance(0.1)
            await turn()
    answer = waiting.result()
    assert (answer.status, answer.content["clientOrderId"]) == (200, "mine")
    assert clock.monotonic() - started > len(json.dumps(answer.content)) * 0.08
    assert await orders(alice) == ["mine"]


@pytest.mark.parametrize(
    ("fault", "status"), [("html_403", 403), ("html_502", 502), ("http_503", 503)]
)
@pytest.mark.parametrize("executed", [True, False])
async def test_a_page_instead_of_json(
    alice: Client, fault: str, status: int, *, executed: bool
) -> None:
    await alice.order_fault(fault, executed=executed)
    answer = await buy(alice)
    assert answer.status == status
    assert answer.content.startswith("<html>")
    assert await orders(alice) == (["mine"] if executed else [])


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [("error_1006", -1006, 500), ("error_1007", -1007, 504), ("error_1008", -1008, 503)],
)
@pytest.mark.parametrize("executed", [None, False])
async def test_an_unknown_outcome_was_executed_unless_told_otherwise(
    alice: Client, fault: str, code: int, status: int, *, executed: bool | None
) -> None:
    await alice.order_fault(fault, **({} if executed is None else {"executed": executed}))
    answer = await buy(alice)
    assert (answer.status, answer.content["code"]) == (status, code)
    assert await orders(alice) == (["mine"] if executed is None else [])


@pytest.mark.parametrize(("fault", "status"), [("rate_429", 429), ("ban_418", 418)])
async def test_a_limit_says_when_to_come_back_and_executes_nothing(
    alice: Client, clock: ManualClock, fault: str, status: int
) -> None:
    await alice.order_fault(fault, retry_after_s=33)
    answer = await buy(alice)
    assert (answer.status, answer.content["code"]) == (status, -1003)
    assert answer.headers["Retry-After"] == "33"
    if status == 418:
        assert f"banned until {clock.time_ms() + 33_000}." in answer.content["msg"]
    assert await orders(alice) == []


@pytest.mark.parametrize("over", ["REST", "the WebSocket API"])
async def test_a_ban_is_one_until_it_is_over(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    api: Wire,
    signer: Signer,
    alice: Client,
    clock: ManualClock,
    over: str,
) -> None:
    path, method = ("/api/v3/order", "POST") if over == "REST" else ("order.place", None)
    await alice.order_fault("ban_418", path=path, method=method, retry_after_s=30)
    if over == "REST":
        assert (await buy(alice)).status == 418
    else:
        assert (await api.ask(signer.buy("0.1", "20000")))["status"] == 418
    assert await api.ending() == (1008, "disconnected")
    until = clock.time_ms() + 30_000
    clock.advance(29.9)
    for answer in (await buy(alice), await alice.get("/api/v3/ping")):
        assert answer.refusal[:2] == (418, -1003)
        assert f"banned until {until}." in answer.content["msg"]
        assert answer.headers["Retry-After"] == "1"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with wire(session, venue.url, "/ws-api/v3"):
            pass
    assert refused.value.status == 418
    # What is not the venue's own stays reachable.
    assert (await alice.get("/testnet/faults")).content == []
    assert await orders(alice) == []
    clock.advance(0.1)
    assert (await buy(alice)).status == 200
    async with wire(session, venue.url, "/ws-api/v3") as again:
        assert (await again.call("ping"))["status"] == 200


async def test_ending_all_faults_lifts_the_ban(alice: Client) -> None:
    await alice.order_fault("ban_418")
    assert (await buy(alice)).status == 418
    await alice.send("DELETE", "/testnet/faults")
    assert (await buy(alice)).status == 200


async def test_a_redirect_leads_nowhere_and_executes_nothing(alice: Client) -> None:
    await alice.order_fault("redirect")
    answer = await buy(alice)
    assert answer.status == 307
    assert answer.headers["Location"].startswith("/redirected/api/v3/order?symbol=BTCUSDT")
    assert await orders(alice) == []
    followed = await alice.send("POST", answer.headers["Location"])
    assert (followed.status, followed.content) == (404, "")


async def test_a_wrong_reply_is_about_another_order(alice: Client) -> None:
    await buy(alice, "first")
    await alice.order_fault("wrong_reply")
    answer = await buy(alice, "second")
    assert (answer.status, answer.content["clientOrderId"]) == (200, "first")
    assert answer.content["orderId"] == 1
    assert await orders(alice) == ["first", "second"]


async def test_a_wrong_reply_is_made_up_where_there_is_no_other_order(alice: Client) -> None:
    await alice.order_fault("wrong_reply")
    answer = await buy(alice)
    assert (answer.content["orderId"], answer.content["clientOrderId"]) == (2, "another-order")
    assert await orders(alice) == ["mine"]


async def fault(alice: Client, name: str, **more: object) -> Answer:
    return await alice.order_fault(name, path="order.place", method=None, **more)


@pytest.mark.parametrize(("name", "executed"), [("drop_before", False), ("drop_after", True)])
async def test_a_dropped_method_ends_the_connection(
    api: Wire, signer: Signer, alice: Client, name: str, *, executed: bool
) -> None:
    await fault(alice, name)
    await api.say(signer.buy("0.1", "20000", newClientOrderId="mine"))
    assert (await api.ending())[0] == 1006
    assert await orders(alice) == (["mine"] if executed else [])
    request = await last_request(alice)
    assert (request["path"], request["fault"]) == ("order.place", name)
    assert (request["clientOrderId"], request["account"]) == ("mine", "alice")


@pytest.mark.parametrize(
    ("name", "executed"), [("no_answer_before", False), ("no_answer_after", True)]
)
async def test_an_unanswered_method_does_not_hold_up_others(
    api: Wire, signer: Signer, alice: Client, name: str, *, executed: bool
) -> None:
    await fault(alice, name)
    await api.say(signer.buy("0.1", "20000", newClientOrderId="mine"))
    answer = await api.ask({"id": "next", "method": "ping"})
    assert answer["id"] == "next"
    assert await orders(alice) == (["mine"] if executed else [])


async def test_a_delayed_method_is_overtaken(
    api: Wire, signer: Signer, alice: Client, clock: ManualClock
) -> None:
    await fault(alice, "delay_after", ms=500)
    await api.say(signer.buy("0.1", "20000", newClientOrderId="mine"))
    assert (await api.ask({"id": "next", "method": "ping"}))["id"] == "next"
    assert await orders(alice) == ["mine"]
    clock.advance(0.5)
    assert (await api.hear())["result"]["clientOrderId"] == "mine"


@pytest.mark.parametrize(
    ("name", "status", "code", "executed"),
    [
        ("error_1006", 500, -1006, True),
        ("error_1007", 504, -1007, True),
        ("error_1008", 503, -1008, True),
        ("rate_429", 429, -1003, False),
    ],
)
async def test_a_method_fails_with_an_error(
    api: Wire,
    signer: Signer,
    alice: Client,
    name: str,
    status: int,
    code: int,
    *,
    executed: bool,
) -> None:
    await fault(alice, name)
    answer = await api.ask(signer.buy("0.1", "20000", newClientOrderId="mine"))
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (1, status, code)
    assert ("data" in answer["error"]) is (status == 429)
    assert await orders(alice) == (["mine"] if executed else [])


async def test_a_ban_ends_the_connection(api: Wire, signer: Signer, alice: Client) -> None:
    await fault(alice, "ban_418")
    answer = await api.ask(signer.buy("0.1", "20000"))
    now = signer.clock.time_ms()
    assert answer["status"] == 418
    assert answer["error"]["data"] == {"serverTime": now, "retryAfter": now + 120_000}
    assert (await api.ending())[0] == 1008
    assert await orders(alice) == []


async def test_a_response_is_truncated(api: Wire, signer: Signer, alice: Client) -> None:
    await fault(alice, "truncate_json")
    await api.say(signer.buy("0.1", "20000", newClientOrderId="mine"))
    text = await api.socket.receive_str(timeout=5)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert await orders(alice) == ["mine"]


async def test_a_response_is_about_another_order(api: Wire, signer: Signer, alice: Client) -> None:
    await buy(alice, "first")
    await fault(alice, "wrong_reply")
    answer = await api.ask(signer.buy("0.1", "20000", newClientOrderId="second"))
    assert (answer["id"], answer["result"]["clientOrderId"]) == (1, "first")
    assert await orders(alice) == ["first", "second"]


@pytest.mark.parametrize("path", ["/ws-api/v3", "/ws"])
async def test_a_handshake_can_be_struck_too(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, path: str
) -> None:
    statuses: list[Any] = []
    for name in ("html_502", "ban_418", "drop_before"):
        # The client tries once more where a kept connection was closed on it.
        await alice.order_fault(name, path=path, method="GET", count=2)
        try:
            async with wire(session, venue.url, path):
                statuses.append(101)
        except aiohttp.WSServerHandshakeError as refused:
            statuses.append(refused.status)
        except aiohttp.ClientError:
            statuses.append("dropped")
        await alice.send("DELETE", "/testnet/faults")
    assert statuses == [502, 418, "dropped"]
    async with wire(session, venue.url, path):
        pass


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"fault": "delay_before"}, "delay_before needs ms"),
        ({"fault": "drop_after", "ms": 5}, "drop_after has no ms"),
        ({"fault": "rate_429", "retry_after_s": 0}, "retry_after_s must be a whole number above 0"),
        ({"fault": "rate_429", "executed": True}, "executed of rate_429 is always false"),
        ({"fault": "omit"}, "omit strikes a stream such as btcusdt@depth, or user"),
        ({"fault": "html_403", "path": "order.place"}, "html_403 strikes a REST path"),
        ({"fault": "drop_after", "path": "order.place"}, "for REST paths only"),
        ({"fault": "drop_after", "path": "order.plase", "method": None}, "neither a REST path"),
        ({"fault": "omit", "path": "btcusdt@dept", "method": None}, "there is no such stream"),
        ({"fault": "omit", "path": "nousdt@trade", "method": None}, "symbol NOUSDT is not listed"),
        (
            {"fault": "omit", "path": "user", "method": "GET"},
            "method is for REST paths only; 'user'",
        ),
        ({"fault": "drop_after", "path": "/api/v3/oder"}, "'/api/v3/oder' is not served"),
        ({"fault": "drop_after", "path": "/api/v3/order/test", "method": "GET"}, "but by POST"),
        ({"fault": "drop_after", "path": "/ws", "method": "POST"}, "but by GET"),
        ({"fault": "drop_after", "path": "user", "method": None}, "drop_after strikes a REST"),
        (
            {"fault": "terminate", "path": "btcusdt@depth", "method": None},
            "terminate ends user data subscriptions",
        ),
        ({"fault": "drop_after", "on_event": True}, "on_event is for streams only"),
    ],
)
async def test_a_fault_that_would_never_strike_is_refused(
    venue: LocalTestnet, alice: Client, more: dict[str, Any], problem: str
) -> None:
    answer = await alice.order_fault(**more)
    assert answer.status == 400
    assert problem in answer.content["error"]
    assert venue.faults.in_force() == []
