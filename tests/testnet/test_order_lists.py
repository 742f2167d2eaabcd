"""Order lists: pairs that exclude each other, orders that wait for another."""

from typing import Any

import pytest

from otonom_trader.testnet import LocalTestnet
from tests.testnet.conftest import Answer, Client

BTC = {"symbol": "BTCUSDT"}
OCO = "/api/v3/orderList/oco"
OTO = "/api/v3/orderList/oto"
OTOCO = "/api/v3/orderList/otoco"
SELL_PAIR = BTC | {
    "side": "SELL",
    "quantity": "1",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "21000",
    "aboveClientOrderId": "above",
    "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "19000",
    "belowPrice": "18900",
    "belowTimeInForce": "GTC",
    "belowClientOrderId": "below",
}
BUY_THEN_SELL = BTC | {
    "workingType": "LIMIT",
    "workingSide": "BUY",
    "workingPrice": "19500",
    "workingQuantity": "1",
    "workingTimeInForce": "GTC",
    "workingClientOrderId": "working",
    "pendingSide": "SELL",
    "pendingQuantity": "1",
}
PENDING_LIMIT = {
    "pendingType": "LIMIT",
    "pendingPrice": "21000",
    "pendingTimeInForce": "GTC",
    "pendingClientOrderId": "pending",
}
PENDING_PAIR = {
    "pendingAboveType": "TAKE_PROFIT",
    "pendingAboveStopPrice": "21000",
    "pendingAboveClientOrderId": "above",
    "pendingBelowType": "STOP_LOSS",
    "pendingBelowStopPrice": "19000",
    "pendingBelowClientOrderId": "below",
}


@pytest.fixture
async def priced(alice: Client, bob: Client) -> Client:
    """Alice, in a market that last traded at 20000."""
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000")
    return alice


async def post(client: Client, path: str, **parameters: Any) -> Answer:
    return await client.signed("POST", path, **parameters)


async def status(client: Client, client_id: str) -> str:
    answer = await client.signed("GET", "/api/v3/order", **BTC, origClientOrderId=client_id)
    return str(answer.content["status"])


async def expiry(client: Client, client_id: str) -> str | None:
    answer = await client.signed("GET", "/api/v3/order", **BTC, origClientOrderId=client_id)
    reason = answer.content.get("expiryReason")
    return None if reason is None else str(reason)


async def locked(client: Client, asset: str) -> str:
    answer = await client.signed("GET", "/api/v3/account")
    return next(str(b["locked"]) for b in answer.content["balances"] if b["asset"] == asset)


async def trade_at(one: Client, other: Client, price: str) -> None:
    await one.limit("SELL", "0.001", price)
    await other.limit("BUY", "0.001", price)


