"""A flood of decisions in live on a local testnet, and whether it ever carries more than it may.

    .venv/bin/python -m tests.system.flood [--decisions N] [--at-once N] [--seed N]

All decisions lie in a source at once, and the daemon's intake takes them in, as many on their way
together as a configuration permits. They buy and sell five coins, at market and as limits that
rest, while answers are lost and orders fill in part. The limits are tight, so that most of the time
one more order would break one of them. Afterwards the venue's own books are gone through step by
step: what was held and might still be bought then, at the marks that were stored with the verdicts,
must have kept to every limit. Before it, the same decisions are executed one by one at a venue
without faults, with limits that fill: what the flood admits is held against what that admits.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from aiohttp import ClientSession

from otonom_trader.daemon.logs import configure_logging
from otonom_trader.daemon.sources.jsonl import JsonlSource
from otonom_trader.domain.decision import DecisionKey, Direction
from otonom_trader.domain.mode import DaemonState
from otonom_trader.testnet import LocalTestnet, TestnetConfig
from tests.system.flood_oracle import (
    Admitted,
    Limits,
    admitted_orders,
    breaches,
    times_unknown,
)
from tests.system.harness import until
from tests.system.rig import Rig, rig
from tests.system.soak import Requirement, tell_requirements
from tests.system.soak_trading import CLOCK, come_to_rest, every, listed
from tests.system.venue_process import FarMarket, far_venue

COINS: Final = ("ADA", "BTC", "ETH", "SOL", "XRP")
LIMITS: Final = Limits(
    max_notional_per_order=Decimal(30_000),
    max_position_size_pct=Decimal(13),
    max_open_risk_pct=Decimal(25),
    max_total_positions=3,
)
_NO_LIMITS: Final = {"require_confirmation_above": None, "max_price_age_seconds": 60}
_BALANCES: Final = {"USDT": 4_000_000, "ADA": 10_000, "BTC": 10_000}
_OTHERS: Final = dict.fromkeys(("USDT", *COINS), 10**9)
# Coins trade at about 50 USDT. What lies behind is out of an order's reach; limits that rest in
# between are met now and then, in part.
_BIDS: Final = ("49.95", "49.00")
_ASKS: Final = ("50.05", "51.00")
_SUPPLY_EACH: Final = 60
_BETWEEN: Final = (("SELL", "49.96"), ("BUY", "50.04"))
_MET_EACH: Final = 300
_MET_SECONDS: Final = 0.2
_BEHIND: Final = 10_000
_LEAST_ADMITTED_PCT: Final = 90
_MARK: Final = Decimal(50)
_TICK: Final = Decimal("0.01")
_LIMIT_SECONDS: Final = 90.0  # longer than a run
# Each of them leaves the outcome of an order unknown.
_LOST: Final = ("drop_before", "drop_after", "no_answer_before", "no_answer_after")
_LOST_EACH: Final = 0.005
_LATE: Final = 0.3
_LATE_MS: Final = 80
_LIMITS_AMONG: Final = 0.2
_THROUGH_BPS: Final = {Direction.BUY: 50, Direction.SELL: -50}


class Wish(NamedTuple):
    """One decision: how much of which coin, and for a limit how far from the mark (0.01 %)."""

    coin: str
    direction: Direction
    notional: Decimal
    away_bps: int | None


@dataclass
class Flood:
    """One run of wishes: a rough one `at_once`, struck, on a thin book, else one by one."""

    wishes: Sequence[Wish]
    at_once: int
    seed: int
    is_rough: bool
    limits: Limits = LIMITS
    outcomes: Counter[str] = field(default_factory=Counter)
    denied: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    admitted: list[Admitted] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    disagreement: str = ""
    seconds: float = 0.0

    @property
    def notional(self) -> Decimal:
        """What was admitted, in the account currency."""
        return sum((order.notional for order in self.admitted), Decimal(0))

    async def run(self, folder: Path) -> None:
        """Trade, let everything come to rest, and go through the venue's books."""
        began_ns = CLOCK.monotonic_ns()
        async with AsyncExitStack() as stack:
            listing = await _listing(folder)
            venue, jump = await stack.enter_async_context(
                far_venue(folder, FarMarket(self.seed, _BALANCES, _OTHERS, "empty", str(listing)))
            )
            source = await stack.enter_async_context(JsonlSource(self._written(folder), "flood"))
            one = await stack.enter_async_context(
                rig(
                    folder,
                    venue=venue,
                    jump=jump,
                    guardrails=self.limits.as_section() | _NO_LIMITS,
                    sources=[source],
                    at_once=self.at_once if self.is_rough else 1,
                    order_transport="rest",
                    market_data="streams",
                    timeout_seconds=2,
                )
            )
            await self._trade(one)
            await come_to_rest(one)
            truth = one.venue.truth()
            await self._count(one, truth)
        self.admitted = admitted_orders(folder / "journal.db")
        self.unknown = times_unknown(folder / "journal.db")
        self.breaches = breaches(truth, _BALANCES, self.admitted, self.limits)
        self.seconds = (CLOCK.monotonic_ns() - began_ns) / 1e9

    def _written(self, folder: Path) -> Path:
        """Write all decisions down, as a decision-maker does that has them in one moment."""
        path, now = folder / "decisions.jsonl", CLOCK.now()
        with path.open("w") as file:
            for number, wish in enumerate(self.wishes):
                line: dict[str, Any] = {
                    "id": f"d{number}",
                    "symbol": f"{wish.coin}-USDT",
                    "direction": wish.direction,
                    "notional": str(wish.notional),
                    "created_at": now.isoformat(),
                }
                if wish.away_bps is not None:
                    # Without faults every limit fills: it reaches through the market.
                    reach = wish.away_bps if self.is_rough else _THROUGH_BPS[wish.direction]
                    line["price"] = str((_MARK * (1 + Decimal(reach) / 10_000)).quantize(_TICK))
                    line["expires_at"] = (now + timedelta(seconds=_LIMIT_SECONDS)).isoformat()
                file.write(json.dumps(line) + "\n")
        return path

    async def _trade(self, one: Rig) -> None:
        await _supply(one, len(self.wishes) * _SUPPLY_EACH)
        if self.is_rough:
            for name in _LOST:
                await one.fault(name, probability=_LOST_EACH)
            await one.fault("delay_before", probability=_LATE, ms=_LATE_MS)
        async with asyncio.TaskGroup() as tasks:
            chores = [
                tasks.create_task(every(_MET_SECONDS, lambda: _meet_what_rests(one))),
                tasks.create_task(every(0.5, one.settle)),
                tasks.create_task(every(2.0, lambda: one.recovery.refresh(one.floor))),
            ]
            async with asyncio.TaskGroup() as decisions:
                while await one.journal.execution(self._last) is None:
                    await until(lambda: one.state is DaemonState.RUNNING, "trading to go on")
                    await one.intake.restart()
                    await one.intake.poll(decisions)
                    await one.intake.idle()
            for chore in chores:
                chore.cancel()
        one.jump.seconds += _LIMIT_SECONDS

    @property
    def _last(self) -> DecisionKey:
        return DecisionKey("flood", f"d{len(self.wishes) - 1}")

    async def _count(self, one: Rig, truth: Any) -> None:
        executions = await one.journal.executions(len(self.wishes) + 1)
        self.outcomes.update(str(row["outcome"]) for row in executions)
        denied = (row for row in executions if row["outcome"] == "denied")
        self.denied.update(str(row["broker_code"]) for row in denied)
        try:
            await one.agree(truth)
        except AssertionError as difference:
            self.disagreement = str(difference)[:2000] or "it does not"


