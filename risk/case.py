"""All that a guardrail may look at."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.order import Side
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.activity import Activity
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.soundness import sound, sound_or_zero


class Case:
    """One order before the guardrails.

    `activity` is None where the past is not known; `halted` is why trading is stopped, None when it
    is not. What several guardrails go by is looked at once: `qty`, `price`, `reference`, `mark`,
    `notional` and `equity` are sound, else None. No dataclass: making a frozen one takes as long as
    judging by two guardrails.
    """

    __slots__ = (
        "activity", "equity", "exposure", "halted", "limits", "mark", "notional", "price",
        "proposal", "qty", "reference", "sells",
    )  # fmt: skip

    def __init__(
        self,
        proposal: Proposal,
        exposure: Exposure,
        limits: RiskGuardrails,
        activity: Activity | None = None,
        halted: str | None = None,
    ) -> None:
        self.proposal: Final = proposal
        self.exposure: Final = exposure
        self.limits: Final = limits
        self.activity: Final = activity
        self.halted: Final = halted
        self.sells: Final = proposal.side is Side.SELL
        self.equity: Final = sound(exposure.equity)
        self.mark: Final = sound(proposal.mark)
        self.reference: Final = sound(proposal.reference)
        self.price: Final = sound(proposal.price)
        self.qty: Final = sound(proposal.qty)
        self.notional: Final = _notional(self.qty, self.price, sound(proposal.rate))

    @property
    def is_exit(self) -> bool:
        """Whether the order only sells what is held and not yet being sold.

        Raises ``ValueError`` where what is being sold cannot be told.
        """
        if not self.sells:
            return False
        base, exposure = self.proposal.symbol.base, self.exposure
        held = sound_or_zero(exposure.holdings.get(base, ZERO))
        selling = sound_or_zero(exposure.pending_sells.get(base, ZERO))
        if selling is None:
            raise ValueError(f"what is being sold of {base} cannot be told")
        return self.qty is not None and held is not None and selling + self.qty <= held


Check = Callable[[Case], Verdict]


def _notional(qty: Decimal | None, price: Decimal | None, rate: Decimal | None) -> Decimal | None:
    """Return what an order is worth, as `Proposal.notional` does, where that can be told."""
    if qty is None or price is None or rate is None:
        return None
    try:
        return sound(qty * price * rate)
    except ArithmeticError:
        return None
