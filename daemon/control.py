"""The daemon's door for commands: a Unix socket, one JSON object per line each way.

A request is ``{"command": "status", …}``, the reply ``{"ok": true, "result": {…}}`` or
``{"ok": false, "error": "one sentence", "exit_status": 77}``. This is the side that asks, and the
sooner it is imported, the sooner a kill is confirmed.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from otonom_trader.domain.amount import plain
from otonom_trader.domain.errors import (
    AlreadyRunning,
    ConfigurationError,
    NotPermitted,
    TraderError,
    VenueUnreachable,
)

SOCKET_NAME = "control.sock"

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Takes a request's arguments, returns its result; a `TraderError` becomes the reply's error."""

_MAX_REPLY_BYTES = 64 * 2**20
_MAX_ADDRESS_BYTES = 107


class ControlError(TraderError):
    """The daemon refused a command, or did not answer it; `exit_status` is the command's."""

    def __init__(self, message: str, *, exit_status: int = 1) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class NoDaemon(TraderError):
    """No process listens on the socket: no daemon runs on this state directory."""


def exit_status(error: TraderError) -> int:
    """Return the status a command ends with on `error`. Source: sysexits.h."""
    if isinstance(error, ControlError):
        return error.exit_status
    statuses = {ConfigurationError: 78, NotPermitted: 77, AlreadyRunning: 75, VenueUnreachable: 69}
    return next((status for kind, status in statuses.items() if isinstance(error, kind)), 1)


async def ask(
    path: Path, command: str, /, *, timeout_seconds: float = 30.0, **arguments: object
) -> dict[str, Any]:
    """Have the daemon whose socket is at `path` carry out `command`; return its result.

    Raises `NoDaemon` when none listens there, `ControlError` when it refuses, does not answer in
    time, or goes away before it has answered.
    """
    request = json.dumps({"command": command, **arguments}, default=as_text).encode() + b"\n"
    try:
        async with asyncio.timeout(timeout_seconds):
            line = await _exchange(path, request)
    except TimeoutError:
        raise ControlError(
            f"the daemon at {path} did not answer {command!r} within {timeout_seconds:g} seconds"
        ) from None
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise NoDaemon(f"no daemon answers at {path}") from None
    except PermissionError:
        raise ControlError(
            f"{path} belongs to another user: run the command as that user", exit_status=77
        ) from None
    except (OSError, ValueError) as error:
        raise ControlError(f"the daemon at {path} broke off its answer: {error}") from None
    if not line.endswith(b"\n"):
        raise ControlError(
            f"the daemon at {path} went away before it answered {command!r}: whether it was "
            "carried out is not known"
        )
    reply: dict[str, Any] = json.loads(line)
    if not reply["ok"]:
        raise ControlError(reply["error"], exit_status=reply["exit_status"])
    result: dict[str, Any] = reply["result"]
    return result


async def _exchange(path: Path, request: bytes) -> bytes:
    with address_of(path) as address:
        reader, writer = await asyncio.open_unix_connection(address, limit=_MAX_REPLY_BYTES)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.readline()
    finally:
        writer.transport.abort()
        await close(writer, 0)


async def close(writer: asyncio.StreamWriter, patience_seconds: float) -> None:
    """Close once everything was taken, at the latest after `patience_seconds`."""
    writer.close()
    try:
        async with asyncio.timeout(patience_seconds):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """Give `path` as a socket address, which holds 107 bytes: a longer one goes by its folder."""
    if len(os.fsencode(path)) <= _MAX_ADDRESS_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def as_text(value: object) -> str:
    """Write what JSON has no name for: amounts in full digits, times in ISO 8601."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")
