"""The daemon's side of its door for commands; what goes through it is told in `control`."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from otonom_trader.daemon.control import Handler, address_of, as_text, close, exit_status
from otonom_trader.domain.errors import ConfigurationError, TraderError

_MAX_REQUEST_BYTES = 65_536

log = structlog.get_logger("control")


class ControlServer:
    """Serves `handlers`, by the names of their commands, on the socket at `path`.

    The caller holds the lock of the state directory: what is found at `path` is then a dead
    daemon's. Whoever does not send a line, or does not take the reply, within `timeout_seconds` is
    disconnected; a command that runs is given its time.
    """

    def __init__(
        self, path: Path, handlers: Mapping[str, Handler], *, timeout_seconds: float = 10.0
    ) -> None:
        self._path = path
        self._handlers = handlers
        self._timeout_seconds = timeout_seconds
        self._connections = asyncio.TaskGroup()
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def __aenter__(self) -> Self:
        """Listen; `ConfigurationError` says why it cannot."""
        listener = _bind(self._path)
        self._inode = self._path.stat().st_ino
        await self._connections.__aenter__()
        self._server = await asyncio.start_unix_server(
            self._accept, sock=listener, limit=_MAX_REQUEST_BYTES
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if self._path.exists() and self._path.stat().st_ino == self._inode:
            self._path.unlink()
        for task in self._open:
            task.cancel()
        await self._connections.__aexit__(kind, error, trace)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:
            writer.close()  # accepted while closing
            return
        task = self._connections.create_task(self._converse(reader, writer))
        self._open.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._open.discard(task)
            writer.transport.abort()  # a task cancelled before its first step closes nothing

        task.add_done_callback(ended)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                try:
                    async with asyncio.timeout(self._timeout_seconds):
                        line = await reader.readline()
                except ValueError:
                    error = f"the request is longer than {_MAX_REQUEST_BYTES} bytes"
                    await self._send(writer, _refusal(error, 64))
                    return
                if not line.endswith(b"\n"):
                    return
                await self._send(writer, await self._answer(line))
        except (OSError, TimeoutError):
            writer.transport.abort()  # the other side has gone, or stands still
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            await close(writer, self._timeout_seconds)

    async def _send(self, writer: asyncio.StreamWriter, reply: dict[str, Any]) -> None:
        writer.write(json.dumps(reply, allow_nan=False, default=as_text).encode() + b"\n")
        async with asyncio.timeout(self._timeout_seconds):
            await writer.drain()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return _refusal("the request is not JSON", 64)
        command = request.pop("command", None) if isinstance(request, dict) else None
        if not isinstance(command, str):
            return _refusal('the request must be a JSON object such as {"command": "status"}', 64)
        if command not in self._handlers:
            known = ", ".join(sorted(self._handlers))
            return _refusal(f"unknown command {command[:40]!r}; there are: {known}", 64)
        try:
            result = await self._handlers[command](request)
            json.dumps(result, allow_nan=False, default=as_text)
        except TraderError as error:
            return _refusal(str(error), exit_status(error))
        # A defect in a query must not end the process that watches over open orders, nor close the
        # door that a kill comes through.
        except Exception:
            log.exception("control.failed", command=command)
            return _refusal(f"the command {command!r} failed by a defect; see the log", 70)
        return {"ok": True, "result": result}


def _bind(path: Path) -> socket.socket:
    """Return a socket bound to `path`, open to its owner alone from the first moment."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            path.unlink()
        # Linux gives the file the socket's own mode: no moment in which others could connect, and
        # no umask, which would be the whole process's.
        os.fchmod(listener.fileno(), stat.S_IRUSR | stat.S_IWUSR)
        with address_of(path) as address:
            listener.bind(address)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"the control socket {path} cannot be made: {error.strerror or error}"
        ) from None
    listener.setblocking(False)
    return listener


def _refusal(error: str, status: int) -> dict[str, Any]:
    return {"ok": False, "error": error, "exit_status": status}
