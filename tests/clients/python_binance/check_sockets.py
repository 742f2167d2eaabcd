"""python-binance's sockets: ``/ws/<name>`` and ``/stream?streams=``, the WebSocket API, user data.

Market data and orders over the WebSocket API answer with the result alone; a refusal is raised.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from binance import BinanceSocketManager, Client, ThreadedWebsocketManager
from binance.exceptions import BinanceAPIException

from tests.clients.inbox import PATIENCE_SECONDS, Inbox
from tests.clients.python_binance.conftest import Connections, login
from tests.clients.venue import LIST_ORDERS, QUANTITY, RESTING, SYMBOL, Venue

KINDS = ("HMAC", "RSA", "ED25519")
STREAMS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], bool]]] = {
    "trade": (lambda m: m.trade_socket(SYMBOL), lambda e: e["e"] == "trade"),
    "aggTrade": (lambda m: m.aggtrade_socket(SYMBOL), lambda e: e["e"] == "aggTrade"),
    "kline": (lambda m: m.kline_socket(SYMBOL), lambda e: e["k"]["i"] == "1m"),
    "miniTicker": (
        lambda m: m.symbol_miniticker_socket(SYMBOL),
        lambda e: e["e"] == "24hrMiniTicker",
    ),
    "ticker": (lambda m: m.symbol_ticker_socket(SYMBOL), lambda e: e["e"] == "24hrTicker"),
    "bookTicker": (
        lambda m: m.symbol_book_ticker_socket(SYMBOL),
        lambda e: "B" in e and "e" not in e,
    ),
    "partial depth": (
        lambda m: m.depth_socket(SYMBOL, depth="5", interval=100),
        lambda e: len(e["bids"]) == 5,
    ),
    "depth": (lambda m: m.depth_socket(SYMBOL), lambda e: e["e"] == "depthUpdate"),
    "depth often": (
        lambda m: m.depth_socket(SYMBOL, interval=100),
        lambda e: e["e"] == "depthUpdate",
    ),
    "several": (
        lambda m: m.multiplex_socket(["btcusdt@bookTicker", "ethusdt@bookTicker"]),
        lambda e: e["stream"] == f"{e['data']['s'].lower()}@bookTicker",
    ),
}


async def soon(receive: Any) -> Any:
    return await asyncio.wait_for(receive, PATIENCE_SECONDS)


async def code(call: Any) -> int:
    with pytest.raises(BinanceAPIException) as caught:
        await call
    return int(caught.value.code)


@pytest.mark.parametrize("name", STREAMS)
def check_a_stream(connections: Connections, name: str) -> None:
    subscribe, wanted = STREAMS[name]

    async def run() -> None:
        client = await connections.client()
        async with subscribe(BinanceSocketManager(client)) as socket:
            assert wanted(await soon(socket.recv()))

    connections.run(run())


def check_a_stream_in_a_thread(venue: Venue) -> None:
    """The manager's thread takes over the loop of the thread that made it."""
    inbox = Inbox()
    asyncio.set_event_loop(asyncio.new_event_loop())
    manager = ThreadedWebsocketManager(**login(venue, "HMAC"))
    manager.daemon = True
    manager.start()
    try:
        name = manager.start_trade_socket(callback=inbox.put, symbol=SYMBOL)
        assert inbox.wait(lambda event: event["e"] == "trade")["s"] == SYMBOL
        manager.stop_socket(name)
    finally:
        manager.stop()
        manager.join(PATIENCE_SECONDS)


