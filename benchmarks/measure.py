"""Durations, and what is said of them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from otonom_trader.domain.clock import SystemClock

_Result = TypeVar("_Result")

CLOCK = SystemClock()


@dataclass(slots=True)
class Durations:
    """Durations of one thing, in nanoseconds."""

    all_ns: list[int] = field(default_factory=list)

    @property
    def p50_us(self) -> float:
        """The median, in microseconds."""
        return self.percentile_us(0.5)

    @property
    def p99_us(self) -> float:
        """What one in a hundred exceeds, in microseconds."""
        return self.percentile_us(0.99)

    def percentile_us(self, share: float) -> float:
        """The smallest duration that `share` of all do not exceed, in microseconds."""
        ranked = sorted(self.all_ns)
        return ranked[min(int(len(ranked) * share), len(ranked) - 1)] / 1000

    def of(self, call: Callable[[], _Result]) -> _Result:
        """Call once and give what it returns."""
        began_ns = CLOCK.monotonic_ns()
        result = call()
        self.all_ns.append(CLOCK.monotonic_ns() - began_ns)
        return result

    async def time(self, count: int, call: Callable[[], Awaitable[object]]) -> None:
        """Call `count` times, one after the other."""
        for _ in range(count):
            began_ns = CLOCK.monotonic_ns()
            await call()
            self.all_ns.append(CLOCK.monotonic_ns() - began_ns)


Block = Callable[[], Awaitable[None]]
"""A part of one measurement, short enough to alternate with parts of others."""


async def interleave(rounds: int, blocks: Sequence[Block]) -> None:
    """Run all `blocks` in turn, `rounds` times, so that a busy moment falls on each of them."""
    for _ in range(rounds):
        for block in blocks:
            await block()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `within` is None where there is no target."""

    name: str
    measured: str
    target: str = ""
    ratio: float | None = None
    within: bool | None = None


def against(
    name: str, ours: Durations, theirs: Durations, baseline: str, at_most: float | None
) -> Row:
    """Return the row that says how much longer `ours` takes than `theirs`, by medians."""
    ratio = ours.p50_us / theirs.p50_us
    return Row(
        name,
        f"{ours.p50_us:.0f} us (p99 {ours.p99_us:.0f})",
        f"<= {at_most:g} x {baseline}" if at_most is not None else f"beside {baseline}",
        ratio,
        None if at_most is None else ratio <= at_most,
    )
