"""Row 3: all checks of the pipeline on an account with a thousand open positions."""

from decimal import Decimal

from benchmarks.measure import CLOCK, Durations, Row
from benchmarks.workplace import Workplace
from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.plan import Plan, proposal_of
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.intent import Claim
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest, OrderType, Side, TimeInForce
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import denial, judge

_POSITIONS = 1_000
_TARGET_US = 50.0


async def measure_checks(place: Workplace) -> list[Row]:
    """A fresh mark, the exposure built from it, and every guardrail, as the guard does it."""
    broker = await _broker()
    plan = await _plan(broker, "A7-USDT")
    mark = plan.market.mark if plan.market else None
    assert mark is not None
    taken = Durations()

    async def judge_once() -> None:
        now_ns = plan.started_ns
        broker.account.update_marks({plan.symbol: mark}, now_ns)
        proposal = proposal_of(plan, broker.rate(plan.symbol.quote), now_ns)
        verdicts = judge(proposal, broker.exposure(), broker.guardrails)
        assert denial(verdicts) is None, denial(verdicts)

    assert len(broker.exposure().positions) == _POSITIONS
    await taken.time(place.times(10_000), judge_once)
    return [
        Row(
            "3 all checks, 1,000 open positions",
            f"{taken.p50_us:.0f} us (p99 {taken.p99_us:.0f})",
            f"<= {_TARGET_US:g} us",
            taken.p50_us / _TARGET_US,
            taken.p50_us <= _TARGET_US,
        )
    ]


async def _broker() -> GuardedBroker:
    assets = [f"A{number}" for number in range(_POSITIONS)]
    venue = DummyBroker(
        mode=Mode.LIVE,
        prices={f"{asset}-USDT": Decimal("123.45") for asset in assets},
        balances={"USDT": 1_000_000} | dict.fromkeys(assets, Decimal("1.23456")),
    )
    guardrails = RiskGuardrails(
        max_open_risk_pct=Decimal(100),
        max_total_positions=_POSITIONS,
        symbol_blacklist=("LUNA-USD", "FTT-USD"),
    )
    broker = GuardedBroker(venue, guardrails)
    for asset in assets:
        broker.account.trade(await venue.get_instrument(f"{asset}-USDT"))
    await broker.refresh()
    return broker


async def _plan(broker: GuardedBroker, symbol: str) -> Plan:
    now = CLOCK.now()
    order = OrderRequest(
        symbol, Side.BUY, Decimal(10), Decimal("124.6"), OrderType.LIMIT, TimeInForce.IOC
    )
    market = await broker.venue.get_market(symbol)
    return Plan(
        claim=Claim(Decision("bench", symbol, Direction.BUY, Decimal(1)), now),
        order=order,
        instrument=await broker.venue.get_instrument(symbol),
        market=market,
        requested_qty=order.qty,
        started_ns=market.taken_ns,
        protected=True,
        decision_age_seconds=Decimal("0.1"),
    )
