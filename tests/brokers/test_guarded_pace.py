"""Pace and money: orders that arrive together pass no limit that holds for them one by one."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from enum import Enum

from hypothesis import given, settings
from hypothesis import strategies as st

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.domain.intent import Intent
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState, OrderStatus
from otonom_trader.risk.limits import RiskGuardrails
from tests.brokers.test_guarded import (
    PRICES,
    UNLIMITED,
    Exchange,
    Notebook,
    StandingClock,
    let_others_run,
)

D = Decimal
CASH = "3000"


class Fate(Enum):
    """What becomes of an order at the venue."""

    FILLED = "filled"
    HALF = "half of it, and the rest has gone"
    NOTHING = "nothing, and it has gone"
    REJECTED = "rejected"
    NOT_SENT = "it never left"
    UNKNOWN = "filled, and nobody is told"


class FatefulExchange(Exchange):
    """Carries orders out when it is told to, each as it is told to."""

    def __init__(self, clock: StandingClock) -> None:
        super().__init__(clock=clock, balances={"USDT": CASH})
        self.waiting: list[asyncio.Future[Fate]] = []
        self.fates: dict[str, Fate] = {}
        self.unpaid = 0

    async def place_order(self, req: OrderRequest) -> OrderResult:
        turn: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        fate = self.fates[req.client_order_id or ""] = await turn
        if fate is Fate.NOT_SENT:
            return OrderResult(OrderState.NOT_SENT, code="refused_here", message="no")
        if fate is Fate.REJECTED:
            return OrderResult(OrderState.REJECTED, code="rejected", message="no")
        if fate is Fate.NOTHING:
            return OrderResult(OrderState.ACCEPTED, order_id="0", status=OrderStatus.EXPIRED)
        part = req.qty / 2 if fate is Fate.HALF else req.qty
        result = await super().place_order(replace(req, qty=part))
        self.unpaid += result.code == "insufficient_balance"
        if fate is Fate.HALF and result.ok:
            return replace(result, status=OrderStatus.EXPIRED, qty=req.qty)
        if fate is Fate.UNKNOWN:
            return OrderResult(OrderState.UNKNOWN, message="timeout")
        return result

    def carry_out(self, number: int, fate: Fate) -> None:
        if self.waiting:
            self.waiting.pop(number % len(self.waiting)).set_result(fate)


@dataclass(frozen=True)
class End:
    """One of the orders that wait at the venue meets its fate."""

    number: int
    fate: Fate


@dataclass(frozen=True)
class Wait:
    """Time goes by."""

    seconds: int


buys = st.builds(
    lambda symbol, part: OrderRequest(symbol, "BUY", part * 20 / PRICES[symbol]),
    st.sampled_from(sorted(PRICES)),
    st.integers(1, 60).map(Decimal),  # $20 to $1200
)
steps = st.one_of(
    buys,
    buys,
    st.builds(End, st.integers(0, 9), st.sampled_from(Fate)),
    st.builds(Wait, st.sampled_from([0, 1, 10, 59, 60, 3600, 40_000])),
)
limits = st.builds(
    lambda minute, day, notional, pause, exposure: replace(
        UNLIMITED,
        max_orders_per_minute=minute,
        max_orders_per_day=day,
        max_notional_per_day=notional,
        min_seconds_between_orders=pause,
        max_exposure_per_base_asset_pct=exposure,
        balance_after_fees=True,
    ),
    st.none() | st.integers(1, 4),
    st.none() | st.integers(1, 8),
    st.none() | st.integers(20, 4000).map(Decimal),
    st.none() | st.sampled_from([D(1), D(20), D(120)]),
    st.none() | st.integers(5, 90).map(Decimal),
)


@given(st.lists(steps, min_size=4, max_size=30), limits)
@settings(max_examples=150)
def test_orders_that_arrive_together_keep_to_pace_and_money(
    script: Sequence[OrderRequest | End | Wait], limits: RiskGuardrails
) -> None:
    """The venue's own books, and what was on record when, are the judge."""

    async def run() -> None:
        clock, log = StandingClock(), Notebook()
        venue = FatefulExchange(clock)
        broker = GuardedBroker(venue, limits, intents=log, clock=clock)
        async with asyncio.TaskGroup() as group:
            for step in script:
                if isinstance(step, OrderRequest):
                    group.create_task(broker.place_order(step))
                elif isinstance(step, End):
                    venue.carry_out(step.number, step.fate)
                else:
                    clock.advance(step.seconds)
                await let_others_run(3)
                _check_money(venue, limits)
            for _ in script:
                await let_others_run()
                venue.carry_out(0, Fate.FILLED)
                _check_money(venue, limits)
        _check_money(venue, limits)
        _check_pace([entry.intent for entry in log.entries if entry.intent], venue, limits)

    asyncio.run(run())


