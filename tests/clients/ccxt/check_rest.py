"""ccxt over REST, sync and async: GET and DELETE are signed in the query, POST in a form body.

It reads the market's precision and writes its numbers by it. Which errors there may be it decides
by the host's name, so that at a local address some codes are no more than an ExchangeError.
"""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import ccxt
import pytest
from ccxt import async_support

from tests.clients import replies
from tests.clients.ccxt.conftest import PAIR, refusal, settings, unified
from tests.clients.venue import LISTS, QUANTITY, RESTING, SYMBOL, Venue, trades

KINDS = ("HMAC", "RSA", "ED25519")
PAIRS: Final = {PAIR, "ETH/USDT"}
OF_SYMBOL: Final = {"symbol": SYMBOL}


@pytest.fixture
def client(venue: Venue) -> Any:
    return ccxt.binance(settings(venue))


def are_trades(rows: list[Any]) -> bool:
    numbers = [int(row["id"]) for row in rows]
    in_order = all(after == before + 1 for before, after in pairwise(numbers))
    return len(rows) == 5 and in_order and {row["symbol"] for row in rows} == {PAIR}


def are_candles(rows: list[Any]) -> bool:
    return [after[0] - before[0] for before, after in pairwise(rows)] == [60_000] * 4


def is_ticker(ticker: Any) -> bool:
    return bool(ticker["symbol"] == PAIR and ticker["low"] <= ticker["last"] <= ticker["high"])


def trades_of(method: str) -> Callable[[Any], Any]:
    return lambda c: c.fetch_trades(PAIR, limit=5, params={"fetchTradesMethod": method})


MARKET_DATA: dict[str, tuple[Callable[[Any], Any], Callable[[Any], bool]]] = {
    "load_markets": (lambda c: c.load_markets(), lambda r: set(r) == PAIRS),
    "fetch_order_book": (
        lambda c: c.fetch_order_book(PAIR, 20),
        lambda r: replies.is_book(r, 20) and r["symbol"] == PAIR,
    ),
    "fetch_trades of aggTrades": (trades_of("publicGetAggTrades"), are_trades),
    "fetch_trades of trades": (trades_of("publicGetTrades"), are_trades),
    "fetch_trades of historicalTrades": (trades_of("publicGetHistoricalTrades"), are_trades),
    "fetch_ohlcv": (lambda c: c.fetch_ohlcv(PAIR, "1m", limit=5), are_candles),
    "fetch_ticker": (lambda c: c.fetch_ticker(PAIR), is_ticker),
    "fetch_ticker of a window": (lambda c: c.fetch_ticker(PAIR, {"rolling": True}), is_ticker),
    "fetch_tickers": (lambda c: c.fetch_tickers(), lambda r: set(r) == PAIRS),
    "fetch_tickers of one": (lambda c: c.fetch_tickers([PAIR]), lambda r: is_ticker(r[PAIR])),
    "fetch_bids_asks": (
        lambda c: c.fetch_bids_asks(),
        lambda r: set(r) == PAIRS and r[PAIR]["bid"] < r[PAIR]["ask"],
    ),
    "fetch_last_prices": (
        lambda c: c.fetch_last_prices(),
        lambda r: set(r) == PAIRS and replies.is_price(str(r[PAIR]["price"])),
    ),
    "avgPrice": (lambda c: c.publicGetAvgPrice(OF_SYMBOL), lambda r: replies.is_price(r["price"])),
    "uiKlines": (
        lambda c: c.publicGetUiKlines(OF_SYMBOL | {"interval": "1m", "limit": 5}),
        lambda r: replies.are_candles(r, 5),
    ),
    "tradingDay": (lambda c: c.publicGetTickerTradingDay(OF_SYMBOL), replies.is_ticker),
    "executionRules": (
        lambda c: c.publicGetExecutionRules(OF_SYMBOL)["symbolRules"],
        lambda r: replies.are_of(r, {SYMBOL}),
    ),
    "referencePrice": (
        lambda c: c.publicGetReferencePrice(OF_SYMBOL),
        lambda r: replies.is_price(r["referencePrice"]),
    ),
}


