"""Replies have the fields, in order, and the JSON types of the documentation's examples."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, ManualClock, RateLimits, TestnetConfig
from tests.testnet.conftest import ALICE, Client

BTC = {"symbol": "BTCUSDT"}
LIMIT = BTC | {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1"}

# endpoint, label, whether the example is a list (None: the only one), parameters
SERVED: list[tuple[str, str, type | None, dict[str, str]]] = [
    ("GET /api/v3/ping", "Response", None, {}),
    ("GET /api/v3/time", "Response", None, {}),
    ("GET /api/v3/exchangeInfo", "Response", None, {}),
    ("GET /api/v3/depth", "Response", None, BTC),
    ("GET /api/v3/trades", "Response", None, BTC),
    ("GET /api/v3/klines", "Response", None, BTC | {"interval": "1m"}),
    ("GET /api/v3/uiKlines", "Response", None, BTC | {"interval": "1m"}),
    ("GET /api/v3/avgPrice", "Response", None, BTC),
    ("GET /api/v3/ticker/24hr", "Response - FULL", dict, BTC),
    ("GET /api/v3/ticker/24hr", "Response - FULL", list, {}),
    ("GET /api/v3/ticker/24hr", "Response - MINI", dict, BTC | {"type": "MINI"}),
    ("GET /api/v3/ticker/24hr", "Response - MINI", list, {"type": "MINI"}),
    ("GET /api/v3/ticker/price", "Response", dict, BTC),
    ("GET /api/v3/ticker/price", "Response", list, {}),
    ("GET /api/v3/ticker/bookTicker", "Response", dict, BTC),
    ("GET /api/v3/ticker/bookTicker", "Response", list, {}),
    ("GET /api/v3/order", "Response", None, BTC | {"orderId": "2"}),
    ("GET /api/v3/openOrders", "Response", None, BTC),
    ("GET /api/v3/allOrders", "Response", None, BTC | {"limit": "1"}),
    ("GET /api/v3/account", "Response", None, {}),
    ("GET /api/v3/myTrades", "Response", None, BTC),
    ("GET /api/v3/rateLimit/order", "Response", None, {}),
    ("GET /api/v3/account/commission", "Response", None, BTC),
    (
        "POST /api/v3/order",
        "Response - ACK",
        None,
        LIMIT | {"price": "20000", "newOrderRespType": "ACK"},
    ),
    (
        "POST /api/v3/order",
        "Response - RESULT",
        None,
        LIMIT | {"price": "20000", "newOrderRespType": "RESULT"},
    ),
    (
        "POST /api/v3/order",
        "Response - FULL",
        None,
        BTC | {"side": "BUY", "type": "MARKET", "quantity": "0.1"},
    ),
    ("DELETE /api/v3/order", "Response", None, BTC | {"orderId": "2"}),
    ("DELETE /api/v3/openOrders", "Response", None, BTC),
]

# Fields the documentation marks as conditional, or parts of what is not served.
LEFT_OUT = {"GET /api/v3/exchangeInfo": {"sors"}}


def shape(value: Any) -> Any:
    """The structure of a JSON value without what it says; of a list, its first element's."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value and not isinstance(value[0], str) else ["…"]
    return type(value).__name__


def row(value: Any) -> Any:
    """A list whose places mean something, place by place."""
    return [type(inner).__name__ for inner in value]


def example(folder: Path, endpoint: str, label: str, kind: type | None) -> Any:
    index = json.loads((folder / "index.json").read_text())
    for entry in index:
        if (entry["doc"], entry["endpoint"], entry["label"]) == ("rest-api.md", endpoint, label):
            content = json.loads((folder / entry["file"]).read_text())
            if kind is None or isinstance(content, kind):
                return content
    raise AssertionError(f"no example of {endpoint}, {label}")


