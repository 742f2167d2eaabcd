"""What the rooms ask of each other: filled by storage and risk, handed in by `daemon/app.py`."""

from datetime import datetime
from typing import Protocol

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.activity import EarlierActivity, EquityMarks
from otonom_trader.domain.execution import TradeExecutionLog
from otonom_trader.domain.intent import Entry, Intent, LedgerChange
from otonom_trader.domain.ledger import Ledger
from otonom_trader.domain.order import OrderResult
from otonom_trader.domain.resting import RestingOrder


class Clock(Protocol):
    """Wall time for what is written down, monotonic time for what is measured."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""

    def monotonic_ns(self) -> int:
        """Return the monotonic time in nanoseconds."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""


class KillGate(Protocol):
    """The last thing asked before bytes leave."""

    def check(self) -> None:
        """Return when a new order may leave; raise `TradingHalted` with the reason otherwise."""


class HealthWatch(Protocol):
    """Who hears how the venue does. Nothing here waits."""

    def answered(self, result: OrderResult) -> None:
        """Take note of the first answer to an order."""

    def heard(self, code: str | None, message: str) -> None:
        """Take note of the answer to a request that is no order; `code` None is one in order."""


class IntentLog(Protocol):
    """The durable record of what is about to happen and of what came of it.

    Every method returns once its transaction is durable and raises `JournalError` when it is not.
    """

    async def record(self, entry: Entry) -> None:
        """Write a claim, its verdicts, and what came of it so far, in one transaction."""

    async def settle(
        self,
        intent: Intent,
        result: OrderResult,
        execution: TradeExecutionLog,
        shadow: LedgerChange | None = None,
        rests: RestingOrder | None = None,
    ) -> None:
        """Book an outcome: order, fills by trade id, execution row, and shadow's expected fill.

        `rests` is what of that fill waits for the market. May be called again as more becomes
        known; fills already booked are skipped, and the state of an order never goes back.
        """

    async def move_resting(
        self, moved: RestingOrder, change: LedgerChange | None
    ) -> TradeExecutionLog | None:
        """Write how far a resting order has come, what it paid, and its decision's row after it.

        One that has ended is not kept any longer. Returns the row, None before the first outcome.
        """

    async def earlier_activity(self, account: AccountKey) -> EarlierActivity:
        """Return what `account` has ordered and owned before now."""

    async def record_equity_marks(self, account: AccountKey, marks: EquityMarks) -> None:
        """Note what losses of `account` are measured from."""

    async def losses_in_a_row(self, account: AccountKey) -> int:
        """Return how many closing orders of `account` have lost since one that did not, or since
        trading was last resumed.
        """


class PaperStore(Protocol):
    """Where simulated accounts are kept."""

    async def load_ledger(self, name: str) -> Ledger | None:
        """Return the account called `name`, None when it was never opened."""

    async def open_ledger(self, name: str, ledger: Ledger) -> None:
        """Write the opening state of the account called `name`."""

    async def load_resting(self, name: str) -> list[RestingOrder]:
        """Return the orders that rest on the account called `name`, oldest first."""
