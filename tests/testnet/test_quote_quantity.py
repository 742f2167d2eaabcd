"""MARKET orders by quoteOrderQty: the quantity it comes to is held to the filters of quantities."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from otonom_trader.testnet import TestnetConfig
from tests.testnet.conftest import ALICE, BOB, Answer, Client

PATH = "/api/v3/order/cancelReplace"


def lot(name: str, smallest: str, largest: str, step: str) -> dict[str, str]:
    return {"filterType": name, "minQty": smallest, "maxQty": largest, "stepSize": step}


async def change(client: Client, *filters: Mapping[str, Any]) -> None:
    body = json.dumps({"filters": filters})
    answer = await client.send("POST", "/testnet/symbols/BTCUSDT", body=body)
    assert answer.status == 200, answer.content


async def spend(client: Client, amount: str) -> Answer:
    return await client.market("BUY", quoteOrderQty=amount)


def failure(name: str, code: int = -1013) -> tuple[int, int, str]:
    return 400, code, f"Filter failure: {name}"


def too_thin(name: str) -> tuple[int, int, str]:
    text = f"Order book liquidity is less than {name} filter minimum quantity."
    return 400, -2010, text


@pytest.fixture
async def offered(alice: Client, bob: Client) -> Client:
    """Alice, and one coin for sale at 20000."""
    await bob.limit("SELL", "1", "20000")
    return alice


@pytest.mark.parametrize(
    ("amount", "bought"), [("99", None), ("200", "0.01000000"), ("409", "0.02000000")]
)
async def test_it_buys_no_less_and_no_more_than_a_market_order_may(
    offered: Client, amount: str, bought: str | None
) -> None:
    await change(
        offered,
        lot("LOT_SIZE", "0.00100000", "9000.00000000", "0.01000000"),
        lot("MARKET_LOT_SIZE", "0.01000000", "0.02000000", "0.00000000"),
    )
    answer = await spend(offered, amount)
    if bought is None:
        assert answer.refusal == failure("LOT_SIZE")
    else:
        assert answer.content["executedQty"] == bought
    assert (await spend(offered, "600")).refusal == failure("MARKET_LOT_SIZE")


async def test_its_quantity_is_a_step_of_either_filter(offered: Client) -> None:
    await change(offered, lot("MARKET_LOT_SIZE", "0.01000000", "9.00000000", "0.01000000"))
    assert (await spend(offered, "300")).refusal == failure("MARKET_LOT_SIZE")
    assert (await spend(offered, "400")).content["executedQty"] == "0.02000000"


async def test_it_is_below_the_largest_lot(offered: Client) -> None:
    await change(offered, lot("LOT_SIZE", "0.00001000", "0.50000000", "0.00001000"))
    assert (await spend(offered, "12000")).refusal == failure("LOT_SIZE")
    assert (await spend(offered, "10000")).status == 200


async def test_it_is_held_to_the_largest_position(offered: Client) -> None:
    await change(offered, {"filterType": "MAX_POSITION", "maxPosition": "10.10000000"})
    assert (await spend(offered, "4000")).refusal == failure("MAX_POSITION", -2010)
    assert (await spend(offered, "2000")).status == 200


class TestAnAssetWithALimit:
    @pytest.fixture
    def config(self, config: TestnetConfig) -> TestnetConfig:
        return replace(config, accounts=(replace(ALICE, max_asset={"BTC": Decimal("0.3")}), BOB))

    async def test_it_is_held_to_the_most_of_the_base_asset(self, offered: Client) -> None:
        assert (await spend(offered, "7000")).refusal == failure("MAX_ASSET")
        assert (await spend(offered, "6000")).status == 200


@pytest.mark.parametrize("name", ["LOT_SIZE", "MARKET_LOT_SIZE"])
async def test_a_book_with_less_than_the_least_quantity_refuses_it(
    alice: Client, bob: Client, name: str
) -> None:
    await bob.limit("SELL", "0.005", "20000")
    step = "0.00001000" if name == "LOT_SIZE" else "0.00000000"
    await change(alice, lot(name, "0.01000000", "9000.00000000", step))
    assert (await spend(alice, "1000")).refusal == too_thin(name)
    assert (await alice.truth())["orders"][-1]["account"] == "bob"


async def test_an_empty_book_refuses_it(alice: Client) -> None:
    text = "Order book liquidity is less than symbol minimum quantity."
    assert (await spend(alice, "1000")).refusal == (400, -2010, text)


async def test_what_was_refused_is_not_counted(offered: Client) -> None:
    await change(offered, lot("MARKET_LOT_SIZE", "0.01000000", "0.02000000", "0.00000000"))
    await spend(offered, "600")
    counts = (await offered.signed("GET", "/api/v3/rateLimit/order")).content
    assert [count["count"] for count in counts] == [0, 0]
    order = (await offered.limit("BUY", "0.01", "19000")).content
    assert order["orderId"] == 2


async def test_a_replacement_is_judged_before_anything_is_cancelled(offered: Client) -> None:
    await change(offered, lot("MARKET_LOT_SIZE", "0.01000000", "0.02000000", "0.00000000"))
    await offered.limit("BUY", "0.01", "19000", newClientOrderId="old")
    answer = await offered.signed(
        "POST",
        PATH,
        symbol="BTCUSDT",
        side="BUY",
        type="MARKET",
        quoteOrderQty="600",
        cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrigClientOrderId="old",
    )
    assert answer.refusal == failure("MARKET_LOT_SIZE")
    left = (await offered.signed("GET", "/api/v3/openOrders")).content
    assert [order["clientOrderId"] for order in left] == ["old"]
