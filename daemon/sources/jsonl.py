"""Decisions from a file of JSON lines that is appended to while it is read.

The file may be rotated: its rest is found under ``PATH.1``, ``PATH.2``, … and read before what
follows it; so is a copy made before the file was truncated. Compressed files are not read, so let
logrotate use ``delaycompress``. A file that was replaced or truncated without a copy is read from
its start.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from otonom_trader.daemon.sources.base import MAX_BATCH, Batch, Sighting, SourceUnavailable
from otonom_trader.daemon.sources.bookmark import WINDOW_BYTES, Bookmark, digest
from otonom_trader.daemon.sources.line import read_line
from otonom_trader.domain.decision import Malformed, malformed

MAX_LINE_BYTES = 65_536

# One fetch reads one chunk, from the page cache in well under a millisecond: the event loop needs
# no thread for it. A line that is allowed always fits.
_CHUNK_BYTES = 2 * MAX_LINE_BYTES
_BOM = b"\xef\xbb\xbf"
_MAX_RAW_BYTES = 4000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JsonlSource:
    """Decisions from the JSON lines of the file at `path`, which need not exist yet.

    It keeps nothing between two fetches: what it knows is in the position, a `Bookmark`.
    """

    path: Path
    name: str

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    async def fetch_new(self, after: str | None, limit: int) -> Batch:
        """Return at most `limit` decisions behind `after`, from at most one chunk of the file."""
        try:
            mark = Bookmark.parse(after) if after else Bookmark.at_start()
        except ValueError:
            raise SourceUnavailable(
                f"the journal's position of source {self.name!r} was not written by a jsonl "
                "source; give this source another name"
            ) from None
        try:
            with ExitStack() as opened:
                return self._fetch(opened, mark, after, min(limit, MAX_BATCH))
        except OSError as error:
            raise SourceUnavailable(f"{self.path} cannot be read: {error.strerror}") from None

    def _fetch(self, opened: ExitStack, mark: Bookmark, after: str | None, limit: int) -> Batch:
        files, mark = self._find(opened, mark)
        for index, file in enumerate(files):
            # A newer file with content says that this one is complete, its last line included.
            complete = any(newer.size for newer in files[index + 1 :])
            sightings, reached = _take(file, mark, limit, self.name, complete=complete)
            if reached != mark:
                return Batch(tuple(sightings), reached.dump())
            if index == 0 and mark.offset == 0 and mark.inode != file.inode:
                return Batch((), replace(mark, inode=file.inode).dump())
            mark = Bookmark.at_start(mark.file + 1)
        return Batch((), after)

    def _find(self, opened: ExitStack, mark: Bookmark) -> tuple[list["_File"], Bookmark]:
        """Open the file that `mark` lies in and those newer than it, oldest first."""
        current = _open(self.path, opened)
        if mark == Bookmark.at_start() or (
            current and current.inode == mark.inode and current.holds(mark)
        ):
            return [current] if current else [], mark
        files = [file for file in (current, *self._rotated(opened)) if file]
        holding = [index for index, file in enumerate(files) if file.holds(mark)]
        if holding:
            same = [index for index in holding if files[index].inode == mark.inode]
            return files[(same or holding)[0] :: -1], mark
        seen = [file.inode for file in files]
        again = (_open(self.path, opened), *self._rotated(opened))
        if current is None or current.size == 0 or seen != [file.inode for file in again if file]:
            return [], mark  # nothing to read, or a rotation is under way
        log.warning(
            "source.rewound",
            source=self.name,
            path=self.path,
            reason="the file was replaced or truncated and its rest is not found",
        )
        return [current], Bookmark.at_start(mark.file + 1)

    def _rotated(self, opened: ExitStack) -> Iterator["_File"]:
        number, missing = 1, 0
        while missing < 2:  # between two renames of a rotation one number is missing
            file = _open(self.path.with_name(f"{self.path.name}.{number}"), opened)
            missing = 0 if file else missing + 1
            number += 1
            if file:
                yield file


@dataclass(frozen=True, slots=True)
class _File:
    fd: int
    inode: int
    size: int

    def read(self, mark: Bookmark) -> tuple[bytes, int]:
        """Return the next chunk with the window before it, and where in it the mark lies."""
        before = min(mark.offset, WINDOW_BYTES)
        return os.pread(self.fd, before + _CHUNK_BYTES, mark.offset - before), before

    def holds(self, mark: Bookmark) -> bool:
        """Return whether this is the file that was read up to `mark`."""
        before = min(mark.offset, WINDOW_BYTES)
        window = os.pread(self.fd, before, mark.offset - before)
        return len(window) == before and digest(window) == mark.digest


def _open(path: Path, opened: ExitStack) -> _File | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait for ever
    except FileNotFoundError:
        return None
    opened.callback(os.close, fd)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise SourceUnavailable(f"{path} is not a regular file")
    return _File(fd, status.st_ino, status.st_size)


def _take(
    file: _File, mark: Bookmark, limit: int, source: str, *, complete: bool
) -> tuple[list[Sighting], Bookmark]:
    """Read up to `limit` lines behind `mark`; return them and the mark reached."""
    data, begin = file.read(mark)
    first, base = begin, mark.offset - begin
    ended = complete and len(data) - begin < _CHUNK_BYTES
    line, inside = mark.line, mark.inside
    sightings: list[Sighting] = []

    def reached() -> Bookmark:
        window = data[max(0, begin - WINDOW_BYTES) : begin]
        return Bookmark(mark.file, line, base + begin, file.inode, digest(window), inside)

    while len(sightings) < limit and begin < len(data):
        newline = data.find(b"\n", begin)
        whole = newline >= 0 or ended
        end = newline if newline >= 0 else len(data)
        too_long = end - begin > MAX_LINE_BYTES
        if not (whole or inside or too_long):
            break  # the rest of the line is still to be written
        text = data[begin:end]
        if base + begin == 0:
            text = text.removeprefix(_BOM)
        begin = end + 1 if newline >= 0 else end
        dropped, inside = inside, not whole
        if dropped:
            continue
        line += 1
        if text.strip():
            here = reached()
            read = _too_long if too_long else read_line
            sightings.append(Sighting(read(text, source, here.place), here.dump()))
    return sightings, mark if begin == first else reached()


def _too_long(text: bytes, source: str, place: str) -> Malformed:
    reason = f"the line is longer than {MAX_LINE_BYTES} bytes"
    start = text[:_MAX_RAW_BYTES].decode("utf-8", "backslashreplace")
    return malformed(reason, source, place, start)
