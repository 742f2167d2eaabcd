"""promises.md, faults 30, 33 and 34: a disk that is full, fails, or has lost what it held."""

import re

from tests.system import checks
from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.disks import (
    fails_from_now_on,
    fill,
    make_room,
    on_a_small_disk,
    spoil,
    takes_no_write,
    takes_writes,
)
from tests.system.harness import Installation, until
from tests.system.markets import venue
from tests.system.scenarios import orders_sent
from tests.system.test_panic import long_ago, rests, with_a_full_disk, working

NOTHING_TO_WRITE = {"schedule": {"account_refresh_seconds": 600}}
FULL = "the journal's disk is full; nothing was written: free some space"


async def test_fault_30_a_full_disk_at_the_intent_sends_nothing_and_halts_over_a_restart(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        with on_a_small_disk(trader):
            daemon = await rests(trader)
            fill(trader)
            trader.decide(*numbered(1, first=2))
            await daemon.logged("journal.failed", reason=FULL)
            await daemon.in_state("HALTED")
            await daemon.logged("kill.verified")
            assert (working(market), len(orders_sent(market))) == (0, 2)
            assert (await trader.status())[
                "kill_reason"
            ] == f"the journal failed: {FULL} (by journal)"
            assert daemon.events("kill.latch_unwritten") == [], "the latch has its room set aside"
            refused = await trader.command("resume", "--reason", "too early")
            assert (refused.status, refused.err) == (1, f"otonom-trader: {FULL}\n")

            await daemon.kill_9()
            again = await trader.start()
            assert await again.ended() == 1
            assert again.log_path.read_text().endswith(f"otonom-trader: {FULL}\n")
            make_room(trader)
            again = await (await trader.start()).in_state("HALTED")
            await trader.decided(3)
            assert (await trader.command("resume", "--reason", "there is room")).status == 0
            trader.decide(*numbered(1, first=3))
            await trader.decided(4)
            await again.stop()
            outcomes = {row["decision_id"]: row["outcome"] for row in await trader.executions()}
            assert outcomes == {
                **dict.fromkeys(("d0", "d1"), "cancelled"),
                "d2": "denied",
                "d3": "filled",
            }
            checks.journal_equals_truth(
                await trader.orders(), await trader.executions(), market.truth()
            )


async def test_fault_30_what_a_full_disk_kept_out_is_denied_on_record_once_there_is_room(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        with on_a_small_disk(trader):
            daemon = await rests(trader)
            fill(trader)
            trader.decide(*numbered(3, first=2))
            await daemon.in_state("HALTED")
            make_room(trader)
            await trader.decided(5)
            assert (await trader.command("resume", "--reason", "there is room")).status == 0
            trader.decide(*numbered(1, first=5))
            await trader.decided(6)
            await daemon.stop()
            outcomes = [row["outcome"] for row in await trader.executions()]
            assert outcomes == ["cancelled"] * 2 + ["denied"] * 3 + ["filled"]
            assert len(orders_sent(market)) == 3


async def test_a_full_disk_keeps_no_kill_from_halting(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url, daemon=NOTHING_TO_WRITE)
        with on_a_small_disk(trader):
            daemon = await rests(trader)
            fill(trader)
            killed = await trader.command("kill", "--reason", "the disk is full")
            assert (killed.status, killed.out) == (0, f"halted: daemon {daemon.pid} is HALTED\n")
            await until(lambda: not working(market), "own orders cancelled")
            assert "the disk is full" in (trader.state_dir / "kill.latch").read_text()


async def test_a_latch_that_cannot_be_written_is_told_and_written_as_soon_as_it_can(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url, daemon=NOTHING_TO_WRITE)
        daemon = await (await trader.start()).in_state("RUNNING")
        await has_written_what_a_start_writes(trader)
        takes_no_write(daemon)
        killed = await with_a_full_disk(trader, "kill", "--reason", "get out")
        assert (killed.status, killed.out) == (1, "")
        assert killed.err.startswith(
            f"otonom-trader: daemon {daemon.pid} is HALTED, but the latch "
        )
        assert "cannot be written (File too large): a daemon that is started now" in killed.err
        status = (await trader.command("status")).out
        assert re.search(r"kill latch unwritten +File too large", status), status
        takes_writes(daemon)
        latch = trader.state_dir / "kill.latch"
        await until(lambda: latch.read_bytes().endswith(b"\n"), "the latch on disk")
        assert "unwritten" not in (await trader.command("status")).out
        await daemon.kill_9()
        await (await trader.start()).in_state("HALTED")


async def has_written_what_a_start_writes(trader: Installation) -> None:
    """Wait until equity is looked at, and until a record is durable that came after that one."""

    async def looked() -> bool:
        return (await trader.status()).get("activity", {}).get("day_start_equity") is not None

    await until(looked, "equity looked at")
    trader.decide({"id": "hold", "symbol": "BTC-USDT", "direction": "HOLD"})
    await trader.decided(1)


async def test_without_a_daemon_a_kill_that_cannot_be_written_halts_nothing(
    install: Install,
) -> None:
    trader = install("http://127.0.0.1:9")
    trader.state_dir.mkdir()
    killed = await with_a_full_disk(trader, "kill")
    assert killed.status == 1
    assert killed.err.startswith("otonom-trader: nothing is halted: the latch ")


async def test_fault_34_a_disk_that_fails_ends_the_daemon_at_once_and_the_next_start_asks(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await rests(trader)
        fails_from_now_on(trader, daemon)
        trader.decide(*numbered(1, first=2))
        assert await daemon.ended() == 1
        (failed,) = daemon.events("journal.failed")
        assert "the journal's disk failed (SQLITE_IOERR_WRITE" in failed["reason"]
        assert len(orders_sent(market)) == 2, "what is not on record was sent"

        again = await (await trader.start()).in_state("RUNNING")
        await trader.decided(3)
        await again.stop()
        assert [row["outcome"] for row in await trader.executions()] == ["resting"] * 2 + ["filled"]
        checks.no_decision_executed_twice(market.truth())
        checks.journal_equals_truth(
            await trader.orders(), await trader.executions(), market.truth()
        )


async def test_fault_33_a_journal_with_a_corrupt_page_is_refused_and_panic_works_without_it(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        await (await rests(trader)).stop()
        spoil(trader.journal_path)
        long_ago(trader)
        again = await trader.start()
        assert await again.ended() == 1
        assert "is damaged (database disk image is malformed)" in again.log_path.read_text()
        assert (await trader.command("panic")).status == 0
        assert working(market) == 0
