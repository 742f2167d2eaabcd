"""Two daemons never hold one state directory, nor one account on one host."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otonom_trader.daemon.locks import (
    LOCK_NAME,
    account_lock,
    holder,
    state_dir_lock,
    wait_for_state_dir_lock,
)
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import AlreadyRunning, ConfigurationError, NotPermitted

ACCOUNT = f"127.0.0.1:8080:{os.getpid()}"  # another run of the tests is another account

HOLD = """
import pathlib, sys
from otonom_trader.daemon.locks import account_lock, state_dir_lock
with {lock}:
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(lock: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds `lock` until its input ends or it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD.format(lock=lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def of(path: Path) -> str:
    return f"state_dir_lock(pathlib.Path({str(path)!r}))"


def test_a_held_directory_is_refused_naming_its_holder(tmp_path: Path) -> None:
    with another_process(of(tmp_path)) as process:
        with pytest.raises(AlreadyRunning) as refused, state_dir_lock(tmp_path):
            pass
        assert str(refused.value) == (
            f"process {process.pid} holds the state directory {tmp_path}: stop it, or give "
            "another --state-dir"
        )
        assert holder(tmp_path) == process.pid


def test_a_directory_is_free_again_when_its_holder_was_killed(tmp_path: Path) -> None:
    with another_process(of(tmp_path)) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert holder(tmp_path) is None
        with state_dir_lock(tmp_path):
            assert holder(tmp_path) == os.getpid()
    assert holder(tmp_path) is None


def test_a_directory_is_free_again_when_its_holder_failed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), state_dir_lock(tmp_path):
        raise RuntimeError
    with state_dir_lock(tmp_path):
        pass


def test_the_lock_file_is_its_owners_alone(tmp_path: Path) -> None:
    with state_dir_lock(tmp_path):
        assert (tmp_path / LOCK_NAME).stat().st_mode & 0o777 == 0o600


def test_a_stale_pid_in_the_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text(json.dumps({"pid": 1, "pid_namespace": 1}))
    assert holder(tmp_path) is None
    with state_dir_lock(tmp_path):
        assert holder(tmp_path) == os.getpid()


def test_asking_for_the_holder_makes_nothing(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    assert holder(tmp_path / "missing") is None
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_named_and_not_made(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"missing does not exist"),
        state_dir_lock(tmp_path / "missing"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_holder_in_another_container_is_not_taken_for_a_process_of_ours(tmp_path: Path) -> None:
    with another_process(of(tmp_path)):
        (tmp_path / LOCK_NAME).write_text(json.dumps({"pid": 1, "pid_namespace": 1}))
        with pytest.raises(NotPermitted, match="process 1 of another container"):
            holder(tmp_path)


class PatientClock(SystemClock):
    """Lets the other process go at its first wait."""

    def __init__(self, process: "subprocess.Popen[str] | None") -> None:
        self.process = process
        self.waited_seconds = 0.0

    def monotonic_ns(self) -> int:
        return int(self.waited_seconds * 1e9)

    async def sleep(self, seconds: float) -> None:
        self.waited_seconds += seconds
        if self.process is not None:
            self.process.kill()
            self.process.wait()


async def test_a_command_that_is_soon_done_is_waited_for(tmp_path: Path) -> None:
    with another_process(of(tmp_path)) as process:
        async with wait_for_state_dir_lock(tmp_path, clock=PatientClock(process)):
            assert holder(tmp_path) == os.getpid()
    assert holder(tmp_path) is None


async def test_a_daemon_that_stays_is_not_waited_for_long(tmp_path: Path) -> None:
    clock = PatientClock(None)
    with another_process(of(tmp_path)):
        with pytest.raises(AlreadyRunning):
            async with wait_for_state_dir_lock(tmp_path, clock=clock, patience_seconds=2):
                pass
        assert 2 <= clock.waited_seconds < 3


def test_a_held_account_is_refused_by_name_until_its_holder_dies() -> None:
    with another_process(f"account_lock({ACCOUNT!r})") as process:
        with pytest.raises(AlreadyRunning, match=f"on this host trades the account {ACCOUNT}"):
            account_lock(ACCOUNT).__enter__()
        with account_lock(ACCOUNT + "1"):
            pass
        process.kill()
        process.wait()
        with account_lock(ACCOUNT):
            pass


def test_accounts_with_long_names_are_told_apart() -> None:
    name = ACCOUNT + "x" * 200
    with account_lock(name), account_lock(name + "y"), pytest.raises(AlreadyRunning):
        account_lock(name).__enter__()
