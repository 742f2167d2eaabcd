"""A venue that is unfit to trade at: the daemon leaves it to paper until somebody resumes."""

from collections.abc import Mapping
from typing import Any

import pytest

from otonom_trader.brokers.binance.transport.rest import MAX_CONNECTIONS
from otonom_trader.testnet import LocalTestnet
from otonom_trader.testnet.amounts import parse_amount
from otonom_trader.testnet.orders import NewOrder, OrderType, Side
from tests.system import checks
from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.harness import CLOCK, DaemonProcess, Installation, epoch_ms, until
from tests.system.markets import account, venue
from tests.system.scenarios import DEAF, ORDER, orders_sent

Broker = dict[str, Any]


def breaker(**limits: int) -> Broker:
    return {"health_breaker": limits}


async def test_orders_that_are_rejected_in_a_row_leave_it_to_paper_until_a_resume(
    install: Install,
) -> None:
    async with venue(account(USDT="10000")) as market:
        trader = install(
            market.url,
            broker=breaker(consecutive_rejections=3),
            daemon={"schedule": {"account_refresh_seconds": 60}},
        )
        market.faults.add(DEAF)
        daemon = await (await trader.start()).in_state("RUNNING")
        await trades(trader, market, decision=0)
        await trader.decided(1)
        spend_behind_its_back(market)
        trader.decide(*numbered(3, first=1))
        await trips(daemon, "3 orders in a row were rejected, the last: Failed to place Binance")
        await goes_on_on_paper(trader, market, first=4)
        status = (await trader.command("status", "--json")).json
        assert status["state"] == "PAPER_ONLY"
        assert status["paper_only_reason"].startswith("3 orders in a row were rejected")
        assert (await trader.command("status", "--check")).status == 1
        await daemon.stop()
        cancel_by_hand(market)

        stopped = (await trader.command("status", "--json")).json
        assert stopped["paper_only_reason"] == status["paper_only_reason"]
        again = await (await trader.start()).in_state("PAPER_ONLY")
        await goes_on_on_paper(trader, market, first=9)
        assert again.events("health.tripped") == [], "it is told once"

        assert (await trader.command("resume", "--reason", " ")).status == 77
        resumed = await trader.command("resume", "--reason", "the account is in order")
        assert resumed.out == "resumed: RUNNING\n"
        await trades(trader, market, decision=14)
        await again.stop()
        await (await (await trader.start()).in_state("RUNNING")).stop()


IMPATIENT: Mapping[str, Any] = {
    "broker": {"binance": {"timeout_seconds": 0.3, "recv_window_ms": 1000}}
}


async def test_orders_that_are_not_answered_in_a_row_leave_it_to_paper_and_are_asked_for(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, broker={**IMPATIENT, **breaker(consecutive_unknowns=3)})
        daemon = await (await trader.start()).in_state("RUNNING")
        market.faults.add({**ORDER, "fault": "no_answer_after", "count": 3})
        trader.decide(*numbered(3))
        await trips(daemon, "3 orders in a row were not answered, the last: OUTCOME UNKNOWN")
        await trader.decided(3)  # what was sent is followed to its end
        await goes_on_on_paper(trader, market, first=3)
        await daemon.stop()

        trader.decide(*numbered(1, first=8))
        once = await trader.command("once")
        assert once.status == 77
        assert "paper only: 3 orders in a row were not answered, the last: OUTCOME UNKN" in once.err
        assert once.err.endswith("; otonom-trader resume --reason TEXT is the way on\n")
        orders, executions = await trader.orders(), await trader.executions()
        assert (executions[-1]["outcome"], executions[-1]["broker_code"]) == (
            "filled",
            "paper_only",
        )
        checks.no_decision_executed_twice(market.truth())
        checks.nothing_left_unknown(executions)
        checks.journal_equals_truth(orders, executions, market.truth())


@pytest.mark.parametrize("mode", ["live", "shadow"])
async def test_orders_that_are_acknowledged_late_in_a_row_leave_it_to_paper(
    install: Install, mode: str
) -> None:
    path = "/api/v3/order" if mode == "live" else "/api/v3/order/test"
    async with venue(account(USDT="1000000")) as market:
        limits = breaker(consecutive_slow_acks=3, slow_ack_ms=200)
        trader = install(market.url, mode=mode, broker=limits)
        daemon = await (await trader.start()).in_state("RUNNING")
        market.faults.add({"path": path, "fault": "delay_after", "ms": 400, "count": 3})
        trader.decide(*numbered(3))
        await trips(daemon, "3 orders in a row were acknowledged later than 200 ms")
        await goes_on_on_paper(trader, market, first=3)

        assert (await trader.command("kill", "--reason", "fat finger")).status == 0
        both = await trader.status()
        assert both["state"] == "HALTED"
        assert both["paper_only_reason"].startswith("3 orders in a row")
        resumed = await trader.command("resume", "--reason", "looked at both")
        assert resumed.out == "resumed: RUNNING\n"
        assert (await trader.status())["paper_only_reason"] is None
        await daemon.stop()


