"""Responses of the WebSocket API have the fields and the JSON types of its examples.

The examples order the fields of one thing in several ways, so that their order says nothing.
"""

import json
from collections.abc import AsyncIterator, Container, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from otonom_trader.testnet import LocalTestnet, ManualClock, RateLimits, TestnetConfig
from otonom_trader.testnet.ws_methods import METHODS
from tests.testnet.conftest import ALICE, Client
from tests.testnet.test_reply_shapes import BTC, LIMIT, OCO, OTO, OTOCO, REPLACE, shape
from tests.testnet.wire import ED25519, Signer, Wire, logon, wire

PATH = "/ws-api/v3"
Step = tuple[str, dict[str, Any]]
RESTING = BTC | {"origClientOrderId": "resting"}
BOTH = {"symbols": ["BTCUSDT"]}
MINI = {"type": "MINI"}
BUY = LIMIT | {"price": "19000"}
MAKER = BTC | {"side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.1", "price": "21000"}
FAILING = {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": 99}
PLACE_OCO: Step = ("orderList.place.oco", OCO)
PLACE_OTO: Step = ("orderList.place.oto", OTO)
PENDING_WORKS = OTO | {
    "workingPrice": "20000",
    "workingQuantity": "0.1",
    "pendingType": "LIMIT",
    "pendingTimeInForce": "GTC",
    "pendingPrice": "22000",
    "pendingQuantity": "0.1",
}
LIST_0 = {"orderListId": 0}
AMENDING = "order.amend.keepPriority"

# Number of the example, what is sent: the last response is compared.
FOLLOWED: list[tuple[str, list[Step]]] = [
    ("00404", [("time", {})]),
    ("00467", [("time", {})]),
    ("00490", [("time", {"returnRateLimits": False})]),
    ("01389", [("ping", {})]),
    ("01427", [("time", {})]),
    ("01676", [("executionRules", {})]),
    ("01747", [("depth", BTC)]),
    ("01819", [("trades.recent", BTC)]),
    ("01881", [("trades.historical", BTC)]),
    ("02024", [("trades.aggregate", BTC)]),
    ("02119", [("klines", BTC | {"interval": "1m"})]),
    ("02199", [("uiKlines", BTC | {"interval": "1m"})]),
    ("02258", [("avgPrice", BTC)]),
    ("02362", [("ticker.24hr", BTC)]),
    ("02403", [("ticker.24hr", BTC | MINI)]),
    ("02435", [("ticker.24hr", BOTH)]),
    ("02571", [("ticker.tradingDay", BTC)]),
    ("02606", [("ticker.tradingDay", BOTH)]),
    ("02662", [("ticker.tradingDay", BTC | MINI)]),
    ("02694", [("ticker.tradingDay", BOTH | MINI)]),
    ("02861", [("ticker", BTC)]),
    ("02896", [("ticker", BTC | MINI)]),
    ("02928", [("ticker", BOTH)]),
    ("03051", [("ticker.price", BTC)]),
    ("03073", [("ticker.price", BOTH)]),
    ("03173", [("ticker.book", BTC)]),
    ("03198", [("ticker.book", BOTH)]),
    ("03256", [("referencePrice", BTC)]),
    ("03325", [("referencePrice.calculation", {"symbol": "ETHUSDT"})]),
    ("03339", [("referencePrice.calculation", BTC)]),
    ("00229", [("order.place", LIMIT | {"price": "21000", "quantity": "100"})]),
    ("00584", [("order.place", BUY | {"newOrderRespType": "RESULT"})]),
    ("03801", [("order.place", BUY | {"newOrderRespType": "ACK"})]),
    ("03840", [("order.place", BUY | {"newOrderRespType": "RESULT"})]),
    ("03890", [("order.place", LIMIT | {"price": "20000"})]),
    ("04033", [("order.test", BUY)]),
    ("04052", [("order.test", BUY | {"computeCommissionRates": True})]),
    ("04194", [("order.cancel", RESTING)]),
    ("04235", [PLACE_OCO, ("order.cancel", BTC | {"orderId": 5})]),
    ("04319", [("order.cancel", RESTING | {"cancelRestrictions": "SOME"})]),
    ("04326", [("order.cancel", RESTING | {"cancelRestrictions": "ONLY_PARTIALLY_FILLED"})]),
    (
        "04768",
        [
            (
                "order.cancelReplace",
                REPLACE | {"cancelOrigClientOrderId": "resting", "newOrderRespType": "RESULT"},
            )
        ],
    ),
    ("04844", [("order.cancelReplace", REPLACE | {"cancelOrderId": 99})]),
    (
        "04891",
        [
            (
                "order.cancelReplace",
                MAKER
                | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "resting"},
            )
        ],
    ),
    ("04951", [("order.cancelReplace", REPLACE | FAILING)]),
    ("05014", [("order.cancelReplace", MAKER | FAILING)]),
    ("05208", [(AMENDING, RESTING | {"newQty": "0.05"})]),
    (
        "05249",
        [
            ("orderList.place.oto", PENDING_WORKS),
            (AMENDING, BTC | {"origClientOrderId": "pending", "newQty": "0.05"}),
        ],
    ),
    ("05348", [PLACE_OCO, ("openOrders.cancelAll", BTC)]),
    ("05732", [PLACE_OCO]),
    ("05916", [PLACE_OTO]),
    ("06112", [("orderList.place.otoco", OTOCO)]),
    ("06628", [PLACE_OCO, ("orderList.cancel", BTC | LIST_0)]),
    ("06945", [("account.status", {})]),
    ("07088", [("order.status", RESTING)]),
    ("07186", [("openOrders.status", BTC)]),
    ("07290", [("allOrders", BTC | {"limit": 1})]),
    ("07416", [PLACE_OCO, ("orderList.status", LIST_0)]),
    ("07491", [PLACE_OCO, ("openOrderLists.status", {})]),
    ("07584", [PLACE_OCO, ("allOrderLists", {})]),
    ("07685", [("myTrades", BTC)]),
    ("07768", [("account.rateLimits.orders", {})]),
    (
        "07850",
        [
            ("order.place", LIMIT | {"side": "SELL", "price": "20500"}),
            ("order.place", LIMIT | {"price": "20500", "quantity": "0.2"}),
            ("myPreventedMatches", BTC | {"preventedMatchId": 0}),
        ],
    ),
    ("07998", [("account.commission", BTC)]),
    (
        "08079",
        [
            (AMENDING, RESTING | {"newQty": "0.05"}),
            ("order.amendments", BTC | {"orderId": 3}),
        ],
    ),
    ("08340", [("userDataStream.subscribe.signature", {})]),
    ("08260", [("userDataStream.subscribe.signature", {}), ("userDataStream.unsubscribe", {})]),
    ("08292", [("userDataStream.subscribe.signature", {}), ("session.subscriptions", {})]),
]
"""The rest is compared by the tests below, or never given."""
BY_ITSELF = {
    *("00529", "00548", "01321", "01530", "03270", "03413", "03453", "03496"),
    *("05062", "05098", "08143", "08226"),
}
NEVER = {
    "00179": "a sample of a response to an order; its twin is 03840",
    "01940": "there are no block trades: always []",
    "03284": "an error as the result of a success; its twin 03325 is a refusal, and so is ours",
    "03355": "no reference price comes from outside",
    "05552": "orderList.place is not documented on the venue's own testnet, and not served",
    "06290": "OPO is refused by name",
    "06444": "OPOCO is refused by name",
    "06764": "SOR is refused by name",
    "06859": "SOR is refused by name",
    "06878": "SOR is refused by name",
    "07933": "allocations come of SOR: always []",
}

