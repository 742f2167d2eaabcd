"""`otonom-trader panic`: halted and cancelled without the daemon, whatever is broken."""

import asyncio
import json
import os
import signal
import sqlite3
from contextlib import closing
from typing import Any

import aiohttp

from otonom_trader.daemon.kill import LATCH
from otonom_trader.testnet import AccountConfig, LocalTestnet
from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.harness import TRADER, DaemonProcess, Finished, Installation, until
from tests.system.markets import venue
from tests.system.scenarios import orders_sent
from tests.system.test_kill_switch import CANCEL, outcomes

NOWHERE = "http://127.0.0.1:9"


async def rests(trader: Installation, *more: dict[str, object]) -> DaemonProcess:
    """Start a daemon of which two orders rest, and what `more` decides."""
    daemon = await (await trader.start()).in_state("RUNNING")
    trader.decide(*numbered(2, price="30000"), *more)
    await until(lambda: outcomes(trader, ["resting"] * (2 + len(more))), "resting orders")
    return daemon


async def by_hand(market: LocalTestnet) -> None:
    """Somebody else's program places an order on the account."""
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    wanted = order | {"quantity": "1", "price": "20000", "account": "trader"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{market.url}/testnet/orders", json=wanted) as reply,
    ):
        assert reply.status == 200, await reply.text()


def latched(trader: Installation) -> list[str]:
    """By what doors the latch was set."""
    latch = trader.state_dir / LATCH
    return [json.loads(line)["by"] for line in latch.read_text().splitlines()]


def long_ago(trader: Installation) -> None:
    """Have the journal as one that nothing was written to for an hour."""
    for path in trader.state_dir.glob("journal.db*"):
        written = path.stat().st_mtime - 3600
        os.utime(path, (written, written))


def working(market: LocalTestnet) -> int:
    return sum(order["status"] == "NEW" for order in market.truth()["orders"])


async def test_beside_a_daemon_that_answers_it_cancels_and_waits_for_nothing(
    install: Install,
) -> None:
    pair = {"order_type": "OCO", "price": "90000", "stop_price": "30000"}
    async with venue() as market:
        trader = install(market.url)
        daemon = await rests(trader, *numbered(1, "SELL", first=2, **pair))
        done = await trader.command("panic", "--reason", "the market is mad")
        assert done.status == 0, done
        assert (working(market), done.err) == (0, "")
        assert f"daemon {daemon.pid} is HALTED" in done.out
        assert f"verified: no order of the daemon's works at {market.url}" in done.out
        assert latched(trader) == ["otonom-trader panic"]
        assert (await trader.status())["kill_reason"] == (
            "the market is mad (by otonom-trader panic)"
        )
        await until(lambda: outcomes(trader, ["cancelled"] * 3), "the cancels on record")
        await daemon.stop()


