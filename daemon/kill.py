"""The kill switch: one latch, in memory and on disk, with many doors.

Standard library only, so that its handler can stand before the rest of the program is imported.
Source: design.md, "The way of a kill"; promises.md, P2.
"""

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from otonom_trader.domain.errors import TraderError, TradingHalted

LATCH = "kill.latch"
_MAX_READ = 65536


class KillSwitch:
    """The latch of one state directory: a file that is empty until it is tripped.

    The file is opened beforehand, so that tripping is one write and one fsync, safe in a signal
    handler. Nothing here awaits.
    """

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / LATCH
        self.unwritten: OSError | None = None
        self._fd: int | None = None
        self._reason: str | None = None

    def open(self) -> None:
        """Open the latch file, creating it empty, and read what an earlier run left in it."""
        if self._fd is None:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            _sync_directory(self.path.parent)
        found = _first_reason(os.pread(self._fd, _MAX_READ, 0))
        if found is None and self._reason is not None:
            append_latch(self._fd, self._reason, "a signal before the latch was open")
        self._reason = self._reason or found

    @property
    def tripped(self) -> bool:
        """Whether trading is halted."""
        return self._reason is not None

    @property
    def reason(self) -> str:
        """Why trading is halted; empty while it is not."""
        return self._reason or ""

    def check(self) -> None:
        """Raise `TradingHalted` with the reason when tripped."""
        if self._reason is not None:
            raise TradingHalted(self._reason)

    def trip(self, reason: str, by: str) -> bool:
        """Halt: memory first, then the latch, durable when this returns. Idempotent.

        Returns whether this call was the first. Raises ``OSError`` when the latch cannot be
        written; memory is set even then.
        """
        if self._reason is not None:
            return False
        self._reason = cause(reason, by)
        if self._fd is not None:
            already = _first_reason(os.pread(self._fd, _MAX_READ, 0))
            if already is None:
                append_latch(self._fd, reason, by)
            else:  # whoever sent the signal has latched, and said why
                self._reason = already
        return True

    def clear(self) -> None:
        """Empty the latch: only `resume` does so."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.fsync(self._fd)
        self._reason = None

    def close(self) -> None:
        """Close the latch file; what is on disk stays."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def on_signal(self, signum: int, frame: FrameType | None) -> None:
        """Signal handler: latch at once, whatever the event loop is busy with.

        A disk fault is kept in `unwritten`: raised here, it would surface at any line of any task.
        """
        try:
            self.trip("signal", signal.Signals(signum).name)
        except OSError as fault:
            self.unwritten = fault


_of_process: KillSwitch | None = None


def process_switch(state_dir: Path) -> KillSwitch:
    """Return this process's switch for `state_dir`, made on first use and not opened by this."""
    global _of_process  # noqa: PLW0603  a process has one
    if _of_process is None or _of_process.path != state_dir / LATCH:
        _of_process = KillSwitch(state_dir)
    return _of_process


def cause(reason: str, by: str) -> str:
    """Return why trading is halted, as it is told: the reason, and the door it came by."""
    return f"{reason} (by {by})" if reason else f"by {by}"


def append_latch(fd: int, reason: str, by: str) -> None:
    """Write one durable line to an open latch file."""
    at = datetime.now(UTC).isoformat()  # noqa: TID251  in a signal handler there is no one to hand a clock
    line = json.dumps({"at": at, "reason": reason, "by": by}) + "\n"
    os.write(fd, line.encode())
    os.fsync(fd)


def write_latch(state_dir: Path, reason: str, by: str) -> None:
    """Trip the latch of `state_dir` from outside; raises `TraderError` without such a directory."""
    require_state_dir(state_dir)
    switch = KillSwitch(state_dir)
    switch.open()
    try:
        switch.trip(reason, by)
    finally:
        switch.close()


def require_state_dir(state_dir: Path) -> None:
    """Return where `state_dir` exists; raise `TraderError` otherwise, and make nothing."""
    if not state_dir.is_dir():
        raise TraderError(f"there is no state directory {state_dir}: name it with --state-dir")


def read_latch(state_dir: Path) -> str | None:
    """Return why the latch of `state_dir` is tripped, None when it is not."""
    try:
        return _first_reason((state_dir / LATCH).read_bytes())
    except FileNotFoundError:
        return None


def _first_reason(content: bytes) -> str | None:
    if not content:
        return None
    try:
        event = json.loads(content.splitlines()[0])
        return cause(event["reason"], event["by"])
    except (ValueError, KeyError, TypeError, IndexError):
        return "the latch file is damaged"  # a torn write is a trip all the same


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


async def set_kill_switch(*, on: bool, reason: str, state_dir: Path | str | None) -> None:
    """Trip this process's switch, or that of the daemon holding `state_dir`; see the package."""
    if not on:
        raise ValueError("set_kill_switch(False) is refused: use otonom-trader resume --reason ...")
    directory = None if state_dir is None else Path(state_dir)
    if _of_process is not None and directory in (None, _of_process.path.parent):
        _of_process.trip(reason, "set_kill_switch")
        if signal.getsignal(signal.SIGUSR1) == _of_process.on_signal:
            os.kill(os.getpid(), signal.SIGUSR1)  # wakes the loop that cancels and tells
        return
    from otonom_trader.daemon.operations import kill_daemon  # noqa: PLC0415  heavy, and not needed above

    default = Path(os.environ.get("STATE_DIRECTORY") or "var")
    await kill_daemon(directory or default, reason, "set_kill_switch")
