"""binance-sdk-spot over REST: signed like binance-connector, replies parsed into models."""

from collections.abc import Callable
from typing import Any

import pytest
from binance_common.errors import BadRequestError, ClientError, NotFoundError
from binance_sdk_spot.spot import ConfigurationRestAPI, Spot

from tests.clients import replies
from tests.clients.binance_sdk_spot.conftest import raw, snake
from tests.clients.venue import LISTS, QUANTITY, RESTING, SYMBOL, Venue, trades

KINDS = ("HMAC", "RSA", "ED25519")


def rest(venue: Venue, kind: str = "HMAC", **options: Any) -> Any:
    key = venue.keys[kind]
    proof = {"private_key": key.pem} if key.pem else {"api_secret": key.secret}
    settings = {"api_key": key.api_key, "base_path": venue.http, "retries": 0} | proof | options
    # By itself it waits for a second, and the suites share a machine.
    return Spot(config_rest_api=ConfigurationRestAPI(timeout=10_000, **settings)).rest_api


@pytest.fixture
def client(venue: Venue) -> Any:
    return rest(venue)


def code(call: Callable[..., Any], /, **parameters: Any) -> int:
    with pytest.raises(BadRequestError) as caught:
        call(**parameters)
    return int(caught.value.status_code)


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
    "execution_rules": (
        lambda c: c.execution_rules(symbol=SYMBOL),
        lambda r: replies.are_of(r["symbolRules"], {SYMBOL}),
    ),
    "depth": (lambda c: c.depth(symbol=SYMBOL, limit=20), lambda r: replies.is_book(r, 20)),
    "get_trades": (
        lambda c: c.get_trades(symbol=SYMBOL, limit=5),
        lambda r: replies.are_trades(r, 5),
    ),
    "historical_trades": (
        lambda c: c.historical_trades(symbol=SYMBOL, limit=5),
        lambda r: replies.are_trades(r, 5),
    ),
    "agg_trades": (
        lambda c: c.agg_trades(symbol=SYMBOL, limit=5),
        lambda r: replies.are_aggregates(r, 5),
    ),
    "klines": (
        lambda c: c.klines(symbol=SYMBOL, interval="1m", limit=5),
        lambda r: replies.are_candles(r, 5),
    ),
    "ui_klines": (
        lambda c: c.ui_klines(symbol=SYMBOL, interval="1m", limit=5),
        lambda r: replies.are_candles(r, 5),
    ),
    "avg_price": (lambda c: c.avg_price(symbol=SYMBOL), lambda r: replies.is_price(r["price"])),
    "ticker": (lambda c: c.ticker(symbol=SYMBOL, window_size="1h"), replies.is_ticker),
    "ticker of symbols": (
        lambda c: c.ticker(symbols=[SYMBOL, "ETHUSDT"], type="MINI"),
        replies.are_of,
    ),
    "ticker24hr": (lambda c: c.ticker24hr(symbol=SYMBOL), replies.is_ticker),
    "ticker24hr of all": (lambda c: c.ticker24hr(), replies.are_of),
    "ticker24hr in brief": (lambda c: c.ticker24hr(symbol=SYMBOL, type="MINI"), replies.is_ticker),
    "ticker_trading_day": (lambda c: c.ticker_trading_day(symbol=SYMBOL), replies.is_ticker),
    "ticker_price": (
        lambda c: c.ticker_price(symbol=SYMBOL),
        lambda r: replies.is_price(r["price"]),
    ),
    "ticker_price of all": (lambda c: c.ticker_price(), replies.are_of),
    "ticker_book_ticker": (lambda c: c.ticker_book_ticker(symbol=SYMBOL), replies.is_best),
    "ticker_book_ticker of all": (lambda c: c.ticker_book_ticker(), replies.are_of),
    "reference_price": (
        lambda c: c.reference_price(symbol=SYMBOL),
        lambda r: replies.is_price(r["referencePrice"]),
    ),
    "reference_price_calculation": (
        lambda c: c.reference_price_calculation(symbol=SYMBOL),
        lambda r: r["calculationType"] == "ARITHMETIC_MEAN",
    ),
    "historical_block_trades": (
        lambda c: c.historical_block_trades(symbol=SYMBOL, from_id=0),
        lambda r: r == [],
    ),
}


def check_ping_and_time(client: Any) -> None:
    assert client.ping().status == 200
    assert replies.is_now(client.time().data().server_time)


@pytest.mark.parametrize("name", MARKET_DATA)
def check_market_data(client: Any, name: str) -> None:
    ask, is_right = MARKET_DATA[name]
    reply = raw(ask(client).data())
    assert is_right(reply), reply


