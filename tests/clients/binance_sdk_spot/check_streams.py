"""binance-sdk-spot's market streams: ``/stream``, subscribed to by message with UUIDs as ids."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from binance_common.constants import TimeUnit, WebsocketMode
from binance_sdk_spot.spot import ConfigurationWebSocketStreams, Spot

from tests.clients.binance_sdk_spot.conftest import raw
from tests.clients.inbox import Inbox
from tests.clients.market_events import NAME, is_of
from tests.clients.venue import Venue

STREAMS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    f"{NAME}@trade": lambda c: c.trade(NAME),
    f"{NAME}@aggTrade": lambda c: c.agg_trade(NAME),
    f"{NAME}@kline_1s": lambda c: c.kline(NAME, "1s"),
    f"{NAME}@kline_1m": lambda c: c.kline(NAME, "1m"),
    f"{NAME}@kline_1d@+08:00": lambda c: c.kline_offset(NAME, "1d"),
    f"{NAME}@miniTicker": lambda c: c.mini_ticker(NAME),
    "!miniTicker@arr": lambda c: c.all_mini_ticker(),
    f"{NAME}@ticker": lambda c: c.ticker(NAME),
    f"{NAME}@ticker_1h": lambda c: c.rolling_window_ticker(NAME, "1h"),
    "!ticker_4h@arr": lambda c: c.all_market_rolling_window_ticker("4h"),
    f"{NAME}@avgPrice": lambda c: c.avg_price(NAME),
    f"{NAME}@bookTicker": lambda c: c.book_ticker(NAME),
    f"{NAME}@referencePrice": lambda c: c.reference_price(NAME),
    f"{NAME}@depth10@100ms": lambda c: c.partial_book_depth(NAME, 10, update_speed="100ms"),
    f"{NAME}@depth20": lambda c: c.partial_book_depth(NAME, 20),
    f"{NAME}@depth": lambda c: c.diff_book_depth(NAME),
    f"{NAME}@depth@100ms": lambda c: c.diff_book_depth(NAME, update_speed="100ms"),
}


@asynccontextmanager
async def streams(venue: Venue, **options: Any) -> AsyncIterator[Any]:
    settings = ConfigurationWebSocketStreams(stream_url=venue.ws, **options)
    client = await Spot(config_ws_streams=settings).websocket_streams.create_connection()
    try:
        yield client
    finally:
        await client.close_connection(close_session=True)


@pytest.mark.parametrize("name", STREAMS)
def check_a_stream(venue: Venue, name: str) -> None:
    async def run() -> None:
        async with streams(venue) as client:
            inbox = Inbox()
            stream = await STREAMS[name](client)
            stream.on("message", lambda event: inbox.put(raw(event)))
            event = await inbox.listen(lambda _: True)
            assert is_of(name, event), event
            assert (await client.list_subscribe())["result"] == [name]
            await stream.unsubscribe()
            assert (await client.list_subscribe())["result"] == []

    asyncio.run(run())


def check_a_trade_is_the_one_of_rest(venue: Venue) -> None:
    async def run() -> None:
        async with streams(venue) as client:
            inbox = Inbox()
            (await client.trade(NAME)).on("message", inbox.put)
            event = await inbox.listen(lambda _: True)
            shown = venue.trade(event.t)
            assert (event.p, event.q) == (shown["price"], shown["qty"])
            assert (event.T, event.m) == (shown["time"], shown["isBuyerMaker"])

    asyncio.run(run())


def check_several_at_once(venue: Venue) -> None:
    """By their names this client gives the frames as they come."""

    async def run() -> None:
        async with streams(venue) as client:
            inboxes = {name: Inbox() for name in (f"{NAME}@trade", f"{NAME}@bookTicker")}
            await client.subscribe(list(inboxes))
            for name, inbox in inboxes.items():
                client.on("message", inbox.put, name)
            assert set((await client.list_subscribe())["result"]) == inboxes.keys()
            for name, inbox in inboxes.items():
                event = await inbox.listen(lambda _: True)
                assert is_of(event["stream"], event["data"]), event
                assert event["stream"] == name

    asyncio.run(run())


def check_microseconds(venue: Venue) -> None:
    async def run() -> None:
        async with streams(venue, time_unit=TimeUnit.MICROSECOND) as client:
            inbox = Inbox()
            (await client.trade(NAME)).on("message", inbox.put)
            assert (await inbox.listen(lambda _: True)).E > 10**15

    asyncio.run(run())


def check_a_pool_of_connections(venue: Venue) -> None:
    async def run() -> None:
        async with streams(venue, mode=WebsocketMode.POOL, pool_size=2) as client:
            for subscribe in (client.trade, client.book_ticker):
                inbox = Inbox()
                (await subscribe(NAME)).on("message", inbox.put)
                assert await inbox.listen(lambda _: True)

    asyncio.run(run())
