"""binance-connector over REST: everything it puts, signature included, is in the query."""

from collections.abc import Callable
from typing import Any

import pytest
from binance.error import ClientError
from binance.spot import Spot

from tests.clients import replies
from tests.clients.venue import LISTS, QUANTITY, RESTING, SYMBOL, Venue, trades

KINDS = ("HMAC", "RSA", "ED25519")


def spot(venue: Venue, kind: str = "HMAC", **options: Any) -> Any:
    key = venue.keys[kind]
    proof = {"private_key": key.pem_text} if key.pem else {"api_secret": key.secret}
    return Spot(api_key=key.api_key, base_url=venue.http, **proof, **options)


@pytest.fixture
def client(venue: Venue) -> Any:
    return spot(venue)


def refusal(call: Callable[..., Any], /, *given: Any, **parameters: Any) -> tuple[int, int]:
    """HTTP status and code of what the venue answered."""
    with pytest.raises(ClientError) as caught:
        call(*given, **parameters)
    return caught.value.status_code, caught.value.error_code


MARKET_DATA: dict[str, tuple[Callable[[Any], Any], Callable[[Any], bool]]] = {
    "exchange_info": (lambda c: c.exchange_info(), replies.is_listing),
    "exchange_info of a symbol": (
        lambda c: c.exchange_info(symbol=SYMBOL),
        lambda r: replies.is_listing(r, {SYMBOL}),
    ),
    "exchange_info of symbols": (
        lambda c: c.exchange_info(symbols=[SYMBOL, "ETHUSDT"]),
        replies.is_listing,
    ),
    "exchange_info of permissions": (
        lambda c: c.exchange_info(permissions=["SPOT"]),
        replies.is_listing,
    ),
    "depth": (lambda c: c.depth(SYMBOL, limit=20), lambda r: replies.is_book(r, 20)),
    "trades": (lambda c: c.trades(SYMBOL, limit=5), lambda r: replies.are_trades(r, 5)),
    "historical_trades": (
        lambda c: c.historical_trades(SYMBOL, limit=5),
        lambda r: replies.are_trades(r, 5),
    ),
    "agg_trades": (lambda c: c.agg_trades(SYMBOL, limit=5), lambda r: replies.are_aggregates(r, 5)),
    "klines": (lambda c: c.klines(SYMBOL, "1m", limit=5), lambda r: replies.are_candles(r, 5)),
    "ui_klines": (
        lambda c: c.ui_klines(SYMBOL, "1m", limit=5),
        lambda r: replies.are_candles(r, 5),
    ),
    "avg_price": (lambda c: c.avg_price(SYMBOL), lambda r: replies.is_price(r["price"])),
    "ticker_24hr": (lambda c: c.ticker_24hr(SYMBOL), replies.is_ticker),
    "ticker_24hr of symbols": (
        lambda c: c.ticker_24hr(symbols=[SYMBOL, "ETHUSDT"]),
        replies.are_of,
    ),
    "trading_day_ticker": (lambda c: c.trading_day_ticker(SYMBOL), replies.is_ticker),
    "ticker_price": (lambda c: c.ticker_price(SYMBOL), lambda r: replies.is_price(r["price"])),
    "ticker_price of all": (lambda c: c.ticker_price(), replies.are_of),
    "book_ticker": (lambda c: c.book_ticker(SYMBOL), replies.is_best),
    "rolling_window_ticker": (
        lambda c: c.rolling_window_ticker(SYMBOL, windowSize="1h"),
        replies.is_ticker,
    ),
}


def check_ping_and_time(client: Any) -> None:
    assert client.ping() == {}
    assert replies.is_now(client.time()["serverTime"])


@pytest.mark.parametrize("name", MARKET_DATA)
def check_market_data(client: Any, name: str) -> None:
    ask, is_right = MARKET_DATA[name]
    reply = ask(client)
    assert is_right(reply), reply


@pytest.mark.parametrize("kind", KINDS)
def check_an_order_signed_with_each_kind_of_key(venue: Venue, kind: str) -> None:
    client, client_id, sent = spot(venue, kind), venue.new_id(), venue.resting("LIMIT")
    placed = client.new_order(**sent, newClientOrderId=client_id)
    queried = client.get_order(SYMBOL, orderId=placed["orderId"])
    venue.confirm(client_id, sent, queried, "NEW")
    canceled = client.cancel_order(SYMBOL, origClientOrderId=client_id)
    venue.confirm(client_id, sent, canceled, "CANCELED")
    assert replies.held(client.account(omitZeroBalances="true")) == venue.balances()


