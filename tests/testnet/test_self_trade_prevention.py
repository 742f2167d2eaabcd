"""Orders that must not trade with each other, alone and in a trade group."""

from dataclasses import replace

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, TestnetConfig
from otonom_trader.testnet.events import Event, Execution
from tests.testnet.conftest import ALICE, BOB, Client

BTC = {"symbol": "BTCUSDT"}
MODE = "selfTradePreventionMode"


@pytest.fixture
def config(config: TestnetConfig) -> TestnetConfig:
    accounts = tuple(replace(account, trade_group_id=7) for account in (ALICE, BOB))
    return replace(config, accounts=accounts)


async def held(client: Client) -> dict[str, tuple[str, str]]:
    balances = (await client.signed("GET", "/api/v3/account")).content["balances"]
    return {b["asset"]: (b["free"], b["locked"]) for b in balances if b["asset"] != "ETH"}


async def test_accounts_of_one_group_do_not_trade_with_each_other(
    alice: Client, bob: Client
) -> None:
    await alice.limit("SELL", "0.1", "20000", newClientOrderId="maker")
    answer = await bob.limit("BUY", "0.1", "20000", **{MODE: "EXPIRE_TAKER"})
    content = answer.content
    assert (content["status"], content["tradeGroupId"]) == ("EXPIRED_IN_MATCH", 7)
    assert content["preventedMatches"] == [
        {
            "preventedMatchId": 0,
            "makerSymbol": "BTCUSDT",
            "makerOrderId": 1,
            "price": "20000.00000000",
            "takerPreventedQuantity": "0.10000000",
        }
    ]
    maker = await alice.signed("GET", "/api/v3/order", **BTC, origClientOrderId="maker")
    assert maker.content["status"] == "NEW"
    assert "preventedMatchId" not in maker.content


async def test_an_account_tells_the_group_it_is_in(
    config: TestnetConfig, alice: Client, session: aiohttp.ClientSession
) -> None:
    told = (await alice.signed("GET", "/api/v3/account")).content
    assert (told["tradeGroupId"], list(told)[-1]) == (7, "tradeGroupId")
    alone = tuple(replace(account, trade_group_id=-1) for account in config.accounts)
    async with LocalTestnet(replace(config, accounts=alone)) as venue:
        client = Client(venue.url, session, alice.clock, alice.key, alice.secret)
        assert "tradeGroupId" not in (await client.signed("GET", "/api/v3/account")).content


async def test_an_order_tells_the_group_only_when_it_is_placed(alice: Client, bob: Client) -> None:
    await alice.limit("SELL", "0.2", "20000", newClientOrderId="maker")
    result = await bob.limit("BUY", "0.1", "20000", **{MODE: "DECREMENT"})
    assert result.content["tradeGroupId"] == 7
    queried = await bob.signed("GET", "/api/v3/order", **BTC, orderId=2)
    listed = await alice.signed("GET", "/api/v3/openOrders", **BTC)
    canceled = await alice.signed("DELETE", "/api/v3/order", **BTC, origClientOrderId="maker")
    for told in (queried.content, listed.content[0], canceled.content):
        assert told["preventedQuantity"] == "0.10000000"
        assert "tradeGroupId" not in told


async def test_a_transfer_moves_the_assets_without_a_trade_or_a_fee(
    venue: LocalTestnet, alice: Client, bob: Client
) -> None:
    told: list[Event] = []
    venue.exchange.listeners.append(told.append)
    await alice.limit("BUY", "0.6", "20000", **{MODE: "TRANSFER"})
    answer = await bob.limit("SELL", "0.2", "20000", **{MODE: "TRANSFER"})
    assert answer.content["status"] == "EXPIRED_IN_MATCH"
    assert answer.content["executedQty"] == "0.00000000"
    assert answer.content["preventedQuantity"] == "0.20000000"
    assert await held(alice) == {
        "BTC": ("10.20000000", "0.00000000"),
        "USDT": ("88000.00000000", "8000.00000000"),
    }
    assert await held(bob) == {
        "BTC": ("9.80000000", "0.00000000"),
        "USDT": ("104000.00000000", "0.00000000"),
    }
    assert (await alice.get("/api/v3/trades", **BTC)).content == []
    preventions = [e.prevention for e in told if isinstance(e, Execution) and e.prevention]
    assert [(p.overlap, p.last_qty, p.trade_group_id) for p in preventions] == [
        (20_000_000, 20_000_000, 7),
        (20_000_000, 20_000_000, 7),
    ]
    assert [p.counter_order_id for p in preventions] == [2, 1]


@pytest.mark.parametrize(("maker", "taker"), [("DECREMENT", "TRANSFER"), ("TRANSFER", "DECREMENT")])
async def test_a_transfer_needs_both_to_ask_for_it(
    alice: Client, bob: Client, maker: str, taker: str
) -> None:
    await alice.limit("BUY", "0.6", "20000", **{MODE: maker})
    await bob.limit("SELL", "0.2", "20000", **{MODE: taker})
    assert (await held(alice))["BTC"] == ("10.00000000", "0.00000000")
    assert (await held(bob))["BTC"] == ("10.00000000", "0.00000000")
    assert (await alice.get("/api/v3/depth", **BTC)).content["bids"] == [
        ["20000.00000000", "0.40000000"]
    ]


async def test_within_one_account_a_transfer_only_decrements(alice: Client) -> None:
    await alice.limit("BUY", "0.6", "20000", **{MODE: "TRANSFER"})
    await alice.limit("SELL", "0.2", "20000", **{MODE: "TRANSFER"})
    assert (await held(alice))["BTC"] == ("10.00000000", "0.00000000")
    matches = await alice.signed("GET", "/api/v3/myPreventedMatches", **BTC, orderId=1)
    assert [match["selfTradePreventionMode"] for match in matches.content] == ["DECREMENT"]


async def test_prevented_matches_are_found_by_id_and_by_order(alice: Client, bob: Client) -> None:
    for _ in range(3):
        await alice.limit("SELL", "0.1", "20000")
    await bob.limit("BUY", "0.3", "20000")

    async def ids(client: Client, **parameters: object) -> list[int]:
        answer = await client.signed("GET", "/api/v3/myPreventedMatches", **BTC, **parameters)
        return [match["preventedMatchId"] for match in answer.content]

    assert await ids(bob, orderId=4) == [0, 1, 2]
    assert await ids(alice, orderId=2) == [1]
    assert await ids(bob, orderId=4, fromPreventedMatchId=1, limit=1) == [1]
    assert await ids(bob, preventedMatchId=2) == [2]
    for mix in ({}, {"orderId": 4, "preventedMatchId": 1}):
        answer = await bob.signed("GET", "/api/v3/myPreventedMatches", **BTC, **mix)
        assert answer.content["code"] == -1128


async def test_a_symbol_decides_which_modes_it_allows(venue: LocalTestnet, alice: Client) -> None:
    rules = venue.exchange.engine.rules["BTCUSDT"]
    info = {
        **rules.info,
        "allowedSelfTradePreventionModes": ["NONE"],
        "defaultSelfTradePreventionMode": "NONE",
    }
    venue.exchange.engine.rules["BTCUSDT"] = replace(rules, info=info)
    await alice.limit("SELL", "0.1", "20000")
    answer = await alice.limit("BUY", "0.1", "20000")
    assert answer.content["status"] == "FILLED"
    refused = await alice.limit("BUY", "0.1", "20000", **{MODE: "EXPIRE_MAKER"})
    text = "This symbol does not allow the specified self-trade prevention mode."
    assert refused.refusal == (400, -1013, text)