@pytest.mark.parametrize("name", MARKET_DATA)
def check_market_data(client: Any, name: str) -> None:
    ask, is_right = MARKET_DATA[name]
    reply = ask(client)
    assert is_right(reply), reply


def check_the_time(client: Any) -> None:
    assert client.publicGetPing() == {}
    assert abs(client.fetch_time() - client.milliseconds()) < 5_000


def check_the_rules_of_a_market(client: Any) -> None:
    client.load_markets()
    market = client.market(PAIR)
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.00001)
    assert (market["limits"]["cost"]["min"], market["spot"], market["active"]) == (5, True, True)


@pytest.mark.parametrize("kind", KINDS)
def check_an_order_signed_with_each_kind_of_key(venue: Venue, kind: str) -> None:
    client, client_id = ccxt.binance(settings(venue, kind)), venue.new_id()
    sent = venue.resting("LIMIT")
    order = unified("LIMIT", sent, clientOrderId=client_id)
    placed = client.create_order(**order)
    queried = client.fetch_order(placed["id"], PAIR)
    venue.confirm(client_id, sent, queried["info"], "NEW")
    assert client.cancel_order(placed["id"], PAIR)["status"] == "canceled"
    assert venue.order(client_id)["status"] == "CANCELED"
    assert client.fetch_balance()["BTC"]["free"] > 0


@pytest.mark.parametrize("kind", KINDS)
def check_the_async_client_with_each_kind_of_key(venue: Venue, kind: str) -> None:
    async def run() -> None:
        client, client_id = async_support.binance(settings(venue, kind)), venue.new_id()
        try:
            sent = venue.resting("STOP_LOSS_LIMIT")
            order = unified("STOP_LOSS_LIMIT", sent, clientOrderId=client_id)
            placed = await client.create_order(**order)
            queried = await client.fetch_order(placed["id"], PAIR)
            venue.confirm(client_id, sent, queried["info"], "NEW")
            assert placed["id"] in {each["id"] for each in await client.fetch_open_orders(PAIR)}
            order = unified("LIMIT", venue.resting("LIMIT"))
            edited = await client.edit_order(placed["id"], **order)
            assert venue.order(client_id)["status"] == "CANCELED"
            assert [each["id"] for each in await client.cancel_all_orders(PAIR)] == [edited["id"]]
            bought = await client.create_order(PAIR, "market", "buy", float(QUANTITY))
            told_of = await client.fetch_my_trades(PAIR, params={"orderId": bought["id"]})
            assert trades(each["info"] for each in told_of) == venue.fills(bought["clientOrderId"])
            assert is_ticker(await client.fetch_ticker(PAIR))
            assert (await client.fetch_balance())["BTC"]["free"] > 0
        finally:
            await client.close()

    asyncio.run(run())


