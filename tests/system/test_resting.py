"""Orders that rest on paper, and in shadow's expectation, followed by the daemon's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.domain.decision import Direction
from otonom_trader.domain.execution import Outcome
from otonom_trader.storage.journal import Journal
from otonom_trader.testnet import LocalTestnet
from tests.system.conftest import Install
from tests.system.harness import CLOCK, Installation, until
from tests.system.markets import account, venue, write_book
from tests.system.rig import rig

BIDS = (("19990", "1"),)
PAPER = {"paper": {"balances": {"USDT": 100000, "BTC": 1}, "fee_pct": 0.1}}
AWAY = (("20000", "1"),)
LIMIT = {"id": "1", "symbol": "BTC-USDT", "direction": "BUY", "qty": "0.1", "price": "19995"}
STOP = {
    "id": "1",
    "symbol": "BTC-USDT",
    "direction": "SELL",
    "qty": "0.1",
    "order_type": "STOP_LOSS",
    "stop_price": "19900",
}


@asynccontextmanager
async def quoted() -> AsyncIterator[LocalTestnet]:
    async with venue(
        account("maker", USDT="10000000", BTC="1000"), account(), market="empty"
    ) as market:
        write_book(market, AWAY, BIDS)
        yield market


async def becomes(trader: Installation, outcome: str, **fields: str | None) -> dict[str, Any]:
    """Wait until the one execution has come to `outcome`, with `fields`."""

    async def found() -> list[dict[str, Any]]:
        wanted = {"outcome": outcome, **fields}
        rows = await trader.executions()
        return [row for row in rows if {name: row[name] for name in wanted} == wanted]

    return (await until(found, f"an execution that is {outcome} {fields}"))[0]


@pytest.mark.parametrize("mode", ["off", "shadow"])
async def test_a_limit_rests_over_a_restart_and_fills_as_the_market_comes_to_it(
    install: Install, mode: str
) -> None:
    async with quoted() as market:
        trader = install(market.url, mode=mode, daemon=PAPER)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(LIMIT)
        await becomes(trader, "resting", paper_qty="0")
        write_book(market, (("19990", "0.04"), *AWAY), ())
        await becomes(trader, "resting", paper_qty="0.04", paper_fill_price="19995")
        await daemon.stop()

        daemon = await (await trader.start()).in_state("RUNNING")
        write_book(market, AWAY, BIDS)
        write_book(market, (("19995", "1"),), BIDS)
        row = await becomes(trader, "filled", paper_qty="0.1", paper_fill_price="19995")
        assert row["terminal"]
        if mode == "shadow":
            expected = ("0.1", "19995", "0")
            prices = ("broker_qty", "broker_fill_price", "slippage_estimate")
            assert tuple(row[name] for name in prices) == expected
        name = (await trader.status())["account"]
        await daemon.stop()

    async with Journal(trader.journal_path, clock=CLOCK) as journal:
        assert await journal.check() == []
        paper = await journal.load_ledger(f"paper:{name}")
        assert paper is not None
        assert paper.amount("BTC") == Decimal("1.0999")  # 0.1 less its fee of 0.1 %
        assert await journal.load_resting(f"paper:{name}") == []


async def test_a_stop_sells_on_paper_when_the_mark_has_fallen(install: Install) -> None:
    async with quoted() as market:
        trader = install(market.url, mode="off", daemon=PAPER)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(STOP)
        await becomes(trader, "resting")
        write_book(market, (("19905", "1"),), (("19885", "0.06"), ("19880", "1")))
        row = await becomes(trader, "filled")
        assert row["paper_fill_price"] == "19883"  # 0.06 at 19885 and 0.04 at 19880
        await daemon.stop()


async def test_what_rests_ends_with_its_decision_s_time(install: Install) -> None:
    async with quoted() as market:
        trader = install(market.url, mode="off", daemon=PAPER)
        daemon = await (await trader.start()).in_state("RUNNING")
        expires_at = CLOCK.now() + timedelta(seconds=4)
        trader.decide(LIMIT | {"expires_at": expires_at.isoformat()})
        await becomes(trader, "cancelled", paper_status="cancelled")
        assert CLOCK.now() > expires_at
        await daemon.stop()


async def test_a_kill_ends_what_rests(install: Install) -> None:
    async with quoted() as market:
        trader = install(market.url, mode="off", daemon=PAPER)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(LIMIT)
        await becomes(trader, "resting")
        assert (await trader.command("kill", "--reason", "drill")).status == 0
        await becomes(trader, "cancelled", paper_status="cancelled")
        await daemon.stop()


async def test_in_live_the_paper_leg_fills_beside_the_venue_s(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        row = await one.decide(price=Decimal(19_995), direction=Direction.BUY)
        assert (row.outcome, row.paper_status) == (Outcome.RESTING, "resting")
        seller = {"side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "price": "19995"}
        wanted = {"symbol": "BTCUSDT", "quantity": "0.5", "account": "other"}
        await one.ask("orders", wanted | seller)
        await one.becomes(row, Outcome.FILLED)
        await one.chores.follow_resting()
        (told,) = await one.journal.executions()
        assert (told["outcome"], told["paper_status"]) == ("filled", "filled")
        assert (told["paper_fill_price"], told["slippage_estimate"]) == ("19995", "0")
        assert one.broker.resting.symbols == frozenset()
        await one.agree()


async def test_in_shadow_a_pair_is_validated_whole_and_ends_by_the_one_that_comes_first(
    install: Install,
) -> None:
    async with quoted() as market:
        trader = install(market.url, mode="shadow")
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(STOP | {"order_type": "OCO", "price": "20500"})
        await becomes(trader, "resting")
        validated = [r for r in market.truth()["requests"] if r["path"] == "/api/v3/order/test"]
        assert [request["status"] for request in validated] == [200, 200]
        write_book(market, (("20510", "1"),), (("20500", "1"),))
        row = await becomes(trader, "filled", paper_status="filled")
        prices = ("paper_fill_price", "broker_fill_price", "slippage_estimate")
        assert tuple(row[name] for name in prices) == ("20500", "20500", "0")
        await daemon.stop()
