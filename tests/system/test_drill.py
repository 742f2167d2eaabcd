"""`otonom-trader drill halt`: the kill switch rehearsed at a running daemon, and on record."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from otonom_trader.daemon.drill import Drills
from otonom_trader.daemon.halt import Halt
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.domain.errors import NotPermitted
from otonom_trader.domain.mode import DaemonState
from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.harness import until
from tests.system.markets import venue
from tests.system.production import at_production
from tests.system.rig import Rig, rig
from tests.system.test_kill_switch import outcomes


async def test_a_drill_at_a_testnet_is_measured_put_on_record_and_leaves_it_halted(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        assert (await trader.status())["last_drill_at"] is None
        trader.decide(*numbered(3, price="30000"))
        await until(lambda: outcomes(trader, ["resting"] * 3), "resting orders")

        drilled = await trader.command("drill", "halt")
        assert drilled.status == 0, drilled
        assert "own orders are seen to be gone, 3 cancelled" in drilled.out
        assert "trading is halted until: otonom-trader resume --reason TEXT" in drilled.out
        assert {order["status"] for order in market.truth()["orders"]} == {"CANCELED"}
        assert (await trader.status())["kill_reason"].endswith("(by drill)")

        again = await trader.command("drill", "halt")
        assert again.status == 77
        assert "the daemon is HALTED: a drill needs one that is RUNNING" in again.err
        await trader.command("resume", "--reason", "the drill is over")

        (row,) = (await trader.command("drill", "show", "--json")).json
        assert (row["environment"], row["mode"]) == ("testnet", "live")
        assert 0 < row["latch_ms"] <= row["verified_ms"]
        assert (row["orders_cancelled"], row["last_order_ms"]) == (3, None)
        assert (await trader.status())["last_drill_at"] == row["at"]
        await daemon.stop()
        assert (await trader.command("drill", "show", "--json")).json == [row]
        assert (await trader.command("status", "--json")).json["last_drill_at"] == row["at"]


async def test_a_drill_under_load_lets_no_order_leave_after_the_latch_and_resumes(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(100))
        await until(lambda: len(market.truth()["orders"]) > 10, "orders")
        row = (await trader.command("drill", "halt", "--resume", "--json")).json
        assert row["last_order_ms"] is None or row["last_order_ms"] <= row["latch_ms"]
        assert row["state"] == "RUNNING"
        assert (await trader.status())["state"] == "RUNNING"
        assert daemon.events("kill.resumed")[-1]["reason"] == "drill"
        await daemon.stop()


async def test_a_drill_without_a_daemon_says_what_it_needs(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        trader.state_dir.mkdir()
        drilled = await trader.command("drill", "halt")
        assert drilled.status == 1
        assert "a drill needs a running one, start it with otonom-trader run" in drilled.err
        shown = await trader.command("drill", "show")
        assert shown.out == "no drill is on record: otonom-trader drill halt\n"
        assert not (trader.state_dir / "kill.latch").exists()


async def test_in_shadow_nothing_of_ours_works_and_the_latch_is_measured(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url, mode="shadow")
        daemon = await (await trader.start()).in_state("RUNNING")
        drilled = await trader.command("drill", "halt", "--resume")
        assert drilled.status == 0
        assert "none in mode shadow" in drilled.out
        assert drilled.out.splitlines()[-1] == "resumed: RUNNING"
        await daemon.stop()


async def test_a_drill_of_a_real_daemon_on_production_sends_nothing(install: Install) -> None:
    async with venue() as market, at_production(install, market) as trader:
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1))
        await trader.decided(1)
        sent = len(market.truth()["requests"])
        drilled = await trader.command("drill", "halt")
        assert "not looked: nothing is sent to production" in drilled.out
        assert (await trader.status())["kill_reason"].endswith("(by dry drill)")
        trader.decide(*numbered(1, first=1))
        await trader.decided(2)
        assert [row["outcome"] for row in await trader.executions()] == ["filled", "denied"]
        assert len(market.truth()["requests"]) == sent
        (row,) = (await trader.command("drill", "show", "--json")).json
        assert (row["environment"], row["mode"], row["verified_ms"]) == (
            "production",
            "shadow",
            None,
        )
        assert (await trader.command("resume", "--reason", "the drill is over")).status == 0
        await daemon.stop()


def in_process_at_production(one: Rig) -> tuple[Drills, Halt]:
    """The parts of a drill, at a venue that counts as production."""
    halt = Halt(one.switch, one.journal, one.clock, Path(one.config.path))
    halt.withdrawal.knows_earlier_orders = True
    lifecycle = Lifecycle(one.switch)
    lifecycle.enter(DaemonState.RUNNING)

    config = replace(one.config, use_testnet=False)
    drills = Drills(config, lifecycle, halt, one.journal, one.clock, lambda: one.floor, halt.resume)
    return drills, halt


async def test_a_drill_on_production_closes_the_gate_and_sends_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path, timeout_seconds=5) as one:
        await one.decide(price=15_000)
        drills, halt = in_process_at_production(one)
        assert (await drills.announce({"by": "me"}))["environment"] == "production"
        signalled_ns = one.clock.monotonic_ns()
        one.switch.on_signal(signal.SIGUSR1, None)
        sent = len(one.venue.truth()["requests"])
        await halt.act(one.broker)
        figures = await drills.measure({"signalled_ns": signalled_ns, "by": "me"})
        assert (figures["verified_ms"], figures["orders_cancelled"]) == (None, 0)
        assert figures["state"] is DaemonState.HALTED
        assert len(one.venue.truth()["requests"]) == sent
        assert len(await one.broker.get_open_orders()) == 1

        # Somebody kills in the middle of it: that is no drill any more.
        one.switch.on_signal(signal.SIGUSR1, None)
        await halt.act(one.broker)
        assert await one.broker.get_open_orders() == []
        with pytest.raises(NotPermitted, match="somebody else has killed meanwhile"):
            await drills.measure({"signalled_ns": signalled_ns, "by": "me", "resume": True})
        assert one.switch.tripped