@pytest.mark.parametrize("kind", RESTING)
def check_a_resting_order(venue: Venue, client: Any, kind: str) -> None:
    client_id, sent = venue.new_id(), venue.resting(kind)
    placed = client.create_order(**unified(kind, sent, clientOrderId=client_id))
    assert placed["clientOrderId"] == client_id
    queried = client.fetch_order(placed["id"], PAIR)
    venue.confirm(client_id, sent, queried["info"], "NEW")
    assert (queried["status"], queried["amount"]) == ("open", float(QUANTITY))
    by_client_id = client.fetch_order("", PAIR, {"clientOrderId": client_id})
    assert by_client_id["id"] == placed["id"]
    assert placed["id"] in {order["id"] for order in client.fetch_open_orders(PAIR)}
    client.options["warnOnFetchOpenOrdersWithoutSymbol"] = False
    assert placed["id"] in {order["id"] for order in client.fetch_open_orders()}
    assert client.cancel_order(placed["id"], PAIR)["status"] == "canceled"
    assert venue.order(client_id)["status"] == "CANCELED"
    assert placed["id"] in {order["id"] for order in client.fetch_canceled_orders(PAIR)}
    everything = client.fetch_orders(PAIR, params={"orderId": placed["id"]})
    assert everything[0]["id"] == placed["id"]


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("cost", [None, 100])
def check_a_market_order_and_its_trades(
    venue: Venue, client: Any, side: str, cost: float | None
) -> None:
    client_id = venue.new_id()
    amount = None if cost else float(QUANTITY)
    params = {"clientOrderId": client_id} | ({"cost": cost} if cost else {})
    placed = client.create_order(PAIR, "market", side, amount, params=params)
    engine = venue.order(client_id)
    assert (placed["status"], engine["status"]) == ("closed", "FILLED")
    assert placed["filled"] == float(engine["executedQty"])
    assert placed["cost"] == float(engine["cummulativeQuoteQty"])
    assert float(engine["origQuoteOrderQty"]) == (cost or 0)
    told_of = client.fetch_order_trades(placed["id"], PAIR)
    assert trades(each["info"] for each in told_of) == venue.fills(client_id)
    assert {each["takerOrMaker"] for each in told_of} == {"taker"}
    since = [each["order"] for each in client.fetch_my_trades(PAIR, placed["timestamp"])]
    assert placed["id"] in since
    assert placed["id"] in {order["id"] for order in client.fetch_closed_orders(PAIR)}


@pytest.mark.parametrize(
    ("tif", "times", "status"),
    [("IOC", "1.01", "closed"), ("FOK", "1.01", "closed"), ("IOC", "0.8", "expired")],
)
def check_immediate_orders(venue: Venue, client: Any, tif: str, times: str, status: str) -> None:
    price = float(venue.price(times))
    order = {"amount": 0.002, "price": price, "params": {"timeInForce": tif}}
    placed = client.create_order(PAIR, "limit", "buy", **order)
    engine = venue.order(placed["clientOrderId"])
    assert (placed["status"], engine["timeInForce"]) == (status, tif)
    assert placed["filled"] == float(engine["executedQty"])


@pytest.mark.parametrize(("kind", "shown"), [("ACK", None), ("RESULT", "open"), ("FULL", "open")])
def check_the_three_replies(venue: Venue, kind: str, shown: str | None) -> None:
    client = ccxt.binance(settings(venue, options={"newOrderRespType": {"limit": kind}}))
    placed = client.create_order(**unified("LIMIT", venue.resting("LIMIT")))
    assert placed["status"] == shown
    assert ("fills" in placed["info"]) is (kind == "FULL")
    client.cancel_order(placed["id"], PAIR)


def check_test_orders_reach_no_engine(venue: Venue, client: Any) -> None:
    client_id, sent = venue.new_id(), venue.resting("LIMIT")
    order = unified("LIMIT", sent, clientOrderId=client_id, test=True)
    assert client.create_order(**order)["info"] == {}
    order["params"]["computeCommissionRates"] = True
    rates = client.create_order(**order)["info"]
    assert rates["standardCommissionForOrder"]["taker"] == "0.00100000"
    by_client_id = {"clientOrderId": client_id}
    assert refusal(client.fetch_order, "", PAIR, by_client_id) == ("OrderNotFound", -2013)


def check_editing_replaces(venue: Venue, client: Any) -> None:
    """This client cancels and places anew, in one request."""
    client_id, sent = venue.new_id(), venue.resting("LIMIT")
    first = client.create_order(**unified("LIMIT", sent, clientOrderId=client_id))
    smaller = unified("LIMIT", sent | {"quantity": "0.00100"})
    edited = client.edit_order(first["id"], **smaller)
    assert venue.order(client_id)["status"] == "CANCELED"
    engine = venue.order(edited["clientOrderId"])
    assert (engine["status"], engine["origQty"]) == ("NEW", "0.00100000")
    assert refusal(client.edit_order, first["id"], **smaller)[1] == -2022
    smaller["params"]["cancelReplaceMode"] = "ALLOW_FAILURE"
    assert refusal(client.edit_order, first["id"], **smaller)[1] == -2021
    assert len(client.cancel_all_orders(PAIR)) == 2


