"""Many decisions in live on the local testnet while faults strike at random; then the oracle.

    .venv/bin/python -m tests.system.soak [--decisions N] [--seed N] [--transport rest|ws|auto]

Decisions come faster than they can be executed, at market and as resting limits, with REST, the
WebSocket API and the streams being struck by every fault that neither halts, nor pauses all
requests, nor bans. At the end there must be at most one accepted order a decision, nothing unknown,
and a journal that equals the venue's own truth. Prints how often each fault struck and what the
decisions came to.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from otonom_trader.daemon.logs import configure_logging
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.decision import Direction
from otonom_trader.domain.mode import DaemonState
from otonom_trader.testnet import (
    AccountConfig,
    HistoryCaps,
    LocalTestnet,
    MarketSpec,
    RateLimits,
    TestnetConfig,
)
from tests.system.harness import until
from tests.system.rig import Jump, Rig, TheirClock, rig

CLOCK = SystemClock()
AT_ONCE = 16
_UNLIMITED = RateLimits(10**9, 10**9, 10**9, 10**9, 10**9)

# What strikes an order or a cancel, by path, and with which probability.
OF_REQUESTS: dict[str, Mapping[str, Any]] = {
    "drop_before": {},
    "drop_after": {},
    "no_answer_before": {},
    "no_answer_after": {},
    "delay_before": {"ms": 400},
    "delay_after": {"ms": 400},
    "truncate_json": {},
    "error_1006": {},
    "error_1007": {},
    "error_1008": {},
}
ONLY_REST: dict[str, Mapping[str, Any]] = {
    "reset_mid_reply": {},
    "html_502": {},
    "http_503": {},
    "redirect": {},
    "slow_drip": {"ms": 20},
}
OF_STREAMS: dict[str, Mapping[str, Any]] = {
    "duplicate": {},
    "reorder": {},
    "delay": {"ms": 50},
    "omit": {},
}
# These strike whoever listens: they are ordered now and then.
OF_CONNECTIONS = ("drop", "server_shutdown", "terminate")


@dataclass
class Soak:
    """One run: what was ordered, what came of it, and what it took."""

    decisions: int
    seed: int
    transport: str
    struck: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    seconds: float = 0.0
    resident_mb: list[float] = field(default_factory=list)
    tasks_left: int = 0

    async def run(self, folder: Path) -> None:
        """Trade, let everything come to rest, and hold it to the oracle."""
        jump = Jump()
        trader = AccountConfig(
            api_key="trader-key",
            api_secret="trader-secret",
            name="trader",
            balances={"USDT": Decimal(10_000_000), "BTC": Decimal(200)},
        )
        config = TestnetConfig(
            accounts=(trader,),
            market=MarketSpec("synthetic"),
            speed=Decimal(60),
            limits=_UNLIMITED,
            seed=self.seed,
            clock=TheirClock(jump),
            history=HistoryCaps(orders_per_account=10**7, requests=10**7),
        )
        before = len(asyncio.all_tasks())
        began_ns = CLOCK.monotonic_ns()
        async with AsyncExitStack() as stack:
            venue = await stack.enter_async_context(LocalTestnet(config))
            one = await stack.enter_async_context(
                rig(folder, venue=venue, jump=jump, order_transport=self.transport)
            )
            await self._trade(one)
            await self._come_to_rest(one)
            await one.agree()
            self._count(one)
            self.outcomes.update(
                str(row["outcome"]) for row in await one.journal.executions(self.decisions + 1)
            )
        self.seconds = (CLOCK.monotonic_ns() - began_ns) / 1e9
        self.tasks_left = len(asyncio.all_tasks()) - before

    async def _trade(self, one: Rig) -> None:
        random = Random(self.seed)  # noqa: S311  repeats a run, keeps no secret
        await self._order_faults(one)
        numbers = iter(range(self.decisions))
        async with asyncio.TaskGroup() as tasks:
            chores = [
                tasks.create_task(every(0.5, one.floor.resolver.settle_unknown)),
                tasks.create_task(every(2.0, lambda: one.recovery.refresh(one.floor))),
                tasks.create_task(every(20.0, lambda: one.recovery.look_over(one.floor))),
                tasks.create_task(every(3.0, lambda: self._shake(one, random))),
            ]

            async def work() -> None:
                for number in numbers:
                    await one.decide(**await self._decision(one, random))
                    if number % (self.decisions // 10 or 1) == 0:
                        gc.collect()
                        self.resident_mb.append(resident_mb())

            async with asyncio.TaskGroup() as workers:
                for _ in range(AT_ONCE):
                    workers.create_task(work())
            for chore in chores:
                chore.cancel()

    async def _order_faults(self, one: Rig) -> None:
        probability = min(0.02, max(0.002, 120 / self.decisions))
        paths = {"rest": ("/api/v3/order",), "ws": ("order.place", "order.cancel")}
        wanted = [path for name, kind in paths.items() for path in kind]
        for path in wanted:
            faults = OF_REQUESTS | ONLY_REST if path.startswith("/") else OF_REQUESTS
            for name, more in faults.items():
                for executed in (
                    (True, False) if name.startswith(("html", "http", "error")) else (None,)
                ):
                    said = {} if executed is None else {"executed": executed}
                    await one.fault(name, path, probability=probability, **more, **said)
        for name, more in OF_STREAMS.items():
            await one.fault(name, "user", probability=probability, **more)

    async def _shake(self, one: Rig, random: Random) -> None:
        name = random.choice(OF_CONNECTIONS)
        self.struck[name] += 1
        await one.fault(name, "user", **({"ms": 300} if name == "server_shutdown" else {}))

    async def _decision(self, one: Rig, random: Random) -> dict[str, Any]:
        """At market, or a limit that rests for a second or two."""
        given: dict[str, Any] = {
            "qty": f"0.{random.randint(100, 900):05d}",
            "direction": random.choice((Direction.BUY, Direction.SELL)),
        }
        if random.random() < 0.3:
            mark = (await one.broker.venue.get_market("BTCUSDT")).mark
            if mark is not None:
                away = Decimal(random.randint(-5, 5)) / 10_000
                given["price"] = (mark * (1 + away)).quantize(Decimal("0.01"))
                given["expires_at"] = one.clock.now() + timedelta(seconds=random.uniform(0.5, 3))
        return given

    async def _come_to_rest(self, one: Rig) -> None:
        await one.mend()
        await one.resolve()

        async def settled() -> bool:
            await one.floor.resolver.settle_unknown()
            await one.recovery.refresh(one.floor)
            return not one.broker.outcomes.open_orders

        await until(settled, "every order at its end", seconds=60)
        assert one.state is DaemonState.RUNNING, one.switch.reason
        assert await one.recovery.look_over(one.floor) == []

    def _count(self, one: Rig) -> None:
        requests = one.venue.truth()["requests"]
        self.struck.update(request["fault"] for request in requests if request["fault"])
        placed = {r["clientOrderId"] for r in requests if r["method"] in ("POST", "WS")}
        self.sent = len(placed)


async def every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await CLOCK.sleep(seconds)
        await work()


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description="Prints what came of it.")
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transport", choices=("rest", "ws", "auto"), default="auto")
    given = parser.parse_args()
    configure_logging("json", "critical")
    soak = Soak(given.decisions, given.seed, given.transport)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(soak.run(Path(folder)), debug=False)
    tell(soak)
    return 0


def tell(soak: Soak) -> None:
    say = sys.stdout.write
    say(f"{soak.decisions} decisions in {soak.seconds:.0f} s, {soak.sent} reached the venue\n")
    for title, counts in (("outcomes", soak.outcomes), ("faults", soak.struck)):
        say(f"{title}: {', '.join(f'{count} {name}' for name, count in counts.most_common())}\n")
    say(f"resident MB by tenths: {', '.join(f'{each:.0f}' for each in soak.resident_mb)}\n")
    say(f"tasks left: {soak.tasks_left}\n")
    say("journal equals truth, nothing unknown, no decision executed twice\n")


if __name__ == "__main__":
    sys.exit(main())
