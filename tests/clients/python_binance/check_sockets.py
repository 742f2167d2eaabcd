"""python-binance's sockets: ``/ws/<name>`` and ``/stream?streams=``, the WebSocket API, user data.

Market data and orders over the WebSocket API answer with the result alone; a refusal is raised.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from binance import BinanceSocketManager, Client, DepthCacheManager, ThreadedWebsocketManager
from binance.exceptions import BinanceAPIException

from tests.clients import replies
from tests.clients.inbox import PATIENCE_SECONDS, Inbox
from tests.clients.market_events import NAME, is_of
from tests.clients.python_binance.conftest import Connections, login
from tests.clients.venue import LISTS, QUANTITY, RESTING, SYMBOL, Venue, trades

KINDS = ("HMAC", "RSA", "ED25519")
STREAMS: dict[str, Callable[[Any], Any]] = {
    f"{NAME}@trade": lambda m: m.trade_socket(SYMBOL),
    f"{NAME}@aggTrade": lambda m: m.aggtrade_socket(SYMBOL),
    f"{NAME}@kline_1m": lambda m: m.kline_socket(SYMBOL),
    f"{NAME}@miniTicker": lambda m: m.symbol_miniticker_socket(SYMBOL),
    f"{NAME}@ticker": lambda m: m.symbol_ticker_socket(SYMBOL),
    f"{NAME}@bookTicker": lambda m: m.symbol_book_ticker_socket(SYMBOL),
    f"{NAME}@depth5@100ms": lambda m: m.depth_socket(SYMBOL, depth="5", interval=100),
    f"{NAME}@depth20": lambda m: m.depth_socket(SYMBOL, depth="20"),
    f"{NAME}@depth": lambda m: m.depth_socket(SYMBOL),
    f"{NAME}@depth@100ms": lambda m: m.depth_socket(SYMBOL, interval=100),
}
COMBINED = (
    *STREAMS,
    "ethusdt@bookTicker",
    "!miniTicker@arr",
    f"{NAME}@ticker_1h",
    f"{NAME}@avgPrice",
    f"{NAME}@kline_1d@+08:00",
)


async def soon(receive: Any) -> Any:
    return await asyncio.wait_for(receive, PATIENCE_SECONDS)


async def heard_of(socket: Any, kind: str) -> Any:
    while (event := await soon(socket.recv()))["e"] != kind:
        pass
    return event


async def code(call: Any) -> int:
    with pytest.raises(BinanceAPIException) as caught:
        await call
    return int(caught.value.code)


@pytest.mark.parametrize("name", STREAMS)
def check_a_stream(connections: Connections, name: str) -> None:
    async def run() -> None:
        client = await connections.client()
        async with STREAMS[name](BinanceSocketManager(client)) as socket:
            event = await soon(socket.recv())
            assert is_of(name, event), event

    connections.run(run())


def check_several_on_one_connection(connections: Connections) -> None:
    async def run() -> None:
        client, missing = await connections.client(), set(COMBINED)
        async with BinanceSocketManager(client).multiplex_socket(list(COMBINED)) as socket:
            while missing:
                event = await soon(socket.recv())
                assert is_of(event["stream"], event["data"]), event
                missing.discard(event["stream"])

    connections.run(run())


async def first_two(client: Any, names: list[str]) -> list[Any]:
    async with BinanceSocketManager(client).multiplex_socket(names) as socket:
        return [await soon(socket.recv()) for _ in range(2)]


def check_what_is_gone_stays_silent(connections: Connections) -> None:
    """ticker_socket and book_ticker_socket ask for streams that were removed."""

    async def run() -> None:
        names = ["!ticker@arr", "!bookTicker", f"{NAME}@ticker"]
        heard = await first_two(await connections.client(), names)
        assert [event["stream"] for event in heard] == [f"{NAME}@ticker"] * 2

    connections.run(run())


def check_microseconds_spoil_the_last_of_several(connections: Connections) -> None:
    """For one stream the client asks well; for several it adds a second query to the first."""

    async def run() -> None:
        client = await connections.client(time_unit="MICROSECOND")
        async with BinanceSocketManager(client).trade_socket(SYMBOL) as socket:
            assert (await soon(socket.recv()))["E"] > 10**15
        heard = await first_two(client, [f"{NAME}@ticker", f"{NAME}@miniTicker"])
        assert [event["stream"] for event in heard] == [f"{NAME}@ticker"] * 2
        assert heard[0]["data"]["E"] < 10**15

    connections.run(run())


def check_a_trade_is_the_one_of_rest(venue: Venue, connections: Connections) -> None:
    async def run() -> None:
        client = await connections.client()
        async with BinanceSocketManager(client).trade_socket(SYMBOL) as socket:
            event = await soon(socket.recv())
            shown = venue.trade(event["t"])
            assert (event["p"], event["q"]) == (shown["price"], shown["qty"])
            assert (event["T"], event["m"]) == (shown["time"], shown["isBuyerMaker"])

    connections.run(run())


def check_its_own_book_is_the_venues(venue: Venue, connections: Connections) -> None:
    """Put together of a snapshot and ``depth@100ms``; both go on, and meet."""

    async def run() -> None:
        client = await connections.client()
        async with (
            DepthCacheManager(client, SYMBOL, ws_interval=100) as manager,
            asyncio.timeout(PATIENCE_SECONDS),
        ):
            while True:
                book, depth = await manager.recv(), venue.depth()
                bids, asks = (
                    [[float(price), float(quantity)] for price, quantity in depth[side]]
                    for side in ("bids", "asks")
                )
                if (book.get_bids(), book.get_asks()) == (bids, asks):
                    break

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


MARKET_DATA: dict[str, tuple[Callable[[Any], Any], Callable[[Any], bool]]] = {
    "ws_ping": (lambda c: c.ws_ping(), lambda r: r == {}),
    "ws_get_time": (lambda c: c.ws_get_time(), lambda r: replies.is_now(r["serverTime"])),
    "ws_get_exchange_info": (
        lambda c: c.ws_get_exchange_info(symbol=SYMBOL),
        lambda r: replies.is_listing(r, {SYMBOL}),
    ),
    "ws_get_order_book": (
        lambda c: c.ws_get_order_book(symbol=SYMBOL, limit=5),
        lambda r: replies.is_book(r, 5),
    ),
    "ws_get_recent_trades": (
        lambda c: c.ws_get_recent_trades(symbol=SYMBOL, limit=5),
        lambda r: replies.are_trades(r, 5),
    ),
    "ws_get_historical_trades": (
        lambda c: c.ws_get_historical_trades(symbol=SYMBOL, limit=5),
        lambda r: replies.are_trades(r, 5),
    ),
    "ws_get_aggregate_trades": (
        lambda c: c.ws_get_aggregate_trades(symbol=SYMBOL, limit=5),
        lambda r: replies.are_aggregates(r, 5),
    ),
    "ws_get_klines": (
        lambda c: c.ws_get_klines(symbol=SYMBOL, interval="1m", limit=5),
        lambda r: replies.are_candles(r, 5),
    ),
    "ws_get_uiKlines": (
        lambda c: c.ws_get_uiKlines(symbol=SYMBOL, interval="1m", limit=5),
        lambda r: replies.are_candles(r, 5),
    ),
    "ws_get_avg_price": (
        lambda c: c.ws_get_avg_price(symbol=SYMBOL),
        lambda r: replies.is_price(r["price"]),
    ),
    "ws_get_ticker": (lambda c: c.ws_get_ticker(symbol=SYMBOL), replies.is_ticker),
    "ws_get_trading_day_ticker": (
        lambda c: c.ws_get_trading_day_ticker(symbol=SYMBOL),
        replies.is_ticker,
    ),
    "ws_get_symbol_ticker_window": (
        lambda c: c.ws_get_symbol_ticker_window(symbol=SYMBOL),
        replies.is_ticker,
    ),
    "ws_get_symbol_ticker": (
        lambda c: c.ws_get_symbol_ticker(symbol=SYMBOL),
        lambda r: replies.is_price(r["price"]),
    ),
    "ws_get_orderbook_ticker": (
        lambda c: c.ws_get_orderbook_ticker(symbol=SYMBOL),
        replies.is_best,
    ),
}


@pytest.mark.parametrize("name", MARKET_DATA)
def check_market_data(connections: Connections, name: str) -> None:
    ask, is_right = MARKET_DATA[name]

    async def run() -> None:
        reply = await ask(await connections.client())
        assert is_right(reply), reply

    connections.run(run())


@pytest.mark.parametrize("kind", RESTING)
def check_a_resting_order(venue: Venue, connections: Connections, kind: str) -> None:
    async def run() -> None:
        client_id, sent = venue.new_id(), venue.resting(kind)
        client = await connections.client()
        placed = await client.ws_create_order(**sent, newClientOrderId=client_id)
        queried = await client.ws_get_order(symbol=SYMBOL, origClientOrderId=client_id)
        venue.confirm(client_id, sent, queried, "NEW")
        listed = await client.ws_get_open_orders(symbol=SYMBOL)
        assert client_id in {order["clientOrderId"] for order in listed}
        canceled = await client.ws_cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
        venue.confirm(client_id, sent, canceled, "CANCELED")
        everything = await client.ws_get_all_orders(symbol=SYMBOL, orderId=placed["orderId"])
        assert everything[0]["orderId"] == placed["orderId"]

    connections.run(run())


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("amount", [{"quantity": QUANTITY}, {"quoteOrderQty": "100.00"}])
def check_a_market_order_and_its_trades(
    venue: Venue, connections: Connections, side: str, amount: dict[str, str]
) -> None:
    async def run() -> None:
        client_id = venue.new_id()
        sent = {"symbol": SYMBOL, "side": side, "type": "MARKET"} | amount
        client = await connections.client()
        placed = await client.ws_create_order(**sent, newClientOrderId=client_id)
        venue.confirm(client_id, sent, placed, "FILLED")
        told = await client.ws_get_my_trades(symbol=SYMBOL, orderId=placed["orderId"])
        assert trades(told) == trades(placed["fills"]) == venue.fills(client_id) != []

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
            assert [(report["t"], report["L"], report["n"]) for report in reports[1:]] == [
                (fill["id"], fill["price"], fill["commission"]) for fill in venue.fills(client_id)
            ]
            assert event["e"] == "outboundAccountPosition"
            assert {row["a"]: (row["f"], row["l"]) for row in event["B"]} == venue.balances()
            venue.deposit("USDT", "5")
            event = await soon(socket.recv())
            assert (event["e"], event["a"], event["d"]) == ("balanceUpdate", "USDT", "5.00000000")
            placed = await client.create_oco_order(**venue.oco())
            heard = await heard_of(socket, "listStatus")
            assert (heard["g"], heard["L"]) == (placed["orderListId"], "EXECUTING")
            await client.v3_delete_order_list(symbol=SYMBOL, orderListId=placed["orderListId"])
            assert (await heard_of(socket, "listStatus"))["L"] == "ALL_DONE"

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
        old_id, client_id, order = venue.new_id(), venue.new_id(), venue.resting("LIMIT")
        first = await client.ws_create_order(**order, newClientOrderId=old_id)
        again = order | {"cancelOrderId": first["orderId"]}
        stop = again | {"cancelReplaceMode": "STOP_ON_FAILURE"}
        replaced = await client.ws_cancel_and_replace_order(**stop, newClientOrderId=client_id)
        venue.confirm(old_id, order, replaced["cancelResponse"], "CANCELED")
        venue.confirm(client_id, order, replaced["newOrderResponse"], "NEW")
        assert await code(client.ws_cancel_and_replace_order(**stop)) == -2022
        go_on = again | {"cancelReplaceMode": "ALLOW_FAILURE"}
        assert await code(client.ws_cancel_and_replace_order(**go_on)) == -2021
        assert len(await client.ws_cancel_all_open_orders(symbol=SYMBOL)) == 2

    connections.run(run())


@pytest.mark.parametrize("kind", LISTS)
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
        assert venue.leg_statuses(placed["orders"]) == LISTS[kind]
        queried = await client.ws_get_oco_order(origClientOrderId=client_id)
        assert (queried["orderListId"], queried["listOrderStatus"]) == (list_id, "EXECUTING")
        working = await client.ws_get_oco_open_orders()
        assert list_id in {each["orderListId"] for each in working}
        canceled = await client.ws_cancel_oco_order(symbol=SYMBOL, orderListId=list_id)
        assert canceled["listOrderStatus"] == "ALL_DONE"
        assert set(venue.leg_statuses(placed["orders"])) == {"CANCELED"}

    connections.run(run())


def check_the_account_and_its_limits(venue: Venue, connections: Connections) -> None:
    async def run() -> None:
        client = await connections.client()
        assert replies.held(await client.ws_get_account()) == venue.balances()
        limits = await client.ws_get_account_rate_limits_orders()
        assert [limit["rateLimitType"] for limit in limits] == ["ORDERS"] * 2
        rates = await client.ws_get_commission_rates(symbol=SYMBOL)
        assert rates["standardCommission"]["taker"] == "0.00100000"
        assert await client.ws_get_prevented_matches(symbol=SYMBOL, orderId=1) == []
        assert await client.ws_get_allocations(symbol=SYMBOL) == []

    connections.run(run())


def check_test_orders_reach_no_engine(venue: Venue, connections: Connections) -> None:
    async def run() -> None:
        client, client_id, order = (
            await connections.client(),
            venue.new_id(),
            venue.resting("LIMIT"),
        )
        assert await client.ws_create_test_order(**order, newClientOrderId=client_id) == {}
        rates = await client.ws_create_test_order(**order, computeCommissionRates="true")
        assert rates["standardCommissionForOrder"]["taker"] == "0.00100000"
        query = {"symbol": SYMBOL, "origClientOrderId": client_id}
        assert await code(client.ws_get_order(**query)) == -2013

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
        assert await code(client.ws_create_sor_order(**order)) == -1013

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