@pytest.mark.parametrize("kind", RESTING)
def check_a_resting_order(venue: Venue, client: Any, kind: str) -> None:
    client_id, sent = venue.new_id(), venue.resting(kind)
    placed = client.new_order(**sent, newClientOrderId=client_id)
    assert placed["clientOrderId"] == client_id
    queried = client.get_order(SYMBOL, origClientOrderId=client_id)
    venue.confirm(client_id, sent, queried, "NEW")
    assert client_id in {order["clientOrderId"] for order in client.get_open_orders(SYMBOL)}
    assert client_id in {order["clientOrderId"] for order in client.get_open_orders()}
    canceled = client.cancel_order(SYMBOL, orderId=placed["orderId"])
    assert canceled["origClientOrderId"] == client_id
    venue.confirm(client_id, sent, canceled, "CANCELED")
    everything = client.get_orders(SYMBOL, orderId=placed["orderId"])
    assert everything[0]["orderId"] == placed["orderId"]


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("amount", [{"quantity": QUANTITY}, {"quoteOrderQty": "100.00"}])
def check_a_market_order_and_its_trades(
    venue: Venue, client: Any, side: str, amount: dict[str, str]
) -> None:
    client_id, sent = venue.new_id(), {"side": side, "type": "MARKET"} | amount
    placed = client.new_order(SYMBOL, **sent, newClientOrderId=client_id)
    venue.confirm(client_id, sent, placed, "FILLED")
    told = client.my_trades(SYMBOL, orderId=placed["orderId"])
    assert trades(told) == trades(placed["fills"]) == venue.fills(client_id) != []


@pytest.mark.parametrize(
    ("tif", "times", "status"),
    [("IOC", "1.01", "FILLED"), ("FOK", "1.01", "FILLED"), ("IOC", "0.8", "EXPIRED")],
)
def check_immediate_orders(venue: Venue, client: Any, tif: str, times: str, status: str) -> None:
    client_id = venue.new_id()
    sent = {"side": "BUY", "type": "LIMIT", "timeInForce": tif}
    sent |= {"quantity": QUANTITY, "price": venue.price(times)}
    placed = client.new_order(SYMBOL, **sent, newClientOrderId=client_id)
    venue.confirm(client_id, sent, placed, status)


@pytest.mark.parametrize(("kind", "shown"), [("ACK", None), ("RESULT", "NEW"), ("FULL", "NEW")])
def check_the_three_replies(venue: Venue, client: Any, kind: str, shown: str | None) -> None:
    placed = client.new_order(**venue.resting("LIMIT"), newOrderRespType=kind)
    assert placed.get("status") == shown
    assert ("fills" in placed) is (kind == "FULL")
    client.cancel_order(SYMBOL, orderId=placed["orderId"])


def check_test_orders_reach_no_engine(venue: Venue, client: Any) -> None:
    client_id = venue.new_id()
    order = venue.resting("LIMIT")
    assert client.new_order_test(**order, newClientOrderId=client_id) == {}
    rates = client.new_order_test(**order, computeCommissionRates="true")
    assert set(rates["standardCommissionForOrder"]) == {"maker", "taker"}
    assert refusal(client.get_order, SYMBOL, origClientOrderId=client_id) == (400, -2013)


def check_cancel_replace_in_both_modes(venue: Venue, client: Any) -> None:
    old_id, client_id, order = venue.new_id(), venue.new_id(), venue.resting("LIMIT")
    first = client.new_order(**order, newClientOrderId=old_id)
    gone = {"cancelOrderId": first["orderId"]}
    replaced = client.cancel_and_replace(
        **order, cancelReplaceMode="STOP_ON_FAILURE", newClientOrderId=client_id, **gone
    )
    venue.confirm(old_id, order, replaced["cancelResponse"], "CANCELED")
    venue.confirm(client_id, order, replaced["newOrderResponse"], "NEW")
    stopped = refusal(
        client.cancel_and_replace, **order, cancelReplaceMode="STOP_ON_FAILURE", **gone
    )
    assert stopped == (400, -2022)
    half = refusal(client.cancel_and_replace, **order, cancelReplaceMode="ALLOW_FAILURE", **gone)
    assert half == (409, -2021)
    assert len(client.cancel_open_orders(SYMBOL)) == 2


