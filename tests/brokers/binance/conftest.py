"""A venue of raw sockets on loopback that answers as a test tells it to."""

import asyncio
import hashlib
import hmac
import json
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

import pytest

from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import TradingHalted

API_KEY = "canary-key-7f3a91"
API_SECRET = "canary-secret-c0ffee42"

ORDERS = {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 10_000}
BTCUSDT: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "baseAssetPrecision": 8,
    "quoteAsset": "USDT",
    "quoteAssetPrecision": 8,
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
    "icebergAllowed": True,
    "ocoAllowed": True,
    "allowTrailingStop": True,
    "isSpotTradingAllowed": True,
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01000000",
            "maxPrice": "1000000.00000000",
            "tickSize": "0.01000000",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": "0.00001000",
            "maxQty": "9000.00000000",
            "stepSize": "0.00001000",
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": "100.00000000",
            "stepSize": "0.00000000",
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "maxNotional": "9000000.00000000",
        },
    ],
}

ACCOUNT = {
    "commissionRates": {
        "maker": "0.00100000",
        "taker": "0.00100000",
        "buyer": "0.00000000",
        "seller": "0.00020000",
    },
    "updateTime": 1_700_000_000_000,
    "balances": [
        {"asset": "BTC", "free": "0.50000000", "locked": "0.10000000"},
        {"asset": "USDT", "free": "1000.00000000", "locked": "0.00000000"},
    ],
    "uid": 354937868,
}


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    arrived_ms: int

    @property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.query))

    @property
    def is_order(self) -> bool:
        return (self.method, self.path) == ("POST", "/api/v3/order")

    @property
    def is_well_signed(self) -> bool:
        payload, _, signature = self.query.partition("&signature=")
        digest = hmac.new(API_SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
        return signature == digest and self.headers.get("x-mbx-apikey") == API_KEY


Handler = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def http(status: int, body: bytes | str | object, **headers: str) -> bytes:
    """A whole HTTP reply; underscores in header names stand for hyphens."""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(status: int, body: bytes | str | object, **headers: str) -> Handler:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(http(status, body, **headers))

    return handle


def refuse(status: int, code: int, msg: str, **headers: str) -> Handler:
    return answer(status, {"code": code, "msg": msg}, **headers)


async def never_answer(request: Request, writer: asyncio.StreamWriter) -> None:
    """Keep the connection open and say nothing."""


async def hang_up(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.close()


def fill_order(**changes: object) -> Handler:
    """Fill whatever order arrives at 50000, with `changes` in the reply."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        asked = request.params
        qty = asked["quantity"]
        reply = {
            "symbol": asked["symbol"],
            "orderId": 28,
            "orderListId": -1,
            "clientOrderId": asked["newClientOrderId"],
            "transactTime": request.arrived_ms,
            "price": asked.get("price", "0.00000000"),
            "origQty": qty,
            "executedQty": qty,
            "origQuoteOrderQty": "0.00000000",
            "cummulativeQuoteQty": "500.00000000",
            "status": "FILLED",
            "timeInForce": asked.get("timeInForce", "GTC"),
            "type": asked["type"],
            "side": asked["side"],
            "workingTime": request.arrived_ms,
            "selfTradePreventionMode": "NONE",
            "fills": [
                {
                    "price": "50000.00000000",
                    "qty": qty,
                    "commission": "0.00001000",
                    "commissionAsset": "BTC",
                    "tradeId": 56,
                }
            ],
        }
        writer.write(http(200, reply | changes))

    return handle


def queried_order(**changes: object) -> dict[str, object]:
    """A reply to GET /api/v3/order."""
    reply = {
        "symbol": "BTCUSDT",
        "orderId": 28,
        "orderListId": -1,
        "clientOrderId": "mine-1",
        "price": "50000.00000000",
        "origQty": "0.01000000",
        "executedQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": 1_700_000_000_000,
        "updateTime": 1_700_000_000_000,
        "isWorking": True,
    }
    return reply | changes


@dataclass
class StubVenue:
    """Answers by (method, path): first what was queued with `then`, else what was set by `on`."""

    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    bytes_seen: int = 0
    skew_ms: int = 0
    _usual: dict[tuple[str, str], Handler] = field(default_factory=dict)
    _queued: dict[tuple[str, str], deque[Handler]] = field(default_factory=dict)
    _port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def orders(self) -> list[Request]:
        """The orders whose bytes reached the venue."""
        return [request for request in self.requests if request.is_order]

    def seen(self, method: str, path: str) -> list[Request]:
        return [one for one in self.requests if (one.method, one.path) == (method, path)]

    def on(self, method: str, path: str, handler: Handler) -> None:
        self._usual[method, path] = handler

    def then(self, method: str, path: str, *handlers: Handler) -> None:
        self._queued.setdefault((method, path), deque()).extend(handlers)

    def order_answers(self, *handlers: Handler) -> None:
        """What the next orders are answered with."""
        self.then("POST", "/api/v3/order", *handlers)

    def time_ms(self) -> int:
        return int(datetime.now(UTC).timestamp() * 1000) + self.skew_ms  # noqa: TID251  a venue's

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                self.bytes_seen += len(head)
                await self._answer(head.decode(), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        request = Request(method, path, query, headers, self.time_ms())
        self.requests.append(request)
        queued = self._queued.get((method, path))
        handler = queued.popleft() if queued else self._usual.get((method, path))
        if handler is None:
            handler = await self._default(request)
        await handler(request, writer)

    async def _default(self, request: Request) -> Handler:
        match request.method, request.path:
            case "GET", "/api/v3/time":
                return answer(200, {"serverTime": self.time_ms()})
            case "GET", "/api/v3/exchangeInfo" if request.params["symbol"] == "BTCUSDT":
                return answer(
                    200, {"rateLimits": [ORDERS], "exchangeFilters": [], "symbols": [BTCUSDT]}
                )
            case "GET", "/api/v3/exchangeInfo":
                return refuse(400, -1121, "Invalid symbol.")
            case "GET", "/api/v3/account":
                return answer(200, ACCOUNT)
            case "POST", "/api/v3/order":
                return fill_order()
            case "POST", "/api/v3/order/test":
                return answer(200, {})
            case "GET", "/api/v3/order":
                return refuse(400, -2013, "Order does not exist.")
            case _:
                return answer(404, "<html>not found</html>")


class Gate:
    """A kill gate that a test trips."""

    def __init__(self) -> None:
        self.tripped = False
        self.asked = 0

    def check(self) -> None:
        self.asked += 1
        if self.tripped:
            raise TradingHalted("kill switch is on: drill")


class ManualClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000_000
        self._began = datetime(2026, 7, 1, tzinfo=UTC)

    def advance(self, seconds: float) -> None:
        self.ns += int(seconds * 1_000_000_000)

    def now(self) -> datetime:
        return self._began + timedelta(microseconds=self.ns // 1000)

    def monotonic_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


class SteppedClock(SystemClock):
    """The system's clock, set forward by what a test adds."""

    def __init__(self) -> None:
        self.added_ns = 0

    def advance(self, seconds: float) -> None:
        self.added_ns += int(seconds * 1_000_000_000)

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.added_ns


@dataclass
class Desk:
    """A live broker at a stub venue."""

    venue: StubVenue
    broker: BinanceBroker
    gate: Gate
    clock: SteppedClock

    @classmethod
    def at(cls, venue: StubVenue, **settings: Any) -> Self:
        gate, clock = Gate(), SteppedClock()
        broker = BinanceBroker(API_KEY, API_SECRET, venue.url, gate=gate, clock=clock, **settings)
        return cls(venue, broker, gate, clock)


@pytest.fixture
async def venue() -> AsyncIterator[StubVenue]:
    stub = StubVenue()
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        await stub.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    stub._port = server.sockets[0].getsockname()[1]
    yield stub
    server.close()
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)


@pytest.fixture
async def desk(venue: StubVenue) -> AsyncIterator[Desk]:
    desk = Desk.at(venue)
    async with desk.broker:
        yield desk


@pytest.fixture
async def hasty(venue: StubVenue) -> AsyncIterator[Desk]:
    """A desk that waits for an answer no longer than a test can."""
    desk = Desk.at(venue, timeout_seconds=0.2)
    async with desk.broker:
        yield desk


@pytest.fixture
def shared_data() -> Path:
    """Real payloads; a test that needs them is skipped where they are absent."""
    root = Path(__file__).parents[3]
    folder = Path(os.environ.get("OTONOM_SHARED_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set OTONOM_SHARED_DATA")
    return folder
