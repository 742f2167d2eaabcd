"""Every fault of streams: what a listener misses, and what is true all the same."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from otonom_trader.testnet import LocalTestnet, ManualClock
from tests.testnet.conftest import ALICE, BOB, Answer, Client
from tests.testnet.test_faults import orders
from tests.testnet.wire import Signer, Wire, wire

API = "/ws-api/v3?returnRateLimits=false"


@pytest_asyncio.fixture
async def api(
    venue: LocalTestnet, session: aiohttp.ClientSession, clock: ManualClock
) -> AsyncIterator[Wire]:
    """A connection that hears Alice's events."""
    async with wire(session, venue.url, API) as opened:
        await opened.ask(Signer(ALICE, clock).request("userDataStream.subscribe.signature"))
        yield opened


async def fault(alice: Client, name: str, path: str = "user", **more: object) -> Answer:
    answer = await alice.order_fault(name, path=path, method=None, **more)
    assert answer.status == 200, answer.content
    return answer


async def place(alice: Client, *names: str) -> None:
    for name in names:
        assert (await alice.limit("BUY", "0.01", "20000", newClientOrderId=name)).status == 200


async def reports(api: Wire) -> list[str]:
    """The client ids of the execution reports so far."""
    await api.call("ping")
    told, api.events = api.events, []
    return [entry["event"]["c"] for entry in told if entry["event"]["e"] == "executionReport"]


async def test_an_omitted_event_never_comes(api: Wire, alice: Client) -> None:
    await fault(alice, "omit")
    await place(alice, "one", "two")
    assert await reports(api) == ["two"]
    assert await orders(alice) == ["one", "two"]
    assert api.events == []


async def test_a_duplicated_event_comes_twice(api: Wire, alice: Client) -> None:
    await fault(alice, "duplicate")
    await place(alice, "one", "two")
    assert await reports(api) == ["one", "one", "two"]
    assert await orders(alice) == ["one", "two"]


async def test_a_reordered_event_comes_after_the_next(api: Wire, alice: Client) -> None:
    await fault(alice, "reorder")
    await place(alice, "one")
    await api.call("ping")
    kinds = [entry["event"]["e"] for entry in api.events]
    assert kinds == ["outboundAccountPosition", "executionReport"]
    assert await orders(alice) == ["one"]


async def test_a_delayed_event_holds_up_those_behind_it(
    api: Wire, alice: Client, clock: ManualClock
) -> None:
    await fault(alice, "delay", ms=700)
    await place(alice, "one", "two")
    assert await reports(api) == []
    assert await orders(alice) == ["one", "two"]
    clock.advance(0.6)
    assert await reports(api) == []
    clock.advance(0.1)
    heard = [(await api.hear())["event"] for _ in range(4)]
    assert [event["c"] for event in heard if "c" in event] == ["one", "two"]


async def test_a_drop_strikes_at_once_and_whoever_comes_back_while_it_lasts(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    api: Wire,
    alice: Client,
    clock: ManualClock,
) -> None:
    await fault(alice, "drop", count=None, seconds=30)
    assert (await api.ending())[0] == 1006
    await place(alice, "unheard")
    async with wire(session, venue.url, API) as second:
        await second.say(Signer(ALICE, clock).request("userDataStream.subscribe.signature"))
        assert (await second.ending())[0] == 1006
    clock.advance(30)
    async with wire(session, venue.url, API) as third:
        await third.ask(Signer(ALICE, clock).request("userDataStream.subscribe.signature"))
        await place(alice, "heard")
        assert await reports(third) == ["heard"]
    assert await orders(alice) == ["unheard", "heard"]


async def test_a_drop_can_wait_for_an_event_which_is_lost_with_it(api: Wire, alice: Client) -> None:
    await fault(alice, "drop", on_event=True)
    assert (await api.call("ping"))["status"] == 200
    await place(alice, "one")
    assert (await api.ending())[0] == 1006
    assert api.events == []
    assert await orders(alice) == ["one"]


