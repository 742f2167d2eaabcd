"""Runs the rows that are asked for and prints the table."""

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.calibration import calibrate
from benchmarks.checks import measure_checks
from benchmarks.durable import measure_durable
from benchmarks.idle import measure_idle
from benchmarks.kill import measure_kill
from benchmarks.measure import Row
from benchmarks.orders import measure_decision, measure_order
from benchmarks.process import ROOT
from benchmarks.start import measure_start
from benchmarks.testnet import measure_testnet
from benchmarks.workplace import Workplace, stub_venue

Measure = Callable[[Workplace], Awaitable[list[Row]]]

ROWS: dict[int, Measure] = {
    1: measure_order,
    2: measure_decision,
    3: measure_checks,
    4: measure_durable,
    5: measure_kill,
    6: measure_start,
    7: measure_idle,
    8: measure_testnet,
}


def main() -> int:
    """Measure what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench.py", description="Prints the speed table.")
    parser.add_argument("--rows", type=_numbers, default=tuple(ROWS), help="such as 1,3")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    given = parser.parse_args()
    base = ROOT / "var"
    base.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=base) as folder:
        show(asyncio.run(run(Path(folder), given.rows, quick=given.quick)))
    return 0


async def run(folder: Path, numbers: Sequence[int], *, quick: bool) -> list[Row]:
    """Return the calibration and the rows `numbers`."""
    async with stub_venue() as url:
        place = Workplace(folder, url, quick)
        rows = await calibrate(place)
        for number in numbers:
            rows += await ROWS[number](place)
    return rows


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table()
    for title in ("what", "measured", "target", "ratio", "verdict"):
        table.add_column(title, justify="right" if title == "ratio" else "left", no_wrap=True)
    for row in rows:
        verdict = {None: "", True: "within", False: "over"}[row.within]
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.name, row.measured, row.target, ratio, verdict)
    Console(width=130).print(table)


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(",") if part.isdigit())
    if not numbers or not set(numbers) <= set(ROWS):
        raise argparse.ArgumentTypeError(f"rows are {', '.join(map(str, ROWS))}")
    return numbers
