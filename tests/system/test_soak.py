"""The soak in short: faults at random and faults apart, and the same verdict at the end."""

from pathlib import Path

import pytest

from otonom_trader.testnet.faults import FAULTS
from tests.system.soak import Soak
from tests.system.soak_apart import ORDEALS, Apart
from tests.system.soak_faults import KINDS


@pytest.mark.parametrize(
    ("transport", "market_data"), [("rest", "rest"), ("auto", "streams")], ids=["rest", "auto"]
)
async def test_decisions_under_random_faults_are_executed_once_and_known(
    tmp_path: Path, transport: str, market_data: str
) -> None:
    soak = Soak(120, 7, transport, market_data, timeout_seconds=1.0)
    await soak.run(tmp_path)
    assert [one for one in soak.requirements() if not one.holds] == []
    assert sum(count > 0 for count in soak.struck.values()) >= 10
    assert sum(soak.outcomes.values()) == 120
    assert soak.outcomes["filled"] > 60


async def test_trading_goes_on_after_a_ban_and_after_a_halt(tmp_path: Path) -> None:
    names = ("ban_418", "wrong_reply", "the key is revoked")
    ordeals = [ordeal for ordeal in ORDEALS if ordeal.name in names]
    apart = Apart("ws", rounds=1, seed=7, ordeals=ordeals)
    await apart.run(tmp_path)
    assert tuple(apart.came_to) == names
    assert all(outcomes["filled"] for outcomes in apart.came_to.values())


def test_every_fault_of_the_testnet_is_in_one_of_the_two_parts() -> None:
    apart = {ordeal.name for ordeal in ORDEALS} & FAULTS.keys()
    assert KINDS | apart == FAULTS.keys()
    assert not KINDS & apart
