"""Replies validate against the venue's OpenAPI schema of October 2024, where it is not too old.

Where the schema contradicts the documentation's examples of July 2026, the examples win; each such
place is in the table, so that no other can appear unseen.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from otonom_trader.testnet.routes import ROUTES
from tests.testnet.conftest import Client
from tests.testnet.test_reply_shapes import BTC, LIMIT, LIST, OCO, OTO, OTOCO, REPLACE

Schema = dict[str, Any]
KINDS: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
INTEGERS = {"int32": 2**31, "int64": 2**63}


class OpenApi:
    """The schema file; ``complaints`` says where a value does not fit, field by field."""

    def __init__(self, file: Path) -> None:
        with file.open() as text:
            self.content: Schema = yaml.load(text, yaml.CSafeLoader)

    def complaints_of(self, endpoint: str, reply: Any, status: str = "200") -> list[str]:
        method, path = endpoint.split()
        operation = self.content["paths"][path][method.lower()]
        schema = operation["responses"][status]["content"]["application/json"]["schema"]
        return self.complaints(schema, reply)

    def complaints(self, schema: Schema, value: Any, at: str = "") -> list[str]:
        if "$ref" in schema:
            found: Any = self.content
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            return self.complaints(found, value, at)
        options = schema.get("oneOf") or schema.get("anyOf")
        if options:
            # The option that fits best says what is wrong: of the right kind, with least to say.
            told = [self.complaints(each, value, at) for each in options]
            return min(told, key=lambda texts: ("".join(texts).startswith(f"{at}: "), len(texts)))
        return list(self._complaints(schema, value, at))

    def _complaints(self, schema: Schema, value: Any, at: str) -> Iterator[str]:
        kind = schema.get("type", "object" if "properties" in schema else None)
        if kind is None:
            return
        if type(value) not in KINDS[kind]:
            yield f"{at}: {kind} expected"
            return
        if kind == "integer" and not abs(value) < INTEGERS[schema.get("format", "int64")]:
            yield f"{at}: {schema['format']} expected"
        if kind == "array":
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                yield f"{at}: another number of items expected"
            items: Schema = schema.get("items", {})
            yield from dict.fromkeys(
                text for each in value for text in self.complaints(items, each, f"{at}[]")
            )
        if kind == "object" and "properties" in schema:
            for name in schema.get("required", ()):
                if name not in value:
                    yield f"{at}.{name}: missing"
            for name, inner in value.items():
                if name in schema["properties"]:
                    yield from self.complaints(schema["properties"][name], inner, f"{at}.{name}")
                else:
                    yield f"{at}.{name}: unknown"


@pytest.fixture(scope="module")
def openapi(shared_data: Path) -> OpenApi:
    return OpenApi(shared_data / "binance-openapi-2024-10.yaml")


Case = tuple[str, str, dict[str, str]]
"""Method, path and parameters."""
ORDER, OPEN = "/api/v3/order", "/api/v3/openOrders"
BUY = LIMIT | {"price": "19000", "newClientOrderId": "mine"}
MARKET = BTC | {"side": "BUY", "type": "MARKET", "quantity": "0.1"}
BOTH = {"symbols": '["BTCUSDT","ETHUSDT"]'}
REPLACED = REPLACE | {"cancelOrigClientOrderId": "mine"}
FAILED = REPLACE | {"cancelOrderId": "99"}
PLACED: Case = ("POST", ORDER, BUY)

# What is sent; the last reply is checked.
CASES: list[tuple[Case, ...]] = [
    *((("GET", f"/api/v3/{name}", {}),) for name in ("ping", "time", "exchangeInfo")),
    *((("GET", f"/api/v3/{name}", BTC),) for name in ("depth", "trades", "avgPrice")),
    *((("GET", f"/api/v3/{name}", BTC),) for name in ("historicalTrades", "aggTrades")),
    *((("GET", f"/api/v3/{name}", BTC | {"interval": "1m"}),) for name in ("klines", "uiKlines")),
    *(
        (("GET", f"/api/v3/{name}", selected | kind),)
        for name in ("ticker", "ticker/tradingDay", "ticker/24hr")
        for selected in (BTC, BOTH)
        for kind in ({}, {"type": "MINI"})
    ),
    *(
        (("GET", f"/api/v3/ticker/{name}", selected),)
        for name in ("price", "bookTicker")
        for selected in (BTC, BOTH)
    ),
    *((("POST", ORDER, BUY | {"newOrderRespType": kind}),) for kind in ("ACK", "RESULT", "FULL")),
    (("POST", ORDER, MARKET),),
    (("POST", f"{ORDER}/test", BUY),),
    (("POST", f"{ORDER}/test", BUY | {"computeCommissionRates": "true"}),),
    (PLACED, ("GET", ORDER, BTC | {"origClientOrderId": "mine"})),
    (PLACED, ("DELETE", ORDER, BTC | {"origClientOrderId": "mine"})),
    (PLACED, ("GET", OPEN, BTC)),
    (PLACED, ("DELETE", OPEN, BTC)),
    (("POST", f"{LIST}/oco", OCO), ("DELETE", OPEN, BTC)),
    (PLACED, ("GET", "/api/v3/allOrders", BTC)),
    (PLACED, ("POST", f"{ORDER}/cancelReplace", REPLACED)),
    (("POST", f"{LIST}/oco", OCO),),
    (("POST", f"{LIST}/oto", OTO),),
    (("POST", f"{LIST}/otoco", OTOCO),),
    (("POST", f"{LIST}/oco", OCO), ("DELETE", LIST, BTC | {"orderListId": "0"})),
    (("POST", f"{LIST}/oco", OCO), ("GET", LIST, {"orderListId": "0"})),
    (("POST", f"{LIST}/oco", OCO), ("GET", "/api/v3/allOrderList", {})),
    (("POST", f"{LIST}/oco", OCO), ("GET", "/api/v3/openOrderList", {})),
    (("GET", "/api/v3/account", {}),),
    (("GET", "/api/v3/account/commission", BTC),),
    (("GET", "/api/v3/myTrades", BTC),),
    (("GET", "/api/v3/rateLimit/order", {}),),
    (
        ("POST", ORDER, LIMIT | {"side": "SELL", "price": "20500"}),
        ("POST", ORDER, LIMIT | {"price": "20500"}),
        ("GET", "/api/v3/myPreventedMatches", BTC | {"preventedMatchId": "0"}),
    ),
    (("GET", "/api/v3/myAllocations", BTC),),
]
REFUSED: list[Case] = [
    ("GET", "/api/v3/depth", {"symbol": "NOSUCH"}),
    ("POST", ORDER, BUY | {"quantity": "0"}),
    ("GET", ORDER, BTC | {"orderId": "99"}),
    ("DELETE", ORDER, BTC | {"orderId": "99"}),
    ("POST", f"{ORDER}/cancelReplace", FAILED),
    ("POST", f"{ORDER}/cancelReplace", FAILED | {"cancelReplaceMode": "ALLOW_FAILURE"}),
]

QUOTE_QTY = "it came later"
LEGS = "the legs of a list differ: only one with a stop price has stopPrice"
MINI = "a MINI ticker has no such field"

# What the schema says against the examples of July 2026, by the beginning of the complaint, and
# what the examples say instead.
OLDER: dict[str, dict[str, str]] = {
    "GET /api/v3/exchangeInfo": {
        ".symbols[].quotePrecision: unknown": "beside quoteAssetPrecision, as ever",
        ".symbols[].opoAllowed: unknown": "it came in December 2025",
        ".symbols[].amendAllowed: unknown": "it came later",
        ".symbols[].pegInstructionsAllowed: unknown": "it came in September 2025",
        ".symbols[].filters[].": "the schema takes every filter for a PRICE_FILTER",
    },
    "GET /api/v3/aggTrades": {"[].T: boolean expected": "T is the time of the trade"},
    "GET /api/v3/ticker": {
        ".priceChange: missing": MINI,
        ".priceChangePercent: missing": MINI,
        ".weightedAvgPrice: missing": MINI,
        ": object expected": "several symbols are answered with an array",
    },
    "GET /api/v3/ticker/tradingDay": {
        ".priceChange: missing": MINI,
        ".priceChangePercent: missing": MINI,
        ".weightedAvgPrice: missing": MINI,
        "[].priceChange: missing": MINI,
        "[].priceChangePercent: missing": MINI,
        "[].weightedAvgPrice: missing": MINI,
    },
    "GET /api/v3/ticker/24hr": {
        f"{at}.{name}": why
        for at in ("", "[]")
        for name, why in {
            "weightedAvgPrice: unknown": "it is there, as in the other tickers",
            "lastQty: unknown": "it is there",
            "priceChange: missing": MINI,
            "priceChangePercent: missing": MINI,
            "prevClosePrice: missing": MINI,
            "bidPrice: missing": MINI,
            "bidQty: missing": MINI,
            "askPrice: missing": MINI,
            "askQty: missing": MINI,
        }.items()
    },
    "POST /api/v3/order": {
        ".origQuoteOrderQty: unknown": QUOTE_QTY,
        ".fills: unknown": "in the schema a fill has no tradeId, so RESULT fits as well",
    },
    "DELETE /api/v3/order": {".origQuoteOrderQty: unknown": QUOTE_QTY},
    "DELETE /api/v3/openOrders": {
        "[].origQuoteOrderQty: unknown": QUOTE_QTY,
        "[].orderReports[].origQuoteOrderQty: unknown": QUOTE_QTY,
        "[].orderReports[].stopPrice: missing": LEGS,
    },
    "POST /api/v3/order/cancelReplace": {
        ".cancelResponse.origQuoteOrderQty: unknown": QUOTE_QTY,
        ".newOrderResponse.origQuoteOrderQty: unknown": QUOTE_QTY,
        ".data: unknown": "a refusal tells of both halves",
    },
    "POST /api/v3/orderList/oco": {
        ".orderReports[].origQuoteOrderQty: unknown": QUOTE_QTY,
        ".orderReports[].stopPrice: missing": LEGS,
    },
    "POST /api/v3/orderList/oto": {".orderReports[].origQuoteOrderQty: unknown": QUOTE_QTY},
    "POST /api/v3/orderList/otoco": {
        ".orderReports[].origQuoteOrderQty: unknown": QUOTE_QTY,
        ".orderReports[].stopPrice: unknown": LEGS,
    },
    "DELETE /api/v3/orderList": {
        ".orderReports[].origQuoteOrderQty: unknown": QUOTE_QTY,
        ".orderReports[].stopPrice: missing": LEGS,
    },
    "GET /api/v3/allOrderList": {"[].isIsolated: missing": "it belongs to margin"},
    "GET /api/v3/account/commission": {".specialCommission: unknown": "it came later"},
    "GET /api/v3/myPreventedMatches": {"[].makerSymbol: unknown": "it came later"},
}


def unexplained(endpoint: str, complaints: list[str]) -> list[str]:
    known = OLDER.get(endpoint, {})
    return [text for text in complaints if not text.startswith(tuple(known))]


async def answered(alice: Client, bob: Client, steps: tuple[Case, ...]) -> tuple[int, Any]:
    await bob.limit("SELL", "1", "21000")
    await alice.limit("BUY", "0.1", "20000")
    await bob.limit("SELL", "0.1", "20000")
    answer = None
    for method, path, parameters in steps:
        route = ROUTES[method, path]
        if route.security.value == "NONE":
            answer = await alice.get(path, **parameters)
        else:
            answer = await alice.signed(method, path, **parameters)
    assert answer is not None
    return answer.status, answer.content


def name_of(steps: tuple[Case, ...]) -> str:
    method, path, _ = steps[-1]
    return f"{method} {path}"


@pytest.mark.parametrize("steps", [pytest.param(each, id=name_of(each)) for each in CASES])
async def test_a_reply_validates(
    openapi: OpenApi, alice: Client, bob: Client, steps: tuple[Case, ...]
) -> None:
    status, content = await answered(alice, bob, steps)
    assert status == 200, content
    endpoint = name_of(steps)
    assert unexplained(endpoint, openapi.complaints_of(endpoint, content)) == []


@pytest.mark.parametrize(
    "step", [pytest.param(each, id=f"{each[0]} {each[1]}") for each in REFUSED]
)
async def test_a_refusal_validates(
    openapi: OpenApi, alice: Client, bob: Client, step: Case
) -> None:
    status, content = await answered(alice, bob, (step,))
    endpoint = name_of((step,))
    assert status in (400, 409)
    # The schema knows no 409; the examples give it the shape of 400.
    assert unexplained(endpoint, openapi.complaints_of(endpoint, content, "400")) == []


def test_every_spot_path_of_the_schema_that_is_served_is_checked(openapi: OpenApi) -> None:
    checked = {(method, path) for steps in CASES for method, path, _ in steps[-1:]}
    in_schema = {
        (method.upper(), path)
        for path, operations in openapi.content["paths"].items()
        if path.startswith("/api/v3/")
        for method in operations
    }
    # Both are there to refuse what they are asked.
    refusing = {("POST", "/api/v3/sor/order"), ("POST", "/api/v3/sor/order/test")}
    assert checked == in_schema & set(ROUTES) - refusing
    assert len(checked) == 36


def test_what_the_schema_has_older_is_what_the_examples_have_newer(
    openapi: OpenApi, shared_data: Path
) -> None:
    """An entry of the table is one because an example contradicts the schema in the same place."""
    folder = shared_data / "binance-docs-examples"
    told: dict[str, list[str]] = {endpoint: [] for endpoint in OLDER}
    for entry in json.loads((folder / "index.json").read_text()):
        endpoint = entry["endpoint"]
        if entry["doc"] != "rest-api.md" or endpoint not in OLDER:
            continue
        content = json.loads((folder / entry["file"]).read_text())
        if endpoint == "GET /api/v3/exchangeInfo":
            files = (folder / "filters").glob("*.json")
            content["symbols"][0]["filters"] = [json.loads(file.read_text()) for file in files]
        status = "400" if isinstance(content, dict) and "code" in content else "200"
        told[endpoint] += openapi.complaints_of(endpoint, content, status)
    # The REST page has no example of a replacement that succeeded.
    file = folder / "web-socket-api" / "04768-cancel-and-replace-order.ws-response.json"
    replaced = json.loads(file.read_text())["result"]
    endpoint = "POST /api/v3/order/cancelReplace"
    told[endpoint] += openapi.complaints_of(endpoint, replaced)
    missing = [
        (endpoint, beginning)
        for endpoint, entries in OLDER.items()
        for beginning in entries
        if not any(text.startswith(beginning) for text in told[endpoint])
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"lastUpdateId": "1", "bids": [], "asks": []}, [".lastUpdateId: integer expected"]),
        ({"lastUpdateId": True, "bids": [], "asks": []}, [".lastUpdateId: integer expected"]),
        ({"lastUpdateId": 2**63, "bids": [], "asks": []}, [".lastUpdateId: int64 expected"]),
        ({"lastUpdateId": 1, "bids": [["1", 1.5]], "asks": []}, [".bids[][]: string expected"]),
        ({"lastUpdateId": 1, "bids": []}, [".asks: missing"]),
        ({"lastUpdateId": 1, "bids": [], "asks": [], "x": 1}, [".x: unknown"]),
        ([], [": object expected"]),
    ],
)
def test_a_reply_that_does_not_fit_is_noticed(
    openapi: OpenApi, value: Any, complaint: list[str]
) -> None:
    assert openapi.complaints_of("GET /api/v3/depth", value) == complaint
