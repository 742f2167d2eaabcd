"""An account kept current, as orders are judged on it, and the judging."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from otonom_trader.brokers.account_book import AccountBook
from otonom_trader.brokers.activity_book import ActivityBook
from otonom_trader.brokers.base import Venue
from otonom_trader.brokers.plan import Plan, proposal_of, reservation_of
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.intent import Reservation
from otonom_trader.domain.market import Instrument, MarketSnapshot
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.ports import Clock, HealthWatch
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.checks.losses import halting_loss
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import denial, judge


class WatchedAccount:
    """The account at a venue, what is known of it now, and the limits it is held to.

    Where `account` is no simulated one it is read from the venue. `heed` is told code and message
    of all that the venue answers, `health` hears how it does, `on_loss` of a loss for which trading
    must halt.
    """

    def __init__(
        self,
        venue: Venue,
        guardrails: RiskGuardrails,
        account: AccountBook,
        activity: ActivityBook,
        clock: Clock,
        *,
        taker_fee_pct: Decimal,
        heed: Callable[[str | None, str], None],
        health: HealthWatch | None,
        on_loss: Callable[[str], None],
    ) -> None:
        self.venue = venue
        self.mode = venue.mode
        self.guardrails = guardrails
        self.account = account
        self.activity = activity
        self._clock = clock
        self._taker_fee_pct = taker_fee_pct
        self._heed = heed
        self._health = health
        self._on_loss = on_loss

    async def refresh(self) -> None:
        """Read the account and the marks of what it holds; raises `VenueError` when unreadable."""
        now_ns = self._clock.monotonic_ns()
        wanted = self.account.symbols_to_mark()
        try:
            if wanted:
                self.account.update_marks(await self.venue.get_marks(wanted), now_ns)
            if self.mode is not Mode.OFF and self.account.simulated is None:
                self.account.update_account(await self.venue.get_account())
        except VenueError as failure:
            self.heed(failure.code, str(failure))
            raise
        if self._health is not None:
            self._health.heard(None, "")

    def heed(self, code: str, message: str) -> None:
        """Take note of why the venue did not do what was asked of it, which was no order."""
        self._heed(code, message)
        if self._health is not None:
            self._health.heard(code, message)

    async def watch_equity(self) -> None:
        """Note what the account is worth now, and tell of a loss for which trading must halt.

        Raises `JournalError`.
        """
        self._look_at_loss(self.exposure())
        await self.activity.keep_marks()

    async def freshen(self, instrument: Instrument, market: MarketSnapshot | None) -> None:
        """Read account and marks where judging `instrument` would see them missing or stale.

        Never raises for a venue that cannot be read: what is missing then denies.
        """
        self.account.trade(instrument)
        if market is not None and (mark := market.mark) is not None:
            self.account.update_marks({instrument.symbol: mark}, market.taken_ns)
        exposure = self.exposure()
        age, oldest = exposure.age_seconds, self.guardrails.max_account_age_seconds
        unknown = exposure.equity is None or exposure.pending_buy_value is None
        if unknown or age is None or age > oldest or self.rate(instrument.symbol.quote) is None:
            try:
                await self.refresh()
            except VenueError:
                return

    def exposure(self) -> Exposure:
        """Return the account as it would be judged now."""
        oldest = self.guardrails.max_account_age_seconds
        return self.account.exposure(self._clock.monotonic_ns(), oldest)

    def rate(self, asset: str) -> Decimal | None:
        """Return what one of `asset` is worth in the account currency, None when not known now."""
        oldest = self.guardrails.max_account_age_seconds
        return self.account.rate(asset, self._clock.monotonic_ns(), oldest)

    def reservation(self, plan: Plan) -> Reservation:
        """Return what counts of the order of `plan` until it is settled: its worst."""
        return reservation_of(plan, self.guardrails.price_collar_pct, self._taker_fee_pct)

    def proposal(self, plan: Plan, reservation: Reservation) -> Proposal:
        """Return the order of `plan` as it is judged now."""
        rate, now_ns = self.rate(plan.symbol.quote), self._clock.monotonic_ns()
        return proposal_of(plan, rate, now_ns, self._clock.now(), reservation)

    def judge(
        self, proposal: Proposal, current_equity: Decimal | None, halted: str | None
    ) -> tuple[tuple[Verdict, ...], Decimal | None]:
        """Return all verdicts, and the equity that they were given on.

        `current_equity` stands in where none is known; in live it only tightens.
        """
        own = exposure = self.exposure()
        self.activity.observe(own.equity)
        activity = self.activity.activity(proposal.symbol)
        if self.mode is Mode.LIVE:
            if exposure.equity is not None and current_equity is not None:
                exposure = replace(exposure, equity=min(exposure.equity, current_equity))
        elif exposure.equity is None and current_equity is not None:
            exposure = replace(exposure, equity=current_equity, age_seconds=ZERO)
        limits, monotonic_ns = self.guardrails, self._clock.monotonic_ns
        verdicts = judge(proposal, exposure, limits, halted, activity, monotonic_ns=monotonic_ns)
        if denial(verdicts) is not None:
            self._look_at_loss(own)
        return verdicts, exposure.equity

    def _look_at_loss(self, exposure: Exposure) -> None:
        """Note what the account is worth, and tell of a loss beyond its limit; off has no risk."""
        self.activity.observe(exposure.equity)
        if self.mode is Mode.OFF:
            return
        loss = halting_loss(exposure.equity, self.activity.marks, self.guardrails)
        if loss is not None:
            self._on_loss(loss.message)
