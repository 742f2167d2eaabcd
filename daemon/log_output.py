"""Where log lines go, without ever waiting for whoever reads them.

A reader that stands still (a paused pager, a full pipe) would stop the event loop in the middle of
an order, and one that went away would raise in whatever line logged. So before each write the
descriptor is asked whether it takes a piece; what it does not take waits in a bounded buffer, and
what does not fit there is counted as lost and told of by the next line that goes out. When the
stream is gone for good, lines go to stderr; when that is gone too, they are counted, and the daemon
goes on: `status` shows the count.
"""

import errno
import os
import select
import sys
import threading
from contextlib import suppress
from typing import TextIO

_MAX_PENDING_BYTES = 2**20
_PIECE_BYTES = select.PIPE_BUF  # a pipe that is ready takes so much at once
_CLOSE_WAITS, _CLOSE_WAIT_MS = 20, 50
_FULL_DISK = {errno.ENOSPC, errno.EDQUOT}


class LogOutput:
    """Writes lines to `stream`, then to stderr once `stream` is gone; `lost_lines` counts losses.

    Descriptors are duplicated: a number that was closed and given to another file would put log
    lines into that file. Not for use in signal handlers.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.lost_lines = 0
        self.lost_since_last_line = 0
        self._lock = threading.RLock()
        self._pending = bytearray()
        self._torn = False  # whether the last piece written ended within a line
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        own = _duplicate(stream)
        self._memory_only = own is None and stream is not None  # such as io.StringIO
        last = None if self._memory_only or stream is sys.stderr else _duplicate(sys.stderr)
        self._descriptors = [fd for fd in (own, last) if fd is not None]

    def write(self, line: str) -> None:
        """Write one line; never waits, never raises."""
        with self._lock:
            if self._memory_only:
                self._write_text(line)
                return
            data = line.encode(self._encoding, "backslashreplace") + b"\n"
            if len(self._pending) + len(data) > _MAX_PENDING_BYTES:
                self._flush()
            if not self._descriptors or len(self._pending) + len(data) > _MAX_PENDING_BYTES:
                self._lose(1)
                return
            self._pending += data
            self.lost_since_last_line = 0
            self._flush()

    # structlog calls its logger by the name of the level.
    debug = info = warning = error = critical = write

    def close(self) -> None:
        """Give the reader a moment to take what is still pending, then let go."""
        with self._lock:
            for _ in range(_CLOSE_WAITS):
                self._flush(_CLOSE_WAIT_MS)
            while self._descriptors:
                os.close(self._descriptors.pop())

    def _write_text(self, line: str) -> None:
        try:
            assert self._stream is not None  # noqa: S101  by what _memory_only means
            self._stream.write(line + "\n")
        except (OSError, ValueError):
            self._lose(1)
        else:
            self.lost_since_last_line = 0

    def _flush(self, wait_ms: int = 0) -> None:
        """Write what the reader takes now, after waiting `wait_ms` for it to take anything."""
        while self._pending and self._descriptors:
            poll = select.poll()
            poll.register(self._descriptors[0], select.POLLOUT)
            if not poll.poll(wait_ms):
                return
            wait_ms = 0
            try:
                written = os.write(self._descriptors[0], self._pending[:_PIECE_BYTES])
            except BlockingIOError:
                return
            except OSError as error:
                self._give_up(error)
            else:
                self._torn = self._pending[written - 1] != ord("\n")
                del self._pending[:written]

    def _give_up(self, error: OSError) -> None:
        if error.errno not in _FULL_DISK:
            os.close(self._descriptors.pop(0))
            if self._descriptors:
                if self._torn:  # the other stream is not given half a line
                    del self._pending[: self._pending.find(b"\n") + 1]
                    self._lose(1)
                self._torn = False
                return
        self._lose(self._pending.count(b"\n"))
        self._pending.clear()

    def _lose(self, lines: int) -> None:
        self.lost_lines += lines
        self.lost_since_last_line += lines


def _duplicate(stream: TextIO | None) -> int | None:
    if stream is not None:
        with suppress(OSError, ValueError):
            stream.flush()
            return os.dup(stream.fileno())
    return None
