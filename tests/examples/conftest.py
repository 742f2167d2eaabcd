"""The examples as they are run: as processes, against a local testnet."""

import asyncio
import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest
import pytest_asyncio

from otonom_trader.testnet import AccountConfig, LocalTestnet, TestnetConfig

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


@pytest.fixture(scope="session")
def patron() -> ModuleType:
    """The example decision-maker as a module."""
    return load("patron_momentum.py")


@pytest_asyncio.fixture
async def venue() -> AsyncIterator[LocalTestnet]:
    """A testnet in whose market a minute passes every second."""
    account = AccountConfig(
        api_key="your_testnet_api_key",
        api_secret="your_testnet_api_secret",
        balances={"USDT": Decimal(100_000), "BTC": Decimal("0.5")},
    )
    config = TestnetConfig(accounts=(account,), speed=Decimal(60), warmup_bars=60)
    async with LocalTestnet(config) as venue:
        yield venue


@pytest.fixture
def folder(venue: LocalTestnet, tmp_path: Path) -> Path:
    """A working folder with the shipped configuration, pointed at the testnet."""
    config = tmp_path / "config"
    config.mkdir()
    for name in ("broker.yaml", "daemon.yaml"):
        text = (ROOT / "config" / name).read_text("utf-8")
        (config / name).write_text(text.replace("https://testnet.binance.vision", venue.url))
    return tmp_path
