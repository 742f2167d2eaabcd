"""Symbols and filters from a saved exchangeInfo, and what changes while the venue is open."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.testnet import LocalTestnet, ManualClock, MarketSpec, TestnetConfig
from otonom_trader.testnet.exchange_info import read_listing, symbol_reply
from tests.testnet.conftest import ALICE, BOB, NOON_MS, Client
from tests.testnet.wire import turn

BTC = {"symbol": "BTCUSDT"}
LIMIT = BTC | {
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "20000",
}


def test_a_production_file_is_listed_as_it_is(shared_data: Path) -> None:
    path = shared_data / "exchangeInfo-2025-08-07.json"
    saved = {entry["symbol"]: entry for entry in json.loads(path.read_text())["symbols"]}
    listing = read_listing(path)
    assert len(listing.symbols) == len(saved) == 25
    for rules in listing.symbols:
        shown = symbol_reply(rules, with_permission_sets=True)
        for name, value in saved[rules.symbol].items():
            assert shown[name] == value
        # Newer than the file, and not served.
        assert shown["opoAllowed"] is shown["pegInstructionsAllowed"] is False


async def test_a_venue_trades_what_the_file_lists(shared_data: Path) -> None:
    config = TestnetConfig(
        accounts=(replace(ALICE, balances={"BTC": Decimal(10), "ETH": Decimal(10)}),),
        market=MarketSpec(symbol="ETHBTC"),
        exchange_info=shared_data / "exchangeInfo-2025-08-07.json",
        clock=ManualClock(NOON_MS),
    )
    async with LocalTestnet(config) as venue:
        trading = {rules.symbol for rules in venue.exchange.engine.rules.values()}
        assert "ETHBTC" in trading
        quoted = {
            symbol for symbol, book in venue.exchange.engine.books.items() if book.bids.best()
        }
        open_symbols = {
            rules.symbol
            for rules in venue.exchange.engine.rules.values()
            if rules.status == "TRADING"
        }
        assert quoted == open_symbols
        assert len(open_symbols) == 12


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nonsense", "not a JSON object"),
        ("{}", "lists no symbols"),
        ('{"symbols": [{"symbol": "ABC"}]}', "ABC: filters is missing"),
        ('{"symbols": [{"symbol": "ABC", "filters": 5}]}', "ABC: "),
        (
            '{"symbols": [{"symbol": "ABC", "filters": [{"filterType": "NEW_FILTER"}]}]}',
            "ABC: filter 'NEW_FILTER' is unknown",
        ),
        (
            '{"symbols": [{"symbol": "A", "filters": [{"filterType": "ICEBERG_PARTS"}]}]}',
            "A: limit of filter ICEBERG_PARTS is missing or malformed: None",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_where(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "info.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        LocalTestnet(TestnetConfig(exchange_info=path))
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.json: No such file"):
        LocalTestnet(TestnetConfig(exchange_info=tmp_path / "none.json"))


async def names(client: Client, **parameters: object) -> list[str]:
    content = (await client.get("/api/v3/exchangeInfo", **parameters)).content
    return [entry["symbol"] for entry in content["symbols"]]


async def test_symbols_are_selected_by_status_and_permission(
    venue: LocalTestnet, alice: Client
) -> None:
    venue.exchange.change_symbol("ETHUSDT", status="HALT")
    assert await names(alice) == ["BTCUSDT", "ETHUSDT"]
    assert await names(alice, symbolStatus="TRADING") == ["BTCUSDT"]
    assert await names(alice, symbolStatus="HALT") == ["ETHUSDT"]
    assert await names(alice, symbolStatus="BREAK") == []
    assert await names(alice, permissions="SPOT") == ["BTCUSDT", "ETHUSDT"]
    assert await names(alice, permissions='["MARGIN","LEVERAGED"]') == []
    assert await names(alice, permissions="SPOT", symbolStatus="HALT") == ["ETHUSDT"]
    for mix in (
        BTC | {"symbolStatus": "TRADING"},
        BTC | {"permissions": "SPOT"},
        BTC | {"symbols": '["BTCUSDT"]'},
    ):
        assert (await alice.get("/api/v3/exchangeInfo", **mix)).content["code"] == -1128
    hidden = await alice.get("/api/v3/exchangeInfo", **BTC, showPermissionSets="false")
    assert hidden.content["symbols"][0]["permissionSets"] == []


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("HALT", "Market is closed."),
        ("BREAK", "Market is closed."),
        ("CANCEL_ONLY", "This order type is not possible in this trading phase."),
    ],
)
async def test_in_a_symbol_that_does_not_trade_orders_can_only_be_cancelled(
    venue: LocalTestnet, alice: Client, status: str, text: str
) -> None:
    await alice.order(**LIMIT, newClientOrderId="mine")
    venue.exchange.change_symbol("BTCUSDT", status=status)
    assert (await alice.order(**LIMIT)).refusal == (400, -2010, text)
    cancel = await alice.signed("DELETE", "/api/v3/order", **BTC, origClientOrderId="mine")
    assert cancel.status == 200
    venue.exchange.change_symbol("BTCUSDT", status="TRADING")
    assert (await alice.order(**LIMIT)).status == 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "OPEN"}, "status 'OPEN' is none of TRADING"),
        ({"filters": [{"filterType": "X"}]}, "filter 'X' is unknown"),
        ({"filters": 5}, "filters must be a list of whole filters"),
        ({"filters": ["LOT_SIZE"]}, "filters must be a list of whole filters"),
    ],
)
def test_a_change_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    venue = LocalTestnet()
    with pytest.raises(ValueError, match=message):
        venue.exchange.change_symbol("BTCUSDT", **change)
    with pytest.raises(ValueError, match="symbol 'NOSUCH' is not listed"):
        venue.exchange.change_symbol("NOSUCH", status="HALT")


FILTERS = [
    (
        {"filterType": "MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders": 1},
        [LIMIT | {"icebergQty": "0.005"}] * 2,
        (-2010, "Filter failure: MAX_NUM_ICEBERG_ORDERS"),
    ),
    (
        {"filterType": "MAX_POSITION", "maxPosition": "10.01500000"},
        [LIMIT] * 2,
        (-2010, "Filter failure: MAX_POSITION"),
    ),
    (
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 1},
        [LIMIT] * 2,
        (-2010, "Filter failure: MAX_NUM_ORDERS"),
    ),
    (
        {
            "filterType": "MIN_NOTIONAL",
            "minNotional": "200.00000001",
            "applyToMarket": True,
            "avgPriceMins": 0,
        },
        [LIMIT],
        (-1013, "Filter failure: MIN_NOTIONAL"),
    ),
    (
        {
            "filterType": "NOTIONAL",
            "minNotional": "1",
            "applyMinToMarket": True,
            "maxNotional": "199.99",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        [LIMIT],
        (-1013, "Filter failure: NOTIONAL"),
    ),
]


@pytest.mark.parametrize(("entry", "orders", "refusal"), FILTERS)
async def test_a_filter_refuses_the_last_of_these_orders(
    venue: LocalTestnet,
    alice: Client,
    entry: dict[str, Any],
    orders: list[dict[str, str]],
    refusal: tuple[int, str],
) -> None:
    venue.exchange.change_symbol("BTCUSDT", filters=[entry])
    *passing, failing = orders
    for order in passing:
        assert (await alice.order(**order)).status == 200
    assert (await alice.order(**failing)).refusal == (400, *refusal)
    shown = (await alice.get("/api/v3/exchangeInfo", **BTC)).content["symbols"][0]["filters"]
    assert entry in shown


async def test_percent_price_is_the_same_for_both_sides(
    venue: LocalTestnet, alice: Client, bob: Client
) -> None:
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000")
    entry = {
        "filterType": "PERCENT_PRICE",
        "multiplierUp": "1.1",
        "multiplierDown": "0.9",
        "avgPriceMins": 0,
    }
    venue.exchange.change_symbol("BTCUSDT", filters=[entry])
    refusal = (400, -1013, "Filter failure: PERCENT_PRICE")
    assert (await alice.limit("BUY", "0.1", "17999.99")).refusal == refusal
    assert (await alice.limit("SELL", "0.1", "22000.01")).refusal == refusal
    assert (await alice.limit("SELL", "0.1", "22000")).status == 200


class TestExchangeFilters:
    @pytest.fixture
    def config(self, tmp_path: Path, config: TestnetConfig) -> TestnetConfig:
        venue = LocalTestnet()
        symbols = [
            symbol_reply(rules, with_permission_sets=True)
            for rules in venue.exchange.engine.rules.values()
        ]
        symbols[1]["permissionSets"] = [["SPOT"], ["TRD_GRP_004", "TRD_GRP_005"]]
        filters = [
            {"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 3},
            {"filterType": "EXCHANGE_MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 1},
            {"filterType": "EXCHANGE_MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders": 1},
            {"filterType": "EXCHANGE_MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 0},
        ]
        path = tmp_path / "info.json"
        path.write_text(json.dumps({"exchangeFilters": filters, "symbols": symbols}))
        permitted = frozenset({"SPOT", "TRD_GRP_005"})
        accounts = (
            replace(ALICE, permissions=permitted, max_asset={"BTC": Decimal("0.5")}),
            BOB,
        )
        return replace(config, exchange_info=path, accounts=accounts)

    @pytest.mark.parametrize(
        ("orders", "name"),
        [
            ([LIMIT] * 4, "EXCHANGE_MAX_NUM_ORDERS"),
            ([LIMIT | {"icebergQty": "0.005"}] * 2, "EXCHANGE_MAX_NUM_ICEBERG_ORDERS"),
            (
                [BTC | {"side": "SELL", "type": "STOP_LOSS", "quantity": "1", "stopPrice": "9"}]
                * 2,
                "EXCHANGE_MAX_NUM_ALGO_ORDERS",
            ),
        ],
    )
    async def test_open_orders_of_all_symbols_count(
        self, bob: Client, orders: list[dict[str, str]], name: str
    ) -> None:
        for order in orders[:-1]:
            assert (await bob.order(**order)).status == 200
        answer = await bob.order(**orders[-1])
        assert answer.refusal == (400, -2010, f"Filter failure: {name}")

    async def test_open_lists_count(self, bob: Client) -> None:
        answer = await bob.signed(
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
        assert answer.refusal == (400, -2010, "Filter failure: EXCHANGE_MAX_NUM_ORDER_LISTS")

    async def test_of_each_permission_set_one_is_needed(self, alice: Client, bob: Client) -> None:
        order = LIMIT | {"symbol": "ETHUSDT", "price": "3000"}
        assert (await alice.order(**order)).status == 200
        text = "This symbol is not permitted for this account."
        assert (await bob.order(**order)).refusal == (400, -2010, text)

    async def test_an_asset_filter_belongs_to_the_account(self, alice: Client, bob: Client) -> None:
        large = LIMIT | {"quantity": "0.51"}
        assert (await bob.order(**large)).status == 200
        assert (await alice.order(**large)).refusal == (400, -1013, "Filter failure: MAX_ASSET")
        shown = (await alice.signed("GET", "/api/v3/myFilters", **BTC)).content
        assert shown["assetFilters"] == [
            {"filterType": "MAX_ASSET", "asset": "BTC", "limit": "0.50000000"}
        ]
        assert len(shown["exchangeFilters"]) == 4
        assert (await bob.signed("GET", "/api/v3/myFilters", **BTC)).content["assetFilters"] == []


@pytest.mark.parametrize(
    ("fine", "coarse"),
    [
        ({"quantity": "0.1000000"}, {"quantity": "0.100000"}),
        ({"price": "20000.00000"}, {"price": "20000.0000"}),
        ({"icebergQty": "0.0100000"}, {"icebergQty": "0.010000"}),
        ({"type": "MARKET", "quoteOrderQty": "10.12345"}, None),
        ({"type": "STOP_LOSS_LIMIT", "stopPrice": "25000.00000"}, None),
    ],
)
async def test_amounts_have_no_more_decimals_than_their_asset(
    venue: LocalTestnet, alice: Client, fine: dict[str, str], coarse: dict[str, str] | None
) -> None:
    rules = venue.exchange.engine.rules["BTCUSDT"]
    info = {**rules.info, "baseAssetPrecision": 6, "quotePrecision": 4, "quoteAssetPrecision": 4}
    venue.exchange.engine.rules["BTCUSDT"] = replace(rules, info=info)
    order = BTC if fine.get("type") == "MARKET" else LIMIT
    answer = await alice.order(**order | {"side": "BUY"} | fine)
    name = list(fine)[-1]
    assert answer.refusal == (400, -1111, f"Parameter '{name}' has too much precision.")
    if coarse is not None:
        assert (await alice.order(**LIMIT | {"quantity": "0.1"} | coarse)).status == 200


async def test_an_amended_quantity_has_no_more_decimals_than_its_asset(
    venue: LocalTestnet, alice: Client
) -> None:
    rules = venue.exchange.engine.rules["BTCUSDT"]
    info = {**rules.info, "baseAssetPrecision": 6}
    venue.exchange.engine.rules["BTCUSDT"] = replace(rules, info=info)
    await alice.order(**LIMIT, newClientOrderId="mine")
    path, mine = "/api/v3/order/amend/keepPriority", BTC | {"origClientOrderId": "mine"}
    answer = await alice.signed("PUT", path, **mine, newQty="0.0050000")
    assert answer.refusal == (400, -1111, "Parameter 'newQty' has too much precision.")
    assert (await alice.signed("PUT", path, **mine, newQty="0.005000")).status == 200


class TestASymbolThatDidNotTrade:
    @pytest.fixture
    def config(self, config: TestnetConfig, shared_data: Path) -> TestnetConfig:
        info = shared_data / "exchangeInfo-2025-08-07.json"
        market = MarketSpec(symbol="ETHBTC")
        return replace(config, exchange_info=info, market=market, warmup_bars=3)

    async def test_it_gets_a_market_when_it_begins_to(
        self, venue: LocalTestnet, alice: Client, clock: ManualClock
    ) -> None:
        eos = {"symbol": "EOSETH"}
        before = (await alice.get("/api/v3/depth", **eos)).content
        assert before == {"lastUpdateId": 0, "bids": [], "asks": []}
        body = json.dumps({"status": "TRADING"})
        clock.advance(100)
        assert (await alice.send("POST", "/testnet/symbols/EOSETH", body=body)).status == 200
        depth = (await alice.get("/api/v3/depth", **eos)).content
        assert len(depth["bids"]) > 10
        assert len(depth["asks"]) > 10
        trades = (await alice.get("/api/v3/trades", **eos)).content
        assert trades[0]["time"] < trades[-1]["time"] <= clock.time_ms()

    async def test_it_is_played_on_through_what_happens_to_it(
        self, venue: LocalTestnet, alice: Client, clock: ManualClock
    ) -> None:
        counts = []
        for status in ("TRADING", "BREAK", "TRADING"):
            body = json.dumps({"status": status})
            await alice.send("POST", "/testnet/symbols/EOSETH", body=body)
            for _ in range(20):
                clock.advance(0.5)
                for _ in range(10):
                    await turn()
            content = (await alice.get("/api/v3/ticker/24hr", symbol="EOSETH")).content
            counts.append(content["count"])
        assert 0 < counts[0] == counts[1] < counts[2]
