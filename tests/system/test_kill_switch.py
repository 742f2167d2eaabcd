"""The kill switch of a running daemon: every door, how fast it shuts, and how it opens again."""

import asyncio
import json
import signal
import sys

from otonom_trader.daemon.kill import DOUBT, write_latch
from otonom_trader.storage.journal import Journal
from otonom_trader.testnet import LocalTestnet
from tests.system import checks
from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.harness import CLOCK, Installation, epoch_ms, until
from tests.system.markets import account, venue
from tests.system.scenarios import (
    ORDER,
    killed_9_after_the_signal,
    latched_at_ms,
    signalled_in_the_middle,
    tripped_while_an_order_waits_for_a_connection,
)

CANCEL = {"path": "/api/v3/order", "method": "DELETE"}


async def test_an_order_that_waits_for_a_connection_does_not_leave_after_the_signal(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(
            market.url,
            broker={"broker": {"binance": {"timeout_seconds": 3}}},
            daemon={"max_concurrent_decisions": 100},
        )
        await tripped_while_an_order_waits_for_a_connection(trader, market)


async def test_nothing_is_sent_after_a_signal_in_the_middle_and_a_restart_stays_halted(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        await signalled_in_the_middle(trader, market, daemon)
        await daemon.stop()
        accepted = len(market.truth()["orders"])
        checks.journal_equals_truth(
            await trader.orders(), await trader.executions(), market.truth()
        )

        again = await (await trader.start()).in_state("HALTED")
        trader.decide(*numbered(5, first=220))
        await trader.decided(225)
        assert len(market.truth()["orders"]) == accepted
        status = (await trader.command("status", "--json")).json
        assert (status["state"], status["kill_switch"]) == ("HALTED", True)
        assert (await trader.command("status", "--check")).status == 1

        resumed = await trader.command("resume", "--reason", "the test is over")
        assert resumed.out == "resumed: RUNNING\n"
        await trades(trader, market, decision=225)
        await again.stop()


async def test_a_kill_9_after_the_latch_loses_nothing_of_it(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        again = await killed_9_after_the_signal(trader)
        await again.kill_9()
        stopped = (await trader.command("status", "--json")).json
        assert (stopped["state"], stopped["kill_switch"]) == ("STOPPED", True)
        again = await (await trader.start()).in_state("HALTED")
        assert (await trader.status())["kill_reason"] == "signal (by SIGUSR1)"
        await again.stop()

        # Where no daemon runs, the files are resumed.
        assert (await trader.command("resume", "--reason", "looked at")).status == 0
        await (await (await trader.start()).in_state("RUNNING")).stop()


async def test_a_signal_while_the_daemon_starts_halts_it(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await trader.start()
        await until(lambda: daemon.catches(signal.SIGUSR1), "the handler of the signal")
        daemon.send(signal.SIGUSR1)
        await daemon.in_state("HALTED")
        assert daemon.events("state.changed")[-1]["state"] == "HALTED"
        await daemon.stop()


async def test_kill_switch_true_saved_in_the_file_halts_within_a_second(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        await trades(trader, market, decision=0)

        saved_ms = epoch_ms(CLOCK.now().isoformat())
        # A file that would be refused at a start trips all the same.
        trader.write_config({"risk_guardrails": {"kill_switch": True, "no_such_key": 1}})
        assert await latched_at_ms(trader) <= saved_ms + 1000
        await refuses(trader, market, decision=1)

        trader.write_config({"risk_guardrails": {"kill_switch": True}})
        refused = await trader.command("resume", "--reason", "too early")
        assert refused.status == 77
        assert "kill_switch is true in" in refused.err

        trader.write_config()
        assert (await trader.status())["state"] == "HALTED", "false in the file clears nothing"
        assert (await trader.command("resume", "--reason", "file mended")).status == 0
        await trades(trader, market, decision=2)
        await daemon.stop()


async def test_set_kill_switch_in_another_process_halts_the_daemon(install: Install) -> None:
    program = (
        "import asyncio, sys\n"
        "from otonom_trader.daemon import set_kill_switch\n"
        "asyncio.run(set_kill_switch(True, 'drawdown', state_dir=sys.argv[1]))\n"
    )
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(trader.state_dir)
        )
        assert await other.wait() == 0
        status = await trader.status()
        assert (status["state"], status["kill_reason"]) == (
            "HALTED",
            "drawdown (by set_kill_switch)",
        )
        await refuses(trader, market, decision=0)
        await daemon.stop()


async def test_the_command_halts_and_cancels_what_rests_at_the_venue(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1, price="30000"))
        await until(lambda: market.truth()["orders"], "a resting order")

        killed = await trader.command("kill", "--reason", "fat finger")
        assert killed.status == 0
        assert f"daemon {daemon.pid} is HALTED" in killed.out
        await daemon.logged("kill.verified")
        assert [order["status"] for order in market.truth()["orders"]] == ["CANCELED"]
        await until(lambda: outcomes(trader, ["cancelled"]), "the cancel on record")
        await daemon.stop()
        checks.journal_equals_truth(
            await trader.orders(), await trader.executions(), market.truth()
        )


async def test_once_under_the_latch_cancels_what_rests_and_says_that_it_is_halted(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1, price="30000"))
        await until(lambda: outcomes(trader, ["resting"]), "a resting order")
        await daemon.kill_9()
        assert (await trader.command("kill", "--reason", "fat finger")).status == 0

        trader.decide(*numbered(1, first=1))
        once = await trader.command("once")
        assert once.status == 77
        assert "halted: fat finger (by otonom-trader kill); otonom-trader resume" in once.err
        assert [order["status"] for order in market.truth()["orders"]] == ["CANCELED"]
        events = [json.loads(line)["event"] for line in once.out.splitlines()]
        assert [name for name in events if name.startswith("kill.")] == [
            "kill.tripped",
            "kill.cancelled",
            "kill.verified",
        ]
        assert "drain.orders_left" not in events
        assert await outcomes(trader, ["cancelled", "denied"])
        checks.journal_equals_truth(
            await trader.orders(), await trader.executions(), market.truth()
        )


async def test_the_command_latches_where_no_daemon_runs_and_makes_no_directory(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        nothing = await trader.command("kill")
        assert nothing.status == 1
        assert not trader.state_dir.exists()

        trader.state_dir.mkdir()
        assert (await trader.command("kill")).status == 0
        daemon = await (await trader.start()).in_state("HALTED")
        await daemon.stop()


async def test_many_orders_are_cancelled_side_by_side_and_seen_to_be_gone(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000", BTC="1")) as market:
        trader = install(market.url, daemon={"max_concurrent_decisions": 20})
        daemon = await (await trader.start()).in_state("RUNNING")
        pair = {"order_type": "OCO", "price": "90000", "stop_price": "30000"}
        trader.decide(*numbered(40, price="30000"), *numbered(2, "SELL", first=40, **pair))
        await until(lambda: outcomes(trader, ["resting"] * 42), "resting orders")
        market.faults.add({**CANCEL, "fault": "delay_after", "ms": 1000, "seconds": 600})

        assert (await trader.command("kill", "--reason", "fat finger")).status == 0
        await daemon.logged("kill.verified")
        requests = market.truth()["requests"]
        arrived_ms = [one["time"] for one in requests if one["method"] == "DELETE"]
        at_once = sum(each < arrived_ms[0] + 1000 for each in arrived_ms)
        assert at_once > 8, "cancels wait for each other"
        assert {order["status"] for order in market.truth()["orders"]} == {"CANCELED"}
        status = await trader.status()
        assert (status["kill_orders_left"], status["kill_verified"]) == (0, True)
        await until(lambda: outcomes(trader, ["cancelled"] * 42), "the cancels on record")
        await trader.command("resume", "--reason", "the test is over")
        assert "kill_verified" not in await trader.status()
        await daemon.stop()


async def test_what_still_works_at_the_deadline_is_told_once_and_cancelled_on(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url, daemon={"kill": {"cancel_deadline_seconds": 0.5}})
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(2, price="30000"))
        await until(lambda: outcomes(trader, ["resting"] * 2), "resting orders")
        market.faults.add({**CANCEL, "fault": "http_503", "executed": False, "seconds": 600})
        await trader.command("kill", "--reason", "fat finger")
        told = await daemon.logged("kill.orders_left")
        assert (told["after_seconds"], told["working_orders"]) == (0.5, 2)
        ids = {row["client_order_id"] for row in await trader.orders()}
        assert set(told["client_order_ids"]) == ids
        status = await trader.status()
        assert (status["kill_orders_left"], status["kill_verified"]) == (2, False)

        market.faults.end_all()
        await daemon.logged("kill.verified")
        assert {order["status"] for order in market.truth()["orders"]} == {"CANCELED"}
        assert len(daemon.events("kill.orders_left")) == 1
        await daemon.stop()


async def test_an_order_that_was_on_its_way_is_waited_for_and_cancelled_too(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        market.faults.add(ORDER | {"fault": "delay_before", "ms": 1500, "count": 1})
        trader.decide(*numbered(1, price="30000"))
        await until(lambda: pending(trader), "the order on its way")
        daemon.send(signal.SIGUSR1)
        await daemon.logged("kill.tripped")
        assert (await trader.status())["kill_verified"] is False
        await daemon.logged("kill.verified")
        assert [order["status"] for order in market.truth()["orders"]] == ["CANCELED"]
        await daemon.stop()


async def test_a_kill_on_top_of_a_contradiction_cancels_what_that_left_working(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1, price="30000"))
        await until(lambda: outcomes(trader, ["resting"]), "a resting order")
        await daemon.kill_9()
        write_latch(trader.state_dir, "the venue does not know order 1", DOUBT)
        daemon = await (await trader.start()).in_state("HALTED")
        await daemon.logged("stream.connected")
        assert [order["status"] for order in market.truth()["orders"]] == ["NEW"]

        killed = await trader.command("kill", "--reason", "get out")
        assert killed.status == 0
        await daemon.logged("kill.verified")
        assert [order["status"] for order in market.truth()["orders"]] == ["CANCELED"]
        assert [line["reason"] for line in daemon.events("kill.tripped")] == [
            "the venue does not know order 1 (by reconciliation)",
            "get out (by otonom-trader kill)",
        ]
        await daemon.kill_9()

        again = await (await trader.start()).in_state("HALTED")
        await again.logged("kill.verified")
        assert len(again.events("kill.tripped")) == 2
        await again.stop()
    async with Journal(trader.journal_path, clock=CLOCK) as journal:
        assert [event.action for event in await journal.kill_events()] == ["trip", "trip"]


async def trades(trader: Installation, market: LocalTestnet, decision: int) -> None:
    """See that a decision is executed."""
    accepted = len(market.truth()["orders"])
    trader.decide(*numbered(1, first=decision))
    await until(lambda: len(market.truth()["orders"]) == accepted + 1, "an order")


async def refuses(trader: Installation, market: LocalTestnet, decision: int) -> None:
    """See that a decision is denied for the kill switch, and nothing sent."""
    accepted = len(market.truth()["orders"])
    trader.decide(*numbered(1, first=decision))

    async def newest() -> bool:
        rows = await trader.executions()
        return bool(rows) and rows[-1]["decision_id"] == f"d{decision}"

    await until(newest, f"decision d{decision}")
    row = (await trader.executions())[-1]
    assert (row["outcome"], row["broker_code"]) == ("denied", "kill_switch")
    assert row["broker_message"].startswith("RISK REJECTED: Kill switch is active: ")
    assert len(market.truth()["orders"]) == accepted


async def outcomes(trader: Installation, expected: list[str]) -> bool:
    rows = await trader.executions()
    return [row["outcome"] for row in rows] == expected


async def pending(trader: Installation) -> bool:
    return bool((await trader.status())["decisions"].get("pending", 0))
