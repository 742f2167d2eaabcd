"""The kill switch: one latch, in memory and on disk, with many doors."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otonom_trader.daemon import kill, set_kill_switch
from otonom_trader.daemon.kill import (
    DOUBT,
    DRILL,
    DRY_DRILL,
    JOURNAL,
    LATCH,
    KillSwitch,
    read_latch,
    write_latch,
)
from otonom_trader.daemon.lifecycle import ExitGate, Lifecycle
from otonom_trader.domain.errors import NotReady, PaperOnly, TraderError, TradingHalted
from otonom_trader.domain.mode import DaemonState


@pytest.fixture
def switch(tmp_path: Path) -> KillSwitch:
    opened = KillSwitch(tmp_path)
    opened.open()
    return opened


def test_a_new_switch_lets_everything_pass(switch: KillSwitch) -> None:
    switch.check()
    assert not switch.tripped


def test_a_trip_shuts_the_gate_and_is_on_disk_when_it_returns(switch: KillSwitch) -> None:
    assert switch.trip("drawdown", "test")
    with pytest.raises(TradingHalted, match=r"drawdown \(by test\)"):
        switch.check()
    event = json.loads(switch.path.read_text())
    assert (event["reason"], event["by"]) == ("drawdown", "test")


def test_a_second_trip_changes_nothing(switch: KillSwitch) -> None:
    switch.trip("first", "test")
    before = switch.path.read_bytes()
    assert not switch.trip("second", "test")
    assert switch.path.read_bytes() == before
    assert switch.reason == "first (by test)"


def test_a_restart_finds_the_latch(switch: KillSwitch, tmp_path: Path) -> None:
    switch.trip("first", "test")
    again = KillSwitch(tmp_path)
    again.open()
    assert again.reason == "first (by test)"


def test_clearing_empties_memory_and_latch(switch: KillSwitch, tmp_path: Path) -> None:
    switch.trip("first", "test")
    switch.clear()
    switch.check()
    assert read_latch(tmp_path) is None


@pytest.mark.parametrize("torn", [b'{"at": "2026', b"\0\0\0", b"[]\n", b"\n"])
def test_a_torn_latch_is_a_trip_all_the_same(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / LATCH).write_bytes(torn)
    switch = KillSwitch(tmp_path)
    switch.open()
    assert switch.reason == "the latch file is damaged"


def test_a_latch_written_from_outside_gives_the_signal_its_reason(
    switch: KillSwitch, tmp_path: Path
) -> None:
    write_latch(tmp_path, "too volatile", "operator")
    assert not switch.tripped
    switch.on_signal(signal.SIGUSR1, None)
    assert switch.reason == "too volatile (by operator)"
    assert len(switch.path.read_text().splitlines()) == 1


def test_a_signal_before_the_latch_is_open_is_written_when_it_opens(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.on_signal(signal.SIGUSR1, None)
    assert switch.tripped
    switch.open()
    reason = read_latch(tmp_path)
    assert reason is not None
    assert "SIGUSR1" in reason


def test_nothing_is_made_where_there_is_no_state_directory(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(TraderError, match="there is no state directory"):
        write_latch(missing, "x", "test")
    assert not missing.exists()


def test_a_disk_fault_in_the_handler_halts_memory_and_is_kept(
    switch: KillSwitch, tmp_path: Path
) -> None:
    os.close(switch._fd or -1)
    switch._fd = os.open(tmp_path / LATCH, os.O_RDONLY)
    switch.on_signal(signal.SIGUSR1, None)
    assert switch.tripped
    assert isinstance(switch.unwritten, OSError)


def test_what_the_disk_refused_is_written_once_it_takes_it(
    switch: KillSwitch, tmp_path: Path
) -> None:
    refusing, taking = os.open(tmp_path / LATCH, os.O_RDONLY), switch._fd
    assert not switch.write_again(), "there is nothing to write"
    switch._fd = refusing
    with pytest.raises(OSError, match="Bad file descriptor"):
        switch.trip("drawdown", "test")
    assert not switch.write_again()
    assert read_latch(tmp_path) is None
    switch._fd = taking
    assert switch.write_again()
    assert (switch.unwritten, read_latch(tmp_path)) == (None, "drawdown (by test)")
    assert not switch.write_again()
    assert len(switch.path.read_text().splitlines()) == 1
    os.close(refusing)


def test_a_latch_of_which_the_disk_took_a_part_is_written_on(
    switch: KillSwitch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, line: write(fd, line[:7]))
    switch.trip("drawdown", "test")
    assert read_latch(tmp_path) == "drawdown (by test)"


async def test_set_kill_switch_says_that_the_latch_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill, "_of_process", None)
    switch = kill.process_switch(tmp_path)
    switch.open()
    switch._fd = os.open(tmp_path / LATCH, os.O_RDONLY)
    with pytest.raises(TraderError, match=r"kill.latch cannot be written \(Bad file descriptor\)"):
        await set_kill_switch(True, "max drawdown")
    assert switch.tripped


def test_the_handler_latches_while_the_event_loop_is_busy(tmp_path: Path) -> None:
    program = """
