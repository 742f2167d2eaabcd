"""One rule taken out within this process, for as long as a test lasts.

Each variant makes a mistake that is made easily, in the few lines it takes.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from otonom_trader.brokers import activity_book, outcomes
from otonom_trader.brokers.account_book import AccountBook
from otonom_trader.brokers.activity_book import ActivityBook
from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.transport.ws_keeper import Keeper
from otonom_trader.daemon import resolver
from otonom_trader.domain import order_life
from otonom_trader.domain.activity import Counted, counted
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.intent import Intent
from otonom_trader.domain.order import Fill, OrderResult
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.checks import CHECKS
from otonom_trader.risk.verdicts import allow


def state_goes_back(patch: pytest.MonkeyPatch) -> None:
    """What was told last is believed, whenever it happened."""
    merge = order_life.merge

    def newest(known: OrderResult, told: OrderResult) -> OrderResult:
        return replace(merge(known, told), status=told.status or known.status)

    patch.setattr(outcomes, "merge", newest)


def fills_added_up(patch: pytest.MonkeyPatch) -> None:
    """Each fill that is told is another one, whatever its trade."""

    def all_of(known: tuple[Fill, ...], told: tuple[Fill, ...]) -> tuple[Fill, ...]:
        return (*known, *told)

    patch.setattr(order_life, "_united", all_of)


def fence_skipped(patch: pytest.MonkeyPatch) -> None:
    """An order that is not there is absent at once."""
    make = BinanceBroker.__init__

    def without_fence(self: BinanceBroker, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        self.unknown_fence_seconds = 0

    patch.setattr(BinanceBroker, "__init__", without_fence)
    patch.setattr(resolver, "_MISSES_TO_ABSENT", 1)


def gap_between_connections(patch: pytest.MonkeyPatch) -> None:
    """The connection that is due goes before another one has taken its place."""
    open_at_last = Keeper._open_at_last

    async def close_first(
        self: Keeper[Any], tasks: asyncio.TaskGroup, lost: Callable[[VenueError], None]
    ) -> Any:
        if self.current is not None:
            self.current.abort()
        return await open_at_last(self, tasks, lost)

    patch.setattr(Keeper, "_open_at_last", close_first)


def passes_on_missing_data(patch: pytest.MonkeyPatch, name: str) -> None:
    """One guardrail lets an order pass where it cannot tell."""
    check = CHECKS[name]

    def trusting(case: Case) -> Verdict:
        try:
            verdict = check(case)
        except (ArithmeticError, AttributeError, TypeError):
            return allow(name)
        knows = verdict.value or verdict.limit
        return verdict if verdict.allowed or knows else allow(name)

    patch.setitem(CHECKS, name, trusting)


def reservation_released_early(patch: pytest.MonkeyPatch) -> None:
    """What is sent and not yet settled counts nowhere."""
    patch.setattr(AccountBook, "reserve", lambda *_: None)


def counted_when_answered(patch: pytest.MonkeyPatch) -> None:
    """An order counts from its answer on, not from when it is on record."""
    record, settle = ActivityBook.record, ActivityBook.settle
    unanswered: dict[str, Intent] = {}

    def put_off(self: ActivityBook, intent: Intent) -> None:
        unanswered[intent.client_order_id] = intent

    async def record_and_settle(self: ActivityBook, client_order_id: str, *given: Any) -> None:
        if client_order_id in unanswered:
            record(self, unanswered.pop(client_order_id))
        await settle(self, client_order_id, *given)

    patch.setattr(ActivityBook, "record", put_off)
    patch.setattr(ActivityBook, "settle", record_and_settle)


def unknown_gives_its_place_back(patch: pytest.MonkeyPatch) -> None:
    """An order that was not answered counts as one that was never sent."""

    def forgetful(notional: Any, qty: Any, outcome: Any, filled: Any, *, ended: bool) -> Counted:
        if outcome is Outcome.UNKNOWN:
            return Counted(0, ZERO)
        return counted(notional, qty, outcome, filled, ended=ended)

    patch.setattr(activity_book, "counted", forgetful)