MARKET_DATA: dict[str, Callable[[Any], Any]] = {
    "ws_get_time": lambda c: c.ws_get_time(),
    "ws_get_exchange_info": lambda c: c.ws_get_exchange_info(symbol=SYMBOL),
    "ws_get_order_book": lambda c: c.ws_get_order_book(symbol=SYMBOL),
    "ws_get_recent_trades": lambda c: c.ws_get_recent_trades(symbol=SYMBOL),
    "ws_get_historical_trades": lambda c: c.ws_get_historical_trades(symbol=SYMBOL),
    "ws_get_aggregate_trades": lambda c: c.ws_get_aggregate_trades(symbol=SYMBOL),
    "ws_get_klines": lambda c: c.ws_get_klines(symbol=SYMBOL, interval="1m"),
    "ws_get_uiKlines": lambda c: c.ws_get_uiKlines(symbol=SYMBOL, interval="1m"),
    "ws_get_avg_price": lambda c: c.ws_get_avg_price(symbol=SYMBOL),
    "ws_get_ticker": lambda c: c.ws_get_ticker(symbol=SYMBOL),
    "ws_get_trading_day_ticker": lambda c: c.ws_get_trading_day_ticker(symbol=SYMBOL),
    "ws_get_symbol_ticker_window": lambda c: c.ws_get_symbol_ticker_window(symbol=SYMBOL),
    "ws_get_symbol_ticker": lambda c: c.ws_get_symbol_ticker(symbol=SYMBOL),
    "ws_get_orderbook_ticker": lambda c: c.ws_get_orderbook_ticker(symbol=SYMBOL),
}


@pytest.mark.parametrize("name", MARKET_DATA)
def check_market_data(connections: Connections, name: str) -> None:
    async def run() -> None:
        client = await connections.client()
        assert await MARKET_DATA[name](client)

    connections.run(run())


@pytest.mark.parametrize("kind", RESTING)
def check_a_resting_order(venue: Venue, connections: Connections, kind: str) -> None:
    async def run() -> None:
        client_id, wanted = venue.new_id(), venue.resting(kind)
        client = await connections.client()
        placed = await client.ws_create_order(**wanted, newClientOrderId=client_id)
        queried = await client.ws_get_order(symbol=SYMBOL, origClientOrderId=client_id)
        assert (queried["type"], queried["status"]) == (wanted["type"], "NEW")
        listed = await client.ws_get_open_orders(symbol=SYMBOL)
        assert client_id in {order["clientOrderId"] for order in listed}
        canceled = await client.ws_cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
        assert canceled["status"] == venue.order(client_id)["status"] == "CANCELED"

    connections.run(run())


@pytest.mark.parametrize("kind", KINDS)
def check_orders_and_user_data_with_each_kind_of_key(
    venue: Venue, connections: Connections, kind: str
) -> None:
    async def run() -> None:
        client = await connections.client(kind)
        client_id = venue.new_id()
        async with BinanceSocketManager(client).user_socket() as socket:
            order = {"symbol": SYMBOL, "quantity": QUANTITY, "newClientOrderId": client_id}
            filled = await client.ws_order_market_buy(**order)
            assert filled["status"] == "FILLED"
            reports = []
            while (event := await soon(socket.recv()))["e"] == "executionReport":
                reports.append(event)
            assert {report["c"] for report in reports} == {client_id}
            assert [reports[0]["x"], reports[-1]["X"]] == ["NEW", "FILLED"]
            assert event["e"] == "outboundAccountPosition"
        trades = await client.ws_get_my_trades(symbol=SYMBOL, orderId=filled["orderId"])
        assert trades

    connections.run(run())


def check_the_sync_client_over_the_websocket_api(venue: Venue) -> None:
    client = Client(**login(venue, "HMAC"))
    placed = client.ws_create_order(**venue.resting("LIMIT"))
    canceled = client.ws_cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
    assert canceled["status"] == "CANCELED"
    client.loop.run_until_complete(client.ws_api.close())


