"""JSON of public market data: names, order and types as the documentation shows them.

``ticks`` is how many output time units a millisecond has: 1, or 1000 for microseconds.
"""

from typing import Any

from otonom_trader.testnet.amounts import SCALE, format_amount
from otonom_trader.testnet.book import BookSide
from otonom_trader.testnet.klines import Candle
from otonom_trader.testnet.orders import Trade
from otonom_trader.testnet.tape import AggregateTrade, DayStatistics

Json = dict[str, Any]


def public_trade(trade: Trade, ticks: int) -> Json:
    return {
        "id": trade.trade_id,
        "price": format_amount(trade.price),
        "qty": format_amount(trade.qty),
        "quoteQty": format_amount(trade.quote),
        "time": trade.time_ms * ticks,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def kline(candle: Candle, close_ms: int, ticks: int) -> list[Any]:
    return [
        candle.open_ms * ticks,
        format_amount(candle.open),
        format_amount(candle.high),
        format_amount(candle.low),
        format_amount(candle.close),
        format_amount(candle.volume),
        # The last unit of the candle, in either time unit.
        (close_ms + 1) * ticks - 1,
        format_amount(candle.quote),
        candle.count,
        format_amount(candle.taker_volume),
        format_amount(candle.taker_quote),
        "0",
    ]


def aggregate_trade(trade: AggregateTrade, ticks: int) -> Json:
    return {
        "a": trade.aggregate_id,
        "p": format_amount(trade.price),
        "q": format_amount(trade.qty),
        "f": trade.first_trade_id,
        "l": trade.last_trade_id,
        "T": trade.time_ms * ticks,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def day_ticker(symbol: str, day: DayStatistics, best: Json, ticks: int, *, mini: bool) -> Json:
    """``best`` is the book ticker's bid and ask fields."""
    opening, figures, ending = _statistics(symbol, day, ticks)
    if mini:
        return opening | figures | {"lastPrice": format_amount(day.last)} | ending
    previous = {"prevClosePrice": format_amount(day.previous_close)}
    last = {"lastPrice": format_amount(day.last), "lastQty": format_amount(day.last_qty)}
    return opening | _change(day) | previous | last | best | figures | ending


def window_ticker(symbol: str, window: DayStatistics, ticks: int, *, mini: bool) -> Json:
    """As the trading day and the rolling window are shown."""
    opening, figures, ending = _statistics(symbol, window, ticks)
    change = {} if mini else _change(window)
    return opening | change | figures | {"lastPrice": format_amount(window.last)} | ending


def _statistics(symbol: str, window: DayStatistics, ticks: int) -> tuple[Json, Json, Json]:
    figures: Json = {
        "openPrice": format_amount(window.open),
        "highPrice": format_amount(window.high),
        "lowPrice": format_amount(window.low),
    }
    ending: Json = {
        "volume": format_amount(window.volume),
        "quoteVolume": format_amount(window.quote),
        "openTime": window.open_ms * ticks,
        "closeTime": window.close_ms * ticks,
        "firstId": window.first_trade_id,
        "lastId": window.last_trade_id,
        "count": window.count,
    }
    return {"symbol": symbol}, figures, ending


def _change(window: DayStatistics) -> Json:
    change = window.last - window.open
    # Rounded to the nearest, halves away from zero, and never to a negative zero.
    thousandths = (abs(change) * 200_000 + window.open) // (2 * window.open) if window.open else 0
    sign = "-" if change < 0 < thousandths else ""
    average = window.quote * SCALE // window.volume if window.volume else window.last
    return {
        "priceChange": format_amount(change),
        "priceChangePercent": f"{sign}{thousandths // 1000}.{thousandths % 1000:03d}",
        "weightedAvgPrice": format_amount(average),
    }


def levels(side: BookSide, limit: int) -> list[list[str]]:
    rows: list[list[str]] = []
    for level in side:
        if len(rows) == limit:
            break
        rows.append([format_amount(level.price), format_amount(level.qty)])
    return rows
