"""The machine: what the absolute figures of the other rows stand on."""

import os
import platform

from benchmarks.bare import BareHttp, BareStream
from benchmarks.disk import Appends, OneRowCommits
from benchmarks.measure import Durations, Row, interleave
from benchmarks.workplace import Workplace

_BLOCK = 50
_ROUNDS = 10


async def calibrate(place: Workplace) -> list[Row]:
    """The same work without any of ours, on this machine."""
    folder = place.new_folder("calibration")
    http_ns, stream_ns, commit_ns, append_ns = (Durations() for _ in range(4))
    async with (
        BareHttp(place.url) as http,
        BareStream(place.url) as stream,
        OneRowCommits(folder / "rows.db") as disk,
        Appends(folder / "pages") as pages,
    ):

        async def block() -> None:
            await http_ns.time(_BLOCK, http.place)
            await stream_ns.time(_BLOCK, stream.place)
            await commit_ns.time(_BLOCK, disk.commit)
            await append_ns.time(_BLOCK, pages.append)

        await interleave(place.times(_ROUNDS), [block])
    return [
        Row("python, cores", f"{platform.python_version()}, {os.cpu_count()}"),
        _row("bare signed aiohttp POST", http_ns),
        _row("raw asyncio stream, same bytes", stream_ns),
        _row("one durable row, one hop", commit_ns),
        _row("fdatasync of one page", append_ns),
    ]


def _row(name: str, taken: Durations) -> Row:
    return Row(name, f"{taken.p50_us:.0f} us (p99 {taken.p99_us:.0f})")
