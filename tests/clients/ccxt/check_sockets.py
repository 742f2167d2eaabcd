"""ccxt.pro: market streams over ``/ws/<number>`` and SUBSCRIBE, the WebSocket API, user data.

A number is no stream; the venue takes the path without complaint, as the real one does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import ccxt
import pytest
from ccxt import pro

from tests.clients import replies
from tests.clients.ccxt.conftest import PAIR, Connections, passed_on, settings, told, unified
from tests.clients.inbox import PATIENCE_SECONDS
from tests.clients.market_events import NAME, is_of
from tests.clients.venue import QUANTITY, RESTING, Venue, trades

KINDS = ("HMAC", "RSA", "ED25519")
OTHER: Final = "ETH/USDT"


async def soon(wanted: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(wanted, PATIENCE_SECONDS)


async def until(watch: Callable[[], Awaitable[Any]], wanted: Callable[[Any], bool]) -> Any:
    """The first like that of what is watched: this client gives what is new since it last did."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            for each in await watch():
                if wanted(each):
                    return each


async def code(call: Awaitable[Any]) -> int:
    with pytest.raises(ccxt.BaseError) as caught:
        await soon(call)
    return int(told(caught.value)["code"])


STREAMS: dict[str, tuple[Callable[[Any], Awaitable[Any]], Callable[[Any], Any]]] = {
    f"{NAME}@trade": (lambda c: c.watch_trades(PAIR), lambda r: r[0]["info"]),
    f"{NAME}@aggTrade": (
        lambda c: c.watch_trades(PAIR, params={"name": "aggTrade"}),
        lambda r: r[0]["info"],
    ),
    f"{NAME}@ticker": (lambda c: c.watch_ticker(PAIR, {"name": "ticker"}), lambda r: r["info"]),
    f"{NAME}@miniTicker": (lambda c: c.watch_ticker(PAIR), lambda r: r["info"]),
    f"{NAME}@ticker_1h": (
        lambda c: c.watch_ticker(PAIR, {"name": "ticker_1h"}),
        lambda r: r["info"],
    ),
    "!miniTicker@arr": (
        lambda c: c.watch_tickers(),
        lambda r: [ticker["info"] for ticker in r.values()],
    ),
    "!ticker_1h@arr": (
        lambda c: c.watch_tickers(None, {"name": "ticker_1h"}),
        lambda r: [ticker["info"] for ticker in r.values()],
    ),
    f"{NAME}@bookTicker": (lambda c: c.watch_bids_asks([PAIR]), lambda r: r[PAIR]["info"]),
}


@pytest.mark.parametrize("name", STREAMS)
def check_a_stream(venue: Venue, connections: Connections, name: str) -> None:
    watch, heard = STREAMS[name]

    async def run() -> None:
        async with pro.binance(settings(venue)) as client:
            event = heard(await soon(watch(client)))
            assert is_of(name, event), event

    connections.run(run())


@pytest.mark.parametrize(
    ("timeframe", "params", "step_ms"),
    [("1s", {}, 1_000), ("1m", {}, 60_000), ("1d", {"timezone": "+08:00"}, 86_400_000)],
)
def check_candles(
    venue: Venue, connections: Connections, timeframe: str, params: dict[str, str], step_ms: int
) -> None:
    async def run() -> None:
        async with pro.binance(settings(venue)) as client:
            ((opened, first, high, low, last, _),) = await soon(
                client.watch_ohlcv(PAIR, timeframe, params=params)
            )
            hours = 8 if params else 0
            assert (opened + hours * 3_600_000) % step_ms == 0
            assert low <= min(first, last) <= max(first, last) <= high

    connections.run(run())


def check_a_trade_is_the_one_of_rest(venue: Venue, connections: Connections) -> None:
    async def run() -> None:
        async with pro.binance(settings(venue)) as client:
            (trade,) = await soon(client.watch_trades(PAIR))
            shown = venue.trade(int(trade["id"]))
            assert (trade["price"], trade["amount"]) == (float(shown["price"]), float(shown["qty"]))
            assert (trade["side"] == "sell") is shown["isBuyerMaker"]

    connections.run(run())