async def test_beside_a_daemon_that_hangs_it_cancels_and_says_how_to_end_that(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await rests(trader)
        market.faults.add({**CANCEL, "fault": "http_503", "executed": False, "count": 1})
        daemon.send(signal.SIGSTOP)
        done = await trader.command("panic")
        assert (done.status, working(market)) == (1, 0)
        assert "turn up for another" in done.out
        assert f"verified: no order of the daemon's works at {market.url}" in done.out
        assert f"stop it with 'kill -9 {daemon.pid}'" in done.err
        daemon.send(signal.SIGCONT)
        await daemon.in_state("HALTED")
        await daemon.stop()


async def test_without_a_daemon_and_with_a_damaged_journal_it_cancels(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await rests(trader)
        await daemon.kill_9()
        trader.journal_path.write_bytes(b"no database")
        long_ago(trader)
        done = await trader.command("panic")
        assert (done.status, done.err, working(market)) == (0, "", 0)
        assert "turn up" not in done.out, "nothing was written, so nothing has left"
        assert done.out.splitlines()[-1] == (
            "trading stays halted until: otonom-trader resume --reason TEXT"
        )


async def test_beside_a_journal_that_another_process_holds_it_cancels(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await rests(trader)
        await daemon.kill_9()
        with closing(sqlite3.connect(trader.journal_path, isolation_level=None)) as holder:
            holder.execute("PRAGMA locking_mode = EXCLUSIVE")
            holder.execute("BEGIN EXCLUSIVE")
            long_ago(trader)
            done = await trader.command("panic")
            assert (done.status, working(market)) == (0, 0)
        again = await (await trader.start()).in_state("HALTED")
        await again.stop()


async def test_an_order_that_was_on_its_way_when_the_daemon_died_is_waited_for(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        market.faults.add(
            {"path": "/api/v3/order", "method": "POST", "fault": "delay_before"}
            | {"ms": 1900, "count": 1}
        )
        trader.decide(*numbered(1, price="30000"))
        await until(lambda: orders_sent(market), "the order on its way")
        await daemon.kill_9()
        assert market.truth()["orders"] == []
        done = await trader.command("panic")
        assert done.status == 0
        assert [order["status"] for order in market.truth()["orders"]] == ["CANCELED"]


async def test_on_a_full_disk_it_cancels_and_says_that_nothing_is_latched(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        await (await rests(trader)).kill_9()
        long_ago(trader)
        done = await with_a_full_disk(trader, "panic")
        assert (done.status, working(market)) == (1, 0)
        assert "kill.latch cannot be written (File too large)" in done.err
        assert "start none" in done.err
        assert (trader.state_dir / LATCH).read_bytes() == b""


async def test_without_a_state_directory_it_cancels_all_the_same(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        await by_hand(market)
        done = await trader.command("panic", "--all", "--yes")
        assert (done.status, working(market)) == (1, 0)
        assert "kill.latch cannot be written (No such file or directory)" in done.err
        assert not trader.state_dir.exists()


async def test_the_orders_of_others_are_cancelled_only_where_that_is_agreed_to(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url)
        await (await rests(trader)).kill_9()
        long_ago(trader)
        await by_hand(market)
        asked = await trader.command("panic", "--all")
        assert (asked.status, working(market)) == (77, 1)
        assert "Cancel the orders of others on this account too? [y/N]" in asked.out
        assert "--all needs a yes, or --yes" in asked.err
        agreed = await trader.command("panic", "--all", "--yes")
        assert (agreed.status, working(market)) == (0, 0)
        assert f"verified: no order works at {market.url}" in agreed.out


async def test_a_venue_that_does_not_answer_ends_it_with_69_and_the_latch_set(
    install: Install,
) -> None:
    trader = install(NOWHERE)
    trader.state_dir.mkdir()
    done = await trader.command("panic", "--timeout", "1")
    assert done.status == 69
    assert "orders may work on, cancel them at the venue by hand: the venue cannot" in done.err
    assert latched(trader) == ["otonom-trader panic"]


async def test_cancels_that_the_venue_refuses_end_it_with_1(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        await (await rests(trader)).kill_9()
        market.faults.add({**CANCEL, "fault": "http_503", "executed": False, "seconds": 600})
        done = await trader.command("panic", "--timeout", "2")
        assert (done.status, working(market)) == (1, 2)
        assert "not cancelled: otn-" in done.err


async def test_a_key_that_the_venue_refuses_ends_it_with_77_at_once(install: Install) -> None:
    async with venue(AccountConfig(api_key="trader-key", api_secret="another")) as market:
        trader = install(market.url)
        trader.state_dir.mkdir()
        done = await trader.command("panic")
        assert done.status == 77
        assert "the venue refuses the key: " in done.err


async def test_a_configuration_that_gives_no_key_latches_all_the_same(install: Install) -> None:
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"broker": {"mode": "off"}}, 77, "OTONOM_TRADER__BROKER__MODE=shadow"),
        ({"broker": {"binance": {"api_key": ""}}}, 78, "api_key"),
        ({"broker": {"no_such_key": 1}}, 78, "no_such_key"),
    ]
    for broker, status, said in cases:
        trader = install(NOWHERE)
        trader.state_dir.mkdir()
        trader.write_config(broker)
        done = await trader.command("panic")
        assert done.status == status, done
        assert said in done.err
        assert "halted: the latch " in done.out
        assert latched(trader) == ["otonom-trader panic"]


async def test_the_dummy_broker_has_nothing_to_cancel(install: Install) -> None:
    trader = install(NOWHERE)
    trader.state_dir.mkdir()
    trader.write_config({"broker": {"type": "dummy"}})
    done = await trader.command("panic")
    assert done.status == 0
    assert "the dummy broker has no venue" in done.out


async def with_a_full_disk(trader: Installation, *arguments: str) -> Finished:
    """Run a command that can write no file."""
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *TRADER, *arguments),
        *("--config", str(trader.config_dir), "--state-dir", str(trader.state_dir)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    trader.said += [out.decode(), err.decode()]
    return Finished(process.returncode or 0, out.decode(), err.decode())
