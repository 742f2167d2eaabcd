"""Where a run measures: its folder, the venue's stub, and how much of everything it does."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import ROOT, child, line_of


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
async def stub_venue() -> AsyncIterator[str]:
    """The stub in a process of its own; gives its URL."""
    async with child(sys.executable, ROOT / "benchmarks" / "stub.py") as process:
        yield f"http://127.0.0.1:{await line_of(process)}"
