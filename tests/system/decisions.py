"""Decisions: made up, or made by the example."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "patron_momentum.py"


@asynccontextmanager
async def decision_maker(
    url: str, out: Path, symbol: str = "BTC-USDT"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the example decision-maker: one decision into the file `out` on each candle of 1 s."""
    with out.with_suffix(".log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(EXAMPLE),
            *("--url", url, "--out", str(out), "--symbol", symbol),
            *("--interval", "1s", "--every", "0.2", "--strength", "0.5"),
            *("--fast", "1", "--slow", "2"),  # quick to change its mind: it buys and sells
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        assert await process.wait() == 0, out.with_suffix(".log").read_text()


def decided_in(file: Path, field: str = "id") -> list[str]:
    """Return the ids, or another field, of the decisions written to `file` so far."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line)[field] for line in lines]


def numbered(
    count: int, side: str = "BUY", first: int = 0, **fields: object
) -> list[dict[str, object]]:
    """Return `count` decisions, each of a quantity of its own, from 0.00200 BTC upwards.

    The quantity tells at the venue which decision an order came from, whatever its client id says.
    """
    return [
        {"id": f"d{n}", "symbol": "BTC-USDT", "direction": side, "qty": quantity(n)} | fields
        for n in range(first, first + count)
    ]


def quantity(number: int) -> str:
    """Return the quantity of the decision ``d<number>``."""
    return str(Decimal("0.002") + number * Decimal("0.00001"))
