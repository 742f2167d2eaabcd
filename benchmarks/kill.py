"""Row 5: the kill, from the signal to a restart that stays halted, in a daemon that is busy.

Live on a local testnet, whose answers take a while, and before each kill so long that connections
are wanting: orders then wait on record for one, which is where a kill must find them; the journal
tells when. What is counted is what the daemon's
journal and the testnet's own books tell afterwards. ``python -m benchmarks.kill FOLDER TIMES``
prints it for a few trips.
"""

import asyncio
import ctypes
import json
import os
import select
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from benchmarks.disk import Appends
from benchmarks.installation import binance, configure
from benchmarks.measure import CLOCK, Durations, Row
from benchmarks.process import TRADER, child, cpu_seconds, daemon, line_of
from benchmarks.workplace import Workplace
from otonom_trader.brokers.binance.transport.rest import MAX_CONNECTIONS
from otonom_trader.daemon.control import SOCKET_NAME, ask
from otonom_trader.daemon.kill import LATCH
from otonom_trader.domain.errors import TraderError

_TRIPS = 100
_TRIPS_AT_ONE_VENUE = 5
"""A daemon learns its limits only once it may ask for them: the venue's first 6,000 must last."""
_LEAST_BETWEEN_PCT = 80
_OFFERED_A_SECOND, _AT_LEAST_A_SECOND = 300, 200
_BURST_SECONDS = 0.02
_SETTLED_SECONDS, _MEASURED_SECONDS, _AT_MOST_LATER_SECONDS = 0.5, 0.4, 0.5
_ANSWER_MS = 130  # 32 connections then carry some 240 orders a second
_HELD_MS = 1_000
_BEYOND_CONNECTIONS = MAX_CONNECTIONS + 4
_TARGET_MS = 10.0
CLOCKS_MS = 50.0  # how far off the daemon's estimate of the venue's clock may be when busy
_LOOK_MS = 2_000
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.02
_IN_MODIFY = 0x2  # of inotify(7)
_UNLIMITED = (
    "weight_per_minute", "orders_per_10_seconds", "orders_per_day", "raw_requests_per_5_minutes",
)  # fmt: skip


@dataclass(slots=True)
class Trips:
    """What many kills showed, each of a daemon started anew."""

    taken: Durations = field(default_factory=Durations)
    decisions: int = 0
    seconds: float = 0.0
    busy_seconds: float = 0.0
    caught_between: int = 0
    """How many kills found an order judged and on record, that the gate then kept."""
    accepted: int = 0
    latest_ms: float = float("-inf")
    """When the last accepted order was signed, from the latch on."""
    halted_restarts: int = 0


async def measure_kill(place: Workplace) -> list[Row]:
    """SIGUSR1 to the first byte in the latch file, under load; what left; what a restart does."""
    trips = await trip(place.new_folder("kill"), times := place.times(_TRIPS))
    fsyncs = Durations()
    async with Appends(place.folder / "kill" / "pages") as pages:
        await fsyncs.time(100, pages.append)
    p99_ms, limit_ms = trips.taken.p99_us / 1000, _TARGET_MS + fsyncs.p50_us / 1000
    rate = trips.decisions / trips.seconds
    between_pct = 100 * trips.caught_between / times
    return [
        Row(
            f"5 kill signal to latch, {times} trips",
            f"p50 {trips.taken.p50_us / 1000:.2f} ms, p99 {p99_ms:.2f} ms",
            f"p99 <= {_TARGET_MS:g} ms + one fsync",
            p99_ms / limit_ms,
            p99_ms <= limit_ms,
        ),
        Row(
            f"  decisions meanwhile, core {100 * trips.busy_seconds / trips.seconds:.0f} % busy",
            f"{rate:.0f} /s",
            f">= {_AT_LEAST_A_SECOND} /s",
            _AT_LEAST_A_SECOND / rate,
            rate >= _AT_LEAST_A_SECOND,
        ),
        Row(
            "  an order between judgement and write",
            f"in {trips.caught_between} of {times}",
            f">= {_LEAST_BETWEEN_PCT} %",
            _LEAST_BETWEEN_PCT / max(between_pct, 1),
            between_pct >= _LEAST_BETWEEN_PCT,
        ),
        Row(
            f"  last signature of {trips.accepted:,} accepted",
            f"{trips.latest_ms:+.1f} ms from the latch",
            f"<= {CLOCKS_MS:g} ms, the clocks",
            None,
            trips.latest_ms <= CLOCKS_MS,
        ),
        Row(
            "  restarts that were halted",
            f"{trips.halted_restarts} of {times}",
            "all",
            None,
            trips.halted_restarts == times,
        ),
    ]


