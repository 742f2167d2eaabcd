"""Queries that lag behind the engine, as memory and database copies do."""

from dataclasses import replace

import pytest

from otonom_trader.testnet import LocalTestnet, TestnetConfig
from tests.testnet.conftest import Client

BTC = {"symbol": "BTCUSDT"}


@pytest.fixture
def config(config: TestnetConfig) -> TestnetConfig:
    return replace(config, query_lag_ms=500)


async def found(client: Client, name: str) -> int | str:
    answer = await client.signed("GET", "/api/v3/order", **BTC, origClientOrderId=name)
    return str(answer.content.get("status") or answer.content["code"])


async def free(client: Client, asset: str) -> str:
    answer = await client.signed("GET", "/api/v3/account")
    return next(str(held["free"]) for held in answer.content["balances"] if held["asset"] == asset)


async def test_an_order_is_found_only_after_the_lag(venue: LocalTestnet, alice: Client) -> None:
    await alice.limit("BUY", "1", "20000", newClientOrderId="mine")
    assert venue.truth()["orders"][0]["status"] == "NEW"
    alice.clock.advance(0.499)
    assert await found(alice, "mine") == "-2013"
    assert (await alice.signed("GET", "/api/v3/openOrders")).content == []
    assert await free(alice, "USDT") == "100000.00000000"
    alice.clock.advance(0.001)
    assert await found(alice, "mine") == "NEW"
    assert len((await alice.signed("GET", "/api/v3/openOrders")).content) == 1
    assert await free(alice, "USDT") == "80000.00000000"


async def test_what_was_cancelled_or_filled_still_shows_as_it_was(
    alice: Client, bob: Client
) -> None:
    await alice.limit("BUY", "1", "20000", newClientOrderId="mine")
    alice.clock.advance(0.5)
    assert await found(alice, "mine") == "NEW"
    await bob.limit("SELL", "0.4", "20000")
    assert await found(alice, "mine") == "NEW"
    assert (await alice.signed("GET", "/api/v3/myTrades", **BTC)).content == []
    alice.clock.advance(0.5)
    assert await found(alice, "mine") == "PARTIALLY_FILLED"
    assert len((await alice.signed("GET", "/api/v3/myTrades", **BTC)).content) == 1
    cancel = BTC | {"origClientOrderId": "mine", "newClientOrderId": "the-cancel"}
    assert (await alice.signed("DELETE", "/api/v3/order", **cancel)).status == 200
    assert await found(alice, "mine") == "PARTIALLY_FILLED"
    assert await found(alice, "the-cancel") == "-2013"
    alice.clock.advance(0.5)
    assert await found(alice, "mine") == await found(alice, "the-cancel") == "CANCELED"
    assert (await alice.signed("GET", "/api/v3/openOrders")).content == []


async def test_trading_itself_does_not_lag(alice: Client) -> None:
    await alice.limit("BUY", "1", "20000", newClientOrderId="mine")
    again = await alice.limit("BUY", "1", "20000", newClientOrderId="mine")
    assert again.refusal == (400, -2010, "Duplicate order sent.")
    cancel = BTC | {"origClientOrderId": "mine"}
    assert (await alice.signed("DELETE", "/api/v3/order", **cancel)).status == 200


async def test_lists_lag_too(alice: Client) -> None:
    placed = await alice.signed(
        "POST",
        "/api/v3/orderList/oco",
        **BTC,
        side="SELL",
        quantity="1",
        aboveType="LIMIT_MAKER",
        abovePrice="21000",
        belowType="STOP_LOSS",
        belowStopPrice="19000",
    )
    query = {"orderListId": placed.content["orderListId"]}
    assert (await alice.signed("GET", "/api/v3/orderList", **query)).content["code"] == -2013
    alice.clock.advance(0.5)
    lists = (await alice.signed("GET", "/api/v3/openOrderList")).content
    assert [each["orderListId"] for each in lists] == [placed.content["orderListId"]]