class TestOneCancelsTheOther:
    async def test_both_legs_share_one_lock(self, priced: Client) -> None:
        answer = await post(priced, OCO, **SELL_PAIR, listClientOrderId="list")
        assert answer.status == 200
        content = answer.content
        assert (content["contingencyType"], content["listClientOrderId"]) == ("OCO", "list")
        assert [report["type"] for report in content["orderReports"]] == [
            "STOP_LOSS_LIMIT",
            "LIMIT_MAKER",
        ]
        assert await locked(priced, "BTC") == "1.00000000"

    async def test_a_limit_leg_that_trades_expires_the_stop(
        self, priced: Client, bob: Client
    ) -> None:
        await post(priced, OCO, **SELL_PAIR)
        await bob.limit("BUY", "0.4", "21000")
        assert await status(priced, "above") == "PARTIALLY_FILLED"
        assert (await status(priced, "below"), await expiry(priced, "below")) == (
            "EXPIRED",
            "OCO_TRIGGER",
        )
        assert await locked(priced, "BTC") == "0.60000000"
        lists = await priced.signed("GET", "/api/v3/openOrderList")
        assert len(lists.content) == 1
        await bob.limit("BUY", "0.6", "21000")
        assert (await priced.signed("GET", "/api/v3/openOrderList")).content == []

    async def test_a_triggered_stop_expires_the_limit_leg(
        self, priced: Client, bob: Client
    ) -> None:
        await post(priced, OCO, **SELL_PAIR)
        await trade_at(bob, priced, "18950")
        assert (await status(priced, "above"), await expiry(priced, "above")) == (
            "EXPIRED",
            "OCO_TRIGGER",
        )
        assert await status(priced, "below") == "NEW"
        book = (await priced.get("/api/v3/depth", **BTC)).content
        assert book["asks"] == [["18900.00000000", "1.00000000"]]

    @pytest.mark.parametrize("leg", ["above", "below"])
    async def test_cancelling_a_leg_cancels_the_list(self, priced: Client, leg: str) -> None:
        await post(priced, OCO, **SELL_PAIR, listClientOrderId="list")
        answer = await priced.signed(
            "DELETE",
            "/api/v3/order",
            **BTC,
            origClientOrderId=leg,
            newClientOrderId="the-cancel",
        )
        content = answer.content
        assert (content["listOrderStatus"], content["listClientOrderId"]) == ("ALL_DONE", "list")
        assert [(r["origClientOrderId"], r["clientOrderId"]) for r in content["orderReports"]] == [
            ("below", "the-cancel"),
            ("above", "the-cancel"),
        ]
        assert await locked(priced, "BTC") == "0.00000000"

    async def test_all_open_orders_are_cancelled_list_by_list(self, priced: Client) -> None:
        await priced.limit("BUY", "0.1", "15000")
        await post(priced, OCO, **SELL_PAIR)
        answer = await priced.signed("DELETE", "/api/v3/openOrders", **BTC)
        assert ["orderReports" in each for each in answer.content] == [False, True]

    async def test_a_list_is_cancelled_by_its_own_id(self, priced: Client) -> None:
        placed = await post(priced, OCO, **SELL_PAIR)
        list_id = placed.content["orderListId"]
        answer = await priced.signed("DELETE", "/api/v3/orderList", **BTC, orderListId=list_id)
        assert answer.content["listStatusType"] == "ALL_DONE"
        again = await priced.signed("DELETE", "/api/v3/orderList", **BTC, orderListId=list_id)
        assert again.refusal == (400, -2011, "Unknown order sent.")

    async def test_an_amended_leg_amends_the_other(self, priced: Client) -> None:
        placed = await post(priced, OCO, **SELL_PAIR)
        answer = await priced.signed(
            "PUT",
            "/api/v3/order/amend/keepPriority",
            **BTC,
            origClientOrderId="above",
            newQty="0.4",
            newClientOrderId="above",
        )
        assert answer.content["amendedOrder"]["qty"] == "0.40000000"
        assert answer.content["listStatus"]["orderListId"] == placed.content["orderListId"]
        below = await priced.signed("GET", "/api/v3/order", **BTC, origClientOrderId="below")
        assert below.content["origQty"] == "0.40000000"
        assert await locked(priced, "BTC") == "0.40000000"

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            (
                {"abovePrice": "19999"},
                (-2010, "The relationship of the prices for the orders is not correct."),
            ),
            (
                {"belowStopPrice": "20000"},
                (-2010, "The relationship of the prices for the orders is not correct."),
            ),
            ({"aboveType": "STOP_LOSS"}, (-1106, "Parameter 'abovePrice' sent when not required.")),
            (
                {"quantity": "20"},
                (-2010, "Account has insufficient balance for requested action."),
            ),
            ({"aboveClientOrderId": "below"}, (-2010, "Duplicate order sent.")),
            ({"aboveType": "MARKET"}, (-1158, "Order type not supported in OCO.")),
            ({"side": "BUY"}, (-1165, "A limit order in a buy OCO must be below.")),
            ({"belowPrice": "18900.001"}, (-1013, "Filter failure: PRICE_FILTER")),
            ({"quantity": "0.0002"}, (-1013, "Filter failure: NOTIONAL")),
            (
                {"belowTimeInForce": "IOC", "belowIcebergQty": "0.5"},
                (
                    -1160,
                    (
                        "Parameter 'belowIcebergQty' is not supported if 'belowTimeInForce' is "
                        "not GTC."
                    ),
                ),
            ),
            (
                {"abovePegPriceType": "PRIMARY_PEG"},
                (-2010, "Pegged orders are not supported for this symbol."),
            ),
        ],
    )
    async def test_a_pair_the_venue_cannot_take_is_refused(
        self,
        venue: LocalTestnet,
        priced: Client,
        changes: dict[str, str],
        refusal: tuple[int, str],
    ) -> None:
        before = venue.truth()["orders"]
        answer = await post(priced, OCO, **SELL_PAIR | changes)
        assert answer.refusal == (400, *refusal)
        assert venue.truth()["orders"] == before
        assert await locked(priced, "BTC") == "0.00000000"

    @pytest.mark.parametrize(
        ("side", "above", "below", "code"),
        [
            ("SELL", "LIMIT_MAKER", "LIMIT_MAKER", -1168),
            ("SELL", "STOP_LOSS", "LIMIT_MAKER", -1166),
            ("SELL", "STOP_LOSS", "TAKE_PROFIT", -1197),
            ("SELL", "TAKE_PROFIT", "TAKE_PROFIT", -1199),
            ("BUY", "LIMIT_MAKER", "STOP_LOSS", -1165),
            ("BUY", "TAKE_PROFIT", "STOP_LOSS", -1196),
            ("BUY", "TAKE_PROFIT", "TAKE_PROFIT", -1198),
            ("BUY", "STOP_LOSS", "STOP_LOSS", -1196),
        ],
    )
    async def test_each_type_has_its_side_of_the_market(
        self, priced: Client, side: str, above: str, below: str, code: int
    ) -> None:
        legs: dict[str, str] = {}
        for name, kind in (("above", above), ("below", below)):
            legs[f"{name}Type"] = kind
            legs[f"{name}Price" if kind == "LIMIT_MAKER" else f"{name}StopPrice"] = "20000"
        answer = await post(priced, OCO, **BTC, side=side, quantity="1", **legs)
        assert (answer.status, answer.content["code"]) == (400, code)