async def test_silence_leaves_the_connection_open_and_says_nothing_until_it_is_over(
    api: Wire, alice: Client, clock: ManualClock
) -> None:
    await fault(alice, "silence", count=None, seconds=60)
    await place(alice, "unheard")
    await api.say({"id": "unanswered", "method": "ping"})
    clock.advance(59)
    await place(alice, "unheard-too")
    clock.advance(1)
    await place(alice, "heard")
    assert await reports(api) == ["heard"]
    assert await orders(alice) == ["unheard", "unheard-too", "heard"]
    assert not api.socket.closed


async def test_silence_by_count_lasts_until_it_is_ended(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    api: Wire,
    alice: Client,
    clock: ManualClock,
) -> None:
    await fault(alice, "silence", count=1)
    await place(alice, "one")
    clock.advance(1000)
    await api.say({"id": 1, "method": "ping"})
    async with wire(session, venue.url, API) as second:
        await second.ask(Signer(ALICE, clock).request("userDataStream.subscribe.signature"))
        await place(alice, "two")
        assert await reports(second) == ["two"]
    with pytest.raises(TimeoutError):
        await api.socket.receive(timeout=0.05)
    (listed,) = (await alice.get("/testnet/faults")).content
    assert (listed["fault"], listed["count"], listed["struck"]) == ("silence", 1, 1)
    assert (await alice.send("DELETE", f"/testnet/faults/{listed['id']}")).status == 200
    await place(alice, "three")
    assert await reports(api) == ["three"]
    assert await orders(alice) == ["one", "two", "three"]


async def test_silence_by_count_ends_with_all_faults(api: Wire, alice: Client) -> None:
    await fault(alice, "silence", count=1, on_event=True)
    await place(alice, "lost", "unheard")
    await alice.send("DELETE", "/testnet/faults")
    await place(alice, "heard")
    assert await reports(api) == ["heard"]
    assert (await alice.get("/testnet/faults")).content == []


async def test_a_shutdown_is_announced_and_then_happens(
    api: Wire, alice: Client, clock: ManualClock
) -> None:
    await fault(alice, "server_shutdown", ms=3000)
    assert await api.hear() == {"event": {"e": "serverShutdown", "E": clock.time_ms()}}
    await place(alice, "one")
    assert await reports(api) == ["one"]
    clock.advance(3)
    assert (await api.ending())[0] == 1001
    assert await orders(alice) == ["one"]


@pytest.mark.parametrize("force", [{"count": 5}, {"count": None, "seconds": 60}])
async def test_a_shutdown_is_announced_once_to_each_connection(
    api: Wire, alice: Client, bob: Client, clock: ManualClock, force: dict[str, Any]
) -> None:
    await api.ask(Signer(BOB, clock).request("userDataStream.subscribe.signature"))
    await fault(alice, "server_shutdown", ms=3000, **force)
    await place(alice, "one")
    await place(bob, "two")
    clock.advance(2.9)
    await place(alice, "three")
    clock.advance(0.1)
    assert (await api.ending())[0] == 1001
    assert [entry["event"]["e"] for entry in api.events[:1]] == ["serverShutdown"]
    told = [entry["event"] for entry in api.events]
    assert [event["e"] for event in told].count("serverShutdown") == 1
    assert [event["c"] for event in told if "c" in event] == ["one", "two", "three"]


async def test_a_shutdown_that_waits_for_an_event_does_not_lose_it(
    api: Wire, alice: Client, clock: ManualClock
) -> None:
    await fault(alice, "server_shutdown", on_event=True)
    await place(alice, "one")
    clock.advance(1)
    assert (await api.ending())[0] == 1001
    kinds = [entry["event"]["e"] for entry in api.events]
    assert kinds == ["serverShutdown", "executionReport", "outboundAccountPosition"]


async def test_who_connects_after_a_shutdown_by_time_is_told_too(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    api: Wire,
    alice: Client,
    clock: ManualClock,
) -> None:
    await fault(alice, "server_shutdown", count=None, seconds=10)
    assert (await api.hear())["event"]["e"] == "serverShutdown"
    async with wire(session, venue.url, API) as second:
        await second.ask(Signer(ALICE, clock).request("userDataStream.subscribe.signature"))
        assert (await second.hear())["event"]["e"] == "serverShutdown"


