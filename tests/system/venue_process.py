"""A testnet in a process of its own, whose clock can be jumped together with this one's.

What the trader takes of memory and of the processor is then the trader's alone.

    python -m tests.system.venue_process JUMP MARKET
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
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
_NEVER_DRY = {"USDT": 100_000_000, "BTC": 2000}


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


@dataclass(frozen=True)
class FarMarket:
    """What the testnet is made of: balances of the trader and of somebody else, and the market.

    `kind` is as of `MarketSpec`, `listing` a saved exchangeInfo.
    """

    seed: int
    balances: Mapping[str, int] = field(default_factory=lambda: _NEVER_DRY)
    others: Mapping[str, int] = field(default_factory=dict)
    kind: str = "synthetic"
    listing: str | None = None


@asynccontextmanager
async def far_venue(folder: Path, market: FarMarket) -> AsyncIterator[tuple[FarVenue, SharedJump]]:
    """Run a testnet until the block ends; the jump is both clocks'."""
    file = folder / "jump"
    file.write_bytes(bytes(8))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.venue_process"),
        *(str(file), json.dumps(asdict(market))),
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


def _config(jump: SharedJump, market: FarMarket) -> TestnetConfig:
    """A market that moves, and limits that nobody meets."""
    accounts = [
        AccountConfig(
            api_key=f"{name}-key",
            api_secret=f"{name}-secret",
            name=name,
            balances={asset: Decimal(amount) for asset, amount in balances.items()},
        )
        for name, balances in (("trader", market.balances), ("other", market.others))
    ]
    return TestnetConfig(
        accounts=tuple(accounts),
        market=MarketSpec(market.kind),
        speed=Decimal(60),
        limits=_UNLIMITED,
        seed=market.seed,
        exchange_info=Path(market.listing) if market.listing else None,
        clock=TheirClock(jump),
        history=HistoryCaps(orders_per_account=_ALL, requests=_ALL),
    )


async def _serve(config: TestnetConfig) -> None:
    """Tell the address, and serve until whoever started this closes its end of stdin."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    async with LocalTestnet(config) as venue:
        sys.stdout.write(f"{venue.url}\n")
        sys.stdout.flush()
        loop.add_reader(sys.stdin, ended.set)
        await ended.wait()


if __name__ == "__main__":
    made_of = FarMarket(**json.loads(sys.argv[2]))
    asyncio.run(_serve(_config(SharedJump(Path(sys.argv[1])), made_of)))