# Both are there or not by what the order was, not by what answers.
BY_ORDER = {
    *("stopPrice", "trailingDelta", "trailingTime", "icebergQty", "strategyId", "strategyType"),
    *("preventedMatchId", "preventedQuantity"),
}
# Where an example says something else than its twin on the REST page, or than a newer page.
LISTS = "lists count as orders, and an older example shows no 10 seconds"
OTHERWISE: dict[str, dict[str, str]] = {
    "03890": {".selfTradePreventionMode is added": "it is in the twin"},
    "04768": {".newOrderResponse.workingTime is added": "every RESULT has it"},
    "05062": {".data is added": "since December 2025 a 429 of the order count tells when to retry"},
    "05916": {"rateLimits": LISTS},
    "06112": {"rateLimits": LISTS},
    "06628": {".orderReports[].origClientOrderId is added": "every cancelled order has it"},
}
UNSIGNED = {"session.subscriptions", "userDataStream.unsubscribe"}


@pytest_asyncio.fixture
async def traded(alice: Client, bob: Client) -> None:
    """Something traded, and something rests on both sides."""
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000", strategyId=1, strategyType=1_000_000)
    await alice.limit("BUY", "0.1", "19500", newClientOrderId="resting", strategyId=1)
    await bob.limit("SELL", "0.1", "20000")


