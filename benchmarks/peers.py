"""The official SDK, in an environment and a process of its own."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from benchmarks.measure import Durations
from benchmarks.process import ROOT, child, line_of

_ENVIRONMENT = ROOT / ".venv-peers"
_PINS = ROOT / "benchmarks" / "peers.txt"
_SCRIPT = ROOT / "benchmarks" / "sdk_orders.py"
_DONE = _ENVIRONMENT / ".installed"


class NotInstalled(Exception):
    """The peers' environment could not be made; the text says why."""


class OfficialSdk:
    """Places orders in its process; made by `official_sdk`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.durations = Durations()

    async def place(self, count: int) -> None:
        """Place `count` orders, one after the other."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n".encode())
        self.durations.all_ns += json.loads(await line_of(self._process))

    @classmethod
    async def started(cls, process: Process) -> Self:
        """Wait until `process` can place orders."""
        await line_of(process)
        return cls(process)


@asynccontextmanager
async def official_sdk(url: str) -> AsyncIterator[OfficialSdk]:
    """The SDK at the venue `url`; installs it first where it is missing.

    Raises `NotInstalled`.
    """
    await _install()
    async with child(_ENVIRONMENT / "bin" / "python", _SCRIPT, url, talks=True) as process:
        yield await OfficialSdk.started(process)


async def _install() -> None:
    if _DONE.exists() and _DONE.read_text() == _PINS.read_text():
        return
    print(f"Installing {_PINS.relative_to(ROOT)} into {_ENVIRONMENT.relative_to(ROOT)} ...")
    await _run(sys.executable, "-m", "venv", "--clear", str(_ENVIRONMENT))
    (_ENVIRONMENT / ".gitignore").write_text("*\n")
    pip = str(_ENVIRONMENT / "bin" / "pip")
    await _run(pip, "install", "--quiet", "--disable-pip-version-check", "-r", str(_PINS))
    _DONE.write_text(_PINS.read_text())


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    said, _ = await process.communicate()
    if process.returncode:
        last = said.decode().strip().splitlines()[-1:] or ["no reason was given"]
        raise NotInstalled(last[0][:120])