import os, signal, sys, time
from pathlib import Path
from otonom_trader.daemon.kill import process_switch
switch = process_switch(Path(sys.argv[1]))
switch.open()
signal.signal(signal.SIGUSR1, switch.on_signal)
print("ready", flush=True)
while not switch.tripped:   # never yields, as a busy loop does not
    pass
print(switch.reason, flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline() == "signal (by SIGUSR1)\n"
    assert read_latch(tmp_path) == "signal (by SIGUSR1)"


async def test_set_kill_switch_trips_the_switch_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill, "_of_process", None)
    switch = kill.process_switch(tmp_path)
    switch.open()
    await set_kill_switch(True, "max drawdown")
    assert switch.tripped
    assert read_latch(tmp_path) == "max drawdown (by set_kill_switch)"


async def test_set_kill_switch_without_a_daemon_latches_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill, "_of_process", None)
    await set_kill_switch(True, "before the holidays", tmp_path)
    assert read_latch(tmp_path) == "before the holidays (by set_kill_switch)"


async def test_set_kill_switch_false_is_refused_naming_resume() -> None:
    with pytest.raises(ValueError, match="otonom-trader resume"):
        await set_kill_switch(False)


def test_a_loop_handler_still_runs_behind_the_latching_one(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.open()

    async def wait_for_signal() -> None:
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, told.set)
        signal.signal(signal.SIGUSR1, switch.on_signal)
        try:
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.wait_for(told.wait(), 5)
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)

    asyncio.run(wait_for_signal())
    assert switch.tripped


@pytest.mark.parametrize("phase", [DaemonState.STARTING, DaemonState.RECONCILING])
def test_outside_running_the_gate_is_shut_without_denying(
    switch: KillSwitch, phase: DaemonState
) -> None:
    lifecycle = Lifecycle(switch)
    lifecycle.phase = phase
    with pytest.raises(NotReady, match=phase):
        lifecycle.check()
    assert lifecycle.state is phase


def test_running_passes_and_paper_only_says_so(switch: KillSwitch) -> None:
    lifecycle = Lifecycle(switch)
    lifecycle.phase = DaemonState.RUNNING
    lifecycle.check()
    lifecycle.paper_only = "the venue is unfit"
    assert (lifecycle.state, lifecycle.takes_decisions) == (DaemonState.PAPER_ONLY, True)
    with pytest.raises(PaperOnly, match="paper only: the venue is unfit"):
        lifecycle.check()


def test_reconciling_comes_before_paper_only(switch: KillSwitch) -> None:
    lifecycle = Lifecycle(switch)
    lifecycle.paper_only = "the venue is unfit"
    shown = []
    for phase in (DaemonState.RECONCILING, DaemonState.RUNNING):
        lifecycle.enter(phase)
        shown.append(lifecycle.state)
    assert shown == [DaemonState.RECONCILING, DaemonState.PAPER_ONLY]
    lifecycle.enter(DaemonState.RECONCILING)
    with pytest.raises(NotReady):
        lifecycle.check()


def test_a_tripped_switch_stands_above_every_phase_but_draining(switch: KillSwitch) -> None:
    lifecycle = Lifecycle(switch)
    switch.trip("x", "test")
    lifecycle.paper_only = "the venue is unfit"
    for phase in (DaemonState.STARTING, DaemonState.RECONCILING, DaemonState.RUNNING):
        lifecycle.phase = phase
        assert lifecycle.state is DaemonState.HALTED
        with pytest.raises(TradingHalted) as halt:
            lifecycle.check()
        assert type(halt.value) is TradingHalted
    lifecycle.phase = DaemonState.DRAINING
    assert lifecycle.state is DaemonState.DRAINING


def test_while_draining_what_was_taken_in_goes_on_and_nothing_new_is_taken_in(
    switch: KillSwitch,
) -> None:
    lifecycle = Lifecycle(switch)
    lifecycle.enter(DaemonState.RUNNING)
    lifecycle.enter(DaemonState.DRAINING)
    lifecycle.check()
    assert not lifecycle.takes_decisions
    switch.trip("x", "test")
    with pytest.raises(TradingHalted):
        lifecycle.check()


def test_a_drain_opens_no_gate_that_was_shut_before_it(switch: KillSwitch) -> None:
    paper = Lifecycle(switch)
    paper.paper_only = "the venue is unfit"
    paper.enter(DaemonState.RUNNING)
    paper.enter(DaemonState.DRAINING)
    with pytest.raises(PaperOnly):
        paper.check()
    early = Lifecycle(switch)
    early.enter(DaemonState.RECONCILING)
    early.enter(DaemonState.DRAINING)
    with pytest.raises(NotReady):
        early.check()


