"""Files read with care: opened once, never blocking on a pipe, never larger than expected."""

import os
import stat
from pathlib import Path


def read_regular_file(path: str | Path, max_bytes: int) -> tuple[bytes, os.stat_result]:
    """Return the content of a regular file and the state of the very file that was read.

    Raises ``OSError``, and ``ValueError`` for what is no regular file or larger than `max_bytes`.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise ValueError("it is not a regular file")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"it is larger than {max_bytes // 1024} KiB")
    return content, state


def reason_of(error: OSError | ValueError) -> str:
    """Return why a file could not be read, in lower case and without its name."""
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return str(error)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