@pytest.mark.parametrize("kind", KINDS)
def check_an_order_signed_with_each_kind_of_key(venue: Venue, kind: str) -> None:
    client, client_id, sent = rest(venue, kind), venue.new_id(), venue.resting("LIMIT")
    placed = client.new_order(**snake(sent), new_client_order_id=client_id).data()
    queried = client.get_order(symbol=SYMBOL, order_id=placed.order_id).data()
    venue.confirm(client_id, sent, raw(queried), "NEW")
    canceled = client.delete_order(symbol=SYMBOL, orig_client_order_id=client_id).data()
    venue.confirm(client_id, sent, raw(canceled), "CANCELED")
    account = client.get_account(omit_zero_balances=True).data()
    assert replies.held(raw(account)) == venue.balances()


@pytest.mark.parametrize("kind", RESTING)
def check_a_resting_order(venue: Venue, client: Any, kind: str) -> None:
    client_id, sent = venue.new_id(), venue.resting(kind)
    placed = client.new_order(**snake(sent), new_client_order_id=client_id).data()
    assert placed.client_order_id == client_id
    queried = client.get_order(symbol=SYMBOL, orig_client_order_id=client_id).data()
    venue.confirm(client_id, sent, raw(queried), "NEW")
    listed = client.get_open_orders(symbol=SYMBOL).data()
    assert client_id in {order.client_order_id for order in listed}
    canceled = client.delete_order(symbol=SYMBOL, order_id=placed.order_id).data()
    venue.confirm(client_id, sent, raw(canceled), "CANCELED")
    everything = client.all_orders(symbol=SYMBOL, order_id=placed.order_id).data()
    assert everything[0].order_id == placed.order_id


def check_floats_that_are_plain_when_written(venue: Venue, client: Any) -> None:
    price = float(venue.price("0.8"))
    order = {"type": "LIMIT", "time_in_force": "GTC", "quantity": 0.001, "price": price}
    placed = client.new_order(symbol=SYMBOL, side="BUY", **order).data()
    engine = venue.order(placed.client_order_id)
    assert (engine["origQty"], float(engine["price"])) == ("0.00100000", price)
    assert len(client.delete_open_orders(symbol=SYMBOL).data()) == 1


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("amount", [{"quantity": QUANTITY}, {"quoteOrderQty": "100.00"}])
def check_a_market_order_and_its_trades(
    venue: Venue, client: Any, side: str, amount: dict[str, str]
) -> None:
    client_id, sent = venue.new_id(), {"symbol": SYMBOL, "side": side, "type": "MARKET"} | amount
    placed = client.new_order(**snake(sent), new_client_order_id=client_id).data()
    venue.confirm(client_id, sent, raw(placed), "FILLED")
    told = client.my_trades(symbol=SYMBOL, order_id=placed.order_id).data()
    assert trades(raw(told)) == trades(raw(placed)["fills"]) == venue.fills(client_id) != []


@pytest.mark.parametrize(
    ("tif", "times", "status"),
    [("IOC", "1.01", "FILLED"), ("FOK", "1.01", "FILLED"), ("IOC", "0.8", "EXPIRED")],
)
def check_immediate_orders(venue: Venue, client: Any, tif: str, times: str, status: str) -> None:
    client_id = venue.new_id()
    sent = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": tif}
    sent |= {"quantity": QUANTITY, "price": venue.price(times)}
    placed = client.new_order(**snake(sent), new_client_order_id=client_id).data()
    venue.confirm(client_id, sent, raw(placed), status)


@pytest.mark.parametrize(("kind", "shown"), [("ACK", None), ("RESULT", "NEW"), ("FULL", "NEW")])
def check_the_three_replies(venue: Venue, client: Any, kind: str, shown: str | None) -> None:
    order = snake(venue.resting("LIMIT"))
    placed = client.new_order(**order, new_order_resp_type=kind).data()
    assert placed.status == shown
    client.delete_order(symbol=SYMBOL, order_id=placed.order_id)


def check_test_orders_reach_no_engine(venue: Venue, client: Any) -> None:
    client_id, order = venue.new_id(), snake(venue.resting("LIMIT"))
    assert client.order_test(**order, new_client_order_id=client_id).status == 200
    rates = client.order_test(**order, compute_commission_rates=True).data()
    assert rates.standard_commission_for_order.taker == "0.00100000"
    assert code(client.get_order, symbol=SYMBOL, orig_client_order_id=client_id) == -2013


def check_cancel_replace_in_both_modes(venue: Venue, client: Any) -> None:
    """Of a 409 this client keeps no code."""
    old_id, client_id, sent = venue.new_id(), venue.new_id(), venue.resting("LIMIT")
    first = client.new_order(**snake(sent), new_client_order_id=old_id).data()
    again = snake(sent) | {"cancel_order_id": first.order_id}
    stop = again | {"cancel_replace_mode": "STOP_ON_FAILURE"}
    replaced = raw(client.order_cancel_replace(**stop, new_client_order_id=client_id).data())
    venue.confirm(old_id, sent, replaced["cancelResponse"], "CANCELED")
    venue.confirm(client_id, sent, replaced["newOrderResponse"], "NEW")
    assert code(client.order_cancel_replace, **stop) == -2022
    with pytest.raises(ClientError):
        client.order_cancel_replace(**again, cancel_replace_mode="ALLOW_FAILURE")
    assert len(client.delete_open_orders(symbol=SYMBOL).data()) == 2


