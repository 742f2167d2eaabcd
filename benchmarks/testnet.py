"""Row 8: the local testnet, which every rehearsal stands on."""

import asyncio
import sys

import aiohttp
from yarl import URL

from benchmarks.measure import CLOCK, Row
from benchmarks.process import ROOT, child, line_of
from benchmarks.testnet_load import TRADERS
from benchmarks.workplace import Workplace

_IN_PROCESS, _OVER_REST = 1_000_000, 20_000
_LEAST_IN_PROCESS, _LEAST_OVER_REST = 3_000, 800
_CONNECTIONS = 8
_MOST_GROWTH_MB = 16.0
_LOAD = ROOT / "benchmarks" / "testnet_load.py"


async def measure_testnet(place: Workplace) -> list[Row]:
    """Signed orders a second, in process and over REST, and whether memory stays flat."""
    count = place.times(_IN_PROCESS)
    seconds, resident_mb = 0.0, []
    async with child(sys.executable, _LOAD, str(count)) as process:
        for _ in range(10):
            _, took, resident = (await line_of(process)).split()
            seconds += float(took)
            resident_mb.append(int(resident) / 1e6)
    # The first tenths fill the history, which is capped.
    growth_mb = resident_mb[-1] - resident_mb[len(resident_mb) // 2]
    over_rest = place.times(_OVER_REST)
    async with child(sys.executable, _LOAD, "serve") as process:
        url = await line_of(process)
        await _place_over_rest(url, over_rest // 10)
        began_ns = CLOCK.monotonic_ns()
        await _place_over_rest(url, over_rest)
        rest_seconds = (CLOCK.monotonic_ns() - began_ns) / 1e9
    return [
        _rate("8 testnet, signed orders in process", count / seconds, _LEAST_IN_PROCESS),
        _rate("  over REST, from one process", over_rest / rest_seconds, _LEAST_OVER_REST),
        Row(
            f"  memory it gains, {count // 2:,} to {count:,} orders",
            f"{growth_mb:+.1f} MB (of {resident_mb[-1]:.0f})",
            f"<= {_MOST_GROWTH_MB:g} MB",
            max(growth_mb, 0) / _MOST_GROWTH_MB,
            growth_mb <= _MOST_GROWTH_MB,
        ),
    ]


async def _place_over_rest(url: str, count: int) -> None:
    numbers = iter(range(count))
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def trade() -> None:
            for number in numbers:
                trader = TRADERS[number % 2]
                target = URL(f"{url}/api/v3/order?{trader.query()}", encoded=True)
                async with session.post(target, headers=trader.headers) as reply:
                    assert reply.status == 200, await reply.text()
                    await reply.read()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_CONNECTIONS):
                tasks.create_task(trade())


def _rate(name: str, measured: float, least: int) -> Row:
    return Row(name, f"{measured:,.0f}/s", f">= {least:,}/s", least / measured, measured >= least)
