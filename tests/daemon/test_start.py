"""What the program imports before it does anything: a kill waits for no more than it needs."""

import subprocess
import sys

import pytest

HEAVY = {"aiohttp", "aiosqlite", "apscheduler", "cryptography", "msgspec", "pydantic"} | {
    *("rich", "structlog", "websockets", "yaml")
}


def imported(statements: str) -> set[str]:
    """What of `HEAVY` is imported once `statements` have run in a new process."""
    tell = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{statements}\n{tell}"], capture_output=True, text=True, check=True
    )
    return HEAVY & set(done.stdout.split())


def test_help_a_kill_and_what_a_running_daemon_answers_import_nothing_that_trades() -> None:
    assert imported("from otonom_trader.daemon.cli import app") == set()


@pytest.mark.parametrize(
    "module",
    ["otonom_trader.brokers.config", "otonom_trader.daemon.settings"],
)
def test_reading_the_configuration_imports_nothing_that_speaks_to_a_venue(module: str) -> None:
    assert not imported(f"import {module}") & {"aiohttp", "websockets", "aiosqlite", "structlog"}
