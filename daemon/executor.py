"""One decision, executed: on paper and at the broker, side by side.

Source: the guide, "Shadow Mode Executor"; design.md, "One decision's way".
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from structlog.contextvars import bound_contextvars

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.plan import Plan, flat_market
from otonom_trader.daemon.execution_lines import tell
from otonom_trader.daemon.outage import Outage
from otonom_trader.daemon.sizing import Means, SizingRules, size
from otonom_trader.daemon.turn import Turn
from otonom_trader.domain.amount import ZERO, Number, positive
from otonom_trader.domain.decision import Decision, Direction, Malformed
from otonom_trader.domain.errors import NotSent, OutcomeUnknown, RateLimited, Rejected
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.ids import client_order_id
from otonom_trader.domain.intent import Claim, Entry
from otonom_trader.domain.market import Instrument, MarketSnapshot
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderResult, Side
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.pipeline import rejection_message
from otonom_trader.storage.decisions_db import DecisionSession
from otonom_trader.storage.errors import DuplicateDecision
from otonom_trader.storage.journal import Journal

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


class ShadowModeExecutor:
    """Executes decisions in the mode of its broker, each exactly once.

    `execute` takes a claim of a source; `execute_decision` is the guide's call. Decisions not newer
    than `ask_before` (a journal restored from a backup may have forgotten them) are first asked for
    at the venue in live. `needs_created_at` refuses decisions without a time.
    """

    def __init__(
        self,
        broker: GuardedBroker,
        journal: Journal,
        rules: SizingRules,
        clock: Clock,
        *,
        ask_before: datetime | None = None,
        needs_created_at: bool = False,
    ) -> None:
        self.broker = broker
        self.journal = journal
        self.rules = rules
        self._clock = clock
        self._ask_before = ask_before if broker.mode is Mode.LIVE else None
        self._needs_created_at = needs_created_at
        self._market = Outage(log, clock, "market.unreadable", "market.readable")

    async def execute_decision(
        self,
        session: DecisionSession | None,
        decision: Decision,
        current_price: Number | None = None,
        current_equity: Number | None = None,
    ) -> TradeExecutionLog:
        """Execute `decision`; asked again, answer with the row it already has.

        `session` is where the decision was read; nothing is written there. `current_price` (quote
        per base) and `current_equity` (account currency) stand in where none is read here; in live
        they only tighten. Raises ``ValueError`` for wrong arguments and `JournalError` when the
        record cannot be kept.
        """
        price = None if current_price is None else positive(current_price, "current_price")
        equity = None if current_equity is None else positive(current_equity, "current_equity")
        claim = Claim(decision, self._clock.now())
        return await self.execute(claim, price=price, equity=equity)

    async def execute(
        self,
        claim: Claim,
        turn: Turn | None = None,
        *,
        price: Decimal | None = None,
        equity: Decimal | None = None,
    ) -> TradeExecutionLog:
        """Take one claim its whole way and return its execution row.

        Its record is written in `turn`. Raises `JournalError` when that cannot be.
        """
        started_ns = self._clock.monotonic_ns()
        turn = turn or Turn()
        with bound_contextvars(decision_id=claim.key.id, source=claim.key.source):
            # A source's decisions were looked up when they were fetched; `record` refuses a repeat.
            if claim.position is None:
                row = await self.journal.execution(claim.key)
                if row is not None:
                    turn.over()
                    return row
            ready = await self._prepare(claim, price)
            await turn.come()
            try:
                row = await self._finish(claim, ready, turn, started_ns, price, equity)
            except DuplicateDecision:
                log.debug("decision.repeated")
                row = await self.journal.execution(claim.key)
                if row is None:
                    raise
            turn.over()
        return row

    async def _prepare(self, claim: Claim, price: Decimal | None) -> Ending | Prepared:
        """Steps 1 to 3: whether it is to be executed at all, and on which snapshot."""
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
                return _denied("not_tradable", str(refusal))

    async def _read(
        self, decision: Decision, claim: Claim, price: Decimal | None
    ) -> Ending | Prepared:
        venue = self.broker.venue
        began_ns = self._clock.monotonic_ns()
        instrument = await venue.get_instrument(decision.symbol)
        if not instrument.tradable:
            text = f"{instrument.symbol} is not trading: its status is {instrument.status}"
            return _denied("not_tradable", text)
        venue.check_room()
        try:
            market = await venue.get_market(instrument.venue_symbol)
        except NotSent:
            if price is None or self.broker.mode is Mode.LIVE:
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
        account = await self.broker.venue.get_account_key()
        id_ = client_order_id(account, claim.key)
        return await self.broker.venue.find_order(instrument.venue_symbol, id_)

    def _out_of_time(
        self, decision: Decision, received_at: datetime, ahead_seconds: float = 0
    ) -> Ending | None:
        """Return why `decision` is too old, or will be `ahead_seconds` from now."""
        now = self._clock.now() + timedelta(seconds=ahead_seconds)
        created, oldest = decision.created_at, self.broker.guardrails.max_decision_age_seconds
        if created is None and self._needs_created_at:
            return _denied("no_created_at", "created_at is missing: live on production needs it")
        age = Decimal((now - (created or received_at)).total_seconds())
        if age < -_FUTURE_SECONDS:
            return _denied("from_the_future", f"created_at lies {-age:.0f} s in the future")
        if decision.expires_at is not None and decision.expires_at <= now:
            text = f"Expired at {decision.expires_at.isoformat()}"
            return Ending(Outcome.EXPIRED, text, "expires_at")
        if age > oldest:
            text = f"Decision is {age:.1f} s old, max {oldest} s"
            return Ending(Outcome.EXPIRED, text, "max_decision_age_seconds")
        return None

    async def _finish(
        self,
        claim: Claim,
        ready: Ending | Prepared,
        turn: Turn,
        started_ns: int,
        price: Decimal | None,
        equity: Decimal | None,
    ) -> TradeExecutionLog:
        """Steps 4 to 9, or the record of why there are none."""
        if isinstance(ready, Ending):
            return await self._record_ending(claim, ready)
        await self.broker.freshen(ready.instrument, ready.market)
        account = await self.broker.venue.get_account_key()
        client_id = client_order_id(account, claim.key)
        means = self._means(ready.instrument, equity)
        sized = size(ready.decision, ready.instrument, ready.market, means, self.rules, client_id)
        if isinstance(sized, Verdict):
            return await self._record_ending(claim, _denied(sized.code, sized.message, sized))
        created = ready.decision.created_at or claim.received_at
        plan = Plan(
            claim=claim,
            order=sized.order,
            instrument=ready.instrument,
            market=ready.market,
            requested_qty=sized.requested_qty,
            started_ns=started_ns,
            snapshot_ns=ready.took_ns,
            protected=self.rules.protected and ready.decision.price is None,
            current_price=price if self.broker.mode is Mode.LIVE else None,
            decision_age_seconds=Decimal((self._clock.now() - created).total_seconds()),
        )
        if ready.found is not None:
            return await self._adopt(plan, ready.found)
        carried = await self.broker.carry_out(plan, equity, turn.over)
        tell(carried.execution)
        return carried.execution

    def _means(self, instrument: Instrument, equity: Decimal | None) -> Means:
        exposure, base = self.broker.exposure(), instrument.symbol.base
        own = exposure.equity
        if own is None and self.broker.mode is not Mode.LIVE:
            own = equity
        elif own is not None and equity is not None and self.broker.mode is Mode.LIVE:
            own = min(own, equity)
        held = exposure.holdings.get(base, ZERO) - self.broker.account.selling(base)
        return Means(own, max(held, ZERO), self.broker.rate(instrument.symbol.quote))

    async def _record_ending(self, claim: Claim, ending: Ending) -> TradeExecutionLog:
        """Write down a decision of which no order is made."""
        item = claim.item
        traded = isinstance(item, Decision) and item.direction is not Direction.HOLD
        row = TradeExecutionLog(
            decision_id=claim.key.id,
            source=claim.key.source,
            symbol=item.symbol if isinstance(item, Decision) else "",
            side=Side(item.direction) if isinstance(item, Decision) and traded else None,
            qty=(item.qty or ZERO) if isinstance(item, Decision) else ZERO,
            outcome=ending.outcome,
            mode=self.broker.mode,
            broker_message=ending.message,
            broker_code=ending.code,
            recorded_at=self._clock.now(),
        )
        verdicts = () if ending.verdict is None else (ending.verdict,)
        await self.journal.record(Entry(claim, verdicts, execution=row))
        tell(row)
        return row

    async def _adopt(self, plan: Plan, found: OrderResult) -> TradeExecutionLog:
        """Put on record an order the venue has already, instead of sending it again."""
        log.warning("order.adopted", client_order_id=plan.order.client_order_id)
        carried = await self.broker.adopt_found(plan, found)
        tell(carried.execution)
        return carried.execution


def _denied(code: str, message: str, verdict: Verdict | None = None) -> Ending:
    verdict = verdict or Verdict(code, allowed=False, message=message)
    return Ending(Outcome.DENIED, rejection_message(verdict), code, verdict)
