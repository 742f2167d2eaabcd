"""What was lost and ordered before: it halts, it denies, and only a resume lets it be."""

import re
from typing import Any

import pytest

from otonom_trader.testnet import LocalTestnet
from tests.system.conftest import Install
from tests.system.harness import Installation, until
from tests.system.markets import Levels, account, venue, write_book

AT_20000: tuple[Levels, Levels] = ((("20010", "5"),), (("19990", "5"),))
AT_15000: tuple[Levels, Levels] = ((("15010", "5"),), (("14990", "5"),))
REST = {"id": "rests", "symbol": "BTC-USDT", "direction": "BUY", "qty": "0.01", "price": "10000"}


def quoted(**balances: str) -> LocalTestnet:
    """A venue where somebody else keeps the book."""
    maker = account("maker", USDT="10000000", BTC="1000")
    return venue(maker, account(**balances), market="empty")


def limited(**limits: Any) -> dict[str, Any]:
    """A file in which nothing but `limits` is in the way; BTC is traded from the start."""
    section = {"max_expected_slippage_pct": None} | limits
    return {"risk_guardrails": section, "symbols": {"BTC-USD": "BTC-USDT"}}


def trade(number: int, direction: str = "BUY", qty: str = "0.01") -> dict[str, Any]:
    return {"id": f"d{number}", "symbol": "BTC-USDT", "direction": direction, "qty": qty}


async def last_message(trader: Installation) -> str:
    return str((await trader.executions())[-1]["broker_message"])


def own_orders(market: LocalTestnet) -> list[Any]:
    """Orders of ours that work at the venue."""
    orders = market.truth()["orders"]
    return [one for one in orders if one["account"] == "trader" and one["status"] == "NEW"]


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ({"max_drawdown_pct": 10}, "Drawdown 16.7% exceeds max 10.0% (by guardrail)"),
        ({"max_daily_loss_pct": 10}, "Daily loss 16.7% exceeds max 10.0% (by guardrail)"),
    ],
)
async def test_a_loss_that_no_order_is_asked_for_in_halts_and_a_resume_accepts_it(
    install: Install, limit: dict[str, Any], told: str
) -> None:
    async with quoted(USDT="10000", BTC="1") as market:
        write_book(market, *AT_20000)
        trader = install(market.url, broker=limited(**limit))
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(REST)
        await trader.decided(1)
        assert len(own_orders(market)) == 1

        write_book(market, *AT_15000)  # equity falls from 30000 to 25000
        await daemon.in_state("HALTED")
        assert (await trader.status())["kill_reason"] == told
        await until(lambda: not own_orders(market), "no working order of ours")
        await daemon.stop()

        again = await (await trader.start()).in_state("HALTED")
        trader.decide(trade(1))
        await trader.decided(2)
        assert await last_message(trader) == f"RISK REJECTED: Kill switch is active: {told}"

        assert (await trader.command("resume", "--reason", "it will come back")).status == 0
        await again.in_state("RUNNING")
        trader.decide(trade(2))
        await trader.decided(3)
        await again.logged("heartbeat", state="RUNNING")
        assert (await trader.status())["state"] == "RUNNING"
        assert (await trader.executions())[-1]["outcome"] == "filled"
        assert len(trader.logged("kill.tripped")) == 2, "once by each run"
        await again.stop()


async def test_a_loss_is_accepted_where_no_daemon_runs_too(install: Install) -> None:
    async with quoted(USDT="10000", BTC="1") as market:
        write_book(market, *AT_20000)
        trader = install(market.url, broker=limited(max_drawdown_pct=10))
        daemon = await (await trader.start()).in_state("RUNNING")
        await daemon.logged("heartbeat", equity="30000")
        await daemon.stop()

        write_book(market, *AT_15000)  # while nobody looks
        daemon = await (await trader.start()).in_state("HALTED")
        await daemon.stop()
        assert (await trader.command("resume", "--reason", "seen")).status == 0
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(trade(1))
        await trader.decided(1)
        assert (await trader.executions())[-1]["outcome"] == "filled"
        await daemon.stop()