def check_editing_sends_triggerprice_along_which_the_venue_does_not_know(
    venue: Venue, client: Any
) -> None:
    """It is read into ``stopPrice`` and left in the request; by the venue's own name it works."""
    first = client.create_order(**unified("LIMIT", venue.resting("LIMIT")))
    sent = venue.resting("STOP_LOSS_LIMIT")
    order = unified("STOP_LOSS_LIMIT", sent)
    assert refusal(client.edit_order, first["id"], **order) == ("BadRequest", -1104)
    order["params"] = {"stopPrice": sent["stopPrice"]}
    edited = client.edit_order(first["id"], **order)
    queried = client.fetch_order(edited["id"], PAIR)
    venue.confirm(edited["clientOrderId"], sent, queried["info"], "NEW")
    client.cancel_order(edited["id"], PAIR)


def check_amend_by_the_generic_request(venue: Venue, client: Any) -> None:
    """This client has no method of its own for amending."""
    placed = client.create_order(**unified("LIMIT", venue.resting("LIMIT")))
    smaller = OF_SYMBOL | {"orderId": placed["id"], "newQty": "0.00100"}
    amended = client.request("order/amend/keepPriority", ["private"], "PUT", smaller)
    shown = amended["amendedOrder"]
    assert (shown["orderId"], shown["qty"]) == (int(placed["id"]), "0.00100000")
    assert venue.order(shown["clientOrderId"])["origQty"] == "0.00100000"
    client.cancel_order(placed["id"], PAIR)


@pytest.mark.parametrize("kind", LISTS)
def check_order_lists(venue: Venue, client: Any, kind: str) -> None:
    """This client offers them by the venue's own names alone."""
    place = {
        "OCO": client.privatePostOrderListOco,
        "OTO": client.privatePostOrderListOto,
        "OTOCO": client.privatePostOrderListOtoco,
    }[kind]
    client_id = venue.new_id()
    placed = place(venue.order_list(kind) | {"listClientOrderId": client_id})
    list_id = placed["orderListId"]
    assert venue.leg_statuses(placed["orders"]) == LISTS[kind]
    queried = client.privateGetOrderList({"origClientOrderId": client_id})
    assert (queried["orderListId"], queried["listOrderStatus"]) == (list_id, "EXECUTING")
    assert list_id in {each["orderListId"] for each in client.privateGetOpenOrderList()}
    canceled = client.privateDeleteOrderList(OF_SYMBOL | {"orderListId": list_id})
    assert canceled["listOrderStatus"] == "ALL_DONE"
    assert set(venue.leg_statuses(placed["orders"])) == {"CANCELED"}
    assert list_id in {each["orderListId"] for each in client.privateGetAllOrderList()}


def check_the_account_and_its_limits(venue: Venue, client: Any) -> None:
    balance = client.fetch_balance()
    assert replies.held(balance["info"]) == venue.balances()
    assert {asset: balance[asset]["free"] for asset in venue.balances()} == {
        asset: float(free) for asset, (free, _) in venue.balances().items()
    }
    limits = client.privateGetRateLimitOrder()
    assert [limit["rateLimitType"] for limit in limits] == ["ORDERS"] * 2
    rates = client.privateGetAccountCommission(OF_SYMBOL)
    assert rates["standardCommission"]["taker"] == "0.00100000"
    assert client.privateGetMyPreventedMatches(OF_SYMBOL | {"orderId": 1}) == []
    assert client.privateGetMyAllocations(OF_SYMBOL) == []
    assert client.sapiGetAccountApiRestrictions()["enableSpotAndMarginTrading"] is True


