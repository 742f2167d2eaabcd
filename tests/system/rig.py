"""The parts that trade, put together in this process at a testnet, with time that can be jumped.

What `daemon/app.py` puts together is what a process runs; here the same parts stand without signals
and schedule, so that a test can order one fault and look at what becomes of one decision.
"""

import asyncio
import hmac
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
import yaml
from yarl import URL

from otonom_trader.brokers.config import BrokerConfig, get_broker_config
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.daemon.alarm import Alarm
from otonom_trader.daemon.chores import Chores
from otonom_trader.daemon.desk import Desk, open_desk
from otonom_trader.daemon.floor import Floor
from otonom_trader.daemon.follow import Follower
from otonom_trader.daemon.halt import Halt
from otonom_trader.daemon.intake import Intake, IntakeLimits
from otonom_trader.daemon.kill import KillSwitch
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.daemon.reconcile import Reconciler
from otonom_trader.daemon.recovery import Recovery
from otonom_trader.daemon.resolver import Resolver
from otonom_trader.daemon.settings import Paper
from otonom_trader.daemon.sources.base import DecisionSource
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.errors import JournalError, NotReady
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.mode import DaemonState
from otonom_trader.storage.journal import Journal
from otonom_trader.testnet import (
    AccountConfig,
    LocalTestnet,
    MarketSpec,
    RateLimits,
    TestnetConfig,
    WallClock,
)
from tests.system import checks
from tests.system.harness import until

FENCE_SECONDS = 13.0
_ALL_ROWS = 10**7
_LONGEST_SLEEP_SECONDS = 0.2
_BID, _ASK = "19990", "20000"
_WIDE_LIMITS = {"max_position_size_pct": 100, "max_open_risk_pct": 100}


class Ahead(Protocol):
    """How far both clocks are ahead of the machine's."""

    seconds: float


@dataclass
class Jump:
    """As `Ahead`, within this process."""

    seconds: float = 0.0


class TruthfulVenue(Protocol):
    """A testnet, of this process or of another."""

    @property
    def url(self) -> str: ...

    def truth(self) -> dict[str, Any]: ...


class OurClock(SystemClock):
    """The daemon's."""

    def __init__(self, jump: Ahead) -> None:
        self._jump = jump

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._jump.seconds)

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + int(self._jump.seconds * 1e9)

    async def sleep(self, seconds: float) -> None:
        """Wait; a jump past the end ends it."""
        until_ns = self.monotonic_ns() + int(seconds * 1e9)
        while (left_ns := until_ns - self.monotonic_ns()) > 0:
            await super().sleep(min(left_ns / 1e9, _LONGEST_SLEEP_SECONDS))


class TheirClock(WallClock):
    """The venue's."""

    def __init__(self, jump: Ahead) -> None:
        self._jump = jump

    def time_ms(self) -> int:
        return super().time_ms() + int(self._jump.seconds * 1000)

    def monotonic(self) -> float:
        return super().monotonic() + self._jump.seconds