@pytest.mark.parametrize("limit", [None, 5])
def check_its_own_book_is_the_venues(
    venue: Venue, connections: Connections, limit: int | None
) -> None:
    """Put together of a snapshot and ``depth@100ms``; compared at an update both know."""

    async def run() -> None:
        async with pro.binance(settings(venue)) as client, asyncio.timeout(PATIENCE_SECONDS):
            while True:
                book, depth = await client.watch_order_book(PAIR, limit), venue.depth()
                if book["timestamp"] and book["nonce"] == depth["lastUpdateId"]:
                    break
            for side in ("bids", "asks"):
                levels = [[float(price), float(quantity)] for price, quantity in depth[side]]
                assert book[side] == levels[: limit or len(book[side])]
                assert len(book[side]) == (limit or len(levels))

    connections.run(run())


def check_several_at_once_and_an_end(venue: Venue, connections: Connections) -> None:
    async def run() -> None:
        async with pro.binance(settings(venue)) as client:
            pairs = [PAIR, OTHER]
            for wanted in pairs:
                await until(
                    lambda: client.watch_trades_for_symbols(pairs),
                    lambda trade, wanted=wanted: trade["symbol"] == wanted,
                )
            book = await soon(client.watch_order_book_for_symbols(pairs, 5))
            assert book["symbol"] in pairs
            candles = await soon(client.watch_ohlcv_for_symbols([[PAIR, "1m"], [OTHER, "5m"]]))
            assert set(candles) <= set(pairs)
            ((symbol, _),) = (await soon(client.watch_tickers(pairs))).items()
            assert symbol in pairs
            await soon(client.watch_bids_asks(pairs))
            assert client.trades.keys() == client.orderbooks.keys() == set(pairs)
            await soon(client.un_watch_trades_for_symbols(pairs))
            await soon(client.un_watch_order_book_for_symbols(pairs))
            await soon(client.un_watch_ohlcv_for_symbols([[PAIR, "1m"], [OTHER, "5m"]]))
            await soon(client.un_watch_tickers(pairs))
            await soon(client.un_watch_bids_asks(pairs))
            assert not client.trades
            assert not client.orderbooks

    connections.run(run())


@pytest.mark.parametrize("kind", RESTING)
def check_a_resting_order(venue: Venue, connections: Connections, kind: str) -> None:
    async def run() -> None:
        client, client_id, sent = await connections.exchange(), venue.new_id(), venue.resting(kind)
        placed = await client.create_order_ws(**passed_on(sent, newClientOrderId=client_id))
        queried = await client.fetch_order_ws(placed["id"], PAIR)
        venue.confirm(client_id, sent, queried["info"], "NEW")
        by_client_id = {"origClientOrderId": client_id}
        assert (await client.fetch_order_ws("", PAIR, by_client_id))["id"] == placed["id"]
        assert placed["id"] in {each["id"] for each in await client.fetch_open_orders_ws(PAIR)}
        canceled = await client.cancel_order_ws(placed["id"], PAIR)
        assert canceled["status"] == "canceled"
        assert venue.order(client_id)["status"] == "CANCELED"
        everything = await client.fetch_orders_ws(PAIR, params={"orderId": placed["id"]})
        assert everything[0]["id"] == placed["id"]

    connections.run(run())


@pytest.mark.parametrize("cost", [None, "100"])
def check_a_market_order_and_its_trades(
    venue: Venue, connections: Connections, cost: str | None
) -> None:
    async def run() -> None:
        client, client_id = await connections.exchange(), venue.new_id()
        amount = None if cost else float(QUANTITY)
        params = {"newClientOrderId": client_id} | ({"quoteOrderQty": cost} if cost else {})
        placed = await client.create_order_ws(PAIR, "market", "sell", amount, params=params)
        engine = venue.order(client_id)
        assert (placed["status"], engine["status"]) == ("closed", "FILLED")
        assert placed["filled"] == float(engine["executedQty"])
        assert float(engine["origQuoteOrderQty"]) == float(cost or 0)
        told_of = await client.fetch_my_trades_ws(PAIR, params={"orderId": placed["id"]})
        assert trades(each["info"] for each in told_of) == venue.fills(client_id)
        assert placed["id"] in {each["id"] for each in await client.fetch_closed_orders_ws(PAIR)}

    connections.run(run())


