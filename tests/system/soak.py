"""Many decisions in live on a local testnet while faults strike at random; then the verdict.

    .venv/bin/python -m tests.system.soak [--decisions N] [--seed N] [--transport rest|ws|auto]
        [--market-data rest|streams] [--debug] [--apart [ROUNDS]]

Decisions come faster than they can be executed, at market and as resting limits, with REST, the
WebSocket API and the streams being struck by every fault that neither halts, nor pauses all
requests, nor bans. They come in batches: after each, both clocks are put ahead past the fence, and
no order may stay unknown. At the end each requirement is told with its figures, and the exit status
is 1 where one does not hold. ``--debug`` has asyncio look for mistakes, at a third of the speed.
``--apart`` runs the other faults one by one, with ``resume`` between them (see `soak_apart`).
"""

import argparse
import asyncio
import gc
import logging
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from otonom_trader.daemon.logs import configure_logging
from otonom_trader.domain.mode import DaemonState
from tests.system.harness import CLOCK, until
from tests.system.rig import Rig, rig
from tests.system.soak_apart import run_apart
from tests.system.soak_faults import KINDS, Storm
from tests.system.soak_trading import all_at_their_end, come_to_rest, every, listed, trade
from tests.system.venue_process import FarMarket, far_venue

AT_ONCE = 24
BATCH = 400
# The fence is 13 s; a connection that lived longer than 30 s is replaced at once.
_QUIET_SECONDS = 31.0
_SHAKES_A_BATCH = 8
_DECISIONS_A_STRIKE = 1000
_REACHED_PCT = 95
_REACHED_OF_FEW_PCT = 80
_GROWTH_MB = 10.0
_TELLING_BATCHES = 100
# Connections that are being closed are a task each.
_TASKS_MORE = 3


class Requirement(NamedTuple):
    """One thing that must hold, and what was seen."""

    name: str
    holds: bool
    seen: str