def _check_money(venue: FatefulExchange, limits: RiskGuardrails) -> None:
    assert venue.unpaid == 0
    if limits.max_exposure_per_base_asset_pct is not None:
        for base in ("BTC", "ETH", "SOL"):
            worth = venue.held(base) * PRICES[f"{base}-USDT"]
            assert worth <= D(CASH) * limits.max_exposure_per_base_asset_pct / 100


def _check_pace(intents: Sequence[Intent], venue: FatefulExchange, limits: RiskGuardrails) -> None:
    left = [one for one in intents if venue.fates[one.client_order_id] is not Fate.NOT_SENT]
    if limits.max_orders_per_minute is not None:
        for first in left:
            until = first.recorded_at + timedelta(seconds=60)
            within = [one for one in left if first.recorded_at <= one.recorded_at < until]
            assert len(within) <= limits.max_orders_per_minute
    per_day = Counter(one.recorded_at.date() for one in left)
    if limits.max_orders_per_day is not None:
        assert all(count <= limits.max_orders_per_day for count in per_day.values())
    if limits.max_notional_per_day is not None:
        for day in per_day:
            todays = [one for one in left if one.recorded_at.date() == day]
            filled = sum(one.notional * _share(venue.fates[one.client_order_id]) for one in todays)
            assert filled <= limits.max_notional_per_day
    if (least := limits.min_seconds_between_orders) is not None:
        for symbol in {one.symbol for one in intents}:
            times = [one.recorded_at for one in intents if one.symbol == symbol]
            gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
            assert all(D(str(gap.total_seconds())) >= least for gap in gaps)


def _share(fate: Fate) -> Decimal:
    return {Fate.FILLED: D(1), Fate.UNKNOWN: D(1), Fate.HALF: D("0.5")}.get(fate, D(0))


@given(st.lists(st.integers(1, 60), min_size=2, max_size=10), st.integers(1, 6), st.integers(1, 60))
@settings(max_examples=50)
def test_what_passes_all_at_once_is_what_passes_one_after_another(
    sizes: Sequence[int], orders: int, notional_tens: int
) -> None:
    limits = replace(
        UNLIMITED, max_orders_per_day=orders, max_notional_per_day=D(notional_tens * 20)
    )
    requests = [OrderRequest("BTCUSDT", "BUY", D(size) / 2500) for size in sizes]  # $20 each

    async def run(*, together: bool) -> list[bool]:
        clock = StandingClock()
        venue = FatefulExchange(clock)
        venue._amounts["USDT"] = D(100000)
        broker = GuardedBroker(venue, limits, intents=Notebook(), clock=clock)
        async with asyncio.TaskGroup() as group:
            tasks = []
            for request in requests:
                tasks.append(group.create_task(broker.place_order(request)))
                if not together:
                    await let_others_run()
                    venue.carry_out(0, Fate.FILLED)
                    await let_others_run()
            await let_others_run()
            while venue.waiting:
                venue.carry_out(0, Fate.FILLED)
                await let_others_run()
        return [task.result().ok for task in tasks]

    assert asyncio.run(run(together=True)) == asyncio.run(run(together=False))


async def test_a_place_that_an_order_gave_back_is_taken_by_the_next() -> None:
    limits = replace(UNLIMITED, max_orders_per_minute=1, max_orders_per_day=1)
    clock = StandingClock()
    venue = FatefulExchange(clock)
    broker = GuardedBroker(venue, limits, intents=Notebook(), clock=clock)
    order = OrderRequest("BTCUSDT", "BUY", "0.001")
    results = []
    for fate in (Fate.NOT_SENT, Fate.UNKNOWN, Fate.FILLED):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(broker.place_order(order))
            await let_others_run()
            venue.carry_out(0, fate)
        results.append((task.result().state, task.result().code))
    assert [state for state, _ in results] == [
        OrderState.NOT_SENT,
        OrderState.UNKNOWN,
        OrderState.REJECTED,
    ]
    assert results[-1][1] == "max_orders_per_minute"
