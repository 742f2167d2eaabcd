"""After a gap in what the venue tells, nothing new leaves before journal and venue are compared."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from otonom_trader.domain.errors import NotReady
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.mode import DaemonState
from otonom_trader.domain.order import OrderRequest, OrderState
from tests.system.conftest import Install
from tests.system.harness import until
from tests.system.markets import account, venue, write_book
from tests.system.rig import Rig, rig

SELL = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC"}
ASKED = {"path": "/api/v3/order", "method": "GET"}
"""Where orders are asked for; no order of ours leaves over it."""


@asynccontextmanager
async def cut_off(folder: Path) -> AsyncIterator[tuple[Rig, TradeExecutionLog]]:
    """A trader whose resting order was filled unheard, and who can ask for it no more."""
    async with rig(folder) as one:
        row = await one.decide("0.03", price=Decimal(19995))
        await one.fault("http_503", ASKED["path"], method="GET", seconds=600)
        await one.fault("omit", "user", count=3)
        await one.ask("orders", SELL | {"quantity": "0.03", "price": "19995"})
        await one.fault("drop", "user")
        await until(lambda: one.state is DaemonState.RECONCILING, "a gap", seconds=10)
        yield one, row


async def test_what_was_missed_is_on_record_before_a_new_order_leaves(tmp_path: Path) -> None:
    async with cut_off(tmp_path) as (one, resting):
        async with asyncio.TaskGroup() as tasks:
            decided = tasks.create_task(one.decide())
            await until(lambda: one.follower.is_live, "the stream", seconds=10)
            assert (one.state, one.sent()) == (DaemonState.RECONCILING, 1)
            await one.mend()
        assert decided.result().outcome is Outcome.FILLED
        assert await one.outcome(resting) is Outcome.FILLED
        missed, new = await one.journal.orders()
        assert str(missed["updated_at"]) <= str(new["recorded_at"])
        assert one.state is DaemonState.RUNNING
        await one.agree()


async def test_the_last_gate_before_the_bytes_is_shut_meanwhile(tmp_path: Path) -> None:
    async with cut_off(tmp_path) as (one, _):
        order = OrderRequest("BTCUSDT", "BUY", "0.01", client_order_id="late")
        held = await one.broker.venue.place_order(order)
        assert (held.state, held.code, one.sent()) == (OrderState.NOT_SENT, "not_ready", 1)
        await one.mend()


async def test_where_only_the_stream_is_gone_what_rest_tells_is_enough(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.fault("drop_before", "/ws-api/v3", method="GET", seconds=600)
        await one.fault("drop", "user")
        await until(lambda: not one.follower.is_live, "a gap", seconds=10)
        row = await one.decide()
        assert (row.outcome, one.follower.is_live) == (Outcome.FILLED, False)
        assert one.state is DaemonState.RUNNING
        await one.mend()
        await one.agree()


async def test_a_gap_during_a_comparison_is_compared_anew(tmp_path: Path) -> None:
    async with cut_off(tmp_path) as (one, resting):
        one.recovery.miss(gap=True)
        with pytest.raises(NotReady, match="the daemon is RECONCILING"):
            one.lifecycle.check()
        await one.mend()
        await one.becomes(resting, Outcome.FILLED)
        await until(lambda: one.state is DaemonState.RUNNING, "an end of it", seconds=10)


async def test_decisions_wait_unclaimed_for_the_end_of_an_outage(install: Install) -> None:
    async with venue(
        account("maker", USDT="10000000", BTC="1000"), account(), market="empty"
    ) as at:
        write_book(at, (("20000", "1"),), (("19000", "1"),))
        trader = install(at.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        buy = {"symbol": "BTC-USDT", "direction": "BUY", "qty": "0.01"}
        trader.decide({"id": "rests", "price": "19500"} | buy)
        await until(lambda: at.truth()["requests"], "a resting order")

        at.faults.add(
            {"path": "/api/v3/depth", "method": "GET", "fault": "http_503", "seconds": 600}
        )
        trader.decide({"id": "before"} | buy)
        await daemon.logged("market.unreadable")
        at.faults.add(ASKED | {"fault": "http_503", "seconds": 600})
        at.faults.add({"path": "user", "fault": "drop", "count": 1})
        await daemon.logged("reconcile.failed")
        trader.decide({"id": "during"} | buy)
        assert (await trader.status())["state"] == "RECONCILING"
        at.faults.end_all()
        await trader.decided(3)
        outcomes = [(row["decision_id"], row["outcome"]) for row in await trader.executions()]
        assert outcomes == [("rests", "resting"), ("before", "filled"), ("during", "filled")]
        states = [line["state"] for line in daemon.events("state.changed")]
        assert states[-2:] == ["RECONCILING", "RUNNING"]
        await daemon.stop()
