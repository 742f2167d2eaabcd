"""binance-connector's market streams: ``/ws`` and ``/stream``, subscribed to by message."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient

from tests.clients.inbox import Inbox
from tests.clients.market_events import NAME, is_of
from tests.clients.venue import SYMBOL, Venue

STREAMS: dict[str, Callable[[Any], None]] = {
    f"{NAME}@trade": lambda c: c.trade(SYMBOL),
    f"{NAME}@aggTrade": lambda c: c.agg_trade(SYMBOL),
    f"{NAME}@kline_1m": lambda c: c.kline(SYMBOL, "1m"),
    f"{NAME}@kline_1d@+08:00": lambda c: c.kline_timezone_offset(SYMBOL, "1d"),
    f"{NAME}@miniTicker": lambda c: c.mini_ticker(SYMBOL),
    "!miniTicker@arr": lambda c: c.mini_ticker(),
    f"{NAME}@ticker": lambda c: c.ticker(SYMBOL),
    f"{NAME}@ticker_1h": lambda c: c.rolling_window_ticker(SYMBOL, "1h"),
    "!ticker_1h@arr": lambda c: c.rolling_window_ticker_all_symbols("1h"),
    f"{NAME}@bookTicker": lambda c: c.book_ticker(SYMBOL),
    f"{NAME}@depth5@100ms": lambda c: c.partial_book_depth(SYMBOL, level=5, speed=100),
    f"{NAME}@depth20@1000ms": lambda c: c.partial_book_depth(SYMBOL, level=20),
    f"{NAME}@depth@100ms": lambda c: c.diff_book_depth(SYMBOL, speed=100),
    f"{NAME}@depth@1000ms": lambda c: c.diff_book_depth(SYMBOL),
}


@contextmanager
def streams(venue: Venue, **options: Any) -> Iterator[tuple[Any, Inbox]]:
    inbox = Inbox()
    client = SpotWebsocketStreamClient(
        stream_url=venue.ws, on_message=lambda _, message: inbox.put(message), **options
    )
    try:
        yield client, inbox
    finally:
        client.stop()


def is_event(message: Any) -> bool:
    return not (isinstance(message, dict) and "result" in message)


@pytest.mark.parametrize("name", STREAMS)
def check_a_stream_over_ws(venue: Venue, name: str) -> None:
    with streams(venue) as (client, inbox):
        STREAMS[name](client)
        assert inbox.wait(lambda m: not is_event(m))["result"] is None
        event = inbox.wait(is_event)
        assert is_of(name, event), event
        client.list_subscribe(id=7)
        assert inbox.wait(lambda m: isinstance(m, dict) and m.get("id") == 7)["result"] == [name]


@pytest.mark.parametrize("name", STREAMS)
def check_a_stream_over_stream_comes_with_its_name(venue: Venue, name: str) -> None:
    with streams(venue, is_combined=True) as (client, inbox):
        STREAMS[name](client)
        event = inbox.wait(is_event)
        assert set(event) == {"stream", "data"}
        assert event["stream"] == name
        assert is_of(name, event["data"]), event


def check_a_trade_is_the_one_of_rest(venue: Venue) -> None:
    with streams(venue) as (client, inbox):
        client.trade(SYMBOL)
        event = inbox.wait(is_event)
        shown = venue.trade(event["t"])
        assert (event["p"], event["q"]) == (shown["price"], shown["qty"])
        assert (event["T"], event["m"]) == (shown["time"], shown["isBuyerMaker"])


def check_several_at_once_and_an_end(venue: Venue) -> None:
    with streams(venue, is_combined=True) as (client, inbox):
        client.subscribe([f"{NAME}@trade", f"{NAME}@bookTicker"], id="both")
        for name in (f"{NAME}@trade", f"{NAME}@bookTicker"):
            assert inbox.wait(lambda m, name=name: m.get("stream") == name)
        client.unsubscribe([f"{NAME}@trade"], id=8)
        assert inbox.wait(lambda m: m.get("id") == 8)["result"] is None
        client.list_subscribe(id=9)
        assert inbox.wait(lambda m: m.get("id") == 9)["result"] == [f"{NAME}@bookTicker"]


def check_microseconds(venue: Venue) -> None:
    with streams(venue, time_unit="MICROSECOND") as (client, inbox):
        client.trade(SYMBOL)
        assert inbox.wait(is_event)["E"] > 10**15


def check_a_ping_is_answered(venue: Venue) -> None:
    pongs = Inbox()
    with streams(venue, on_pong=lambda _: pongs.put({"pong": 1})) as (client, _):
        client.ping()
        pongs.wait(lambda m: m["pong"] == 1)
