"""Reducing an order in its place, and orders that show a part of themselves."""

from typing import Any

import pytest

from otonom_trader.testnet import LocalTestnet
from otonom_trader.testnet.events import Event, Execution
from tests.testnet.conftest import Answer, Client

BTC = {"symbol": "BTCUSDT"}
AMEND = "/api/v3/order/amend/keepPriority"
WEIGHT = "X-MBX-USED-WEIGHT-1M"


async def amend(client: Client, qty: str, **more: Any) -> Answer:
    wanted = BTC | {"origClientOrderId": "mine", "newQty": qty} | more
    return await client.signed("PUT", AMEND, **wanted)


async def asks(client: Client) -> list[list[str]]:
    book = (await client.get("/api/v3/depth", **BTC)).content["asks"]
    return [[price.rstrip("0").rstrip("."), qty.rstrip("0").rstrip(".")] for price, qty in book]


@pytest.fixture
async def mine(alice: Client) -> Client:
    """Alice, who sells 1 at 20000."""
    await alice.limit("SELL", "1", "20000", newClientOrderId="mine")
    return alice


async def test_an_amended_order_keeps_its_place_in_the_queue(mine: Client, bob: Client) -> None:
    await bob.limit("SELL", "1", "20000", newClientOrderId="behind")
    answer = await amend(mine, "0.5", newClientOrderId="renamed")
    assert answer.status == 200
    assert await asks(mine) == [["20000", "1.5"]]
    await bob.limit("BUY", "0.5", "20000", "IOC", selfTradePreventionMode="EXPIRE_MAKER")
    found = await mine.signed("GET", "/api/v3/order", **BTC, origClientOrderId="renamed")
    assert found.content["status"] == "FILLED"


async def test_the_old_id_is_free_and_still_finds_the_order(mine: Client) -> None:
    await amend(mine, "0.5", newClientOrderId="renamed")
    assert (await mine.limit("BUY", "0.1", "15000", newClientOrderId="mine")).status == 200
    canceled = await mine.signed("DELETE", "/api/v3/order", **BTC, origClientOrderId="renamed")
    assert canceled.content["origClientOrderId"] == "renamed"


async def test_what_is_no_longer_needed_is_unlocked(mine: Client) -> None:
    await amend(mine, "0.25")
    balances = (await mine.signed("GET", "/api/v3/account")).content["balances"]
    held = next(balance for balance in balances if balance["asset"] == "BTC")
    assert (held["free"], held["locked"]) == ("9.75000000", "0.25000000")


async def test_an_amendment_costs_weight_and_no_order(mine: Client) -> None:
    answer = await amend(mine, "0.5")
    assert answer.headers[WEIGHT] == "4"
    counts = await mine.signed("GET", "/api/v3/rateLimit/order")
    assert [entry["count"] for entry in counts.content] == [1, 1]


async def test_an_order_reduced_to_what_is_filled_expires_and_costs_nothing(
    mine: Client, bob: Client
) -> None:
    await bob.limit("BUY", "0.6", "20000")
    before = int((await mine.get("/api/v3/ping")).headers[WEIGHT])
    answer = await amend(mine, "0.5")
    assert answer.headers[WEIGHT] == str(before)
    assert answer.content["amendedOrder"]["status"] == "EXPIRED"
    assert await asks(mine) == []


async def test_the_stream_is_told_of_the_replacement(venue: LocalTestnet, mine: Client) -> None:
    told: list[Event] = []
    venue.exchange.listeners.append(told.append)
    answer = await amend(mine, "0.5", newClientOrderId="renamed")
    (execution,) = [event for event in told if isinstance(event, Execution)]
    assert execution.type == "REPLACED"
    assert (execution.client_id, execution.replaced_client_id) == ("renamed", "mine")
    assert execution.execution_id == answer.content["executionId"]


