"""The guide's example program, command by command."""

import signal
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.storage.decisions_db import add_decision, create_decisions_db
from otonom_trader.testnet import LocalTestnet
from tests.examples.program import load, run, start

NAME = "daemon_with_broker_example.py"


@pytest.fixture
async def decided(folder: Path) -> Path:
    """A folder with three decisions of now: one that passes, one too large, one to wait."""
    database = folder / "var" / "decisions.db"
    await create_decisions_db(database)
    now = datetime.now(UTC)  # noqa: TID251  the program reads the clock as well
    for id_, direction, strength in (
        ("small", "BUY", "0.01"),
        ("large", "BUY", "1"),
        ("wait", "HOLD", "0"),
    ):
        await add_decision(
            database,
            Decision(
                id_, "BTC-USDT", Direction(direction), strength=Decimal(strength), created_at=now
            ),
        )
    return folder


async def test_config_shows_what_the_guide_shows(decided: Path) -> None:
    ended = await run(NAME, "config", cwd=decided)
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "Broker: binance",
        "Shadow mode: True",
        "Testnet: True",
        "Max notional: $1,500.00",
    ]


async def test_simple_sends_each_decision_to_the_guarded_broker(
    decided: Path, venue: LocalTestnet
) -> None:
    ended = await run(NAME, "simple", cwd=decided)
    assert (ended.status, ended.stderr) == (0, "")
    small, large, wait = ended.stdout.splitlines()
    assert small.startswith("Decision small: True validated by Binance")
    assert large.startswith("Decision large: False RISK REJECTED: Order notional $")
    assert wait == "Decision wait: nothing to order"
    assert venue.truth()["orders"] == []


async def test_advanced_shows_both_legs_and_executes_nothing_twice(decided: Path) -> None:
    first = await run(NAME, "advanced", cwd=decided)
    again = await run(NAME, "advanced", cwd=decided)
    assert (first.status, first.stderr) == (0, "")
    assert "Decision small: filled" in first.stdout
    assert "Decision large: denied RISK REJECTED: Order notional $" in first.stdout
    assert "Decision wait: hold" in first.stdout
    assert "  Broker: True (" in first.stdout
    # Latency and prices are measured anew by whatever is executed: the same text, the same row.
    assert again.stdout == first.stdout


async def test_loop_goes_on_until_sigterm(decided: Path) -> None:
    program = await start(NAME, "loop", "0.2", cwd=decided)
    for _ in range(2):
        await program.lines_until("Decision wait: hold")
    program.process.send_signal(signal.SIGTERM)
    ended = await program.end()
    assert (ended.status, ended.stderr) == (0, "")


async def test_simple_is_refused_in_live_and_nothing_is_ordered(
    decided: Path, venue: LocalTestnet
) -> None:
    config = decided / "config" / "broker.yaml"
    config.write_text(config.read_text().replace("shadow_mode: true", "shadow_mode: false"))
    ended = await run(NAME, "simple", cwd=decided)
    assert ended.status == 77
    assert "live orders need the journal" in ended.stderr
    assert venue.truth()["orders"] == []


async def test_advanced_in_live_places_one_order_however_often_it_is_run(
    decided: Path, venue: LocalTestnet
) -> None:
    config = decided / "config" / "broker.yaml"
    config.write_text(config.read_text().replace("shadow_mode: true", "shadow_mode: false"))
    for _ in range(2):
        assert (await run(NAME, "advanced", cwd=decided)).status == 0
    assert len(venue.truth()["orders"]) == 1


@pytest.mark.parametrize("command", ["config", "loop"])
async def test_a_missing_configuration_names_the_command_that_writes_one(
    tmp_path: Path, command: str
) -> None:
    ended = await run(NAME, command, cwd=tmp_path)
    assert ended.status == 78
    assert "otonom-trader config init" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "a command is missing"),
        (["trade"], "there is no command 'trade'"),
        (["simple", "now"], "simple takes nothing after it"),
        (["loop", "soon"], "'soon' is not a number of seconds"),
        (["loop", "0"], "'0' is not a number of seconds"),
        (["loop", "nan"], "'nan' is not a number of seconds"),
        (["loop", "1", "2"], "loop takes one number of seconds after it"),
    ],
)
def test_wrong_usage_says_what_is_wrong_and_exits_64(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert load(NAME).main(arguments) == 64
    told = capsys.readouterr().err
    assert told.startswith(complaint)
    assert "config | simple | advanced | loop [SECONDS]" in told
