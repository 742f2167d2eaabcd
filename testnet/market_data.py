"""Public endpoints ("Market Data endpoints" and "General endpoints" of the REST page)."""

import json
from typing import Any, Final

from otonom_trader.testnet import errors, market_replies
from otonom_trader.testnet.amounts import format_amount
from otonom_trader.testnet.call import Call, public
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.exchange_info import SymbolRules, symbol_reply
from otonom_trader.testnet.klines import INTERVALS
from otonom_trader.testnet.parameters import Parameters
from otonom_trader.testnet.tape import AVERAGE_MINUTES

_LISTED_PERMISSIONS: Final = frozenset({"SPOT"})
_MAX_TICKER_SYMBOLS: Final = 100


def ping(_: Call) -> Any:
    return {}


def server_time(call: Call) -> Any:
    return {"serverTime": call.now_ms * call.ticks}


def exchange_info(call: Call) -> Any:
    parameters = call.parameters
    selectors = [name for name in ("symbol", "symbols", "permissions") if name in parameters]
    if len(selectors) > 1 or (
        "symbolStatus" in parameters and selectors and selectors != ["permissions"]
    ):
        raise errors.bad_combination()
    listed = _selected(call)
    permissions = parameters.text("permissions")
    if permissions is not None and not _LISTED_PERMISSIONS & _names(permissions, "permissions"):
        listed = []
    status = parameters.text("symbolStatus")
    if status is not None and status not in ("TRADING", "HALT", "BREAK"):
        raise errors.invalid_data("symbolStatus")
    if status not in (None, "TRADING"):
        listed = []
    with_sets = parameters.flag("showPermissionSets", default=True)
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms * call.ticks,
        "rateLimits": call.limits.rate_limits(),
        "exchangeFilters": [],
        "symbols": [symbol_reply(rules, with_permission_sets=with_sets) for rules in listed],
    }


def depth(call: Call) -> Any:
    rules = call.symbol()
    _refuse_other_status(call)
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


def klines(call: Call) -> Any:
    rules = call.symbol()
    interval = call.parameters.required("interval")
    if interval not in INTERVALS:
        raise VenueError(-1120, "Invalid interval.")
    time_zone = call.parameters.text("timeZone")
    if time_zone not in (None, "0", "+0", "-0", "0:00", "00:00", "+00:00", "-00:00"):
        raise errors.invalid_data("timeZone")
    start, end = call.parameters.integer("startTime"), call.parameters.integer("endTime")
    limit = call.parameters.limit(default=500, largest=1000)
    series = call.exchange.tapes[rules.symbol].series(interval)
    candles = series.read(start, end, limit, call.now_ms)
    return [market_replies.kline(candle, series.close_ms(candle), call.ticks) for candle in candles]


def average_price(call: Call) -> Any:
    rules = call.symbol()
    tape = call.exchange.tapes[rules.symbol]
    last = tape.last_trade
    return {
        "mins": AVERAGE_MINUTES,
        "price": format_amount(tape.average_price(call.now_ms)),
        "closeTime": (last.time_ms if last else call.now_ms) * call.ticks,
    }


def price_ticker(call: Call) -> Any:
    return _one_or_many(call, _price_of)


def book_ticker(call: Call) -> Any:
    return _one_or_many(call, lambda call, rules: {"symbol": rules.symbol} | _best_of(call, rules))


def day_ticker(call: Call) -> Any:
    kind = call.parameters.text("type") or "FULL"
    if kind not in ("FULL", "MINI"):
        raise errors.invalid_data("type")
    return _one_or_many(
        call,
        lambda call, rules: market_replies.day_ticker(
            rules.symbol,
            call.exchange.tapes[rules.symbol].day(call.now_ms),
            _best_of(call, rules),
            call.ticks,
            mini=kind == "MINI",
        ),
    )


def _price_of(call: Call, rules: SymbolRules) -> dict[str, str]:
    last = call.exchange.tapes[rules.symbol].last_trade
    return {"symbol": rules.symbol, "price": format_amount(last.price if last else 0)}


