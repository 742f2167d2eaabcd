"""Orders that wait for a person, in the real process: none leaves before, and each once after."""

import asyncio
import json
from datetime import timedelta
from random import Random

import pytest

from otonom_trader.testnet import LocalTestnet
from tests.system import checks
from tests.system.approving import (
    NEEDED,
    agree,
    approve,
    approved_and_killed_over,
    approved_once_the_market_has_doubled,
    restarted_while_one_waits,
    waiting,
)
from tests.system.conftest import Install
from tests.system.decisions import numbered, quantity
from tests.system.harness import CLOCK
from tests.system.markets import account, venue, write_book
from tests.system.scenarios import orders_sent

KILLS = 6
BURST = 8


async def test_in_live_nothing_leaves_before_the_word_and_one_order_after_it(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url, broker=NEEDED)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(2))
        told = await daemon.logged("approval.parked", decision_id="d0")
        assert told["hint"].startswith("otonom-trader approve d0 --source patron")
        await waiting(trader, 2)
        listed = (await trader.command("approvals", "--json")).json
        assert [(row["decision_id"], row["qty"]) for row in listed] == [
            ("d0", quantity(0).rstrip("0")),
            ("d1", quantity(1)),
        ]
        status = (await trader.command("status", "--json")).json
        assert (status["approvals_waiting"], status["decisions"]) == (2, {"waiting": 2})
        assert orders_sent(market) == []

        approved = await trader.command("approve", "d0")
        assert approved.status == 0, approved.err
        assert approved.out.startswith("decision d0 is approved, and filled: order ")
        denied = await trader.command("deny", "d1", "--reason", "fat finger")
        assert denied.out == "decision d1 is denied\n"
        again = await trader.command("approve", "d0")
        assert again.status == 77
        assert "decision 'd0' was approved by " in again.err
        assert [order["origQty"] for order in market.truth()["orders"]] == ["0.00200000"]
        await daemon.stop()
        assert [line["by"] for line in daemon.events("approval.denied")]
        outcomes = [row["outcome"] for row in await trader.executions()]
        assert outcomes == ["filled", "denied"]
        await agree(trader, market)


async def test_in_shadow_it_is_validated_when_it_is_approved(install: Install) -> None:
    def validated(market: LocalTestnet) -> int:
        requests = market.truth()["requests"]
        return sum(request["path"] == "/api/v3/order/test" for request in requests)

    async with venue() as market:
        trader = install(market.url, mode="shadow", broker=NEEDED)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1))
        await waiting(trader, 1)
        assert validated(market) == 0
        approved = await trader.command("approve", "d0")
        assert "is approved, and filled: order test:otn-" in approved.out
        assert validated(market) == 1
        (row,) = await trader.executions()
        assert (row["outcome"], row["paper_status"]) == ("filled", "filled")
        assert orders_sent(market) == []
        await daemon.stop()


async def test_in_off_nobody_is_asked(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url, mode="off", broker=NEEDED)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1))
        await trader.decided(1)
        (row,) = await trader.executions()
        assert (row["outcome"], row["broker_code"]) == ("filled", "require_confirmation_above")
        assert (await trader.ask("approvals"))["rows"] == []
        await daemon.stop()


async def test_a_restart_keeps_them_and_without_a_daemon_they_can_only_be_denied(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url, broker=NEEDED)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(3))
        parked = await waiting(trader, 3)
        await daemon.stop()

        assert (await trader.command("approvals", "--json")).json == parked
        refused = await trader.command("approve", "d0")
        assert refused.status == 77
        assert "'d0' is not approved and still waits: the daemon sends" in refused.err
        denied = await trader.command("deny", "d1", "--reason", "looked at")
        assert (denied.status, denied.out) == (0, "decision d1 is denied\n")
        nothing = await trader.command("deny", "d1", "--reason", "once more")
        assert (nothing.status, nothing.out) == (77, "")

        again = await (await trader.start()).in_state("RUNNING")
        assert (await again.logged("approval.waiting"))["count"] == 2
        assert await waiting(trader, 2) == [parked[0], parked[2]]
        assert (await trader.command("approve", "d2")).status == 0
        await again.stop()
        assert [order["origQty"] for order in market.truth()["orders"]] == ["0.00202000"]
        await agree(trader, market)


async def test_they_expire_in_the_running_daemon_and_in_one_that_comes_later(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url, broker=NEEDED, daemon={"approvals": {"timeout_seconds": 3}})
        daemon = await (await trader.start()).in_state("RUNNING")
        soon = (CLOCK.now() + timedelta(seconds=1)).isoformat()
        trader.decide(*numbered(1, expires_at=soon), *numbered(1, first=1))
        await daemon.logged("approval.expired", decision_id="d0")
        await daemon.logged("approval.expired", decision_id="d1")
        trader.decide(*numbered(1, first=2))
        await waiting(trader, 1)
        await daemon.kill_9()

        again = await (await trader.start()).in_state("RUNNING")
        await again.logged("approval.expired", decision_id="d2")
        await again.stop()
        rows = await trader.executions()
        assert {(row["outcome"], row["broker_code"]) for row in rows} == {
            ("expired", "approval_expired")
        }
        assert market.truth()["orders"] == []