@pytest.mark.parametrize(("endpoint", "label", "kind", "parameters"), SERVED)
async def test_a_reply_has_the_fields_and_types_of_its_example(
    shared_data: Path,
    alice: Client,
    bob: Client,
    endpoint: str,
    label: str,
    kind: type | None,
    parameters: dict[str, str],
) -> None:
    await bob.limit("SELL", "1", "21000")
    await alice.limit("BUY", "0.1", "20000")
    await alice.market("BUY", quantity="0.1")
    method, path = endpoint.split()
    is_public = path.split("/")[-1] in {
        *("ping", "time", "exchangeInfo", "depth", "trades", "klines", "uiKlines", "avgPrice"),
        *("24hr", "price", "bookTicker"),
    }
    if is_public:
        answer = await alice.get(path, **parameters)
    else:
        answer = await alice.signed(method, path, **parameters)
    assert answer.status == 200, answer.content
    documented = example(shared_data / "binance-docs-examples", endpoint, label, kind)
    if "lines" in path:
        assert row(answer.content[0]) == row(documented[0])
        return
    ours, theirs = shape(answer.content), shape(documented)
    for name in LEFT_OUT.get(endpoint, ()):
        theirs.pop(name)
    if path == "/api/v3/exchangeInfo":
        # The example leaves these two empty.
        assert theirs.pop("rateLimits") == [{}]
        ours.pop("rateLimits")
        theirs["symbols"][0].pop("filters")
        ours["symbols"][0].pop("filters")
    assert json.dumps(ours) == json.dumps(theirs)


OCO = BTC | {
    "side": "SELL",
    "quantity": "1",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "21000",
    "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "19000",
    "belowPrice": "18900",
    "belowTimeInForce": "GTC",
    "newOrderRespType": "RESULT",
}
OTO = BTC | {
    "workingType": "LIMIT",
    "workingSide": "BUY",
    "workingPrice": "19500",
    "workingQuantity": "1",
    "workingTimeInForce": "GTC",
    "pendingSide": "SELL",
    "pendingQuantity": "1",
    "pendingType": "MARKET",
    "pendingClientOrderId": "pending",
}
OTOCO = {
    **{
        name: value
        for name, value in OTO.items()
        if name[:11] not in ("pendingType", "pendingClie")
    },
    "pendingAboveType": "LIMIT_MAKER",
    "pendingAbovePrice": "21000",
    "pendingBelowType": "STOP_LOSS_LIMIT",
    "pendingBelowPrice": "18900",
    "pendingBelowStopPrice": "19000",
    "pendingBelowTimeInForce": "IOC",
}
REPLACE = LIMIT | {"price": "15000", "cancelReplaceMode": "STOP_ON_FAILURE"}
LIST = "/api/v3/orderList"
AMEND = "/api/v3/order/amend/keepPriority"
Step = tuple[str, str, dict[str, str]]
SELL = LIMIT | {"side": "SELL", "price": "22000", "newClientOrderId": "mine"}
MINE: Step = ("POST", "/api/v3/order", SELL)
AMENDED: Step = ("PUT", AMEND, BTC | {"origClientOrderId": "mine", "newQty": "0.05"})
POST_OCO: Step = ("POST", f"{LIST}/oco", OCO)
POST_OTO: Step = ("POST", f"{LIST}/oto", OTO)

