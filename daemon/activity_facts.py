"""What guardrails count of an account's past, as a status tells it, and as people read it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from otonom_trader.domain.amount import HUNDRED, plain
from otonom_trader.risk.activity import Activity
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.soundness import sound
from otonom_trader.risk.verdicts import tenths

_DAY_SECONDS = 86_400
_COUNTS = (
    ("orders_last_minute", "max_orders_per_minute"),
    ("orders_today", "max_orders_per_day"),
    ("notional_today", "max_notional_per_day"),
    ("losses_in_a_row", "max_consecutive_losses"),
)
_LOSSES = (
    ("day_start_equity", "daily_loss_pct", "max_daily_loss_pct"),
    ("highest_equity", "drawdown_pct", "max_drawdown_pct"),
)


def activity_facts(
    activity: Activity, limits: RiskGuardrails, equity: Decimal | None, now: datetime
) -> dict[str, Any]:
    """Return what was counted so far, each beside its limit, which is None where it is off.

    Amounts are in the account currency. A loss below zero is a gain; one is None where `equity`, or
    what it is measured from, is not known. `day_ends_in_seconds` is until 00:00 UTC.
    """
    losses = activity.losses_in_a_row
    since_midnight = now.astimezone(UTC).time()
    passed = (since_midnight.hour * 60 + since_midnight.minute) * 60 + since_midnight.second
    return {
        "orders_last_minute": activity.orders_last_minute,
        "max_orders_per_minute": limits.max_orders_per_minute,
        "orders_today": activity.orders_today,
        "max_orders_per_day": limits.max_orders_per_day,
        "notional_today": plain(round(activity.notional_today, 2)),
        "max_notional_per_day": _text(limits.max_notional_per_day),
        "losses_in_a_row": losses if losses >= 0 else None,
        "max_consecutive_losses": limits.max_consecutive_losses,
        "day_start_equity": _cents(activity.day_start_equity),
        "daily_loss_pct": _lost_pct(equity, activity.day_start_equity),
        "max_daily_loss_pct": _text(limits.max_daily_loss_pct),
        "highest_equity": _cents(activity.highest_equity),
        "drawdown_pct": _lost_pct(equity, activity.highest_equity),
        "max_drawdown_pct": _text(limits.max_drawdown_pct),
        "day_ends_in_seconds": _DAY_SECONDS - passed,
    }


def activity_lines(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each line that people read of `activity_facts`."""
    for name, limit in _COUNTS:
        count = "-" if facts[name] is None else str(facts[name])
        of = "" if facts[limit] is None else f" of {facts[limit]}"
        yield name, count + of
    for name, lost, limit in _LOSSES:
        yield name, _since(facts[name], facts[lost], facts[limit])
    minutes = facts["day_ends_in_seconds"] // 60
    yield "day_ends", f"in {minutes // 60} h {minutes % 60} min, at 00:00 UTC"


def _since(before: str | None, lost_pct: str | None, limit: str | None) -> str:
    """Say what equity was, how far from that it is now, and how far below it may be."""
    if before is None:
        return "-"
    if lost_pct is None:
        now = "not known now"
    elif not Decimal(lost_pct):
        now = "about the same now"
    elif lost_pct.startswith("-"):
        now = f"now {lost_pct[1:]} % above"
    else:
        now = f"now {lost_pct} % below"
    return f"{before}, {now}" + ("" if limit is None else f", max {limit} %")


def _lost_pct(equity: Decimal | None, before: Decimal | None) -> str | None:
    """Return the loss as the guardrails write it: in tenths, rounded up."""
    now, then = sound(equity), sound(before)
    return None if now is None or then is None else tenths((then - now) / then * HUNDRED)


def _cents(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(round(amount, 2))


def _text(limit: Decimal | None) -> str | None:
    return None if limit is None else plain(limit)
