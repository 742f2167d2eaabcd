"""The kill switch: one latch, in memory and on disk, with many doors.

Standard library only, so that its handler can stand before the rest of the program is imported.
Source: design.md, "The way of a kill"; promises.md, P2.
"""

import json
import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

from otonom_trader.domain.errors import TraderError, TradingHalted

LATCH = "kill.latch"
DOUBT: Final = "reconciliation"
"""The door of a contradiction between journal and venue: a person looks before anything ends."""
LOSS: Final = "guardrail"
"""The door of a loss beyond its limit."""
DRY_DRILL: Final = "dry drill"
"""The door of a rehearsal that sends nothing."""
DRILL: Final = "drill"
"""The door of a rehearsal that cancels."""
JOURNAL: Final = "journal"
"""The door of a journal that cannot be written."""
_LEAVES_ORDERS: Final = (DOUBT, DRY_DRILL)
_KEEPS_POSITIONS: Final = (DOUBT, JOURNAL)
"""Doors that keep positions, whatever else has halted: it is not known what there is to sell."""
_LEAVES_POSITIONS: Final = (*_KEEPS_POSITIONS, DRY_DRILL, DRILL, "")
_MAX_READ = 65536
_RESERVED_BYTES = 4096
_KEEP_SIZE = 1
_NS = 1_000_000_000


class Trip(NamedTuple):
    """Why trading was halted, and by which door."""

    reason: str
    by: str

    @property
    def cause(self) -> str:
        """The two as they are told."""
        return cause(self.reason, self.by)

    @property
    def cancels(self) -> bool:
        """Whether own working orders are to be cancelled."""
        return self.by not in _LEAVES_ORDERS

    @property
    def flattens(self) -> bool:
        """Whether positions are to be closed, where the configuration says that a kill does so."""
        return self.by not in _LEAVES_POSITIONS


_DAMAGED: Final = Trip("the latch file is damaged", "")  # a torn write is a trip all the same


class KillSwitch:
    """The latch of one state directory: a file that is empty until it is tripped.

    The file is opened beforehand, so that tripping is one write and one fsync, safe in a signal
    handler. Nothing here awaits. The first trip halts; of later ones only that is kept which makes
    a halt that left own orders working, or positions, one that does not, and the first doubts.
    """

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / LATCH
        self.unwritten: OSError | None = None
        """Why the latch on disk does not hold what has halted, None where it does."""
        self.latched_ns: int | None = None
        """When this process last made a trip durable, monotonic."""
        self.asked = 0
        """How often it was to halt since it was cleared, by whatever door."""
        self.times_cleared = 0
        """How often trading was resumed in this process: what tells one halt from the next."""
        self._fd: int | None = None
        self._trips: tuple[Trip, ...] = ()
        self._announced: tuple[Trip, int] | None = None

    def open(self) -> None:
        """Open the latch file, creating it empty, and read what an earlier run left in it."""
        if self._fd is None:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            _reserve(self._fd)
            _sync_directory(self.path.parent)
        tripped_before, self._trips = self._trips, _read_trips(self._fd)
        for trip in tripped_before:
            self.trip(*trip)

    @property
    def tripped(self) -> bool:
        """Whether trading is halted."""
        return bool(self._trips)

    @property
    def trips(self) -> tuple[Trip, ...]:
        """What has halted trading, the first first; empty while nothing has."""
        return self._trips

    @property
    def reason(self) -> str:
        """Why trading was halted first; empty while it is not."""
        return self._trips[0].cause if self._trips else ""

    @property
    def cancels(self) -> bool:
        """Whether own working orders are to be cancelled."""
        return any(trip.cancels for trip in self._trips)

    @property
    def flattens(self) -> bool:
        """Whether positions may be closed: never in doubt about what there is to sell."""
        doubted = any(trip.by in _KEEPS_POSITIONS for trip in self._trips)
        return not doubted and any(trip.flattens for trip in self._trips)

    def check(self) -> None:
        """Raise `TradingHalted` with the reason when tripped."""
        if self._trips:
            raise TradingHalted(self.reason)

    def trip(self, reason: str, by: str) -> bool:
        """Halt: memory first, then the latch, durable when this returns. Idempotent.

        Returns whether this call changed anything. Raises ``OSError`` when the latch cannot be
        written; memory is set even then.
        """
        self.asked += 1
        trip = Trip(reason, by)
        if not _adds(trip, self._trips):
            return False
        self._trips = (*self._trips, trip)
        if self._fd is not None:
            already = _read_trips(self._fd)
            if _adds(trip, already):
                self._latch(self._fd, trip)
            else:  # whoever sent the signal has latched, and said why
                self._trips = already
            self.latched_ns = _monotonic_ns()
        return True

    def write_again(self) -> bool:
        """Write what could not be written; return whether the latch holds it now."""
        if self._fd is None or self.unwritten is None:
            return False
        try:
            for trip in self._trips:
                if _adds(trip, _read_trips(self._fd)):
                    self._latch(self._fd, trip)
            os.fsync(self._fd)
        except OSError as fault:
            self.unwritten = fault
            return False
        self.unwritten = None
        self.latched_ns = _monotonic_ns()
        return True

    def announce(self, reason: str, by: str, seconds: float) -> None:
        """Say what the next signal will be about, if it comes within so many `seconds`."""
        self._announced = Trip(reason, by), _monotonic_ns() + int(seconds * _NS)

    def clear(self) -> None:
        """Empty the latch: only `resume` does so."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            _reserve(self._fd)
            os.fsync(self._fd)
        self._trips, self.asked, self.unwritten = (), 0, None
        self.times_cleared += 1

    def close(self) -> None:
        """Close the latch file; what is on disk stays."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def on_signal(self, signum: int, frame: FrameType | None) -> None:
        """Signal handler: latch at once, whatever the event loop is busy with.

        A disk fault is kept in `unwritten`: raised here, it would surface at any line of any task.
        """
        trip = Trip("signal", signal.Signals(signum).name)
        announced, self._announced = self._announced, None
        if announced is not None and _monotonic_ns() < announced[1]:
            trip = announced[0]
        with suppress(OSError):
            self.trip(*trip)

    def _latch(self, fd: int, trip: Trip) -> None:
        try:
            append_latch(fd, *trip)
        except OSError as fault:
            self.unwritten = fault
            raise