# number of the example, what is sent: the last reply is compared
FOLLOWED: list[tuple[str, list[Step]]] = [
    ("00908", [("GET", "/api/v3/executionRules", {})]),
    ("01024", [("GET", "/api/v3/historicalTrades", BTC)]),
    ("01100", [("GET", "/api/v3/aggTrades", BTC)]),
    ("01527", [("GET", "/api/v3/ticker/tradingDay", BTC)]),
    ("01549", [("GET", "/api/v3/ticker/tradingDay", {"symbols": '["BTCUSDT"]'})]),
    ("01592", [("GET", "/api/v3/ticker/tradingDay", BTC | {"type": "MINI"})]),
    ("01611", [("GET", "/api/v3/ticker/tradingDay", {"symbols": '["BTCUSDT"]', "type": "MINI"})]),
    ("01908", [("GET", "/api/v3/ticker", BTC)]),
    ("01931", [("GET", "/api/v3/ticker", {"symbols": '["BTCUSDT"]'})]),
    ("01974", [("GET", "/api/v3/ticker", BTC | {"type": "MINI"})]),
    ("01995", [("GET", "/api/v3/ticker", {"symbols": '["BTCUSDT"]', "type": "MINI"})]),
    ("02048", [("GET", "/api/v3/referencePrice", BTC)]),
    ("02068", [("GET", "/api/v3/referencePrice", {"symbol": "ETHUSDT"})]),
    ("02098", [("GET", "/api/v3/referencePrice/calculation", {"symbol": "ETHUSDT"})]),
    ("02107", [("GET", "/api/v3/referencePrice/calculation", BTC)]),
    ("02351", [("POST", "/api/v3/order/test", SELL)]),
    ("02357", [("POST", "/api/v3/order/test", SELL | {"computeCommissionRates": "true"})]),
    ("02439", [("DELETE", "/api/v3/order", BTC | {"orderId": "2", "cancelRestrictions": "X"})]),
    (
        "02446",
        [
            MINE,
            (
                *("DELETE", "/api/v3/order"),
                BTC | {"origClientOrderId": "mine", "cancelRestrictions": "ONLY_PARTIALLY_FILLED"},
            ),
        ],
    ),
    ("02850", [("POST", "/api/v3/order/cancelReplace", REPLACE | {"cancelOrderId": "99"})]),
    (
        "02867",
        [
            MINE,
            (
                *("POST", "/api/v3/order/cancelReplace"),
                BTC
                | {
                    "side": "BUY",
                    "type": "LIMIT_MAKER",
                    "quantity": "0.1",
                    "price": "21000",
                    "cancelReplaceMode": "STOP_ON_FAILURE",
                    "cancelOrigClientOrderId": "mine",
                },
            ),
        ],
    ),
    (
        "02902",
        [
            (
                *("POST", "/api/v3/order/cancelReplace"),
                REPLACE
                | {
                    "cancelReplaceMode": "ALLOW_FAILURE",
                    "cancelOrderId": "99",
                    "newOrderRespType": "ACK",
                },
            )
        ],
    ),
    (
        "02926",
        [
            (
                *("POST", "/api/v3/order/cancelReplace"),
                BTC
                | {
                    "side": "BUY",
                    "type": "LIMIT_MAKER",
                    "quantity": "0.1",
                    "price": "21000",
                    "cancelReplaceMode": "ALLOW_FAILURE",
                    "cancelOrderId": "99",
                },
            )
        ],
    ),
    ("03029", [MINE, AMENDED]),
    ("03057", [POST_OTO, ("PUT", AMEND, BTC | {"origClientOrderId": "pending", "newQty": "0.5"})]),
    ("03432", [POST_OTO]),
    ("03587", [("POST", f"{LIST}/otoco", OTOCO)]),
    ("03970", [POST_OCO, ("DELETE", LIST, BTC | {"orderListId": "0"})]),
    ("04424", [POST_OCO, ("GET", LIST, {"orderListId": "0"})]),
    ("04476", [POST_OCO, ("GET", "/api/v3/allOrderList", {})]),
    ("04544", [POST_OCO, ("GET", "/api/v3/openOrderList", {})]),
    (
        "04716",
        [
            ("POST", "/api/v3/order", SELL | {"price": "20500"}),
            ("POST", "/api/v3/order", LIMIT | {"price": "20500"}),
            ("GET", "/api/v3/myPreventedMatches", BTC | {"preventedMatchId": "0"}),
        ],
    ),
    ("04878", [MINE, AMENDED, ("GET", "/api/v3/order/amendments", BTC | {"orderId": "4"})]),
]


@pytest.mark.parametrize(
    ("number", "steps"), [pytest.param(*case, id=case[0]) for case in FOLLOWED]
)
async def test_a_reply_is_that_of_its_example(
    shared_data: Path, alice: Client, bob: Client, number: str, steps: list[Step]
) -> None:
    await bob.limit("SELL", "1", "21000")
    await alice.limit("BUY", "0.1", "20000")
    await bob.limit("SELL", "0.1", "20000")
    content: Any = None
    for method, path, parameters in steps:
        if "order" in path.lower() or "my" in path:
            content = (await alice.signed(method, path, **parameters)).content
        else:
            content = (await alice.get(path, **parameters)).content
    folder = shared_data / "binance-docs-examples" / "rest-api"
    (file,) = folder.glob(f"{number}-*.json")
    documented = json.loads(file.read_text())
    assert json.dumps(shape(content)) == json.dumps(shape(documented))
    if "code" in documented:
        assert (content["code"], content["msg"]) == (documented["code"], documented["msg"])
    if "data" in documented:
        for half in ("cancelResult", "newOrderResult"):
            assert content["data"][half] == documented["data"][half]


async def test_a_reference_price_that_is_over_is_told_as_null(
    shared_data: Path, alice: Client, bob: Client, clock: ManualClock
) -> None:
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000")
    clock.advance(60)
    content = (await alice.get("/api/v3/referencePrice", **BTC)).content
    folder = shared_data / "binance-docs-examples" / "rest-api"
    documented = json.loads((folder / "02058-query-reference-price.json").read_text())
    assert json.dumps(shape(content)) == json.dumps(shape(documented))


