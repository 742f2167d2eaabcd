"""The main job on a recorded day: decisions through off, shadow and live, side by side."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.system import checks
from tests.system.conftest import Install
from tests.system.decisions import decided_in, decision_maker
from tests.system.harness import until
from tests.system.markets import account, made_up_bars, recorded_day, venue

OPENING = {"USDT": Decimal(100_000), "BTC": Decimal(1)}
TRADES = 8


@pytest.mark.parametrize("recorded", [True, False], ids=["the recorded day", "made-up bars"])
async def test_the_example_decides_and_off_shadow_and_live_execute_it(
    install: Install, tmp_path: Path, *, recorded: bool
) -> None:
    bars = recorded_day() if recorded else made_up_bars(tmp_path / "bars.csv")
    if bars is None:
        pytest.skip("the recorded day is not here: name its folder in OTONOM_SHARED_DATA")
    written = tmp_path / "momentum.jsonl"
    daemon_yaml = {
        "sources": [{"type": "jsonl", "path": str(written), "name": "momentum"}],
        "paper": {"balances": {asset: int(amount) for asset, amount in OPENING.items()}},
    }
    # Two daemons may not trade one account: shadow has one of its own.
    accounts = account("trader"), account("watcher")
    async with venue(*accounts, market=f"bars:{bars}", speed=600) as market:
        traders = {
            "off": install(market.url, mode="off", daemon=daemon_yaml),
            "shadow": install(market.url, mode="shadow", api_key="watcher-key", daemon=daemon_yaml),
            "live": install(market.url, mode="live", daemon=daemon_yaml),
        }
        daemons = [await trader.start() for trader in traders.values()]
        for daemon in daemons:
            await daemon.in_state("RUNNING")
        async with decision_maker(market.url, written):
            await until(lambda: enough(written), "decisions to buy and to sell")
        ids = decided_in(written)
        names = {}
        for mode, trader in traders.items():
            await trader.decided(len(ids))
            names[mode] = (await trader.status())["account"]
        for daemon in daemons:
            await daemon.stop()
        truth = market.truth()

    table = await traders["live"].command("executions")
    print(table.out)  # noqa: T201  README.md shows it: pytest tests/system/test_bars.py -s

    rows = {mode: await trader.executions() for mode, trader in traders.items()}
    for mode, trader in traders.items():
        checks.every_decision_has_one_execution(ids, rows[mode])
        checks.nothing_left_unknown(rows[mode])
        assert {row["side"] for row in filled(rows[mode])} == {"BUY", "SELL"}
        assert {row["mode"] for row in rows[mode]} == {mode}
        assert len(filled(rows[mode])) >= TRADES // 2, f"too few to tell: {rows[mode]}"
        await checks.paper_is_a_replay_of_the_executions(
            trader.journal_path, rows[mode], names[mode], OPENING
        )

    # Live: every order the journal calls accepted is the venue's, and there are no others.
    orders = await traders["live"].orders()
    checks.orders_are_trades(truth)
    checks.no_decision_executed_twice(truth, quantities=[])
    checks.journal_equals_truth(orders, rows["live"], truth)
    assert {order["account"] for order in truth["orders"]} == {"trader"}
    balances = truth["balances"]
    assert balances["watcher"]["USDT"] == {"free": "100000.00000000", "locked": "0.00000000"}

    # Shadow: the venue validated each order and matched none; off: it was not even asked.
    for row in filled(rows["shadow"]):
        assert row["broker_ok"]
        assert row["broker_order_id"].startswith("test:")
    assert await traders["off"].orders() == []
    assert not any(row["broker_ok"] for row in rows["off"])

    # Both legs are priced on the same moments of the same market: they come out alike.
    for row in filled(rows["shadow"]) + filled(rows["live"]):
        assert abs(Decimal(row["slippage_estimate"])) < 1
        assert 0 < row["latency_ms"] < 5000


def enough(written: Path) -> bool:
    trades = [way for way in decided_in(written, "direction") if way != "HOLD"]
    return len(trades) >= TRADES and len({*trades}) == 2


def filled(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["outcome"] in ("filled", "partly_filled")]
