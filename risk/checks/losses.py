"""What was lost already. What is not known of it denies."""

from decimal import Decimal

from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.verdicts import allow, at_most, deny, is_sound, tenths

TRIPPING = ("max_daily_loss_pct", "max_drawdown_pct")
"""The guardrails that halt trading beside denying: waiting changes nothing about a loss."""


def max_daily_loss_pct(case: Case) -> Verdict:
    """What equity has lost since 00:00 UTC, in percent of what it was then."""
    start = None if case.activity is None else case.activity.day_start_equity
    limit = case.limits.max_daily_loss_pct
    return _loss(case, "max_daily_loss_pct", "Daily loss", start, limit)


def max_drawdown_pct(case: Case) -> Verdict:
    """What equity has lost since it was highest, in percent of that."""
    highest = None if case.activity is None else case.activity.highest_equity
    limit = case.limits.max_drawdown_pct
    return _loss(case, "max_drawdown_pct", "Drawdown", highest, limit)


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


def _loss(
    case: Case, code: str, name: str, before: Decimal | None, limit: Decimal | None
) -> Verdict:
    if limit is None:
        return allow(code)
    equity = case.exposure.equity
    if equity is None or before is None or not (is_sound(equity) and is_sound(before)):
        return deny(code, f"{name} cannot be told: equity now or then is not known")
    lost = (before - equity) / before * 100
    return at_most(code, lost, limit, f"{name} {{}}% exceeds max {{}}%", tenths)
