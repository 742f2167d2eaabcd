"""binance-connector on the WebSocket API: HMAC alone, and numbers as JSON numbers."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from binance.lib.utils import websocket_api_signature
from binance.websocket.spot.websocket_api import SpotWebsocketAPIClient

from tests.clients import replies
from tests.clients.inbox import Inbox
from tests.clients.venue import LISTS, QUANTITY, RESTING, SYMBOL, Venue, trades


class Talk:
    """A client, and the response to each request it sends."""

    def __init__(self, venue: Venue) -> None:
        self.inbox: Final = Inbox()
        self.key: Final = venue.hmac
        self.client: Final = SpotWebsocketAPIClient(
            stream_url=f"{venue.ws}/ws-api/v3",
            api_key=self.key.api_key,
            api_secret=self.key.secret,
            on_message=lambda _, message: self.inbox.put(message),
        )
        self._asked = 0

    def ask(self, call: Callable[..., None], /, *given: Any, **parameters: Any) -> Any:
        """The whole response."""
        self._asked += 1
        request_id = f"request-{self._asked}"
        call(*given, id=request_id, **parameters)
        return self.inbox.wait(lambda m: m.get("id") == request_id)

    def result(self, call: Callable[..., None], /, *given: Any, **parameters: Any) -> Any:
        response = self.ask(call, *given, **parameters)
        assert response["status"] == 200, response
        return response["result"]

    def code(self, call: Callable[..., None], /, *given: Any, **parameters: Any) -> Any:
        return self.ask(call, *given, **parameters)["error"]["code"]

    def heard(self, kind: str, **fields: str) -> Any:
        """The first event of user data of that kind with these fields, in its envelope."""
        wanted = {"e": kind} | fields
        return self.inbox.wait(lambda m: wanted.items() <= m.get("event", {}).items())

    def send(self, method: str, /, *, id: str, **parameters: Any) -> None:  # noqa: A002
        """A method this client does not know, signed and sent by its own means."""
        signed = websocket_api_signature(self.key.api_key, self.key.secret, parameters)
        self.client.send({"id": id, "method": method, "params": signed})


@pytest.fixture
def talk(venue: Venue) -> Iterator[Talk]:
    opened = Talk(venue)
    yield opened
    opened.client.stop()


MARKET_DATA: dict[str, tuple[Callable[[Talk], Any], Callable[[Any], bool]]] = {
    "ping_connectivity": (lambda t: t.result(t.client.ping_connectivity), lambda r: r == {}),
    "server_time": (
        lambda t: t.result(t.client.server_time),
        lambda r: replies.is_now(r["serverTime"]),
    ),
    "order_book": (
        lambda t: t.result(t.client.order_book, SYMBOL, limit=5),
        lambda r: replies.is_book(r, 5),
    ),
    "recent_trades": (
        lambda t: t.result(t.client.recent_trades, SYMBOL, limit=5),
        lambda r: replies.are_trades(r, 5),
    ),
    "historical_trades": (
        lambda t: t.result(t.client.historical_trades, SYMBOL, t.key.api_key, limit=5),
        lambda r: replies.are_trades(r, 5),
    ),
    "aggregate_trades": (
        lambda t: t.result(t.client.aggregate_trades, SYMBOL, limit=5),
        lambda r: replies.are_aggregates(r, 5),
    ),
    "klines": (
        lambda t: t.result(t.client.klines, SYMBOL, "1m", limit=5),
        lambda r: replies.are_candles(r, 5),
    ),
    "ui_klines": (
        lambda t: t.result(t.client.ui_klines, SYMBOL, "1m", limit=5),
        lambda r: replies.are_candles(r, 5),
    ),
    "avg_price": (
        lambda t: t.result(t.client.avg_price, SYMBOL),
        lambda r: replies.is_price(r["price"]),
    ),
    "ticker_24hr": (lambda t: t.result(t.client.ticker_24hr, symbol=SYMBOL), replies.is_ticker),
    "ticker": (
        lambda t: t.result(t.client.ticker, symbol=SYMBOL, windowSize="1h"),
        replies.is_ticker,
    ),
    "ticker_price": (
        lambda t: t.result(t.client.ticker_price, symbol=SYMBOL),
        lambda r: replies.is_price(r["price"]),
    ),
    "ticker_book": (lambda t: t.result(t.client.ticker_book, symbol=SYMBOL), replies.is_best),
}


@pytest.mark.parametrize("name", MARKET_DATA)
def check_market_data(talk: Talk, name: str) -> None:
    ask, is_right = MARKET_DATA[name]
    reply = ask(talk)
    assert is_right(reply), reply


def check_exchange_info(talk: Talk) -> None:
    """This method takes an id for a second filter, so it is called without one."""
    talk.client.exchange_info(symbol=SYMBOL)
    assert replies.is_listing(talk.inbox.wait(lambda m: "result" in m)["result"], {SYMBOL})


@pytest.mark.parametrize("kind", RESTING)
def check_a_resting_order(venue: Venue, talk: Talk, kind: str) -> None:
    client_id, sent = venue.new_id(), venue.resting(kind)
    placed = talk.result(talk.client.new_order, **sent, newClientOrderId=client_id)
    queried = talk.result(talk.client.get_order, SYMBOL, origClientOrderId=client_id)
    assert queried["orderId"] == placed["orderId"]
    venue.confirm(client_id, sent, queried, "NEW")
    listed = talk.result(talk.client.get_open_orders, symbol=SYMBOL)
    assert client_id in {order["clientOrderId"] for order in listed}
    canceled = talk.result(talk.client.cancel_order, SYMBOL, orderId=placed["orderId"])
    venue.confirm(client_id, sent, canceled, "CANCELED")


def check_numbers_may_be_numbers(venue: Venue, talk: Talk) -> None:
    placed = talk.result(
        *(talk.client.new_order, SYMBOL, "BUY", "LIMIT"),
        timeInForce="GTC",
        quantity=0.001,
        price=float(venue.price("0.8")),
        newOrderRespType="RESULT",
    )
    assert venue.order(placed["clientOrderId"])["origQty"] == "0.00100000"
    everything = talk.result(talk.client.order_history, symbol=SYMBOL, orderId=placed["orderId"])
    assert everything[0]["status"] == "NEW"
    assert talk.result(talk.client.cancel_open_orders, SYMBOL)[0]["status"] == "CANCELED"


def check_a_float_is_refused_as_it_is_written(talk: Talk) -> None:
    order = {"timeInForce": "GTC", "quantity": 1e-05, "price": 50_000}
    assert talk.code(talk.client.new_order, SYMBOL, "BUY", "LIMIT", **order) == -1100


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("amount", [{"quantity": QUANTITY}, {"quoteOrderQty": "100.00"}])
def check_a_market_order_and_its_trades(
    venue: Venue, talk: Talk, side: str, amount: dict[str, str]
) -> None:
    client_id, sent = venue.new_id(), {"side": side, "type": "MARKET"} | amount
    placed = talk.result(talk.client.new_order, SYMBOL, **sent, newClientOrderId=client_id)
    venue.confirm(client_id, sent, placed, "FILLED")
    told = talk.result(talk.client.my_trades, symbol=SYMBOL, orderId=placed["orderId"])
    assert trades(told) == trades(placed["fills"]) == venue.fills(client_id) != []


def check_test_orders_reach_no_engine(venue: Venue, talk: Talk) -> None:
    client_id, order = venue.new_id(), venue.resting("LIMIT")
    assert talk.result(talk.client.new_order_test, **order, newClientOrderId=client_id) == {}
    rates = talk.result(talk.client.new_order_test, **order, computeCommissionRates="true")
    assert rates["standardCommissionForOrder"]["taker"] == "0.00100000"
    assert talk.code(talk.client.get_order, SYMBOL, origClientOrderId=client_id) == -2013


def check_cancel_replace_in_both_modes(venue: Venue, talk: Talk) -> None:
    old_id, client_id, order = venue.new_id(), venue.new_id(), venue.resting("LIMIT")
    first = talk.result(talk.client.new_order, **order, newClientOrderId=old_id)
    again = {"cancelOrderId": first["orderId"]} | order
    stop = {"cancelReplaceMode": "STOP_ON_FAILURE"} | again
    replaced = talk.result(talk.client.cancel_replace_order, **stop, newClientOrderId=client_id)
    venue.confirm(old_id, order, replaced["cancelResponse"], "CANCELED")
    venue.confirm(client_id, order, replaced["newOrderResponse"], "NEW")
    assert talk.code(talk.client.cancel_replace_order, **stop) == -2022
    go_on = {"cancelReplaceMode": "ALLOW_FAILURE"} | again
    response = talk.ask(talk.client.cancel_replace_order, **go_on)
    assert (response["status"], response["error"]["code"]) == (409, -2021)
    assert len(talk.result(talk.client.cancel_open_orders, SYMBOL)) == 2


def check_amend_by_the_generic_request(venue: Venue, talk: Talk) -> None:
    """This client has no method of its own for amending."""
    placed = talk.result(talk.client.new_order, **venue.resting("LIMIT"))
    smaller = {"symbol": SYMBOL, "orderId": placed["orderId"], "newQty": "0.00100"}
    shown = talk.result(talk.send, "order.amend.keepPriority", **smaller)["amendedOrder"]
    assert (shown["orderId"], shown["qty"]) == (placed["orderId"], "0.00100000")
    assert venue.order(shown["clientOrderId"])["origQty"] == "0.00100000"
    talk.result(talk.client.cancel_order, SYMBOL, orderId=placed["orderId"])


@pytest.mark.parametrize("kind", LISTS)
def check_order_lists(venue: Venue, talk: Talk, kind: str) -> None:
    place = {
        "OCO": talk.client.new_oco_order,
        "OTO": talk.client.new_oto_order,
        "OTOCO": talk.client.new_otoco_order,
    }[kind]
    client_id = venue.new_id()
    placed = talk.result(place, **venue.order_list(kind), listClientOrderId=client_id)
    assert venue.leg_statuses(placed["orders"]) == LISTS[kind]
    list_id = placed["orderListId"]
    queried = talk.result(talk.client.get_oco_order, origClientOrderId=client_id)
    assert (queried["orderListId"], queried["listOrderStatus"]) == (list_id, "EXECUTING")
    open_lists = talk.result(talk.client.get_open_oco_orders)
    assert list_id in {each["orderListId"] for each in open_lists}
    canceled = talk.result(talk.client.cancel_oco_order, SYMBOL, orderListId=list_id)
    assert canceled["listOrderStatus"] == "ALL_DONE"
    assert set(venue.leg_statuses(placed["orders"])) == {"CANCELED"}
    assert list_id in {each["orderListId"] for each in talk.result(talk.client.oco_history)}


def check_the_account_and_its_limits(venue: Venue, talk: Talk) -> None:
    assert replies.held(talk.result(talk.client.account)) == venue.balances()
    limits = talk.result(talk.client.order_rate_limit)
    assert [limit["rateLimitType"] for limit in limits] == ["ORDERS"] * 2
    assert talk.result(talk.client.prevented_matches, SYMBOL, orderId=1) == []


def check_user_data_by_signature(venue: Venue, talk: Talk) -> None:
    """This client has no method of its own for subscribing without a listenKey."""
    subscribed = talk.result(talk.send, "userDataStream.subscribe.signature")
    client_id, sent = venue.new_id(), venue.resting("LIMIT")
    placed = talk.result(talk.client.new_order, **sent, newClientOrderId=client_id)
    told = talk.heard("executionReport", X="NEW")
    assert told["subscriptionId"] == subscribed["subscriptionId"]
    event = told["event"]
    assert (event["c"], event["i"], event["o"]) == (client_id, placed["orderId"], "LIMIT")
    assert talk.heard("outboundAccountPosition")["event"]["B"][0]["a"] in {"BTC", "USDT"}
    talk.result(talk.client.cancel_order, SYMBOL, orderId=placed["orderId"])
    assert talk.heard("executionReport", X="CANCELED")["event"]["C"] == client_id
    talk.inbox.messages.clear()
    client_id = venue.new_id()
    market = {"quantity": QUANTITY, "newClientOrderId": client_id}
    talk.result(talk.client.new_order, SYMBOL, "BUY", "MARKET", **market)
    event = talk.heard("executionReport", X="FILLED")["event"]
    filled = venue.fills(client_id)[-1]
    assert (event["t"], event["L"], event["n"]) == (
        filled["id"],
        filled["price"],
        filled["commission"],
    )
    position = talk.heard("outboundAccountPosition")["event"]["B"]
    assert {row["a"]: (row["f"], row["l"]) for row in position} == venue.balances()
    venue.deposit("USDT", "5")
    event = talk.heard("balanceUpdate")["event"]
    assert (event["a"], event["d"]) == ("USDT", "5.00000000")


def check_order_lists_in_user_data(venue: Venue, talk: Talk) -> None:
    talk.result(talk.send, "userDataStream.subscribe.signature")
    placed = talk.result(talk.client.new_oco_order, **venue.oco())
    list_id = placed["orderListId"]
    assert talk.heard("listStatus", L="EXECUTING")["event"]["g"] == list_id
    talk.result(talk.client.cancel_oco_order, SYMBOL, orderListId=list_id)
    event = talk.heard("listStatus", L="ALL_DONE")["event"]
    assert [row["i"] for row in event["O"]] == [leg["orderId"] for leg in placed["orders"]]


def check_the_client_signs_a_boolean_as_python_writes_it(venue: Venue, talk: Talk) -> None:
    """It signs True and sends true, so the venue cannot verify it."""
    order = venue.resting("LIMIT") | {"computeCommissionRates": True}
    assert talk.code(talk.client.new_order_test, **order) == -1022


def check_listen_keys_are_gone(talk: Talk) -> None:
    assert talk.code(talk.client.user_data_start) == -1020


def check_the_client_encodes_before_it_signs_against_the_documentation(talk: Talk) -> None:
    """The venue signs the text itself on this API, so what needs encoding cannot verify."""
    for client_id in ("a b&c", "这是测试币456"):
        assert talk.code(talk.client.get_order, SYMBOL, origClientOrderId=client_id) == -1022
