"""What was lost already. What is not known of it denies."""

from decimal import Decimal

from otonom_trader.domain.activity import EquityMarks
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.verdicts import allow, at_most, deny, is_sound, tenths


def max_daily_loss_pct(case: Case) -> Verdict:
    """What equity has lost since 00:00 UTC, in percent of what it was then."""
    start = None if case.activity is None else case.activity.day_start_equity
    return _daily_loss(case.exposure.equity, start, case.limits)


def max_drawdown_pct(case: Case) -> Verdict:
    """What equity has lost since it was highest, in percent of that."""
    highest = None if case.activity is None else case.activity.highest_equity
    return _drawdown(case.exposure.equity, highest, case.limits)


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
    return allow(code, str(limit), str(losses))


def halting_loss(
    equity: Decimal | None, marks: EquityMarks | None, limits: RiskGuardrails
) -> Verdict | None:
    """Return the verdict on a loss for which trading halts, whether or not an order is asked for.

    One that cannot be told denies orders and halts nothing.
    """
    if marks is None or not (is_sound(equity) and is_sound(marks.day_start)):
        return None
    verdicts = (
        _daily_loss(equity, marks.day_start, limits),
        _drawdown(equity, marks.highest, limits),
    )
    return next((verdict for verdict in verdicts if not verdict.allowed), None)


def _daily_loss(equity: Decimal | None, start: Decimal | None, limits: RiskGuardrails) -> Verdict:
    code, limit = "max_daily_loss_pct", limits.max_daily_loss_pct
    return _loss(code, "Daily loss", equity, start, limit)


def _drawdown(equity: Decimal | None, highest: Decimal | None, limits: RiskGuardrails) -> Verdict:
    code, limit = "max_drawdown_pct", limits.max_drawdown_pct
    return _loss(code, "Drawdown", equity, highest, limit)


def _loss(
    code: str, name: str, equity: Decimal | None, before: Decimal | None, limit: Decimal | None
) -> Verdict:
    if limit is None:
        return allow(code)
    if equity is None or before is None or not (is_sound(equity) and is_sound(before)):
        return deny(code, f"{name} cannot be told: equity now or then is not known")
    lost = (before - equity) / before * 100
    return at_most(code, lost, limit, f"{name} {{}}% exceeds max {{}}%", tenths)
