"""What `make run` starts: three processes that come up, trade, and go down together."""

import os
import re
import select
import signal
import sys
from pathlib import Path

import pytest

from tests.examples.program import run, start

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children die with it on Linux")


def children_of(pid: int) -> dict[int, int]:
    """The children of a process, and a descriptor for each that is readable once it has ended."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child): os.pidfd_open(int(child)) for child in children}


def all_end_within(children: dict[int, int], seconds: float) -> bool:
    for descriptor in children.values():
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return False
        os.close(descriptor)
    return True


def columns_of(table: str) -> list[str]:
    """The head of the first table in a text."""
    return next(line for line in table.splitlines() if "decision  " in line).split()


def fields_of(event: str, log: str) -> list[str]:
    """What the first line of an event names."""
    return re.findall(r" (\w+)=", next(line for line in log.splitlines() if f" {event} " in line))


async def test_it_trades_until_its_duration_and_prints_paper_against_broker(
    tmp_path: Path,
) -> None:
    ended = await run("run_demo.py", "--duration", "6", cwd=tmp_path)
    assert (ended.status, ended.stderr) == (0, "")
    log, table = ended.stdout.split("Paper against broker")
    assert "state=RUNNING" in log
    assert "daemon.stopped" in log
    assert "momentum-" in log
    assert columns_of(table) == columns_of(README.split("Paper against broker")[1])
    assert sorted(fields_of("decision.executed", log)) == sorted(
        fields_of("decision.executed", README)
    )
    assert fields_of("daemon.starting", log) == fields_of("daemon.starting", README)
    assert re.search(r"^\d+ decisions? ·", table, re.MULTILINE)
    [state_dir] = (tmp_path / "var").iterdir()
    assert f"kept in var/{state_dir.name}" in table
    assert (state_dir / "journal.db").exists()


async def test_ctrl_c_ends_daemon_decision_maker_and_testnet_cleanly(tmp_path: Path) -> None:
    program = await start("run_demo.py", cwd=tmp_path)
    await program.lines_until("state=RUNNING")
    children = children_of(program.pid)
    program.process.send_signal(signal.SIGINT)
    ended = await program.end()
    assert (ended.status, ended.stderr) == (0, "")
    assert "state=DRAINING" in ended.stdout
    assert len(children) == 3
    assert all_end_within(children, 0.0)


async def test_its_children_do_not_outlive_it_when_it_is_killed(tmp_path: Path) -> None:
    program = await start("run_demo.py", cwd=tmp_path)
    await program.lines_until("state=RUNNING")
    children = children_of(program.pid)
    program.process.kill()
    assert len(children) == 3
    assert all_end_within(children, 10.0)
    await program.end()


async def test_a_daemon_that_ends_by_itself_is_told_of(tmp_path: Path) -> None:
    program = await start("run_demo.py", cwd=tmp_path)
    log = await program.lines_until("state=RUNNING")
    [pid] = [int(match[1]) for line in log if (match := re.search(r"\bpid=(\d+)", line))] or [
        int(match[1])
        for line in await program.lines_until("heartbeat")
        if (match := re.search(r"\bpid=(\d+)", line))
    ]
    os.kill(pid, signal.SIGKILL)
    ended = await program.end()
    assert ended.status == 1
    assert "The daemon ended by itself with status -9." in ended.stdout


@pytest.mark.parametrize("arguments", [["--duration", "0"], ["--what"]])
async def test_wrong_usage_exits_64(tmp_path: Path, arguments: list[str]) -> None:
    ended = await run("run_demo.py", *arguments, cwd=tmp_path)
    assert ended.status == 64
    assert arguments[0] in ended.stderr
    assert not (tmp_path / "var").exists()