@dataclass
class Rig:
    """One trader at one venue, where somebody else bids and asks for a coin each."""

    venue: TruthfulVenue
    jump: Ahead
    clock: OurClock
    config: BrokerConfig
    journal: Journal
    switch: KillSwitch
    lifecycle: Lifecycle
    intake: Intake
    floor: Floor
    follower: Follower
    recovery: Recovery
    chores: Chores
    told: list[str] = field(default_factory=list)
    _numbers: Any = field(default_factory=itertools.count)

    @property
    def broker(self) -> GuardedBroker:
        return self.floor.broker

    async def ask(self, path: str, body: Mapping[str, Any], method: str = "POST") -> Any:
        """Ask the testnet's control interface."""
        return await control(self.venue, path, body, method)

    async def fault(self, name: str, path: str = "/api/v3/order", **more: Any) -> int:
        """Order a fault, once unless `more` says for how long; return its number."""
        wanted = {"path": path, "fault": name} | more
        if path.startswith("/"):
            wanted = {"method": "POST"} | wanted
        if not {"count", "seconds", "probability"} & more.keys():
            wanted["count"] = 1
        return int((await self.ask("faults", wanted))["id"])

    async def by_hand(self, method: str, path: str, **params: str) -> Any:
        """Send a signed request of the account's own owner, past the daemon."""
        query = urlencode({**params, "timestamp": str(TheirClock(self.jump).time_ms())})
        signature = hmac.new(b"trader-secret", query.encode(), "sha256").hexdigest()
        url = URL(f"{self.venue.url}{path}?{query}&signature={signature}", encoded=True)
        headers = {"X-MBX-APIKEY": "trader-key"}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=headers) as reply,
        ):
            assert reply.status == 200, await reply.text()
            return await reply.json()

    async def mend(self) -> None:
        await self.ask("faults", {}, "DELETE")

    async def decide(self, qty: str = "0.01", **fields: Any) -> TradeExecutionLog:
        """Execute a decision to buy, unless `fields` say otherwise."""
        given: dict[str, Any] = {"direction": Direction.BUY, "symbol": "BTC-USDT"}
        given |= ({} if "notional" in fields else {"qty": Decimal(qty)}) | fields
        decision = Decision(
            id=f"d{next(self._numbers)} of {self.clock.now().isoformat()}",
            source="rig",
            created_at=self.clock.now(),
            **given,
        )
        while True:
            try:
                with self.intake.under_way(decision.key):
                    return await self.floor.desk.executor.execute_decision(None, decision)
            except NotReady:  # not claimed: the daemon's intake would read it again as well
                await until(
                    lambda: self.state is not DaemonState.RECONCILING, "an end of reconciling"
                )

    async def outcome(self, row: TradeExecutionLog) -> Outcome:
        """What the journal says of the decision by now."""
        rows = {
            one["decision_id"]: one["outcome"] for one in await self.journal.executions(_ALL_ROWS)
        }
        return Outcome(str(rows[row.decision_id]))

    async def becomes(self, row: TradeExecutionLog, wanted: Outcome) -> None:
        """Wait for an outcome; nobody asks, it is told."""

        async def has() -> bool:
            return await self.outcome(row) is wanted

        await until(has, f"{row.decision_id} {wanted}", seconds=10)

    async def resolve(self) -> None:
        """Ask after every order in doubt, now and past the fence, until none is left."""
        for _ in range(4):
            await self.settle()
        self.jump.seconds += FENCE_SECONDS + 0.1
        for _ in range(4):
            await self.settle()

    async def settle(self) -> None:
        """Ask once after every order in doubt."""
        await self.recovery.settle(self.floor)

    async def agree(self, truth: Mapping[str, Any] | None = None) -> None:
        """The oracle: at most one order a decision, nothing unknown, the journal is the truth.

        `truth` is the venue's of now, read anew where it is not given.
        """
        truth = dict(truth or self.venue.truth())
        own = truth | {"orders": [one for one in truth["orders"] if one["account"] == "trader"]}
        own["fills"] = [one for one in truth["fills"] if one["account"] == "trader"]
        orders = await self.journal.orders(_ALL_ROWS)
        executions = await self.journal.executions(_ALL_ROWS)
        checks.no_decision_executed_twice(own, ())
        checks.nothing_left_unknown(executions)
        checks.journal_equals_truth(orders, executions, own)
        assert self.floor.resolver.unknown == 0

    @property
    def state(self) -> DaemonState:
        return self.lifecycle.state

    def accepted(self) -> int:
        """How many orders of ours the venue has accepted."""
        return sum(order["account"] == "trader" for order in self.venue.truth()["orders"])

    def sent(self) -> int:
        """How many requests of ours to place an order have reached the venue."""
        return sum(
            request["account"] == "trader" and request["path"] in ("/api/v3/order", "order.place")
            for request in self.venue.truth()["requests"]
            if request["method"] in ("POST", "WS")
        )


async def control(
    venue: TruthfulVenue, path: str, body: Mapping[str, Any], method: str = "POST"
) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{venue.url}/testnet/{path}", json=body) as reply,
    ):
        assert reply.status == 200, await reply.text()
        return await reply.json()


async def quote(venue: TruthfulVenue) -> None:
    """Somebody else bids and asks for a coin."""
    for side, price in (("SELL", _ASK), ("BUY", _BID)):
        wanted = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC"}
        await control(venue, "orders", wanted | {"quantity": "1", "price": price})


def write_config(
    folder: Path, url: str, guardrails: Mapping[str, Any], **binance: Any
) -> BrokerConfig:
    file = folder / "broker.yaml"
    section = {
        "use_testnet": True,
        "base_url": url,
        "api_key": "trader-key",
        "api_secret": "trader-secret",
        "timeout_seconds": 0.3,
        "recv_window_ms": 1000,
    }
    content = {
        "broker": {"type": "binance", "mode": "live", "binance": section | binance},
        "risk_guardrails": dict(guardrails),
    }
    file.write_text(yaml.safe_dump(content))
    return get_broker_config(file, environ={})