@pytest.mark.parametrize("kind", KINDS)
def check_orders_and_user_data_with_each_kind_of_key(
    venue: Venue, connections: Connections, kind: str
) -> None:
    """By signature: an order fills, money comes in, an order is replaced and canceled."""

    async def run() -> None:
        client = await connections.exchange(kind)
        await client.authenticate({"type": "spot"})
        balance, fill, _, bought = await soon(
            asyncio.gather(
                client.watch_balance(),
                client.watch_my_trades(PAIR),
                until(lambda: client.watch_orders(PAIR), lambda each: each["status"] == "closed"),
                client.create_order_ws(PAIR, "market", "buy", float(QUANTITY)),
            )
        )
        client_id = bought["clientOrderId"]
        assert fill[0]["order"] == bought["id"]
        filled = venue.fills(client_id)[0]
        assert (fill[0]["id"], fill[0]["price"]) == (str(filled["id"]), float(filled["price"]))
        books = venue.balances()
        assert {asset: balance[asset]["free"] for asset in ("BTC", "USDT")} == {
            asset: float(books[asset][0]) for asset in ("BTC", "USDT")
        }

        async def deposit() -> None:
            venue.deposit("USDT", "5")

        balance, _ = await soon(asyncio.gather(client.watch_balance(), deposit()))
        assert balance["USDT"]["free"] == float(venue.balances()["USDT"][0])
        sent = venue.resting("LIMIT")
        opened, placed = await soon(
            asyncio.gather(client.watch_orders(PAIR), client.create_order(**unified("LIMIT", sent)))
        )
        assert [(each["id"], each["status"]) for each in opened] == [(placed["id"], "open")]
        replaced, edited = await soon(
            asyncio.gather(
                until(lambda: client.watch_orders(PAIR), lambda each: each["status"] == "open"),
                client.edit_order(placed["id"], **unified("LIMIT", sent | {"quantity": "0.001"})),
            )
        )
        assert replaced["id"] == edited["id"]
        assert venue.order(placed["clientOrderId"])["status"] == "CANCELED"
        gone, _ = await soon(
            asyncio.gather(
                until(client.watch_orders, lambda each: each["id"] == edited["id"]),
                client.cancel_all_orders_ws(PAIR),
            )
        )
        assert gone["status"] == "canceled"
        assert venue.order(edited["clientOrderId"])["status"] == "CANCELED"

    connections.run(run())


def check_editing_replaces(venue: Venue, connections: Connections) -> None:
    async def run() -> None:
        client, sent = await connections.exchange(), venue.resting("LIMIT")
        first = await client.create_order_ws(**passed_on(sent))
        smaller = unified("LIMIT", sent | {"quantity": "0.00100"})
        edited = await client.edit_order_ws(first["id"], **smaller)
        assert venue.order(first["clientOrderId"])["status"] == "CANCELED"
        assert venue.order(edited["clientOrderId"])["origQty"] == "0.00100000"
        assert await code(client.edit_order_ws(first["id"], **smaller)) == -2022
        smaller["params"]["cancelReplaceMode"] = "ALLOW_FAILURE"
        assert await code(client.edit_order_ws(first["id"], **smaller)) == -2021
        assert len(await client.cancel_all_orders_ws(PAIR)) == 2

    connections.run(run())


def check_market_data(venue: Venue, connections: Connections) -> None:
    async def run() -> None:
        client = await connections.exchange()
        candles = await client.fetch_ohlcv_ws(PAIR, "1m", limit=5)
        assert candles[-1][0] - candles[0][0] == 4 * 60_000
        (trade,) = await client.fetch_trades_ws(PAIR, limit=1)
        assert trade["info"] == venue.trade(int(trade["id"]))

    connections.run(run())


def check_the_balances_of_a_spot_account_are_left_unread(
    venue: Venue, connections: Connections
) -> None:
    """fetch_balance_ws has what the venue told, and makes nothing of it."""

    async def run() -> None:
        balance = await (await connections.exchange()).fetch_balance_ws()
        assert replies.held(balance["info"]) == venue.balances()
        assert "BTC" not in balance

    connections.run(run())


def check_what_is_for_contracts_alone(connections: Connections) -> None:
    async def run() -> None:
        client = await connections.exchange()
        for call in (client.fetch_order_book_ws, client.fetch_ticker_ws):
            with pytest.raises(ccxt.BadRequest, match="only supports swap markets"):
                await call(PAIR)

    connections.run(run())