def check_amend(venue: Venue, client: Any) -> None:
    placed = client.new_order(**snake(venue.resting("LIMIT"))).data()
    order = {"symbol": SYMBOL, "order_id": placed.order_id}
    shown = client.order_amend_keep_priority(**order, new_qty=0.001).data().amended_order
    assert (shown.order_id, shown.qty) == (placed.order_id, "0.00100000")
    assert venue.order(shown.client_order_id)["origQty"] == "0.00100000"
    (amendment,) = client.order_amendments(**order).data()
    assert amendment.new_qty == "0.00100000"
    client.delete_order(**order)


@pytest.mark.parametrize("kind", LISTS)
def check_order_lists(venue: Venue, client: Any, kind: str) -> None:
    place = {
        "OCO": client.order_list_oco,
        "OTO": client.order_list_oto,
        "OTOCO": client.order_list_otoco,
    }[kind]
    client_id = venue.new_id()
    order_list = snake(venue.order_list(kind))
    placed = place(**order_list, list_client_order_id=client_id).data()
    legs = raw(placed)["orders"]
    assert venue.leg_statuses(legs) == LISTS[kind]
    assert [report.status for report in placed.order_reports] == LISTS[kind]
    list_id = placed.order_list_id
    queried = client.get_order_list(orig_client_order_id=client_id).data()
    assert (queried.order_list_id, queried.list_order_status) == (list_id, "EXECUTING")
    assert list_id in {each.order_list_id for each in client.open_order_list().data()}
    canceled = client.delete_order_list(symbol=SYMBOL, order_list_id=list_id).data()
    assert canceled.list_order_status == "ALL_DONE"
    assert set(venue.leg_statuses(legs)) == {"CANCELED"}
    assert list_id in {each.order_list_id for each in client.all_order_list().data()}


def check_what_is_not_served_is_refused_by_name(venue: Venue, client: Any) -> None:
    oto = snake(venue.oto())
    del oto["pending_quantity"]
    assert code(client.order_list_opo, **oto) == -2010
    order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": 0.001}
    assert code(client.sor_order, **order) == -1013
    pegged = snake(venue.resting("LIMIT")) | {"peg_price_type": "PRIMARY_PEG"}
    assert code(client.new_order, **pegged) == -2010


def check_the_account_and_its_limits(venue: Venue, client: Any) -> None:
    assert replies.held(raw(client.get_account().data())) == venue.balances()
    limits = client.rate_limit_order().data()
    assert [limit.rate_limit_type for limit in limits] == ["ORDERS"] * 2
    assert client.account_commission(symbol=SYMBOL).data().standard_commission.maker
    assert client.my_filters(symbol=SYMBOL).data()
    assert client.my_prevented_matches(symbol=SYMBOL, order_id=1).data() == []
    assert client.my_allocations(symbol=SYMBOL).data() == []


def check_usage_is_in_the_headers(venue: Venue, client: Any) -> None:
    placed = client.new_order(**snake(venue.resting("LIMIT")))
    kinds = {limit.rateLimitType for limit in placed.rate_limits}
    assert kinds == {"REQUEST_WEIGHT", "ORDERS"}
    client.delete_open_orders(symbol=SYMBOL)


def check_microseconds(venue: Venue) -> None:
    assert rest(venue, time_unit="MICROSECOND").time().data().server_time > 10**15


def check_a_float_is_refused_as_it_is_written(client: Any) -> None:
    order = {"type": "LIMIT", "time_in_force": "GTC", "quantity": 0.00001, "price": 50_000.0}
    assert code(client.new_order, symbol=SYMBOL, side="BUY", **order) == -1100


@pytest.mark.parametrize("kind", KINDS)
def check_what_needs_encoding_is_signed_as_it_is_sent(venue: Venue, kind: str) -> None:
    """Past the signature each is refused for what it is."""
    client = rest(venue, kind)
    assert code(client.get_order, symbol="这是测试币456", order_id=1) == -1121
    for client_id in ("a b&c", "a+b=c", "a@b"):
        assert code(client.get_order, symbol=SYMBOL, orig_client_order_id=client_id) == -1100


def check_a_wrong_secret_is_refused(venue: Venue) -> None:
    assert code(rest(venue, api_secret="another").get_account) == -1022


def check_the_deprecated_oco_is_not_there(client: Any) -> None:
    order = {"symbol": SYMBOL, "side": "SELL", "quantity": 0.001}
    with pytest.raises(NotFoundError):
        client.order_oco(**order, price=90_000, stop_price=50_000)
