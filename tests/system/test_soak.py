"""The soak in short: every kind of fault at random, and the oracle at the end."""

from pathlib import Path

import pytest

from tests.system.soak import Soak


@pytest.mark.parametrize("transport", ["rest", "auto"])
async def test_decisions_under_random_faults_are_executed_once_and_known(
    tmp_path: Path, transport: str
) -> None:
    soak = Soak(200, seed=7, transport=transport)
    await soak.run(tmp_path)
    assert soak.sent >= 190
    assert len(soak.struck) >= 10
    assert sum(soak.outcomes.values()) == 200
    assert soak.outcomes["filled"] > 100
    assert soak.tasks_left == 0
