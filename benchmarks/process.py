"""Processes that are measured, or measured against."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TRADER = (sys.executable, "-m", "otonom_trader.daemon.entry")

_START_SECONDS = 30.0


@asynccontextmanager
async def child(
    *command: str | Path, talks: bool = False, is_quiet: bool = False
) -> AsyncIterator[Process]:
    """A process that ends with the block; one that `talks` is written to and read from.

    What it says on standard error is shown, unless it `is_quiet`.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE if talks else DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL if is_quiet else None,
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def line_of(process: Process) -> str:
    """The next line `process` prints; `RuntimeError` when it has ended instead."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a process of the benchmark ended early; what it says is above")
    return line.decode().strip()


@asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[Process]:
    """A daemon on the configuration and the state in `folder`, from the moment it is READY."""
    address = f"otonom-trader-bench-{os.getpid()}"
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified,
        (folder / "daemon.log").open("a") as log,
    ):
        notified.bind(f"\0{address}")
        notified.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            *TRADER,
            *("run", "--config", folder, "--state-dir", folder),
            env=os.environ | {"NOTIFY_SOCKET": f"@{address}"},
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            async with asyncio.timeout(_START_SECONDS):
                while b"READY=1" not in await _received(notified):
                    pass
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _received(socket_: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(socket_, 4096)


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(pid: int) -> float:
    """Processor time a process has taken so far. Source: proc_pid_stat(5)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
