"""One order, every guardrail, all verdicts."""

from collections.abc import Callable
from decimal import Decimal

from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.activity import Activity
from otonom_trader.risk.case import Case
from otonom_trader.risk.checks import CHECKS
from otonom_trader.risk.checks.permission import kill_switch
from otonom_trader.risk.checks.size import require_confirmation_above
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.verdicts import at_most, deny, fine

REJECTED = "RISK REJECTED: "
KILL_SWITCH = kill_switch.__name__
"""The code of the verdict that stands above all others."""
JUDGING_TIME = "max_judging_seconds"
"""The limit that is enforced here, on all the others together."""

GUARDRAILS = (*CHECKS, JUDGING_TIME)
"""The limits by which the verdicts of `judge` come, in their order."""

_NANOSECOND = Decimal("1e-9")


def judge(
    proposal: Proposal,
    exposure: Exposure,
    limits: RiskGuardrails,
    halted: str | None = None,
    activity: Activity | None = None,
    *,
    monotonic_ns: Callable[[], int] = lambda: 0,
) -> tuple[Verdict, ...]:
    """Return the verdict of every guardrail, in the order of `GUARDRAILS`.

    Never raises: a guardrail that fails denies, and so do all together where they took too long.
    `halted` is why trading is stopped, None when not; `activity` is None where it is not known.
    """
    began_ns = monotonic_ns()
    try:
        case = Case(proposal, exposure, limits, activity, halted)
    except Exception as failure:  # noqa: BLE001  whatever it trips over must not pass
        return tuple(_failed(name, failure) for name in GUARDRAILS)
    verdicts: list[Verdict] = []
    for name, check in CHECKS.items():
        try:
            verdicts.append(check(case))
        except Exception as failure:  # noqa: BLE001  as above
            verdicts.append(_failed(name, failure))
    verdicts.append(_in_time(limits, monotonic_ns() - began_ns))
    return tuple(verdicts)


def denial(verdicts: tuple[Verdict, ...]) -> Verdict | None:
    """Return the first verdict that denies, None when all allow."""
    return next((verdict for verdict in verdicts if not verdict.allowed), None)


def lacks_confirmation_alone(verdicts: tuple[Verdict, ...]) -> bool:
    """Return whether nothing denies an order, of a known notional, but that nobody confirmed it."""
    denials = [verdict for verdict in verdicts if not verdict.allowed]
    return [(denied.code, bool(denied.value)) for denied in denials] == [
        (require_confirmation_above.__name__, True)
    ]


def rejection_message(verdict: Verdict) -> str:
    """Return the guide's sentence for a denied order."""
    return REJECTED + verdict.message


def _in_time(limits: RiskGuardrails, took_ns: int) -> Verdict:
    try:
        took, limit = Decimal(took_ns) * _NANOSECOND, limits.max_judging_seconds
        return at_most(JUDGING_TIME, took, limit, "Judging took {} s, max {} s", fine)
    except Exception as failure:  # noqa: BLE001  as above
        return _failed(JUDGING_TIME, failure)


def _failed(name: str, failure: Exception) -> Verdict:
    return deny(name, f"Guardrail {name} failed: {failure!r}")
