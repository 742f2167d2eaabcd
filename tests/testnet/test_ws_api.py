"""The WebSocket API: frames, signatures, limits, and the same answers as REST."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis.strategies import (
    booleans,
    dictionaries,
    floats,
    integers,
    lists,
    none,
    recursive,
    text,
)

from otonom_trader.testnet import (
    AccountConfig,
    LocalTestnet,
    ManualClock,
    MarketSpec,
    RateLimits,
    TestnetConfig,
)
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.routes import ROUTES
from otonom_trader.testnet.security import sign
from otonom_trader.testnet.ws_methods import _TWINS, METHODS
from otonom_trader.testnet.ws_request import payload, read
from tests.testnet.conftest import ALICE, Client
from tests.testnet.wire import Signer, Wire, wire

PATH = "/ws-api/v3"
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
ORDER = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01000000",
    "price": "52000.00",
    "recvWindow": 100,
    "timestamp": 1645423376532,
    "apiKey": KEY,
}
KNOWN_ANSWERS = [
    (ORDER, "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"),
    (
        {"apiKey": KEY, "timestamp": 1649729878532},
        "1cf54395b336b0a9727ef27d5d98987962bc47aca6e13fe978612d0adee066ed",
    ),
    (
        ORDER
        | {
            "symbol": "１２３４５６",  # noqa: RUF001  the published request has it
            "side": "BUY",
            "quantity": "1.00000000",
            "price": "0.10000000",
            "recvWindow": 5000,
        },
        "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
    ),
]


@pytest_asyncio.fixture
async def api(venue: LocalTestnet, session: aiohttp.ClientSession) -> AsyncIterator[Wire]:
    async with wire(session, venue.url, PATH) as opened:
        yield opened


@pytest.fixture
def signer(clock: ManualClock) -> Signer:
    return Signer(ALICE, clock)


def frame(method: str, params: dict[str, Any]) -> str:
    return json.dumps({"id": 1, "method": method, "params": params})


@pytest.mark.parametrize(("params", "signature"), KNOWN_ANSWERS)
def test_the_published_signatures_are_reproduced(params: dict[str, Any], signature: str) -> None:
    message = read(frame("order.place", params))
    assert sign(SECRET.encode(), payload(message.parameters).encode()) == signature


async def test_a_published_request_passes_security_over_the_wire(
    session: aiohttp.ClientSession,
) -> None:
    params, signature = KNOWN_ANSWERS[0]
    config = TestnetConfig(
        accounts=(AccountConfig(api_key=KEY, api_secret=SECRET),),
        market=MarketSpec.parse("empty"),
        clock=ManualClock(1645423376532),
    )
    async with LocalTestnet(config) as venue, wire(session, venue.url, PATH) as api:
        answer = await api.call("order.place", **params, signature=signature)
        assert (answer["status"], answer["result"]["price"]) == (200, "52000.00000000")
        forged = await api.call("order.place", **params, signature=signature[:-1] + "5")
    assert (forged["status"], forged["error"]["code"]) == (400, -1022)


@pytest.mark.parametrize("request_id", [7, -1, 2**60, "a-b_c", "x" * 36, None])
async def test_the_id_comes_back_as_it_was(api: Wire, request_id: Any) -> None:
    answer = await api.ask({"id": request_id, "method": "ping"})
    assert answer == {
        "id": request_id,
        "status": 200,
        "result": {},
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 6000,
                "count": 3,
            }
        ],
    }


async def test_a_method_may_carry_its_version(api: Wire) -> None:
    assert (await api.ask({"id": 1, "method": "v3/time"}))["result"].keys() == {"serverTime"}


@pytest.mark.parametrize(
    ("sent", "code", "problem"),
    [
        ("{", -1135, "Invalid JSON Request"),
        ("[]", -1135, "Invalid JSON Request"),
        ('{"id": 1, "method": NaN}', -1135, "Invalid JSON Request"),
    ],
)
async def test_a_frame_that_is_no_request_is_refused(
    api: Wire, sent: str, code: int, problem: str
) -> None:
    answer = await api.ask(sent)
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (None, 400, code)
    assert problem in answer["error"]["msg"]


@pytest.mark.parametrize("request_id", [7, "mine", None])
@pytest.mark.parametrize(
    ("rest", "code", "problem"),
    [
        ({}, -1135, "Invalid 'method' in JSON request; expected a string."),
        ({"method": 5}, -1135, "Invalid 'method' in JSON request; expected a string."),
        (
            {"method": "ping", "params": []},
            -1135,
            "Invalid 'params' in JSON request; expected an object.",
        ),
        (
            {"method": "depth", "params": {"symbol": {"name": "BTCUSDT"}}},
            -1135,
            "JSON sent for parameter 'symbol' is not valid",
        ),
        (
            {"method": "ping", "params": {"returnRateLimits": 3}},
            -1130,
            "Data sent for parameter 'returnRateLimits' is not valid.",
        ),
    ],
)
async def test_a_request_that_is_refused_unread_is_named_in_the_refusal(
    api: Wire, request_id: Any, rest: dict[str, Any], code: int, problem: str
) -> None:
    answer = await api.ask({"id": request_id} | rest)
    assert (answer["id"], answer["status"]) == (request_id, 400)
    assert answer["error"] == {"code": code, "msg": problem}
    assert (await api.call("ping"))["status"] == 200


@pytest.mark.parametrize(
    "frame_text",
    [
        '{"method": "ping"}',
        '{"id": "%s", "method": "ping"}' % ("x" * 37),
        '{"id": "a b", "method": "ping"}',
        '{"id": "", "method": "ping"}',
        '{"id": 1.5, "method": "ping"}',
        '{"id": true, "method": "ping"}',
        '{"id": {}, "method": "ping"}',
        '{"id": [1], "method": "ping"}',
        '{"id": %s, "method": "ping"}' % ("9" * 5000),
        '{"id": "a b"}',
    ],
)
async def test_over_an_id_that_is_none_the_venue_hangs_up(api: Wire, frame_text: str) -> None:
    assert await api.ask(frame_text) == {
        "id": None,
        "status": 400,
        "error": {
            "code": -1135,
            "msg": "Invalid 'id' in JSON request; expected an integer, a string matching "
            "'^[a-zA-Z0-9-_]{1,36}$', or null.",
        },
    }
    assert await api.ending() == (1008, "disconnected")


async def test_an_unknown_method_is_refused_by_name(api: Wire) -> None:
    answer = await api.call("order.explode")
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (1, 400, -1020)
    assert answer["error"]["msg"] == "This operation is not supported."


async def test_refusals_have_the_shape_and_codes_of_rest(api: Wire, signer: Signer) -> None:
    answer = await api.call("depth", symbol="NOSUCH")
    assert answer["error"] == {"code": -1121, "msg": "Invalid symbol."}
    answer = await api.call("depth", symbol="BTCUSDT", colour="red")
    assert answer["error"]["code"] == -1104
    answer = await api.ask(signer.request("order.status", symbol="BTCUSDT", orderId=77))
    assert (answer["status"], answer["error"]["code"]) == (400, -2013)


def test_every_endpoint_of_rest_is_a_method_too() -> None:
    twins = set(_TWINS.values()) | {"GET /api/v3/exchangeInfo"}
    assert {f"{method} {path}" for method, path in ROUTES if path.startswith("/api/")} == twins
    assert METHODS.keys() == {*_TWINS, "exchangeInfo"}


async def test_an_order_lives_its_life_over_one_connection(
    api: Wire, signer: Signer, alice: Client
) -> None:
    placed = await api.ask(signer.buy("0.5", "20000", newClientOrderId="mine"))
    assert placed["result"]["status"] == "NEW"
    assert [entry["rateLimitType"] for entry in placed["rateLimits"]] == [
        "ORDERS",
        "ORDERS",
        "REQUEST_WEIGHT",
    ]
    assert [entry["count"] for entry in placed["rateLimits"]] == [1, 1, 2]
    found = await api.ask(signer.request("order.status", symbol="BTCUSDT", orderId=1))
    over_rest = await alice.signed("GET", "/api/v3/order", symbol="BTCUSDT", orderId=1)
    assert found["result"] == over_rest.content
    listed = await api.ask(signer.request("openOrders.status"))
    assert [order["orderId"] for order in listed["result"]] == [1]
    canceled = await api.ask(
        signer.request("order.cancel", symbol="BTCUSDT", origClientOrderId="mine")
    )
    assert canceled["result"]["status"] == "CANCELED"
    assert [entry["rateLimitType"] for entry in canceled["rateLimits"]] == ["REQUEST_WEIGHT"]
    requests = (await alice.truth())["requests"]
    assert [
        (each["method"], each["path"], each["clientOrderId"], each["accepted"], each["orderId"])
        for each in requests
    ] == [("WS", "order.place", "mine", True, 1), ("WS", "order.cancel", "mine", True, 1)]


async def test_numbers_may_be_numbers_and_count_as_they_are_written(
    api: Wire, signer: Signer
) -> None:
    placed = await api.ask(signer.buy(0.5, 20000))  # type: ignore[arg-type]
    assert placed["result"]["origQty"] == "0.50000000"
    refused = await api.ask(signer.buy(1e-05, 20000))  # type: ignore[arg-type]
    assert refused["error"]["code"] == -1100
    assert "'quantity'" in refused["error"]["msg"]


async def test_booleans_are_signed_in_lower_case(api: Wire, signer: Signer) -> None:
    request = signer.request("account.status", returnRateLimits="false")
    request["params"]["returnRateLimits"] = False
    assert "rateLimits" not in await api.ask(request)


async def test_a_list_of_symbols_is_a_json_list(api: Wire) -> None:
    answer = await api.call("ticker.price", symbols=["BTCUSDT", "ETHUSDT"])
    assert [entry["symbol"] for entry in answer["result"]] == ["BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize(
    ("changed", "status", "code", "problem"),
    [
        ({"apiKey": None}, 401, -2014, "API-key format invalid."),
        ({"apiKey": "x" * 64}, 401, -2015, "Invalid API-key, IP, or permissions for action."),
        ({"signature": "00"}, 400, -1022, "Signature for this request is not valid."),
        ({"signature": None}, 400, -1105, "Parameter 'signature' was empty."),
    ],
)
async def test_security_refuses_in_the_words_of_rest(
    api: Wire, signer: Signer, changed: dict[str, Any], status: int, code: int, problem: str
) -> None:
    request = signer.request("account.status")
    request["params"] |= changed
    answer = await api.ask(request)
    assert (answer["status"], answer["error"]) == (status, {"code": code, "msg": problem})


@pytest.mark.parametrize("missing", ["apiKey", "timestamp", "signature"])
async def test_what_security_needs_is_mandatory(api: Wire, signer: Signer, missing: str) -> None:
    request = signer.request("account.status")
    del request["params"][missing]
    answer = await api.ask(request)
    assert answer["error"]["code"] == -1102
    assert f"'{missing}'" in answer["error"]["msg"]


async def test_old_requests_are_refused(api: Wire, signer: Signer, clock: ManualClock) -> None:
    request = signer.request("account.status")
    clock.advance(5.1)
    assert (await api.ask(request))["error"]["code"] == -1021


async def test_rate_limits_can_be_left_out_by_request_or_for_good(
    venue: LocalTestnet, session: aiohttp.ClientSession
) -> None:
    async with wire(session, venue.url, f"{PATH}?returnRateLimits=false") as quiet:
        assert await quiet.call("time") == {
            "id": 1,
            "status": 200,
            "result": {"serverTime": venue.config.clock.time_ms()},
        }
        assert "rateLimits" in await quiet.call("time", returnRateLimits=True)
    async with wire(session, venue.url, PATH) as plain:
        assert "rateLimits" in await plain.call("time")
        assert "rateLimits" not in await plain.call("time", returnRateLimits=False)
        assert (await plain.call("time", returnRateLimits=3))["error"]["code"] == -1130


@pytest.mark.parametrize("unit", ["MICROSECOND", "microsecond"])
async def test_times_can_be_in_microseconds(
    venue: LocalTestnet, session: aiohttp.ClientSession, clock: ManualClock, unit: str
) -> None:
    async with wire(session, venue.url, f"{PATH}?timeUnit={unit}") as api:
        assert (await api.call("time"))["result"] == {"serverTime": clock.time_ms() * 1000}


async def test_an_unknown_time_unit_is_refused_at_the_door(
    venue: LocalTestnet, session: aiohttp.ClientSession
) -> None:
    async with session.get(
        f"{venue.url}{PATH}?timeUnit=YEAR",
        headers={
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    ) as reply:
        assert reply.status == 400
        assert (await reply.json())["code"] == -1194


async def test_a_plain_request_is_told_that_a_websocket_is_expected(alice: Client) -> None:
    assert (await alice.get(PATH)).refusal[:2] == (400, -1020)


async def test_exchange_info_shows_the_limits_of_this_door(api: Wire) -> None:
    limits = (await api.call("exchangeInfo"))["result"]["rateLimits"]
    assert [entry["rateLimitType"] for entry in limits] == [
        "REQUEST_WEIGHT",
        "ORDERS",
        "ORDERS",
        "CONNECTIONS",
    ]
    assert limits[-1] == {
        "rateLimitType": "CONNECTIONS",
        "interval": "MINUTE",
        "intervalNum": 5,
        "limit": 300,
    }


async def test_weight_is_shared_with_rest_and_raw_requests_are_not(
    config: TestnetConfig, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    limits = RateLimits(weight_per_minute=50, raw_requests_per_5_minutes=1)
    async with (
        LocalTestnet(replace(config, limits=limits)) as venue,
        wire(session, venue.url, PATH) as api,
    ):
        rest = Client(venue.url, session, clock, ALICE.api_key, ALICE.api_secret)
        for _ in range(10):
            await api.call("ping")
        answer = await rest.get("/api/v3/ping")
        assert (answer.status, answer.headers["X-MBX-USED-WEIGHT-1M"]) == (200, "13")
        clock.advance(12.5)
        await api.call("exchangeInfo")
        limited = await api.call("exchangeInfo")
    now = clock.time_ms()
    assert limited["status"] == 429
    assert limited["error"]["code"] == -1003
    assert limited["error"]["data"] == {"serverTime": now, "retryAfter": now + 47_500}


async def test_too_many_orders_are_refused_with_the_time_to_come_back(
    config: TestnetConfig, session: aiohttp.ClientSession, signer: Signer, clock: ManualClock
) -> None:
    limits = RateLimits(orders_per_10_seconds=1)
    async with (
        LocalTestnet(replace(config, limits=limits)) as venue,
        wire(session, venue.url, PATH) as api,
    ):
        await api.ask(signer.buy("0.1", "20000"))
        refused = await api.ask(signer.buy("0.1", "20000"))
    now = clock.time_ms()
    assert (refused["status"], refused["error"]) == (
        429,
        {
            "code": -1015,
            "msg": "Too many new orders; current limit is 1 orders per 10 SECOND.",
            "data": {"serverTime": now, "retryAfter": now + 10_000},
        },
    )
    assert [entry["count"] for entry in refused["rateLimits"][:2]] == [1, 1]


@pytest.mark.parametrize("path", [PATH, "/ws"])
async def test_connection_attempts_are_limited(
    config: TestnetConfig, session: aiohttp.ClientSession, clock: ManualClock, path: str
) -> None:
    limits = RateLimits(connections_per_5_minutes=2)
    async with LocalTestnet(replace(config, limits=limits)) as venue:
        for _ in range(2):
            async with wire(session, venue.url, path):
                pass
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with wire(session, venue.url, path):
                pass
        assert refused.value.status == 429
        assert refused.value.headers is not None
        assert refused.value.headers["Retry-After"] == "300"
        other = "/ws" if path == PATH else PATH
        async with wire(session, venue.url, other):
            pass
        clock.advance(300)
        async with wire(session, venue.url, path):
            pass


async def test_a_batch_of_requests_is_answered_in_order(api: Wire) -> None:
    for number in range(50):
        await api.say({"id": number, "method": "ping"})
    assert [(await api.hear())["id"] for _ in range(50)] == list(range(50))


@pytest.mark.parametrize(
    "frame_text",
    [
        "[" * 100_000,
        '{"id": "\\ud800", "method": "ping"}',
        '{"id": 1, "method": "\\udfff"}',
        '{"id": 1, "method": "depth", "params": {"symbol": "\\ud800"}}',
    ],
)
async def test_a_frame_made_to_hurt_is_refused_like_any_other(api: Wire, frame_text: str) -> None:
    answer = await api.ask(frame_text)
    assert (answer["status"], answer["error"]["code"]) == (400, -1135)
    assert (await api.call("ping"))["status"] == 200


@given(
    text()
    | recursive(
        none() | booleans() | floats() | integers() | text(),
        lambda each: lists(each) | dictionaries(text(), each),
    ).map(json.dumps)
)
def test_any_frame_is_a_request_or_refused(frame_text: str) -> None:
    try:
        message = read(frame_text)
    except VenueError:
        return
    assert read(frame_text) == message
    payload(message.parameters).encode()


async def test_a_request_on_its_way_gets_there_though_its_connection_is_gone(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    signer: Signer,
    alice: Client,
    clock: ManualClock,
) -> None:
    late = {"path": "order.place", "fault": "delay_before", "ms": 1000, "count": 1}
    await alice.send("POST", "/testnet/faults", body=json.dumps(late))
    async with wire(session, venue.url, PATH) as leaving:
        await leaving.say(signer.buy("0.1", "20000", newClientOrderId="late"))
        await leaving.call("ping")
    assert (await alice.truth())["orders"] == []
    clock.advance(1)
    async with wire(session, venue.url, PATH) as another:
        await another.call("ping")
    (order,) = (await alice.truth())["orders"]
    assert order["clientOrderId"] == "late"