async def test_a_restart_forgets_no_order_of_the_day(install: Install) -> None:
    async with quoted(USDT="10000", BTC="1") as market:
        write_book(market, *AT_20000)
        trader = install(
            market.url, broker=limited(max_orders_per_day=2, min_seconds_between_orders=3600)
        )
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(trade(1))
        await trader.decided(1)
        counted = await counts(trader)
        assert counted == {"orders_last_minute": 1, "orders_today": 1, "notional_today": "200.1"}
        shown = (await trader.command("status")).out
        assert re.search(r"^ orders today +1 of 2 *$", shown, re.MULTILINE), shown
        await daemon.kill_9()

        daemon = await (await trader.start()).in_state("RUNNING")
        assert await counts(trader) == counted
        trader.decide(trade(2))
        await trader.decided(2)
        assert "Last order of BTC-USDT was" in await last_message(trader)
        await daemon.stop()

        trader.write_config(limited(max_orders_per_day=1))
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(trade(3))
        await trader.decided(3)
        assert await last_message(trader) == "RISK REJECTED: Orders per day 2 exceeds max 1"
        assert [one["account"] for one in market.truth()["fills"]].count("trader") == 1
        await daemon.stop()


@pytest.mark.parametrize("mode", ["live", "shadow"])
async def test_what_rests_over_a_restart_gives_back_what_it_did_not_get(
    install: Install, mode: str
) -> None:
    async with quoted(USDT="10000", BTC="1") as market:
        write_book(market, *AT_20000)
        trader = install(market.url, mode=mode, broker=limited())
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(trade(1), REST)
        await trader.decided(2)
        assert await counts(trader) == {
            "orders_last_minute": 2,
            "orders_today": 2,
            "notional_today": "300.1",
        }
        await daemon.kill_9()

        daemon = await (await trader.start()).in_state("RUNNING")
        assert (await counts(trader))["notional_today"] == "300.1"
        assert (await trader.command("kill", "--reason", "take it back")).status == 0
        await until(lambda: counts_money(trader, "200.1"), "what has filled")
        await daemon.stop()
        daemon = await (await trader.start()).in_state("HALTED")
        await until(lambda: counts_money(trader, "200.1"), "what has filled, as the journal knows")
        assert (await counts(trader))["orders_today"] == 2
        await daemon.stop()


async def counts_money(trader: Installation, notional: str) -> bool:
    activity = (await trader.status()).get("activity")
    return activity is not None and activity["notional_today"] == notional


async def counts(trader: Installation) -> dict[str, Any]:
    """What the daemon says it counts of orders."""
    activity = (await trader.status())["activity"]
    return {
        name: activity[name] for name in ("orders_last_minute", "orders_today", "notional_today")
    }


@pytest.mark.parametrize("mode", ["live", "shadow"])
async def test_losses_in_a_row_end_it_until_a_person_has_looked(
    install: Install, mode: str
) -> None:
    async with quoted(USDT="10000") as market:
        write_book(market, *AT_20000)
        trader = install(market.url, mode=mode, broker=limited(max_consecutive_losses=2))
        daemon = await (await trader.start()).in_state("RUNNING")
        for number, direction in enumerate(("BUY", "SELL", "BUY", "SELL")):
            trader.decide(trade(number, direction))  # sold at 19990 what cost 20010
            await trader.decided(number + 1)
            assert (await trader.executions())[-1]["outcome"] == "filled"
        await daemon.kill_9()

        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(trade(5))
        await trader.decided(5)
        assert await last_message(trader) == "RISK REJECTED: Consecutive losses 2 reached max 2"

        assert (await trader.command("resume", "--reason", "looked at it")).status == 0
        await until(lambda: running(trader), "RUNNING")
        trader.decide(trade(6))
        await trader.decided(6)
        assert (await trader.executions())[-1]["outcome"] == "filled"
        await daemon.stop()


async def running(trader: Installation) -> bool:
    return (await trader.status()).get("state") == "RUNNING"
