"""What the suites of ccxt share."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

import ccxt
import pytest
from ccxt import pro

from tests.clients.venue import Order, Venue

PAIR: Final = "BTC/USDT"
"""The venue's BTCUSDT, as this client spells it."""


def settings(venue: Venue, kind: str = "HMAC", **further: Any) -> dict[str, Any]:
    """Spot alone, at the venue's addresses: all of it is this client's own configuration."""
    key = venue.keys[kind]
    ws = {"spot": f"{venue.ws}/ws", "ws-api": {"spot": f"{venue.ws}/ws-api/v3"}}
    rest = {"public": f"{venue.http}/api/v3", "private": f"{venue.http}/api/v3"}
    options = {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False}
    return {
        "apiKey": key.api_key,
        "secret": key.pem_text if key.pem else key.secret,
        "enableRateLimit": False,
        "timeout_on_exit": 0,
        "has": {"fetchCurrencies": False},
        "urls": {"api": rest | {"sapi": f"{venue.http}/sapi/v1", "ws": ws}},
        "options": options | further.pop("options", {}),
    } | further


def told(error: ccxt.BaseError) -> Any:
    """The venue's refusal, which this client quotes behind its own name."""
    return json.loads(str(error).removeprefix("binance "))


def refusal(call: Callable[..., Any], /, *given: Any, **parameters: Any) -> tuple[str, int]:
    """What this client makes of it, and the venue's code."""
    with pytest.raises(ccxt.BaseError) as caught:
        call(*given, **parameters)
    return type(caught.value).__name__, told(caught.value)["code"]


def unified(kind: str, order: Order, **further: Any) -> dict[str, Any]:
    """An order of the venue's parameters in this client's own terms."""
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "LIMIT": ("limit", {}),
        "LIMIT_MAKER": ("limit", {"postOnly": True}),
        "ICEBERG": ("limit", {"icebergAmount": order.get("icebergQty")}),
        "STOP_LOSS": ("market", {"stopLossPrice": order.get("stopPrice")}),
        "STOP_LOSS_LIMIT": ("limit", {"triggerPrice": order.get("stopPrice")}),
        "TAKE_PROFIT": ("market", {"takeProfitPrice": order.get("stopPrice")}),
        "TAKE_PROFIT_LIMIT": ("limit", {"takeProfitPrice": order.get("stopPrice")}),
        "TRAILING_STOP": ("limit", {"trailingPercent": 20, "stopLossOrTakeProfit": "stopLoss"}),
    }
    name, params = kinds[kind]
    return _asked(order, name, params | further)


def passed_on(order: Order, **further: Any) -> dict[str, Any]:
    """The same in the venue's words, which this client passes on."""
    ours = ("symbol", "type", "side", "quantity", "price")
    params = {name: order[name] for name in order if name not in ours}
    return _asked(order, order["type"], params | further)


def _asked(order: Order, name: str, params: dict[str, Any]) -> dict[str, Any]:
    return {
        "symbol": PAIR,
        "type": name,
        "side": order["side"].lower(),
        "amount": float(order["quantity"]),
        "price": float(order["price"]) if "price" in order else None,
        "params": params,
    }


class Connections:
    """Exchanges of ccxt.pro on one event loop, one for each key, kept for all checks."""

    def __init__(self, venue: Venue) -> None:
        self._venue: Final = venue
        self._kept: Final[dict[str, Any]] = {}
        self._runner: Final = asyncio.Runner()

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._runner.run(coroutine)

    async def exchange(self, kind: str = "HMAC") -> Any:
        if kind not in self._kept:
            self._kept[kind] = pro.binance(settings(self._venue, kind))
            await self._kept[kind].load_markets()
        return self._kept[kind]

    def close(self) -> None:
        async def close() -> None:
            for exchange in self._kept.values():
                await exchange.close()

        with self._runner:
            self._runner.run(close())


@pytest.fixture(scope="session")
def connections(venue: Venue) -> Iterator[Connections]:
    opened = Connections(venue)
    yield opened
    opened.close()
