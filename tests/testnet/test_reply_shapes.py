"""Replies have the fields, in order, and the JSON types of the documentation's examples."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.testnet.conftest import Client

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