async def test_while_halted_they_wait_and_can_be_denied(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url, broker=NEEDED)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(2))
        await waiting(trader, 2)
        assert (await trader.command("kill", "--reason", "drill")).status == 0
        refused = await trader.command("approve", "d0")
        assert refused.status == 77
        assert "'d0' is not approved and still waits: trading is halted: drill" in refused.err
        assert (await trader.command("deny", "d1", "--reason", "no")).status == 0
        assert (await trader.command("resume", "--reason", "over")).status == 0
        await waiting(trader, 1)
        assert (await trader.command("approve", "d0")).status == 0
        await daemon.stop()
        await agree(trader, market)


async def test_many_approvals_at_once_send_each_order_once(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, broker=NEEDED)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(5))
        await waiting(trader, 5)
        answers = await asyncio.gather(*(approve(trader, f"d{n % 5}") for n in range(20)))
        taken = [answer for answer in answers if isinstance(answer, dict)]
        assert sorted(row["decision_id"] for row in taken) == [f"d{n}" for n in range(5)]
        assert all("was approved by " in answer for answer in answers if isinstance(answer, str))
        await daemon.stop()
        assert len(market.truth()["orders"]) == len(orders_sent(market)) == 5
        await agree(trader, market)


async def test_it_is_judged_on_the_market_of_now(install: Install) -> None:
    book = account("maker", USDT="10000000", BTC="1000")
    async with venue(book, account(), market="empty") as market:
        write_book(market, (("20000", "9"),), (("19990", "9"),))
        trader = install(market.url, broker=NEEDED)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide({"id": "d0", "symbol": "BTC-USDT", "direction": "BUY", "qty": "0.5"})
        await waiting(trader, 1)

        write_book(market, (("20500", "9"),), (("20490", "9"),))
        dearer = await trader.command("approve", "d0")
        assert dearer.status == 77
        assert "its notional was $10000 and is $10250 now" in dearer.err
        (row,) = await waiting(trader, 1)
        assert row["notional"] == "10250"
        assert orders_sent(market) == []
        await daemon.stop()


async def test_what_was_parked_in_shadow_is_never_sent_in_live(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url, mode="shadow", broker=NEEDED)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1))
        await waiting(trader, 1)
        await daemon.stop()

        trader.mode = "live"
        trader.write_config()
        daemon = await (await trader.start()).in_state("RUNNING")
        refused = await trader.command("approve", "d0")
        assert refused.status == 77
        assert "still waits: it is for account shadow:127.0.0.1:" in refused.err
        assert (await trader.command("deny", "d0", "--reason", "of another day")).status == 0
        await daemon.stop()
        assert orders_sent(market) == []


async def test_once_parks_and_says_so(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url, broker=NEEDED)
        trader.decide(*numbered(1))
        once = await trader.command("once")
        assert once.status == 0
        events = [json.loads(line)["event"] for line in once.out.splitlines()]
        assert "approval.parked" in events
        daemon = await (await trader.start()).in_state("RUNNING")
        assert (await trader.command("approve", "d0")).status == 0
        await daemon.stop()
        assert len(market.truth()["orders"]) == 1


async def test_what_a_guardrail_has_come_to_deny_is_not_sent_though_it_is_approved(
    install: Install,
) -> None:
    book = account("maker", USDT="10000000", BTC="1000")
    async with venue(book, account(), market="empty") as market:
        trader = install(market.url, broker=NEEDED)
        await approved_once_the_market_has_doubled(trader, market)


async def test_an_approved_order_killed_over_is_found_again_and_not_sent_again(
    install: Install,
) -> None:
    async with venue() as market:
        await approved_and_killed_over(install(market.url, broker=NEEDED), market)


async def test_what_waits_when_it_is_killed_waits_on_and_can_be_approved(install: Install) -> None:
    async with venue() as market:
        await restarted_while_one_waits(install(market.url, broker=NEEDED), market)


@pytest.mark.timeout(180)
async def test_kill_9_at_random_moments_of_approving_executes_nothing_twice_and_loses_nothing(
    install: Install,
) -> None:
    random = Random(20261127)  # noqa: S311  moments of death, not secrets
    async with venue(account(USDT="1000000")) as market:
        binance = {"binance": {"recv_window_ms": 500}}
        trader = install(market.url, broker=NEEDED | {"broker": binance})
        cut_off = 0
        for kill in range(KILLS):
            daemon = await (await trader.start()).in_state("RUNNING")
            trader.decide(*numbered(BURST, first=kill * BURST))
            await daemon.logged("approval.parked", decision_id=f"d{(kill + 1) * BURST - 1}")
            parked = (await trader.ask("approvals"))["rows"]
            asked = asyncio.gather(*(approve(trader, row["decision_id"]) for row in parked))
            await CLOCK.sleep(random.uniform(0.0, 0.12))
            await daemon.kill_9()
            cut_off += sum(isinstance(answer, str) for answer in await asked)
        assert cut_off, "no kill met an approval on its way"

        daemon = await (await trader.start()).in_state("RUNNING")
        for row in (await trader.ask("approvals"))["rows"]:
            await approve(trader, row["decision_id"])
        await trader.decided(KILLS * BURST)
        await daemon.stop()
        executions = await trader.executions()
        ids = [f"d{n}" for n in range(KILLS * BURST)]
        checks.every_decision_has_one_execution(ids, executions)
        # On record when it died, and not yet sent: that is not made up for.
        assert {row["outcome"] for row in executions} <= {"filled", "absent"}
        checks.no_decision_executed_twice(
            market.truth(), [quantity(n) for n in range(KILLS * BURST)]
        )
        await agree(trader, market)
