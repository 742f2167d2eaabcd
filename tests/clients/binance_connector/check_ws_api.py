"""binance-connector on the WebSocket API: HMAC alone, and numbers as JSON numbers."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from binance.lib.utils import websocket_api_signature
from binance.websocket.spot.websocket_api import SpotWebsocketAPIClient

from tests.clients.inbox import Inbox
from tests.clients.venue import LIST_ORDERS, QUANTITY, RESTING, SYMBOL, Venue


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

    def send(self, method: str, /, *, id: str, **parameters: Any) -> None:  # noqa: A002
        """A method this client does not know, signed and sent by its own means."""
        signed = websocket_api_signature(self.key.api_key, self.key.secret, parameters)
        self.client.send({"id": id, "method": method, "params": signed})


@pytest.fixture
def talk(venue: Venue) -> Iterator[Talk]:
    opened = Talk(venue)
    yield opened
    opened.client.stop()


MARKET_DATA: dict[str, Callable[[Talk], Any]] = {
    "ping_connectivity": lambda t: t.result(t.client.ping_connectivity) == {},
    "server_time": lambda t: t.result(t.client.server_time)["serverTime"],
    "order_book": lambda t: t.result(t.client.order_book, SYMBOL, limit=5)["bids"],
    "recent_trades": lambda t: t.result(t.client.recent_trades, SYMBOL, limit=5),
    "historical_trades": lambda t: t.result(
        t.client.historical_trades, SYMBOL, t.key.api_key, limit=5
    ),
    "aggregate_trades": lambda t: t.result(t.client.aggregate_trades, SYMBOL, limit=5),
    "klines": lambda t: t.result(t.client.klines, SYMBOL, "1m", limit=5),
    "ui_klines": lambda t: t.result(t.client.ui_klines, SYMBOL, "1m", limit=5),
    "avg_price": lambda t: t.result(t.client.avg_price, SYMBOL)["price"],
    "ticker_24hr": lambda t: t.result(t.client.ticker_24hr, symbol=SYMBOL)["lastPrice"],
    "ticker": lambda t: t.result(t.client.ticker, symbol=SYMBOL, windowSize="1h")["volume"],
    "ticker_price": lambda t: t.result(t.client.ticker_price, symbol=SYMBOL)["price"],
    "ticker_book": lambda t: t.result(t.client.ticker_book, symbol=SYMBOL)["bidPrice"],
}


@pytest.mark.parametrize("name", MARKET_DATA)
def check_market_data(talk: Talk, name: str) -> None:
    assert MARKET_DATA[name](talk)


def check_exchange_info(talk: Talk) -> None:
    """This method takes an id for a second filter, so it is called without one."""
    talk.client.exchange_info(symbol=SYMBOL)
    (listed,) = talk.inbox.wait(lambda m: "result" in m)["result"]["symbols"]
    assert listed["symbol"] == SYMBOL


@pytest.mark.parametrize("kind", RESTING)
def check_a_resting_order(venue: Venue, talk: Talk, kind: str) -> None:
    client_id, wanted = venue.new_id(), venue.resting(kind)
    placed = talk.result(talk.client.new_order, **wanted, newClientOrderId=client_id)
    queried = talk.result(talk.client.get_order, SYMBOL, origClientOrderId=client_id)
    assert (queried["orderId"], queried["status"]) == (placed["orderId"], "NEW")
    listed = talk.result(talk.client.get_open_orders, symbol=SYMBOL)
    assert client_id in {order["clientOrderId"] for order in listed}
    canceled = talk.result(talk.client.cancel_order, SYMBOL, orderId=placed["orderId"])
    assert canceled["status"] == venue.order(client_id)["status"] == "CANCELED"


def check_numbers_may_be_numbers(venue: Venue, talk: Talk) -> None:
    placed = talk.result(
        *(talk.client.new_order, SYMBOL, "BUY", "LIMIT"),
        timeInForce="GTC",
        quantity=0.001,
        price=float(venue.price("0.8")),
        newOrderRespType="RESULT",
    )
    assert placed["origQty"] == "0.00100000"
    everything = talk.result(talk.client.order_history, symbol=SYMBOL, orderId=placed["orderId"])
    assert everything[0]["status"] == "NEW"
    assert talk.result(talk.client.cancel_open_orders, SYMBOL)[0]["status"] == "CANCELED"


def check_a_float_is_refused_as_it_is_written(talk: Talk) -> None:
    order = {"timeInForce": "GTC", "quantity": 1e-05, "price": 50_000}
    assert talk.code(talk.client.new_order, SYMBOL, "BUY", "LIMIT", **order) == -1100


def check_a_market_order_and_its_trades(talk: Talk) -> None:
    placed = talk.result(talk.client.new_order, SYMBOL, "SELL", "MARKET", quantity=QUANTITY)
    assert placed["status"] == "FILLED"
    trades = talk.result(talk.client.my_trades, symbol=SYMBOL, orderId=placed["orderId"])
    assert [trade["id"] for trade in trades] == [fill["tradeId"] for fill in placed["fills"]]


def check_a_test_order(venue: Venue, talk: Talk) -> None:
    assert talk.result(talk.client.new_order_test, **venue.resting("LIMIT")) == {}


def check_cancel_replace_in_both_modes(venue: Venue, talk: Talk) -> None:
    first = talk.result(talk.client.new_order, **venue.resting("LIMIT"))
    again = {"cancelOrderId": first["orderId"]} | venue.resting("LIMIT")
    stop = {"cancelReplaceMode": "STOP_ON_FAILURE"} | again
    replaced = talk.result(talk.client.cancel_replace_order, **stop)
    assert (replaced["cancelResult"], replaced["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert talk.code(talk.client.cancel_replace_order, **stop) == -2022
    go_on = {"cancelReplaceMode": "ALLOW_FAILURE"} | again
    response = talk.ask(talk.client.cancel_replace_order, **go_on)
    assert (response["status"], response["error"]["code"]) == (409, -2021)
    assert len(talk.result(talk.client.cancel_open_orders, SYMBOL)) == 2


@pytest.mark.parametrize("kind", LIST_ORDERS)
def check_order_lists(venue: Venue, talk: Talk, kind: str) -> None:
    place = {
        "OCO": talk.client.new_oco_order,
        "OTO": talk.client.new_oto_order,
        "OTOCO": talk.client.new_otoco_order,
    }[kind]
    client_id = venue.new_id()
    placed = talk.result(place, **venue.order_list(kind), listClientOrderId=client_id)
    assert len(placed["orders"]) == LIST_ORDERS[kind]
    list_id = placed["orderListId"]
    queried = talk.result(talk.client.get_oco_order, origClientOrderId=client_id)
    assert (queried["orderListId"], queried["listOrderStatus"]) == (list_id, "EXECUTING")
    open_lists = talk.result(talk.client.get_open_oco_orders)
    assert list_id in {each["orderListId"] for each in open_lists}
    canceled = talk.result(talk.client.cancel_oco_order, SYMBOL, orderListId=list_id)
    assert canceled["listOrderStatus"] == "ALL_DONE"
    assert list_id in {each["orderListId"] for each in talk.result(talk.client.oco_history)}


def check_the_account_and_its_limits(talk: Talk) -> None:
    assert talk.result(talk.client.account)["balances"]
    limits = talk.result(talk.client.order_rate_limit)
    assert [limit["rateLimitType"] for limit in limits] == ["ORDERS"] * 2
    assert talk.result(talk.client.prevented_matches, SYMBOL, orderId=1) == []


def check_user_data_by_signature(venue: Venue, talk: Talk) -> None:
    """This client has no method of its own for subscribing without a listenKey."""
    subscribed = talk.result(talk.send, "userDataStream.subscribe.signature")
    client_id = venue.new_id()
    placed = talk.result(
        talk.client.new_order, **venue.resting("LIMIT"), newClientOrderId=client_id
    )
    told = talk.inbox.wait(lambda m: m.get("event", {}).get("e") == "executionReport")
    assert told["subscriptionId"] == subscribed["subscriptionId"]
    assert (told["event"]["c"], told["event"]["X"]) == (client_id, "NEW")
    position = talk.inbox.wait(lambda m: m.get("event", {}).get("e") == "outboundAccountPosition")
    assert "USDT" in {balance["a"] for balance in position["event"]["B"]}
    talk.result(talk.client.cancel_order, SYMBOL, orderId=placed["orderId"])
    told = talk.inbox.wait(lambda m: m.get("event", {}).get("X") == "CANCELED")
    assert told["event"]["C"] == client_id


def check_listen_keys_are_gone(talk: Talk) -> None:
    assert talk.ask(talk.client.user_data_start)["status"] != 200


def check_the_client_encodes_before_it_signs_against_the_documentation(talk: Talk) -> None:
    """The venue signs the text itself on this API, so what needs encoding cannot verify."""
    for client_id in ("a b&c", "这是测试币456"):
        assert talk.code(talk.client.get_order, SYMBOL, origClientOrderId=client_id) == -1022
