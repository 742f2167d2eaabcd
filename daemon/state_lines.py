"""What the daemon tells of itself: each change of its state, and its pulse."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog

from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.daemon.systemd import Notifier
from otonom_trader.domain.mode import DaemonState, Mode

log = structlog.get_logger("daemon")

_HEARTBEAT: Final = (
    "state",
    "mode",
    "equity",
    "positions",
    "decisions_in_flight",
    "orders_unknown",
    "orders_open",
)
"""What a heartbeat tells of the status: what may change while nothing is the matter."""


class StateLines:
    """Log lines about the state, and the line that ``systemctl status`` shows."""

    def __init__(self, lifecycle: Lifecycle, mode: Mode, notifier: Notifier) -> None:
        self._lifecycle = lifecycle
        self._mode = mode
        self._notifier = notifier
        self._told: tuple[DaemonState, str] | None = None

    def tell(self) -> None:
        """Say what the state is where it is another than was said last."""
        state = self._lifecycle.state
        reasons = {
            DaemonState.HALTED: self._lifecycle.switch.reason,
            DaemonState.PAPER_ONLY: self._lifecycle.paper_only,
        }
        reason = reasons.get(state, "")
        if (state, reason) == self._told:
            return
        self._told = state, reason
        self._notifier.status(f"{state} in mode {self._mode} {reason}".rstrip())
        log.info("state.changed", state=state, **({"reason": reason} if reason else {}))

    def heartbeat(self, status: Mapping[str, Any]) -> None:
        """Say that all goes on, and how far."""
        log.info("heartbeat", **{name: status[name] for name in _HEARTBEAT if name in status})

    def dump(self, status: Mapping[str, Any]) -> None:
        """Say everything there is to say, for who looks into a daemon that seems to hang."""
        log.info("status.dump", **status, tasks=len(asyncio.all_tasks()))
