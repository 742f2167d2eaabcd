"""The soak in short: every kind of fault at random, and the same verdict at the end."""

from pathlib import Path

import pytest

from tests.system.soak import Soak


@pytest.mark.parametrize(
    ("transport", "market_data"), [("rest", "rest"), ("auto", "streams")], ids=["rest", "auto"]
)
async def test_decisions_under_random_faults_are_executed_once_and_known(
    tmp_path: Path, transport: str, market_data: str
) -> None:
    soak = Soak(200, seed=7, transport=transport, market_data=market_data)
    await soak.run(tmp_path)
    assert [one for one in soak.requirements(strikes=0) if not one.holds] == []
    assert sum(count > 0 for count in soak.struck.values()) >= 10
    assert sum(soak.outcomes.values()) == 200
    assert soak.outcomes["filled"] > 100
