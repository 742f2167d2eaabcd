"""Public endpoints: the book, trades and candles ("Market Data endpoints" of the REST page)."""

from typing import Any, Final

from otonom_trader.testnet import errors, market_replies
from otonom_trader.testnet.amounts import format_amount
from otonom_trader.testnet.call import Call, public
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.klines import INTERVALS
from otonom_trader.testnet.parameters import Parameters
from otonom_trader.testnet.symbol_selection import selected
from otonom_trader.testnet.tape import AVERAGE_MINUTES
from otonom_trader.testnet.time_zones import offset_ms
from otonom_trader.testnet.times import is_within, read_span


def ping(_: Call) -> Any:
    return {}


def server_time(call: Call) -> Any:
    return {"serverTime": call.now_ms * call.ticks}


def depth(call: Call) -> Any:
    call.parameters.required("symbol")
    (rules,) = selected(call)
    limit = call.parameters.limit(default=100, largest=5000)
    book = call.exchange.engine.books[rules.symbol]
    return {
        "lastUpdateId": book.update_id,
        "bids": market_replies.levels(book.bids, limit),
        "asks": market_replies.levels(book.asks, limit),
    }


def trades(call: Call) -> Any:
    rules = call.symbol()
    limit = call.parameters.limit(default=500, largest=1000)
    tape = call.exchange.tapes[rules.symbol]
    return [market_replies.public_trade(trade, call.ticks) for trade in tape.trades(limit)]


def historical_trades(call: Call) -> Any:
    """From an id on, as far back as the tape remembers; else the newest."""
    rules = call.symbol()
    limit = call.parameters.limit(default=500, largest=1000)
    first_id = call.parameters.integer("fromId")
    tape = call.exchange.tapes[rules.symbol]
    found = tape.trades(limit) if first_id is None else tape.trades_from(first_id, limit)
    return [market_replies.public_trade(trade, call.ticks) for trade in found]


def historical_block_trades(call: Call) -> Any:
    """Nobody trades in blocks here."""
    call.symbol()
    call.parameters.required("fromId")
    call.parameters.limit(default=500, largest=1000)
    return []


def aggregate_trades(call: Call) -> Any:
    rules, parameters = call.symbol(), call.parameters
    first_id = parameters.integer("fromId")
    span = read_span(parameters, call.now_ms)
    if first_id is not None and span != (None, None):
        raise errors.bad_combination()
    limit = parameters.limit(default=500, largest=1000)
    found = [
        each
        for each in call.exchange.tapes[rules.symbol].aggregates()
        if (first_id is None or each.aggregate_id >= first_id) and is_within(each.time_ms, span)
    ]
    oldest_first = first_id is not None or span[0] is not None
    page = found[:limit] if oldest_first else found[-limit:]
    return [market_replies.aggregate_trade(each, call.ticks) for each in page]


def klines(call: Call) -> Any:
    rules, parameters = call.symbol(), call.parameters
    interval = parameters.required("interval")
    if interval not in INTERVALS:
        raise VenueError(-1120, "Invalid interval.")
    start_ms, end_ms = read_span(parameters, call.now_ms)
    candles = call.exchange.tapes[rules.symbol].candles(
        interval,
        start_ms,
        end_ms,
        parameters.limit(default=500, largest=1000),
        call.now_ms,
        offset_ms=offset_ms(parameters),
    )
    return [market_replies.kline(candle, close_ms, call.ticks) for candle, close_ms in candles]


def average_price(call: Call) -> Any:
    rules = call.symbol()
    tape = call.exchange.tapes[rules.symbol]
    last = tape.last_trade
    return {
        "mins": AVERAGE_MINUTES,
        "price": format_amount(tape.average_price(call.now_ms)),
        "closeTime": (last.time_ms if last else call.now_ms) * call.ticks,
    }


def _depth_weight(parameters: Parameters) -> int:
    limit = parameters.text("limit") or "100"
    number = int(limit) if limit.isascii() and limit.isdigit() else 100
    return next((w for most, w in ((100, 5), (500, 25), (1000, 50)) if number <= most), 250)


_KLINES: Final = "symbol interval startTime endTime timeZone limit"

ROUTES: Final = {
    ("GET", "/api/v3/ping"): public(ping, 1),
    ("GET", "/api/v3/time"): public(server_time, 1),
    ("GET", "/api/v3/depth"): public(depth, _depth_weight, "symbol limit symbolStatus"),
    ("GET", "/api/v3/trades"): public(trades, 25, "symbol limit"),
    ("GET", "/api/v3/historicalTrades"): public(historical_trades, 25, "symbol limit fromId"),
    ("GET", "/api/v3/historicalBlockTrades"): public(
        historical_block_trades, 25, "symbol fromId limit"
    ),
    ("GET", "/api/v3/aggTrades"): public(
        aggregate_trades, 4, "symbol fromId startTime endTime limit"
    ),
    ("GET", "/api/v3/klines"): public(klines, 2, _KLINES),
    ("GET", "/api/v3/uiKlines"): public(klines, 2, _KLINES),
    ("GET", "/api/v3/avgPrice"): public(average_price, 2, "symbol"),
}
