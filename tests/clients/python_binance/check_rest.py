"""python-binance over REST, sync and async: POST and DELETE are signed in a form body."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from binance import AsyncClient, Client
from binance.exceptions import BinanceAPIException

from tests.clients import replies
from tests.clients.python_binance.conftest import login
from tests.clients.venue import LISTS, QUANTITY, RESTING, SYMBOL, Venue, trades

KINDS = ("HMAC", "RSA", "ED25519")


@pytest.fixture
def client(venue: Venue) -> Any:
    return Client(**login(venue, "HMAC"))


def refusal(call: Callable[..., Any], /, **parameters: Any) -> tuple[int, int]:
    """HTTP status and code of what the venue answered."""
    with pytest.raises(BinanceAPIException) as caught:
        call(**parameters)
    return caught.value.status_code, caught.value.code


MARKET_DATA: dict[str, tuple[Callable[[Any], Any], Callable[[Any], bool]]] = {
    "get_exchange_info": (lambda c: c.get_exchange_info(), replies.is_listing),
    "get_symbol_info": (lambda c: c.get_symbol_info(SYMBOL), lambda r: r["symbol"] == SYMBOL),
    "get_all_tickers": (lambda c: c.get_all_tickers(), replies.are_of),
    "get_orderbook_tickers": (lambda c: c.get_orderbook_tickers(), replies.are_of),
    "get_order_book": (
        lambda c: c.get_order_book(symbol=SYMBOL, limit=20),
        lambda r: replies.is_book(r, 20),
    ),
    "get_recent_trades": (
        lambda c: c.get_recent_trades(symbol=SYMBOL, limit=5),
        lambda r: replies.are_trades(r, 5),
    ),
    "get_historical_trades": (
        lambda c: c.get_historical_trades(symbol=SYMBOL, limit=5),
        lambda r: replies.are_trades(r, 5),
    ),
    "get_aggregate_trades": (
        lambda c: c.get_aggregate_trades(symbol=SYMBOL, limit=5),
        lambda r: replies.are_aggregates(r, 5),
    ),
    "get_klines": (
        lambda c: c.get_klines(symbol=SYMBOL, interval="1m", limit=5),
        lambda r: replies.are_candles(r, 5),
    ),
    "get_ui_klines": (
        lambda c: c.get_ui_klines(symbol=SYMBOL, interval="1m", limit=5),
        lambda r: replies.are_candles(r, 5),
    ),
    "get_historical_klines": (
        lambda c: c.get_historical_klines(SYMBOL, "1m", "10 minutes ago UTC"),
        lambda r: replies.are_candles(r, len(r)) and len(r) >= 10,
    ),
    "get_avg_price": (
        lambda c: c.get_avg_price(symbol=SYMBOL),
        lambda r: replies.is_price(r["price"]),
    ),
    "get_ticker": (lambda c: c.get_ticker(symbol=SYMBOL), replies.is_ticker),
    "get_ticker of all": (lambda c: c.get_ticker(), replies.are_of),
    "get_symbol_ticker": (
        lambda c: c.get_symbol_ticker(symbol=SYMBOL),
        lambda r: replies.is_price(r["price"]),
    ),
    "get_orderbook_ticker": (lambda c: c.get_orderbook_ticker(symbol=SYMBOL), replies.is_best),
    "get_symbol_ticker_window": (
        lambda c: c.get_symbol_ticker_window(symbol=SYMBOL),
        replies.is_ticker,
    ),
    "v3_get_ticker_trading_day": (
        lambda c: c.v3_get_ticker_trading_day(symbol=SYMBOL),
        replies.is_ticker,
    ),
}


def check_ping_and_time(client: Any) -> None:
    assert client.ping() == {}
    assert replies.is_now(client.get_server_time()["serverTime"])


@pytest.mark.parametrize("name", MARKET_DATA)
def check_market_data(client: Any, name: str) -> None:
    ask, is_right = MARKET_DATA[name]
    reply = ask(client)
    assert is_right(reply), reply


@pytest.mark.parametrize("kind", KINDS)
def check_an_order_signed_with_each_kind_of_key(venue: Venue, kind: str) -> None:
    client, client_id = Client(**login(venue, kind)), venue.new_id()
    sent = venue.resting("LIMIT")
    placed = client.create_order(**sent, newClientOrderId=client_id)
    queried = client.get_order(symbol=SYMBOL, orderId=placed["orderId"])
    venue.confirm(client_id, sent, queried, "NEW")
    canceled = client.cancel_order(symbol=SYMBOL, origClientOrderId=client_id)
    venue.confirm(client_id, sent, canceled, "CANCELED")
    assert replies.held(client.get_account(omitZeroBalances="true")) == venue.balances()


@pytest.mark.parametrize("kind", KINDS)
def check_the_async_client_with_each_kind_of_key(venue: Venue, kind: str) -> None:
    async def run() -> None:
        client, client_id = await AsyncClient.create(**login(venue, kind)), venue.new_id()
        try:
            assert replies.is_listing(await client.get_exchange_info())
            sent = venue.resting("STOP_LOSS_LIMIT")
            placed = await client.create_order(**sent, newClientOrderId=client_id)
            queried = await client.get_order(symbol=SYMBOL, orderId=placed["orderId"])
            venue.confirm(client_id, sent, queried, "NEW")
            listed = await client.get_open_orders(symbol=SYMBOL)
            assert client_id in {order["clientOrderId"] for order in listed}
            await client.cancel_order(symbol=SYMBOL, origClientOrderId=client_id)
            assert venue.order(client_id)["status"] == "CANCELED"
            pair = await client.create_oco_order(**venue.oco())
            await client.v3_delete_order_list(symbol=SYMBOL, orderListId=pair["orderListId"])
            assert set(venue.leg_statuses(pair["orders"])) == {"CANCELED"}
            bought = await client.order_market_buy(symbol=SYMBOL, quantity=QUANTITY)
            told = await client.get_my_trades(symbol=SYMBOL, orderId=bought["orderId"])
            assert trades(told) == venue.fills(bought["clientOrderId"])
            assert replies.held(await client.get_account()) == venue.balances()
        finally:
            await client.close_connection()

    asyncio.run(run())


@pytest.mark.parametrize("kind", RESTING)
def check_a_resting_order(venue: Venue, client: Any, kind: str) -> None:
    client_id, sent = venue.new_id(), venue.resting(kind)
    placed = client.create_order(**sent, newClientOrderId=client_id)
    queried = client.get_order(symbol=SYMBOL, origClientOrderId=client_id)
    venue.confirm(client_id, sent, queried, "NEW")
    listed = client.get_open_orders(symbol=SYMBOL)
    assert client_id in {order["clientOrderId"] for order in listed}
    canceled = client.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
    assert canceled["origClientOrderId"] == client_id
    venue.confirm(client_id, sent, canceled, "CANCELED")
    everything = client.get_all_orders(symbol=SYMBOL, orderId=placed["orderId"])
    assert everything[0]["orderId"] == placed["orderId"]


def check_its_own_client_ids_and_shortcuts(venue: Venue, client: Any) -> None:
    far = {"symbol": SYMBOL, "quantity": QUANTITY}
    bought = client.order_limit_buy(**far, price=venue.price("0.8"))
    sold = client.order_limit_sell(**far, price=venue.price("1.2"))
    assert bought["clientOrderId"].startswith("x-")
    assert (bought["side"], sold["side"]) == ("BUY", "SELL")
    assert len(client.cancel_all_open_orders(symbol=SYMBOL)) == 2


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("amount", [{"quantity": QUANTITY}, {"quoteOrderQty": "100.00"}])
def check_a_market_order_and_its_trades(
    venue: Venue, client: Any, side: str, amount: dict[str, str]
) -> None:
    client_id, sent = venue.new_id(), {"symbol": SYMBOL, "side": side, "type": "MARKET"} | amount
    placed = client.order_market(symbol=SYMBOL, side=side, **amount, newClientOrderId=client_id)
    venue.confirm(client_id, sent, placed, "FILLED")
    told = client.get_my_trades(symbol=SYMBOL, orderId=placed["orderId"])
    assert trades(told) == trades(placed["fills"]) == venue.fills(client_id) != []


@pytest.mark.parametrize(
    ("tif", "times", "status"),
    [("IOC", "1.01", "FILLED"), ("FOK", "1.01", "FILLED"), ("IOC", "0.8", "EXPIRED")],
)
def check_immediate_orders(venue: Venue, client: Any, tif: str, times: str, status: str) -> None:
    client_id, price = venue.new_id(), venue.price(times)
    sent = {"symbol": SYMBOL, "timeInForce": tif, "quantity": QUANTITY, "price": price}
    placed = client.order_limit_buy(**sent, newClientOrderId=client_id)
    venue.confirm(client_id, sent | {"side": "BUY", "type": "LIMIT"}, placed, status)


@pytest.mark.parametrize(("kind", "shown"), [("ACK", None), ("RESULT", "NEW"), ("FULL", "NEW")])
def check_the_three_replies(venue: Venue, client: Any, kind: str, shown: str | None) -> None:
    placed = client.create_order(**venue.resting("LIMIT"), newOrderRespType=kind)
    assert placed.get("status") == shown
    client.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])


def check_test_orders_reach_no_engine(venue: Venue, client: Any) -> None:
    client_id, order = venue.new_id(), venue.resting("LIMIT")
    assert client.create_test_order(**order, newClientOrderId=client_id) == {}
    rates = client.create_test_order(**order, computeCommissionRates="true")
    assert rates["standardCommissionForOrder"]["taker"] == "0.00100000"
    query = {"symbol": SYMBOL, "origClientOrderId": client_id}
    assert refusal(client.get_order, **query) == (400, -2013)


def check_cancel_replace_in_both_modes(venue: Venue, client: Any) -> None:
    call = client.cancel_replace_order
    old_id, client_id, order = venue.new_id(), venue.new_id(), venue.resting("LIMIT")
    first = client.create_order(**order, newClientOrderId=old_id)
    again = order | {"cancelOrderId": first["orderId"]}
    stop = again | {"cancelReplaceMode": "STOP_ON_FAILURE"}
    replaced = call(**stop, newClientOrderId=client_id)
    venue.confirm(old_id, order, replaced["cancelResponse"], "CANCELED")
    venue.confirm(client_id, order, replaced["newOrderResponse"], "NEW")
    assert refusal(call, **stop) == (400, -2022)
    assert refusal(call, **again, cancelReplaceMode="ALLOW_FAILURE") == (409, -2021)
    assert len(client.cancel_all_open_orders(symbol=SYMBOL)) == 2


def check_amend_by_the_generic_request(venue: Venue, client: Any) -> None:
    """This client has no method of its own for amending, nor one that is public."""
    placed = client.create_order(**venue.resting("LIMIT"))
    smaller = {"symbol": SYMBOL, "orderId": placed["orderId"], "newQty": "0.00100"}
    path = "order/amend/keepPriority"
    shown = client._request_api("put", path, signed=True, data=smaller)["amendedOrder"]
    assert (shown["orderId"], shown["qty"]) == (placed["orderId"], "0.00100000")
    assert venue.order(shown["clientOrderId"])["origQty"] == "0.00100000"
    client.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])


def check_a_path_the_venue_never_had(venue: Venue, client: Any) -> None:
    """v3_post_cancel_replace leaves out the ``order/`` of its path."""
    order = venue.resting("LIMIT") | {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": "1"}
    assert refusal(client.v3_post_cancel_replace, **order) == (404, 0)


@pytest.mark.parametrize("kind", LISTS)
def check_order_lists(venue: Venue, client: Any, kind: str) -> None:
    place = {
        "OCO": client.create_oco_order,
        "OTO": client.v3_post_order_list_oto,
        "OTOCO": client.v3_post_order_list_otoco,
    }[kind]
    client_id = venue.new_id()
    placed = place(**venue.order_list(kind), listClientOrderId=client_id)
    list_id = placed["orderListId"]
    assert venue.leg_statuses(placed["orders"]) == LISTS[kind]
    queried = client.v3_get_order_list(origClientOrderId=client_id)
    assert (queried["orderListId"], queried["listOrderStatus"]) == (list_id, "EXECUTING")
    assert list_id in {each["orderListId"] for each in client.get_open_oco_orders()}
    canceled = client.v3_delete_order_list(symbol=SYMBOL, orderListId=list_id)
    assert canceled["listOrderStatus"] == "ALL_DONE"
    assert set(venue.leg_statuses(placed["orders"])) == {"CANCELED"}
    assert list_id in {each["orderListId"] for each in client.v3_get_all_order_list()}


def check_oco_by_side(venue: Venue, client: Any) -> None:
    order_list = venue.oco()
    del order_list["side"]
    placed = client.order_oco_sell(**order_list)
    assert placed["contingencyType"] == "OCO"
    (canceled,) = client.cancel_all_open_orders(symbol=SYMBOL)
    assert canceled["orderListId"] == placed["orderListId"]


def check_the_account_and_its_limits(venue: Venue, client: Any) -> None:
    assert client.get_asset_balance("BTC")["free"] == venue.balances()["BTC"][0]
    limits = client.get_current_order_count()
    assert [limit["rateLimitType"] for limit in limits] == ["ORDERS"] * 2
    rates = client.v3_get_account_commission(symbol=SYMBOL)
    assert rates["standardCommission"]["taker"] == "0.00100000"
    assert client.get_prevented_matches(symbol=SYMBOL, orderId=1) == []
    assert client.get_allocations(symbol=SYMBOL) == []
    assert client.get_account_api_permissions()["enableWithdrawals"] is False


def check_usage_is_in_the_headers(venue: Venue, client: Any) -> None:
    client.create_order(**venue.resting("LIMIT"))
    assert {"X-MBX-USED-WEIGHT-1M", "X-MBX-ORDER-COUNT-10S"} <= set(client.response.headers)
    client.cancel_all_open_orders(symbol=SYMBOL)


def check_microseconds(venue: Venue) -> None:
    client = Client(**login(venue, "HMAC"), time_unit="MICROSECOND")
    assert client.get_server_time()["serverTime"] > 10**15


def check_a_float_is_refused_as_it_is_written(client: Any) -> None:
    order = {"symbol": SYMBOL, "quantity": 1e-05, "price": 50_000}
    assert refusal(client.order_limit_buy, **order) == (400, -1100)


@pytest.mark.parametrize("kind", KINDS)
def check_a_symbol_outside_ascii_is_signed_as_it_is_sent(venue: Venue, kind: str) -> None:
    client = Client(**login(venue, kind))
    assert refusal(client.get_order, symbol="这是测试币456", orderId=1) == (400, -1121)


@pytest.mark.parametrize("name", ["create_order", "cancel_order", "cancel_replace_order"])
def check_the_client_signs_a_body_before_it_encodes_it(
    venue: Venue, client: Any, name: str
) -> None:
    """What the body then holds is not what was signed, so the venue cannot verify it."""
    ids = {"newClientOrderId": "a b&c"} if name == "create_order" else {}
    ids = ids or {"origClientOrderId": "a b&c"}
    order = {"symbol": SYMBOL} if name == "cancel_order" else venue.resting("LIMIT")
    assert refusal(getattr(client, name), **order, **ids) == (400, -1022)


def check_a_wrong_secret_is_refused(venue: Venue) -> None:
    client = Client(venue.hmac.api_key, "another")
    assert refusal(client.get_account) == (400, -1022)


def check_listen_keys_are_gone(client: Any) -> None:
    assert refusal(client.stream_get_listen_key) == (404, 0)
