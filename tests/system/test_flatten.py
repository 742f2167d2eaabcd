"""Positions closed after a kill: what was bought, all of it, and none of it twice."""

import signal
from decimal import Decimal

import pytest

from otonom_trader.daemon.kill import DOUBT, write_latch
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.storage.journal import Journal
from otonom_trader.testnet import LocalTestnet
from tests.system import checks
from tests.system.conftest import Install
from tests.system.harness import CLOCK, Installation, until
from tests.system.markets import write_book
from tests.system.scenarios import ORDER, OVER_WS, orders_sent
from tests.system.selling_out import (
    DEEP,
    EMPTY,
    LESS_THE_FEE,
    a_sale_is_not_answered,
    bought,
    flat,
    flattening,
    quoted,
    sales,
    sold,
)


async def the_journal_tells_the_truth(trader: Installation, market: LocalTestnet) -> None:
    executions = await trader.executions()
    checks.nothing_left_unknown(executions)
    truth = market.truth()
    own = truth | {
        name: [one for one in truth[name] if one["account"] == "trader"]
        for name in ("orders", "fills")
    }
    checks.no_decision_executed_twice(own, ())
    checks.journal_equals_truth(await trader.orders(), executions, own)


@pytest.mark.parametrize("transport", ["rest", "ws"])
async def test_a_kill_cancels_what_works_and_then_sells_what_was_bought(
    install: Install, transport: str
) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market, binance={"order_transport": transport})
        daemon = await bought(trader, "0.02", "0.03")
        rests = {"id": "rests", "symbol": "BTC-USDT", "direction": "BUY", "qty": "0.01"}
        trader.decide(rests | {"price": "10000"})
        await trader.decided(3)
        assert "kill_flat" not in await trader.status()

        killed = await trader.command("kill", "--reason", "enough")
        assert killed.out.endswith("is HALTED\n")
        await until(lambda: flat(trader), "flat")
        told = [event["event"] for event in daemon.events() if event["event"].startswith("kill.")]
        assert told[-3:] == ["kill.verified", "kill.flattening", "kill.flat"]
        status = await trader.status()
        assert (status["state"], status["kill_positions_left"]) == ("HALTED", {})
        assert sold(market) == Decimal("0.05") * LESS_THE_FEE
        (sale,) = await sales(trader)
        assert (sale["outcome"], sale["qty"], sale["side"]) == ("filled", "0.04995", "SELL")
        (order,) = [one for one in await trader.orders() if one["side"] == "SELL"]
        assert (order["time_in_force"], order["price"]) == ("IOC", "19790.1")

        # It is over: nothing more is sold, and what comes is denied as under any halt.
        trader.decide({"id": "late", "symbol": "BTC-USDT", "direction": "SELL", "qty": "0.01"})
        await trader.decided(5)
        assert sold(market) == Decimal("0.05") * LESS_THE_FEE
        await daemon.stop()
        await the_journal_tells_the_truth(trader, market)


async def test_positions_are_kept_unless_the_file_says_otherwise(install: Install) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market, daemon={"kill": {"flatten_positions": False}})
        daemon = await bought(trader, "0.02")
        daemon.send(signal.SIGUSR1)
        await daemon.logged("kill.verified")
        trader.decide({"id": "late", "symbol": "BTC-USDT", "direction": "SELL", "qty": "0.01"})
        await trader.decided(2)
        assert "kill_flat" not in await trader.status()
        assert sold(market) == 0
        await daemon.stop()


async def test_limits_that_keep_risk_out_do_not_keep_it_in(install: Install) -> None:
    """A loss beyond its limit halts, and must not hold back what ends it."""
    limits = {"max_orders_per_day": 1, "max_daily_loss_pct": 1}
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market, guardrails=limits)
        daemon = await bought(trader, "0.5")
        write_book(market, (("15010", "5"),), (("14990", "5"),))
        await until(lambda: flat(trader), "flat")
        assert sold(market) == Decimal("0.5") * LESS_THE_FEE
        await daemon.stop()
        async with Journal(trader.journal_path, clock=CLOCK) as journal:
            (sale,) = [row for row in await journal.executions(10) if row["source"] == "flatten"]
            verdicts = await journal.verdicts(DecisionKey("flatten", str(sale["decision_id"])))
        denied = {verdict.code for verdict in verdicts if not verdict.allowed}
        assert denied == {"kill_switch", "max_orders_per_day", "max_daily_loss_pct"}


