"""State directories on a disk of their own, which is small and can be filled."""

import errno
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.harness import DaemonProcess, Installation, secret_seen_in

_SIZE = "8m"
_BLOCK = bytes(4096)
_PAGE_BYTES = 4096


@contextmanager
def on_a_small_disk(trader: Installation) -> Iterator[None]:
    """Put the state directory of `trader` on a disk of 8 MB; everything on it ends with the block.

    Skips the test where this user may not mount.
    """
    trader.state_dir.mkdir()
    where = str(trader.state_dir)
    mount = ["/bin/mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", where]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield
        assert secret_seen_in([trader]) == []
    finally:
        for started in trader.processes:
            if started.process.returncode is None:
                started.process.kill()
        # Lazily: a process that has just been killed may still hold a file open.
        subprocess.run(["/bin/umount", "--lazy", where], check=True)


def fill(trader: Installation) -> None:
    """Leave not a block free on the small disk of `trader`."""
    with (trader.state_dir / "other").open("wb", buffering=0) as other:
        try:
            while True:
                other.write(_BLOCK)
        except OSError as full:
            assert full.errno == errno.ENOSPC  # noqa: PT017  without one it never ends


def make_room(trader: Installation) -> None:
    """Take away what `fill` has put there."""
    (trader.state_dir / "other").unlink()


def fails_from_now_on(trader: Installation, daemon: DaemonProcess) -> None:
    """Have every write of `daemon` that makes the journal's log longer fail, as on a bad disk."""
    size = trader.journal_path.with_name("journal.db-wal").stat().st_size
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def takes_no_write(daemon: DaemonProcess) -> None:
    """Have every write of `daemon` to a file fail."""
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def takes_writes(daemon: DaemonProcess) -> None:
    """End what `takes_no_write` has begun."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, unlimited)


def spoil(file: Path) -> None:
    """Write over the beginning of every page of a journal from the fifth on."""
    content = bytearray(file.read_bytes())
    for start in range(_PAGE_BYTES * 4, len(content), _PAGE_BYTES):
        content[start : start + 200] = b"\xff" * 200
    file.write_bytes(content)