@pytest.mark.parametrize(("number", "mode"), [("02947", "DO_NOTHING"), ("02956", "CANCEL_ONLY")])
async def test_a_replacement_over_the_order_count_is_that_of_its_example(
    shared_data: Path,
    config: TestnetConfig,
    session: aiohttp.ClientSession,
    clock: ManualClock,
    number: str,
    mode: str,
) -> None:
    one = replace(config, limits=RateLimits(orders_per_10_seconds=1))
    async with LocalTestnet(one) as venue:
        alice = Client(venue.url, session, clock, ALICE.api_key, ALICE.api_secret)
        await alice.limit("BUY", "0.1", "20000")
        asked = REPLACE | {"cancelOrderId": "1", "orderRateLimitExceededMode": mode}
        content = (await alice.signed("POST", "/api/v3/order/cancelReplace", **asked)).content
    folder = shared_data / "binance-docs-examples" / "rest-api"
    (file,) = folder.glob(f"{number}-*.json")
    documented = json.loads(file.read_text())
    assert json.dumps(shape(content)) == json.dumps(shape(documented))
    limited = content["data"]["newOrderResponse"] if mode == "CANCEL_ONLY" else content
    assert limited["msg"] == "Too many new orders; current limit is 1 orders per 10 SECOND."


NEVER = {
    "00125": "a refusal, compared with that of an unknown symbol",
    "01062": "there are no block trades: always []",
    "02118": "no reference price comes from outside",
    "03160": "POST order/oco is not documented on the venue's own testnet, and not served",
    "03729": "OPO is refused by name",
    "03854": "OPOCO is refused by name",
    "04078": "SOR is refused by name",
    "04144": "SOR is refused by name",
    "04151": "SOR is refused by name",
    "04776": "allocations come of SOR: always []",
}


def test_every_example_of_the_rest_page_is_compared_or_never_given(shared_data: Path) -> None:
    folder = shared_data / "binance-docs-examples"
    compared = {number for number, _ in FOLLOWED} | set(NEVER)
    compared |= {"02058", "02947", "02956", "03292", "04928"}
    left = []
    for entry in json.loads((folder / "index.json").read_text()):
        number = Path(entry["file"]).name[:5]
        if entry["doc"] != "rest-api.md" or number in compared:
            continue
        content = json.loads((folder / entry["file"]).read_text())
        left += [number] * all(
            (entry["endpoint"], entry["label"]) != (endpoint, label)
            or (kind is not None and not isinstance(content, kind))
            for endpoint, label, kind, _ in SERVED
        )
    assert left == []


async def test_own_filters_are_told_in_three_groups(shared_data: Path, alice: Client) -> None:
    folder = shared_data / "binance-docs-examples" / "rest-api"
    documented = json.loads((folder / "04928-query-relevant-filters.json").read_text())
    assert list((await alice.signed("GET", "/api/v3/myFilters", **BTC)).content) == list(documented)


async def test_an_oco_of_icebergs_is_that_of_its_example(
    shared_data: Path, alice: Client, bob: Client
) -> None:
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000")
    answer = await alice.signed("POST", f"{LIST}/oco", **OCO, belowIcebergQty="0.5")
    folder = shared_data / "binance-docs-examples" / "rest-api"
    documented = json.loads((folder / "03292-new-order-list-oco.json").read_text())
    for ours, theirs in zip(
        answer.content["orderReports"], documented["orderReports"], strict=True
    ):
        assert json.dumps(shape(ours)) == json.dumps(shape(theirs))


FILTERS = {"PRICE_FILTER", "LOT_SIZE", "ICEBERG_PARTS", "MARKET_LOT_SIZE", "TRAILING_DELTA"}


async def test_each_filter_has_the_fields_of_its_example(shared_data: Path, alice: Client) -> None:
    folder = shared_data / "binance-docs-examples" / "filters"
    documented = {}
    for file in folder.glob("*.json"):
        content = json.loads(file.read_text())
        documented[content["filterType"]] = shape(content)
    shown = (await alice.get("/api/v3/exchangeInfo", **BTC)).content["symbols"][0]["filters"]
    assert {entry["filterType"] for entry in shown} >= FILTERS
    for entry in shown:
        assert json.dumps(shape(entry), sort_keys=True) == json.dumps(
            documented[entry["filterType"]], sort_keys=True
        )


async def test_a_refusal_has_the_fields_of_its_example(shared_data: Path, alice: Client) -> None:
    file = next((shared_data / "binance-docs-examples" / "errors").glob("*.json"))
    answer = await alice.get("/api/v3/depth", symbol="NOSUCH")
    assert answer.content == json.loads(file.read_text())