class TestOneTriggersTheOther:
    async def test_the_pending_order_locks_nothing_until_the_working_one_is_filled(
        self, priced: Client, bob: Client
    ) -> None:
        placed = await post(priced, OTO, **BUY_THEN_SELL, **PENDING_LIMIT)
        assert [r["status"] for r in placed.content["orderReports"]] == ["NEW", "PENDING_NEW"]
        assert placed.content["orderReports"][1]["workingTime"] == -1
        assert await locked(priced, "BTC") == "0.00000000"
        await bob.limit("SELL", "0.5", "19500")
        assert await status(priced, "pending") == "PENDING_NEW"
        await bob.limit("SELL", "0.5", "19500")
        assert await status(priced, "pending") == "NEW"
        assert await locked(priced, "BTC") == "1.00000000"

    async def test_a_working_order_filled_at_once_is_answered_with_a_pending_one(
        self, priced: Client, bob: Client
    ) -> None:
        await bob.limit("SELL", "1", "19500")
        placed = await post(priced, OTO, **BUY_THEN_SELL, **PENDING_LIMIT)
        assert [r["status"] for r in placed.content["orderReports"]] == ["FILLED", "PENDING_NEW"]
        assert placed.content["listOrderStatus"] == "EXECUTING"
        assert await status(priced, "pending") == "NEW"

    async def test_a_working_order_that_expires_ends_the_list(self, priced: Client) -> None:
        working = BUY_THEN_SELL | {"workingTimeInForce": "IOC"}
        placed = await post(priced, OTO, **working, **PENDING_LIMIT)
        assert placed.content["listOrderStatus"] == "ALL_DONE"
        assert (await status(priced, "pending"), await expiry(priced, "pending")) == (
            "EXPIRED",
            "OTO_PHASE_ONE_EXPIRED",
        )

    async def test_cancelling_either_cancels_both(self, priced: Client) -> None:
        await post(priced, OTO, **BUY_THEN_SELL, **PENDING_LIMIT)
        answer = await priced.signed("DELETE", "/api/v3/order", **BTC, origClientOrderId="pending")
        assert [r["status"] for r in answer.content["orderReports"]] == ["CANCELED", "CANCELED"]
        assert await locked(priced, "USDT") == "0.00000000"

    async def test_a_pending_order_that_cannot_be_paid_expires_as_rejected(
        self, priced: Client, bob: Client
    ) -> None:
        await post(priced, OTO, **BUY_THEN_SELL | {"pendingQuantity": "100"}, **PENDING_LIMIT)
        await bob.limit("SELL", "1", "19500")
        assert (await status(priced, "pending"), await expiry(priced, "pending")) == (
            "EXPIRED",
            "REJECTED",
        )

    async def test_a_pending_market_order_trades_when_its_turn_comes(
        self, priced: Client, bob: Client
    ) -> None:
        await bob.limit("BUY", "2", "19000")
        pending = {"pendingType": "MARKET", "pendingClientOrderId": "pending"}
        await post(priced, OTO, **BUY_THEN_SELL, **pending)
        await bob.limit("SELL", "1", "19500", selfTradePreventionMode="EXPIRE_MAKER")
        assert await status(priced, "pending") == "FILLED"

    async def test_a_pending_order_may_be_amended(self, priced: Client) -> None:
        await post(priced, OTO, **BUY_THEN_SELL, **PENDING_LIMIT)
        answer = await priced.signed(
            "PUT",
            "/api/v3/order/amend/keepPriority",
            **BTC,
            origClientOrderId="pending",
            newQty="0.5",
        )
        amended = answer.content["amendedOrder"]
        assert (amended["status"], amended["qty"]) == ("PENDING_NEW", "0.50000000")
        assert "workingTime" not in amended
        legs = answer.content["listStatus"]["orders"]
        assert legs[1]["clientOrderId"] == amended["clientOrderId"] != "pending"

    async def test_only_a_limit_order_can_be_the_working_one(self, priced: Client) -> None:
        working = BUY_THEN_SELL | {"workingType": "MARKET"}
        answer = await post(priced, OTO, **working, **PENDING_LIMIT)
        assert answer.refusal == (400, -1014, "Unsupported order combination.")


