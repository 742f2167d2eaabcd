"""Row 4: durable decisions through the dummy broker against one-row commits of the same disk."""

import asyncio
import os
from functools import partial

from benchmarks.disk import OneRowCommits
from benchmarks.installation import DUMMY, Counter, configure, open_counter
from benchmarks.measure import CLOCK, Durations, Row, interleave
from benchmarks.process import resident_mb
from benchmarks.workplace import Workplace

_BLOCK = 100
_ROUNDS = 15
_CONCURRENT = 8
_AT_LEAST = 0.25
_LOOKS = 2_000, 10_000, 20_000
_MOST_GROWTH_MB = 5.0  # between the last two looks: before, SQLite's page cache fills to 16 MiB


async def measure_durable(place: Workplace) -> list[Row]:
    """Decisions a second, one at a time and eight at once, and what many of them leave behind."""
    folder = configure(place.new_folder("durable"), DUMMY)
    alone, together, commits = Durations(), Durations(), Durations()
    async with open_counter(folder) as counter, OneRowCommits(folder / "rows.db") as disk:
        await _at_once(counter, Durations())
        await interleave(
            place.times(_ROUNDS),
            [
                partial(commits.time, _BLOCK, disk.commit),
                partial(alone.time, _BLOCK, counter.decide),
                partial(_at_once, counter, together),
            ],
        )
        looks = [place.times(total) for total in _LOOKS]
        resident = [await _resident_after(total, counter) for total in looks]
    floor = _a_second(commits)
    grown_mb = resident[-1] - resident[-2]
    return [
        Row("  beside it: one-row FULL commits", f"{floor:.0f} /s"),
        _against("4 durable decisions, one at a time", alone, floor),
        _against(f"  the same, {_CONCURRENT} at once", together, floor),
        Row(
            f"  resident after {', '.join(f'{total:,}' for total in looks)}",
            ", ".join(f"{mb:.0f}" for mb in resident) + " MB",
            f"<= {_MOST_GROWTH_MB:g} MB more at last",
            grown_mb / _MOST_GROWTH_MB,
            grown_mb <= _MOST_GROWTH_MB,
        ),
    ]


async def _at_once(counter: Counter, taken: Durations) -> None:
    """A block with several on their way; each counts with its share of the block's time."""
    began_ns = CLOCK.monotonic_ns()

    async def work() -> None:
        for _ in range(_BLOCK // _CONCURRENT):
            await counter.decide()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_CONCURRENT):
            tasks.create_task(work())
    done = _BLOCK // _CONCURRENT * _CONCURRENT
    taken.all_ns += [(CLOCK.monotonic_ns() - began_ns) // done] * done


async def _resident_after(total: int, counter: Counter) -> float:
    done = next(counter.numbers)
    while done < total:
        await counter.desk.broker.refresh()  # as the daemon does every few seconds
        await _at_once(counter, Durations())
        done = next(counter.numbers)
    return resident_mb(os.getpid())


def _a_second(taken: Durations) -> float:
    return len(taken.all_ns) / (sum(taken.all_ns) / 1e9)


def _against(name: str, taken: Durations, floor: float) -> Row:
    rate = _a_second(taken)
    return Row(
        name,
        f"{rate:.0f} /s",
        f">= {_AT_LEAST:g} x one-row commits",
        rate / floor,
        rate / floor >= _AT_LEAST,
    )
