"""Orders that wait for a person, in memory as they are in the journal."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from otonom_trader.brokers.plan import Plan
from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.approval import Parked
from otonom_trader.domain.decision import Decision, DecisionKey
from otonom_trader.domain.errors import NotWaiting, PaperOnly, TradingHalted
from otonom_trader.domain.intent import Entry
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.exposure import Confirmed
from otonom_trader.risk.pipeline import KILL_SWITCH, lacks_confirmation_alone

MOST_WAITING = 1000
"""Beyond so many an order that needs a confirmation is denied: nobody looks at more."""


class WaitingRoom:
    """Orders that wait for a person, oldest first; `heed` keeps it as the journal is.

    An order waits for `timeout_seconds`, at the longest as its decision lives. Once approved its
    notional may be `tolerance_pct` off what the person saw.
    """

    def __init__(
        self,
        clock: Clock,
        timeout_seconds: float = 900.0,
        tolerance_pct: Decimal = Decimal(1),
        most: int = MOST_WAITING,
    ) -> None:
        self._clock = clock
        self._timeout = timedelta(seconds=timeout_seconds)
        self._tolerance = tolerance_pct / 100
        self._most = most
        self._parked: dict[DecisionKey, Parked] = {}

    @property
    def parked(self) -> tuple[Parked, ...]:
        """What waits now."""
        return tuple(self._parked.values())

    def get(self, key: DecisionKey) -> Parked | None:
        """Return what waits of a decision."""
        return self._parked.get(key)

    def overdue(self) -> tuple[Parked, ...]:
        """Return what has waited too long."""
        now = self._clock.now()
        return tuple(parked for parked in self._parked.values() if parked.expires_at <= now)

    def take_up(self, parked: Iterable[Parked]) -> None:
        """Begin with what the journal has."""
        self._parked = {one.key: one for one in parked}

    def heed(self, entry: Entry) -> None:
        """Follow what was written of a decision."""
        if entry.parked is not None:
            self._parked[entry.parked.key] = entry.parked
        elif entry.ruling is not None:
            self._parked.pop(entry.claim.key, None)

    def confirmed(self, parked: Parked) -> Confirmed:
        """Return the notionals that a person confirms with what was seen."""
        off = parked.notional * self._tolerance
        return Confirmed(parked.notional - off, parked.notional + off)

    def admit(
        self,
        plan: Plan,
        account: AccountKey,
        notional: Decimal | None,
        verdicts: tuple[Verdict, ...],
        denied: Verdict | None,
        only_paper: str | None,
    ) -> Parked | Verdict | None:
        """Return the order of `plan` as one that waits, else the verdict that it is `denied` by.

        It waits where nothing but a confirmation is missing; one that a person was asked about
        before waits no longer for it. An approved order waits on under a halt and where
        `only_paper` says why nothing is sent: raises `TradingHalted`, and `NotWaiting` where it
        does not wait any more.
        """
        if plan.ruling is not None:
            self._require_executable(plan, denied, only_paper)
        if denied is None:
            return None
        decision = plan.claim.item
        if not (plan.may_wait and lacks_confirmation_alone(verdicts) and notional is not None):
            return denied
        now, before = self._clock.now(), self._parked.get(plan.claim.key)
        if before is None and len(self._parked) >= self._most:
            text = f"{denied.message}, and {self._most} orders wait for one already"
            return denied._replace(message=text)
        assert isinstance(decision, Decision)  # noqa: S101  nothing else has a plan
        expires_at = now + self._timeout
        if decision.expires_at is not None:
            expires_at = min(expires_at, decision.expires_at)
        return Parked(
            decision=decision,
            received_at=plan.claim.received_at,
            account=account,
            symbol=plan.symbol,
            qty=plan.order.qty,
            requested_qty=plan.requested_qty,
            notional=notional,
            reason=denied.message,
            parked_at=before.parked_at if before else now,
            expires_at=before.expires_at if before else expires_at,
        )

    def _require_executable(
        self, plan: Plan, denied: Verdict | None, only_paper: str | None
    ) -> None:
        parked = self._parked.get(plan.claim.key)
        if parked is None or parked.expires_at <= self._clock.now():
            raise NotWaiting(f"decision {plan.claim.key.id!r} does not wait for approval any more")
        if denied is not None and denied.code == KILL_SWITCH:
            raise TradingHalted(denied.message)
        if only_paper is not None:
            raise PaperOnly(only_paper)
