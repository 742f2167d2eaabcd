"""How often, and how much in a day. What is not known of the past denies."""

from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.checks.size import no_notional
from otonom_trader.risk.soundness import sound_or_zero
from otonom_trader.risk.verdicts import (
    allow,
    at_least,
    at_most,
    at_most_count,
    cents,
    deny,
    seconds,
    shown_limit,
    within,
)


def max_orders_per_minute(case: Case) -> Verdict:
    """Orders of the last 60 seconds, and this one."""
    before = None if case.activity is None else case.activity.orders_last_minute
    limit = case.limits.max_orders_per_minute
    return _at_most_orders("max_orders_per_minute", before, limit, "minute")


def max_orders_per_day(case: Case) -> Verdict:
    """Orders since 00:00 UTC, and this one."""
    before = None if case.activity is None else case.activity.orders_today
    return _at_most_orders("max_orders_per_day", before, case.limits.max_orders_per_day, "day")


def max_notional_per_day(case: Case) -> Verdict:
    """What orders since 00:00 UTC have filled and may still fill, and this one."""
    code, limit = "max_notional_per_day", case.limits.max_notional_per_day
    if limit is None:
        return allow(code)
    if case.notional is None:
        return no_notional(case, code)
    before = None if case.activity is None else sound_or_zero(case.activity.notional_today)
    if before is None:
        return deny(code, "Notional per day cannot be told: earlier orders are not known")
    total = before + case.notional
    return at_most(code, total, limit, "Notional per day ${} exceeds max ${}", cents)


def min_seconds_between_orders(case: Case) -> Verdict:
    """How long after an order of the same symbol the next one may come."""
    code, limit = "min_seconds_between_orders", case.limits.min_seconds_between_orders
    if limit is None:
        return allow(code)
    if case.activity is None:
        return deny(code, "The time since the last order cannot be told")
    if case.activity.seconds_since_order is None:
        return within(code, shown_limit(seconds, limit))
    passed = sound_or_zero(case.activity.seconds_since_order)
    if passed is None:
        return deny(code, "The time since the last order cannot be told")
    sentence = "Last order of {2} was {0} s ago, min {1} s"
    return at_least(code, passed, limit, sentence, seconds, case.proposal.symbol)


def _at_most_orders(code: str, before: int | None, limit: int | None, span: str) -> Verdict:
    """Judge one order more than there were `before` in a `span`; not known, it denies."""
    if limit is None:
        return allow(code)
    if before is None or before < 0:
        return deny(code, f"Orders per {span} cannot be told: earlier orders are not known")
    return at_most_count(code, before + 1, limit, "Orders per {2} {0} exceeds max {1}", span)
