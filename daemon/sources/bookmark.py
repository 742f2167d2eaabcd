"""Where reading of a line file stands, and how the file is found again."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

import msgspec

WINDOW_BYTES = 4096
"""How much of what lies before the offset identifies a file."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a file was read.

    A file is recognised by the `digest` of the last `WINDOW_BYTES` before `offset`: decisions carry
    ids, so no other file has them there. That holds for a file that was renamed, copied and then
    truncated, or restored, where an inode would mislead; `inode` only settles which of two equal
    files is meant. `file` counts the files read one after the other, `line` the lines of this one;
    `inside` says that the rest of an over-long line is still to be dropped.
    """

    file: int
    line: int
    offset: int
    inode: int
    digest: str
    inside: bool

    @classmethod
    def at_start(cls, file: int = 1) -> Self:
        """Return the beginning of the first file, or of the one with the number `file`."""
        return cls(file=file, line=0, offset=0, inode=0, digest="", inside=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `dump` wrote; ``ValueError`` for anything else."""
        return msgspec.json.decode(text, type=cls)

    def dump(self) -> str:
        """Return the bookmark as the text that is journaled."""
        return msgspec.json.encode(self).decode()

    @property
    def place(self) -> str:
        """The line just read, unlike any other line of this source."""
        return f"line {self.line}" + (f" of file {self.file}" if self.file > 1 else "")


def digest(before: bytes) -> str:
    """Identify a file by the bytes `before` an offset; at offset 0 every file is alike."""
    window = before[-WINDOW_BYTES:]
    return blake2b(window, digest_size=12).hexdigest() if window else ""
