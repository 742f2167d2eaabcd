"""A configuration saved while the daemon runs: what is tighter applies, all else is refused."""

import asyncio
import json
import signal
import socket
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.harness import CLOCK, Installation, until
from tests.system.markets import account, venue
from tests.system.scenarios import a_looser_limit_is_saved

TIGHT: Mapping[str, Any] = {"risk_guardrails": {"max_notional_per_order": 100}}
LOOSE: Mapping[str, Any] = {"risk_guardrails": {"max_notional_per_order": 50000}}


async def test_a_tighter_limit_that_is_saved_applies_at_once_and_is_on_record(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        before = await trader.status()
        trader.decide(*numbered(1))
        await trader.decided(1)

        trader.write_config(TIGHT)
        told = await daemon.logged("config.reloaded")
        asked = await trader.command("config", "reload")
        assert asked.out == f"configuration {told['configuration']} is in force as before\n"
        assert told["changes"] == ["risk_guardrails.max_notional_per_order: 20000 to 100"]
        trader.decide(*numbered(1, first=1))
        await trader.decided(2)
        rows = await trader.executions()
        assert [row["broker_code"] for row in rows] == [None, "max_notional_per_order"]

        status = await trader.status()
        assert status["configuration"] == told["configuration"] != before["configuration"]
        assert status["configuration_since"] > before["configuration_since"]
        assert status["configuration_refused"] is None
        await daemon.stop()
        first, second = configurations(trader)
        assert (first[0][:12], second[0][:12]) == (before["configuration"], told["configuration"])
        assert json.loads(second[1]) == [
            {"key": "risk_guardrails.max_notional_per_order", "old": "20000", "new": "100"}
        ]
        assert configurations_of_decisions(trader) == [1, 2]


async def test_a_looser_limit_is_refused_until_a_restart(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, broker=TIGHT)
        daemon = await a_looser_limit_is_saved(trader, market)
        refused = await daemon.logged("config.refused")
        assert refused["reason"].endswith(
            "risk_guardrails.max_notional_per_order: 100 to 50000: that loosens a limit; "
            "restart the daemon to apply the file"
        )
        assert (await trader.status())["configuration_refused"] == refused["reason"]
        asked = await trader.command("config", "reload")
        assert (asked.status, asked.out) == (78, "")
        assert asked.err == f"configuration refused: {refused['reason']}\n"
        await daemon.stop()

        again = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1, first=1))
        await until(lambda: market.truth()["orders"], "an order, the limit being looser now")
        await again.stop()
        assert json.loads(configurations(trader)[-1][1]) == [
            {"key": "risk_guardrails.max_notional_per_order", "old": "100", "new": "50000"}
        ]


