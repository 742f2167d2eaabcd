"""One daemon per state directory, and one per account on this host. Source: promises.md, P10.

Both locks are the kernel's and end with the process that holds them, however it dies.
"""

import errno
import fcntl
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from otonom_trader.domain.errors import AlreadyRunning, ConfigurationError, NotPermitted

if TYPE_CHECKING:  # what a kill imports is little
    from otonom_trader.domain.ports import Clock

LOCK_NAME = "daemon.lock"
_MAX_ABSTRACT_NAME = 107
_RETRY_SECONDS = 0.05


@contextmanager
def state_dir_lock(path: Path) -> Iterator[None]:
    """Hold the state directory `path`, which must exist.

    Raises `AlreadyRunning` naming the directory and the process that holds it. The lock file stays
    behind, unlocked: removing it would let two processes lock two files of one name.
    """
    fd = _open(path, os.O_RDWR | os.O_CREAT)
    if fd is None:
        raise ConfigurationError(f"the state directory {path} does not exist")
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _ = _read(fd)
            raise AlreadyRunning(
                f"process {pid or 'unknown'} holds the state directory {path}: stop it, or give "
                "another --state-dir"
            ) from None
        _write(fd, path)
        yield
    finally:
        os.close(fd)


@asynccontextmanager
async def wait_for_state_dir_lock(
    path: Path, *, clock: "Clock", patience_seconds: float = 3.0
) -> AsyncIterator[None]:
    """Hold the state directory `path`, waiting for a command that reads it to be done.

    Raises `AlreadyRunning` after `patience_seconds`.
    """
    deadline_ns = clock.monotonic_ns() + int(patience_seconds * 1e9)
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(state_dir_lock(path))
                break
            except AlreadyRunning:
                if clock.monotonic_ns() >= deadline_ns:
                    raise
            await clock.sleep(_RETRY_SECONDS)
        yield


def holder(path: Path) -> int | None:
    """Return the id of the process that holds the state directory `path`, None when none does.

    Makes nothing. Raises `NotPermitted` when the holder lives in another container, where its id
    means another process.
    """
    fd = _open(path, os.O_RDONLY)
    if fd is None:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pid, namespace = _read(fd)
        if pid is not None and namespace != _pid_namespace():
            raise NotPermitted(
                f"the state directory {path} is held by process {pid} of another container: run "
                "the command there"
            ) from None
        return pid
    else:
        return None
    finally:
        os.close(fd)


@contextmanager
def account_lock(name: str) -> Iterator[None]:
    """Hold the account called `name` (REST host and port, and the account's uid) on this host.

    Raises `AlreadyRunning` when another process holds it. An abstract socket needs no directory
    that both could see; it is one per network namespace, so containers do not meet in it.
    """
    address = f"\0otonom-trader/{name}".encode()
    if len(address) > _MAX_ABSTRACT_NAME:
        address = b"\0otonom-trader/" + sha256(address).hexdigest().encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as held:
        try:
            held.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigurationError(
                    f"the account {name} cannot be locked: {error.strerror}"
                ) from None
            raise AlreadyRunning(
                f"another process on this host trades the account {name}: two on one account "
                "would each believe the limits to be their own"
            ) from None
        yield


def _open(path: Path, flags: int) -> int | None:
    lock = path / LOCK_NAME
    try:
        return os.open(lock, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{lock} cannot be opened: {error.strerror}") from None


def _write(fd: int, path: Path) -> None:
    text = json.dumps({"pid": os.getpid(), "pid_namespace": _pid_namespace()})
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, text.encode(), 0)
    except OSError as error:
        raise ConfigurationError(
            f"the state directory {path} cannot be written: {error.strerror}"
        ) from None


def _read(fd: int) -> tuple[int | None, int | None]:
    """Return process id and pid namespace, None where the holder has not written them yet."""
    try:
        written = json.loads(os.pread(fd, 200, 0))
        return int(written["pid"]), int(written["pid_namespace"])
    except (ValueError, KeyError, TypeError):
        return None, None


def _pid_namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino
