"""Price, book and statistics tickers ("Market Data endpoints" of the REST page)."""

import re
from collections.abc import Callable
from typing import Any, Final

from otonom_trader.testnet import errors, market_replies
from otonom_trader.testnet.amounts import format_amount
from otonom_trader.testnet.call import Call, public
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.klines import open_time
from otonom_trader.testnet.parameters import Parameters
from otonom_trader.testnet.symbol_selection import refuse_both, selected, symbol_count
from otonom_trader.testnet.tape import DayStatistics
from otonom_trader.testnet.time_zones import offset_ms

_MAX_SYMBOLS: Final = 100
_WINDOW: Final = re.compile(r"([1-9][0-9]?)([mhd])")
_UNIT_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST: Final = {"m": 59, "h": 23, "d": 7}
_DAY_MS: Final = 86_400_000

Answer = Callable[[Call, SymbolRules], Any]


def price_ticker(call: Call) -> Any:
    return _one_or_many(call, _price_of)


def book_ticker(call: Call) -> Any:
    return _one_or_many(call, lambda call, rules: {"symbol": rules.symbol} | best_of(call, rules))


def day_ticker(call: Call) -> Any:
    is_mini = _is_mini(call)
    return _one_or_many(
        call,
        lambda call, rules: market_replies.day_ticker(
            rules.symbol,
            call.exchange.tapes[rules.symbol].day(call.now_ms),
            best_of(call, rules),
            call.ticks,
            mini=is_mini,
        ),
    )


def trading_day_ticker(call: Call) -> Any:
    """The day that now falls into, in the zone asked for."""
    opened = open_time("1d", call.now_ms, offset_ms(call.parameters))
    return _window(call, opened, opened + _DAY_MS - 1)


def rolling_ticker(call: Call) -> Any:
    """A window from the start of a minute to now, up to a minute wider than asked for."""
    match = _WINDOW.fullmatch(call.parameters.text("windowSize") or "1d")
    if match is None or int(match.group(1)) > _LONGEST[match.group(2)]:
        raise errors.invalid_data("windowSize")
    opened = call.now_ms - int(match.group(1)) * _UNIT_MS[match.group(2)]
    return _window(call, opened - opened % _UNIT_MS["m"], call.now_ms)


def best_of(call: Call, rules: SymbolRules) -> dict[str, str]:
    book = call.exchange.engine.books[rules.symbol]
    bid, ask = book.bids.best(), book.asks.best()
    return {
        "bidPrice": format_amount(bid.price if bid else 0),
        "bidQty": format_amount(bid.qty if bid else 0),
        "askPrice": format_amount(ask.price if ask else 0),
        "askQty": format_amount(ask.qty if ask else 0),
    }


def _window(call: Call, open_ms: int, close_ms: int) -> Any:
    is_mini = _is_mini(call)
    if "symbol" not in call.parameters and "symbols" not in call.parameters:
        raise errors.either("symbol", "symbols")
    count = symbol_count(call.parameters)
    if count is not None and count > _MAX_SYMBOLS:
        raise errors.invalid_data("symbols")

    def figures(call: Call, rules: SymbolRules) -> Any:
        tape = call.exchange.tapes[rules.symbol]
        statistics: DayStatistics = tape.window(open_ms, close_ms, call.now_ms)
        return market_replies.window_ticker(rules.symbol, statistics, call.ticks, mini=is_mini)

    return _one_or_many(call, figures)


def _is_mini(call: Call) -> bool:
    kind = call.parameters.text("type") or "FULL"
    if kind not in ("FULL", "MINI"):
        raise VenueError(-1139, "Invalid ticker type.")
    return kind == "MINI"


def _price_of(call: Call, rules: SymbolRules) -> dict[str, str]:
    last = call.exchange.tapes[rules.symbol].last_trade
    return {"symbol": rules.symbol, "price": format_amount(last.price if last else 0)}


def _one_or_many(call: Call, reply: Answer) -> Any:
    """An object for ``symbol``, else an array."""
    refuse_both(call.parameters)
    found = [reply(call, rules) for rules in selected(call)]
    return found[0] if "symbol" in call.parameters else found


def _ticker_weight(parameters: Parameters) -> int:
    return 2 if "symbol" in parameters else 4


def _day_weight(parameters: Parameters) -> int:
    count = symbol_count(parameters)
    if count is None:
        return 80
    return 2 if count <= 20 else 40 if count <= _MAX_SYMBOLS else 80


def _window_weight(parameters: Parameters) -> int:
    return min(4 * (symbol_count(parameters) or 1), 200)


ROUTES: Final = {
    ("GET", "/api/v3/ticker/price"): public(
        price_ticker, _ticker_weight, "symbol symbols symbolStatus"
    ),
    ("GET", "/api/v3/ticker/bookTicker"): public(
        book_ticker, _ticker_weight, "symbol symbols symbolStatus"
    ),
    ("GET", "/api/v3/ticker/24hr"): public(
        day_ticker, _day_weight, "symbol symbols type symbolStatus"
    ),
    ("GET", "/api/v3/ticker/tradingDay"): public(
        trading_day_ticker, _window_weight, "symbol symbols timeZone type symbolStatus"
    ),
    ("GET", "/api/v3/ticker"): public(
        rolling_ticker, _window_weight, "symbol symbols windowSize type symbolStatus"
    ),
}