@asynccontextmanager
async def rig(
    folder: Path,
    *,
    stream: bool = True,
    limits: RateLimits | None = None,
    venue: TruthfulVenue | None = None,
    jump: Ahead | None = None,
    guardrails: Mapping[str, Any] = _WIDE_LIMITS,
    sources: Sequence[DecisionSource] = (),
    at_once: int = 8,
    **binance: Any,
) -> AsyncIterator[Rig]:
    """Put a trader together; with `stream` the venue's news are followed.

    A `venue` that is given is open already and stays so, with the `jump` its clock was made with.
    `sources` are open as well, and read where a test says so, `at_once` decisions on their way.
    """
    jump = jump or Jump()
    async with AsyncExitStack() as stack:
        if venue is None:
            venue = await stack.enter_async_context(LocalTestnet(venue_config(jump, limits)))
            await quote(venue)
        config = write_config(folder, venue.url, guardrails, **binance)
        yield await _opened(
            stack, folder, config, venue, jump, sources, stream=stream, at_once=at_once
        )


def venue_config(jump: Ahead, limits: RateLimits | None = None) -> TestnetConfig:
    trader = AccountConfig(
        api_key="trader-key",
        api_secret="trader-secret",
        name="trader",
        balances={"USDT": Decimal(100_000), "BTC": Decimal(1)},
    )
    other = AccountConfig(
        api_key="other-key",
        api_secret="other-secret",
        name="other",
        balances={"BTC": Decimal(100)},
    )
    return TestnetConfig(
        accounts=(trader, other),
        market=MarketSpec("empty"),
        limits=limits or RateLimits(orders_per_10_seconds=10_000),
        clock=TheirClock(jump),
    )


async def _opened(
    stack: AsyncExitStack,
    folder: Path,
    config: BrokerConfig,
    venue: TruthfulVenue,
    jump: Ahead,
    sources: Sequence[DecisionSource],
    *,
    stream: bool,
    at_once: int,
) -> Rig:
    clock = OurClock(jump)
    switch = KillSwitch(folder)
    switch.open()
    stack.callback(switch.close)
    lifecycle = Lifecycle(switch)
    journal = await stack.enter_async_context(Journal(folder / "journal.db", clock=clock))
    halt = Halt(switch, journal, clock, folder / "broker.yaml")
    alarm = Alarm(halt.doubt, lambda reason: halt.trip(reason, "venue"))
    desk: Desk = await open_desk(
        stack, config, Paper(), journal, lifecycle, clock, alarm, on_loss=halt.for_loss
    )
    resolver = Resolver(desk.broker, clock)
    reconciler = Reconciler(desk.broker, resolver, journal, clock, config.base_url)
    intake = Intake(
        sources,
        journal,
        desk.executor,
        clock,
        IntakeLimits(max_concurrent=at_once),
        may_take_in=lambda: lifecycle.takes_decisions,
        on_fault=_fail,
    )
    floor = Floor(desk, intake, resolver, reconciler)
    recovery = Recovery(lifecycle, halt, clock, lifecycle.enter)
    follower = Follower(
        desk.broker,
        journal,
        clock,
        config.base_url,
        on_missed=lambda gap: recovery.miss(gap=gap),
        on_doubt=halt.doubt,
        on_refused=lambda reason: halt.trip(f"the key is refused: {reason}", "venue"),
        on_fault=_fail,
    )
    made = Rig(
        venue,
        jump,
        clock,
        config,
        journal,
        switch,
        lifecycle,
        intake,
        floor,
        follower,
        recovery,
        Chores(config, floor, journal, halt, clock),
    )
    if stream:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        stack.callback(tasks.create_task(follower.run()).cancel)
        stack.callback(tasks.create_task(_catch_up(recovery, floor)).cancel)
        await until(lambda: follower.is_live, "the stream", seconds=10)
    await recovery.reconcile(floor)
    assert lifecycle.phase is DaemonState.RUNNING
    return made


async def _catch_up(recovery: Recovery, floor: Floor) -> None:
    while True:
        await recovery.due.wait()
        recovery.due.clear()
        await recovery.catch_up(floor)


def _fail(fault: JournalError) -> None:
    raise AssertionError(f"the journal failed: {fault}")
