"""Row 7: what the daemon takes while there is nothing to do."""

from benchmarks.installation import binance, configure
from benchmarks.measure import CLOCK, Row
from benchmarks.process import TRADER, child, cpu_seconds, daemon, line_of, resident_mb
from benchmarks.workplace import Workplace

_SETTLE_SECONDS, _WATCH_SECONDS = 3, 20
_MOST_CPU_PCT, _MOST_MB = 1.0, 100.0


async def measure_idle(place: Workplace) -> list[Row]:
    """The daemon in shadow, with the shipped schedule, against a local testnet."""
    keys = ("--api-key", "bench-key", "--api-secret", "bench-secret")
    async with child(*TRADER, "testnet", *keys) as testnet:
        url = (await line_of(testnet)).rpartition(" ")[2]
        folder = configure(place.new_folder("idle"), binance(url, "shadow"))
        async with daemon(folder) as process:
            await CLOCK.sleep(_SETTLE_SECONDS)
            before, began_ns = cpu_seconds(process.pid), CLOCK.monotonic_ns()
            await CLOCK.sleep(place.times(_WATCH_SECONDS))
            busy = cpu_seconds(process.pid) - before
            cpu_pct = busy / ((CLOCK.monotonic_ns() - began_ns) / 1e9) * 100
            memory_mb = resident_mb(process.pid)
    return [
        Row(
            "7 idle processor",
            f"{cpu_pct:.2f} %",
            f"< {_MOST_CPU_PCT:g} %",
            cpu_pct / _MOST_CPU_PCT,
            cpu_pct < _MOST_CPU_PCT,
        ),
        Row(
            "  idle memory",
            f"{memory_mb:.0f} MB",
            f"<= {_MOST_MB:g} MB",
            memory_mb / _MOST_MB,
            memory_mb <= _MOST_MB,
        ),
    ]
