"""JSON of public market data: names, order and types as the documentation shows them.

``ticks`` is how many output time units a millisecond has: 1, or 1000 for microseconds.
"""

from typing import Any

from otonom_trader.testnet.amounts import SCALE, format_amount
from otonom_trader.testnet.book import BookSide
from otonom_trader.testnet.klines import Candle
from otonom_trader.testnet.orders import Trade
from otonom_trader.testnet.tape import DayStatistics

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


def day_ticker(symbol: str, day: DayStatistics, best: Json, ticks: int, *, mini: bool) -> Json:
    """``best`` is the book ticker's bid and ask fields."""
    change = day.last - day.open
    opening: Json = {"symbol": symbol}
    figures: Json = {
        "openPrice": format_amount(day.open),
        "highPrice": format_amount(day.high),
        "lowPrice": format_amount(day.low),
    }
    ending: Json = {
        "volume": format_amount(day.volume),
        "quoteVolume": format_amount(day.quote),
        "openTime": day.open_ms * ticks,
        "closeTime": day.close_ms * ticks,
        "firstId": day.first_trade_id,
        "lastId": day.last_trade_id,
        "count": day.count,
    }
    if mini:
        return opening | figures | {"lastPrice": format_amount(day.last)} | ending
    thousandths = change * 100_000 // day.open if day.open else 0
    sign = "-" if thousandths < 0 else ""
    average = day.quote * SCALE // day.volume if day.volume else day.last
    return (
        opening
        | {
            "priceChange": format_amount(change),
            "priceChangePercent": f"{sign}{abs(thousandths) // 1000}.{abs(thousandths) % 1000:03d}",
            "weightedAvgPrice": format_amount(average),
            "prevClosePrice": format_amount(day.previous_close),
            "lastPrice": format_amount(day.last),
            "lastQty": format_amount(day.last_qty),
        }
        | best
        | figures
        | ending
    )


def levels(side: BookSide, limit: int) -> list[list[str]]:
    rows: list[list[str]] = []
    for level in side:
        if len(rows) == limit:
            break
        rows.append([format_amount(level.price), format_amount(level.qty)])
    return rows
