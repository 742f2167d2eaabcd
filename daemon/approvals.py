"""Persons asked, heard, and waited for no longer than was said.

Source: docs/approvals.md.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from otonom_trader.brokers.waiting import WaitingRoom
from otonom_trader.daemon.approved import Approved
from otonom_trader.daemon.control import Handler
from otonom_trader.daemon.execution_lines import tell
from otonom_trader.domain.amount import plain
from otonom_trader.domain.approval import Parked, Ruling, RulingKind
from otonom_trader.domain.errors import (
    JournalError,
    NotPermitted,
    NotWaiting,
    TradingHalted,
    VenueError,
    VenueUnreachable,
)
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.intent import Claim, Entry
from otonom_trader.domain.ports import Clock
from otonom_trader.risk.pipeline import REJECTED
from otonom_trader.storage.execution_rows import execution_json
from otonom_trader.storage.journal import Journal
from otonom_trader.storage.rows import instant

log = structlog.get_logger("approvals")

EXPIRED_CODE = "approval_expired"
_EVENTS = {
    RulingKind.APPROVED: "approval.approved",
    RulingKind.DENIED: "approval.denied",
    RulingKind.EXPIRED: "approval.expired",
}

Execute = Callable[[Approved, Callable[[], None]], Awaitable[TradeExecutionLog | Parked]]


class Approvals:
    """The orders that wait for a person, and what persons say of them.

    `waiting` is shared with the broker. `execute` has an approved order executed, and calls what it
    is given once that is on record; `on_fault` is told when something could not be written.
    """

    def __init__(
        self,
        journal: Journal,
        waiting: WaitingRoom,
        clock: Clock,
        execute: Execute,
        on_fault: Callable[[JournalError], None],
    ) -> None:
        self._journal = journal
        self._waiting = waiting
        self._clock = clock
        self._execute = execute
        self._on_fault = on_fault
        self._is_faulty = False

    def handlers(self) -> dict[str, Handler]:
        """Return the commands by name."""
        return {"approvals": self.approvals, "approve": self.approve, "deny": self.deny}

    @property
    def count(self) -> int:
        """How many orders wait."""
        return len(self._waiting.parked)

    async def take_up(self) -> None:
        """Begin with what earlier runs have left waiting."""
        self._waiting.take_up(await self._journal.waiting())

    async def announce(self) -> None:
        """End what has waited too long meanwhile, and say that others still wait."""
        await self.expire()
        if self.count:
            log.warning("approval.waiting", count=self.count, hint="otonom-trader approvals")

    async def expire(self) -> None:
        """End what has waited too long; what cannot be written now is written when it can."""
        try:
            for parked in self._waiting.overdue():
                with suppress(NotWaiting):  # ruled on at this moment
                    await end(
                        self._journal, self._waiting, parked, self._ruling(RulingKind.EXPIRED)
                    )
            self._is_faulty = False
        except JournalError as fault:
            if not self._is_faulty:
                self._on_fault(fault)
            self._is_faulty = True

    async def approvals(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the newest `limit` orders that wait, or with `all` those ruled on as well."""
        await self.expire()
        limit, waiting_only = int(arguments.get("limit", 100)), not arguments.get("all")
        return {"rows": await self._journal.approvals(limit, waiting_only=waiting_only)}

    async def deny(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """End the wait of decision `id`, of `source` where there are several, for a `reason`."""
        reason = str(arguments.get("reason", ""))
        if not reason.strip():
            raise NotPermitted("a reason is needed: otonom-trader deny ID --reason TEXT")
        parked = await self._find(arguments)
        ruling = self._ruling(RulingKind.DENIED, arguments, reason)
        try:
            row = await end(self._journal, self._waiting, parked, ruling)
        except NotWaiting:
            raise NotPermitted(await self._whereabouts(*parked.key)) from None
        return {"execution": execution_json(row)}

    async def approve(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Have decision `id` executed as it was seen; return what became of it.

        Raises `NotPermitted` and `VenueUnreachable` with why not, and whether it waits on.
        """
        parked = await self._find(arguments)
        ruling = self._ruling(RulingKind.APPROVED, arguments)
        approved = Approved(parked, ruling, self._waiting.confirmed(parked))
        still = f"decision {parked.key.id!r} is not approved and still waits:"
        try:
            done = await self._execute(approved, lambda: _tell(parked, ruling))
        except NotWaiting:
            raise NotPermitted(await self._whereabouts(*parked.key)) from None
        except TradingHalted as halt:
            raise NotPermitted(f"{still} {halt}") from None
        except VenueError as failure:
            if self._waiting.get(parked.key) is None:
                raise
            raise VenueUnreachable(f"{still} the venue cannot be asked: {failure}") from None
        except JournalError as fault:
            self._on_fault(fault)
            raise
        if isinstance(done, Parked):
            was, now = (plain(round(one.notional, 2)) for one in (parked, done))
            raise NotPermitted(
                f"decision {parked.key.id!r} waits again: its notional was ${was} and is ${now} "
                "now; approve it again to agree"
            )
        return {"execution": execution_json(done)}

    async def _find(self, arguments: dict[str, Any]) -> Parked:
        """Return what is meant; raises `NotPermitted` where nothing waits, or more than one."""
        await self.expire()
        id_, source = str(arguments.get("id", "")), str(arguments.get("source") or "")
        found = [
            parked
            for parked in self._waiting.parked
            if parked.key.id == id_ and source in ("", parked.key.source)
        ]
        if not found:
            raise NotPermitted(await self._whereabouts(source, id_))
        if len(found) > 1:
            ways = " or ".join(f"--source {parked.key.source}" for parked in found)
            raise NotPermitted(f"{len(found)} decisions {id_!r} wait for approval: add {ways}")
        return found[0]

    async def _whereabouts(self, source: str, id_: str) -> str:
        rows = await self._journal.approvals_of(id_)
        ruled = [row for row in rows if row["ruling"] and source in ("", row["source"])]
        if not ruled:
            return (
                f"no decision {id_!r} waits for approval; otonom-trader approvals lists what does"
            )
        last = ruled[-1]
        if last["ruling"] == RulingKind.EXPIRED:
            until = _to_the_second(last["expires_at"])
            return f"decision {id_!r} has expired: nobody approved it by {until}"
        at = _to_the_second(last["ruled_at"])
        return f"decision {id_!r} was {last['ruling']} by {last['ruled_by']} at {at}"

    def _ruling(
        self, kind: RulingKind, arguments: dict[str, Any] | None = None, reason: str = ""
    ) -> Ruling:
        by = "" if arguments is None else str(arguments.get("by", "control socket"))
        return Ruling(kind, by, self._clock.now(), reason)


async def end(
    journal: Journal, waiting: WaitingRoom, parked: Parked, ruling: Ruling
) -> TradeExecutionLog:
    """Write down that an order is not sent; raises `NotWaiting` where it waits no more."""
    row = _ended(parked, ruling)
    claim = Claim(parked.decision, parked.received_at)
    entry = Entry(claim, execution=row, ruling=ruling)
    await journal.record(entry)
    waiting.heed(entry)
    _tell(parked, ruling)
    with bound_contextvars(decision_id=parked.key.id, source=parked.key.source):
        tell(row)
    return row


def _ended(parked: Parked, ruling: Ruling) -> TradeExecutionLog:
    if ruling.kind is RulingKind.EXPIRED:
        outcome, code = Outcome.EXPIRED, EXPIRED_CODE
        until = _to_the_second(instant(parked.expires_at))
        message = f"{parked.reason}, and nobody approved it by {until}"
    else:
        outcome, code = Outcome.DENIED, "require_confirmation_above"
        message = f"{REJECTED}{parked.reason}, and {ruling.by} denied it: {ruling.reason}"
    return TradeExecutionLog(
        decision_id=parked.key.id,
        source=parked.key.source,
        symbol=parked.symbol.canonical,
        side=parked.side,
        qty=parked.qty,
        requested_qty=parked.requested_qty,
        outcome=outcome,
        mode=parked.account.mode,
        broker_message=message,
        broker_code=code,
        recorded_at=ruling.at,
    )


def _to_the_second(moment: object) -> str:
    """Shorten a time as the journal has it for a sentence."""
    return f"{str(moment)[:19]}Z"


def _tell(parked: Parked, ruling: Ruling) -> None:
    """Log how a wait ended; it comes after the commit."""
    facts = {"by": ruling.by, "reason": ruling.reason}
    log.warning(
        _EVENTS[ruling.kind],
        decision_id=parked.key.id,
        source=parked.key.source,
        symbol=parked.symbol.canonical,
        side=parked.side,
        qty=parked.qty,
        notional=round(parked.notional, 2),
        **{name: value for name, value in facts.items() if value},
    )
