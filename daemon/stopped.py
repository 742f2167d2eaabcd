"""What the files of a daemon say while none runs, and what may be done to them.

Source: contract.md, "States" (STOPPED).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.brokers.waiting import WaitingRoom
from otonom_trader.daemon.approvals import Approvals
from otonom_trader.daemon.approved import Approved
from otonom_trader.daemon.halt import require_resumable
from otonom_trader.daemon.kill import LOSS, KillSwitch, read_latch, require_state_dir
from otonom_trader.daemon.launch import load
from otonom_trader.daemon.locks import wait_for_state_dir_lock
from otonom_trader.daemon.logs import configure_logging
from otonom_trader.daemon.settings import Settings
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotPermitted, TraderError
from otonom_trader.domain.mode import DaemonState
from otonom_trader.storage.events import KillEvent
from otonom_trader.storage.journal import Journal


async def answer_from_files(
    config: Path | None, state_dir: Path | None, command: str, arguments: Mapping[str, object]
) -> dict[str, Any]:
    """Answer `command` in the place of the daemon, under the lock of the state directory.

    Raises `TraderError` where there is no such directory, or a daemon is about to run in it.
    """
    broker, settings = load(config, state_dir)
    require_state_dir(settings.state_dir)
    async with wait_for_state_dir_lock(settings.state_dir, clock=SystemClock()):
        return await _STOPPED[command](broker, settings, arguments)


async def _status(
    config: BrokerConfig, settings: Settings, arguments: Mapping[str, object]
) -> dict[str, Any]:
    reason = read_latch(settings.state_dir)
    counts: dict[str, int] = {}
    last_drill_at = banned_until = paper_only = None
    if settings.journal_path.exists():
        async with _journal(settings) as journal:
            counts = await journal.counts()
            paper_only = await journal.paper_only()
            last_drill_at = await journal.last_drill_at()
            banned_until = await journal.ban_until(config.base_url)
    return {
        "state": DaemonState.STOPPED,
        "mode": config.mode,
        "kill_switch": reason is not None,
        "kill_reason": reason,
        "paper_only_reason": None if paper_only is None else paper_only.reason,
        "pid": None,
        **({} if banned_until is None else {"banned_until": banned_until.isoformat()}),
        "last_drill_at": last_drill_at and last_drill_at.isoformat(),
        "decisions": counts,
    }


async def _orders(
    config: BrokerConfig, settings: Settings, arguments: Mapping[str, object]
) -> dict[str, Any]:
    if not settings.journal_path.exists():
        return {"rows": []}
    limit = int(str(arguments["limit"]))
    async with _journal(settings) as journal:
        if arguments.get("external"):
            return {"rows": await journal.external_orders(limit)}
        return {"rows": await journal.orders(limit, open_only=bool(arguments["open_only"]))}


async def _executions(
    config: BrokerConfig, settings: Settings, arguments: Mapping[str, object]
) -> dict[str, Any]:
    if not settings.journal_path.exists():
        return {"rows": []}
    async with _journal(settings) as journal:
        return {"rows": await journal.executions(int(str(arguments["limit"])))}


async def _drills(
    config: BrokerConfig, settings: Settings, arguments: Mapping[str, object]
) -> dict[str, Any]:
    if not settings.journal_path.exists():
        return {"rows": []}
    async with _journal(settings) as journal:
        found = await journal.drills(int(str(arguments["limit"])))
    return {"rows": [asdict(drill) | {"at": drill.at.isoformat()} for drill in found]}


async def _resume(
    config: BrokerConfig, settings: Settings, arguments: Mapping[str, object]
) -> dict[str, Any]:
    reason = str(arguments["reason"]).strip()
    require_resumable(reason, Path(config.path))
    switch = KillSwitch(settings.state_dir)
    switch.open()
    try:
        async with _journal(settings) as journal:
            now = SystemClock().now()
            if any(trip.by == LOSS for trip in switch.trips):
                await journal.forget_equity_marks()  # whoever resumes accepts the loss
            await journal.record_kill(KillEvent(now, "resume", reason, "otonom-trader resume"))
        switch.clear()
    finally:
        switch.close()
    return {"state": DaemonState.STOPPED}


async def _of_waiting(
    command: str, config: BrokerConfig, settings: Settings, arguments: Mapping[str, object]
) -> dict[str, Any]:
    """Answer from the journal what a daemon answers of the orders that wait for a person."""
    configure_logging("auto", "error")
    clock = SystemClock()
    async with _journal(settings) as journal:
        approvals = Approvals(journal, WaitingRoom(clock), clock, _needs_daemon, _raise)
        await approvals.take_up()
        return await approvals.handlers()[command](dict(arguments))


async def _needs_daemon(approved: Approved, on_recorded: object) -> NoReturn:
    raise NotPermitted(
        f"decision {approved.parked.key.id!r} is not approved and still waits: the daemon sends "
        "approved orders, and none runs: otonom-trader run"
    )


def _raise(fault: TraderError) -> None:
    raise fault


def _journal(settings: Settings) -> Journal:
    return Journal(settings.journal_path, clock=SystemClock())


_STOPPED: dict[
    str,
    Callable[[BrokerConfig, Settings, Mapping[str, object]], Awaitable[dict[str, Any]]],
] = {
    "status": _status,
    "orders": _orders,
    "executions": _executions,
    "drills": _drills,
    "resume": _resume,
    **{name: partial(_of_waiting, name) for name in ("approvals", "approve", "deny")},
}