@pytest_asyncio.fixture
async def api(
    venue: LocalTestnet, session: aiohttp.ClientSession, traded: None
) -> AsyncIterator[Wire]:
    async with wire(session, venue.url, PATH) as opened:
        yield opened


@pytest.fixture
def examples(shared_data: Path) -> Path:
    return shared_data / "binance-docs-examples" / "web-socket-api"


def example(folder: Path, number: str) -> Any:
    (file,) = folder.glob(f"{number}-*.json")
    return json.loads(file.read_text("utf-8"))


async def answered(api: Wire, signer: Signer, steps: list[Step]) -> Any:
    answer: Any = None
    for method, params in steps:
        route = METHODS.get(method)
        unsigned = method in UNSIGNED or (route is not None and route.security.value == "NONE")
        if unsigned:
            request = {"id": "mine", "method": method, "params": params}
        else:
            texts = {name: spelt(value) for name, value in params.items()}
            request = signer.request(method, "mine", **texts)
        answer = await api.ask(request)
    return answer


def spelt(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def check(ours: Any, theirs: Any, known: Container[str] = ()) -> None:
    """``theirs`` is a whole response, or an error alone."""
    if "code" in theirs:
        assert ours["error"] == theirs
        return
    if "status" not in known:
        assert ours["status"] == theirs["status"]
    parts = ("id", "status", "result", "error")
    assert [name for name in ours if name in parts] == [name for name in theirs if name in parts]
    for part in ("result", "error"):
        told = differences(shape(ours.get(part)), shape(theirs.get(part)))
        assert [text for text in told if text not in known] == []
    if "error" in theirs:
        assert ours["error"]["code"] == theirs["error"]["code"]
    if "rateLimits" in ours and "rateLimits" in theirs and "rateLimits" not in known:
        assert limits_of(ours) <= limits_of(theirs)


def differences(ours: Any, theirs: Any, at: str = "") -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in (theirs | ours).keys() - BY_ORDER:
            if name not in ours:
                yield f"{at}.{name} is missing"
            elif name not in theirs:
                yield f"{at}.{name} is added"
            else:
                yield from differences(ours[name], theirs[name], f"{at}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and ours and theirs:
        yield from differences(ours[0], theirs[0], f"{at}[]")
    elif ours != theirs:
        yield f"{at} is {ours}, not {theirs}"


def limits_of(response: Any) -> set[tuple[Any, ...]]:
    shown = response["rateLimits"]
    assert {tuple(limit) for limit in shown} == {
        ("rateLimitType", "interval", "intervalNum", "limit", "count")
    }
    return {tuple(list(limit.values())[:3]) for limit in shown}


@pytest.mark.parametrize(
    ("number", "steps"), [pytest.param(*case, id=case[0]) for case in FOLLOWED]
)
async def test_a_response_is_that_of_its_example(
    api: Wire, clock: ManualClock, examples: Path, number: str, steps: list[Step]
) -> None:
    ours = await answered(api, Signer(ALICE, clock), steps)
    check(ours, example(examples, number), OTHERWISE.get(number, {}))


def test_every_example_of_a_response_is_compared_or_never_given(examples: Path) -> None:
    files = [*examples.glob("*.ws-response.json"), *examples.glob("*-cancel-order.json")]
    numbers = {file.name[:5] for file in files}
    followed = {number for number, _ in FOLLOWED}
    assert numbers == followed | BY_ITSELF | set(NEVER)


async def test_the_session_is_told_of_as_in_its_examples(
    config: TestnetConfig, session: aiohttp.ClientSession, clock: ManualClock, examples: Path
) -> None:
    accounts = (replace(ALICE, keys=(ED25519,)),)
    async with (
        LocalTestnet(replace(config, accounts=accounts)) as venue,
        wire(session, venue.url, PATH) as api,
    ):
        check(await api.ask(logon(clock)), example(examples, "03413"))
        check(await api.call("userDataStream.subscribe"), example(examples, "08226"))
        check(await api.call("session.status"), example(examples, "03453"))
        client = Client(venue.url, session, clock, ALICE.api_key, ALICE.api_secret)
        await client.limit("BUY", "0.1", "20000")
        event = await api.hear()
        assert list(event) == list(example_event(examples, "00338"))
        check(await api.call("session.logout"), example(examples, "03496"))
        await api.ask(logon(clock))
        await client.send("POST", f"/testnet/keys/{ED25519.api_key}", body='{"revoked": true}')
        api.events.clear()
        await api.call("ping")
        assert await api.hear() == example(examples, "01321")


def example_event(folder: Path, number: str) -> Any:
    (file,) = folder.glob(f"{number}-*.ws-event.json")
    return json.loads(file.read_text("utf-8"))


async def test_what_is_limited_is_refused_as_in_its_examples(
    config: TestnetConfig, session: aiohttp.ClientSession, clock: ManualClock, examples: Path
) -> None:
    limits = RateLimits(orders_per_10_seconds=1, weight_per_minute=60, refusals_before_ban=1)
    signer = Signer(ALICE, clock)
    async with (
        LocalTestnet(replace(config, limits=limits)) as venue,
        wire(session, venue.url, PATH) as api,
    ):
        await api.ask(signer.buy("0.1", "20000", newClientOrderId="resting"))
        replacing = REPLACE | {"cancelOrderId": 1}
        for number, mode in (("05062", "DO_NOTHING"), ("05098", "CANCEL_ONLY")):
            asked = {**replacing, "orderRateLimitExceededMode": mode}
            ours = await api.ask(signer.request("order.cancelReplace", "mine", **asked))
            check(ours, example(examples, number), OTHERWISE.get(number, {}))
        while (refused := await api.call("depth", symbol="BTCUSDT"))["status"] == 200:
            pass
        assert refused["status"] == 429
        check(await api.call("ping"), example(examples, "00548"))


async def test_a_reference_price_that_is_over_is_told_as_null(
    api: Wire, clock: ManualClock, examples: Path
) -> None:
    clock.advance(60)
    check(await api.call("referencePrice", **BTC), example(examples, "03270"))


async def test_no_history_is_an_empty_list(
    venue: LocalTestnet, session: aiohttp.ClientSession, examples: Path
) -> None:
    async with wire(session, venue.url, PATH) as api:
        check(await api.call("trades.historical", **BTC), example(examples, "00529"))


async def test_own_filters_are_told_in_three_groups(
    api: Wire, clock: ManualClock, examples: Path
) -> None:
    ours = await api.ask(Signer(ALICE, clock).request("myFilters", **BTC))
    assert list(ours["result"]) == list(example(examples, "08143")["result"])


async def test_exchange_info_has_the_fields_of_its_example(api: Wire, examples: Path) -> None:
    ours, theirs = await api.call("exchangeInfo", **BTC), example(examples, "01530")
    # The smart order routing it tells of is not served.
    assert list(ours["result"]) == [name for name in theirs["result"] if name != "sors"]
    (listed,), documented = ours["result"]["symbols"], theirs["result"]["symbols"][0]
    # The examples write the last fields of a symbol in one order here and in another on REST.
    assert listed.keys() == documented.keys()
    for name, value in documented.items():
        assert type(listed[name]) is type(value)
    kinds = [entry["rateLimitType"] for entry in ours["result"]["rateLimits"]]
    assert kinds == [entry["rateLimitType"] for entry in theirs["result"]["rateLimits"]]
    for entry, their in zip(
        ours["result"]["rateLimits"], theirs["result"]["rateLimits"], strict=True
    ):
        assert entry.keys() == their.keys()
