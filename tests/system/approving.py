"""Runs with orders that wait for a person: the daemon comes through them, a broken one does not."""

import asyncio
from collections.abc import Mapping
from typing import Any

from otonom_trader.daemon.control import SOCKET_NAME, ask
from otonom_trader.domain.errors import TraderError
from otonom_trader.testnet import LocalTestnet
from tests.system import checks
from tests.system.decisions import numbered
from tests.system.harness import Installation, until
from tests.system.markets import write_book
from tests.system.scenarios import ORDER, orders_sent

NEEDED: dict[str, Any] = {"risk_guardrails": {"require_confirmation_above": 100}}
"""Every decision of `numbered` is worth more: at least 0.002 BTC."""


async def approve(trader: Installation, id_: str) -> Mapping[str, Any] | str:
    """Approve over the socket; return the execution's row, or why there is none."""
    path = trader.state_dir / SOCKET_NAME
    try:
        row: Mapping[str, Any] = (await ask(path, "approve", id=id_, by="alice"))["execution"]
    except TraderError as refused:
        return str(refused)
    return row


async def waiting(trader: Installation, count: int) -> list[dict[str, Any]]:
    """Wait until so many orders wait for a person; return them."""

    async def found() -> bool:
        rows = (await trader.ask("approvals")).get("rows")
        return rows is not None and len(rows) == count

    await until(found, f"{count} orders that wait")
    rows: list[dict[str, Any]] = (await trader.ask("approvals"))["rows"]
    return rows


async def agree(trader: Installation, market: LocalTestnet) -> None:
    """The oracle, of a daemon that has been stopped."""
    orders, executions = await trader.orders(), await trader.executions()
    truth = market.truth()
    checks.no_decision_executed_twice(truth)
    checks.nothing_left_unknown(executions)
    checks.journal_equals_truth(orders, executions, truth)


async def approved_once_the_market_has_doubled(trader: Installation, market: LocalTestnet) -> None:
    """An order is approved that a guardrail has come to deny: it must not leave."""
    write_book(market, (("20000", "9"),), (("19990", "9"),))
    daemon = await (await trader.start()).in_state("RUNNING")
    trader.decide({"id": "d0", "symbol": "BTC-USDT", "direction": "BUY", "qty": "0.5"})
    await waiting(trader, 1)
    write_book(market, (("41000", "9"),), (("40990", "9"),))
    row = await approve(trader, "d0")
    assert orders_sent(market) == [], "an approved order left that was not judged again"
    assert isinstance(row, Mapping), row
    assert (row["outcome"], row["broker_code"]) == ("denied", "max_notional_per_order")
    await waiting(trader, 0)
    await daemon.stop()


async def approved_and_killed_over(trader: Installation, market: LocalTestnet) -> None:
    """kill -9 once the venue has executed an approved order, before it answers; then a restart.

    Whoever approves once more must find that it was approved, and nothing is sent again.
    """
    market.faults.add(ORDER | {"fault": "no_answer_after", "count": 1})
    daemon = await (await trader.start()).in_state("RUNNING")
    trader.decide(*numbered(1))
    await waiting(trader, 1)
    asked = asyncio.gather(approve(trader, "d0"))
    await until(lambda: market.truth()["orders"], "the order at the venue")
    await daemon.kill_9()
    (answer,) = await asked
    assert "whether it was carried out is not known" in str(answer)

    again = await (await trader.start()).in_state("RUNNING")
    still = [row["decision_id"] for row in (await trader.ask("approvals"))["rows"]]
    answer = await approve(trader, "d0")
    checks.no_decision_executed_twice(market.truth())
    assert still == [], "it waits for the word that it was sent on"
    assert "was approved by " in str(answer)
    await trader.decided(1)
    await again.stop()
    assert [row["outcome"] for row in await trader.executions()] == ["filled"]
    await agree(trader, market)


async def restarted_while_one_waits(trader: Installation, market: LocalTestnet) -> None:
    """kill -9 while an order waits, then a restart: it waits on, and is sent once approved."""
    daemon = await (await trader.start()).in_state("RUNNING")
    trader.decide(*numbered(1))
    await daemon.logged("approval.parked", decision_id="d0")
    await daemon.kill_9()

    again = await (await trader.start()).in_state("RUNNING")
    rows = (await trader.ask("approvals"))["rows"]
    assert [row["decision_id"] for row in rows] == ["d0"], "what waited is lost"
    answer = await approve(trader, "d0")
    assert isinstance(answer, Mapping), f"what waited cannot be approved: {answer}"
    await again.stop()
    assert len(orders_sent(market)) == 1
    await agree(trader, market)
