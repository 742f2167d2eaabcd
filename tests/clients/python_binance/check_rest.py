"""python-binance over REST, sync and async: POST and DELETE are signed in a form body."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from binance import AsyncClient, Client
from binance.exceptions import BinanceAPIException

from tests.clients.python_binance.conftest import login
from tests.clients.venue import LIST_ORDERS, QUANTITY, RESTING, SYMBOL, Venue

KINDS = ("HMAC", "RSA", "ED25519")


@pytest.fixture
def client(venue: Venue) -> Any:
    return Client(**login(venue, "HMAC"))


def refusal(call: Callable[..., Any], /, **parameters: Any) -> tuple[int, int]:
    """HTTP status and code of what the venue answered."""
    with pytest.raises(BinanceAPIException) as caught:
        call(**parameters)
    return caught.value.status_code, caught.value.code


MARKET_DATA: dict[str, Callable[[Any], Any]] = {
    "get_exchange_info": lambda c: c.get_exchange_info()["symbols"],
    "get_symbol_info": lambda c: c.get_symbol_info(SYMBOL)["filters"],
    "get_all_tickers": lambda c: c.get_all_tickers(),
    "get_orderbook_tickers": lambda c: c.get_orderbook_tickers(),
    "get_order_book": lambda c: c.get_order_book(symbol=SYMBOL)["bids"],
    "get_recent_trades": lambda c: c.get_recent_trades(symbol=SYMBOL, limit=5),
    "get_historical_trades": lambda c: c.get_historical_trades(symbol=SYMBOL, limit=5),
    "get_aggregate_trades": lambda c: c.get_aggregate_trades(symbol=SYMBOL, limit=5),
    "get_klines": lambda c: c.get_klines(symbol=SYMBOL, interval="1m", limit=5),
    "get_ui_klines": lambda c: c.get_ui_klines(symbol=SYMBOL, interval="1m", limit=5),
    "get_historical_klines": lambda c: c.get_historical_klines(SYMBOL, "1m", "10 minutes ago UTC"),
    "get_avg_price": lambda c: c.get_avg_price(symbol=SYMBOL)["price"],
    "get_ticker": lambda c: c.get_ticker(symbol=SYMBOL)["lastPrice"],
    "get_ticker of all": lambda c: c.get_ticker(),
    "get_symbol_ticker": lambda c: c.get_symbol_ticker(symbol=SYMBOL)["price"],
    "get_orderbook_ticker": lambda c: c.get_orderbook_ticker(symbol=SYMBOL)["bidPrice"],
    "get_symbol_ticker_window": lambda c: c.get_symbol_ticker_window(symbol=SYMBOL)["volume"],
    "v3_get_ticker_trading_day": lambda c: c.v3_get_ticker_trading_day(symbol=SYMBOL)["volume"],
}


def check_ping_and_time(client: Any) -> None:
    assert client.ping() == {}
    assert client.get_server_time()["serverTime"] > 0


@pytest.mark.parametrize("name", MARKET_DATA)
def check_market_data(client: Any, name: str) -> None:
    assert MARKET_DATA[name](client)


@pytest.mark.parametrize("kind", KINDS)
def check_an_order_signed_with_each_kind_of_key(venue: Venue, kind: str) -> None:
    client, client_id = Client(**login(venue, kind)), venue.new_id()
    placed = client.create_order(**venue.resting("LIMIT"), newClientOrderId=client_id)
    assert client.get_order(symbol=SYMBOL, orderId=placed["orderId"])["status"] == "NEW"
    canceled = client.cancel_order(symbol=SYMBOL, origClientOrderId=client_id)
    assert canceled["status"] == venue.order(client_id)["status"] == "CANCELED"
    assert client.get_account(omitZeroBalances="true")["balances"]


@pytest.mark.parametrize("kind", KINDS)
def check_the_async_client_with_each_kind_of_key(venue: Venue, kind: str) -> None:
    async def run() -> None:
        client, client_id = await AsyncClient.create(**login(venue, kind)), venue.new_id()
        try:
            assert (await client.get_exchange_info())["symbols"]
            order = venue.resting("LIMIT")
            placed = await client.create_order(**order, newClientOrderId=client_id)
            queried = await client.get_order(symbol=SYMBOL, orderId=placed["orderId"])
            assert queried["status"] == "NEW"
            assert await client.get_open_orders(symbol=SYMBOL)
            await client.cancel_order(symbol=SYMBOL, origClientOrderId=client_id)
            assert venue.order(client_id)["status"] == "CANCELED"
            listed = await client.create_oco_order(**venue.oco())
            await client.v3_delete_order_list(symbol=SYMBOL, orderListId=listed["orderListId"])
            assert (await client.get_account())["balances"]
        finally:
            await client.close_connection()

    asyncio.run(run())


@pytest.mark.parametrize("kind", RESTING)
def check_a_resting_order(venue: Venue, client: Any, kind: str) -> None:
    client_id, wanted = venue.new_id(), venue.resting(kind)
    placed = client.create_order(**wanted, newClientOrderId=client_id)
    queried = client.get_order(symbol=SYMBOL, origClientOrderId=client_id)
    assert (queried["type"], queried["status"]) == (wanted["type"], "NEW")
    listed = client.get_open_orders(symbol=SYMBOL)
    assert client_id in {order["clientOrderId"] for order in listed}
    canceled = client.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
    assert (canceled["origClientOrderId"], canceled["status"]) == (client_id, "CANCELED")
    assert venue.order(client_id)["status"] == "CANCELED"
    everything = client.get_all_orders(symbol=SYMBOL, orderId=placed["orderId"])
    assert everything[0]["orderId"] == placed["orderId"]


def check_its_own_client_ids_and_shortcuts(venue: Venue, client: Any) -> None:
    far = {"symbol": SYMBOL, "quantity": QUANTITY}
    bought = client.order_limit_buy(**far, price=venue.price("0.8"))
    sold = client.order_limit_sell(**far, price=venue.price("1.2"))
    assert bought["clientOrderId"].startswith("x-")
    assert (bought["side"], sold["side"]) == ("BUY", "SELL")
    assert len(client.cancel_all_open_orders(symbol=SYMBOL)) == 2


@pytest.mark.parametrize("amount", [{"quantity": QUANTITY}, {"quoteOrderQty": 100}])
def check_a_market_order_and_its_trades(client: Any, amount: dict[str, Any]) -> None:
    placed = client.order_market_buy(symbol=SYMBOL, **amount)
    assert placed["status"] == "FILLED"
    trades = client.get_my_trades(symbol=SYMBOL, orderId=placed["orderId"])
    assert [trade["id"] for trade in trades] == [fill["tradeId"] for fill in placed["fills"]]
    assert client.order_market_sell(symbol=SYMBOL, quantity=0.002)["status"] == "FILLED"


@pytest.mark.parametrize(
    ("tif", "times", "status"),
    [("IOC", "1.01", "FILLED"), ("FOK", "1.01", "FILLED"), ("IOC", "0.8", "EXPIRED")],
)
def check_immediate_orders(venue: Venue, client: Any, tif: str, times: str, status: str) -> None:
    order = {"timeInForce": tif, "quantity": QUANTITY, "price": venue.price(times)}
    assert client.order_limit_buy(symbol=SYMBOL, **order)["status"] == status


@pytest.mark.parametrize(("kind", "shown"), [("ACK", None), ("RESULT", "NEW"), ("FULL", "NEW")])
def check_the_three_replies(venue: Venue, client: Any, kind: str, shown: str | None) -> None:
    placed = client.create_order(**venue.resting("LIMIT"), newOrderRespType=kind)
    assert placed.get("status") == shown
    client.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])


def check_test_orders(venue: Venue, client: Any) -> None:
    order = venue.resting("LIMIT")
    assert client.create_test_order(**order) == {}
    rates = client.create_test_order(**order, computeCommissionRates="true")
    assert set(rates["standardCommissionForOrder"]) == {"maker", "taker"}


def check_cancel_replace_in_both_modes(venue: Venue, client: Any) -> None:
    call = client.cancel_replace_order
    first = client.create_order(**venue.resting("LIMIT"))
    again = venue.resting("LIMIT") | {"cancelOrderId": first["orderId"]}
    stop = again | {"cancelReplaceMode": "STOP_ON_FAILURE"}
    replaced = call(**stop)
    assert (replaced["cancelResult"], replaced["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert refusal(call, **stop) == (400, -2022)
    assert refusal(call, **again, cancelReplaceMode="ALLOW_FAILURE") == (409, -2021)
    assert len(client.cancel_all_open_orders(symbol=SYMBOL)) == 2


def check_a_path_the_venue_never_had(venue: Venue, client: Any) -> None:
    """v3_post_cancel_replace leaves out the ``order/`` of its path."""
    order = venue.resting("LIMIT") | {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": "1"}
    with pytest.raises(BinanceAPIException):
        client.v3_post_cancel_replace(**order)


@pytest.mark.parametrize("kind", LIST_ORDERS)
def check_order_lists(venue: Venue, client: Any, kind: str) -> None:
    place = {
        "OCO": client.create_oco_order,
        "OTO": client.v3_post_order_list_oto,
        "OTOCO": client.v3_post_order_list_otoco,
    }[kind]
    client_id = venue.new_id()
    placed = place(**venue.order_list(kind), listClientOrderId=client_id)
    list_id = placed["orderListId"]
    assert len(placed["orders"]) == LIST_ORDERS[kind]
    queried = client.v3_get_order_list(origClientOrderId=client_id)
    assert (queried["orderListId"], queried["listOrderStatus"]) == (list_id, "EXECUTING")
    assert list_id in {each["orderListId"] for each in client.get_open_oco_orders()}
    canceled = client.v3_delete_order_list(symbol=SYMBOL, orderListId=list_id)
    assert canceled["listOrderStatus"] == "ALL_DONE"
    assert list_id in {each["orderListId"] for each in client.v3_get_all_order_list()}


def check_oco_by_side(venue: Venue, client: Any) -> None:
    order_list = venue.oco()
    del order_list["side"]
    placed = client.order_oco_sell(**order_list)
    assert placed["contingencyType"] == "OCO"
    (canceled,) = client.cancel_all_open_orders(symbol=SYMBOL)
    assert canceled["orderListId"] == placed["orderListId"]


def check_the_account_and_its_limits(client: Any) -> None:
    assert client.get_asset_balance("BTC")["free"]
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
    with pytest.raises(BinanceAPIException):
        client.stream_get_listen_key()
