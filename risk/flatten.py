"""What holds back an order that closes a position after a halt.

The halt itself does not, nor do limits on what is carried, on pace, on losses or on times: they are
there to keep risk out, and this takes it out. What is not known of the market still denies.
"""

from typing import Final

from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.checks.freshness import max_price_age_seconds
from otonom_trader.risk.checks.market import price_collar_pct
from otonom_trader.risk.checks.size import balance_after_fees, venue_minimums
from otonom_trader.risk.pipeline import GUARDRAILS

BINDING: Final = frozenset(
    check.__name__
    for check in (max_price_age_seconds, price_collar_pct, balance_after_fees, venue_minimums)
)
"""The guardrails that deny it."""


def flatten_denial(verdicts: tuple[Verdict, ...]) -> Verdict | None:
    """Return the first verdict of `judge` that denies an order which flattens, None for none."""
    judged = zip(GUARDRAILS, verdicts, strict=True)
    return next((one for name, one in judged if name in BINDING and not one.allowed), None)