async def test_what_is_tighter_is_refused_together_with_what_needs_a_restart(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.write_config({**TIGHT, "broker": {"mode": "shadow", "binance": {"api_secret": "x"}}})
        await daemon.logged("config.refused")
        mode, secret = [line["reason"] for line in daemon.events("config.refused")]
        assert "broker.yaml:3: broker.mode: live to shadow: that is not changed while" in mode
        assert secret.startswith("broker.binance.api_secret is another one: ")
        trader.decide(*numbered(1))
        await until(lambda: market.truth()["orders"], "an order as before")
        await daemon.stop()
        assert len(configurations(trader)) == 1


async def test_the_command_says_what_it_has_changed_and_that_it_needs_a_daemon(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url)
        alone = await trader.command("config", "reload")
        assert alone.status == 1
        assert "no daemon answers at" in alone.err
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.write_config(TIGHT)
        asked = await trader.command("config", "reload")
        in_force = (await trader.status())["configuration"]
        told = asked.out.splitlines()
        assert told[-1].startswith(f"configuration {in_force} is in force")
        # Unless the watch was quicker than the command.
        assert told[:-1] in ([], ["risk_guardrails.max_notional_per_order: 20000 to 100"])
        await daemon.stop()


async def test_a_signal_has_the_files_read_and_an_invalid_one_changes_nothing(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url)
        daemon = await trader.start()
        await until(lambda: daemon.catches(signal.SIGUSR1), "the first handler")
        daemon.send(signal.SIGHUP)  # before it is up: it does not end it
        await daemon.in_state("RUNNING")
        daemon.send(signal.SIGHUP)
        await daemon.logged("config.unchanged")

        trader.write_config({"risk_guardrails": {"max_notional_per_order": 10, "no_such_key": 1}})
        daemon.send(signal.SIGHUP)
        refused = await daemon.logged("config.refused")
        assert "risk_guardrails.no_such_key" in refused["reason"]
        trader.decide(*numbered(1))
        await until(lambda: market.truth()["orders"], "an order as before")

        trader.write_config()
        daemon.send(signal.SIGHUP)

        async def mended() -> bool:
            return (await trader.status())["configuration_refused"] is None

        await until(mended, "a configuration that is as before")
        await daemon.stop()


async def test_systemd_is_told_that_the_files_are_read_and_when_that_is_done(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        async with venue(account(USDT="1000000")) as market:
            daemon = await (await install(market.url).start()).in_state("RUNNING")
            told_before = received(manager)
            before_us = CLOCK.monotonic_ns() // 1000
            daemon.send(signal.SIGHUP)
            await daemon.logged("config.unchanged")
            told: list[str] = []

            def ready_again() -> bool:
                told.extend(received(manager))
                return "READY=1" in told

            await until(ready_again, "READY=1")
            await daemon.stop()
    assert "READY=1" in told_before
    reloading, ready = told[:2]
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert before_us <= int(reloading.rpartition("=")[2]) <= CLOCK.monotonic_ns() // 1000
    assert ready == "READY=1"


async def test_a_switch_that_was_on_from_the_start_is_off_once_saved_and_resumed(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url)
        trader.write_config({"risk_guardrails": {"kill_switch": True}})
        daemon = await (await trader.start()).in_state("HALTED")
        trader.write_config()
        assert (await trader.command("resume", "--reason", "the file is mended")).status == 0
        trader.decide(*numbered(1))
        await until(lambda: market.truth()["orders"], "an order")
        await daemon.stop()


async def test_what_the_environment_overrides_stays_as_it_was_at_the_start(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTONOM_TRADER__RISK_GUARDRAILS__MAX_NOTIONAL_PER_ORDER", "300")
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.write_config(TIGHT)  # below what the variable says, which goes on saying it
        daemon.send(signal.SIGHUP)
        await daemon.logged("config.unchanged")
        await daemon.stop()


async def test_a_tighter_limit_saved_among_decisions_is_never_passed_by_a_later_one(
    install: Install,
) -> None:
    async with venue(account(USDT="10000000")) as market:
        trader = install(market.url, daemon={"max_concurrent_decisions": 50})
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(300))
        await until(lambda: len(market.truth()["orders"]) >= 30, "30 orders")
        trader.write_config(TIGHT)
        await asyncio.gather(daemon.logged("config.reloaded"), trader.decided(300))
        await daemon.stop()
        outcomes = {row["decision_id"]: row["broker_code"] for row in await trader.executions()}
        for decision, configuration in claimed_under(trader).items():
            denied = outcomes[decision] == "max_notional_per_order"
            assert denied is (configuration == 2), f"{decision} under configuration {configuration}"


def received(manager: socket.socket) -> list[str]:
    """What was told since it was asked last."""
    told = []
    with suppress(BlockingIOError):
        while True:
            told.append(manager.recv(1000).decode())
    return told


def configurations(trader: Installation) -> list[tuple[str, str]]:
    """The configurations on record, hash and diff, oldest first."""
    return journal_rows(trader, "SELECT hash, diff FROM configurations ORDER BY seq")


def configurations_of_decisions(trader: Installation) -> list[int]:
    rows = journal_rows(trader, "SELECT configuration FROM decisions ORDER BY seq")
    return [number for (number,) in rows]


def claimed_under(trader: Installation) -> dict[str, int]:
    """The number of the configuration that each decision was judged under."""
    return dict(journal_rows(trader, "SELECT id, configuration FROM decisions"))


def journal_rows(trader: Installation, question: str) -> list[Any]:
    connection = sqlite3.connect(trader.journal_path)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()
