"""Writes decisions through a journal until it is killed; run as a program by the crash tests.

Prints a line for each acknowledgement: ``recorded N``, then ``settled N``; and ``failed TEXT`` when
the journal says so. Arguments: path, first decision, largest file in bytes (0: no limit).
"""

import asyncio
import importlib
import resource
import sys
from dataclasses import replace
from pathlib import Path

from otonom_trader.domain.errors import JournalError
from otonom_trader.storage import Journal

CONCURRENT = 4


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def main(path: Path, first: int, largest: int) -> None:
    samples = importlib.import_module("conftest").Samples()
    async with Journal(path, clock=samples.clock()) as journal:
        if await journal.load_ledger("paper") is None:
            await journal.open_ledger("paper", samples.opening)
        ledger = await journal.load_ledger("paper") or samples.opening
        if largest:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        number = first - 1

        async def work() -> None:
            nonlocal ledger, number
            while True:
                number += 1
                mine = number
                change = samples.change(ledger)
                ledger = change.after
                await journal.record(replace(samples.entry(mine), paper=change))
                say("recorded", mine)
                await journal.settle(
                    samples.intent(mine), samples.filled(mine), samples.execution(number=mine)
                )
                say("settled", mine)

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(CONCURRENT):
                    tasks.create_task(work())
        except* JournalError as failures:
            say("failed", failures.exceptions[0])
        try:
            await journal.record(samples.entry(10**6))
        except JournalError as failure:
            say("failed", type(failure).__name__)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
