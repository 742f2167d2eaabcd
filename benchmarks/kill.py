"""Row 5: from the kill signal to the latch, in a daemon that has work to do."""

import asyncio
import ctypes
import json
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from benchmarks.disk import Appends
from benchmarks.installation import DUMMY, configure
from benchmarks.measure import CLOCK, Durations, Row
from benchmarks.process import daemon
from benchmarks.workplace import Workplace
from otonom_trader.daemon.control import SOCKET_NAME, ask
from otonom_trader.daemon.kill import LATCH

_TRIPS = 40
_BETWEEN_SECONDS = 0.3
_OFFERED_A_SECOND, _AT_LEAST_A_SECOND = 250, 200
_BURST_SECONDS = 0.02
_TARGET_MS = 10.0
_LOOK_MS = 2_000
_IN_MODIFY = 0x2  # of inotify(7)


async def measure_kill(place: Workplace) -> list[Row]:
    """SIGUSR1 to the first byte in the latch file, while decisions come in; then resumed."""
    folder = configure(
        place.new_folder("kill"),
        DUMMY,
        poll_interval_seconds=0.02,
        sources=[{"type": "jsonl", "path": "load.jsonl", "name": "load"}],
        logging={"format": "json"},
    )
    taken, fsyncs = Durations(), Durations()
    async with daemon(folder) as process, asyncio.TaskGroup() as tasks:
        load = tasks.create_task(_load(folder / "load.jsonl"))
        with _watched(folder / LATCH) as latch:
            before, began_ns = await _decided(folder), CLOCK.monotonic_ns()
            for _ in range(place.times(_TRIPS)):
                await CLOCK.sleep(_BETWEEN_SECONDS)
                taken.all_ns.append(latch.time_signal(process.pid))
                await ask(folder / SOCKET_NAME, "resume", timeout_seconds=30, reason="bench")
            seconds = (CLOCK.monotonic_ns() - began_ns) / 1e9
            rate = (await _decided(folder) - before) / seconds
        load.cancel()
    async with Appends(folder / "pages") as pages:
        await fsyncs.time(100, pages.append)
    p99_ms, limit_ms = taken.p99_us / 1000, _TARGET_MS + fsyncs.p50_us / 1000
    return [
        Row(
            f"5 kill signal to latch, {len(taken.all_ns)} trips",
            f"p50 {taken.p50_us / 1000:.2f} ms, p99 {p99_ms:.2f} ms",
            f"p99 <= {_TARGET_MS:g} ms + one fsync",
            p99_ms / limit_ms,
            p99_ms <= limit_ms,
        ),
        Row(
            "  decisions recorded meanwhile",
            f"{rate:.0f} /s",
            f">= {_AT_LEAST_A_SECOND} /s",
            rate / _AT_LEAST_A_SECOND,
            rate >= _AT_LEAST_A_SECOND,
        ),
    ]


async def _load(path: Path) -> None:
    """Append decisions, buying and selling in turn, faster than the load that is asked for."""
    burst = round(_OFFERED_A_SECOND * _BURST_SECONDS)
    numbers = count()
    with path.open("a") as file:
        while True:
            for number in (next(numbers) for _ in range(burst)):
                decision = {
                    "id": f"load-{number}",
                    "symbol": "BTC-USDT",
                    "direction": "SELL" if number % 2 else "BUY",
                    "qty": "0.001",
                    "created_at": CLOCK.now().isoformat(),
                }
                file.write(json.dumps(decision) + "\n")
            file.flush()
            await CLOCK.sleep(_BURST_SECONDS)


async def _decided(folder: Path) -> int:
    status = await ask(folder / SOCKET_NAME, "status", timeout_seconds=30)
    return sum(status["decisions"].values())


class _Latch:
    """A latch file whose every change the kernel tells of: nothing has to spin meanwhile."""

    def __init__(self, path: Path, inotify_fd: int) -> None:
        self._path = path
        self._fd = inotify_fd
        self._changes = select.poll()
        self._changes.register(inotify_fd, select.POLLIN)

    def time_signal(self, pid: int) -> int:
        """Send the kill signal; return how long the latch then stayed empty, in nanoseconds."""
        if self._changes.poll(0):
            os.read(self._fd, 65_536)  # of the resume before
        began_ns = CLOCK.monotonic_ns()
        os.kill(pid, signal.SIGUSR1)
        told = self._changes.poll(_LOOK_MS)
        taken_ns = CLOCK.monotonic_ns() - began_ns
        assert told, "the latch was not written"
        assert self._path.stat().st_size > 0, "the latch is empty"
        return taken_ns


@contextmanager
def _watched(path: Path) -> Iterator[_Latch]:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    assert fd >= 0, os.strerror(ctypes.get_errno())
    try:
        watch = libc.inotify_add_watch(fd, os.fsencode(path), _IN_MODIFY)
        assert watch >= 0, os.strerror(ctypes.get_errno())
        yield _Latch(path, fd)
    finally:
        os.close(fd)
