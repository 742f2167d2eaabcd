"""The venue does not answer, or lies about it: no order twice, none forgotten."""

from typing import Any

import pytest

from tests.system import checks
from tests.system.conftest import Install
from tests.system.harness import account, numbered, venue

FAULTS: dict[str, dict[str, Any]] = {
    "drop_before": {"fault": "drop_before"},
    "drop_after": {"fault": "drop_after"},
    "no_answer_after": {"fault": "no_answer_after"},
    "http_503, executed": {"fault": "http_503"},
    "http_503, not executed": {"fault": "http_503", "executed": False},
}
DECISIONS = 200


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_an_order_whose_outcome_is_unknown_is_asked_for_and_never_sent_again(
    install: Install, fault: dict[str, Any]
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(
            market.url, broker={"broker": {"binance": {"timeout_seconds": 0.3, "recv_window_ms": 1000}}}
        )
        daemon = await (await trader.start()).in_state("RUNNING")
        on_orders = {"path": "/api/v3/order", "method": "POST"} | fault
        market.faults.add(on_orders | {"count": DECISIONS // 2})
        market.faults.add(on_orders | {"probability": 0.5})

        trader.decide(*numbered(DECISIONS))
        await trader.decided(DECISIONS, seconds=100)

        market.faults.end_all()
        await daemon.stop()
        orders, executions = await trader.orders(), await trader.executions()
        truth = market.truth()
    sent = [r for r in truth["requests"] if r["method"] == "POST" and r["path"] == "/api/v3/order"]
    assert len({request["clientOrderId"] for request in sent}) >= 190
    checks.no_decision_executed_twice(truth)
    checks.every_decision_has_one_execution((f"d{n}" for n in range(DECISIONS)), executions)
    checks.nothing_left_unknown(executions)
    checks.journal_equals_truth(orders, executions, truth)