def test_nothing_follows_draining(switch: KillSwitch) -> None:
    lifecycle = Lifecycle(switch)
    lifecycle.enter(DaemonState.DRAINING)
    lifecycle.enter(DaemonState.RUNNING)
    assert lifecycle.state is DaemonState.DRAINING


@pytest.mark.parametrize("door", [DOUBT, DRY_DRILL])
def test_a_kill_upon_a_halt_that_leaves_orders_is_latched_and_cancels(
    switch: KillSwitch, tmp_path: Path, door: str
) -> None:
    switch.trip("looked odd", door)
    assert not switch.trip("looked odd again", door)
    assert [trip.cancels for trip in switch.trips] == [False]
    assert switch.trip("get out", "operator")
    assert switch.cancels
    assert not switch.trip("get out now", "operator")
    again = KillSwitch(tmp_path)
    again.open()
    assert again.trips == switch.trips
    assert [trip.cause for trip in again.trips] == [
        f"looked odd (by {door})",
        "get out (by operator)",
    ]
    assert again.reason == f"looked odd (by {door})"


@pytest.mark.parametrize("door", [DOUBT, DRY_DRILL, DRILL, JOURNAL])
def test_a_kill_upon_a_halt_that_leaves_positions_is_latched(switch: KillSwitch, door: str) -> None:
    switch.trip("looked odd", door)
    assert not switch.flattens
    assert switch.trip("get out", "operator")
    # In doubt, or without a record, it is not known what there is to sell.
    assert switch.flattens is (door not in (DOUBT, JOURNAL))


@pytest.mark.parametrize("doubt", [DOUBT, JOURNAL])
def test_a_doubt_upon_a_kill_keeps_positions(switch: KillSwitch, doubt: str) -> None:
    trips = (("get out", "operator"), ("looks odd", doubt), ("looks odder", doubt))
    seen = [(switch.trip(why, by), switch.flattens) for why, by in trips]
    assert seen == [(True, True), (True, False), (False, False)]


def test_a_damaged_latch_keeps_positions(switch: KillSwitch) -> None:
    switch.path.write_text("torn")
    switch.open()
    assert (switch.tripped, switch.flattens) == (True, False)


def test_positions_are_closed_only_under_a_kill_and_once_every_order_is_known(
    switch: KillSwitch,
) -> None:
    lifecycle = Lifecycle(switch)
    gate = ExitGate(lifecycle)
    for phase in (DaemonState.STARTING, DaemonState.RECONCILING, DaemonState.RUNNING):
        lifecycle.enter(phase)
        with pytest.raises(TradingHalted, match="not closed now"):
            gate.check()
    switch.trip("get out", "operator")
    gate.check()
    lifecycle.enter(DaemonState.RECONCILING)
    with pytest.raises(TradingHalted):
        gate.check()
    lifecycle.enter(DaemonState.RUNNING)
    gate.check()
    lifecycle.enter(DaemonState.DRAINING)
    with pytest.raises(TradingHalted):
        gate.check()


def test_a_kill_from_outside_upon_a_contradiction_comes_in_with_the_signal(
    switch: KillSwitch, tmp_path: Path
) -> None:
    switch.trip("looked odd", DOUBT)
    write_latch(tmp_path, "get out", "operator")
    switch.on_signal(signal.SIGUSR1, None)
    assert switch.cancels
    assert [trip.by for trip in switch.trips] == [DOUBT, "operator"]
    assert len(switch.path.read_text().splitlines()) == 2


def test_a_signal_before_the_latch_is_open_is_added_to_a_contradiction_found_in_it(
    tmp_path: Path,
) -> None:
    write_latch(tmp_path, "looked odd", DOUBT)
    switch = KillSwitch(tmp_path)
    switch.on_signal(signal.SIGUSR1, None)
    switch.open()
    assert [trip.by for trip in switch.trips] == [DOUBT, "SIGUSR1"]
    assert len(switch.path.read_text().splitlines()) == 2


def test_an_announced_signal_is_told_as_announced_the_next_one_is_not(
    switch: KillSwitch,
) -> None:
    switch.announce("rehearsal", DRY_DRILL, seconds=60)
    switch.on_signal(signal.SIGUSR1, None)
    assert [(trip.cause, trip.cancels) for trip in switch.trips] == [
        ("rehearsal (by dry drill)", False)
    ]
    switch.on_signal(signal.SIGUSR1, None)
    assert switch.cancels


def test_an_announcement_that_nothing_followed_is_over_after_its_time(switch: KillSwitch) -> None:
    switch.announce("rehearsal", DRY_DRILL, seconds=0)
    switch.on_signal(signal.SIGUSR1, None)
    assert switch.reason == "signal (by SIGUSR1)"
