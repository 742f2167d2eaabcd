"""A venue with an empty market and a clock that stands still, and clients that sign for it."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from otonom_trader.testnet import (
    AccountConfig,
    LocalTestnet,
    ManualClock,
    MarketSpec,
    TestnetConfig,
)
from otonom_trader.testnet.security import sign

NOON_MS = 1_790_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000

ALICE = AccountConfig(
    api_key="alice-key",
    api_secret="alice-secret",
    name="alice",
    balances={"USDT": Decimal(100_000), "BTC": Decimal(10)},
)
BOB = AccountConfig(
    api_key="bob-key",
    api_secret="bob-secret",
    name="bob",
    balances={"USDT": Decimal(100_000), "BTC": Decimal(10)},
)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    content: Any

    @property
    def refusal(self) -> tuple[int, int, str]:
        """HTTP status, code and text."""
        return self.status, self.content["code"], self.content["msg"]


class Client:
    """One key of the venue. What it sends are exactly the bytes it is told to."""

    def __init__(
        self, url: str, session: aiohttp.ClientSession, clock: ManualClock, key: str, secret: str
    ) -> None:
        self.url = url
        self.key = key
        self.secret = secret
        self.clock = clock
        self._session = session

    async def send(
        self,
        method: str,
        path: str,
        query: str = "",
        body: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = {"X-MBX-APIKEY": self.key} if self.key else {}
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        target = URL(self.url + path + (f"?{query}" if query else ""), encoded=True)
        async with self._session.request(
            method,
            target,
            data=None if body is None else body.encode(),
            headers=sent | (headers or {}),
            allow_redirects=False,
        ) as reply:
            text = await reply.text()
            is_json = reply.content_type == "application/json"
            return Answer(reply.status, dict(reply.headers), json.loads(text) if is_json else text)

    def sign(self, query: str) -> str:
        """A query with timestamp and signature at its end."""
        if "timestamp=" not in query:
            query += f"{'&' if query else ''}timestamp={self.clock.time_ms()}"
        return f"{query}&signature={sign(self.secret.encode(), query.encode())}"

    async def signed(self, method: str, path: str, **parameters: object) -> Answer:
        return await self.send(method, path, self.sign(urlencode(parameters)))

    async def get(self, path: str, **parameters: object) -> Answer:
        return await self.send("GET", path, urlencode(parameters))

    async def order(self, **parameters: object) -> Answer:
        return await self.signed("POST", "/api/v3/order", **parameters)

    async def limit(
        self, side: str, quantity: str, price: str, tif: str = "GTC", **more: object
    ) -> Answer:
        return await self.order(
            symbol="BTCUSDT",
            side=side,
            type="LIMIT",
            timeInForce=tif,
            quantity=quantity,
            price=price,
            **more,
        )

    async def market(self, side: str, **parameters: object) -> Answer:
        return await self.order(symbol="BTCUSDT", side=side, type="MARKET", **parameters)

    async def order_fault(self, fault: str, **more: object) -> Answer:
        wanted = {"path": "/api/v3/order", "method": "POST", "fault": fault, "count": 1} | more
        return await self.send("POST", "/testnet/faults", body=json.dumps(wanted))

    async def truth(self) -> dict[str, Any]:
        content = (await self.get("/testnet/truth")).content
        assert isinstance(content, dict)
        return content


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON_MS)


@pytest.fixture
def config(clock: ManualClock) -> TestnetConfig:
    return TestnetConfig(accounts=(ALICE, BOB), market=MarketSpec.parse("empty"), clock=clock)


@pytest_asyncio.fixture
async def venue(config: TestnetConfig) -> AsyncIterator[LocalTestnet]:
    async with LocalTestnet(config) as opened:
        yield opened


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def alice(venue: LocalTestnet, session: aiohttp.ClientSession, clock: ManualClock) -> Client:
    return Client(venue.url, session, clock, ALICE.api_key, ALICE.api_secret)


@pytest.fixture
def bob(venue: LocalTestnet, session: aiohttp.ClientSession, clock: ManualClock) -> Client:
    return Client(venue.url, session, clock, BOB.api_key, BOB.api_secret)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Reference data that is not part of the project."""
    given = os.environ.get("OTONOM_SHARED_DATA")
    root = Path(given) if given else Path(__file__).parents[3] / "shared" / "data"
    if not root.is_dir():
        pytest.skip(f"no reference data at {root}; OTONOM_SHARED_DATA names its folder")
    return root