def wishes(number: int, seed: int) -> list[Wish]:
    """The decisions of a run, the same for the same seed: a little more buying than selling."""
    random = Random(seed)  # noqa: S311  repeats a run, keeps no secret
    return [
        Wish(
            coin=random.choice(COINS),
            direction=random.choices((Direction.BUY, Direction.SELL), (55, 45))[0],
            notional=Decimal(random.randint(2_000, 33_000)),
            away_bps=random.randint(-8, 8) if random.random() < _LIMITS_AMONG else None,
        )
        for _ in range(number)
    ]


def requirements(flood: Flood, calm: Flood) -> list[Requirement]:
    """What must hold of a flood, `calm` being the same one by one, without faults."""
    admitted_pct = flood.notional / calm.notional * 100
    partly = flood.outcomes["partly_filled"]
    return [
        Requirement(
            "no limit was exceeded at any step of the venue's books",
            not flood.breaches,
            f"{len(flood.breaches)} times" + "".join(f"; {one}" for one in flood.breaches[:5]),
        ),
        Requirement(
            "nor one by one", not calm.breaches, "".join(f"{one}; " for one in calm.breaches[:5])
        ),
        Requirement(
            "what is admitted is most of what one by one admits",
            admitted_pct >= _LEAST_ADMITTED_PCT,
            f"{flood.notional:.0f} of {calm.notional:.0f}, {admitted_pct:.1f} %",
        ),
        Requirement(
            "every limit was met",
            set(flood.limits.as_section()) <= flood.denied.keys(),
            listed(flood.denied),
        ),
        Requirement(
            "orders filled in part, and outcomes were unknown",
            partly > 0 and flood.unknown > 0,
            f"{partly} filled in part, {flood.unknown} unknown for a while",
        ),
        Requirement(
            "the journal equals the venue's truth", not flood.disagreement, flood.disagreement
        ),
    ]


