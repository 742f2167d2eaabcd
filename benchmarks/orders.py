"""Rows 1 and 2: an order, and a decision, against what an order costs others."""

import asyncio
from contextlib import AsyncExitStack
from decimal import Decimal
from functools import partial

from benchmarks.bare import BareHttp
from benchmarks.installation import binance, configure, open_counter
from benchmarks.measure import CLOCK, Block, Durations, Row, against, interleave
from benchmarks.peers import ASYNC_PEERS, OFFICIAL_SDK, NotInstalled, Peer, peer
from benchmarks.workplace import Workplace
from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.daemon.kill import KillSwitch
from otonom_trader.domain.execution import Stage
from otonom_trader.domain.order import OrderRequest, OrderState, OrderType, Side, TimeInForce

_BLOCK = 50
_ROUNDS = 40


async def measure_order(place: Workplace) -> list[Row]:
    """`BinanceBroker.place_order` over both transports against a bare signed POST, and peers."""
    over_rest, over_ws, bare = Durations(), Durations(), Durations()
    numbers = iter(range(10**9))

    def order() -> OrderRequest:
        return OrderRequest(
            "BTC-USDT",
            Side.BUY,
            Decimal("0.001"),
            Decimal(50000),
            OrderType.LIMIT,
            TimeInForce.IOC,
            client_order_id=f"bench-{next(numbers)}",
        )

    async def place_over(broker: BinanceBroker) -> None:
        result = await broker.place_order(order())
        assert result.state is OrderState.ACCEPTED, result.message

    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(BareHttp(place.url))
        rest = await stack.enter_async_context(_broker(place, "rest"))
        ws = await stack.enter_async_context(_broker(place, "ws"))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        connected = asyncio.Event()
        running = tasks.create_task(ws.run(lambda _event: connected.set()))
        stack.callback(running.cancel)
        await connected.wait()
        peers, missing = [], []
        for name in ASYNC_PEERS:
            try:
                peers.append(await stack.enter_async_context(peer(name, place.url)))
            except NotInstalled as reason:
                missing.append(Row(f"  {name}", str(reason)))
        blocks: list[Block] = [
            partial(bare.time, _BLOCK, http.place),
            partial(over_rest.time, _BLOCK, partial(place_over, rest)),
            partial(over_ws.time, _BLOCK, partial(place_over, ws)),
            *(partial(each.place, _BLOCK) for each in peers),
        ]
        await interleave(1, blocks)  # connections, rules and clock are read once
        for durations in (bare, over_rest, over_ws, *(each.durations for each in peers)):
            durations.all_ns.clear()
        await interleave(place.times(_ROUNDS), blocks)
    return [
        Row("  beside it: bare signed aiohttp POST", f"{bare.p50_us:.0f} us"),
        against("1 BinanceBroker.place_order, REST", over_rest, bare, "bare aiohttp", 1.25),
        against("  the same, WebSocket API", over_ws, bare, "bare aiohttp", 1.0),
        *(against(f"  {each.name}", each.durations, bare, "bare aiohttp", None) for each in peers),
        *missing,
    ]


def _broker(place: Workplace, transport: str) -> BinanceBroker:
    gate = KillSwitch(place.new_folder(f"order-{transport}"))
    return BinanceBroker(
        *("bench-key", "bench-secret", place.url),
        gate=gate,
        clock=CLOCK,
        order_transport=transport,
    )


async def measure_decision(place: Workplace) -> list[Row]:
    """A whole decision in live against the official SDK's ``new_order``."""
    whole, from_book, bare = Durations(), Durations(), Durations()
    folder = configure(place.new_folder("decision"), binance(place.url, "live"))
    async with AsyncExitStack() as stack:
        counter = await stack.enter_async_context(open_counter(folder))
        http = await stack.enter_async_context(BareHttp(place.url))
        sdk: Peer | None = None
        missing = ""
        try:
            sdk = await stack.enter_async_context(peer(OFFICIAL_SDK, place.url))
        except NotInstalled as reason:
            missing = str(reason)

        async def decisions() -> None:
            await counter.desk.broker.refresh()  # as the daemon does every few seconds
            for _ in range(_BLOCK):
                began_ns = CLOCK.monotonic_ns()
                row = await counter.decide()
                took_ns = CLOCK.monotonic_ns() - began_ns
                whole.all_ns.append(took_ns)
                from_book.all_ns.append(took_ns - row.stages_ns[Stage.SNAPSHOT])

        blocks: list[Block] = [partial(bare.time, _BLOCK, http.place), decisions]
        if sdk is not None:
            blocks.append(partial(sdk.place, _BLOCK))
        await interleave(1, blocks)
        for durations in (whole, from_book, bare, *([sdk.durations] if sdk else [])):
            durations.all_ns.clear()  # the first round warmed up
        await interleave(place.times(_ROUNDS), blocks)
    name, later = "2 a whole decision, claimed to recorded", "  without reading the book"
    beside = [
        against("  the same", whole, bare, "bare aiohttp", None),
        against(later, from_book, bare, "bare aiohttp", None),
    ]
    if sdk is None:
        return [Row(name, beside[0].measured, f"official SDK missing: {missing}"), *beside]
    theirs = sdk.durations
    return [
        Row("  beside it: official SDK, new_order", f"{theirs.p50_us:.0f} us"),
        against(name, whole, theirs, "official SDK", 1.5),
        against(later, from_book, theirs, "official SDK", 1.5),
        *beside,
    ]
