"""Prices from the market streams: what they spare, and that nothing is decided on old ones."""

from typing import Any

import pytest

from tests.system import checks
from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.harness import until
from tests.system.markets import account, venue

STREAMS = {"broker": {"binance": {"market_data": "streams"}}}
NO_REST: dict[str, Any] = {"path": "/api/v3/depth", "fault": "http_503", "seconds": 600}
HEARD: dict[str, Any] = {"path": "btcusdt@depth@100ms", "fault": "duplicate", "count": 5}
"""Does no harm, and is used up by events."""
SILENT: dict[str, Any] = {"path": "btcusdt@depth@100ms", "fault": "silence", "seconds": 600}


@pytest.mark.parametrize("mode", ["off", "live"])
async def test_decisions_are_priced_from_the_stream_while_it_lives_and_never_from_a_dead_one(
    install: Install, mode: str
) -> None:
    async with venue(account(USDT="100000")) as market:
        trader = install(market.url, mode=mode, broker=STREAMS)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(1))
        await trader.decided(1)
        market.faults.add(HEARD)
        await until(lambda: not market.faults.in_force(), "events that somebody hears")

        market.faults.add(NO_REST)
        trader.decide(*numbered(10, first=1))
        await trader.decided(11)
        assert not daemon.events("market.unreadable"), "the stream alone was enough"

        market.faults.add(SILENT)
        decided = 11

        async def answered() -> bool:
            counts = (await trader.status()).get("decisions", {})
            return sum(counts.values()) >= decided or bool(daemon.events("market.unreadable"))

        # What was proven before may still be used, for a second.
        while not daemon.events("market.unreadable"):
            trader.decide(*numbered(1, first=decided))
            decided += 1
            await until(answered, "a decision that is carried out, or has no price")

        market.faults.end_all()
        await trader.decided(decided)
        await daemon.stop()
        checks.every_decision_has_one_execution(
            (f"d{n}" for n in range(decided)), await trader.executions()
        )
