"""One order, every guardrail, all verdicts."""

from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.checks import CHECKS, Case, Check
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails

REJECTED = "RISK REJECTED: "


def judge(
    proposal: Proposal, exposure: Exposure, limits: RiskGuardrails, halted: str | None = None
) -> tuple[Verdict, ...]:
    """Return the verdict of every guardrail, in the order of `CHECKS`.

    Never raises: a guardrail that fails denies. `halted` is why trading is stopped, None when not.
    """
    case = Case(proposal, exposure, limits, halted)
    return tuple([_ask(name, check, case) for name, check in CHECKS.items()])


def denial(verdicts: tuple[Verdict, ...]) -> Verdict | None:
    """Return the first verdict that denies, None when all allow."""
    return next((verdict for verdict in verdicts if not verdict.allowed), None)


def rejection_message(verdict: Verdict) -> str:
    """Return the guide's sentence for a denied order."""
    return REJECTED + verdict.message


def _ask(name: str, check: Check, case: Case) -> Verdict:
    try:
        return check(case)
    except Exception as failure:  # noqa: BLE001  whatever a guardrail trips over, the order must not pass
        return Verdict(name, allowed=False, message=f"Guardrail {name} failed: {failure!r}")
