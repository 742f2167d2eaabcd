"""binance-sdk-spot's market streams: ``/stream``, subscribed to by message with UUIDs as ids."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from binance_common.constants import TimeUnit, WebsocketMode
from binance_sdk_spot.spot import ConfigurationWebSocketStreams, Spot

from tests.clients.inbox import Inbox
from tests.clients.venue import SYMBOL, Venue

NAME = SYMBOL.lower()
STREAMS: dict[str, tuple[Callable[[Any], Awaitable[Any]], Callable[[Any], bool]]] = {
    f"{NAME}@trade": (lambda c: c.trade(NAME), lambda m: m.s == SYMBOL and m.t > 0),
    f"{NAME}@aggTrade": (lambda c: c.agg_trade(NAME), lambda m: m.a > 0),
    f"{NAME}@kline_1s": (lambda c: c.kline(NAME, "1s"), lambda m: m.k.i == "1s"),
    f"{NAME}@kline_1m": (lambda c: c.kline(NAME, "1m"), lambda m: m.k.i == "1m"),
    f"{NAME}@kline_1d@+08:00": (lambda c: c.kline_offset(NAME, "1d"), lambda m: m.k.i == "1d"),
    f"{NAME}@miniTicker": (lambda c: c.mini_ticker(NAME), lambda m: m.s == SYMBOL),
    "!miniTicker@arr": (lambda c: c.all_mini_ticker(), lambda m: m[0].s == SYMBOL),
    f"{NAME}@ticker": (lambda c: c.ticker(NAME), lambda m: m.s == SYMBOL),
    f"{NAME}@avgPrice": (lambda c: c.avg_price(NAME), lambda m: m.i == "5m"),
    f"{NAME}@bookTicker": (lambda c: c.book_ticker(NAME), lambda m: m.b < m.a),
    f"{NAME}@referencePrice": (lambda c: c.reference_price(NAME), lambda m: m.s == SYMBOL),
    f"{NAME}@depth10@100ms": (
        lambda c: c.partial_book_depth(NAME, 10, update_speed="100ms"),
        lambda m: len(m.bids) == 10,
    ),
    f"{NAME}@depth": (lambda c: c.diff_book_depth(NAME), lambda m: m.u >= m.U),
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
    subscribe, wanted = STREAMS[name]

    async def run() -> None:
        async with streams(venue) as client:
            inbox = Inbox()
            stream = await subscribe(client)
            stream.on("message", inbox.put)
            assert wanted(await inbox.listen(lambda _: True))
            assert (await client.list_subscribe())["result"] == [name]
            await stream.unsubscribe()

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
