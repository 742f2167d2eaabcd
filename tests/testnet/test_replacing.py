"""Cancel-replace: which half is done, and how each outcome is told."""

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, RateLimits, TestnetConfig
from otonom_trader.testnet.events import Event, Execution
from tests.testnet.conftest import ALICE, Answer, Client
from tests.testnet.wire import Signer, wire

PATH = "/api/v3/order/cancelReplace"
NEW = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.1",
    "price": "20001",
    "newClientOrderId": "new",
}
POOR = {"quantity": "10"}
NO_FUNDS = {"code": -2010, "msg": "Account has insufficient balance for requested action."}
UNKNOWN = {"code": -2011, "msg": "Unknown order sent."}


async def swap(client: Client, mode: str, **changes: Any) -> Answer:
    wanted = NEW | {"cancelReplaceMode": mode, "cancelOrigClientOrderId": "old"} | changes
    return await client.signed("POST", PATH, **wanted)


async def open_ids(client: Client) -> list[str]:
    answer = await client.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT")
    return [order["clientOrderId"] for order in answer.content]


@pytest.fixture
async def old(alice: Client) -> Client:
    """Alice, with an open order called old."""
    await alice.limit("BUY", "0.1", "20000", newClientOrderId="old")
    return alice


@pytest.mark.parametrize("mode", ["STOP_ON_FAILURE", "ALLOW_FAILURE"])
async def test_both_halves_succeed(old: Client, mode: str) -> None:
    answer = await swap(old, mode, cancelNewClientOrderId="the-cancel")
    assert answer.status == 200
    assert list(answer.content) == [
        *("cancelResult", "newOrderResult", "cancelResponse", "newOrderResponse")
    ]
    assert answer.content["cancelResult"] == answer.content["newOrderResult"] == "SUCCESS"
    assert answer.content["cancelResponse"]["clientOrderId"] == "the-cancel"
    assert answer.content["newOrderResponse"]["fills"] == []
    assert await open_ids(old) == ["new"]
    assert answer.headers["X-MBX-ORDER-COUNT-10S"] == "2"


async def test_the_id_of_the_cancelled_order_is_free_for_the_new_one(old: Client) -> None:
    answer = await swap(old, "STOP_ON_FAILURE", newClientOrderId="old")
    assert answer.status == 200
    assert await open_ids(old) == ["old"]


async def test_what_is_freed_by_the_cancel_can_pay_the_new_order(alice: Client) -> None:
    await alice.limit("BUY", "5", "20000", newClientOrderId="old")
    answer = await swap(alice, "STOP_ON_FAILURE", quantity="4.9")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("mode", "cancel", "changes", "status", "code", "results", "left"),
    [
        ("STOP_ON_FAILURE", "none", {}, 400, -2022, ("FAILURE", "NOT_ATTEMPTED"), ["old"]),
        ("STOP_ON_FAILURE", "old", POOR, 409, -2021, ("SUCCESS", "FAILURE"), []),
        ("ALLOW_FAILURE", "none", {}, 409, -2021, ("FAILURE", "SUCCESS"), ["old", "new"]),
        ("ALLOW_FAILURE", "old", POOR, 409, -2021, ("SUCCESS", "FAILURE"), []),
        ("ALLOW_FAILURE", "none", POOR, 400, -2022, ("FAILURE", "FAILURE"), ["old"]),
    ],
)
async def test_each_failure_is_told_with_what_became_of_both_halves(
    old: Client,
    mode: str,
    cancel: str,
    changes: dict[str, str],
    status: int,
    code: int,
    results: tuple[str, str],
    left: list[str],
) -> None:
    answer = await swap(old, mode, **{"cancelOrigClientOrderId": cancel} | changes)
    assert (answer.status, answer.content["code"]) == (status, code)
    data = answer.content["data"]
    assert (data["cancelResult"], data["newOrderResult"]) == results
    if results[0] == "FAILURE":
        assert data["cancelResponse"] == UNKNOWN
    else:
        assert data["cancelResponse"]["status"] == "CANCELED"
    if results[1] == "NOT_ATTEMPTED":
        assert data["newOrderResponse"] is None
    elif results[1] == "FAILURE":
        assert data["newOrderResponse"] == NO_FUNDS
    else:
        assert data["newOrderResponse"]["status"] == "NEW"
    assert await open_ids(old) == left


