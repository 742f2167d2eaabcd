"""A program of the project as its user runs it: as a process, from a folder of their own."""

import asyncio
import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Ended:
    """What a program came to."""

    status: int
    stdout: str
    stderr: str


class Program:
    """One example, running."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.pid = process.pid

    async def line(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode()

    async def lines_until(self, text: str) -> list[str]:
        """All that it prints up to the line that holds `text`."""
        lines = []
        while line := await self.line():
            lines.append(line)
            if text in line:
                return lines
        raise AssertionError(f"{text!r} was never printed; printed was:\n{''.join(lines)}")

    async def end(self) -> Ended:
        """Wait for its end."""
        stdout, stderr = await self.process.communicate()
        return Ended(self.process.returncode or 0, stdout.decode(), stderr.decode())


async def start(
    name: str, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> Program:
    """Start an example in the folder `cwd`, in an environment without settings of ours."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OTONOM_TRADER__") and name != "STATE_DIRECTORY"
    }
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, str(EXAMPLES / name), *arguments],
        cwd=cwd,
        env=ours | dict(env or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    return Program(process)


async def run(name: str, *arguments: str, cwd: Path) -> Ended:
    """Run an example to its end."""
    return await (await start(name, *arguments, cwd=cwd)).end()


def load(name: str) -> ModuleType:
    """Import an example as a module."""
    path = EXAMPLES / name
    spec = importlib.util.spec_from_file_location(f"examples_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
