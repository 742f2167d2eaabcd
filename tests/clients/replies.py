"""Whether the venue's market data is what was asked for, whichever client asked."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from tests.clients.venue import SYMBOL

BOTH: Final = {SYMBOL, "ETHUSDT"}
"""Every symbol the venue lists."""
_MINUTE_MS: Final = 60_000
_A_WHILE_MS: Final = 5_000
_LOWEST, _HIGHEST = Decimal(30_000), Decimal(120_000)

Json = Mapping[str, Any]


def is_now(milliseconds: int) -> bool:
    """By the clock of this machine, which is the venue's too."""
    return abs(milliseconds - datetime.now(UTC).timestamp() * 1000) < _A_WHILE_MS  # noqa: TID251


def is_price(text: str) -> bool:
    """One that the synthetic market may be at."""
    return _LOWEST < Decimal(text) < _HIGHEST


def is_book(book: Json, levels: int) -> bool:
    """So many levels a side, best first, not crossed."""
    bids, asks = ([Decimal(price) for price, _ in book[side]] for side in ("bids", "asks"))
    best_first = bids == sorted(bids, reverse=True) and asks == sorted(asks)
    return len(bids) == len(asks) == levels and best_first and bids[0] < asks[0]


def are_trades(
    rows: Sequence[Json], count: int, *, number: str = "id", price: str = "price"
) -> bool:
    """So many, without a gap, the oldest first."""
    numbers = [row[number] for row in rows]
    in_order = all(after == before + 1 for before, after in pairwise(numbers))
    return len(rows) == count and in_order and all(is_price(row[price]) for row in rows)


def are_aggregates(rows: Sequence[Json], count: int) -> bool:
    return are_trades(rows, count, number="a", price="p")


def are_candles(rows: Sequence[Sequence[Any]], count: int) -> bool:
    """So many minutes in a row, each between its extremes."""
    opened = [row[0] for row in rows]
    in_order = all(after == before + _MINUTE_MS for before, after in pairwise(opened))
    return len(rows) == count and in_order and all(map(_is_candle, rows))


def _is_candle(row: Sequence[Any]) -> bool:
    first, high, low, last = map(Decimal, row[1:5])
    return low <= min(first, last) and max(first, last) <= high and row[6] == row[0] + 59_999


def is_ticker(row: Json) -> bool:
    """The last price between the extremes, and as many trades as there are ids."""
    low, last, high = (Decimal(row[name]) for name in ("lowPrice", "lastPrice", "highPrice"))
    counted = row["count"] == row["lastId"] - row["firstId"] + 1
    return row["symbol"] == SYMBOL and low <= last <= high and counted


def is_best(row: Json) -> bool:
    return row["symbol"] == SYMBOL and Decimal(row["bidPrice"]) < Decimal(row["askPrice"])


def are_of(rows: Sequence[Json], symbols: set[str] = BOTH) -> bool:
    """A row of each of these symbols and no other."""
    return {row["symbol"] for row in rows} == symbols and len(rows) == len(symbols)


def is_listing(info: Json, symbols: set[str] = BOTH) -> bool:
    """exchangeInfo of these symbols, each with its filters."""
    return are_of(info["symbols"], symbols) and all(each["filters"] for each in info["symbols"])


def held(account: Json) -> dict[str, tuple[str, str]]:
    """Free and locked by asset, of those the account has any of."""
    free_and_locked = {row["asset"]: (row["free"], row["locked"]) for row in account["balances"]}
    return {
        asset: amounts
        for asset, amounts in free_and_locked.items()
        if any(Decimal(amount) for amount in amounts)
    }