@pytest.mark.parametrize("name", ["delay", "reorder"])
async def test_nothing_comes_after_the_end_of_a_subscription(
    api: Wire, alice: Client, clock: ManualClock, name: str
) -> None:
    more: dict[str, Any] = {"ms": 400} if name == "delay" else {}
    await place(alice, "zero")
    await fault(alice, "omit", count=1)
    await fault(alice, name, count=1, **more)
    await place(alice, "one")
    assert await reports(api) == ["zero"]
    assert (await api.call("userDataStream.unsubscribe"))["result"] == {}
    clock.advance(0.4)
    heard = [(await api.hear())["event"]["e"] for _ in range(2)]
    assert heard == ["outboundAccountPosition", "eventStreamTerminated"]
    assert await reports(api) == []


async def test_a_terminated_subscription_ends_with_an_event_and_the_connection_lives(
    api: Wire, alice: Client, clock: ManualClock
) -> None:
    await fault(alice, "terminate")
    ended = await api.hear()
    assert ended == {
        "subscriptionId": 0,
        "event": {"e": "eventStreamTerminated", "E": clock.time_ms()},
    }
    await place(alice, "one")
    assert await reports(api) == []
    assert (await api.call("session.subscriptions"))["result"] == []
    assert await orders(alice) == ["one"]


async def test_chance_decides_for_each_event(api: Wire, alice: Client) -> None:
    await fault(alice, "omit", count=None, probability=0.5)
    for number in range(20):
        await place(alice, f"n{number}")
    heard = await reports(api)
    assert 3 < len(heard) < 17
    assert len(await orders(alice)) == 20


async def test_a_strike_is_one_event_to_one_connection(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    api: Wire,
    alice: Client,
    clock: ManualClock,
) -> None:
    async with wire(session, venue.url, API) as second:
        await second.ask(Signer(ALICE, clock).request("userDataStream.subscribe.signature"))
        await fault(alice, "omit", count=1)
        await place(alice, "one")
        assert (await reports(api), await reports(second)) == ([], ["one"])
        listed = (await alice.get("/testnet/faults")).content
        assert listed == []


async def test_a_missing_depth_event_is_a_gap_that_a_client_can_see(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, clock: ManualClock
) -> None:
    name = "btcusdt@depth@100ms"
    async with wire(session, venue.url, f"/ws/{name}") as stream:
        await stream.heard()
        heard: list[Any] = []
        for step in range(3):
            if step == 1:
                await fault(alice, "omit", path=name)
            await place(alice, f"n{step}")
            clock.advance(0.1)
            if step != 1:
                heard.append(await stream.hear())
    assert [(event["U"], event["u"]) for event in heard] == [(1, 1), (3, 3)]
    snapshot = (await alice.get("/api/v3/depth", symbol="BTCUSDT")).content
    assert snapshot["lastUpdateId"] == 3


async def test_a_fault_strikes_its_stream_and_no_other(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    alice: Client,
    bob: Client,
    clock: ManualClock,
) -> None:
    await fault(alice, "omit", path="btcusdt@trade")
    path = "/stream?streams=btcusdt@trade/btcusdt@aggTrade"
    async with wire(session, venue.url, path) as stream:
        await bob.limit("SELL", "0.1", "20000")
        await alice.limit("BUY", "0.1", "20000")
        assert (await stream.hear())["stream"] == "btcusdt@aggTrade"
        assert await stream.heard() == []
    truth = await alice.truth()
    assert [fill["account"] for fill in truth["fills"]] == ["alice", "bob"]


async def test_ending_the_fault_ends_the_silence(api: Wire, alice: Client) -> None:
    await fault(alice, "silence", count=None, seconds=1000)
    await api.say({"id": "unanswered", "method": "ping"})
    await place(alice, "unheard")
    await alice.send("DELETE", "/testnet/faults")
    await place(alice, "heard")
    assert await reports(api) == ["heard"]
