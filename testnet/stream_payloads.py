"""JSON of market streams: names, order and types as the documentation shows them.

``ticks`` is how many output time units a millisecond has: 1, or 1000 for microseconds.
"""

from typing import Any, Final

from otonom_trader.testnet.amounts import format_amount
from otonom_trader.testnet.book import Book, BookSide
from otonom_trader.testnet.klines import Candle
from otonom_trader.testnet.orders import Side, Trade
from otonom_trader.testnet.tape import AVERAGE_MINUTES

Json = dict[str, Any]
Rows = list[list[str]]

# Where each field of the 24 hour ticker is in REST's.
_TICKER_FIELDS: Final = {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "x": "prevClosePrice",
    "c": "lastPrice",
    "Q": "lastQty",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}
_WINDOW_FIELDS: Final = "pPohlcwvqOCFLn"


def trade(each: Trade, now_ms: int, ticks: int) -> Json:
    return {
        "e": "trade",
        "E": now_ms * ticks,
        "s": each.symbol,
        "t": each.trade_id,
        "p": format_amount(each.price),
        "q": format_amount(each.qty),
        "T": each.time_ms * ticks,
        "m": each.buyer_is_maker,
        "M": True,
    }


def aggregate_trade(symbol: str, rest: Json, now_ms: int, ticks: int) -> Json:
    """``rest`` is the same trade as REST shows it."""
    return {"e": "aggTrade", "E": now_ms * ticks, "s": symbol} | rest


def book_ticker(symbol: str, book: Book) -> Json:
    """Without type and time: the one event that has neither."""
    bid, ask = book.bids.best(), book.asks.best()
    return {
        "u": book.update_id,
        "s": symbol,
        "b": format_amount(bid.price if bid else 0),
        "B": format_amount(bid.qty if bid else 0),
        "a": format_amount(ask.price if ask else 0),
        "A": format_amount(ask.qty if ask else 0),
    }


def depth_update(
    symbol: str, ids: tuple[int, int], sides: tuple[Rows, Rows], now_ms: int, ticks: int
) -> Json:
    """``ids`` are the first and the last update of the event; ``sides`` bids, then asks."""
    return {
        "e": "depthUpdate",
        "E": now_ms * ticks,
        "s": symbol,
        "U": ids[0],
        "u": ids[1],
        "b": sides[0],
        "a": sides[1],
    }


def changed_levels(side: BookSide, prices: set[int]) -> Rows:
    """What is at these prices now, best first; a quantity of 0 says the level is gone."""
    return [
        [format_amount(price), format_amount(side.quantity_at(price))]
        for price in sorted(prices, reverse=side.side is Side.BUY)
    ]


def kline(symbol: str, interval: str, candle: Candle, span: tuple[int, int], ticks: int) -> Json:
    """The ``k`` of a kline event. ``span`` is when it closes and what time it is."""
    close_ms, now_ms = span
    return {
        "t": candle.open_ms * ticks,
        "T": (close_ms + 1) * ticks - 1,
        "s": symbol,
        "i": interval,
        "f": candle.first_trade_id,
        "L": candle.last_trade_id,
        "o": format_amount(candle.open),
        "c": format_amount(candle.close),
        "h": format_amount(candle.high),
        "l": format_amount(candle.low),
        "v": format_amount(candle.volume),
        "n": candle.count,
        "x": now_ms > close_ms,
        "q": format_amount(candle.quote),
        "V": format_amount(candle.taker_volume),
        "Q": format_amount(candle.taker_quote),
        "B": "0",
    }


def mini_ticker(rest: Json, now_ms: int, ticks: int) -> Json:
    """``rest`` is the same figures as REST's 24 hour ticker."""
    return {
        "e": "24hrMiniTicker",
        "E": now_ms * ticks,
        "s": rest["symbol"],
        "c": rest["lastPrice"],
        "o": rest["openPrice"],
        "h": rest["highPrice"],
        "l": rest["lowPrice"],
        "v": rest["volume"],
        "q": rest["quoteVolume"],
    }


def ticker(rest: Json, now_ms: int, ticks: int) -> Json:
    opening = {"e": "24hrTicker", "E": now_ms * ticks, "s": rest["symbol"]}
    return opening | {short: rest[name] for short, name in _TICKER_FIELDS.items()}


def window_ticker(rest: Json, width: str, now_ms: int, ticks: int) -> Json:
    """``rest`` is the same figures as REST's rolling window."""
    opening = {"e": f"{width}Ticker", "E": now_ms * ticks, "s": rest["symbol"]}
    return opening | {short: rest[_TICKER_FIELDS[short]] for short in _WINDOW_FIELDS}


def average_price(symbol: str, price: int, last: Trade | None, now_ms: int, ticks: int) -> Json:
    return {
        "e": "avgPrice",
        "E": now_ms * ticks,
        "s": symbol,
        "i": f"{AVERAGE_MINUTES}m",
        "w": format_amount(price),
        "T": (last.time_ms if last else now_ms) * ticks,
    }


def reference_price(symbol: str, price: int | None, valid_ms: int, ticks: int) -> Json:
    return {
        "e": "referencePrice",
        "s": symbol,
        "r": None if price is None else format_amount(price),
        "t": valid_ms * ticks,
    }
