"""A client that keeps its own order book by the venue's procedure never disagrees with it.

Procedure: "How to manage a local order book correctly" of the page "WebSocket Streams".
"""

import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from otonom_trader.testnet import LocalTestnet, ManualClock, MarketSpec, TestnetConfig
from tests.testnet.conftest import ALICE, BOB, NOON_MS, Client
from tests.testnet.local_book import LocalBook
from tests.testnet.wire import Wire, wire


async def snapshot(client: Client, limit: int = 5000) -> dict[str, Any]:
    content = (await client.get("/api/v3/depth", symbol="BTCUSDT", limit=limit)).content
    assert isinstance(content, dict)
    return content


async def follow(stream: Wire, book: LocalBook, until: int) -> None:
    while book.update_id < until:
        book.apply(await stream.hear())


async def agree(book: LocalBook, client: Client) -> None:
    truth = LocalBook()
    truth.load(await snapshot(client, limit=100))
    assert (book.update_id, book.sides) == (truth.update_id, truth.sides)


@pytest.mark.parametrize("speed", ["@100ms", ""])
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_step_of_two_traders_is_followed(
    venue: LocalTestnet,
    session: aiohttp.ClientSession,
    clock: ManualClock,
    alice: Client,
    bob: Client,
    seed: int,
    speed: str,
) -> None:
    random = Random(seed)  # noqa: S311
    await alice.limit("BUY", "0.1", "19990")
    book = LocalBook()
    async with wire(session, venue.url, f"/ws/btcusdt@depth{speed}") as stream:
        await stream.heard()
        for step in range(30):
            for _ in range(random.randint(1, 3)):
                await act(random.choice([alice, bob]), random)
            if step == 0:
                # What comes of chance need not show in the book.
                await bob.limit("BUY", "0.1", "19980")
            clock.advance(1 if not speed else 0.1)
            if step == 0:
                first = await stream.hear()
                book.load(await snapshot(alice))
                book.apply(first)
            await follow(stream, book, venue.exchange.engine.books["BTCUSDT"].update_id)
            await agree(book, alice)
            clock.advance(1)


async def act(trader: Client, random: Random) -> None:
    """Something that may change the book."""
    working = (await trader.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT")).content
    side = random.choice(["BUY", "SELL"])
    if working and random.random() < 0.3:
        chosen = random.choice(working)["orderId"]
        answer = await trader.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=chosen)
    elif random.random() < 0.2:
        answer = await trader.market(side, quantity=f"0.0{random.randint(1, 9)}")
    else:
        price = str(20_000 + random.randint(-5, 5))
        answer = await trader.limit(side, f"0.0{random.randint(1, 9)}", price)
    assert answer.status in (200, 400)


@pytest_asyncio.fixture
async def busy(clock: ManualClock) -> AsyncIterator[LocalTestnet]:
    config = TestnetConfig(
        accounts=(ALICE, BOB), market=MarketSpec.parse("synthetic"), clock=clock, seed=7
    )
    async with LocalTestnet(config) as opened:
        yield opened


async def test_a_synthetic_market_is_followed(
    busy: LocalTestnet, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    reader = Client(busy.url, session, clock, ALICE.api_key, ALICE.api_secret)
    book = LocalBook()
    async with wire(session, busy.url, "/ws/btcusdt@depth@100ms") as stream:
        await stream.heard()
        for step in range(60):
            clock.advance(0.5)
            if step == 0:
                first = await stream.hear()
                book.load(await snapshot(reader))
                book.apply(first)
            await agree_eventually(book, stream, reader, clock)


async def test_a_market_that_renews_its_quotes_is_never_seen_without_any(
    busy: LocalTestnet, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    async with wire(session, busy.url, "/ws/btcusdt@bookTicker") as stream:
        await stream.heard()
        for _ in range(20):
            clock.advance(1)
            heard = await stream.hear()
            assert float(heard["b"]) > 0
            assert float(heard["b"]) < float(heard["a"])
            assert await stream.heard() == []


async def test_the_same_run_sends_the_same_bytes(session: aiohttp.ClientSession) -> None:
    kinds = ("trade", "aggTrade", "bookTicker", "depth@100ms", "depth5", "kline_1s", "ticker")
    names = "/".join(f"btcusdt@{kind}" for kind in kinds)

    async def run() -> list[str]:
        clock = ManualClock(NOON_MS)
        config = TestnetConfig(
            accounts=(ALICE, BOB), market=MarketSpec.parse("synthetic"), clock=clock, seed=7
        )
        told: list[str] = []
        async with (
            LocalTestnet(config) as venue,
            wire(session, venue.url, f"/stream?streams={names}") as stream,
        ):
            await stream.heard()
            for _ in range(20):
                clock.advance(0.5)
                told += [json.dumps(event) for event in await stream.heard()]
                clock.advance(0.5)
        return told

    first, second = await run(), await run()
    assert first == second
    assert len(first) > 100


async def agree_eventually(
    book: LocalBook, stream: Wire, reader: Client, clock: ManualClock
) -> None:
    """What the market did since the last event comes with the next."""
    truth = await snapshot(reader, limit=100)
    while book.update_id < truth["lastUpdateId"]:
        clock.advance(0.1)
        book.apply(await stream.hear())
        truth = await snapshot(reader, limit=100)
    await agree(book, reader)
