"""Rows 1 and 2: an order, and a decision, against what an order costs others."""

from contextlib import AsyncExitStack
from decimal import Decimal
from functools import partial

from benchmarks.bare import BareHttp
from benchmarks.installation import binance, configure, open_counter
from benchmarks.measure import CLOCK, Block, Durations, Row, against, interleave
from benchmarks.peers import NotInstalled, OfficialSdk, official_sdk
from benchmarks.workplace import Workplace
from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.daemon.kill import KillSwitch
from otonom_trader.domain.execution import Stage
from otonom_trader.domain.order import OrderRequest, OrderState, OrderType, Side, TimeInForce

_BLOCK = 50
_ROUNDS = 40


async def measure_order(place: Workplace) -> list[Row]:
    """`BinanceBroker.place_order` against a bare signed POST."""
    ours, bare = Durations(), Durations()
    gate = KillSwitch(place.new_folder("order"))
    broker = BinanceBroker("bench-key", "bench-secret", place.url, gate=gate, clock=CLOCK)
    numbers = iter(range(10**9))

    async def place_one() -> None:
        request = OrderRequest(
            "BTC-USDT",
            Side.BUY,
            Decimal("0.001"),
            Decimal(50000),
            OrderType.LIMIT,
            TimeInForce.IOC,
            client_order_id=f"bench-{next(numbers)}",
        )
        result = await broker.place_order(request)
        assert result.state is OrderState.ACCEPTED, result.message

    async with broker, BareHttp(place.url) as http:
        await Durations().time(_BLOCK, place_one)  # connections, rules and clock are read once
        await Durations().time(_BLOCK, http.place)
        await interleave(
            place.times(_ROUNDS),
            [partial(bare.time, _BLOCK, http.place), partial(ours.time, _BLOCK, place_one)],
        )
    return [
        Row("  beside it: bare signed aiohttp POST", f"{bare.p50_us:.0f} us"),
        against("1 BinanceBroker.place_order, REST", ours, bare, "bare aiohttp", 1.25),
    ]


async def measure_decision(place: Workplace) -> list[Row]:
    """A whole decision in live against the official SDK's ``new_order``."""
    whole, from_book, bare = Durations(), Durations(), Durations()
    folder = configure(place.new_folder("decision"), binance(place.url, "live"))
    async with AsyncExitStack() as stack:
        counter = await stack.enter_async_context(open_counter(folder))
        http = await stack.enter_async_context(BareHttp(place.url))
        sdk: OfficialSdk | None = None
        missing = ""
        try:
            sdk = await stack.enter_async_context(official_sdk(place.url))
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
