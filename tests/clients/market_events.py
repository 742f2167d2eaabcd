"""Whether an event is of the market stream that was subscribed to, whichever client heard it."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from tests.clients.replies import BOTH, is_book, is_price
from tests.clients.venue import SYMBOL

NAME: Final = SYMBOL.lower()
Json = Mapping[str, Any]


def is_of(stream: str, event: Any) -> bool:
    """``stream`` is a name as the venue spells it."""
    symbol, _, kind = stream.partition("@")
    if symbol.startswith("!"):
        each = symbol.removeprefix("!")
        symbols = {row["s"] for row in event}
        return symbols <= BOTH and all(is_of(f"{row['s'].lower()}@{each}", row) for row in event)
    topic, detail = _KIND.fullmatch(kind).group("topic", "detail")  # type: ignore[union-attr]
    is_named = event.get("s", symbol.upper()) == symbol.upper()
    return is_named and _TOPICS[topic](event, detail or "")


_KIND: Final = re.compile("(?P<topic>[a-zA-Z]+)_?(?P<detail>[0-9]+[a-zA-Z]?)?(@.+)?")


def _is_depth(event: Json, levels: str) -> bool:
    if levels:
        return "s" not in event and "e" not in event and is_book(event, int(levels))
    return bool(event["e"] == "depthUpdate" and event["U"] <= event["u"])


def _is_candle(event: Json, interval: str) -> bool:
    candle = event["k"]
    low, first, last, high = (Decimal(candle[name]) for name in "loch")
    between = low <= min(first, last) and max(first, last) <= high
    return bool(event["e"] == "kline" and candle["i"] == interval and between)


def _is_ticker(event: Json, kind: str) -> bool:
    low, last, high = (Decimal(event[name]) for name in "lch")
    return bool(event["e"] == kind and low <= last <= high and Decimal(event["v"]) > 0)


_TOPICS: Final[dict[str, Callable[[Json, str], bool]]] = {
    "trade": lambda event, _: event["e"] == "trade" and is_price(event["p"]) and event["t"] > 0,
    "aggTrade": lambda event, _: event["e"] == "aggTrade" and event["f"] <= event["l"],
    "bookTicker": lambda event, _: "e" not in event and Decimal(event["b"]) < Decimal(event["a"]),
    "depth": _is_depth,
    "kline": _is_candle,
    "miniTicker": lambda event, _: _is_ticker(event, "24hrMiniTicker"),
    "ticker": lambda event, width: _is_ticker(event, f"{width or '24hr'}Ticker"),
    "avgPrice": lambda event, _: event["e"] == "avgPrice" and is_price(event["w"]),
    "referencePrice": lambda event, _: event["e"] == "referencePrice" and is_price(event["r"]),
}