@dataclass
class Soak:
    """One run: what was ordered, what came of it, and what it took."""

    decisions: int
    seed: int
    transport: str
    market_data: str = "streams"
    timeout_seconds: float = 0.3
    """What an answer may take: on a busy machine a short one leaves half of the orders unknown."""
    struck: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    denials: Counter[str] = field(default_factory=Counter)
    reached: int = 0
    most_accepted: int = 0
    left_unknown: int = 0
    disagreement: str = ""
    halted: str = ""
    seconds: float = 0.0
    resident_mb: list[float] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    tasks_left: int = 0

    async def run(self, folder: Path) -> None:
        """Trade, let everything come to rest, and hold it to the oracle."""
        before = len(asyncio.all_tasks())
        began_ns = CLOCK.monotonic_ns()
        async with AsyncExitStack() as stack:
            venue, jump = await stack.enter_async_context(far_venue(folder, FarMarket(self.seed)))
            one = await stack.enter_async_context(
                rig(
                    folder,
                    venue=venue,
                    jump=jump,
                    order_transport=self.transport,
                    market_data=self.market_data,
                    timeout_seconds=self.timeout_seconds,
                )
            )
            storm = Storm(one, min(0.02, max(0.003, 120 / self.decisions)))
            await self._trade(one, storm)
            self.struck = await storm.struck()
            await come_to_rest(one)
            await self._judge(one)
            self.seconds = (CLOCK.monotonic_ns() - began_ns) / 1e9
        self.tasks_left = len(asyncio.all_tasks()) - before

    def requirements(self) -> list[Requirement]:
        """What must hold of a run; of a short one nothing about strikes and memory.

        One outage keeps a larger part of few decisions than of many.
        """
        tells = len(self.resident_mb) >= _TELLING_BATCHES
        least_pct = _REACHED_PCT if tells else _REACHED_OF_FEW_PCT
        strikes = self.decisions // _DECISIONS_A_STRIKE if tells else 0
        rarest = min(KINDS, key=lambda kind: self.struck[kind])
        reached_pct = 100 * self.reached / self.decisions
        tenth = max(1, len(self.resident_mb) // 10)
        # What is of a fixed size fills first, over some thousands of decisions.
        first, last = mean(self.resident_mb[tenth:][:tenth]), mean(self.resident_mb[-tenth:])
        tasks_first, tasks_last = mean(self.tasks[:tenth]), mean(self.tasks[-tenth:])
        return [
            Requirement(
                "every kind of fault struck",
                self.struck[rarest] >= strikes,
                f"each at least {self.struck[rarest]} times ({rarest})",
            ),
            Requirement(
                "decisions reached the venue",
                reached_pct >= least_pct,
                f"{self.reached} of {self.decisions}, {reached_pct:.2f} %",
            ),
            Requirement(
                "at most one accepted order a decision",
                self.most_accepted <= 1,
                f"{self.most_accepted} at most",
            ),
            Requirement(
                "the journal equals the venue's truth", not self.disagreement, self.disagreement
            ),
            Requirement(
                "no order is UNKNOWN past its fence",
                not self.left_unknown,
                f"{self.left_unknown} at the end, none after any batch",
            ),
            Requirement("it never halted", not self.halted, self.halted),
            Requirement(
                "memory is flat",
                not tells or last - first <= _GROWTH_MB,
                f"{first:.0f} MB in the second tenth, {last:.0f} MB in the last"
                + ("" if tells else ": too short to tell"),
            ),
            Requirement(
                "no task is leaked",
                self.tasks_left == 0 and tasks_last <= tasks_first + _TASKS_MORE,
                f"{tasks_first:.1f} between batches in the first tenth, {tasks_last:.1f} in the "
                f"last, {self.tasks_left} after closing",
            ),
        ]

    async def _trade(self, one: Rig, storm: Storm) -> None:
        random = Random(self.seed)  # noqa: S311  repeats a run, keeps no secret
        await storm.begin()
        numbers = iter(range(self.decisions))
        batch = min(BATCH, max(1, self.decisions // 2))
        async with asyncio.TaskGroup() as tasks:
            chores = [
                tasks.create_task(every(0.5, one.settle)),
                tasks.create_task(every(1.0, one.chores.follow_resting)),
                tasks.create_task(every(2.0, lambda: one.recovery.refresh(one.floor))),
                tasks.create_task(every(20.0, lambda: one.recovery.look_over(one.floor))),
            ]
            while part := list(islice(numbers, batch)):
                await self._batch(one, storm, part, random)
                await self._pass_the_fence(one)
                gc.collect()
                self.resident_mb.append(resident_mb())
                self.tasks.append(len(asyncio.all_tasks()))
                progress(part[-1] + 1, self.decisions)
            for chore in chores:
                chore.cancel()

    async def _batch(self, one: Rig, storm: Storm, part: Sequence[int], random: Random) -> None:
        at = {part[place * len(part) // _SHAKES_A_BATCH] for place in range(_SHAKES_A_BATCH)}
        numbers = iter(part)

        async def work() -> None:
            for number in numbers:
                if number in at:
                    await storm.shake()
                await trade(one, random)

        async with asyncio.TaskGroup() as workers:
            for _ in range(AT_ONCE):
                workers.create_task(work())

    async def _pass_the_fence(self, one: Rig) -> None:
        """Put time ahead; from then on everything that was sent is found, or proven absent."""
        one.jump.seconds += _QUIET_SECONDS
        await until(lambda: not one.floor.resolver.unknown, "nothing UNKNOWN past its fence", 120)
        await until(lambda: all_at_their_end(one), "every order at its end", 120)
        # The connections that were opened meanwhile have lasted, and are replaced at once.
        one.jump.seconds += _QUIET_SECONDS

    async def _judge(self, one: Rig) -> None:
        self.halted = "" if one.state is DaemonState.RUNNING else one.switch.reason
        self.left_unknown = one.floor.resolver.unknown
        truth = one.venue.truth()
        placing = [
            request
            for request in truth["requests"]
            if (request["method"], request["path"])
            in (("POST", "/api/v3/order"), ("WS", "order.place"))
        ]
        self.reached = len({request["clientOrderId"] for request in placing})
        executions = await one.journal.executions(self.decisions + 1)
        self.outcomes.update(str(row["outcome"]) for row in executions)
        denied = (row for row in executions if row["outcome"] == "denied")
        self.denials.update(str(row["broker_message"])[:80] for row in denied)
        decisions = {row["client_order_id"]: row["decision_id"] for row in executions}
        accepted = Counter(
            decisions[order["origClientOrderId"]]
            for order in truth["orders"]
            if order["account"] == "trader"
        )
        self.most_accepted = max(accepted.values(), default=0)
        try:
            await one.agree(truth)
        except AssertionError as difference:
            self.disagreement = str(difference)[:2000] or "it does not"


def resident_mb() -> float:
    """What this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def mean(figures: Sequence[float]) -> float:
    """The mean, 0 of none."""
    return sum(figures) / max(1, len(figures))


class AsyncioWarnings(logging.Handler):
    """What asyncio's debug mode says, apart from callbacks that took long: those tell of the load.

    Coroutines that were never awaited and resources that were never closed come as warnings.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        self.slow = 0

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith("Executing "):
            self.slow += 1
        else:
            self.said.append(text)


def progress(done: int, of: int) -> None:
    """Say how far a long run is."""
    if sys.stderr.isatty() or done % 2000 < BATCH:
        sys.stderr.write(f"{CLOCK.now():%H:%M:%S} {done} of {of}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description="Prints what came of it.")
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transport", choices=("rest", "ws", "auto"), default="auto")
    parser.add_argument("--market-data", choices=("rest", "streams"), default="streams")
    parser.add_argument("--debug", action="store_true", help="with asyncio's debug mode")
    parser.add_argument("--apart", type=int, nargs="?", const=10, help="the other faults, so often")
    given = parser.parse_args()
    configure_logging("json", "critical")
    with tempfile.TemporaryDirectory() as folder:
        if given.apart:
            return asyncio.run(run_apart(Path(folder), given.seed, given.apart, sys.stdout.write))
        soak = Soak(given.decisions, given.seed, given.transport, given.market_data)
        heard = AsyncioWarnings()
        logging.getLogger("asyncio").addHandler(heard)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            asyncio.run(soak.run(Path(folder)), debug=given.debug)
            gc.collect()
    heard.said += [str(one.message) for one in warned]
    requirements = soak.requirements()
    if given.debug:
        said = f"{len(heard.said)}, besides {heard.slow} of slow callbacks: {heard.said[:20]}"
        requirements.append(Requirement("asyncio warns of nothing", not heard.said, said))
    return tell(soak, requirements)


def tell(soak: Soak, requirements: Sequence[Requirement]) -> int:
    """Print what came of a run; return the exit status."""
    say = sys.stdout.write
    pace = soak.decisions / soak.seconds
    say(f"{soak.decisions} decisions in {soak.seconds:.0f} s, {pace:.0f} a second\n")
    for title, counts in (
        ("outcomes", soak.outcomes),
        ("denied", soak.denials),
        ("faults", soak.struck),
    ):
        say(f"{title}: {listed(counts)}\n")
    tenths = soak.resident_mb[:: max(1, len(soak.resident_mb) // 10)]
    say(f"resident MB: {', '.join(f'{each:.0f}' for each in tenths)}\n")
    return tell_requirements(requirements)


def tell_requirements(requirements: Sequence[Requirement]) -> int:
    """Print whether each holds; return the exit status."""
    for one in requirements:
        said = one.seen and f": {one.seen}"
        sys.stdout.write(f"{'holds ' if one.holds else 'BROKEN'} {one.name}{said}\n")
    return 0 if all(one.holds for one in requirements) else 1


if __name__ == "__main__":
    sys.exit(main())
