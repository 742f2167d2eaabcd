"""One order that every guardrail allows, with every guardrail on."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from otonom_trader.domain.market import Book, Instrument, Level
from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.activity import Activity
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import GUARDRAILS, judge

D = Decimal
Change = dict[str, Any]

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)  # a Wednesday
BTC = Symbol("BTC", "USDT")
BOOK = Book(
    bids=(Level(D(50000), D(1)), Level(D(49000), D(9))),
    asks=(Level(D(50000), D(1)), Level(D(51000), D(9))),
)
BUY = Proposal(
    symbol=BTC,
    side=Side.BUY,
    qty=D("0.1"),
    price=D(50000),
    reference=D(50000),
    mark=D(50000),
    rate=D(1),
    price_age_seconds=D(1),
    decision_age_seconds=None,
    worst_price=D(50550),
    bid=D(50000),
    ask=D(50000),
    walk=BOOK.walk(Side.BUY, D("0.1")),
    instrument=Instrument(
        BTC, "BTCUSDT", True, D("0.00001"), D("0.00001"), D(9000), D("0.01"), D(5)
    ),
    judged_at=NOON,
)
ACCOUNT = Exposure(
    equity=D(100000),
    age_seconds=D(1),
    balances={"USDT": D(100000), "BTC": D(0)},
    holdings={"BTC": D(0)},
)
QUIET = Activity(
    orders_last_minute=0,
    orders_today=0,
    notional_today=D(0),
    seconds_since_order=None,
    day_start_equity=D(100000),
    highest_equity=D(100000),
    losses_in_a_row=0,
)
GUIDE = RiskGuardrails()
"""An order of $5000 on an account of $100000 under the guide's limits: allowed by all."""

EVERY = RiskGuardrails(
    symbol_blacklist=("LUNA-USD",),
    symbol_whitelist=("BTC-USDT", "ETH"),
    trading_windows=("mon-fri 08:00-20:00",),
    blackout_windows=("daily 23:55-00:05",),
    max_spread_pct=D("0.5"),
    max_exposure_per_base_asset_pct=D(10),
    max_notional_per_day=D(20000),
    max_orders_per_minute=5,
    max_orders_per_day=100,
    min_seconds_between_orders=D(30),
    max_daily_loss_pct=D(5),
    max_drawdown_pct=D(20),
    max_consecutive_losses=3,
    balance_after_fees=True,
    venue_minimums=True,
)
"""As `GUIDE`, with everything else on too."""

OFF = RiskGuardrails(
    max_notional_per_order=None,
    max_open_risk_pct=None,
    max_total_positions=None,
    max_position_size_pct=None,
    require_confirmation_above=None,
    max_expected_slippage_pct=None,
)


def selling(proposal: Proposal = BUY) -> Proposal:
    """The same order the other way round."""
    walk = BOOK.walk(Side.SELL, proposal.qty)
    return replace(proposal, side=Side.SELL, walk=walk)


def verdict_of(
    code: str,
    proposal: Proposal = BUY,
    exposure: Exposure = ACCOUNT,
    limits: RiskGuardrails = GUIDE,
    halted: str | None = None,
    activity: Activity | None = QUIET,
) -> Verdict:
    """What the check called `code` says, asked together with all others."""
    verdicts = judge(proposal, exposure, limits, halted, activity)
    return verdicts[GUARDRAILS.index(code)]


def denied(code: str, sentence: str, limit: str = "", value: str = "") -> Verdict:
    """A denial in full."""
    return Verdict(code, allowed=False, message=sentence, limit=limit, value=value)
