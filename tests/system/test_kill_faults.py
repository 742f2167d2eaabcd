"""promises.md, faults 26 and 27: a kill in the middle, twice, and on a loop that stalls."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.intent import Entry
from tests.system import checks
from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.harness import CLOCK, Installation, epoch_ms, until
from tests.system.markets import account, venue
from tests.system.rig import Rig, rig
from tests.system.scenarios import latched_at_ms
from tests.system.stalling import program
from tests.system.test_kill_switch import refuses

TRANSPORTS = pytest.mark.parametrize("transport", ["rest", "ws"])


class Systemd:
    """The end of the socket that systemd holds."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self._heard_ns = CLOCK.monotonic_ns()

    def messages(self) -> list[str]:
        """What was told since the last time."""
        found = []
        while True:
            try:
                found.append(self._told.recv(4096).decode())
            except BlockingIOError:
                return found

    def is_worried(self) -> bool:
        """Whether the watchdog was not told to for a second."""
        now_ns = CLOCK.monotonic_ns()
        if "WATCHDOG=1" in self.messages():
            self._heard_ns = now_ns
        return now_ns - self._heard_ns > 1_000_000_000


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Systemd]:
    """Stand in for systemd; daemons started meanwhile tell it how they do."""
    address = f"otonom-trader-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(f"\0{address}")
        told.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{address}")
        yield Systemd(told)


# Fault 26: during the commit, while waiting for room, twice


@TRANSPORTS
async def test_fault_26_a_kill_during_the_commit_keeps_the_order_on_record_from_leaving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    async with rig(tmp_path, order_transport=transport) as one:

        async def commit_and_be_killed(entry: Entry) -> None:
            await record(entry)
            one.switch.on_signal(signal.SIGUSR1, None)

        record = one.journal.record
        monkeypatch.setattr(one.journal, "record", commit_and_be_killed)
        row = await one.decide()
        assert (row.outcome, row.broker_code) == (Outcome.NOT_SENT, "kill_switch")
        assert one.sent() == 0
        assert [order["code"] for order in await one.journal.orders()] == ["kill_switch"]


@TRANSPORTS
async def test_fault_26_a_kill_while_an_order_on_record_waits_for_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    async with rig(tmp_path, order_transport=transport) as one:
        asked = asyncio.Event()

        async def commit_and_use_up_the_limits(entry: Entry) -> None:
            await record(entry)
            governor_of(one)._orders_until_ns = one.clock.monotonic_ns() + 10**9
            asked.set()

        record = one.journal.record
        monkeypatch.setattr(one.journal, "record", commit_and_use_up_the_limits)
        async with asyncio.TaskGroup() as tasks:
            deciding = tasks.create_task(one.decide())
            await asked.wait()
            await asyncio.wait([deciding], timeout=0.2)
            assert not deciding.done(), "it did not wait for room"
            one.switch.on_signal(signal.SIGUSR1, None)
        row = deciding.result()
        assert (row.outcome, row.broker_code) == (Outcome.NOT_SENT, "kill_switch")
        assert one.sent() == 0


async def test_fault_26_a_second_kill_changes_nothing(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        daemon.send(signal.SIGUSR1)
        await daemon.logged("kill.verified")
        latch = (trader.state_dir / "kill.latch").read_bytes()
        daemon.send(signal.SIGUSR1)
        assert (await trader.command("kill", "--reason", "once more")).status == 0
        await refuses(trader, market, decision=0)
        assert (trader.state_dir / "kill.latch").read_bytes() == latch
        assert len(daemon.events("kill.tripped")) == 1
        assert len(daemon.events("kill.verified")) == 1
        await daemon.stop()


# The latch: read before READY, and what survives it


async def test_ready_is_told_only_once_the_latch_is_read(
    install: Install, systemd: Systemd
) -> None:
    async with venue() as market:
        trader = install(market.url)
        trader.state_dir.mkdir()
        assert (await trader.command("kill", "--reason", "before the start")).status == 0
        daemon = await trader.start()
        await until(lambda: "READY=1" in systemd.messages(), "READY")
        status = await trader.status()
        assert (status["state"], status["kill_reason"]) == (
            "HALTED",
            "before the start (by otonom-trader kill)",
        )
        await daemon.stop()


async def test_a_halt_survives_a_reload_of_the_configuration(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        daemon.send(signal.SIGUSR1)
        await daemon.logged("kill.verified")
        latch = (trader.state_dir / "kill.latch").read_bytes()
        trader.write_config({"risk_guardrails": {"max_notional_per_order": 1000}})
        daemon.send(signal.SIGHUP)
        await daemon.logged("config.reloaded")
        await refuses(trader, market, decision=0)
        assert (trader.state_dir / "kill.latch").read_bytes() == latch
        assert (await trader.status())["state"] == "HALTED"
        await daemon.stop()


# Fault 27: the loop stands still


@pytest.mark.parametrize("how", ["asleep", "busy"])
async def test_fault_27_a_loop_that_stalls_is_latched_at_once_and_ended_by_the_watchdog(
    install: Install, systemd: Systemd, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, program=program(how))
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1, price="30000"), *numbered(200, first=1))
        await until(lambda: outcomes_so_far(trader), "decisions with an outcome")
        daemon.send(signal.SIGUSR2)
        await until(systemd.is_worried, "the loop to stand still")
        signalled_ms = epoch_ms(CLOCK.now().isoformat())
        daemon.send(signal.SIGUSR1)
        latched_ms = await latched_at_ms(trader)
        assert latched_ms - signalled_ms < 1000, "the latch waited for the loop"

        # systemd hears nothing for a second, and aborts.
        daemon.send(signal.SIGABRT)
        assert await daemon.ended() == -signal.SIGABRT
        accepted = len(market.truth()["orders"])
        again = await (await trader.start()).in_state("HALTED")
        await again.logged("kill.verified")
        truth = market.truth()
        assert len(truth["orders"]) == accepted
        assert "NEW" not in {order["status"] for order in truth["orders"]}
        checks.nothing_sent_after_the_latch(truth, latched_ms, signalled_ms)
        await again.stop()
        checks.no_decision_executed_twice(truth)
        checks.nothing_left_unknown(await trader.executions())


def governor_of(one: Rig) -> Any:
    broker = one.broker.venue
    assert isinstance(broker, BinanceBroker)
    return broker._transport.governor


async def outcomes_so_far(trader: Installation) -> bool:
    counts: dict[str, int] = (await trader.status()).get("decisions", {})
    return sum(counts.values()) > 10
