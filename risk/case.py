"""All that a guardrail may look at."""

from collections.abc import Callable
from dataclasses import dataclass

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.order import Side
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.activity import Activity
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails


@dataclass(frozen=True, slots=True)
class Case:
    """One order before the guardrails.

    `activity` is None where the past is not known; `halted` is why trading is stopped, None when it
    is not.
    """

    proposal: Proposal
    exposure: Exposure
    limits: RiskGuardrails
    activity: Activity | None = None
    halted: str | None = None

    @property
    def is_exit(self) -> bool:
        """Whether the order only sells what is held and not yet being sold."""
        if self.proposal.side is not Side.SELL:
            return False
        base, exposure = self.proposal.symbol.base, self.exposure
        selling = exposure.pending_sells.get(base, ZERO) + self.proposal.qty
        held = exposure.holdings.get(base, ZERO)
        return held.is_finite() and selling <= held


Check = Callable[[Case], Verdict]
