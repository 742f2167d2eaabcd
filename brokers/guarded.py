"""The guard: the one place an order leaves from, and everything that must hold before it does."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Self

from otonom_trader.brokers.account_book import AccountBook
from otonom_trader.brokers.activity_book import ActivityBook
from otonom_trader.brokers.base import OrderDoor, PositionRow, Venue
from otonom_trader.brokers.by_hand import plan_by_hand
from otonom_trader.brokers.outcomes import UNKNOWN_MESSAGE, Carried, Outcomes
from otonom_trader.brokers.paper import PaperBroker, SimulatedAccount, taken_at_once
from otonom_trader.brokers.plan import (
    Plan,
    intent_of,
    resting_of,
    unsent,
    unsent_row,
)
from otonom_trader.brokers.resting import Moved
from otonom_trader.brokers.sending import send
from otonom_trader.brokers.waiting import WaitingRoom
from otonom_trader.brokers.watched_account import WatchedAccount
from otonom_trader.domain.account import AccountKey, Balance
from otonom_trader.domain.amount import Number, positive
from otonom_trader.domain.approval import Parked
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import JournalError, NotReady, PaperOnly, TradingHalted, VenueError
from otonom_trader.domain.execution import SimulatedFill, Stage, TradeExecutionLog
from otonom_trader.domain.intent import Entry, Intent, LedgerChange
from otonom_trader.domain.market import MarketSnapshot
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState
from otonom_trader.domain.ports import Clock, HealthWatch, IntentLog, KillGate
from otonom_trader.domain.resting import Leg
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.flatten import flatten_denial
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import KILL_SWITCH, denial, rejection_message

NEEDS_JOURNAL = (
    "live orders need the journal: run the daemon (otonom-trader run), or give intents= to "
    "create_broker or GuardedBroker"
)
DEFAULT_TAKER_FEE_PCT = Decimal("0.1")


class GuardedBroker(WatchedAccount):
    """A broker behind the guardrails.

    `carry_out` is steps 5 to 8 of a decision's way, and no other code sends an order: judge and
    record under the account's lock, then the kill gate and the bytes, then book the outcome.
    `intents` may be left out in off and shadow only. `paper` is the paper leg, `shadow` the account
    that shadow orders are judged on; without it that is the venue's own. `waiting` is where orders
    wait for a person; without it they are denied. Orders that flatten leave by `exits`, whose gate
    is open only then, where that is given. `heed` is told code and message of all that the
    venue answers, `health` hears how it does, `on_loss` of a loss for which trading must halt.
    Source: the guide, "Risk Guardrails"; design.md, "One decision's way".
    """

    def __init__(
        self,
        underlying_broker: Venue,
        guardrails: RiskGuardrails,
        *,
        intents: IntentLog | None = None,
        gate: KillGate | None = None,
        clock: Clock | None = None,
        account_currency: str = "USDT",
        paper: PaperBroker | None = None,
        shadow: SimulatedAccount | None = None,
        waiting: WaitingRoom | None = None,
        exits: OrderDoor | None = None,
        taker_fee_pct: Decimal = DEFAULT_TAKER_FEE_PCT,
        heed: Callable[[str | None, str], None] = lambda _code, _message: None,
        health: HealthWatch | None = None,
        on_loss: Callable[[str], None] = lambda _message: None,
    ) -> None:
        clock = clock or SystemClock()
        simulated = paper.account if underlying_broker.mode is Mode.OFF and paper else shadow
        super().__init__(
            underlying_broker,
            guardrails,
            AccountBook(account_currency, simulated),
            ActivityBook(intents, clock),
            clock,
            taker_fee_pct=taker_fee_pct,
            heed=heed,
            health=health,
            on_loss=on_loss,
        )
        self.paper = paper
        self.waiting = None if self.mode is Mode.OFF else waiting
        self._exits = exits
        self._intents = intents
        self._gate = gate
        self.outcomes = Outcomes(
            self.account, self.activity, shadow, intents, self.mode, clock, taker_fee_pct
        )
        self.resting = self.outcomes.resting
        self._lock = asyncio.Lock()  # from judging to the record, on the paper account

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the venue's connections."""
        await self.venue.aclose()

    async def place_order(
        self,
        req: OrderRequest,
        current_price: Number | None = None,
        current_equity: Number | None = None,
    ) -> OrderResult:
        """Judge `req` and place it; the answer is one of the four states and never an exception.

        `current_price` (quote per base) and `current_equity` (account currency) stand in where none
        is read here; in live they only tighten. Raises ``ValueError`` for wrong arguments only.
        """
        price = None if current_price is None else positive(current_price, "current_price")
        equity = None if current_equity is None else positive(current_equity, "current_equity")
        if self.mode is Mode.LIVE and self._intents is None:
            return unsent(req, f"Not sent: {NEEDS_JOURNAL}", "no_journal")
        recorded = asyncio.Event()
        try:
            plan = await plan_by_hand(self.venue, self._clock, req, price)
            req = plan.order
            return (await self.carry_out(plan, equity, recorded.set)).result
        except (VenueError, JournalError, NotReady) as failure:
            if recorded.is_set():
                # It may have left: what failed is its answer, or the record of that.
                text = f"{UNKNOWN_MESSAGE} {failure}"
                return unsent(req, text, "unrecorded", OrderState.UNKNOWN)
            return unsent(req, f"Not sent: {failure}", "not_sent")

    async def carry_out(
        self,
        plan: Plan,
        current_equity: Decimal | None = None,
        on_recorded: Callable[[], None] | None = None,
    ) -> Carried:
        """Judge, record and send one order, and book what came of it.

        `on_recorded` is called once the claim is durable, before anything is sent. Returns the
        broker's answer with the execution row. Raises `NotReady` while the daemon is not trading,
        nothing being recorded, and `JournalError` when something could not be written: before the
        order left, or after it, when its intent stays on record.
        """
        carried = await self.carry_out_or_park(plan, current_equity, on_recorded)
        assert isinstance(carried, Carried)  # noqa: S101  the plan says that it may not wait
        return carried

    async def carry_out_or_park(
        self,
        plan: Plan,
        current_equity: Decimal | None = None,
        on_recorded: Callable[[], None] | None = None,
    ) -> Carried | Parked:
        """As `carry_out`; or return the order as it waits for a person, where it may.

        An approved order that is not to be sent now is not denied, it waits on: raises
        `TradingHalted`, or `NotWaiting` where it waits no more.
        """
        await self.freshen(plan.instrument, plan.market)
        account = await self.venue.get_account_key()
        arrived_ns = self._clock.monotonic_ns()
        async with self._lock:
            await self.activity.take_up(account)
            prepared = await self._judge_and_record(plan, account, current_equity, arrived_ns)
        if on_recorded is not None:
            on_recorded()
        if isinstance(prepared, Carried | Parked):
            return prepared
        intent, stages = prepared
        self.outcomes.await_answer(intent)
        until_ns = plan.fresh_until_ns(self.guardrails.max_price_age_seconds)
        try:
            way_out = self._way_out(plan)
            result = await send(way_out, intent.order, self._clock, until_ns, self._heed)
        except asyncio.CancelledError:
            self.outcomes.lose_sight(intent)
            raise
        if self._health is not None:
            self._health.answered(result)
        stages[Stage.DECISION_TO_ACK] = self._clock.monotonic_ns() - plan.started_ns
        return await self.outcomes.settle(intent, result, stages, plan.started_ns)

    async def tighten(
        self, guardrails: RiskGuardrails, record: Callable[[], Awaitable[None]]
    ) -> None:
        """Judge by `guardrails` from now on, once `record` has written down what they come from.

        No order is judged in between: what is recorded after it is judged by them. Raises as
        `record` does, and then nothing has changed.
        """
        async with self._lock:
            await record()
            self.guardrails = guardrails

    async def adopt_found(self, plan: Plan, found: OrderResult) -> Carried:
        """Put an order on record that the venue has already, as a restored journal may not know."""
        account = await self.venue.get_account_key()
        async with self._lock:
            await self.activity.take_up(account)
            reservation, now = self.reservation(plan), self._clock.now()
            worth = self.proposal(plan, reservation).notional
            intent = intent_of(plan, account, reservation, None, now, worth, self._taker_fee_pct)
            entry = Entry(plan.claim, market=plan.market, intent=intent, ruling=plan.ruling)
            await self._write(entry)
            self.account.reserve(intent.client_order_id, intent.reservation)
            self.activity.record(intent)
        return await self.outcomes.settle(intent, found)

    async def meet(self, market: MarketSnapshot) -> list[Moved]:
        """Have what rests in simulations on the symbol of `market` meet it; return what moved.

        Nothing moves while trading is halted, or the daemon is not trading.
        """
        try:
            halted, _ = self._halted()
        except NotReady:
            return []
        if halted is not None:
            return []
        async with self._lock, self.outcomes.lock:
            return await self._counted(await self.resting.meet(market))

    async def cancel_resting(self) -> list[Moved]:
        """End all that rests in simulations, as a kill does at the venue."""
        async with self._lock, self.outcomes.lock:
            return await self._counted(await self.resting.cancel_all())

    async def _counted(self, moved: list[Moved]) -> list[Moved]:
        """Take over what has become of orders that shadow expects to rest at the venue."""
        for resting, row in moved:
            if resting.leg is Leg.EXPECTED and row is not None:
                order = resting.order
                await self.activity.settle(order.client_order_id or "", order.side, row)
        return moved

    async def cancel_order(self, order_id: str, symbol: str | None = None) -> OrderResult:
        """Cancel a working order; never judged, never gated."""
        return await self.venue.cancel_order(order_id, symbol)

    async def get_open_orders(self) -> list[OrderResult]:
        """Return all working orders of the account."""
        return await self.venue.get_open_orders()

    async def get_positions(self) -> list[PositionRow]:
        """Return what is held."""
        return await self.venue.get_positions()

    async def get_account_balance(self) -> dict[str, Balance]:
        """Return all balances by asset."""
        return await self.venue.get_account_balance()

    async def _judge_and_record(
        self, plan: Plan, account: AccountKey, current_equity: Decimal | None, arrived_ns: int
    ) -> Carried | Parked | tuple[Intent, dict[str, int]]:
        stages = {
            Stage.SNAPSHOT.value: plan.snapshot_ns,
            Stage.QUEUE.value: self._clock.monotonic_ns() - arrived_ns,
        }
        began_ns = self._clock.monotonic_ns()
        halted, only_paper = self._halted()
        reservation = self.reservation(plan)
        proposal = self.proposal(plan, reservation)
        verdicts, equity = self.judge(proposal, current_equity, halted)
        stages[Stage.JUDGE.value] = self._clock.monotonic_ns() - began_ns
        denied = flatten_denial(verdicts) if plan.flattens else denial(verdicts)
        if self.waiting is not None and not plan.flattens:
            notional = proposal.notional
            admitted = self.waiting.admit(plan, account, notional, verdicts, denied, only_paper)
            if isinstance(admitted, Parked):
                ruling, market = plan.ruling, plan.market
                entry = Entry(plan.claim, verdicts, market, equity, parked=admitted, ruling=ruling)
                await self._write(entry)
                return admitted
            denied = admitted
        paper, change = self._paper_leg(plan, denied)
        entry = Entry(plan.claim, verdicts, plan.market, equity, paper=change, ruling=plan.ruling)
        alone = denied is not None or only_paper is not None
        if paper is not None and self.paper is not None:
            rests = resting_of(plan, paper, self.paper, decides=alone)
            entry = replace(entry, resting=rests)
        if alone:
            reason = f"Not sent: {only_paper}" if denied is None else rejection_message(denied)
            row = unsent_row(plan, self.mode, denied, only_paper, paper, stages, self._clock.now())
            return await self._record_unsent(plan, entry, denied, row, reason)
        now, fee_pct = self._clock.now(), self._taker_fee_pct
        intent = intent_of(plan, account, reservation, paper, now, proposal.notional, fee_pct)
        began_ns = self._clock.monotonic_ns()
        await self._write(replace(entry, intent=intent))
        stages[Stage.INTENT.value] = self._clock.monotonic_ns() - began_ns
        self.account.reserve(intent.client_order_id, intent.reservation)
        self.activity.record(intent)
        return intent, stages

    def _way_out(self, plan: Plan) -> OrderDoor:
        """Return where an order leaves: trading's own gate is shut after a halt, and stays so."""
        if not plan.flattens:
            return self.venue
        assert self._exits is not None  # noqa: S101  nothing flattens without it
        return self._exits

    def _halted(self) -> tuple[str | None, str | None]:
        """Return why trading is halted, and why only paper may go on; None where it is not so."""
        try:
            if self._gate is not None:
                self._gate.check()
        except NotReady:
            raise
        except PaperOnly as only_paper:
            return None, str(only_paper)
        except TradingHalted as halt:
            return str(halt), None
        return None, "the mode is off, no broker is used" if self.mode is Mode.OFF else None

    def _paper_leg(
        self, plan: Plan, denied: Verdict | None
    ) -> tuple[SimulatedFill | None, LedgerChange | None]:
        """Fill the paper leg, unless denied; off has no risk checks but the kill switch."""
        halted = plan.flattens or (denied is not None and denied.code == KILL_SWITCH)
        if self.paper is None or plan.market is None or halted:
            return None, None
        if denied is not None and self.mode is not Mode.OFF:
            return None, None
        return self.paper.simulate(plan.order, plan.market)

    async def _record_unsent(
        self,
        plan: Plan,
        entry: Entry,
        denied: Verdict | None,
        row: TradeExecutionLog,
        reason: str,
    ) -> Carried:
        """Write down a decision whose way ends here: denied, or with the paper leg alone."""
        await self._write(replace(entry, execution=row))
        state = OrderState.NOT_SENT if denied is None else OrderState.REJECTED
        result = unsent(plan.order, reason, row.broker_code or "paper_only", state)
        return Carried(replace(result, verdicts=entry.verdicts), row)

    async def _write(self, entry: Entry) -> None:
        """Make `entry` durable, and only then take over what follows from it."""
        if self._intents is not None:
            await self._intents.record(entry)
        if self.waiting is not None:
            self.waiting.heed(entry)
        if self.paper is None:
            return
        if entry.paper is not None:
            self.paper.account.book(entry.paper)
        if entry.resting is not None and entry.market is not None:
            met = taken_at_once(entry.resting.order, entry.market).levels
            self.resting.hold(entry.resting, self.paper.account, met)