async def test_what_a_thin_book_does_not_take_is_told_and_sold_when_it_does(
    install: Install,
) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market)
        daemon = await bought(trader, "0.05")
        write_book(market, *EMPTY)
        daemon.send(signal.SIGUSR1)
        left = await daemon.logged("kill.positions_left")
        assert left["positions"] == {"BTC-USDT": "0.03995"}
        assert sold(market) == Decimal("0.01"), "an empty book is not followed down"
        assert (await trader.status())["kill_flat"] is False
        write_book(market, *DEEP)
        await until(lambda: flat(trader), "flat")
        assert sold(market) == Decimal("0.05") * LESS_THE_FEE
        await daemon.stop()
        await the_journal_tells_the_truth(trader, market)


@pytest.mark.parametrize(
    ("fault", "first"),
    [("drop_after", "filled"), ("http_503", "filled"), ("drop_before", "absent")],
)
async def test_a_sale_of_unknown_outcome_is_asked_for_and_never_sold_again(
    install: Install, fault: str, first: str
) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market)
        daemon = await a_sale_is_not_answered(trader, market, fault)
        outcomes = [row["outcome"] for row in await sales(trader)]
        assert outcomes == ([first] if first == "filled" else [first, "filled"])
        await daemon.stop()
        await the_journal_tells_the_truth(trader, market)


async def test_a_daemon_that_died_in_the_middle_of_a_sale_sells_the_rest_and_no_more(
    install: Install,
) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market)
        daemon = await bought(trader, "0.05")
        market.faults.add(ORDER | {"fault": "delay_after", "ms": 5000, "count": 1})
        daemon.send(signal.SIGUSR1)
        await until(lambda: sold(market) > 0, "the sale at the venue")
        await daemon.kill_9()
        again = await (await trader.start()).in_state("HALTED")
        await until(lambda: flat(trader), "flat", seconds=60)
        assert sold(market) == Decimal("0.05") * LESS_THE_FEE
        assert [row["outcome"] for row in await sales(trader)] == ["filled"]
        await again.stop()
        await the_journal_tells_the_truth(trader, market)


async def test_resume_ends_it(install: Install) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market)
        daemon = await bought(trader, "0.05")
        write_book(market, *EMPTY)
        daemon.send(signal.SIGUSR1)
        await daemon.logged("kill.positions_left")
        assert (await trader.command("resume", "--reason", "keep them")).status == 0
        write_book(market, *DEEP)
        sent = len(orders_sent(market))
        trader.decide({"id": "more", "symbol": "BTC-USDT", "direction": "BUY", "qty": "0.01"})
        await until(lambda: len(orders_sent(market)) > sent, "an order after the resume")
        await daemon.logged("heartbeat", state="RUNNING")
        assert sold(market) == Decimal("0.01")
        await daemon.stop()


async def test_a_doubt_about_the_truth_sells_nothing_nor_does_a_drill(install: Install) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market)
        daemon = await bought(trader, "0.05")
        assert (await trader.command("drill", "halt")).status == 0
        await daemon.in_state("RUNNING")
        daemon.send(signal.SIGUSR1)
        await until(lambda: flat(trader), "flat")
        assert sold(market) == Decimal("0.05") * LESS_THE_FEE, "by the kill"
        assert (await trader.command("resume", "--reason", "go on")).status == 0

        trader.decide({"id": "again", "symbol": "BTC-USDT", "direction": "BUY", "qty": "0.02"})
        await trader.decided(3)
        await daemon.stop()
        write_latch(trader.state_dir, "a fill of nobody's", DOUBT)
        write_latch(trader.state_dir, "stop", "otonom-trader kill")
        again = await (await trader.start()).in_state("HALTED")
        await again.logged("kill.verified")
        await again.logged("heartbeat")
        assert "kill_flat" not in await trader.status()
        assert sold(market) == Decimal("0.05") * LESS_THE_FEE
        await again.stop()


async def test_over_the_websocket_api_no_other_order_leaves_meanwhile(install: Install) -> None:
    """The gate of trading stays shut while sales leave by another."""
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market, binance={"order_transport": "ws"})
        daemon = await bought(trader, "0.05")
        market.faults.add(OVER_WS | {"fault": "delay_before", "ms": 10, "seconds": 60})
        daemon.send(signal.SIGUSR1)
        trader.decide(
            *(
                {"id": f"late-{number}", "symbol": "BTC-USDT", "direction": way, "qty": "0.01"}
                for number in range(20)
                for way in ("BUY", "SELL")[number % 2 :][:1]
            )
        )
        await until(lambda: flat(trader), "flat")
        await trader.decided(22)
        late = [row for row in await trader.executions() if row["decision_id"].startswith("late")]
        assert {row["outcome"] for row in late} == {"denied"}
        assert sold(market) == Decimal("0.05") * LESS_THE_FEE
        assert len(orders_sent(market)) == 2
        await daemon.stop()
