"""Row 3: all guardrails on an account with a thousand open positions."""

from dataclasses import replace
from decimal import Decimal

from benchmarks.measure import CLOCK, Durations, Row
from benchmarks.workplace import Workplace
from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.plan import Plan, proposal_of, reservation_of
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.intent import Claim
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest, OrderType, Side, TimeInForce
from otonom_trader.risk.exposure import Proposal
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import GUARDRAILS, denial, judge

_POSITIONS = 1_000
_TARGET_US = 50.0


LIMITS = RiskGuardrails(
    max_open_risk_pct=Decimal(100),
    max_total_positions=_POSITIONS,
    symbol_blacklist=("LUNA-USD", "FTT-USD"),
    symbol_whitelist=("BTC-USDT", "A7"),
    trading_windows=("daily 00:00-24:00",),
    blackout_windows=("2020-12-24T00:00Z/2020-12-26T00:00Z",),
    max_spread_pct=Decimal(1),
    max_exposure_per_base_asset_pct=Decimal(50),
    max_notional_per_day=Decimal(100_000),
    max_orders_per_minute=100,
    max_orders_per_day=1_000,
    min_seconds_between_orders=Decimal("0.1"),
    max_daily_loss_pct=Decimal(5),
    max_drawdown_pct=Decimal(20),
    max_consecutive_losses=5,
    balance_after_fees=True,
    venue_minimums=True,
)
"""Every limit there is."""


async def measure_checks(place: Workplace) -> list[Row]:
    """Every guardrail with its limit set; beside it with all that is made anew for each order."""
    broker = await _broker()
    plan = await _plan(broker, "A7-USDT")
    mark = plan.market.mark if plan.market else None
    assert mark is not None
    alone, whole = Durations(), Durations()
    broker.activity.observe(broker.exposure().equity)
    past = replace(broker.activity.activity(plan.symbol), losses_in_a_row=0)

    def proposal() -> Proposal:
        reservation = reservation_of(plan, LIMITS.price_collar_pct, Decimal("0.1"))
        rate, now_ns = broker.rate(plan.symbol.quote), plan.started_ns
        return proposal_of(plan, rate, now_ns, CLOCK.now(), reservation)

    async def judge_once() -> None:
        broker.account.update_marks({plan.symbol: mark}, plan.started_ns)
        exposure = broker.exposure()
        broker.activity.observe(exposure.equity)
        broker.activity.activity(plan.symbol)
        verdicts = judge(proposal(), exposure, LIMITS, None, past, monotonic_ns=CLOCK.monotonic_ns)
        assert denial(verdicts) is None, denial(verdicts)

    order, exposure = proposal(), broker.exposure()

    async def checks_alone() -> None:
        judge(order, exposure, LIMITS, None, past, monotonic_ns=CLOCK.monotonic_ns)

    assert len(broker.exposure().positions) == _POSITIONS
    await judge_once()
    await alone.time(place.times(10_000), checks_alone)
    await whole.time(place.times(10_000), judge_once)
    return [
        Row(
            f"3 all {len(GUARDRAILS)} guardrails, 1,000 open positions",
            f"{alone.p50_us:.0f} us (p99 {alone.p99_us:.0f})",
            f"<= {_TARGET_US:g} us",
            alone.p50_us / _TARGET_US,
            alone.p50_us <= _TARGET_US,
        ),
        Row(
            "  beside it: with a new mark, exposure, past and proposal",
            f"{whole.p50_us:.0f} us (p99 {whole.p99_us:.0f})",
        ),
    ]


async def _broker() -> GuardedBroker:
    assets = [f"A{number}" for number in range(_POSITIONS)]
    venue = DummyBroker(
        mode=Mode.LIVE,
        prices={f"{asset}-USDT": Decimal("123.45") for asset in assets},
        balances={"USDT": 1_000_000} | dict.fromkeys(assets, Decimal("1.23456")),
    )
    broker = GuardedBroker(venue, LIMITS)
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
