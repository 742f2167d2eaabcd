"""Runs that end in an oracle. The daemon must come through them, and a broken one must not."""

import json
import signal
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from otonom_trader.brokers.binance.transport.rest import MAX_CONNECTIONS
from otonom_trader.testnet import LocalTestnet
from tests.system import checks
from tests.system.decisions import numbered
from tests.system.harness import CLOCK, DaemonProcess, Installation, epoch_ms, until

ORDER: dict[str, Any] = {"path": "/api/v3/order", "method": "POST"}


DEAF: dict[str, Any] = {"path": "user", "fault": "silence", "seconds": 600}
"""No news of orders: what is not answered can only be asked for."""
OVER_WS: dict[str, Any] = {"path": "order.place"}


def orders_sent(market: LocalTestnet) -> list[dict[str, Any]]:
    """Return the requests to place an order that reached the venue, carried out or not."""
    return [
        request
        for request in market.truth()["requests"]
        if (request["method"], request["path"])
        in (("POST", "/api/v3/order"), ("WS", "order.place"))
    ]


async def decisions_meet_a_fault(
    trader: Installation,
    market: LocalTestnet,
    fault: Mapping[str, Any],
    decisions: int,
    struck: Mapping[str, Any] = ORDER,
    *,
    deaf: bool = False,
) -> None:
    """Half of the orders are struck for certain, the other half by chance, over one transport.

    At most one accepted order each, nothing UNKNOWN after its fence, the journal equals the venue.
    """
    if deaf:
        market.faults.add(DEAF)
    daemon = await (await trader.start()).in_state("RUNNING")
    if struck is OVER_WS:
        await daemon.logged("stream.connected")
    market.faults.add({**struck, **fault, "count": decisions // 2})
    market.faults.add({**struck, **fault, "probability": 0.5})
    trader.decide(*numbered(decisions))
    await trader.decided(decisions, seconds=90)
    market.faults.end_all()
    await daemon.stop()
    orders, executions = await trader.orders(), await trader.executions()
    truth = market.truth()

    sent = orders_sent(market)
    hit = {request["clientOrderId"] for request in sent if request["fault"]}
    assert len({request["clientOrderId"] for request in sent}) >= decisions * 95 // 100
    assert decisions // 2 <= len(hit) < decisions
    checks.orders_are_trades(truth)
    checks.no_decision_executed_twice(truth)
    checks.every_decision_has_one_execution((f"d{n}" for n in range(decisions)), executions)
    checks.nothing_left_unknown(executions)
    checks.journal_equals_truth(orders, executions, truth)
    there = {order["origClientOrderId"] for order in truth["orders"]}
    for row in orders:
        if row["client_order_id"] in there:
            continue
        assert row["code"] == "absent", f"the venue never had it, the journal says {row}"
        waited_ms = epoch_ms(row["updated_at"]) - row["signed_at_ms"]
        assert 13_000 - 50 <= waited_ms <= 13_000 + 10_000, f"fence of 13 s: {waited_ms} ms"


async def killed_while_an_order_is_unanswered(trader: Installation, market: LocalTestnet) -> None:
    """kill -9 once the venue has executed an order and before it answers; then a restart.

    The order is found by its client id: executed once, and on record.
    """
    market.faults.add(ORDER | {"fault": "no_answer_after", "count": 1})
    daemon = await (await trader.start()).in_state("RUNNING")
    trader.decide(*numbered(1))
    await until(lambda: market.truth()["orders"], "the order at the venue")
    await daemon.kill_9()

    again = await trader.start()
    await trader.decided(1)
    await again.stop()
    orders, executions = await trader.orders(), await trader.executions()
    checks.no_decision_executed_twice(market.truth())
    checks.every_decision_has_one_execution(["d0"], executions)
    checks.journal_equals_truth(orders, executions, market.truth())


async def tripped_while_an_order_waits_for_a_connection(
    trader: Installation, market: LocalTestnet
) -> None:
    """SIGUSR1 while an order on record waits for a connection, all being taken; then one is free.

    The order must not leave.
    """
    daemon = await (await trader.start()).in_state("RUNNING")
    market.faults.add(ORDER | {"fault": "no_answer_before", "count": MAX_CONNECTIONS})
    trader.decide(*numbered(MAX_CONNECTIONS - 1))
    await until(
        lambda: len(orders_sent(market)) == MAX_CONNECTIONS - 1, "connections taken but one"
    )
    # Each of two decisions reads the book over the last connection; then one order takes it.
    trader.decide(*numbered(2, first=MAX_CONNECTIONS - 1))

    async def waiting() -> bool:
        rows = await trader.orders()
        return len(rows) == MAX_CONNECTIONS + 1 and len(orders_sent(market)) == MAX_CONNECTIONS

    await until(waiting, "an order on record that waits for a connection")
    signalled_ms = epoch_ms(CLOCK.now().isoformat())
    daemon.send(signal.SIGUSR1)
    latched_ms = await latched_at_ms(trader)
    assert len(orders_sent(market)) == MAX_CONNECTIONS, "the order left before the signal"

    # The first are given up at their time limit, and the connections come free.
    async def carried_out() -> bool:
        return not (await trader.status())["decisions"].get("pending", 0)

    await until(carried_out, "every order answered, given up or refused")
    checks.nothing_sent_after_the_latch(market.truth(), latched_ms, signalled_ms)
    rows = await trader.orders()
    assert [row["code"] for row in rows].count("kill_switch") == 1


async def signalled_in_the_middle(
    trader: Installation, market: LocalTestnet, daemon: DaemonProcess, first: int = 0
) -> None:
    """SIGUSR1 while decisions come without end: what follows is denied, and nothing is sent."""
    trader.decide(*numbered(200, first=first))
    await until(lambda: len(market.truth()["orders"]) >= 30, "30 orders")
    signalled_ms = epoch_ms(CLOCK.now().isoformat())
    daemon.send(signal.SIGUSR1)
    assert len(market.truth()["orders"]) < 190, "the signal came too late to tell anything"
    latched_ms = await latched_at_ms(trader)
    await until(
        lambda: epoch_ms(CLOCK.now().isoformat()) > signalled_ms + 1200, "a second and some"
    )
    trader.decide(*numbered(20, first=first + 200))
    await trader.decided(first + 220)
    checks.nothing_sent_after_the_latch(market.truth(), latched_ms, signalled_ms)


async def killed_9_after_the_signal(trader: Installation) -> DaemonProcess:
    """SIGUSR1, and kill -9 once the daemon says that it is halted: the next start is halted too."""
    daemon = await (await trader.start()).in_state("RUNNING")
    daemon.send(signal.SIGUSR1)
    await daemon.logged("kill.tripped")
    await daemon.kill_9()
    again = await trader.start()

    def settled() -> list[str]:
        states = [line["state"] for line in again.events("state.changed")]
        return [state for state in states if state in ("HALTED", "RUNNING")]

    (state, *_) = await until(settled, "a state")
    assert state == "HALTED", f"the restart is {state}"
    return again


async def latched_at_ms(trader: Installation) -> float:
    """Return when the latch says that it was tripped, epoch milliseconds."""
    latch = trader.state_dir / "kill.latch"

    def tripped() -> bytes:
        return latch.read_bytes() if latch.exists() else b""

    line = (await until(tripped, "the latch")).splitlines()[0]
    return datetime.fromisoformat(json.loads(line)["at"]).timestamp() * 1000


async def many_at_once_under_one_limit(
    trader: Installation, market: LocalTestnet, *, deaf: bool = False
) -> None:
    """Eight decisions at once, where the limit leaves room for one, and a venue that answers none.

    The venue's own total of the position stays below the limit.
    """
    if deaf:
        market.faults.add(DEAF)
    daemon = await (await trader.start()).in_state("RUNNING")
    market.faults.add(ORDER | {"fault": "no_answer_after", "count": 100})
    trader.decide(*({**decision, "qty": "0.1"} for decision in numbered(8)))
    await trader.decided(8)
    await daemon.stop()
    bought = sum(Decimal(order["executedQty"]) for order in market.truth()["orders"])
    assert bought == Decimal("0.1"), f"the limit leaves room for 0.1 BTC, bought were {bought}"


async def a_looser_limit_is_saved(trader: Installation, market: LocalTestnet) -> DaemonProcess:
    """A limit that denies every decision is saved five hundred times as high, and signalled.

    Nothing may leave before a restart.
    """
    daemon = await (await trader.start()).in_state("RUNNING")
    trader.write_config({"risk_guardrails": {"max_notional_per_order": 50000}})
    daemon.send(signal.SIGHUP)
    await until(
        lambda: daemon.events("config.refused") or daemon.events("config.reloaded"),
        "what became of the file",
    )
    trader.decide(*numbered(1))
    await trader.decided(1)
    assert market.truth()["orders"] == [], "a reload has loosened a limit"
    return daemon
