"""A testnet in a process of its own, whose clock can be jumped together with this one's.

What the trader takes of memory and of the processor is then the trader's alone.

    python -m tests.system.venue_process JUMP SEED
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from mmap import mmap
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from otonom_trader.testnet import (
    AccountConfig,
    HistoryCaps,
    LocalTestnet,
    MarketSpec,
    RateLimits,
    TestnetConfig,
)
from tests.system.rig import TheirClock

_ROOT = Path(__file__).parents[2]
_ALL = 10**7
_UNLIMITED = RateLimits(10**9, 10**9, 10**9, 10**9, 10**9, 10**9)
_PATIENCE_SECONDS = 600


class SharedJump:
    """How far the clocks of all processes that map `file` are ahead of the machine's."""

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._view = memoryview(mmap(opened.fileno(), 8)).cast("d")

    @property
    def seconds(self) -> float:
        return self._view[0]

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        self._view[0] = seconds


class FarVenue:
    """The testnet of another process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def truth(self) -> dict[str, Any]:
        """As GET /testnet/truth; nothing else happens here until it is read."""
        with urlopen(f"{self.url}/testnet/truth", timeout=_PATIENCE_SECONDS) as reply:  # noqa: S310
            told: dict[str, Any] = json.load(reply)
        return told


@asynccontextmanager
async def far_venue(folder: Path, seed: int) -> AsyncIterator[tuple[FarVenue, SharedJump]]:
    """Run a testnet until the block ends; the jump is both clocks'."""
    file = folder / "jump"
    file.write_bytes(bytes(8))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.venue_process", str(file), str(seed)),
        cwd=_ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        assert url, "the testnet did not open"
        yield FarVenue(url), SharedJump(file)
    finally:
        process.stdin.close()
        await process.wait()


def _config(jump: SharedJump, seed: int) -> TestnetConfig:
    """A market that moves, an account that does not run dry, and limits that nobody meets."""
    trader = AccountConfig(
        api_key="trader-key",
        api_secret="trader-secret",
        name="trader",
        balances={"USDT": Decimal(100_000_000), "BTC": Decimal(2000)},
    )
    return TestnetConfig(
        accounts=(trader,),
        market=MarketSpec("synthetic"),
        speed=Decimal(60),
        limits=_UNLIMITED,
        seed=seed,
        clock=TheirClock(jump),
        history=HistoryCaps(orders_per_account=_ALL, requests=_ALL),
    )


async def _serve(jump: SharedJump, seed: int) -> None:
    """Tell the address, and serve until whoever started this closes its end of stdin."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    async with LocalTestnet(_config(jump, seed)) as venue:
        sys.stdout.write(f"{venue.url}\n")
        sys.stdout.flush()
        loop.add_reader(sys.stdin, ended.set)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(_serve(SharedJump(Path(sys.argv[1])), int(sys.argv[2])))
