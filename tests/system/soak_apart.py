"""The faults that halt, pause all requests or ban, one by one while decisions come.

Each begins in the middle of trading; once its sign is seen it is ended as an operator would end
it: by waiting, by mending what was wrong, and with ``resume`` where it halted. Then trading goes
on, and at the end the same oracle is asked as after a soak.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from otonom_trader.brokers.binance.errors import Paused
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.mode import DaemonState
from tests.system.harness import until
from tests.system.rig import FENCE_SECONDS, Rig, rig
from tests.system.soak_trading import come_to_rest, every, listed, trade
from tests.system.venue_process import FarMarket, far_venue

AT_ONCE = 8
_PATHS = {"rest": "/api/v3/order", "ws": "order.place"}
_BEFORE_AND_AFTER = 20
# None of these faults keeps an answer back, and on a busy machine one may take its time.
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ordeal:
    """A fault, what it is recognised by, and how it is ended.

    With `paused_seconds` everything is silent for so long; otherwise it halts, for a reason that
    contains `halts_for`, unless that is empty: then it only shows in outcomes.
    """

    name: str
    begin: Callable[[Rig, str], Awaitable[object]]
    end: Callable[[Rig], Awaitable[object]] | None = None
    paused_seconds: float = 0.0
    halts_for: str = ""
    transports: tuple[str, ...] = ("rest", "ws")


def struck(name: str, **more: Any) -> Callable[[Rig, str], Awaitable[object]]:
    """Have the next order struck."""
    return lambda one, transport: one.fault(name, _PATHS[transport], **more)


def told(path: str, **body: Any) -> Callable[..., Awaitable[object]]:
    """Change something at the venue."""
    return lambda one, *_: one.ask(path, body)


async def withdrawals_allowed(one: Rig, _: str) -> None:
    await one.ask(_KEY, {"can_withdraw": True})
    await one.chores.check_key()


_KEY, _SYMBOL = "keys/trader-key", "symbols/BTCUSDT"
ORDEALS = (
    Ordeal("html_403", struck("html_403"), paused_seconds=60, transports=("rest",)),
    Ordeal(
        "html_403, not executed",
        struck("html_403", executed=False),
        paused_seconds=60,
        transports=("rest",),
    ),
    Ordeal("rate_429", struck("rate_429", retry_after_s=7), paused_seconds=7),
    Ordeal("ban_418", struck("ban_418", retry_after_s=90), paused_seconds=90),
    Ordeal("wrong_reply", struck("wrong_reply"), halts_for="the reply tells of"),
    Ordeal(
        "the key is revoked",
        told(_KEY, revoked=True),
        told(_KEY, revoked=False),
        halts_for="the venue refuses the key",
    ),
    Ordeal(
        "the key may not trade",
        told(_KEY, can_trade=False),
        told(_KEY, can_trade=True),
        halts_for="the venue refuses the key",
    ),
    Ordeal(
        "the key may withdraw",
        withdrawals_allowed,
        told(_KEY, can_withdraw=False),
        halts_for="the key may withdraw",
    ),
    Ordeal("the clock is 5 s ahead", told("clock", skew_ms=5000), told("clock", skew_ms=0)),
    Ordeal("the clock is 5 s behind", told("clock", skew_ms=-5000), told("clock", skew_ms=0)),
    Ordeal("the symbol is halted", told(_SYMBOL, status="HALT"), told(_SYMBOL, status="TRADING")),
)


@dataclass
class Apart:
    """Ordeals over one transport, `rounds` times each."""

    transport: str
    rounds: int
    seed: int
    ordeals: Sequence[Ordeal] = ORDEALS
    came_to: dict[str, Counter[str]] = field(default_factory=dict)
    """What the decisions came to that were made during each ordeal."""

    async def run(self, folder: Path) -> None:
        """Go through all of them; raises ``AssertionError`` where one ends otherwise."""
        random = Random(self.seed)  # noqa: S311  repeats a run, keeps no secret
        async with AsyncExitStack() as stack:
            venue, jump = await stack.enter_async_context(far_venue(folder, FarMarket(self.seed)))
            one = await stack.enter_async_context(
                rig(
                    folder,
                    venue=venue,
                    jump=jump,
                    order_transport=self.transport,
                    timeout_seconds=_PATIENCE_SECONDS,
                )
            )
            for _ in range(self.rounds):
                for ordeal in self.ordeals:
                    if self.transport in ordeal.transports:
                        await self._pass(one, ordeal, random)
            await come_to_rest(one)
            await one.agree()

    async def _pass(self, one: Rig, ordeal: Ordeal, random: Random) -> None:
        over, done = asyncio.Event(), Counter[str]()

        async def work() -> None:
            after = _BEFORE_AND_AFTER // AT_ONCE
            while after:
                if over.is_set():
                    after -= 1
                row = await trade(one, random)
                done[row.outcome] += 1

        async with asyncio.TaskGroup() as tasks:
            chores = [
                tasks.create_task(every(0.2, one.settle)),
                tasks.create_task(every(0.5, lambda: one.recovery.refresh(one.floor))),
                tasks.create_task(every(1.0, one.chores.follow_resting)),
            ]
            workers = [tasks.create_task(work()) for _ in range(AT_ONCE)]
            await until(lambda: done.total() >= _BEFORE_AND_AFTER, f"trading before {ordeal.name}")
            await ordeal.begin(one, self.transport)
            await self._meet(one, ordeal, done)
            over.set()
            while not all(worker.done() for worker in workers):
                # Late answers of before ask for silence as well.
                if ordeal.paused_seconds and await is_paused(one):
                    one.jump.seconds += ordeal.paused_seconds + 1
                await asyncio.wait(workers, timeout=0.2)
            one.jump.seconds += FENCE_SECONDS + 0.1
            await until(lambda: not one.floor.resolver.unknown, f"all known after {ordeal.name}")
            for chore in chores:
                chore.cancel()
        assert one.state is not DaemonState.HALTED, f"after {ordeal.name}: {one.switch.reason}"
        self.came_to[ordeal.name] = self.came_to.get(ordeal.name, Counter()) + done

    async def _meet(self, one: Rig, ordeal: Ordeal, done: Counter[str]) -> None:
        """See what the ordeal is recognised by, and end it."""
        seen = done.total()
        if ordeal.paused_seconds:
            await until(lambda: is_paused(one), f"a pause because of {ordeal.name}")
            assert one.state is not DaemonState.HALTED
            return
        if ordeal.halts_for:
            await until(lambda: one.state is DaemonState.HALTED, f"a halt because of {ordeal.name}")
            assert ordeal.halts_for in one.switch.reason, one.switch.reason
        else:
            await until(lambda: done.total() >= seen + _BEFORE_AND_AFTER, f"{ordeal.name} at work")
        if ordeal.end is not None:
            await ordeal.end(one)
        if ordeal.halts_for:
            await one.recovery.resume(one.floor, f"{ordeal.name}: mended")


async def is_paused(one: Rig) -> bool:
    """Whether nothing may be asked."""
    try:
        await one.broker.venue.get_account()
    except Paused:
        return True
    except VenueError:
        pass
    return False


async def run_apart(folder: Path, seed: int, rounds: int, say: Callable[[str], object]) -> int:
    """Run all ordeals over both transports and say what came of them; return the exit status."""
    for transport in _PATHS:
        apart = Apart(transport, rounds, seed)
        (folder / transport).mkdir()
        await apart.run(folder / transport)
        say(f"{transport}: {rounds} times each, resumed where it halted\n")
        for name, counts in apart.came_to.items():
            say(f"  {name}: {listed(counts)}\n")
    say("journal equals truth, nothing unknown, no decision executed twice\n")
    return 0