async def trip(folder: Path, times: int) -> Trips:
    """Kill a busy daemon so many times, end it, and look at how the next one starts."""
    trips, random = Trips(), Random(5)  # noqa: S311  when to kill, no secret
    for first in range(0, times, _TRIPS_AT_ONE_VENUE):
        place = folder / f"from-{first}"
        place.mkdir()
        async with _venue() as venue:
            _configure(place, venue.url)
            await _trip_at(venue, place, min(_TRIPS_AT_ONE_VENUE, times - first), random, trips)
    return trips


async def _trip_at(venue: "_Venue", folder: Path, times: int, random: Random, trips: Trips) -> None:
    numbers = count()
    for number in range(times + 1):
        async with daemon(folder) as process:
            if number:
                trips.halted_restarts += await _state(folder) == "HALTED"
            if number == times:
                return
            if number:
                await _resumed(folder)
            await _in_state(folder, "RUNNING")
            await venue.answers_after(_ANSWER_MS)
            with _watched(folder / LATCH) as latch:
                later_seconds = _MEASURED_SECONDS + random.random() * _AT_MOST_LATER_SECONDS
                await _kill_under_load(process, latch, venue, folder, numbers, later_seconds, trips)
            await _look_back(venue, folder, trips)
            process.kill()


def _configure(folder: Path, url: str) -> None:
    broker = binance(url, "live")
    broker["binance"]["market_data"] = "streams"
    configure(
        folder,
        broker,
        poll_interval_seconds=0.02,
        max_concurrent_decisions=96,
        sources=[{"type": "jsonl", "path": "load.jsonl", "name": "load"}],
        logging={"format": "json"},
    )
    (folder / "load.jsonl").touch()


async def _kill_under_load(
    process: Process,
    latch: "_Latch",
    venue: "_Venue",
    folder: Path,
    numbers: Iterator[int],
    later_seconds: float,
    trips: Trips,
) -> None:
    async with asyncio.TaskGroup() as tasks:
        load = tasks.create_task(_load(folder / "load.jsonl", numbers))
        await CLOCK.sleep(_SETTLED_SECONDS)
        before, busy, began_ns = (
            await _decided(folder),
            cpu_seconds(process.pid),
            CLOCK.monotonic_ns(),
        )
        await CLOCK.sleep(later_seconds)
        trips.decisions += await _decided(folder) - before
        trips.seconds += (CLOCK.monotonic_ns() - began_ns) / 1e9
        trips.busy_seconds += cpu_seconds(process.pid) - busy
        await venue.answers_after(_HELD_MS)
        await _until(lambda: _waits_for_a_connection(folder))
        trips.taken.all_ns.append(latch.time_signal(process.pid))
        load.cancel()


async def _look_back(venue: "_Venue", folder: Path, trips: Trips) -> None:
    """Count what this kill found, by the journal and by the venue's books."""
    await _until(lambda: _is_settled(folder))
    latch = json.loads((folder / LATCH).read_text().splitlines()[0])
    latched_ms = datetime.fromisoformat(latch["at"]).timestamp() * 1000
    rows = (await ask(folder / SOCKET_NAME, "orders", timeout_seconds=30, limit=1000))["rows"]
    kept = [
        row
        for row in rows
        if row["code"] == "kill_switch"
        and datetime.fromisoformat(row["recorded_at"]).timestamp() * 1000 <= latched_ms
        and datetime.fromisoformat(row["updated_at"]).timestamp() * 1000 >= latched_ms - 1
    ]
    trips.caught_between += bool(kept)
    kept_ids = {row["client_order_id"] for row in kept}
    for request in await venue.orders_since_last():
        if not request["accepted"]:
            continue
        assert request["clientOrderId"] not in kept_ids, "an order that was refused has left"
        trips.accepted += 1
        trips.latest_ms = max(trips.latest_ms, request["timestamp"] - latched_ms)