def _best_of(call: Call, rules: SymbolRules) -> dict[str, str]:
    book = call.exchange.engine.books[rules.symbol]
    bid, ask = book.bids.best(), book.asks.best()
    return {
        "bidPrice": format_amount(bid.price if bid else 0),
        "bidQty": format_amount(bid.qty if bid else 0),
        "askPrice": format_amount(ask.price if ask else 0),
        "askQty": format_amount(ask.qty if ask else 0),
    }


def _one_or_many(call: Call, reply: Any) -> Any:
    """An object for ``symbol``, else an array."""
    if "symbol" in call.parameters and "symbols" in call.parameters:
        raise errors.bad_combination()
    _refuse_other_status(call)
    found = [reply(call, rules) for rules in _selected(call)]
    return found[0] if "symbol" in call.parameters else found


def _selected(call: Call) -> list[SymbolRules]:
    if "symbol" in call.parameters:
        return [call.symbol()]
    wanted = call.parameters.text("symbols")
    if wanted is None:
        return list(call.exchange.engine.rules.values())
    names = json.loads(wanted)
    if len(set(names)) != len(names):
        raise VenueError(-1151, "Symbol is present multiple times in the list.")
    return [call.find_symbol(name) for name in names]


def _names(text: str, parameter: str) -> set[str]:
    """``SPOT`` or ``["SPOT","MARGIN"]``."""
    if not text.startswith("["):
        return {text}
    try:
        names = json.loads(text)
    except json.JSONDecodeError:
        raise errors.invalid_data(parameter) from None
    if not all(isinstance(name, str) for name in names):
        raise errors.invalid_data(parameter)
    return set(names)


def _refuse_other_status(call: Call) -> None:
    """Every symbol here is TRADING: asking for another status is answered as the venue does."""
    status = call.parameters.text("symbolStatus")
    if status is None or status == "TRADING":
        return
    if status not in ("HALT", "BREAK"):
        raise errors.invalid_data("symbolStatus")
    raise VenueError(-1220, "The symbol's status does not match the requested symbolStatus.")


def _depth_weight(parameters: Parameters) -> int:
    limit = parameters.text("limit") or "100"
    number = int(limit) if limit.isascii() and limit.isdigit() else 100
    return next((w for most, w in ((100, 5), (500, 25), (1000, 50)) if number <= most), 250)


def _ticker_weight(parameters: Parameters) -> int:
    return 2 if "symbol" in parameters else 4


def _day_weight(parameters: Parameters) -> int:
    if "symbol" in parameters:
        return 2
    wanted = parameters.text("symbols")
    count = wanted.count(",") + 1 if wanted else _MAX_TICKER_SYMBOLS + 1
    return 2 if count <= 20 else 40 if count <= _MAX_TICKER_SYMBOLS else 80


ROUTES: Final = {
    ("GET", "/api/v3/ping"): public(ping, 1),
    ("GET", "/api/v3/time"): public(server_time, 1),
    ("GET", "/api/v3/exchangeInfo"): public(
        exchange_info, 20, "symbol symbols permissions symbolStatus showPermissionSets"
    ),
    ("GET", "/api/v3/depth"): public(depth, _depth_weight, "symbol limit symbolStatus"),
    ("GET", "/api/v3/trades"): public(trades, 25, "symbol limit"),
    ("GET", "/api/v3/klines"): public(
        klines, 2, "symbol interval startTime endTime timeZone limit"
    ),
    ("GET", "/api/v3/uiKlines"): public(
        klines, 2, "symbol interval startTime endTime timeZone limit"
    ),
    ("GET", "/api/v3/avgPrice"): public(average_price, 2, "symbol"),
    ("GET", "/api/v3/ticker/price"): public(
        price_ticker, _ticker_weight, "symbol symbols symbolStatus"
    ),
    ("GET", "/api/v3/ticker/bookTicker"): public(
        book_ticker, _ticker_weight, "symbol symbols symbolStatus"
    ),
    ("GET", "/api/v3/ticker/24hr"): public(
        day_ticker, _day_weight, "symbol symbols type symbolStatus"
    ),
}
