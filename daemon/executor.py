"""One decision, executed: on paper and at the broker, side by side.

Source: the guide, "Shadow Mode Executor"; design.md, "One decision's way".
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import structlog
from structlog.contextvars import bound_contextvars

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.plan import Plan
from otonom_trader.daemon.approved import Approved
from otonom_trader.daemon.execution_lines import tell, tell_parked
from otonom_trader.daemon.preparation import Ending, Preparation, Prepared, denied
from otonom_trader.daemon.sizing import Means, SizingRules, size
from otonom_trader.daemon.turn import Turn
from otonom_trader.domain.amount import ZERO, Number, positive
from otonom_trader.domain.approval import Parked, Ruling
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.execution import TradeExecutionLog
from otonom_trader.domain.ids import client_order_id
from otonom_trader.domain.intent import Claim, Entry
from otonom_trader.domain.market import Instrument
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderResult, Side
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.exposure import Exposure
from otonom_trader.storage.decisions_db import DecisionSession
from otonom_trader.storage.errors import DuplicateDecision
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("executor")


class ShadowModeExecutor:
    """Executes decisions in the mode of its broker, each exactly once.

    `execute_decision` is the guide's call, the others are the daemon's. Decisions not newer than
    `ask_before` (a journal restored from a backup may have forgotten them) are first asked for at
    the venue in live. `needs_created_at` refuses decisions without a time.
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
        self._preparation = Preparation(
            broker, clock, ask_before=ask_before, needs_created_at=needs_created_at
        )

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
        self, claim: Claim, *, price: Decimal | None = None, equity: Decimal | None = None
    ) -> TradeExecutionLog:
        """Take one claim its whole way and return its execution row.

        Raises `JournalError` when its record cannot be written.
        """
        done = await self._take(claim, Turn(), price=price, equity=equity)
        assert isinstance(done, TradeExecutionLog)  # noqa: S101  it may not wait for a person
        return done

    async def execute_or_park(self, claim: Claim, turn: Turn) -> TradeExecutionLog | Parked:
        """As `execute`, with its record written in `turn`; or return it as it waits for a person.

        It waits where nothing stands against it but that nobody has confirmed it.
        """
        return await self._take(claim, turn, may_wait=True)

    async def execute_approved(
        self, approved: Approved, on_recorded: Callable[[], None]
    ) -> TradeExecutionLog | Parked:
        """Take an order that waited the rest of its way, in the size that was seen.

        It is judged anew, on market and account as they are now; `on_recorded` is called once that
        is durable. What has come to be worth another amount waits anew. Raises `NotWaiting` where
        it waits no more, `TradingHalted` and `VenueError` where it waits on, and `JournalError`.
        """
        started_ns, claim = self._clock.monotonic_ns(), approved.claim
        with bound_contextvars(decision_id=claim.key.id, source=claim.key.source):
            decision = approved.parked.decision
            ready = await self._preparation.prepare_approved(claim, decision)
            return await self._finish(claim, ready, on_recorded, started_ns, approved=approved)

    async def flatten(self, decision: Decision) -> TradeExecutionLog:
        """Execute a decision to sell after a halt, which holds back all others.

        Raises `JournalError` when its record cannot be written.
        """
        done = await self._take(Claim(decision, self._clock.now()), Turn(), flattens=True)
        assert isinstance(done, TradeExecutionLog)  # noqa: S101  it may not wait for a person
        return done

    def sellable(self, base: str) -> Decimal:
        """Return what is held of an asset and not being sold."""
        return self._sellable(self.broker.exposure(), base)

    def _sellable(self, exposure: Exposure, base: str) -> Decimal:
        held = exposure.holdings.get(base, ZERO) - self.broker.account.selling(base)
        return max(held, ZERO)

    async def _take(
        self,
        claim: Claim,
        turn: Turn,
        *,
        price: Decimal | None = None,
        equity: Decimal | None = None,
        may_wait: bool = False,
        flattens: bool = False,
    ) -> TradeExecutionLog | Parked:
        started_ns = self._clock.monotonic_ns()
        done: TradeExecutionLog | Parked | None
        with bound_contextvars(decision_id=claim.key.id, source=claim.key.source):
            # A source's decisions were looked up when they were fetched; `record` refuses a repeat.
            if claim.position is None:
                done = await self.journal.execution(claim.key)
                if done is not None:
                    turn.over()
                    return done
            ready = await self._preparation.prepare(claim, price)
            await turn.come()
            try:
                done = await self._finish(
                    claim,
                    ready,
                    turn.over,
                    started_ns,
                    price,
                    equity,
                    may_wait=may_wait,
                    flattens=flattens,
                )
            except DuplicateDecision:
                log.debug("decision.repeated")
                done = await self.journal.execution(claim.key)
                if done is None:
                    raise
            turn.over()
        return done

    async def _finish(
        self,
        claim: Claim,
        ready: Ending | Prepared,
        on_recorded: Callable[[], None],
        started_ns: int,
        price: Decimal | None = None,
        equity: Decimal | None = None,
        *,
        may_wait: bool = False,
        flattens: bool = False,
        approved: Approved | None = None,
    ) -> TradeExecutionLog | Parked:
        """Steps 4 to 9, or the record of why there are none."""
        ruling = approved.ruling if approved else None
        if isinstance(ready, Ending):
            return await self._record_ending(claim, ready, on_recorded, ruling)
        await self.broker.freshen(ready.instrument, ready.market)
        account = await self.broker.venue.get_account_key()
        client_id = client_order_id(account, claim.key)
        means = self._means(ready.instrument, equity)
        decision = approved.decision if approved else ready.decision
        rules = replace(self.rules, protected=True) if flattens else self.rules
        sized = size(decision, ready.instrument, ready.market, means, rules, client_id)
        if approved is not None and not isinstance(sized, Verdict):
            sized = approved.as_seen(sized)
        if isinstance(sized, Verdict):
            ending = denied(sized.code, sized.message, sized)
            return await self._record_ending(claim, ending, on_recorded, ruling)
        created = ready.decision.created_at or claim.received_at
        plan = Plan(
            claim=claim,
            order=sized.order,
            instrument=ready.instrument,
            market=ready.market,
            requested_qty=sized.requested_qty,
            started_ns=started_ns,
            snapshot_ns=ready.took_ns,
            protected=rules.protected and ready.decision.price is None,
            current_price=price if self.broker.mode is Mode.LIVE else None,
            decision_age_seconds=Decimal((self._clock.now() - created).total_seconds()),
            may_wait=may_wait,
            flattens=flattens,
        )
        if approved is not None:
            plan = approved.vouched_for(plan)
        if ready.found is not None:
            return await self._adopt(plan, ready.found)
        carried = await self.broker.carry_out_or_park(plan, equity, on_recorded)
        if isinstance(carried, Parked):
            tell_parked(carried)
            return carried
        tell(carried.execution)
        return carried.execution

    def _means(self, instrument: Instrument, equity: Decimal | None) -> Means:
        exposure, base = self.broker.exposure(), instrument.symbol.base
        own = exposure.equity
        if own is None and self.broker.mode is not Mode.LIVE:
            own = equity
        elif own is not None and equity is not None and self.broker.mode is Mode.LIVE:
            own = min(own, equity)
        sellable = self._sellable(exposure, base)
        return Means(own, sellable, self.broker.rate(instrument.symbol.quote))

    async def _record_ending(
        self,
        claim: Claim,
        ending: Ending,
        on_recorded: Callable[[], None],
        ruling: Ruling | None,
    ) -> TradeExecutionLog:
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
        entry = Entry(claim, verdicts, execution=row, ruling=ruling)
        await self.journal.record(entry)
        if self.broker.waiting is not None:
            self.broker.waiting.heed(entry)
        on_recorded()
        tell(row)
        return row

    async def _adopt(self, plan: Plan, found: OrderResult) -> TradeExecutionLog:
        """Put on record an order the venue has already, instead of sending it again."""
        log.warning("order.adopted", client_order_id=plan.order.client_order_id)
        carried = await self.broker.adopt_found(plan, found)
        tell(carried.execution)
        return carried.execution