def check_test_orders_reach_no_engine(venue: Venue, connections: Connections) -> None:
    async def run() -> None:
        client, client_id = await connections.exchange(), venue.new_id()
        order = passed_on(venue.resting("LIMIT"), newClientOrderId=client_id, test=True)
        assert (await client.create_order_ws(**order))["info"] == {}
        by_client_id = {"origClientOrderId": client_id}
        assert await code(client.fetch_order_ws("", PAIR, by_client_id)) == -2013

    connections.run(run())


UNKNOWN: dict[str, dict[str, Any]] = {
    "clientOrderId": {"type": "limit", "clientOrderId": "mine"},
    "postOnly": {"type": "limit", "postOnly": True},
    "icebergAmount": {"type": "limit", "icebergAmount": 0.0005},
    "triggerPrice": {"type": "limit", "triggerPrice": 90_000},
    "stopLossPrice": {"type": "market", "stopLossPrice": 90_000},
    "takeProfitPrice": {"type": "market", "takeProfitPrice": 30_000},
    "trailingPercent": {
        "type": "limit",
        "trailingPercent": 20,
        "stopLossOrTakeProfit": "stopLoss",
    },
    "cost": {"type": "market", "cost": 100},
}


@pytest.mark.parametrize("name", UNKNOWN)
def check_its_own_terms_are_sent_along_which_the_venue_does_not_know(
    venue: Venue, connections: Connections, name: str
) -> None:
    """Over the WebSocket API it translates them and leaves them in the request."""

    async def run() -> None:
        client, params = await connections.exchange(), UNKNOWN[name].copy()
        price = None if params["type"] == "market" else float(venue.price("0.8"))
        order = {"type": params.pop("type"), "side": "buy", "amount": 0.002, "price": price}
        assert await code(client.create_order_ws(PAIR, **order, params=params)) == -1104

    connections.run(run())


def check_a_query_by_its_own_term_is_refused(connections: Connections) -> None:
    """fetch_order_ws translates ``clientOrderId`` and sends it along; cancel_order_ws does not."""

    async def run() -> None:
        client, by_client_id = await connections.exchange(), {"clientOrderId": "unknown"}
        assert await code(client.fetch_order_ws("", PAIR, by_client_id)) == -1104
        assert await code(client.cancel_order_ws("", PAIR, by_client_id)) == -2011

    connections.run(run())


def check_sor_is_dropped_without_a_word(venue: Venue, connections: Connections) -> None:
    """Over the WebSocket API ``sor`` counts for test orders alone; else a plain order is placed."""

    async def run() -> None:
        client, sent = await connections.exchange(), venue.resting("LIMIT")
        placed = await client.create_order_ws(**passed_on(sent, sor=True))
        queried = await client.fetch_order_ws(placed["id"], PAIR)
        venue.confirm(placed["clientOrderId"], sent, queried["info"], "NEW")
        assert "usedSor" not in queried["info"]
        order = passed_on(sent, sor=True, test=True)
        assert await code(client.create_order_ws(**order)) == -1013
        await client.cancel_order_ws(placed["id"], PAIR)

    connections.run(run())


def check_a_float_is_signed_as_python_writes_it_and_sent_as_orjson_does(
    venue: Venue, connections: Connections
) -> None:
    """1e-05 and 1e-5: the venue cannot verify it."""

    async def run() -> None:
        client = await connections.exchange()
        order = passed_on(venue.resting("LIMIT"), icebergQty=1e-05)
        assert await code(client.create_order_ws(**order)) == -1022

    connections.run(run())


@pytest.mark.parametrize("kind", KINDS)
def check_text_is_signed_as_it_is(venue: Venue, connections: Connections, kind: str) -> None:
    """As documented for this API. Past the signature it is refused for what it is."""

    async def run() -> None:
        client = await connections.exchange(kind)
        for client_id in ("a b&c", "这是测试币456"):
            by_client_id = {"origClientOrderId": client_id}
            assert await code(client.fetch_order_ws("", PAIR, by_client_id)) == -1100

    connections.run(run())


def check_a_wrong_secret_is_refused(venue: Venue, connections: Connections) -> None:
    """Subscribing to user data, this client loses the refusal over an error of its own."""

    async def run() -> None:
        async with pro.binance(settings(venue, secret="another")) as client:
            assert await code(client.fetch_balance_ws()) == -1022
            with pytest.raises(KeyError) as caught:
                await soon(client.watch_balance())
            assert told(caught.value.__context__)["code"] == -1022

    connections.run(run())
