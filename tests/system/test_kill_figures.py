"""The benchmark of the kill in its shortest form: what it counts must hold on any machine."""

import asyncio
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def test_a_busy_daemon_that_is_killed_lets_nothing_leave_and_restarts_halted(
    tmp_path: Path,
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.kill", str(tmp_path), "2"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0
    trips = json.loads(told)
    assert len(trips["taken"]["all_ns"]) == 2
    assert trips["accepted"] > 0
    assert trips["latest_ms"] <= trips["clocks_ms"]
    assert trips["halted_restarts"] == 2
