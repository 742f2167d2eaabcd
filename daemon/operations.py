"""What a person asks of a daemon, whether or not one runs.

Source: design.md, "The way of a kill"; contract.md, "States" (STOPPED).
"""

import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.brokers.waiting import WaitingRoom
from otonom_trader.daemon.approvals import Approvals
from otonom_trader.daemon.approved import Approved
from otonom_trader.daemon.control import SOCKET_NAME, NoDaemon, ask
from otonom_trader.daemon.halt import require_resumable
from otonom_trader.daemon.kill import (
    LOSS,
    KillSwitch,
    read_latch,
    require_state_dir,
    unlatched,
    write_latch,
)
from otonom_trader.daemon.locks import holder, wait_for_state_dir_lock
from otonom_trader.daemon.logs import configure_logging
from otonom_trader.daemon.settings import Settings
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotPermitted, TraderError
from otonom_trader.domain.mode import DaemonState
from otonom_trader.storage.events import KillEvent
from otonom_trader.storage.journal import Journal

_CONFIRM_SECONDS = 5.0
_PAUSE_SECONDS = 0.05

Load = Callable[[], tuple[BrokerConfig, Settings]]


async def answer(
    state_dir: Path, load: Load, command: str, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the running daemon's answer to `command`; without one, what its files say.

    Raises `TraderError` when neither can be asked.
    """
    try:
        return await ask(state_dir / SOCKET_NAME, command, timeout_seconds=30.0, **arguments)
    except NoDaemon:
        pass
    config, settings = load()
    require_state_dir(state_dir)
    async with wait_for_state_dir_lock(state_dir, clock=SystemClock()):
        return await _STOPPED[command](config, settings, arguments)


async def kill_daemon(state_dir: Path, reason: str, by: str) -> str:
    """Trip the latch of `state_dir` and have its daemon, if one runs, confirm the halt.

    Returns a sentence saying what is so now. The latch is durable first; no lock is needed. Raises
    `TraderError` when a running daemon did not confirm, or the latch cannot be written: the daemon
    is halted all the same.
    """
    fault = None
    try:
        write_latch(state_dir, reason, by)
    except OSError as refused:
        fault = refused
    pid = signal_daemon(state_dir)
    status = None if pid is None else await confirmation(state_dir, pid)
    if fault is not None and read_latch(state_dir) is None:
        so = "nothing is halted:" if status is None else f"daemon {pid} is {status['state']}, but"
        raise TraderError(f"{so} {unlatched(state_dir, fault)}; mend that, and repeat this")
    if pid is None:
        return "no daemon runs; the next start will be halted"
    if status is None:
        return "the daemon has ended; the next start will be halted"
    return f"halted: daemon {pid} is {status['state']}"


def signal_daemon(state_dir: Path) -> int | None:
    """Send the kill signal to the daemon of `state_dir`; return its process id, None without one.

    Raises `NotPermitted` for a daemon of another container or another user.
    """
    pid = holder(state_dir)
    if pid is None:
        return None
    try:
        os.kill(pid, signal.SIGUSR1)
    except ProcessLookupError:
        return pid  # it has just ended
    except PermissionError:
        raise NotPermitted(
            f"daemon {pid} belongs to another user: run the command as that user"
        ) from None
    return pid


async def confirmation(state_dir: Path, pid: int) -> dict[str, Any] | None:
    """Return the status of daemon `pid` once it is halted; None when it has ended.

    Raises `TraderError` where it does not say so in time.
    """
    clock = SystemClock()
    deadline_ns = clock.monotonic_ns() + int(_CONFIRM_SECONDS * 1e9)
    while clock.monotonic_ns() < deadline_ns:
        try:
            status = await ask(state_dir / SOCKET_NAME, "status", timeout_seconds=1.0)
        except NoDaemon:
            if holder(state_dir) != pid:
                return None
        except TraderError:
            pass  # busy: asked again until the deadline
        else:
            if status["kill_switch"]:
                return status
        await clock.sleep(_PAUSE_SECONDS)
    silence = (
        f"daemon {pid} did not confirm the halt within {_CONFIRM_SECONDS:g} seconds: stop it with "
        f"'kill -9 {pid}'"
    )
    if read_latch(state_dir) is None:
        raise TraderError(f"{silence}, and start none: the latch is not set")
    raise TraderError(f"the latch is set, but {silence}; its next start will be halted")


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
