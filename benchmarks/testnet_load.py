"""A testnet under load, in a process of its own, and the two traders that make the load.

``python benchmarks/testnet_load.py COUNT`` puts signed orders through a testnet in the same
process; each line it prints is a tenth of them: how many, the seconds they took, resident bytes.
``python benchmarks/testnet_load.py serve`` serves one and prints its address. The two accounts
trade with each other: every other order rests and is filled by the next.
"""

import asyncio
import hmac
import os
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Final

from otonom_trader.domain.clock import SystemClock
from otonom_trader.testnet import (
    AccountConfig,
    HistoryCaps,
    LocalTestnet,
    MarketSpec,
    RateLimits,
    TestnetConfig,
    serve,
)

LIMITS: Final = RateLimits(
    weight_per_minute=10**9,
    orders_per_10_seconds=10**9,
    orders_per_day=10**9,
    raw_requests_per_5_minutes=10**9,
)
# Reached within the first tenth of a whole run: what is measured after is the venue at rest.
_CAPS: Final = HistoryCaps(orders_per_account=10_000, requests=20_000)
_CLOCK: Final = SystemClock()


class Trader:
    """One account, and the query of its next order."""

    def __init__(self, name: str, side: str) -> None:
        self.account: Final = AccountConfig(
            api_key=f"{name}-key",
            api_secret=f"{name}-secret",
            name=name,
            balances={"USDT": Decimal(10**11), "BTC": Decimal(10**6)},
        )
        self.headers: Final = {"X-MBX-APIKEY": self.account.api_key}
        self._order: Final = (
            f"symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=GTC&quantity=0.001&price=60000"
        )
        self._secret: Final = self.account.api_secret.encode()

    def query(self) -> str:
        timestamp_ms = int(_CLOCK.now().timestamp() * 1000)
        query = f"{self._order}&timestamp={timestamp_ms}"
        return f"{query}&signature={hmac.digest(self._secret, query.encode(), 'sha256').hex()}"


TRADERS: Final = (Trader("ann", "SELL"), Trader("ben", "BUY"))


CONFIG: Final = TestnetConfig(
    accounts=tuple(trader.account for trader in TRADERS),
    market=MarketSpec("empty"),
    limits=LIMITS,
    history=_CAPS,
)
"""A testnet in which the two may trade as fast as they can."""


def place(opened: LocalTestnet, count: int) -> None:
    """So many orders, the two in turn."""
    for number in range(count):
        trader = TRADERS[number % 2]
        reply = opened.answer("POST", "/api/v3/order", trader.query(), headers=trader.headers)
        assert reply.status == 200, reply.body


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def load(count: int) -> None:
    """Place so many, and tell of each tenth."""
    async with LocalTestnet(CONFIG) as opened:
        for tenth in range(10):
            began_ns = _CLOCK.monotonic_ns()
            place(opened, count // 10)
            seconds = (_CLOCK.monotonic_ns() - began_ns) / 1e9
            print((tenth + 1) * (count // 10), f"{seconds:.6f}", _resident(), flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        if sys.argv[1] == "serve":
            asyncio.run(serve(CONFIG, lambda line: print(line.rpartition(" ")[2], flush=True)))
        else:
            asyncio.run(load(int(sys.argv[1])))
