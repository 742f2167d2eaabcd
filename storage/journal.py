"""The journal: what was decided, intended and done, durable before it is acted on."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.activity import EarlierActivity, EquityMarks
from otonom_trader.domain.approval import Parked
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.execution import TradeExecutionLog
from otonom_trader.domain.intent import Entry, Intent, LedgerChange, OpenIntent, SourcePosition
from otonom_trader.domain.ledger import Ledger, Payment
from otonom_trader.domain.order import Fill, OrderResult
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.resting import RestingOrder
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.verdict import Verdict
from otonom_trader.storage import (
    activity,
    approvals,
    claims,
    drills,
    events,
    ledgers,
    outcomes,
    queries,
    resting,
    venue_notes,
)
from otonom_trader.storage.commit import GroupCommit
from otonom_trader.storage.connection import ThreadedConnection
from otonom_trader.storage.opening import check_file, explained, open_file
from otonom_trader.storage.rows import payload_digest

__all__ = ["Journal", "payload_digest"]

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Journal:
    """The journal's file at `path`, held alone: fills `IntentLog` and `PaperStore`.

    Opens in ``async with`` or `open`. Every write returns once it is durable and is carried out
    even where its awaiter is cancelled; writes keep the order in which they were first awaited, and
    those that wait together are committed together. Every method raises `JournalError` when it
    could not do what it was asked. Source: promises.md, P3, P13, P15.
    """

    def __init__(self, path: str | Path, *, clock: Clock) -> None:
        self.path = Path(path)
        self._clock = clock
        self._connection = ThreadedConnection(partial(open_file, self.path))
        self._remembered = claims.Remembered()
        self._commits = GroupCommit(self._connection, self._remembered.clear)
        self._configuration: int | None = None
        self._newest_row_at: datetime | None = None

    async def open(self) -> None:
        """Open, create or migrate the file; raises `AlreadyRunning` and `JournalError`."""
        if not self._connection.is_open:
            await self._connection.open()
            try:
                self._newest_row_at = await self._read(queries.newest_row_at)
            except BaseException:
                await self._connection.aclose()
                raise

    async def aclose(self) -> None:
        """Close once what was given so far is written; it may be opened again."""
        await self._connection.aclose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    @property
    def failure(self) -> str | None:
        """Why nothing can be written any more, None while all is well. Source: promises.md, P13."""
        return self._commits.failure

    # What is written

    async def record(self, entry: Entry) -> None:
        """Write a claim with all that came of it so far, in one transaction.

        Raises `DuplicateDecision` for a decision that is claimed already, and `NotWaiting` for a
        ruling on one that does not wait for a person.
        """
        await self._write(
            claims.record, self._remembered, entry, self._configuration, self._clock.now()
        )

    async def settle(
        self,
        intent: Intent,
        result: OrderResult,
        execution: TradeExecutionLog,
        shadow: LedgerChange | None = None,
        rests: RestingOrder | None = None,
    ) -> None:
        """Book an outcome; see `IntentLog.settle` and `outcomes.settle`."""
        known = self._remembered.ledgers
        await self._write(
            outcomes.settle, known, intent, result, execution, shadow, rests, self._clock.now()
        )

    async def move_resting(
        self, moved: RestingOrder, change: LedgerChange | None
    ) -> TradeExecutionLog | None:
        """Write how far a resting order has come; see `IntentLog.move_resting`."""
        known = self._remembered.ledgers
        return await self._write(outcomes.move_resting, known, moved, change, self._clock.now())

    async def set_position(self, position: SourcePosition) -> None:
        """Note how far a source was read, where no claim goes with it."""
        await self._write(claims.write_position, position, self._clock.now())

    async def open_ledger(self, name: str, ledger: Ledger) -> None:
        """Write the opening state of the account called `name`."""
        known = self._remembered.ledgers
        await self._write(ledgers.open_ledger, known, name, ledger, self._clock.now())

    async def record_kill(self, event: events.KillEvent) -> None:
        """Write a trip of the kill switch or a resume."""
        await self._write(events.insert_kill, event)

    async def record_drill(self, drill: drills.Drill) -> None:
        """Write a rehearsal of the kill switch."""
        await self._write(drills.insert, drill)

    async def record_equity(self, point: events.EquityPoint) -> None:
        """Write what an account is worth."""
        await self._write(events.insert_equity, point)

    async def record_configuration(
        self, hash_: str, text: str, version: str = "", diff: str | None = None
    ) -> None:
        """Write the configuration now in force; later claims refer to it. `text` is redacted.

        `diff` is in what it differs from the one before, as JSON.
        """
        self._configuration = await self._write(
            events.insert_configuration, hash_, text, version, diff, self._clock.now()
        )

    async def record_equity_marks(self, account: AccountKey, marks: EquityMarks) -> None:
        """Note what losses of `account` are measured from."""
        await self._write(activity.write_marks, account, marks)

    async def forget_equity_marks(self) -> None:
        """Have losses of every account measured from the next reading on."""
        await self._write(activity.forget_marks)

    async def record_ban(self, venue: str, until: datetime) -> None:
        """Note until when `venue` takes no request from this address."""
        await self._write(venue_notes.write_ban, venue, until)

    async def record_external(self, venue: str, orders: Sequence[OrderResult]) -> None:
        """Note orders of the account that are not ours, as they stand."""
        await self._write(venue_notes.write_external, venue, orders, self._clock.now())

    # What is asked

    async def ban_until(self, venue: str) -> datetime | None:
        """Return until when `venue` takes no request, None where no ban is in force."""
        return await self._read(venue_notes.ban_until, venue, self._clock.now())

    async def external_orders(self, limit: int = 100) -> list[dict[str, object]]:
        """Return the newest `limit` orders of others, the last told of last."""
        return await self._read(venue_notes.external_orders, limit)

    async def waiting(self) -> list[Parked]:
        """Return what waits for a person, oldest first."""
        return await self._read(approvals.waiting)

    async def approvals(
        self, limit: int = 100, *, waiting_only: bool = False
    ) -> list[dict[str, object]]:
        """Return the newest `limit` orders that a person was asked about, newest last."""
        return await self._read(approvals.newest, limit, waiting_only=waiting_only)

    async def approvals_of(self, decision_id: str) -> list[dict[str, object]]:
        """Return what persons were asked about decisions of that id, of any source, newest last."""
        return await self._read(approvals.of_id, decision_id)

    async def seen(self, keys: Sequence[DecisionKey]) -> dict[DecisionKey, str]:
        """Return the `payload_digest` of each of `keys` that is claimed."""
        return await self._read(queries.seen, keys)

    async def positions(self) -> dict[str, str]:
        """Return how far each source was read."""
        return await self._read(queries.positions)

    async def open_intents(self) -> list[OpenIntent]:
        """Return every intent that is not settled, oldest first."""
        return await self._read(queries.open_intents)

    async def trade_mark(self, account: AccountKey, symbol: Symbol) -> str | None:
        """Return the trade id to ask the venue from for fills that may be missing."""
        return await self._read(queries.trade_mark, account, symbol.canonical)

    async def orders_with_missing_fills(
        self, account: AccountKey, symbol: Symbol, trades: Sequence[tuple[str, str]]
    ) -> list[Intent]:
        """Return own orders of which `trades` (venue order id, trade id) has an unbooked one."""
        return await self._read(
            queries.orders_with_missing_fills, account, symbol.canonical, trades
        )

    async def has_order(self, client_order_id: str) -> bool:
        """Return whether an order of that id is on record."""
        return await self._read(queries.has_order, client_order_id)

    async def fills(self, client_order_id: str) -> tuple[Fill, ...]:
        """Return the fills of an order that are on record, oldest first."""
        return await self._read(queries.fills, client_order_id)

    async def orders(self, limit: int = 100, *, open_only: bool = False) -> list[dict[str, object]]:
        """Return the newest `limit` orders, newest last, JSON-ready, money in text."""
        return await self._read(queries.orders, limit, open_only=open_only)

    async def executions(self, limit: int = 100) -> list[dict[str, object]]:
        """Return the newest `limit` executions, newest last, JSON-ready, money in text."""
        return await self._read(queries.executions, limit)

    async def execution(self, key: DecisionKey) -> TradeExecutionLog | None:
        """Return a decision's execution, None before its first outcome."""
        return await self._read(queries.execution, key)

    async def execution_history(self, key: DecisionKey) -> list[TradeExecutionLog]:
        """Return what a decision's execution was before each update, oldest first."""
        return await self._read(queries.execution_history, key)

    async def verdicts(self, key: DecisionKey) -> tuple[Verdict, ...]:
        """Return what each guardrail said of a decision."""
        return await self._read(queries.verdicts, key)

    async def traded_symbols(self) -> frozenset[Symbol]:
        """Return every symbol met in a decision."""
        return await self._read(queries.traded_symbols)

    async def last_row_at(self) -> datetime | None:
        """Return when the newest row before this start was written. Source: promises.md, P1."""
        return self._newest_row_at

    async def counts(self) -> dict[str, int]:
        """Return decisions by outcome, as ``pending`` intents and as ``waiting`` what has none."""
        return await self._read(queries.counts)

    async def last_configuration(self) -> str | None:
        """Return the text of the configuration that was applied last, None before the first."""
        return await self._read(events.select_last_configuration)

    async def earlier_activity(self, account: AccountKey) -> EarlierActivity:
        """Return what `account` has ordered and owned before now."""
        return await self._read(activity.earlier, account, self._clock.now())

    async def losses_in_a_row(self, account: AccountKey) -> int:
        """Return how many closing orders of `account` have lost; see `IntentLog`."""
        return await self._read(activity.account_losses, account)

    async def bought(self, account: AccountKey) -> dict[str, Decimal]:
        """Return what own fills have bought and not sold, in base by canonical symbol.

        Of a live account, after the fees that were taken in base.
        """
        return await self._read(activity.bought, account)

    async def forget_gone(self, account: AccountKey, balances: Mapping[str, Decimal]) -> None:
        """Forget the cost of what is not held any more: it went by another way than own orders.

        `balances` are all that `account` holds, by asset; no own order may be on its way.
        """
        await self._write(activity.forget_gone, account, balances)

    async def kill_events(self) -> list[events.KillEvent]:
        """Return all kills and resumes, newest last."""
        return await self._read(events.select_kills)

    async def drills(self, limit: int = 100) -> list[drills.Drill]:
        """Return the newest `limit` rehearsals of the kill switch, newest last."""
        return await self._read(drills.select, limit)

    async def last_drill_at(self) -> datetime | None:
        """Return when the kill switch was rehearsed last, None when it never was."""
        newest = await self.drills(1)
        return newest[0].at if newest else None

    async def paper_only(self) -> events.KillEvent | None:
        """Return the trip of the health breaker that stands, None where none does."""
        return await self._read(events.select_paper_only)

    async def equity(self, limit: int = 100) -> list[events.EquityPoint]:
        """Return the newest `limit` equity points, newest last."""
        return await self._read(events.select_equity, limit)

    async def load_ledger(self, name: str) -> Ledger | None:
        """Return the account called `name`, None when it was never opened."""
        return await self._read(ledgers.load_ledger, self._remembered.ledgers, name)

    async def load_resting(self, name: str) -> list[RestingOrder]:
        """Return the orders that rest on the account called `name`, oldest first."""
        return await self._read(resting.load, name)

    async def ledger_entries(self, name: str) -> list[Payment]:
        """Return all payments booked on the account called `name`, oldest first."""
        return await self._read(ledgers.load_entries, name)

    async def check(self) -> list[str]:
        """Return what is wrong in the whole file, empty when it is sound.

        Pages and indexes, references between rows, and ledgers against their entries. On a big file
        this takes minutes, and writes wait.
        """
        return await self._read(check_file)

    async def _read(
        self,
        query: Callable[Concatenate[sqlite3.Connection, _Given], _Result],
        *args: _Given.args,
        **kwargs: _Given.kwargs,
    ) -> _Result:
        try:
            return await self._connection.run(query, *args, **kwargs)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    async def _write(
        self,
        work: Callable[Concatenate[sqlite3.Connection, _Given], _Result],
        *args: _Given.args,
        **kwargs: _Given.kwargs,
    ) -> _Result:
        return await self._commits.write(lambda connection: work(connection, *args, **kwargs))
