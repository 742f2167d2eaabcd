"""Writing a decision to a JSONL file."""

import json
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from otonom_trader.daemon.sources.base import SourceUnavailable
from otonom_trader.daemon.sources.jsonl import MAX_LINE_BYTES


def append_decision(path: Path, decision: Mapping[str, object]) -> None:
    """Append `decision` to the file at `path` as one line, durable when this returns.

    One write to a file opened for appending: several writers do not mix their lines. After a line
    that another writer left without its end, the decision starts on a line of its own. The file is
    made when it is missing, its folder is not. Raises ``ValueError`` for what does not fit on a
    line of JSON, `SourceUnavailable` when it could not be written whole.
    """
    text = json.dumps(decision, allow_nan=False, default=_as_text)
    if len(text) > MAX_LINE_BYTES:
        raise ValueError(f"the decision is longer than {MAX_LINE_BYTES} bytes")
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
            line = ("\n" if torn else "").encode() + text.encode() + b"\n"
            written = os.write(fd, line)
            os.fsync(fd)
        finally:
            os.close(fd)
        if size == 0:
            _sync_folder(path.parent)
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be written: {error.strerror}") from None
    if written < len(line):
        raise SourceUnavailable(f"{path} took {written} of {len(line)} bytes: its disk is full")


def holds(path: Path, id_: str) -> bool:
    """Return whether the file at `path` has a decision of that id; False without a file.

    Lines that cannot be read are passed over. Raises `SourceUnavailable` for a file that cannot.
    """
    try:
        with path.open("rb") as lines:
            return any(_id_of(line) == id_ for line in lines)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be read: {error.strerror}") from None


def _id_of(line: bytes) -> str | None:
    try:
        decision = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return str(decision.get("id")) if isinstance(decision, dict) else None


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise ValueError(f"{type(value).__name__} is no value of a decision")


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