def is_doubt(halted_by: str) -> bool:
    """Return whether a `cause` is that journal and venue contradict each other."""
    return halted_by.endswith(f"(by {DOUBT})")


def _adds(trip: Trip, trips: tuple[Trip, ...]) -> bool:
    """Whether anything follows from `trip` that does not from `trips` already."""
    return (
        not trips
        or (trip.cancels and not any(one.cancels for one in trips))
        or (trip.flattens and not any(one.flattens for one in trips))
        or (trip.by in _KEEPS_POSITIONS and not any(one.by == trip.by for one in trips))
    )


def _monotonic_ns() -> int:
    return time.monotonic_ns()  # noqa: TID251  in a signal handler there is no one to hand a clock


_of_process: KillSwitch | None = None


def process_switch(state_dir: Path) -> KillSwitch:
    """Return this process's switch for `state_dir`, made on first use and not opened by this."""
    global _of_process  # noqa: PLW0603  a process has one
    if _of_process is None or _of_process.path != state_dir / LATCH:
        _of_process = KillSwitch(state_dir)
    return _of_process


def cause(reason: str, by: str) -> str:
    """Return why trading is halted, as it is told: the reason, and the door it came by."""
    if not by:
        return reason
    return f"{reason} (by {by})" if reason else f"by {by}"


def append_latch(fd: int, reason: str, by: str) -> None:
    """Write one durable line to an open latch file."""
    at = datetime.now(UTC).isoformat()  # noqa: TID251  in a signal handler there is no one to hand a clock
    line = json.dumps({"at": at, "reason": reason, "by": by}) + "\n"
    left = line.encode()
    while left:  # a disk that fills up takes a part, and refuses the rest
        left = left[os.write(fd, left) :]
    os.fsync(fd)


def write_latch(state_dir: Path, reason: str, by: str) -> None:
    """Trip the latch of `state_dir` from outside.

    Raises `TraderError` without such a directory, and ``OSError`` where it cannot be written.
    """
    require_state_dir(state_dir)
    switch = KillSwitch(state_dir)
    switch.open()
    try:
        switch.trip(reason, by)
    finally:
        switch.close()


def unlatched(state_dir: Path, fault: OSError) -> str:
    """Return that the latch could not be written, and what follows from that."""
    return (
        f"the latch {state_dir / LATCH} cannot be written ({fault.strerror}): a daemon that is "
        "started now would trade, so start none"
    )


def require_state_dir(state_dir: Path) -> None:
    """Return where `state_dir` exists; raise `TraderError` otherwise, and make nothing."""
    if not state_dir.is_dir():
        raise TraderError(f"there is no state directory {state_dir}: name it with --state-dir")


def read_latch(state_dir: Path) -> str | None:
    """Return why the latch of `state_dir` was tripped first, None when it is not."""
    try:
        trips = _trips_of((state_dir / LATCH).read_bytes())
    except FileNotFoundError:
        return None
    return trips[0].cause if trips else None


def _read_trips(fd: int) -> tuple[Trip, ...]:
    return _trips_of(os.pread(fd, _MAX_READ, 0))


def _trips_of(content: bytes) -> tuple[Trip, ...]:
    return tuple(_trip_of(line) for line in content.splitlines())


def _trip_of(line: bytes) -> Trip:
    try:
        event = json.loads(line)
        return Trip(event["reason"], event["by"])
    except (ValueError, KeyError, TypeError):
        return _DAMAGED


def _reserve(fd: int) -> None:
    """Have the disk keep room for trips beyond the end of the file, where it is able to.

    A full disk can be latched on then. Source: fallocate(2), FALLOC_FL_KEEP_SIZE.
    """
    import ctypes  # noqa: PLC0415  not before the handler stands

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).fallocate(
            fd, _KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(_RESERVED_BYTES)
        )


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
        try:
            _of_process.trip(reason, "set_kill_switch")
        except OSError as fault:
            raise TraderError(unlatched(_of_process.path.parent, fault)) from None
        finally:
            if signal.getsignal(signal.SIGUSR1) == _of_process.on_signal:
                os.kill(os.getpid(), signal.SIGUSR1)  # wakes the loop that cancels and tells
        return
    from otonom_trader.daemon.operations import kill_daemon  # noqa: PLC0415  not needed above

    default = Path(os.environ.get("STATE_DIRECTORY") or "var")
    await kill_daemon(directory or default, reason, "set_kill_switch")
