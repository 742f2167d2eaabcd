"""The states of contract.md, line by line: what may leave in each, and what fills."""

from decimal import Decimal
from pathlib import Path

import pytest

from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.errors import NotReady
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.mode import DaemonState
from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.harness import until
from tests.system.markets import venue
from tests.system.rig import Rig, rig
from tests.system.test_kill_switch import outcomes

SIDES = pytest.mark.parametrize("direction", [Direction.BUY, Direction.SELL])


def put_into(one: Rig, state: DaemonState) -> None:
    """Bring a running trader into `state`, as the daemon does."""
    if state is DaemonState.HALTED:
        one.switch.trip("fat finger", "operator")
    elif state is DaemonState.PAPER_ONLY:
        one.lifecycle.paper_only = "the venue answers badly"
    else:
        one.lifecycle.enter(state)
    assert one.state is state


async def decide(one: Rig, direction: Direction) -> TradeExecutionLog:
    now = one.clock.now()
    decision = Decision(
        f"{direction} {now.isoformat()}",
        "BTC-USDT",
        direction,
        qty=Decimal("0.01"),
        created_at=now,
        source="states",
    )
    return await one.floor.desk.executor.execute_decision(None, decision)


@SIDES
@pytest.mark.parametrize("state", [DaemonState.STARTING, DaemonState.RECONCILING])
async def test_before_it_trades_nothing_is_claimed_and_nothing_fills(
    tmp_path: Path, state: DaemonState, direction: Direction
) -> None:
    async with rig(tmp_path) as one:
        put_into(one, state)
        with pytest.raises(NotReady, match=state):
            await decide(one, direction)
        assert not one.lifecycle.takes_decisions
        assert await one.journal.executions() == []
        assert one.sent() == 0


@SIDES
async def test_running_both_legs_fill(tmp_path: Path, direction: Direction) -> None:
    async with rig(tmp_path) as one:
        row = await decide(one, direction)
        assert (row.outcome, row.paper_status) == (Outcome.FILLED, "filled")
        assert one.accepted() == 1


@SIDES
async def test_paper_only_paper_fills_alone(tmp_path: Path, direction: Direction) -> None:
    async with rig(tmp_path) as one:
        put_into(one, DaemonState.PAPER_ONLY)
        row = await decide(one, direction)
        assert (row.broker_code, row.paper_status) == ("paper_only", "filled")
        assert one.sent() == 0


@SIDES
async def test_halted_neither_leg_fills_and_the_denial_is_on_record(
    tmp_path: Path, direction: Direction
) -> None:
    async with rig(tmp_path) as one:
        put_into(one, DaemonState.HALTED)
        row = await decide(one, direction)
        assert (row.outcome, row.broker_code) == (Outcome.DENIED, "kill_switch")
        assert row.paper_status is None
        assert row.paper_qty == 0
        assert one.sent() == 0


async def test_draining_takes_nothing_in_and_what_it_had_goes_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        put_into(one, DaemonState.DRAINING)
        assert not one.lifecycle.takes_decisions
        row = await decide(one, Direction.BUY)  # as one whose turn had come
        assert (row.outcome, row.paper_status) == (Outcome.FILLED, "filled")


@pytest.mark.parametrize(
    "state",
    [
        DaemonState.RECONCILING,
        DaemonState.RUNNING,
        DaemonState.PAPER_ONLY,
        DaemonState.HALTED,
        DaemonState.DRAINING,
    ],
)
async def test_whatever_the_state_orders_are_asked_for_and_cancelled(
    tmp_path: Path, state: DaemonState
) -> None:
    async with rig(tmp_path, timeout_seconds=5) as one:
        row = await one.decide(price=Decimal(15_000))
        put_into(one, state)
        (order,) = await one.broker.get_open_orders()
        result = await one.broker.cancel_order(order.client_order_id or "", order.symbol)
        assert result.ok
        await one.becomes(row, Outcome.CANCELLED)


@pytest.mark.parametrize("mode", ["shadow", "off"])
async def test_a_start_that_cannot_trade_names_orders_that_live_has_left_and_who_cancels_them(
    install: Install, mode: str
) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1, price="30000"))
        await until(lambda: outcomes(trader, ["resting"]), "a resting order")
        await daemon.stop()
        (order,) = await trader.orders()

        trader.write_config({"broker": {"mode": mode}})
        daemon = await (await trader.start()).in_state("RUNNING")
        told = await daemon.logged("order.left_working")
        assert told["client_order_id"] == order["client_order_id"]
        assert "'otonom-trader panic' halts and cancels it" in told["hint"]
        await daemon.stop()
        done = await trader.command("panic", OTONOM_TRADER__BROKER__MODE="shadow")
        assert done.status == 0
        assert [one["status"] for one in market.truth()["orders"]] == ["CANCELED"]
