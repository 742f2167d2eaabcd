"""What a person has approved: the order that was seen, and no other."""

from dataclasses import dataclass, replace

from otonom_trader.brokers.plan import Plan
from otonom_trader.daemon.sizing import Sized
from otonom_trader.domain.amount import plain
from otonom_trader.domain.approval import Parked, Ruling
from otonom_trader.domain.decision import Decision
from otonom_trader.domain.intent import Claim
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.exposure import Confirmed


@dataclass(frozen=True, slots=True)
class Approved:
    """An order that waited, the ruling that approved it, and the notionals that were meant."""

    parked: Parked
    ruling: Ruling
    confirmed: Confirmed

    @property
    def claim(self) -> Claim:
        """The claim, which is on record."""
        return Claim(self.parked.decision, self.parked.received_at)

    @property
    def decision(self) -> Decision:
        """The decision, asking for the quantity that was seen."""
        return replace(self.parked.decision, qty=self.parked.qty, notional=None)

    def as_seen(self, sized: Sized) -> Sized | Verdict:
        """Return `sized`, or the verdict that its quantity would be another than was seen."""
        qty, seen = plain(sized.order.qty), plain(self.parked.qty)
        if qty == seen:
            return sized
        base = self.parked.symbol.base
        text = f"Quantity has become {qty} {base}, approved were {seen}"
        return Verdict("qty_changed", allowed=False, message=text, limit=seen, value=qty)

    def vouched_for(self, plan: Plan) -> Plan:
        """Return `plan` as a person has vouched for it: its decision ages no more."""
        return replace(
            plan,
            may_wait=True,
            requested_qty=self.parked.requested_qty,
            decision_age_seconds=self.parked.age_seconds,
            ruling=self.ruling,
            confirmed=self.confirmed,
        )
