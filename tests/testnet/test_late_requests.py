"""Requests that a fault holds up: too old by then, or longer than the API waits for an answer."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from otonom_trader.testnet import LocalTestnet, ManualClock, TestnetConfig
from tests.testnet.conftest import Answer, Client
from tests.testnet.test_faults import last_request, orders
from tests.testnet.test_reply_shapes import LIMIT, OCO, OTOCO
from tests.testnet.test_request_faults import until_struck
from tests.testnet.wire import Signer, Wire, turn, wire

ORDER = LIMIT | {"price": "20000"}
OLD = {"symbol": "BTCUSDT", "origClientOrderId": "old"}
PLACE = ("POST", "/api/v3/order")
REPLACE = ("POST", "/api/v3/order/cancelReplace")
TOO_OLD = (400, -1021, "Timestamp for this request is outside of the recvWindow.")
_TEXT = "Send status unknown; execution status unknown."
GIVEN_UP = (504, -1007, f"Timeout waiting for response from backend server. {_TEXT}")


async def held_up(
    venue: LocalTestnet, client: Client, fault: str, seconds: float, **more: Any
) -> Answer:
    """Place an order that a fault of so many seconds holds up."""
    await client.order_fault(fault, ms=round(seconds * 1000))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(client.order(**ORDER | more))
        await until_struck(client, venue, fault)
        client.clock.advance(seconds)
    return waiting.result()


async def counted(client: Client) -> int:
    counts = (await client.signed("GET", "/api/v3/rateLimit/order")).content
    return int(counts[0]["count"])


@pytest.mark.parametrize(
    ("method", "path", "parameters", "count"),
    [
        (*PLACE, ORDER, 1),
        ("POST", "/api/v3/orderList/oco", OCO, 2),
        ("POST", "/api/v3/orderList/otoco", OTOCO, 3),
        (*REPLACE, ORDER | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": "1"}, 1),
        (*REPLACE, ORDER | {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": "1"}, 1),
        ("POST", "/api/v3/order/test", ORDER, 0),
        ("DELETE", "/api/v3/order", OLD, 0),
        ("DELETE", "/api/v3/openOrders", {"symbol": "BTCUSDT"}, 0),
        ("PUT", "/api/v3/order/amend/keepPriority", OLD | {"newQty": "0.05"}, 0),
    ],
)
async def test_an_order_that_is_too_old_to_be_forwarded_is_refused_and_counts(
    venue: LocalTestnet,
    alice: Client,
    method: str,
    path: str,
    parameters: dict[str, str],
    count: int,
) -> None:
    await alice.limit("BUY", "0.1", "19000", newClientOrderId="old")
    alice.clock.advance(10)
    await alice.order_fault("delay_before", path=path, method=method, ms=1200)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(alice.signed(method, path, **parameters, recvWindow=1000))
        await until_struck(alice, venue, "delay_before")
        alice.clock.advance(1.2)
    assert waiting.result().refusal == TOO_OLD
    assert await counted(alice) == count
    assert await orders(alice) == ["old"]
    assert (await alice.truth())["orders"][0]["origQty"] == "0.10000000"


async def test_a_list_that_is_too_old_is_not_cancelled(venue: LocalTestnet, alice: Client) -> None:
    await alice.signed("POST", "/api/v3/orderList/otoco", **OTOCO, listClientOrderId="old")
    path, parameters = "/api/v3/orderList", {"symbol": "BTCUSDT", "listClientOrderId": "old"}
    await alice.order_fault("delay_before", path=path, method="DELETE", ms=6000)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(alice.signed("DELETE", path, **parameters))
        await until_struck(alice, venue, "delay_before")
        alice.clock.advance(6)
    assert waiting.result().refusal == TOO_OLD
    assert len((await alice.signed("GET", "/api/v3/openOrders")).content) == 3


async def test_what_was_refused_on_receipt_does_not_count(
    venue: LocalTestnet, alice: Client
) -> None:
    now = alice.clock.time_ms()
    answer = await held_up(venue, alice, "delay_before", 1, timestamp=now - 5001)
    assert answer.refusal == TOO_OLD
    filtered = await held_up(venue, alice, "delay_before", 6, price="0.001")
    assert filtered.refusal == (400, -1013, "Filter failure: PRICE_FILTER")
    assert await counted(alice) == 0


async def test_ten_seconds_are_waited_for_an_answer(venue: LocalTestnet, alice: Client) -> None:
    answer = await held_up(venue, alice, "delay_after", 10)
    assert (answer.status, answer.content["status"]) == (200, "NEW")


@pytest.mark.parametrize("fault", ["delay_before", "delay_after"])
async def test_after_ten_seconds_nothing_is_known_and_the_engine_acts_all_the_same(
    venue: LocalTestnet, alice: Client, clock: ManualClock, fault: str
) -> None:
    await alice.order_fault(fault, ms=12_000)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(
            alice.order(**ORDER, newClientOrderId="mine", recvWindow=60_000)
        )
        await until_struck(alice, venue, fault)
        clock.advance(9.9)
        await turn()
        assert not waiting.done()
        clock.advance(0.1)
    assert waiting.result().refusal == GIVEN_UP
    told = await last_request(alice)
    assert (told["status"], told["code"], told["fault"]) == (504, -1007, fault)
    there = fault == "delay_after"
    assert await orders(alice) == (["mine"] if there else [])
    clock.advance(2)
    for _ in range(3):
        await turn()
    assert await orders(alice) == ["mine"]
    told = await last_request(alice)
    assert (told["status"], told["code"]) == (504, -1007)
    assert (told["accepted"], told["trueStatus"], told["trueCode"]) == (True, 200, None)


async def test_what_gets_to_the_engine_too_late_is_refused_where_nobody_hears_it(
    venue: LocalTestnet, alice: Client, clock: ManualClock
) -> None:
    answer = await held_up(venue, alice, "delay_before", 12, newClientOrderId="mine")
    assert answer.refusal == GIVEN_UP
    told = await last_request(alice)
    assert (told["accepted"], told["trueStatus"], told["trueCode"]) == (False, 400, -1021)
    assert await orders(alice) == []


async def test_what_is_under_way_ends_with_the_venue(
    config: TestnetConfig, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    account = config.accounts[0]
    async with LocalTestnet(config) as venue:
        alice = Client(venue.url, session, clock, account.api_key, account.api_secret)
        await alice.order_fault("delay_before", ms=60_000)
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(alice.order(**ORDER, recvWindow=60_000))
            await until_struck(alice, venue, "delay_before")
            clock.advance(10)
        assert waiting.result().refusal == GIVEN_UP
    assert venue.truth()["orders"] == []


class TestOverTheWebSocketApi:
    @pytest_asyncio.fixture
    async def api(self, venue: LocalTestnet, session: aiohttp.ClientSession) -> AsyncIterator[Wire]:
        async with wire(session, venue.url, "/ws-api/v3?returnRateLimits=false") as opened:
            yield opened

    @pytest.mark.parametrize("fault", ["delay_before", "delay_after"])
    async def test_it_is_the_same(
        self, api: Wire, config: TestnetConfig, alice: Client, clock: ManualClock, fault: str
    ) -> None:
        signer = Signer(config.accounts[0], clock)
        await alice.order_fault(fault, path="order.place", method=None, ms=12_000)
        await api.say(signer.buy("0.1", "20000", newClientOrderId="mine", recvWindow=60_000))
        await api.ask({"id": "next", "method": "ping"})
        clock.advance(10)
        answer = await api.hear()
        assert (answer["status"], answer["error"]["code"]) == GIVEN_UP[:2]
        clock.advance(2)
        await api.ask({"id": "next", "method": "ping"})
        assert await orders(alice) == ["mine"]
        told = await last_request(alice)
        assert (told["status"], told["code"], told["trueStatus"]) == (504, -1007, 200)

    async def test_an_order_too_old_to_be_forwarded_counts(
        self, api: Wire, config: TestnetConfig, alice: Client, clock: ManualClock
    ) -> None:
        signer = Signer(config.accounts[0], clock)
        await alice.order_fault("delay_before", path="order.place", method=None, ms=6000)
        await api.say(signer.buy("0.1", "20000"))
        await api.ask({"id": "next", "method": "ping"})
        clock.advance(6)
        assert (await api.hear())["error"]["code"] == -1021
        assert await counted(alice) == 1


async def test_a_handshake_waits_for_no_engine(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, clock: ManualClock
) -> None:
    await alice.order_fault("delay_before", path="/ws", method="GET", ms=12_000)

    async def listed() -> Any:
        async with wire(session, venue.url, "/ws") as stream:
            return await stream.ask({"id": 1, "method": "LIST_SUBSCRIPTIONS"})

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(listed())
        while venue.faults.in_force():
            await turn()
        for _ in range(10):
            await turn()
        clock.advance(12)
    assert waiting.result()["result"] == []


async def test_who_leaves_in_the_middle_of_a_reply_leaves_no_trace_on_the_log(
    config: TestnetConfig, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    account = config.accounts[0]
    async with LocalTestnet(config) as venue:
        async with aiohttp.ClientSession() as session:
            alice = Client(venue.url, session, clock, account.api_key, account.api_secret)
            await alice.order_fault("slow_drip", ms=100)
            async with asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(alice.order(**ORDER))
                await until_struck(alice, venue, "slow_drip")
                clock.advance(0.1)
                await turn()
                waiting.cancel()
                with suppress(asyncio.CancelledError):
                    await waiting
        for _ in range(50):
            clock.advance(0.1)
            await turn()
    assert "Traceback" not in caplog.text
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []
