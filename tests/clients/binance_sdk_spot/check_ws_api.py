"""binance-sdk-spot on the WebSocket API: all values as strings, replies parsed into models."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from binance_common.constants import TimeUnit
from binance_sdk_spot.spot import ConfigurationWebSocketAPI, Spot
from binance_sdk_spot.websocket_api.models import (
    BalanceUpdate,
    ExecutionReport,
    ListStatus,
    OutboundAccountPosition,
)

from tests.clients import replies
from tests.clients.binance_sdk_spot.conftest import raw, snake
from tests.clients.inbox import Inbox
from tests.clients.venue import LISTS, QUANTITY, RESTING, SYMBOL, Venue, trades

KINDS = ("HMAC", "RSA", "ED25519")


@asynccontextmanager
async def connection(venue: Venue, kind: str = "HMAC", **options: Any) -> AsyncIterator[Any]:
    key = venue.keys[kind]
    proof = {"private_key": key.pem} if key.pem else {"api_secret": key.secret}
    settings = {"api_key": key.api_key, "stream_url": f"{venue.ws}/ws-api/v3"} | proof | options
    spot = Spot(config_ws_api=ConfigurationWebSocketAPI(**settings))
    client = await spot.websocket_api.create_connection()
    try:
        yield client
    finally:
        await client.close_connection(close_session=True)


async def answer(call: Awaitable[Any]) -> Any:
    """The client's model of the response; a refusal it leaves as it came."""
    data = (await call).data()
    assert not isinstance(data, dict), data
    return data


async def result(call: Awaitable[Any]) -> Any:
    return (await answer(call)).result


async def code(call: Awaitable[Any]) -> int:
    return int((await call).data()["error"]["code"])


