"""Where a run measures: its folder, the venue's stub, and how much of everything it does."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Workplace:
    """`folder` lies on the disk that is measured; `quick` is for a look at whether all works."""

    folder: Path
    url: str
    quick: bool

    def times(self, count: int) -> int:
        """How often to do what a whole run does `count` times."""
        return max(count // 10, 1) if self.quick else count

    def new_folder(self, name: str) -> Path:
        """A folder of one measurement's own."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        return folder


@asynccontextmanager
async def child(*command: str | Path, talks: bool = False) -> AsyncIterator[Process]:
    """A process that ends with the block; one that `talks` is written to and read from."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE if talks else DEVNULL, stdout=PIPE, cwd=ROOT
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
async def stub_venue() -> AsyncIterator[str]:
    """The stub in a process of its own; gives its URL."""
    async with child(sys.executable, ROOT / "benchmarks" / "stub.py") as process:
        yield f"http://127.0.0.1:{await line_of(process)}"
