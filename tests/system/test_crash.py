"""kill -9 at any moment: no decision twice, none lost, and the books still add up."""

from decimal import Decimal
from pathlib import Path
from random import Random

from tests.system import checks
from tests.system.conftest import Install
from tests.system.decisions import decided_in, decision_maker, numbered, quantity
from tests.system.harness import CLOCK
from tests.system.markets import account, made_up_bars, recorded_day, venue
from tests.system.scenarios import killed_while_an_order_is_unanswered

KILLS = 5
BURST = 60


async def test_an_order_killed_over_is_found_again_and_not_sent_again(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        await killed_while_an_order_is_unanswered(install(market.url), market)


async def test_kill_9_at_random_moments_executes_nothing_twice_and_loses_nothing(
    install: Install, tmp_path: Path
) -> None:
    bars = recorded_day() or made_up_bars(tmp_path / "bars.csv")
    random = Random(20221213)  # noqa: S311  moments of death, not secrets
    momentum = tmp_path / "momentum.jsonl"
    sources = [
        {"type": "jsonl", "path": "../patron.jsonl", "name": "patron"},
        {"type": "jsonl", "path": str(momentum), "name": "momentum"},
    ]
    async with venue(account(), market=f"bars:{bars}", speed=600) as market:
        trader = install(
            market.url,
            broker={"broker": {"binance": {"recv_window_ms": 500}}},
            daemon={"sources": sources},
        )
        async with decision_maker(market.url, momentum):
            for kill in range(KILLS):
                side = "SELL" if kill % 2 else "BUY"
                trader.decide(*numbered(BURST, side, first=kill * BURST))
                daemon = await trader.start()
                if kill != 2:  # that one dies while it starts
                    await daemon.in_state("RUNNING")
                await CLOCK.sleep(random.uniform(0.05, 0.5))
                await daemon.kill_9()
            daemon = await (await trader.start()).in_state("RUNNING")
        written = [f"d{n}" for n in range(KILLS * BURST)] + decided_in(momentum)
        await trader.decided(len(written))
        name = (await trader.status())["account"]
        await daemon.stop()
        orders, executions = await trader.orders(), await trader.executions()
        truth = market.truth()
    assert trader.logged("order.unknown"), "no kill met an order on its way"
    checks.no_decision_executed_twice(truth, [quantity(n) for n in range(KILLS * BURST)])
    checks.every_decision_has_one_execution(written, executions)
    checks.nothing_left_unknown(executions)
    checks.journal_equals_truth(orders, executions, truth)
    await checks.paper_is_a_replay_of_the_executions(
        trader.journal_path, executions, name, {"USDT": Decimal(100_000), "BTC": Decimal(1)}
    )