MARKET_DATA: dict[str, tuple[Callable[[Any], Awaitable[Any]], Callable[[Any], bool]]] = {
    "time": (lambda c: c.time(), lambda r: replies.is_now(r["serverTime"])),
    "execution_rules": (
        lambda c: c.execution_rules(symbol=SYMBOL),
        lambda r: replies.are_of(r["symbolRules"], {SYMBOL}),
    ),
    "depth": (lambda c: c.depth(symbol=SYMBOL, limit=5), lambda r: replies.is_book(r, 5)),
    "trades_recent": (
        lambda c: c.trades_recent(symbol=SYMBOL, limit=5),
        lambda r: replies.are_trades(r, 5),
    ),
    "trades_historical": (
        lambda c: c.trades_historical(symbol=SYMBOL, limit=5),
        lambda r: replies.are_trades(r, 5),
    ),
    "trades_aggregate": (
        lambda c: c.trades_aggregate(symbol=SYMBOL, limit=5),
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
    "ticker24hr": (lambda c: c.ticker24hr(symbol=SYMBOL), replies.is_ticker),
    "ticker_trading_day": (lambda c: c.ticker_trading_day(symbol=SYMBOL), replies.is_ticker),
    "ticker_price": (
        lambda c: c.ticker_price(symbol=SYMBOL),
        lambda r: replies.is_price(r["price"]),
    ),
    "ticker_book": (lambda c: c.ticker_book(symbol=SYMBOL), replies.is_best),
    "reference_price": (
        lambda c: c.reference_price(symbol=SYMBOL),
        lambda r: replies.is_price(r["referencePrice"]),
    ),
    "reference_price_calculation": (
        lambda c: c.reference_price_calculation(symbol=SYMBOL),
        lambda r: r["calculationType"] == "ARITHMETIC_MEAN",
    ),
}


@pytest.mark.parametrize("name", MARKET_DATA)
def check_market_data(venue: Venue, name: str) -> None:
    ask, is_right = MARKET_DATA[name]

    async def run() -> None:
        async with connection(venue) as client:
            reply = raw(await answer(ask(client)))["result"]
            assert is_right(reply), reply

    asyncio.run(run())


def check_exchange_info_is_left_unread(venue: Venue) -> None:
    """This client looks for the listing beside ``result``; what it did not read it keeps."""

    async def run() -> None:
        async with connection(venue) as client:
            data = await answer(client.exchange_info(symbol=SYMBOL))
            assert data.symbols is None
            assert replies.is_listing(data.additional_properties["result"], {SYMBOL})

    asyncio.run(run())


def check_ping_shows_the_limits(venue: Venue) -> None:
    async def run() -> None:
        async with connection(venue) as client:
            pong = await client.ping()
            assert [limit.rateLimitType for limit in pong.rate_limits] == ["REQUEST_WEIGHT"]
        async with connection(venue, return_rate_limits=False) as client:
            assert (await client.ping()).rate_limits == []

    asyncio.run(run())


@pytest.mark.parametrize("kind", RESTING)
def check_a_resting_order(venue: Venue, kind: str) -> None:
    async def run() -> None:
        client_id, sent = venue.new_id(), venue.resting(kind)
        async with connection(venue) as client:
            placed = await result(client.order_place(**snake(sent), new_client_order_id=client_id))
            queried = await result(
                client.order_status(symbol=SYMBOL, orig_client_order_id=client_id)
            )
            venue.confirm(client_id, sent, raw(queried), "NEW")
            listed = await result(client.open_orders_status(symbol=SYMBOL))
            assert client_id in {order.client_order_id for order in listed}
            canceled = await result(client.order_cancel(symbol=SYMBOL, order_id=placed.order_id))
            venue.confirm(client_id, sent, raw(canceled), "CANCELED")
            everything = await result(client.all_orders(symbol=SYMBOL, order_id=placed.order_id))
            assert everything[0].order_id == placed.order_id

    asyncio.run(run())


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("amount", [{"quantity": QUANTITY}, {"quoteOrderQty": "100.00"}])
def check_a_market_order_and_its_trades(venue: Venue, side: str, amount: dict[str, str]) -> None:
    async def run() -> None:
        client_id = venue.new_id()
        sent = {"symbol": SYMBOL, "side": side, "type": "MARKET"} | amount
        async with connection(venue) as client:
            placed = await result(client.order_place(**snake(sent), new_client_order_id=client_id))
            venue.confirm(client_id, sent, raw(placed), "FILLED")
            told = await result(client.my_trades(symbol=SYMBOL, order_id=placed.order_id))
            fills = trades(raw(placed)["fills"])
            assert trades(raw(told)) == fills == venue.fills(client_id) != []

    asyncio.run(run())


def check_test_orders_reach_no_engine(venue: Venue) -> None:
    async def run() -> None:
        client_id = venue.new_id()
        order = snake(venue.resting("LIMIT")) | {"new_client_order_id": client_id}
        async with connection(venue) as client:
            rates = await result(client.order_test(**order, compute_commission_rates=True))
            assert rates.standard_commission_for_order.taker == "0.00100000"
            query = client.order_status(symbol=SYMBOL, orig_client_order_id=client_id)
            assert await code(query) == -2013

    asyncio.run(run())


def check_cancel_replace_in_both_modes(venue: Venue) -> None:
    async def run() -> None:
        old_id, client_id, sent = venue.new_id(), venue.new_id(), venue.resting("LIMIT")
        async with connection(venue) as client:
            first = await result(client.order_place(**snake(sent), new_client_order_id=old_id))
            again = snake(sent) | {"cancel_order_id": first.order_id}
            stop = again | {"cancel_replace_mode": "STOP_ON_FAILURE"}
            replaced = raw(
                await result(client.order_cancel_replace(**stop, new_client_order_id=client_id))
            )
            venue.confirm(old_id, sent, replaced["cancelResponse"], "CANCELED")
            venue.confirm(client_id, sent, replaced["newOrderResponse"], "NEW")
            assert await code(client.order_cancel_replace(**stop)) == -2022
            go_on = again | {"cancel_replace_mode": "ALLOW_FAILURE"}
            assert await code(client.order_cancel_replace(**go_on)) == -2021
            assert len(await result(client.open_orders_cancel_all(symbol=SYMBOL))) == 2

    asyncio.run(run())


def check_amend(venue: Venue) -> None:
    async def run() -> None:
        async with connection(venue) as client:
            placed = await result(client.order_place(**snake(venue.resting("LIMIT"))))
            order = {"symbol": SYMBOL, "order_id": placed.order_id}
            amended = await result(client.order_amend_keep_priority(**order, new_qty=0.001))
            shown = amended.amended_order
            assert (shown.order_id, shown.qty) == (placed.order_id, "0.00100000")
            assert venue.order(shown.client_order_id)["origQty"] == "0.00100000"
            (amendment,) = await result(client.order_amendments(**order))
            assert amendment.new_qty == "0.00100000"
            await result(client.order_cancel(**order))

    asyncio.run(run())


@pytest.mark.parametrize("kind", LISTS)
def check_order_lists(venue: Venue, kind: str) -> None:
    async def run() -> None:
        async with connection(venue) as client:
            place = {
                "OCO": client.order_list_place_oco,
                "OTO": client.order_list_place_oto,
                "OTOCO": client.order_list_place_otoco,
            }[kind]
            client_id = venue.new_id()
            order_list = snake(venue.order_list(kind))
            placed = await result(place(**order_list, list_client_order_id=client_id))
            list_id = placed.order_list_id
            legs = raw(placed)["orders"]
            assert venue.leg_statuses(legs) == LISTS[kind]
            queried = await result(client.order_list_status(orig_client_order_id=client_id))
            assert (queried.order_list_id, queried.list_order_status) == (list_id, "EXECUTING")
            working = await result(client.open_order_lists_status())
            assert list_id in {each.order_list_id for each in working}
            canceled = await result(client.order_list_cancel(symbol=SYMBOL, order_list_id=list_id))
            assert canceled.list_order_status == "ALL_DONE"
            assert set(venue.leg_statuses(legs)) == {"CANCELED"}
            everything = await result(client.all_order_lists())
            assert list_id in {each.order_list_id for each in everything}

    asyncio.run(run())


def check_what_is_not_served_is_refused_by_name(venue: Venue) -> None:
    async def run() -> None:
        async with connection(venue) as client:
            oto = snake(venue.oto())
            del oto["pending_quantity"]
            assert await code(client.order_list_place_opo(**oto)) == -2010
            order = {"symbol": SYMBOL, "side": "SELL", "quantity": QUANTITY}
            assert await code(client.sor_order_place(**order, type="MARKET")) == -1013
            order |= {"price": "90000.00", "stop_price": "30000.00"}
            assert await code(client.order_list_place(**order)) == -1020

    asyncio.run(run())


def check_the_account_and_its_limits(venue: Venue) -> None:
    async def run() -> None:
        async with connection(venue) as client:
            account = await result(client.account_status(omit_zero_balances=True))
            assert replies.held(raw(account)) == venue.balances()
            limits = await result(client.account_rate_limits_orders())
            assert [limit.rate_limit_type for limit in limits] == ["ORDERS"] * 2
            rates = await result(client.account_commission(symbol=SYMBOL))
            assert rates.standard_commission.taker == "0.00100000"
            assert await answer(client.my_filters(symbol=SYMBOL))
            assert await result(client.my_prevented_matches(symbol=SYMBOL, order_id=1)) == []
            assert await result(client.my_allocations(symbol=SYMBOL)) == []

    asyncio.run(run())


async def told_of_an_order(venue: Venue, client: Any, stream: Any) -> None:
    """Place one that fills, and hear of it and of what it leaves, in the documented order."""
    inbox, client_id = Inbox(), venue.new_id()
    stream.on("message", lambda event: inbox.put(event.actual_instance))
    order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": QUANTITY}
    await result(client.order_place(**order, new_client_order_id=client_id))
    position = await inbox.listen(lambda event: isinstance(event, OutboundAccountPosition))
    assert {held.a: (held.f, held.l) for held in position.B} == venue.balances()
    reports = [event for event in inbox.messages if isinstance(event, ExecutionReport)]
    assert {report.c for report in reports} == {client_id}
    assert [reports[0].x, reports[1].x, reports[-1].X] == ["NEW", "TRADE", "FILLED"]
    told = [(report.t, report.L, report.n) for report in reports[1:]]
    assert told == [
        (fill["id"], fill["price"], fill["commission"]) for fill in venue.fills(client_id)
    ]
    venue.deposit("USDT", "5")
    credit = await inbox.listen(lambda event: isinstance(event, BalanceUpdate))
    assert (credit.a, credit.d) == ("USDT", "5.00000000")


@pytest.mark.parametrize("kind", KINDS)
def check_user_data_by_signature(venue: Venue, kind: str) -> None:
    async def run() -> None:
        async with connection(venue, kind) as client:
            subscribed = await client.user_data_stream_subscribe_signature()
            await told_of_an_order(venue, client, subscribed.stream)
            placed = await result(client.order_list_place_oco(**snake(venue.oco())))
            inbox = Inbox()
            subscribed.stream.on("message", lambda event: inbox.put(event.actual_instance))
            order_list = {"symbol": SYMBOL, "order_list_id": placed.order_list_id}
            await result(client.order_list_cancel(**order_list))
            done = await inbox.listen(lambda event: isinstance(event, ListStatus))
            assert (done.g, done.L) == (placed.order_list_id, "ALL_DONE")
            await client.user_data_stream_unsubscribe()

    asyncio.run(run())


def check_user_data_and_orders_of_a_session(venue: Venue) -> None:
    async def run() -> None:
        async with connection(venue, "ED25519") as client:
            assert (await result(client.session_logon())).api_key == venue.ed25519.api_key
            subscribed = await client.user_data_stream_subscribe()
            assert (await result(client.session_status())).user_data_stream is True
            assert len(await result(client.session_subscriptions())) == 1
            await told_of_an_order(venue, client, subscribed.stream)
            await result(client.session_logout())
            assert (await result(client.session_status())).user_data_stream is False

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["HMAC", "RSA"])
def check_only_ed25519_logs_on(venue: Venue, kind: str) -> None:
    """This client sends session.logon with any key; the venue takes one kind."""

    async def run() -> None:
        async with connection(venue, kind) as client:
            assert await code(client.session_logon()) == -4056

    asyncio.run(run())


def check_microseconds(venue: Venue) -> None:
    async def run() -> None:
        async with connection(venue, time_unit=TimeUnit.MICROSECOND) as client:
            assert (await result(client.time())).server_time > 10**15

    asyncio.run(run())


def check_a_float_is_refused_as_it_is_written(venue: Venue) -> None:
    async def run() -> None:
        order = {"type": "LIMIT", "time_in_force": "GTC", "quantity": 0.00001, "price": 50_000.0}
        async with connection(venue) as client:
            assert await code(client.order_place(symbol=SYMBOL, side="BUY", **order)) == -1100

    asyncio.run(run())


@pytest.mark.parametrize("kind", KINDS)
def check_the_client_encodes_before_it_signs_against_the_documentation(
    venue: Venue, kind: str
) -> None:
    """The venue signs the text itself on this API, so a symbol outside ASCII cannot verify."""

    async def run() -> None:
        async with connection(venue, kind) as client:
            assert await code(client.order_status(symbol="这是测试币456", order_id=1)) == -1022

    asyncio.run(run())
