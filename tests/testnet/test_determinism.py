"""With a seed and a clock that only moves when told to, a run can be repeated byte for byte."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import aiohttp
import pytest

from otonom_trader.testnet import (
    AccountConfig,
    LocalTestnet,
    ManualClock,
    MarketSpec,
    RateLimits,
    TestnetConfig,
)
from tests.testnet.conftest import ALICE, BOB, NOON_MS, Client
from tests.testnet.wire import Signer, wire

COUNT = 250
LIMITS = RateLimits(weight_per_minute=10**6, orders_per_10_seconds=10**6)


@dataclass(frozen=True)
class Step:
    """A request by one account, after so much time."""

    account: AccountConfig
    method: str
    path: str
    parameters: dict[str, object]
    seconds: float

    def query(self, clock: ManualClock) -> str:
        client = Client("", None, clock, self.account.api_key, self.account.api_secret)  # type: ignore[arg-type]
        return client.sign(urlencode(self.parameters))


def script(seed: int, first_price: int) -> Iterator[Step]:
    """Requests of all kinds, good ones and bad ones."""
    random = Random(seed)  # noqa: S311
    for _ in range(COUNT):
        symbol: dict[str, object] = {"symbol": "BTCUSDT"}
        side = random.choice(["BUY", "SELL"])
        price = first_price + random.randint(-30, 30)
        sized = symbol | {"side": side, "quantity": f"0.0{random.randint(1, 99):02}"}
        limit = sized | {"type": "LIMIT", "timeInForce": "GTC", "price": price}
        stop = sized | {"type": "STOP_LOSS", "stopPrice": price}
        pair = symbol | {
            "side": side,
            "quantity": "0.01",
            "aboveType": "TAKE_PROFIT",
            "aboveStopPrice": first_price + 40,
            "belowType": "STOP_LOSS",
            "belowStopPrice": first_price - 40,
        }
        known = symbol | {"orderId": random.randint(1, 200)}
        method, path, parameters = random.choice(
            [
                ("POST", "/api/v3/order", limit),
                ("POST", "/api/v3/order", limit | {"timeInForce": random.choice(["IOC", "FOK"])}),
                ("POST", "/api/v3/order", limit | {"icebergQty": "0.005"}),
                ("POST", "/api/v3/order", sized | {"type": "MARKET"}),
                ("POST", "/api/v3/order", sized | {"type": "LIMIT_MAKER", "price": price}),
                ("POST", "/api/v3/order", stop),
                ("POST", "/api/v3/order", limit | {"quantity": "1e-05"}),
                ("POST", "/api/v3/orderList/oco", pair),
                ("GET", "/api/v3/order", known),
                ("DELETE", "/api/v3/order", known),
                ("GET", "/api/v3/openOrders", symbol),
                ("GET", "/api/v3/allOrders", symbol),
                ("GET", "/api/v3/myTrades", symbol),
                ("GET", "/api/v3/account", {}),
            ]
        )
        seconds = random.choice([0, 0.001, 0.3])
        yield Step(random.choice([ALICE, BOB]), method, path, parameters, seconds)


def config(clock: ManualClock, market: str, seed: int) -> TestnetConfig:
    return TestnetConfig(
        accounts=(ALICE, BOB),
        market=MarketSpec.parse(market),
        clock=clock,
        seed=seed,
        limits=LIMITS,
    )


Said = list[tuple[int, bytes]]


async def in_process(market: str, seed: int, first_price: int) -> tuple[Said, str]:
    """Every reply's status and body, and the truth at the end."""
    clock = ManualClock(NOON_MS)
    async with LocalTestnet(config(clock, market, seed)) as venue:
        said = []
        for step in script(1, first_price):
            clock.advance(step.seconds)
            for player in venue.markets:
                player.advance()
            reply = venue.answer(
                step.method,
                step.path,
                step.query(clock),
                headers={"X-MBX-APIKEY": step.account.api_key},
            )
            said.append((reply.status, reply.body))
        return said, json.dumps(venue.truth(everyone=True))


async def over_http(market: str, seed: int, first_price: int) -> tuple[Said, str, list[str]]:
    """The same over sockets, and what the streams told."""
    clock = ManualClock(NOON_MS)
    heard: list[str] = []
    async with (
        LocalTestnet(config(clock, market, seed)) as venue,
        aiohttp.ClientSession() as session,
        wire(session, venue.url, "/ws-api/v3") as user,
        wire(session, venue.url, "/ws/btcusdt@trade/btcusdt@bookTicker") as public,
    ):
        subscribe = Signer(ALICE, clock).request("userDataStream.subscribe.signature")
        heard.append(json.dumps(await user.ask(subscribe)))
        clients = {
            account.name: Client(venue.url, session, clock, account.api_key, account.api_secret)
            for account in (ALICE, BOB)
        }
        said = []
        for step in script(1, first_price):
            clock.advance(step.seconds)
            client = clients[step.account.name]
            async with session.request(
                step.method,
                f"{client.url}{step.path}?{step.query(clock)}",
                headers={"X-MBX-APIKEY": client.key},
            ) as reply:
                said.append((reply.status, await reply.read()))
        await user.call("ping")
        heard += [json.dumps(event) for event in (*user.events, *await public.heard())]
        return said, json.dumps(venue.truth(everyone=True)), heard


MARKETS = [("synthetic", 60_000), ("empty", 20_000)]


@pytest.mark.parametrize(("market", "price"), MARKETS)
async def test_in_process_the_same_script_is_answered_the_same(market: str, price: int) -> None:
    first, again = [await in_process(market, 7, price) for _ in range(2)]
    assert first == again
    statuses = [status for status, _ in first[0]]
    assert statuses.count(200) > COUNT / 3
    assert statuses.count(400) > 20
    assert json.loads(first[1])["fills"]


async def test_over_http_replies_streams_and_truth_are_the_same() -> None:
    first, again = [await over_http("synthetic", 7, 60_000) for _ in range(2)]
    assert first == again
    assert len(first[2]) > 50


async def test_http_says_what_the_process_says() -> None:
    said, truth, _ = await over_http("empty", 7, 20_000)
    assert (said, truth) == await in_process("empty", 7, 20_000)


async def test_another_seed_is_another_market() -> None:
    assert await in_process("synthetic", 7, 60_000) != await in_process("synthetic", 8, 60_000)


def digest() -> str:
    said = asyncio.run(in_process("synthetic", 7, 60_000))
    return hashlib.sha256(repr(said).encode()).hexdigest()


def test_nothing_depends_on_how_a_process_hashes() -> None:
    root = Path(__file__).parents[2]
    code = "from tests.testnet.test_determinism import digest; print(digest())"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            cwd=root,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1