def check_usage_is_in_the_headers(venue: Venue, client: Any) -> None:
    placed = client.create_order(**unified("LIMIT", venue.resting("LIMIT")))
    assert {"X-MBX-USED-WEIGHT-1M", "X-MBX-ORDER-COUNT-10S"} <= set(client.last_response_headers)
    client.cancel_order(placed["id"], PAIR)


def check_microseconds(venue: Venue) -> None:
    client = ccxt.binance(settings(venue, headers={"X-MBX-TIME-UNIT": "MICROSECOND"}))
    assert client.fetch_time() > 10**15


def check_refusals_become_what_they_mean(venue: Venue, client: Any) -> None:
    far = {"symbol": PAIR, "side": "buy"}
    low, high = float(venue.price("0.8")), float(venue.price("1.01"))
    call = client.create_order
    with pytest.raises(ccxt.InsufficientFunds):
        call(**far, type="limit", amount=100, price=low)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        call(**far, type="LIMIT_MAKER", amount=0.002, price=high)
    assert refusal(call, **far, type="limit", amount=1e-05, price=low) == ("BadRequest", -1013)
    assert refusal(client.cancel_order, "1", PAIR) == ("OrderNotFound", -2011)
    assert refusal(client.fetch_order, "1", PAIR) == ("OrderNotFound", -2013)


def check_what_is_not_served_is_refused_by_name(venue: Venue, client: Any) -> None:
    oto = venue.oto()
    del oto["pendingQuantity"]
    assert refusal(client.privatePostOrderListOpo, oto) == ("InvalidOrder", -2010)
    order = unified("LIMIT", venue.resting("LIMIT"), sor=True)
    assert refusal(client.create_order, **order) == ("BadRequest", -1013)


def check_a_float_is_written_by_the_precision_of_the_market(venue: Venue, client: Any) -> None:
    """Passed by, it is sent as Python writes it, and refused."""
    order = {"amount": 0.0007856509959, "price": float(venue.price("0.8")) + 0.001}
    placed = client.create_order(PAIR, "limit", "buy", **order)
    engine = venue.order(placed["clientOrderId"])
    assert (engine["origQty"], engine["price"]) == ("0.00078000", f"{order['price']:.2f}000000")
    client.cancel_order(placed["id"], PAIR)
    sent = venue.resting("LIMIT") | {"quantity": 1e-05}
    assert refusal(client.privatePostOrder, sent) == ("BadRequest", -1100)


@pytest.mark.parametrize("kind", KINDS)
def check_what_needs_encoding_is_signed_as_it_is_sent(venue: Venue, kind: str) -> None:
    """Past the signature each is refused for what it is, in the query and in the body."""
    client = ccxt.binance(settings(venue, kind))
    unknown = {"symbol": "这是测试币456", "orderId": 1}
    assert refusal(client.privateGetOrder, unknown) == ("BadSymbol", -1121)
    for client_id in ("a b&c", "a+b=c", "a@b"):
        order = unified("LIMIT", venue.resting("LIMIT"), clientOrderId=client_id)
        assert refusal(client.create_order, **order) == ("BadRequest", -1100)
        by_client_id = {"clientOrderId": client_id}
        assert refusal(client.cancel_order, "", PAIR, by_client_id) == ("BadRequest", -1100)


def check_wrong_keys_are_refused(venue: Venue) -> None:
    client = ccxt.binance(settings(venue, secret="another"))
    assert refusal(client.fetch_balance) == ("AuthenticationError", -1022)
    client = ccxt.binance(settings(venue, apiKey="another"))
    assert refusal(client.fetch_balance) == ("AuthenticationError", -2014)


def check_listen_keys_are_gone(client: Any) -> None:
    with pytest.raises(ccxt.ExchangeNotAvailable, match="404 Not Found"):
        client.publicPostUserDataStream()