async def _supply(one: Rig, qty: int) -> None:
    """Somebody else bids and asks for so much of every coin, and for more out of reach."""
    for coin in COINS:
        for side, (near, far) in (("BUY", _BIDS), ("SELL", _ASKS)):
            wanted = {"account": "other", "symbol": f"{coin}USDT", "side": side}
            wanted |= {"type": "LIMIT", "timeInForce": "GTC"}
            await one.ask("orders", wanted | {"quantity": str(qty), "price": near})
            await one.ask("orders", wanted | {"quantity": str(_BEHIND), "price": far})


async def _meet_what_rests(one: Rig) -> None:
    """Somebody else takes so much of every coin from orders between the best of the others."""
    for coin in COINS:
        for side, price in _BETWEEN:
            wanted = {"account": "other", "symbol": f"{coin}USDT", "side": side, "price": price}
            wanted |= {"type": "LIMIT", "timeInForce": "IOC", "quantity": str(_MET_EACH)}
            await one.ask("orders", wanted)


async def _listing(folder: Path) -> Path:
    """Write an exchangeInfo that lists a pair of every coin."""
    async with (
        LocalTestnet(TestnetConfig(port=0)) as venue,
        ClientSession() as session,
        session.get(f"{venue.url}/api/v3/exchangeInfo") as reply,
    ):
        told = await reply.json()
    pattern = json.dumps(next(one for one in told["symbols"] if one["symbol"] == "ETHUSDT"))
    for most in ('"maxQty": "9', '"maxNotional": "9'):
        pattern = pattern.replace(most, f"{most}00")  # somebody else bids for a whole run at once
    told["symbols"] = [json.loads(pattern.replace("ETH", coin)) for coin in COINS]
    path = folder / "exchange_info.json"
    path.write_text(json.dumps(told))
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="flood", description="Prints what came of it.")
    parser.add_argument("--decisions", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=1000, help="as max_concurrent_decisions")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    configure_logging("json", "critical")
    wanted = wishes(given.decisions, given.seed)
    calm = Flood(wanted, given.at_once, given.seed, is_rough=False)
    flood = Flood(wanted, given.at_once, given.seed, is_rough=True)
    for name, one in (("one by one", calm), ("flood", flood)):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(one.run(Path(folder)))
        sys.stdout.write(
            f"{name}: {given.decisions} decisions in {one.seconds:.0f} s; "
            f"{listed(one.outcomes)}; denied by: {listed(one.denied)}\n"
        )
    return tell_requirements(requirements(flood, calm))


if __name__ == "__main__":
    sys.exit(main())
