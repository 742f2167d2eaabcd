"""What a fault does, seen by the client and in the truth."""

import asyncio
from typing import Any

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, ManualClock
from tests.testnet.conftest import Answer, Client


async def buy(client: Client, name: str = "mine") -> Answer:
    return await client.limit("BUY", "0.1", "20000", newClientOrderId=name)


async def orders(client: Client) -> list[str]:
    return [order["clientOrderId"] for order in (await client.truth())["orders"]]


async def last_request(client: Client) -> dict[str, Any]:
    request = (await client.truth())["requests"][-1]
    assert isinstance(request, dict)
    return request


@pytest.mark.parametrize(("fault", "executes"), [("drop_before", False), ("drop_after", True)])
async def test_a_dropped_request_ends_in_a_closed_connection(
    alice: Client, fault: str, *, executes: bool
) -> None:
    assert (await alice.order_fault(fault)).content == {"id": 1}
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await buy(alice)
    assert await orders(alice) == (["mine"] if executes else [])
    request = await last_request(alice)
    assert (request["fault"], request["accepted"]) == (fault, executes)
    assert (request["clientOrderId"], request["timestamp"]) == ("mine", alice.clock.time_ms())
    assert request["account"] == "alice"


@pytest.mark.parametrize(
    ("fault", "executes"), [("no_answer_before", False), ("no_answer_after", True)]
)
async def test_an_unanswered_request_is_held_open(
    alice: Client, fault: str, *, executes: bool
) -> None:
    await alice.order_fault(fault)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(buy(alice), 0.15)
    assert await orders(alice) == (["mine"] if executes else [])
    assert (await last_request(alice))["accepted"] is executes


@pytest.mark.parametrize("executes", [True, False])
async def test_a_503_executes_unless_told_not_to(alice: Client, *, executes: bool) -> None:
    more = {} if executes else {"executed": False}
    await alice.order_fault("http_503", **more)
    answer = await buy(alice)
    assert answer.status == 503
    assert not isinstance(answer.content, dict)
    assert await orders(alice) == (["mine"] if executes else [])
    assert (await last_request(alice))["accepted"] is executes


async def test_the_venue_goes_on_after_each_fault(alice: Client) -> None:
    for fault in ("drop_before", "drop_after"):
        await alice.order_fault(fault)
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await buy(alice, fault)
        assert (await buy(alice, f"after-{fault}")).status == 200


async def test_a_fault_strikes_its_method_and_path_as_often_as_ordered(alice: Client) -> None:
    await alice.order_fault("http_503", count=2, executed=False)
    assert (await alice.signed("GET", "/api/v3/openOrders")).status == 200
    answer = await alice.signed("GET", "/api/v3/order", symbol="BTCUSDT", orderId=1)
    assert answer.status == 400
    assert [(await buy(alice)).status for _ in range(3)] == [503, 503, 200]


async def test_a_fault_without_a_method_strikes_every_method(alice: Client) -> None:
    await alice.order_fault("http_503", method=None, count=2)
    answer = await alice.signed("GET", "/api/v3/order", symbol="BTCUSDT", orderId=1)
    assert answer.status == 503
    assert (await buy(alice)).status == 503


async def test_a_fault_can_last_a_time(alice: Client) -> None:
    await alice.order_fault("http_503", count=None, seconds=30, executed=False)
    assert (await buy(alice)).status == 503
    alice.clock.advance(29.9)
    assert (await buy(alice)).status == 503
    alice.clock.advance(0.1)
    assert (await buy(alice)).status == 200


async def test_a_fault_can_strike_by_chance(alice: Client) -> None:
    await alice.order_fault("http_503", count=None, probability=0.5, executed=False)
    statuses = [(await alice.limit("BUY", "0.001", "20000")).status for _ in range(40)]
    assert 5 < statuses.count(503) < 35
    assert statuses.count(503) + statuses.count(200) == 40


async def test_faults_are_listed_and_ended(alice: Client) -> None:
    await alice.order_fault("drop_before", count=5)
    await alice.order_fault("http_503", count=5, path="/api/v3/account", method="GET")
    listed = (await alice.get("/testnet/faults")).content
    assert [(entry["id"], entry["fault"]) for entry in listed] == [
        (1, "drop_before"),
        (2, "http_503"),
    ]
    assert [(entry["count_left"], entry["seconds_left"]) for entry in listed] == [(5, None)] * 2
    ended = await alice.send("DELETE", "/testnet/faults/1")
    assert (ended.status, [entry["id"] for entry in ended.content["ended"]]) == (200, [1])
    assert (await buy(alice)).status == 200
    assert (await alice.signed("GET", "/api/v3/account")).status == 503
    assert (await alice.send("DELETE", "/testnet/faults/1")).status == 404
    ended = await alice.send("DELETE", "/testnet/faults")
    assert [
        (each["id"], each["struck"], each["count_left"]) for each in ended.content["ended"]
    ] == [(2, 1, 4)]
    assert ended.content["bans_lifted"] == 0
    assert (await alice.signed("GET", "/api/v3/account")).status == 200
    assert (await alice.get("/testnet/faults")).content == []


async def test_how_long_a_fault_will_last_is_told(alice: Client, clock: ManualClock) -> None:
    await alice.order_fault("http_503", count=None, seconds=20)
    clock.advance(7.5)
    (listed,) = (await alice.get("/testnet/faults")).content
    assert (listed["seconds_left"], listed["count_left"]) == (12.5, None)


async def test_lifted_bans_are_counted(alice: Client) -> None:
    await alice.order_fault("ban_418", count=1)
    assert (await buy(alice)).status == 418
    assert (await alice.send("DELETE", "/testnet/faults")).content == {
        "ended": [],
        "bans_lifted": 1,
    }
    assert (await buy(alice)).status == 200


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"fault": "explode"}, "fault 'explode' is unknown; the faults are drop_before"),
        ({"path": ""}, "path is missing"),
        ({"count": 0}, "count must be a whole number above 0"),
        ({"count": 1.5}, "count must be a whole number above 0"),
        ({"count": True}, "count must be a whole number above 0"),
        ({"count": None}, "say how long: count, seconds or probability"),
        ({"seconds": -1}, "seconds must be a number above 0"),
        ({"probability": 1.1}, "probability is above 1"),
        ({"executed": False}, "executed of drop_after is always true"),
        ({"colour": "red"}, "unknown field 'colour'"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused_in_words(
    venue: LocalTestnet, alice: Client, more: dict[str, Any], problem: str
) -> None:
    answer = await alice.order_fault(**{"fault": "drop_after"} | more)
    assert answer.status == 400
    assert problem in answer.content["error"]
    assert venue.faults.in_force() == []


@pytest.mark.parametrize("body", ["", "[]", "{", "1"])
async def test_a_body_that_is_no_object_is_refused(alice: Client, body: str) -> None:
    answer = await alice.send("POST", "/testnet/faults", body=body)
    assert answer.status == 400
    assert "not a JSON object" in answer.content["error"]


async def test_the_venue_closes_while_a_request_is_held(alice: Client, venue: LocalTestnet) -> None:
    placed = asyncio.Event()
    venue.exchange.listeners.append(lambda _: placed.set())
    await alice.order_fault("no_answer_after")

    async def held() -> None:
        with pytest.raises(aiohttp.ClientError):
            await buy(alice)

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(held())
        await placed.wait()
        await venue.__aexit__(None, None, None)