def check_cancel_replace_in_both_modes(venue: Venue, connections: Connections) -> None:
    async def run() -> None:
        client = await connections.client()
        first = await client.ws_create_order(**venue.resting("LIMIT"))
        again = venue.resting("LIMIT") | {"cancelOrderId": first["orderId"]}
        stop = again | {"cancelReplaceMode": "STOP_ON_FAILURE"}
        replaced = await client.ws_cancel_and_replace_order(**stop)
        assert (replaced["cancelResult"], replaced["newOrderResult"]) == ("SUCCESS", "SUCCESS")
        assert await code(client.ws_cancel_and_replace_order(**stop)) == -2022
        go_on = again | {"cancelReplaceMode": "ALLOW_FAILURE"}
        assert await code(client.ws_cancel_and_replace_order(**go_on)) == -2021
        assert len(await client.ws_cancel_all_open_orders(symbol=SYMBOL)) == 2

    connections.run(run())


@pytest.mark.parametrize("kind", LIST_ORDERS)
def check_order_lists(venue: Venue, connections: Connections, kind: str) -> None:
    async def run() -> None:
        client = await connections.client()
        place = {
            "OCO": client.ws_create_oco_order,
            "OTO": client.ws_create_oto_order,
            "OTOCO": client.ws_create_otoco_order,
        }[kind]
        client_id = venue.new_id()
        placed = await place(**venue.order_list(kind), listClientOrderId=client_id)
        list_id = placed["orderListId"]
        assert len(placed["orders"]) == LIST_ORDERS[kind]
        queried = await client.ws_get_oco_order(origClientOrderId=client_id)
        assert (queried["orderListId"], queried["listOrderStatus"]) == (list_id, "EXECUTING")
        working = await client.ws_get_oco_open_orders()
        assert list_id in {each["orderListId"] for each in working}
        canceled = await client.ws_cancel_oco_order(symbol=SYMBOL, orderListId=list_id)
        assert canceled["listOrderStatus"] == "ALL_DONE"

    connections.run(run())


def check_the_account_and_its_limits(venue: Venue, connections: Connections) -> None:
    async def run() -> None:
        client = await connections.client()
        assert (await client.ws_get_account())["balances"]
        limits = await client.ws_get_account_rate_limits_orders()
        assert [limit["rateLimitType"] for limit in limits] == ["ORDERS"] * 2
        assert await client.ws_get_all_orders(symbol=SYMBOL)
        rates = await client.ws_get_commission_rates(symbol=SYMBOL)
        assert rates["standardCommission"]["taker"] == "0.00100000"
        order = venue.resting("LIMIT")
        rates = await client.ws_create_test_order(**order, computeCommissionRates="true")
        assert set(rates["standardCommissionForOrder"]) == {"maker", "taker"}

    connections.run(run())


def check_the_client_signs_a_boolean_as_python_writes_it(
    venue: Venue, connections: Connections
) -> None:
    """It signs True and sends true, so the venue cannot verify it."""

    async def run() -> None:
        client = await connections.client()
        order = venue.resting("LIMIT") | {"computeCommissionRates": True}
        assert await code(client.ws_create_test_order(**order)) == -1022

    connections.run(run())


def check_sor_is_refused(connections: Connections) -> None:
    async def run() -> None:
        order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": QUANTITY}
        client = await connections.client()
        assert await code(client.ws_create_sor_order(**order)) < 0

    connections.run(run())


def check_microseconds(connections: Connections) -> None:
    async def run() -> None:
        client = await connections.client(time_unit="MICROSECOND")
        assert (await client.ws_get_time())["serverTime"] > 10**15

    connections.run(run())


def check_a_float_is_refused_as_it_is_written(connections: Connections) -> None:
    async def run() -> None:
        order = {"symbol": SYMBOL, "quantity": 1e-05, "price": "50000.00"}
        client = await connections.client()
        assert await code(client.ws_order_limit_buy(**order)) == -1100

    connections.run(run())


@pytest.mark.parametrize("kind", KINDS)
def check_the_client_encodes_before_it_signs_against_the_documentation(
    venue: Venue, connections: Connections, kind: str
) -> None:
    """The venue signs the text itself on this API, so what needs encoding cannot verify."""

    async def run() -> None:
        client = await connections.client(kind)
        assert await code(client.ws_get_order(symbol="这是测试币456", orderId=1)) == -1022

    connections.run(run())
