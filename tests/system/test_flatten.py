"""Positions closed after a kill: what was bought, all of it, and none of it twice."""

import signal
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from otonom_trader.daemon.kill import DOUBT, write_latch
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.storage.journal import Journal
from otonom_trader.testnet import LocalTestnet
from otonom_trader.testnet.amounts import parse_amount
from otonom_trader.testnet.orders import NewOrder, OrderType, Side
from tests.system import checks
from tests.system.conftest import Install
from tests.system.harness import CLOCK, Installation, epoch_ms, until
from tests.system.markets import account, venue, write_book
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


async def test_once_sells_too_and_says_what_it_could_not(install: Install) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market, daemon={"drain_timeout_seconds": 2})
        daemon = await bought(trader, "0.05")
        await daemon.stop()
        write_latch(trader.state_dir, "stop", "otonom-trader kill")
        write_book(market, *EMPTY)
        once = await trader.command("once")
        assert once.status == 77
        assert "kill.positions_left" in once.out
        assert sold(market) == Decimal("0.01")

        write_book(market, *DEEP)
        once = await trader.command("once")
        assert once.status == 77
        assert "kill.flat" in once.out
        assert sold(market) == Decimal("0.05") * LESS_THE_FEE
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


async def test_a_resume_in_the_middle_of_a_sale_trades_on(install: Install) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market)
        daemon = await bought(trader, "0.05")
        slow = {"path": "/api/v3/depth", "method": "GET", "fault": "delay_before", "ms": 700}
        market.faults.add(slow | {"seconds": 60})
        daemon.send(signal.SIGUSR1)
        await daemon.logged("kill.flattening")
        assert (await trader.command("resume", "--reason", "keep them")).out == "resumed: RUNNING\n"
        market.faults.end_all()
        trader.decide({"id": "more", "symbol": "BTC-USDT", "direction": "BUY", "qty": "0.01"})
        await until(lambda: bought_since(trader), "an order after the resume")
        assert sold(market) in (0, Decimal("0.05") * LESS_THE_FEE)
        await daemon.stop()
        await the_journal_tells_the_truth(trader, market)


async def bought_since(trader: Installation) -> bool:
    rows = {row["decision_id"]: row["outcome"] for row in await trader.executions()}
    return rows.get("more") == "filled"


async def test_what_cannot_be_sold_is_told_and_keeps_nothing_else_from_being_sold(
    install: Install,
) -> None:
    maker = account("maker", USDT="10000000", BTC="1000")
    held = account(USDT="100000", BTC="1", LUNA="7", ETH="3")
    async with venue(maker, held, market="empty") as market:
        write_book(market, *DEEP)
        trader = flattening(install, market)
        daemon = await bought(trader, "0.05")
        await daemon.stop()
        with closing(sqlite3.connect(trader.journal_path)) as journal, journal:
            journal.executemany(
                "INSERT INTO costs SELECT seq, ?, ?, '1', '0' FROM accounts",
                [("LUNA-USDT", "7"), ("ETH-USDT", "3"), ("USDT-BTC", "500")],
            )
        # LUNA is not listed any more; ETH is to trade as something else now.
        trader.write_config({"symbols": {"BTC-USD": "BTC-USDT", "ETH-USDT": "BTC-USDT"}})
        again = await (await trader.start()).in_state("RUNNING")
        again.send(signal.SIGUSR1)
        left = await again.logged("kill.positions_left")
        assert left["positions"] == {"LUNA-USDT": "7", "ETH-USDT": "3"}
        assert "LUNA" in left["waits_for"]["LUNA-USDT"]
        assert "trade as BTC-USDT: sell it by hand" in left["waits_for"]["ETH-USDT"]
        assert (await trader.status())["kill_flat"] is False
        assert sold(market) == Decimal("0.05") * LESS_THE_FEE
        await again.stop()


async def test_what_orders_of_the_owner_hold_is_left_and_is_not_flat(install: Install) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        kill = {"flatten_positions": True, "cancel_deadline_seconds": 6}
        trader = flattening(install, market, daemon={"kill": kill})
        daemon = await bought(trader, "0.05")
        by_hand(market, Side.SELL, "1.02", price="30000")
        daemon.send(signal.SIGUSR1)
        left = await daemon.logged("kill.positions_left")
        assert left["positions"] == {"BTC-USDT": "0.02"}
        assert left["waits_for"] == {"BTC-USDT": "orders that are not the daemon's hold it"}
        assert (await trader.status())["kill_flat"] is False
        await daemon.stop()


async def test_coins_that_the_owner_has_bought_after_selling_all_by_hand_stay(
    install: Install,
) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market)
        daemon = await bought(trader, "0.05")
        by_hand(market, Side.SELL, "1.0499")
        await daemon.logged("position.gone")
        by_hand(market, Side.BUY, "0.5")
        daemon.send(signal.SIGUSR1)
        await until(lambda: flat(trader), "flat")
        assert await sales(trader) == []
        await daemon.stop()


def by_hand(market: LocalTestnet, side: Side, qty: str, price: str | None = None) -> None:
    """The owner trades at the venue, past the daemon."""
    new = NewOrder(
        symbol="BTCUSDT",
        side=side,
        type=OrderType.LIMIT if price else OrderType.MARKET,
        client_id=market.exchange.new_client_id(),
        qty=parse_amount(qty),
        price=parse_amount(price) if price else 0,
    )
    trader = market.exchange.engine.accounts["trader"]
    market.exchange.place(trader, new, int(epoch_ms(CLOCK.now().isoformat())))