async def test_a_refused_replacement_is_told_to_the_stream(
    venue: LocalTestnet, old: Client
) -> None:
    told: list[Event] = []
    venue.exchange.listeners.append(told.append)
    await swap(old, "STOP_ON_FAILURE", **POOR)
    executions = [event for event in told if isinstance(event, Execution)]
    assert [(e.type, e.status, e.reject_reason, e.client_id) for e in executions[1:]] == [
        ("REJECTED", "REJECTED", "INSUFFICIENT_BALANCES", "new")
    ]


async def test_filters_are_judged_before_anything_is_cancelled(old: Client) -> None:
    answer = await swap(old, "ALLOW_FAILURE", price="20000.001")
    assert answer.refusal == (400, -1013, "Filter failure: PRICE_FILTER")
    assert await open_ids(old) == ["old"]


async def test_a_restricted_cancel_fails_where_the_status_is_another(old: Client) -> None:
    answer = await swap(old, "STOP_ON_FAILURE", cancelRestrictions="ONLY_PARTIALLY_FILLED")
    text = "Order was not canceled due to cancel restrictions."
    assert answer.content["data"]["cancelResponse"] == {"code": -2011, "msg": text}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cancelReplaceMode": "MAYBE"}, -1130),
        ({"orderRateLimitExceededMode": "MAYBE"}, -1130),
        ({"cancelRestrictions": "MAYBE"}, -1145),
    ],
)
async def test_modes_are_those_documented(old: Client, changes: dict[str, str], code: int) -> None:
    answer = await swap(old, "STOP_ON_FAILURE", **changes)
    assert (answer.status, answer.content["code"]) == (400, code)
    assert await open_ids(old) == ["old"]


class TestOverTheOrderCount:
    @pytest.fixture
    def config(self, config: TestnetConfig) -> TestnetConfig:
        return replace(config, limits=RateLimits(orders_per_10_seconds=1))

    async def test_nothing_is_done_unless_asked_for(self, old: Client) -> None:
        answer = await swap(old, "STOP_ON_FAILURE")
        text = "Too many new orders; current limit is 1 orders per 10 SECOND."
        assert answer.refusal == (429, -1015, text)
        assert answer.headers["Retry-After"] == "10"
        assert await open_ids(old) == ["old"]

    @pytest.mark.parametrize(
        ("mode", "cancel", "status", "code"),
        [
            ("STOP_ON_FAILURE", "old", 409, -2021),
            ("ALLOW_FAILURE", "old", 409, -2021),
            ("STOP_ON_FAILURE", "none", 429, -2022),
            ("ALLOW_FAILURE", "none", 400, -2022),
        ],
    )
    async def test_over_the_websocket_api_a_cancel_alone_is_409(
        self,
        venue: LocalTestnet,
        session: aiohttp.ClientSession,
        old: Client,
        mode: str,
        cancel: str,
        status: int,
        code: int,
    ) -> None:
        asked = NEW | {"cancelReplaceMode": mode, "cancelOrigClientOrderId": cancel}
        signer = Signer(ALICE, old.clock)
        async with wire(session, venue.url, "/ws-api/v3") as api:
            answer = await api.ask(
                signer.request(
                    "order.cancelReplace", **asked, orderRateLimitExceededMode="CANCEL_ONLY"
                )
            )
        assert (answer["status"], answer["error"]["code"]) == (status, code)
        assert ("retryAfter" in answer["error"]["data"]) is (status == 429)
        assert await open_ids(old) == ([] if cancel == "old" else ["old"])

    @pytest.mark.parametrize(
        ("mode", "cancel", "status", "code", "results"),
        [
            ("STOP_ON_FAILURE", "old", 429, -2021, ("SUCCESS", "FAILURE")),
            ("STOP_ON_FAILURE", "none", 429, -2022, ("FAILURE", "NOT_ATTEMPTED")),
            ("ALLOW_FAILURE", "old", 409, -2021, ("SUCCESS", "FAILURE")),
            ("ALLOW_FAILURE", "none", 400, -2022, ("FAILURE", "FAILURE")),
        ],
    )
    async def test_or_the_order_is_only_cancelled(
        self,
        old: Client,
        mode: str,
        cancel: str,
        status: int,
        code: int,
        results: tuple[str, str],
    ) -> None:
        answer = await swap(
            old,
            mode,
            orderRateLimitExceededMode="CANCEL_ONLY",
            cancelOrigClientOrderId=cancel,
        )
        assert (answer.status, answer.content["code"]) == (status, code)
        assert answer.headers.get("Retry-After") == ("10" if status == 429 else None)
        data = answer.content["data"]
        assert (data["cancelResult"], data["newOrderResult"]) == results
        if results[1] == "FAILURE":
            assert data["newOrderResponse"]["code"] == -1015
        assert await open_ids(old) == ([] if cancel == "old" else ["old"])