@pytest.mark.parametrize(
    ("qty", "more", "refusal"),
    [
        ("1", {}, (-2038, "The requested action would change no state; rejecting")),
        ("1.1", {}, (-2038, "Order amend (quantity increase) is not supported.")),
        ("0.000001", {}, (-2038, "Filter failure: LOT_SIZE")),
        ("0.0002", {}, (-2038, "Filter failure: NOTIONAL")),
        ("0", {}, (-1013, "Invalid quantity.")),
        ("0.5", {"origClientOrderId": "none"}, (-2038, "Unknown order sent.")),
        ("0.5", {"newClientOrderId": "other"}, (-2038, "Duplicate order sent.")),
        (
            "0.5",
            {"orderId": "1", "origClientOrderId": "other"},
            (-2039, "Client order ID is not correct for this order ID."),
        ),
    ],
)
async def test_an_amendment_that_cannot_be_is_refused(
    mine: Client, qty: str, more: dict[str, str], refusal: tuple[int, str]
) -> None:
    await mine.limit("BUY", "0.1", "15000", newClientOrderId="other")
    assert (await amend(mine, qty, **more)).refusal == (400, *refusal)
    assert await asks(mine) == [["20000", "1"]]


async def test_an_order_is_amended_at_most_ten_times_and_each_is_on_record(mine: Client) -> None:
    for step in range(1, 11):
        answer = await amend(mine, f"0.{99 - step}", newClientOrderId="mine")
        assert answer.status == 200
    refused = await amend(mine, "0.5", newClientOrderId="mine")
    assert refused.refusal == (400, -2038, "Filter failure: MAX_NUM_ORDER_AMENDS")
    history = (await mine.signed("GET", "/api/v3/order/amendments", **BTC, orderId=1)).content
    assert len(history) == 10
    assert (history[0]["origQty"], history[0]["newQty"]) == ("1.00000000", "0.98000000")
    later = await mine.signed(
        "GET",
        "/api/v3/order/amendments",
        **BTC,
        orderId=1,
        fromExecutionId=history[8]["executionId"],
    )
    assert later.content == history[8:]


class TestIceberg:
    async def test_the_book_shows_one_part_at_a_time(self, alice: Client, bob: Client) -> None:
        await alice.limit("SELL", "1", "20000", icebergQty="0.3")
        assert await asks(alice) == [["20000", "0.3"]]
        await bob.limit("BUY", "0.5", "20000")
        assert await asks(alice) == [["20000", "0.1"]]
        await bob.limit("BUY", "0.4", "20000")
        assert await asks(alice) == [["20000", "0.1"]]

    async def test_the_next_part_queues_behind_the_others(self, alice: Client, bob: Client) -> None:
        await alice.limit("SELL", "1", "20000", icebergQty="0.3", newClientOrderId="iceberg")
        await alice.limit("SELL", "1", "20000", newClientOrderId="plain")
        await bob.limit("BUY", "1.3", "20000")
        found = await alice.signed("GET", "/api/v3/order", **BTC, origClientOrderId="iceberg")
        assert found.content["executedQty"] == "0.30000000"
        assert found.content["icebergQty"] == "0.30000000"

    async def test_a_taker_takes_all_parts_at_once(self, alice: Client, bob: Client) -> None:
        await alice.limit("SELL", "1", "20000", icebergQty="0.3")
        answer = await bob.limit("BUY", "1", "20000", "FOK")
        assert answer.content["status"] == "FILLED"
        assert [fill["qty"] for fill in answer.content["fills"]] == [
            *("0.30000000", "0.30000000", "0.30000000", "0.10000000")
        ]

    async def test_an_amendment_takes_what_is_hidden_first(self, alice: Client) -> None:
        await alice.limit("SELL", "1", "20000", icebergQty="0.3", newClientOrderId="mine")
        await amend(alice, "0.5", newClientOrderId="mine")
        assert await asks(alice) == [["20000", "0.3"]]
        await amend(alice, "0.2", newClientOrderId="mine")
        assert await asks(alice) == [["20000", "0.2"]]
