"""What a person asks of a daemon, whether or not one runs.

What a running daemon answers needs nothing more than is imported here: a kill is not to wait for
what trades. Source: design.md, "The way of a kill"; contract.md, "States" (STOPPED).
"""

import asyncio
import getpass
import os
import signal
from pathlib import Path
from typing import Any

from otonom_trader.daemon.control import SOCKET_NAME, NoDaemon, ask
from otonom_trader.daemon.folders import find_state_dir
from otonom_trader.daemon.kill import read_latch, unlatched, write_latch
from otonom_trader.daemon.locks import holder
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotPermitted, TraderError
from otonom_trader.domain.mode import DaemonState

_CONFIRM_SECONDS = 5.0
_PAUSE_SECONDS = 0.05
_ANSWER_SECONDS = 30.0
_ANSWER_OF_THE_VENUE_SECONDS = 120.0


def answer(
    config: Path | None, state_dir: Path | None, command: str, **arguments: object
) -> dict[str, Any]:
    """Return the running daemon's answer to `command`; without one, what its files say.

    Raises `TraderError` when neither can be asked.
    """
    try:
        return _ask(state_dir, command, _ANSWER_SECONDS, arguments)
    except NoDaemon:
        pass
    from otonom_trader.daemon.stopped import answer_from_files  # noqa: PLC0415  see above

    return asyncio.run(answer_from_files(config, state_dir, command, arguments))


def answer_at_the_venue(
    config: Path | None, state_dir: Path | None, command: str, **arguments: object
) -> dict[str, Any]:
    """Have the running daemon carry out a command that asks the venue, and return its answer.

    Without a daemon it is done here, under the locks that one would hold.
    """
    try:
        return _ask(state_dir, command, _ANSWER_OF_THE_VENUE_SECONDS, arguments)
    except NoDaemon:
        pass
    from otonom_trader.daemon.launch import trade  # noqa: PLC0415  see above

    done = trade(
        config, state_dir, lambda daemon: daemon.run_by_hand(command, arguments), level="error"
    )
    return {**done, "state": DaemonState.STOPPED}


def person() -> str:
    """Return who runs this command, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


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


def _ask(
    state_dir: Path | None, command: str, timeout_seconds: float, arguments: dict[str, object]
) -> dict[str, Any]:
    socket = find_state_dir(state_dir) / SOCKET_NAME
    return asyncio.run(ask(socket, command, timeout_seconds=timeout_seconds, **arguments))
