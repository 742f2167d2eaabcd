"""kill -9 at any moment: no decision twice, none lost, and the books still add up."""

import asyncio
from decimal import Decimal
from pathlib import Path
from random import Random

from tests.system import checks
from tests.system.conftest import Install
from tests.system.harness import CLOCK, account, made_up_bars, recorded_day, venue
from tests.system.scenarios import (
    end,
    killed_while_an_order_is_unanswered,
    write_decisions,
)

DECISIONS = 300
KILLS = 6


async def test_an_order_killed_over_is_found_again_and_not_sent_again(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        await killed_while_an_order_is_unanswered(install(market.url), market)


async def test_kill_9_at_random_moments_executes_nothing_twice_and_loses_nothing(
    install: Install, tmp_path: Path
) -> None:
    bars = recorded_day() or made_up_bars(tmp_path / "bars.csv")
    random = Random(20221213)  # noqa: S311  moments of death, not secrets
    async with venue(account(), market=f"bars:{bars}", speed=600) as market:
        trader = install(market.url, broker={"broker": {"binance": {"recv_window_ms": 500}}})
        writer = asyncio.create_task(  # noqa: TID251  a decision-maker beside the daemon
            write_decisions(trader, DECISIONS, every_seconds=0.02)
        )
        for _ in range(KILLS):
            daemon = await trader.start()
            if random.random() < 0.8:
                await daemon.in_state("RUNNING")
            await CLOCK.sleep(random.uniform(0, 0.5))
            await daemon.kill_9()
        daemon = await (await trader.start()).in_state("RUNNING")
        name = (await trader.status())["account"]
        await writer
        await trader.decided(DECISIONS)
        await daemon.stop()
        orders, executions = await trader.orders(), await trader.executions()
        truth = market.truth()
    checks.no_decision_executed_twice(truth)
    checks.every_decision_has_one_execution((f"d{n}" for n in range(DECISIONS)), executions)
    checks.nothing_left_unknown(executions)
    checks.journal_equals_truth(orders, executions, truth)
    await checks.paper_is_a_replay_of_the_executions(
        trader.journal_path, executions, name, {"USDT": Decimal(100_000), "BTC": Decimal(1)}
    )