async def test_requests_that_fail_in_a_row_leave_it_to_paper(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, broker=breaker(consecutive_errors=2))
        daemon = await (await trader.start()).in_state("RUNNING")
        fault = {"path": "/api/v3/account", "fault": "http_503", "seconds": 6}
        market.faults.add({**fault, "method": "GET"})
        await trips(daemon, "2 requests in a row failed, the last: GET /api/v3/account")
        await goes_on_on_paper(trader, market, first=0)
        await daemon.stop()


async def test_good_answers_in_between_keep_it_trading(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        limits = breaker(consecutive_slow_acks=2, slow_ack_ms=300)
        trader = install(market.url, broker=limits, daemon={"max_concurrent_decisions": 1})
        daemon = await (await trader.start()).in_state("RUNNING")
        for first in range(0, 8, 2):
            market.faults.add({**ORDER, "fault": "delay_after", "ms": 500, "count": 1})
            trader.decide(*numbered(2, first=first))
            await trader.decided(first + 2)
        assert len(market.truth()["orders"]) == 8
        await daemon.stop()


async def test_an_order_that_waits_for_a_connection_does_not_leave_once_it_trips(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(
            market.url,
            broker={
                "broker": {"binance": {"timeout_seconds": 3}},
                **breaker(consecutive_unknowns=1),
            },
            daemon={"max_concurrent_decisions": 100},
        )
        daemon = await (await trader.start()).in_state("RUNNING")
        market.faults.add({**ORDER, "fault": "no_answer_before", "count": MAX_CONNECTIONS})
        trader.decide(*numbered(MAX_CONNECTIONS - 1))
        await until(
            lambda: len(orders_sent(market)) == MAX_CONNECTIONS - 1, "connections taken but one"
        )
        trader.decide(*numbered(2, first=MAX_CONNECTIONS - 1))
        await trips(daemon, "1 orders in a row were not answered")

        async def answered() -> list[dict[str, Any]]:
            rows = await trader.orders()
            return [row for row in rows if row["code"] == "paper_only"]

        (held_back,) = await until(answered, "the order that was held back")
        assert (held_back["state"], held_back["signed_at_ms"]) == ("NOT_SENT", None)
        assert len(orders_sent(market)) == MAX_CONNECTIONS
        rows = await trader.executions()
        (row,) = [row for row in rows if row["outcome"] == "not_sent"]
        assert row["paper_status"] == "filled"
        await daemon.stop()


async def test_an_order_that_rests_at_the_venue_is_followed_on(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, broker=breaker(consecutive_slow_acks=1, slow_ack_ms=100))
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1, price="30000"))
        await until(lambda: market.truth()["orders"], "a resting order")
        market.faults.add({**ORDER, "fault": "delay_after", "ms": 300, "count": 1})
        trader.decide(*numbered(1, first=1))
        await trips(daemon, "1 orders in a row were acknowledged later than 100 ms")
        cancel_by_hand(market)

        async def told() -> bool:
            return bool((await trader.executions())[0]["outcome"] == "cancelled")

        await until(told, "the end of the resting order")
        await daemon.stop()


async def trips(daemon: DaemonProcess, reason: str) -> None:
    """See that it is told, once, and shown."""
    told = await daemon.logged("health.tripped")
    assert told["reason"].startswith(reason), told
    assert told["level"] == "critical"
    await daemon.in_state("PAPER_ONLY")


async def goes_on_on_paper(trader: Installation, market: LocalTestnet, first: int) -> None:
    """See that five decisions fill on paper, and that nothing of them reaches the venue."""
    sent = len(orders_sent(market))
    trader.decide(*numbered(5, first=first))
    await trader.decided(first + 5)
    rows = [row for row in await trader.executions() if int(row["decision_id"][1:]) >= first]
    assert len(rows) == 5
    for row in rows:
        assert (row["outcome"], row["paper_status"]) == ("filled", "filled"), row
        assert (row["broker_ok"], row["broker_code"]) == (False, "paper_only")
        assert row["broker_message"].startswith("Not sent: paper only: ")
    assert len(orders_sent(market)) == sent
    assert len(market.truth()["orders"]) <= sent


async def trades(trader: Installation, market: LocalTestnet, decision: int) -> None:
    sent = len(orders_sent(market))
    trader.decide(*numbered(1, first=decision))
    await until(lambda: len(orders_sent(market)) == sent + 1, "an order")


def spend_behind_its_back(market: LocalTestnet) -> None:
    """Lock nearly all the money in an order that the owner places by hand."""
    trader = market.exchange.engine.accounts["trader"]
    order = NewOrder(
        symbol="BTCUSDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        client_id="by-hand",
        qty=parse_amount("0.98"),
        price=parse_amount("10000"),
    )
    market.exchange.place(trader, order, int(epoch_ms(CLOCK.now().isoformat())))


def cancel_by_hand(market: LocalTestnet) -> None:
    """The owner cancels what works of theirs."""
    trader = market.exchange.engine.accounts["trader"]
    now_ms = int(epoch_ms(CLOCK.now().isoformat()))
    for order in list(trader.working_on("BTCUSDT").values()):
        market.exchange.cancel(order, order.client_id, now_ms)
