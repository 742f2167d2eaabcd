"""An order of a peer's, bare; run by the interpreter of its own environment.

Reads how many orders to place from each line of its input and answers with a JSON array of
durations in nanoseconds. Arguments: which peer, and the venue's URL.
"""

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Awaitable, Callable

Place = Callable[[], Awaitable[object]]
KEYS = {"api_key": "bench-key", "api_secret": "bench-secret"}
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"}


async def official_sdk(url: str) -> Place:
    spot = importlib.import_module("binance_sdk_spot.spot")  # not installed where types are checked
    settings = spot.ConfigurationRestAPI(**KEYS, base_path=url, retries=0)
    client = spot.Spot(config_rest_api=settings).rest_api

    async def place() -> object:
        reply = client.new_order(**ORDER, time_in_force="GTC", quantity=0.001, price=50000.0)
        return reply.data().order_id

    return place


async def python_binance(url: str) -> Place:
    binance = importlib.import_module("binance")
    client = binance.AsyncClient(KEYS["api_key"], KEYS["api_secret"])
    client.API_URL = f"{url}/api"

    async def place() -> object:
        order = {**ORDER, "timeInForce": "GTC", "quantity": "0.001", "price": "50000.00"}
        return (await client.create_order(**order))["orderId"]

    return place


async def ccxt(url: str) -> Place:
    exchanges = importlib.import_module("ccxt.async_support")
    paths = {"public": f"{url}/api/v3", "private": f"{url}/api/v3"}
    client = exchanges.binance(
        {
            "apiKey": KEYS["api_key"],
            "secret": KEYS["api_secret"],
            "enableRateLimit": False,
            "has": {"fetchCurrencies": False},
            "options": {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False},
        }
    )
    client.urls["api"].update(paths)
    await client.load_markets()

    async def place() -> object:
        return (await client.create_order("BTC/USDT", "limit", "buy", 0.001, 50000))["id"]

    return place


PEERS = {"binance-sdk-spot": official_sdk, "python-binance": python_binance, "ccxt": ccxt}


async def main(peer: str, url: str) -> None:
    place = await PEERS[peer](url)
    print(json.dumps([]), flush=True)
    for line in sys.stdin:
        taken_ns = []
        for _ in range(int(line)):
            began_ns = time.perf_counter_ns()  # noqa: TID251  no Clock in this environment
            assert await place()
            taken_ns.append(time.perf_counter_ns() - began_ns)  # noqa: TID251
        print(json.dumps(taken_ns), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
