"""What an order costs others: each peer in an environment and a process of its own.

The environments are those of the client suites (`tests/clients/run.py`), made on first use.
"""

import json
import subprocess
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from benchmarks.measure import Durations
from benchmarks.process import ROOT, child, line_of
from tests.clients.run import python_of

OFFICIAL_SDK = "binance-sdk-spot"
ASYNC_PEERS = ("python-binance", "ccxt")
_SCRIPT = ROOT / "benchmarks" / "peer_orders.py"


class NotInstalled(Exception):
    """A peer's environment could not be made; the text says why."""


class Peer:
    """Places orders in its process; made by `peer`."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.durations = Durations()
        self._process = process

    async def place(self, count: int) -> None:
        """Place `count` orders, one after the other."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n".encode())
        self.durations.all_ns += json.loads(await line_of(self._process))

    @classmethod
    async def started(cls, name: str, process: Process) -> Self:
        """Wait until `process` can place orders."""
        await line_of(process)
        return cls(name, process)


@asynccontextmanager
async def peer(name: str, url: str) -> AsyncIterator[Peer]:
    """The peer `name` at the venue `url`; installs it first where it is missing.

    Raises `NotInstalled`.
    """
    try:
        python = await python_of(name)
    except subprocess.CalledProcessError as failure:
        raise NotInstalled(f"{name} could not be installed: {failure}") from None
    async with child(python, _SCRIPT, name, url, talks=True) as process:
        yield await Peer.started(name, process)
