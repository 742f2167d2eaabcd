"""What a running daemon answers over its control socket."""

import os
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.daemon.activity_facts import activity_facts
from otonom_trader.daemon.approvals import Approvals
from otonom_trader.daemon.control import Handler
from otonom_trader.daemon.difference import Difference
from otonom_trader.daemon.floor import Floor
from otonom_trader.daemon.halt import Halt
from otonom_trader.daemon.kill import unlatched
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.daemon.write_off import write_off
from otonom_trader.domain.amount import plain
from otonom_trader.domain.errors import NotPermitted, TraderError
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.journal import Journal

_LARGE = Decimal(100)


class Answers:
    """What a person asks of a daemon, each command a mapping in and a mapping out.

    `floor` returns what trades, None before the venue is reached; `resume` brings it back to
    trading once the latch is cleared, `reconcile` compares with the venue; `lost_log_lines` counts
    what the log's reader never got; `configuration` tells what is in force, `flattening` how far
    positions are closed after a kill.
    """

    def __init__(
        self,
        config: BrokerConfig,
        lifecycle: Lifecycle,
        halt: Halt,
        journal: Journal,
        approvals: Approvals,
        clock: Clock,
        floor: Callable[[], Floor | None],
        resume: Callable[[str], Awaitable[None]],
        reconcile: Callable[[], Awaitable[list[Difference]]],
        lost_log_lines: Callable[[], int],
        configuration: Callable[[], dict[str, Any]],
        flattening: Callable[[], dict[str, Any]],
    ) -> None:
        self._config = config
        self._lifecycle = lifecycle
        self._halt = halt
        self._journal = journal
        self._approvals = approvals
        self._floor = floor
        self._resume = resume
        self._reconcile = reconcile
        self._lost_log_lines = lost_log_lines
        self._configuration = configuration
        self._flattening = flattening
        self._clock = clock
        self._started_at = clock.now()

    def handlers(self) -> dict[str, Handler]:
        """Return the commands by name."""
        return {
            "status": self.status,
            "orders": self.orders,
            "executions": self.executions,
            "kill": self.kill,
            "resume": self.resume,
            "reconcile": self.reconcile,
            "write_off": self.write_off,
        }

    async def status(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return what the daemon is doing."""
        banned_until = await self._journal.ban_until(self._config.base_url)
        return self.now() | {
            **({} if banned_until is None else {"banned_until": banned_until}),
            "last_drill_at": await self._journal.last_drill_at(),
            "decisions": await self._journal.counts(),
        }

    def now(self) -> dict[str, Any]:
        """Return what memory alone can tell of the daemon."""
        floor = self._floor()
        switch = self._lifecycle.switch
        facts: dict[str, Any] = {
            "state": self._lifecycle.state,
            "mode": self._config.mode,
            "kill_switch": switch.tripped,
            "kill_reason": switch.reason or None,
            **self._after_kill(),
            "paper_only_reason": self._lifecycle.paper_only or None,
            "pid": os.getpid(),
            "started_at": self._started_at,
            "approvals_waiting": self._approvals.count,
            "log_lines_lost": self._lost_log_lines(),
        } | self._configuration()
        if floor is None:
            return facts
        exposure = floor.broker.exposure()
        equity = exposure.equity
        return facts | {
            "account": str(floor.desk.account),
            "equity": None if equity is None else _worth(equity),
            "positions": sorted(exposure.positions),
            "decisions_in_flight": floor.intake.in_flight,
            "orders_unknown": floor.resolver.unknown,
            "orders_open": len(floor.broker.outcomes.open_orders),
            "activity": activity_facts(
                floor.broker.activity.activity(),
                floor.broker.guardrails,
                equity,
                self._clock.now(),
            ),
        }

    def _after_kill(self) -> dict[str, Any]:
        """Return whether the latch lacks what halted, and how far orders and positions are gone."""
        unwritten = self._lifecycle.switch.unwritten
        lacks = {} if unwritten is None else {"kill_latch_unwritten": unwritten.strerror}
        if not self._lifecycle.switch.cancels or self._config.mode is not Mode.LIVE:
            return lacks
        withdrawal = self._halt.withdrawal
        return lacks | {
            "kill_orders_left": withdrawal.left,
            "kill_verified": withdrawal.verified,
            **self._flattening(),
        }

    async def orders(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the newest `limit` orders, or only those not settled, or only those of others."""
        limit, open_only = int(arguments.get("limit", 100)), bool(arguments.get("open_only"))
        if arguments.get("external"):
            return {"rows": await self._journal.external_orders(limit)}
        return {"rows": await self._journal.orders(limit, open_only=open_only)}

    async def executions(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the newest `limit` executions."""
        return {"rows": await self._journal.executions(int(arguments.get("limit", 100)))}

    async def kill(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Trip the kill switch; durable when this answers, else raises `TraderError`."""
        self._halt.trip(
            str(arguments.get("reason", "")), str(arguments.get("by", "control socket"))
        )
        switch = self._lifecycle.switch
        if switch.unwritten is not None:
            raise TraderError(f"halted, but {unlatched(switch.path.parent, switch.unwritten)}")
        return await self.status({})

    async def resume(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Clear the kill switch and trade again; raises `NotPermitted` as `Halt.resume` does."""
        await self._resume(str(arguments.get("reason", "")))
        return await self.status({})

    async def reconcile(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Compare journal and venue; return in what they differ: see `Difference`."""
        return {"rows": [difference.as_fields() for difference in await self._reconcile()]}

    async def write_off(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """End an order that the venue has forgotten; raises as `write_off.write_off` does."""
        floor = self._floor()
        if floor is None:
            raise NotPermitted("the venue has not been reached yet: it must be asked first")
        row = await write_off(
            floor.broker,
            self._journal,
            self._clock,
            *(str(arguments.get(name, "")) for name in ("client_order_id", "reason", "by")),
        )
        filled, qty = plain(row.broker_qty), plain(row.qty)
        return {"outcome": row.outcome, "filled_qty": filled, "qty": qty}


def _worth(equity: Decimal) -> str:
    """Return an equity for people: in cents, or where it is small as finely as assets are held."""
    return plain(round(equity, 2 if abs(equity) >= _LARGE else 8))
