"""What was lost already. What is not known of it denies."""

from decimal import Decimal

from otonom_trader.domain.activity import EquityMarks
from otonom_trader.domain.amount import HUNDRED
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.soundness import sound
from otonom_trader.risk.verdicts import allow, at_most, deny, tenths, within


def max_daily_loss_pct(case: Case) -> Verdict:
    """What equity has lost since 00:00 UTC, in percent of what it was then."""
    start = None if case.activity is None else case.activity.day_start_equity
    return _daily_loss(case.equity, start, case.limits)


def max_drawdown_pct(case: Case) -> Verdict:
    """What equity has lost since it was highest, in percent of that."""
    highest = None if case.activity is None else case.activity.highest_equity
    return _drawdown(case.equity, highest, case.limits)


def max_consecutive_losses(case: Case) -> Verdict:
    """How many closing orders in a row may have lost; at that number nothing more leaves."""
    code, limit = "max_consecutive_losses", case.limits.max_consecutive_losses
    if limit is None:
        return allow(code)
    if case.activity is None or case.activity.losses_in_a_row < 0:
        return deny(code, "Consecutive losses cannot be told: earlier orders are not known")
    losses = case.activity.losses_in_a_row
    if losses >= limit:
        text = f"Consecutive losses {losses} reached max {limit}"
        return deny(code, text, str(limit), str(losses))
    return within(code, str(limit), losses)


def halting_loss(
    equity: Decimal | None, marks: EquityMarks | None, limits: RiskGuardrails
) -> Verdict | None:
    """Return the verdict on a loss for which trading halts, whether or not an order is asked for.

    One that cannot be told denies orders and halts nothing.
    """
    now = sound(equity)
    if marks is None or now is None or sound(marks.day_start) is None:
        return None
    verdicts = (
        _daily_loss(now, marks.day_start, limits),
        _drawdown(now, marks.highest, limits),
    )
    return next((verdict for verdict in verdicts if not verdict.allowed), None)


def _daily_loss(equity: Decimal | None, start: Decimal | None, limits: RiskGuardrails) -> Verdict:
    code, limit = "max_daily_loss_pct", limits.max_daily_loss_pct
    return _loss(code, "Daily loss", equity, start, limit)


def _drawdown(equity: Decimal | None, highest: Decimal | None, limits: RiskGuardrails) -> Verdict:
    code, limit = "max_drawdown_pct", limits.max_drawdown_pct
    return _loss(code, "Drawdown", equity, highest, limit)


def _loss(
    code: str, name: str, equity: Decimal | None, earlier: Decimal | None, limit: Decimal | None
) -> Verdict:
    """Judge what is left of an `earlier` equity; `equity` is sound or None."""
    if limit is None:
        return allow(code)
    before = sound(earlier)
    if equity is None or before is None:
        return deny(code, f"{name} cannot be told: equity now or then is not known")
    lost = (before - equity) / before * HUNDRED
    return at_most(code, lost, limit, "{2} {0}% exceeds max {1}%", tenths, name)