class TestOneTriggersAPair:
    async def test_the_pair_is_placed_when_the_working_order_is_filled(
        self, priced: Client, bob: Client
    ) -> None:
        placed = await post(priced, OTOCO, **BUY_THEN_SELL, **PENDING_PAIR)
        assert [r["type"] for r in placed.content["orderReports"]] == [
            "LIMIT",
            "STOP_LOSS",
            "TAKE_PROFIT",
        ]
        await bob.limit("SELL", "1", "19500")
        assert [await status(priced, leg) for leg in ("above", "below")] == ["NEW", "NEW"]
        await bob.limit("BUY", "2", "18000")
        await trade_at(bob, priced, "19000")
        assert [await status(priced, leg) for leg in ("above", "below")] == ["EXPIRED", "FILLED"]
        found = await priced.signed(
            "GET", "/api/v3/orderList", orderListId=placed.content["orderListId"]
        )
        assert (found.content["contingencyType"], found.content["listOrderStatus"]) == (
            "OTO",
            "ALL_DONE",
        )

    async def test_a_pair_whose_prices_fit_no_more_expires_whole(
        self, priced: Client, bob: Client
    ) -> None:
        above_the_market = PENDING_PAIR | {"pendingBelowStopPrice": "19500"}
        await post(priced, OTOCO, **BUY_THEN_SELL, **above_the_market)
        await bob.limit("SELL", "1", "19500")
        for leg in ("above", "below"):
            assert (await status(priced, leg), await expiry(priced, leg)) == ("EXPIRED", "REJECTED")
        assert (await priced.signed("GET", "/api/v3/openOrderList")).content == []

    async def test_it_counts_as_three_orders(self, priced: Client) -> None:
        answer = await post(priced, OTOCO, **BUY_THEN_SELL, **PENDING_PAIR)
        assert answer.headers["X-MBX-ORDER-COUNT-10S"] == "3"


