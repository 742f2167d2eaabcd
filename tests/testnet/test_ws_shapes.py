"""Responses of the WebSocket API have the documentation's fields and JSON types."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from otonom_trader.testnet import LocalTestnet, ManualClock
from tests.testnet.conftest import ALICE, Client
from tests.testnet.test_reply_shapes import shape
from tests.testnet.wire import Signer, Wire, wire

BTC = {"symbol": "BTCUSDT"}
LIMIT = BTC | {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1"}

# The example's file, whether the method is signed, the method, its parameters.
PUBLIC: list[tuple[str, str, dict[str, Any]]] = [
    ("01389-test-connectivity", "ping", {}),
    ("01427-check-server-time", "time", {}),
    ("01747-order-book", "depth", BTC),
    ("01819-recent-trades", "trades.recent", BTC),
    ("01881-historical-trades", "trades.historical", BTC),
    ("02024-aggregate-trades", "trades.aggregate", BTC),
    ("02119-klines", "klines", BTC | {"interval": "1m"}),
    ("02199-ui-klines", "uiKlines", BTC | {"interval": "1m"}),
    ("02258-current-average-price", "avgPrice", BTC),
    ("02362-24hr-ticker-price-change-statistics", "ticker.24hr", BTC),
    ("02403-24hr-ticker-price-change-statistics", "ticker.24hr", BTC | {"type": "MINI"}),
    ("02435-24hr-ticker-price-change-statistics", "ticker.24hr", {"symbols": ["BTCUSDT"]}),
    ("02571-trading-day-ticker", "ticker.tradingDay", BTC),
    ("02606-trading-day-ticker", "ticker.tradingDay", {"symbols": ["BTCUSDT"]}),
    ("02662-trading-day-ticker", "ticker.tradingDay", BTC | {"type": "MINI"}),
    ("02861-rolling-window-price-change-statistics", "ticker", BTC),
    ("02896-rolling-window-price-change-statistics", "ticker", BTC | {"type": "MINI"}),
    ("03051-symbol-price-ticker", "ticker.price", BTC),
    ("03073-symbol-price-ticker", "ticker.price", {"symbols": ["BTCUSDT"]}),
    ("03173-symbol-order-book-ticker", "ticker.book", BTC),
    ("03198-symbol-order-book-ticker", "ticker.book", {"symbols": ["BTCUSDT"]}),
]
SIGNED: list[tuple[str, str, dict[str, Any]]] = [
    (
        "03801-place-new-order",
        "order.place",
        LIMIT | {"price": "19000", "newOrderRespType": "ACK"},
    ),
    (
        "03840-place-new-order",
        "order.place",
        LIMIT | {"price": "19000", "newOrderRespType": "RESULT"},
    ),
    ("03890-place-new-order", "order.place", LIMIT | {"price": "20000"}),
    ("04033-test-new-order", "order.test", LIMIT | {"price": "19000"}),
    (
        "04052-test-new-order",
        "order.test",
        LIMIT | {"price": "19000", "computeCommissionRates": True},
    ),
    ("04194-cancel-order", "order.cancel", BTC | {"origClientOrderId": "resting"}),
    ("05348-cancel-open-orders", "openOrders.cancelAll", BTC),
    ("06945-account-information", "account.status", {}),
    ("07088-query-order", "order.status", BTC | {"origClientOrderId": "resting"}),
    ("07186-current-open-orders", "openOrders.status", BTC),
    ("07290-account-order-history", "allOrders", BTC | {"limit": 1}),
    ("07685-account-trade-history", "myTrades", BTC),
    ("07768-unfilled-order-count", "account.rateLimits.orders", {}),
    ("07998-account-commission-rates", "account.commission", BTC),
]


@pytest_asyncio.fixture
async def api(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, bob: Client
) -> AsyncIterator[Wire]:
    """With something traded, and something resting on both sides."""
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000", strategyId=1, strategyType=1_000_000)
    await alice.limit("BUY", "0.1", "19500", newClientOrderId="resting", strategyId=1)
    await bob.limit("SELL", "0.1", "20000")
    async with wire(session, venue.url, "/ws-api/v3") as opened:
        yield opened


def example(folder: Path, name: str) -> Any:
    file = folder / "binance-docs-examples" / "web-socket-api" / f"{name}.ws-response.json"
    return json.loads(file.read_text("utf-8"))


def missing(ours: Any, theirs: Any) -> list[str]:
    """Fields of the example that ours lack, have as another type, or has beside them."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = [name for name in theirs if name not in ours]
        return found + [
            f"{name}.{inner}"
            for name in theirs
            if name in ours
            for inner in missing(ours[name], theirs[name])
        ]
    if isinstance(theirs, list) and isinstance(ours, list):
        return missing(ours[0], theirs[0]) if ours and theirs else []
    return [] if ours == theirs else [f"{ours} is not {theirs}"]


# Shown in the example because of what its order was; ours are plain orders.
CONDITIONAL = {
    "stopPrice",
    "trailingDelta",
    "trailingTime",
    "icebergQty",
    "strategyId",
    "strategyType",
    "preventedMatchId",
    "preventedQuantity",
}


@pytest.mark.parametrize(("name", "method", "params"), PUBLIC, ids=[entry[0] for entry in PUBLIC])
async def test_a_public_method_answers_as_its_example_does(
    api: Wire, shared_data: Path, name: str, method: str, params: dict[str, Any]
) -> None:
    theirs = example(shared_data, name)
    ours = await api.ask({"id": "mine", "method": method, "params": params})
    assert list(ours) == list(theirs)
    assert missing(shape(ours), shape(theirs)) == []


@pytest.mark.parametrize(("name", "method", "params"), SIGNED, ids=[entry[0] for entry in SIGNED])
async def test_a_signed_method_answers_as_its_example_does(
    api: Wire, clock: ManualClock, shared_data: Path, name: str, method: str, params: dict[str, Any]
) -> None:
    theirs = example(shared_data, name)
    texts = {key: "true" if value is True else value for key, value in params.items()}
    ours = await api.ask(Signer(ALICE, clock).request(method, request_id="mine", **texts))
    assert list(ours) == list(theirs)
    gone = [path.rpartition(".")[2] for path in missing(shape(ours), shape(theirs))]
    assert set(gone) <= CONDITIONAL
