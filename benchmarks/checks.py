"""Row 3: all guardrails on an account with a thousand open positions."""

from dataclasses import replace
from decimal import Decimal
from functools import partial

from benchmarks.measure import CLOCK, Durations, Row
from benchmarks.workplace import Workplace
from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.plan import Plan, proposal_of, reservation_of
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.intent import Claim
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest, OrderType, Side, TimeInForce
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import GUARDRAILS, denial, judge
from otonom_trader.storage.rows import verdicts_text

_POSITIONS = 1_000
_TARGET_US = 50.0
_LARGE_QTY = Decimal(10_000)
"""More than many limits allow."""


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
    """Every guardrail with its limit set, each time on an order that was not judged before.

    Beside it the same for an order that is denied, what the journal makes of the verdicts, and all
    that is made anew for each order.
    """
    broker = await _broker()
    plan = await _plan(broker, "A7-USDT")
    mark = plan.market.mark if plan.market else None
    assert mark is not None
    allowed, denied, recorded, whole = (Durations() for _ in range(4))
    broker.activity.observe(broker.exposure().equity)
    past = replace(
        broker.activity.activity(plan.symbol),
        losses_in_a_row=0,
        seconds_since_order=Decimal("12.345678901"),
    )

    def proposal() -> Proposal:
        reservation = reservation_of(plan, LIMITS.price_collar_pct, Decimal("0.1"))
        rate, now_ns = broker.rate(plan.symbol.quote), plan.started_ns
        return proposal_of(plan, rate, now_ns, CLOCK.now(), reservation)

    def judged(order: Proposal, exposure: Exposure) -> tuple[Verdict, ...]:
        return judge(order, exposure, LIMITS, None, past, monotonic_ns=CLOCK.monotonic_ns)

    def judge_once() -> tuple[Verdict, ...]:
        broker.account.update_marks({plan.symbol: mark}, plan.started_ns)
        exposure = broker.exposure()
        broker.activity.observe(exposure.equity)
        broker.activity.activity(plan.symbol)
        return judged(proposal(), exposure)

    exposure = broker.exposure()
    assert len(exposure.positions) == _POSITIONS
    count = place.times(10_000)
    for _ in range(count):
        verdicts = allowed.of(partial(judged, proposal(), exposure))
        assert denial(verdicts) is None, denial(verdicts)
    for _ in range(count):
        recorded.of(partial(verdicts_text, judged(proposal(), exposure)))
    for _ in range(count):
        large = replace(proposal(), qty=_LARGE_QTY)
        assert denial(denied.of(partial(judged, large, exposure))) is not None
    for _ in range(count):
        assert denial(whole.of(judge_once)) is None
    return [
        Row(
            f"3 all {len(GUARDRAILS)} guardrails, 1,000 open positions",
            _told(allowed),
            f"<= {_TARGET_US:g} us",
            allowed.p50_us / _TARGET_US,
            allowed.p50_us <= _TARGET_US,
        ),
        Row("  beside it: an order that is denied", _told(denied)),
        Row("  beside it: the verdicts as text for the journal", _told(recorded)),
        Row("  beside it: with a new mark, exposure, past and proposal", _told(whole)),
    ]


def _told(taken: Durations) -> str:
    return f"{taken.p50_us:.0f} us (p99 {taken.p99_us:.0f})"


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
