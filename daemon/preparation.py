"""What a decision meets before it is sized: its time, its instrument, and one view of the market.

Source: design.md, "One decision's way".
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.plan import flat_market
from otonom_trader.daemon.outage import Outage
from otonom_trader.domain.decision import Decision, Direction, Malformed
from otonom_trader.domain.errors import NotSent, OutcomeUnknown, RateLimited, Rejected
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.ids import client_order_id
from otonom_trader.domain.intent import Claim
from otonom_trader.domain.market import Instrument, MarketSnapshot
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderResult
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.pipeline import rejection_message

log = structlog.get_logger("executor")

_FUTURE_SECONDS = 5  # how far a decision-maker's clock may run ahead of ours
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 2.0


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a decision's way ends before an order is made of it."""

    outcome: Outcome
    message: str
    code: str
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A decision with what the market says: what sizing needs.

    `took_ns` is how long that took to read; `found` is the decision's order where the venue has it
    already.
    """

    decision: Decision
    instrument: Instrument
    market: MarketSnapshot
    took_ns: int
    found: OrderResult | None = None


class Preparation:
    """Steps 1 to 3 of a decision's way, up to where it is sized.

    In live, decisions not newer than `ask_before` are first asked for at the venue: a journal
    restored from a backup may have forgotten them. `needs_created_at` refuses those without a time.
    """

    def __init__(
        self,
        broker: GuardedBroker,
        clock: Clock,
        *,
        ask_before: datetime | None,
        needs_created_at: bool,
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._ask_before = ask_before if broker.mode is Mode.LIVE else None
        self._needs_created_at = needs_created_at
        self._market = Outage(log, clock, "market.unreadable", "market.readable")

    async def prepare(self, claim: Claim, price: Decimal | None) -> Ending | Prepared:
        """Return whether it is to be executed at all, and on which snapshot.

        Waits for a venue that does not answer, for as long as the decision lives. `price` (quote
        per base) stands in for a market that cannot be read, but in live.
        """
        item = claim.item
        if isinstance(item, Malformed):
            return Ending(Outcome.MALFORMED, item.reason, "malformed")
        if item.direction is Direction.HOLD:
            return Ending(Outcome.HOLD, "", "hold")
        if (ending := self._out_of_time(item, claim.received_at)) is not None:
            return ending
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                read = await self._read(item, claim, price)
                self._market.ended(item.symbol, symbol=item.symbol)
                return read
            except (NotSent, OutcomeUnknown, RateLimited) as failure:
                # Nothing has left yet: the decision waits for the venue as long as it lives.
                ending = self._out_of_time(item, claim.received_at, ahead_seconds=pause)
                if ending is not None:
                    return Ending(Outcome.NOT_SENT, f"Not sent: {failure}", "no_market")
                self._market.failed(str(failure), item.symbol, symbol=item.symbol)
                await self._clock.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            except Rejected as refusal:
                self._market.ended(item.symbol, symbol=item.symbol)
                return denied("not_tradable", str(refusal))

    async def prepare_approved(self, claim: Claim, decision: Decision) -> Ending | Prepared:
        """Return on which snapshot a decision is executed that a person has vouched for.

        Raises `VenueError` where it cannot be read now: the order waits on.
        """
        try:
            return await self._read(decision, claim, None)
        except RateLimited:
            raise
        except Rejected as refusal:
            return denied("not_tradable", str(refusal))

    async def _read(
        self, decision: Decision, claim: Claim, price: Decimal | None
    ) -> Ending | Prepared:
        venue = self._broker.venue
        began_ns = self._clock.monotonic_ns()
        instrument = await venue.get_instrument(decision.symbol)
        if not instrument.tradable:
            text = f"{instrument.symbol} is not trading: its status is {instrument.status}"
            return denied("not_tradable", text)
        venue.check_room()
        try:
            market = await venue.get_market(instrument.venue_symbol)
        except NotSent:
            if price is None or self._broker.mode is Mode.LIVE:
                raise
            now, now_ns = self._clock.now(), self._clock.monotonic_ns()
            market = flat_market(instrument.symbol, price, now, now_ns)
        took_ns = self._clock.monotonic_ns() - began_ns
        found = await self._find_forgotten(claim, decision, instrument)
        return Prepared(decision, instrument, market, took_ns, found)

    async def _find_forgotten(
        self, claim: Claim, decision: Decision, instrument: Instrument
    ) -> OrderResult | None:
        """Ask for the order of a decision that the journal may have forgotten. (promises.md, P1)"""
        created = decision.created_at or claim.received_at
        if self._ask_before is None or created > self._ask_before:
            return None
        account = await self._broker.venue.get_account_key()
        id_ = client_order_id(account, claim.key)
        return await self._broker.venue.find_order(instrument.venue_symbol, id_)

    def _out_of_time(
        self, decision: Decision, received_at: datetime, ahead_seconds: float = 0
    ) -> Ending | None:
        """Return why `decision` is too old, or will be `ahead_seconds` from now."""
        now = self._clock.now() + timedelta(seconds=ahead_seconds)
        created, oldest = decision.created_at, self._broker.guardrails.max_decision_age_seconds
        if created is None and self._needs_created_at:
            return denied("no_created_at", "created_at is missing: live on production needs it")
        age = Decimal((now - (created or received_at)).total_seconds())
        if age < -_FUTURE_SECONDS:
            return denied("from_the_future", f"created_at lies {-age:.0f} s in the future")
        if decision.expires_at is not None and decision.expires_at <= now:
            text = f"Expired at {decision.expires_at.isoformat()}"
            return Ending(Outcome.EXPIRED, text, "expires_at")
        if age > oldest:
            text = f"Decision is {age:.1f} s old, max {oldest} s"
            return Ending(Outcome.EXPIRED, text, "max_decision_age_seconds")
        return None


def denied(code: str, message: str, verdict: Verdict | None = None) -> Ending:
    """Return the ending of a decision that `verdict`, or one made of code and message, denies."""
    verdict = verdict or Verdict(code, allowed=False, message=message)
    return Ending(Outcome.DENIED, rejection_message(verdict), code, verdict)
