"""A program of one's own executes decisions on the state directory of the daemon."""

from decimal import Decimal
from pathlib import Path

import yaml

from otonom_trader.daemon.broker_integration import create_shadow_executor
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.execution import TradeExecutionLog
from otonom_trader.storage.events import KillEvent
from otonom_trader.storage.journal import Journal

CLOCK = SystemClock()


async def execute(folder: Path, id_: str) -> TradeExecutionLog:
    content = {
        "broker": {"type": "dummy", "mode": "live", "dummy": {"prices": {"BTC-USDT": 50000}}},
        "risk_guardrails": {"max_position_size_pct": None},
    }
    (folder / "broker.yaml").write_text(yaml.safe_dump(content))
    decision = Decision(
        id=id_,
        symbol="BTC-USDT",
        direction=Direction.BUY,
        qty=Decimal("0.01"),
        source="program",
        created_at=CLOCK.now(),
    )
    async with create_shadow_executor(folder / "broker.yaml", state_dir=folder) as executor:
        return await executor.execute_decision(None, decision)


async def note(folder: Path, action: str) -> None:
    async with Journal(folder / "journal.db", clock=CLOCK) as journal:
        await journal.record_kill(KillEvent(CLOCK.now(), action, "the venue is unfit", "test"))


async def test_it_leaves_to_paper_what_the_daemon_left_to_paper_until_a_resume(
    tmp_path: Path,
) -> None:
    assert (await execute(tmp_path, "d1")).broker_ok
    await note(tmp_path, "paper_only")
    held_back = await execute(tmp_path, "d2")
    assert (held_back.broker_ok, held_back.broker_code) == (False, "paper_only")
    assert held_back.broker_message == "Not sent: paper only: the venue is unfit"
    assert held_back.paper_fill_price == 50000
    await note(tmp_path, "resume")
    assert (await execute(tmp_path, "d3")).broker_ok