def check_amend_by_the_generic_request(venue: Venue, client: Any) -> None:
    """This client has no method of its own for amending."""
    placed = client.new_order(**venue.resting("LIMIT"))
    smaller = {"symbol": SYMBOL, "orderId": placed["orderId"], "newQty": "0.00100"}
    amended = client.sign_request("PUT", "/api/v3/order/amend/keepPriority", smaller)
    shown = amended["amendedOrder"]
    assert (shown["orderId"], shown["qty"]) == (placed["orderId"], "0.00100000")
    assert venue.order(shown["clientOrderId"])["origQty"] == "0.00100000"
    client.cancel_order(SYMBOL, orderId=placed["orderId"])


@pytest.mark.parametrize("kind", LISTS)
def check_order_lists(venue: Venue, client: Any, kind: str) -> None:
    place = {
        "OCO": client.new_oco_order,
        "OTO": client.new_oto_order,
        "OTOCO": client.new_otoco_order,
    }[kind]
    client_id = venue.new_id()
    placed = place(**venue.order_list(kind), listClientOrderId=client_id)
    assert venue.leg_statuses(placed["orders"]) == LISTS[kind]
    queried = client.get_oco_order(origClientOrderId=client_id)
    assert (queried["orderListId"], queried["listOrderStatus"]) == (
        placed["orderListId"],
        "EXECUTING",
    )
    ids = {each["orderListId"] for each in client.get_oco_open_orders()}
    assert placed["orderListId"] in ids
    canceled = client.cancel_oco_order(SYMBOL, orderListId=placed["orderListId"])
    assert canceled["listOrderStatus"] == "ALL_DONE"
    assert set(venue.leg_statuses(placed["orders"])) == {"CANCELED"}
    assert canceled["orderListId"] in {each["orderListId"] for each in client.get_oco_orders()}


def check_the_account_and_its_limits(venue: Venue, client: Any) -> None:
    assert replies.held(client.account()) == venue.balances()
    assert [limit["rateLimitType"] for limit in client.get_order_rate_limit()] == ["ORDERS"] * 2
    assert client.query_commission_rates(SYMBOL)["standardCommission"]["taker"] == "0.00100000"
    assert client.query_prevented_matches(SYMBOL, orderId=1) == []
    assert client.query_allocations(SYMBOL) == []
    assert client.api_key_permissions()["enableSpotAndMarginTrading"] is True


def check_usage_is_in_the_headers(venue: Venue) -> None:
    client = spot(venue, show_limit_usage=True)
    placed = client.new_order(**venue.resting("LIMIT"))
    assert {"x-mbx-used-weight-1m", "x-mbx-order-count-10s"} <= set(placed["limit_usage"])
    client.cancel_order(SYMBOL, orderId=placed["data"]["orderId"])


def check_microseconds(venue: Venue, client: Any) -> None:
    fine, coarse = spot(venue, time_unit="microsecond").time(), client.time()
    assert abs(fine["serverTime"] // 1000 - coarse["serverTime"]) < 5_000


def check_a_float_is_refused_as_it_is_written(client: Any) -> None:
    order = {"timeInForce": "GTC", "quantity": 1e-05, "price": "50000.00"}
    assert refusal(client.new_order, SYMBOL, "BUY", "LIMIT", **order) == (400, -1100)


def check_what_needs_encoding_is_signed_as_it_is_sent(client: Any) -> None:
    """Past the signature each is refused for what it is."""
    assert refusal(client.get_order, "这是测试币456", orderId=1) == (400, -1121)
    for client_id in ("a b&c", "a+b=c", "a@b"):
        assert refusal(client.get_order, SYMBOL, origClientOrderId=client_id) == (400, -1100)


def check_a_wrong_secret_is_refused(venue: Venue) -> None:
    client = Spot(api_key=venue.hmac.api_key, api_secret="another", base_url=venue.http)
    assert refusal(client.account) == (400, -1022)


def check_listen_keys_are_gone(client: Any) -> None:
    assert refusal(client.new_listen_key) == (404, None)