class _Venue:
    """A testnet in a process of its own, and what its books say."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session
        self._seen_ms = 0

    async def answers_after(self, answer_ms: int) -> None:
        """Have orders answered so late."""
        await self._session.delete(f"{self.url}/testnet/faults")
        fault = {"path": "/api/v3/order", "method": "POST", "fault": "delay_after"}
        wanted = fault | {"ms": answer_ms, "seconds": 3600}
        async with self._session.post(f"{self.url}/testnet/faults", json=wanted) as reply:
            assert reply.status == 200, await reply.text()

    async def orders_since_last(self) -> list[dict[str, Any]]:
        """The requests to place an order since this was asked last."""
        async with self._session.get(f"{self.url}/testnet/truth") as reply:
            requests = (await reply.json())["requests"]
        new = [
            one
            for one in requests
            if one["time"] > self._seen_ms
            and (one["method"], one["path"]) == ("POST", "/api/v3/order")
        ]
        self._seen_ms = max((one["time"] for one in requests), default=0)
        return new


@asynccontextmanager
async def _venue() -> AsyncIterator[_Venue]:
    limits = [part for name in _UNLIMITED for part in ("--limit", f"{name}=1000000000")]
    command = (
        *(*TRADER, "testnet", "--port", "0", "--api-key", "bench-key"),
        *("--api-secret", "bench-secret", "--balance", "USDT=10000000", "--balance", "BTC=100"),
        *("--market", "synthetic", "--speed", "60", "--seed", "7", *limits),
    )
    async with child(*command, is_quiet=True) as process, aiohttp.ClientSession() as session:
        yield _Venue((await line_of(process)).rpartition(" ")[2], session)


async def _load(path: Path, numbers: Iterator[int]) -> None:
    """Append decisions, buying and selling in turn, faster than the load that is asked for."""
    burst = round(_OFFERED_A_SECOND * _BURST_SECONDS)
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


async def _state(folder: Path) -> str:
    return str((await ask(folder / SOCKET_NAME, "status", timeout_seconds=30))["state"])


async def _in_state(folder: Path, state: str) -> None:
    async def has() -> bool:
        return await _state(folder) == state

    await _until(has)


async def _is_settled(folder: Path) -> bool:
    status = await ask(folder / SOCKET_NAME, "status", timeout_seconds=30)
    return not (
        status["decisions"].get("pending", 0)
        or status["decisions_in_flight"]
        or status["orders_unknown"]
    )


async def _waits_for_a_connection(folder: Path) -> bool:
    """Whether more orders are on record and not answered than there are connections."""
    status = await ask(folder / SOCKET_NAME, "status", timeout_seconds=30)
    pending: int = status["decisions"].get("pending", 0)
    return pending >= _BEYOND_CONNECTIONS


async def _resumed(folder: Path) -> None:
    async def is_resumed() -> bool:
        try:
            await ask(folder / SOCKET_NAME, "resume", timeout_seconds=30, reason="bench")
        except TraderError:
            return False  # the venue is not reached yet
        return True

    await _until(is_resumed)


async def _until(has_come: Callable[[], Awaitable[bool]]) -> None:
    deadline_ns = CLOCK.monotonic_ns() + int(_PATIENCE_SECONDS * 1e9)
    while not await has_come():
        assert CLOCK.monotonic_ns() < deadline_ns, "the daemon does not get there; see its log"
        await CLOCK.sleep(_PAUSE_SECONDS)


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


if __name__ == "__main__":
    shown = asdict(asyncio.run(trip(Path(sys.argv[1]), int(sys.argv[2]))))
    sys.stdout.write(json.dumps(shown | {"clocks_ms": CLOCKS_MS}) + "\n")