async def test_lists_are_listed_from_an_id_or_within_a_day(priced: Client) -> None:
    start = priced.clock.time_ms()
    for number in range(3):
        pair = SELL_PAIR | {"aboveClientOrderId": f"a{number}", "belowClientOrderId": f"b{number}"}
        await post(priced, OCO, **pair, listClientOrderId=f"l{number}")
        priced.clock.advance(60)

    async def ids(**parameters: object) -> list[int]:
        answer = await priced.signed("GET", "/api/v3/allOrderList", **parameters)
        return [each["orderListId"] for each in answer.content]

    assert await ids() == [0, 1, 2]
    assert await ids(limit=2) == [1, 2]
    assert await ids(fromId=1) == [1, 2]
    assert await ids(startTime=start + 60_000, limit=1) == [1]
    assert await ids(endTime=start) == [0]
    answer = await priced.signed("GET", "/api/v3/allOrderList", fromId=1, startTime=start)
    assert answer.content["code"] == -1128
    found = await priced.signed("GET", "/api/v3/orderList", origClientOrderId="l1")
    assert found.content["orderListId"] == 1
    again = await post(priced, OCO, **SELL_PAIR, listClientOrderId="l1")
    assert again.refusal == (400, -2010, "Duplicate order sent.")


async def test_there_are_at_most_20_lists_open_in_a_symbol(priced: Client) -> None:
    for number in range(20):
        priced.clock.advance(10)
        pending = PENDING_LIMIT | {"pendingClientOrderId": f"p{number}"}
        working = BUY_THEN_SELL | {
            "workingClientOrderId": f"w{number}",
            "workingQuantity": "0.01",
        }
        assert (await post(priced, OTO, **working, **pending)).status == 200
    answer = await post(priced, OTO, **BUY_THEN_SELL, **PENDING_LIMIT)
    assert answer.refusal == (400, -2010, "Filter failure: MAX_NUM_ORDER_LISTS")


@pytest.mark.parametrize(
    ("path", "parameters", "missing", "peg"),
    [
        (OCO, SELL_PAIR, "abovePrice", "abovePegPriceType"),
        (OCO, SELL_PAIR, "belowPrice", "belowPegPriceType"),
        (OTO, BUY_THEN_SELL | PENDING_LIMIT, "workingPrice", "workingPegPriceType"),
        (OTO, BUY_THEN_SELL | PENDING_LIMIT, "pendingPrice", "pendingPegPriceType"),
        (OTOCO, BUY_THEN_SELL | PENDING_PAIR, "pendingBelowType", "pendingAbovePegPriceType"),
    ],
)
async def test_a_pegged_leg_is_refused_by_name(
    alice: Client, path: str, parameters: dict[str, str], missing: str, peg: str
) -> None:
    pegged = parameters | {peg: "PRIMARY_PEG"}
    if missing.endswith("Price"):
        del pegged[missing]
    answer = await post(alice, path, **pegged)
    assert answer.refusal == (400, -2010, "Pegged orders are not supported for this symbol.")


@pytest.mark.parametrize("path", ["/api/v3/orderList/opo", "/api/v3/orderList/opoco"])
async def test_lists_where_one_order_pays_for_the_other_are_refused_by_name(
    alice: Client, path: str
) -> None:
    answer = await post(alice, path, **BTC)
    assert answer.refusal == (400, -2010, "OPO orders are not supported for this symbol.")
