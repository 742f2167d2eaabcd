"""Journal and venue that contradict each other: what is said, and how a person gets out of it.

The venue is one that forgets, as a test network does when it is reset: another testnet takes the
place of the first, on the same port.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from otonom_trader.storage.journal import Journal
from otonom_trader.testnet import LocalTestnet
from tests.system.conftest import Install
from tests.system.harness import CLOCK, Installation
from tests.system.markets import account, venue, write_book
from tests.system.test_streams import limit_buy, outcome

ASKS, BIDS = (("20000", "1"),), (("19000", "1"),)


@asynccontextmanager
async def opened(port: int = 0) -> AsyncIterator[LocalTestnet]:
    """A venue with a book, which knows of nothing that happened before."""
    maker = account("maker", USDT="10000000", BTC="1000")
    async with venue(maker, account(), market="empty", port=port) as market:
        write_book(market, ASKS, BIDS)
        yield market


def port_of(market: LocalTestnet) -> int:
    return int(market.url.rpartition(":")[2])


async def rests(trader: Installation, qty: str = "0.03") -> str:
    """Have an order rest at the venue; return its client order id."""
    trader.decide(limit_buy("rests", "19500", qty))
    return str((await outcome(trader, "rests", "resting"))["client_order_id"])


async def differences(trader: Installation) -> tuple[list[dict[str, Any]], str]:
    """Return what ``reconcile`` shows of a contradiction, and what it says about it."""
    told = await trader.command("reconcile", "--json")
    assert told.status == 77
    return json.loads(told.out), told.err


async def test_a_running_daemon_stays_halted_until_the_forgotten_order_is_written_off(
    install: Install,
) -> None:
    async with opened() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        id_ = await rests(trader)
        known = await trader.command("write-off", id_, "--reason", "too early")
        assert (known.status, known.out) == (77, "")
        assert "the venue knows it as NEW" in known.err
    asked = await trader.command("write-off", id_, "--reason", "nobody answers")
    assert asked.status == 69
    assert "the venue cannot be asked for it" in asked.err
    compared = await trader.command("reconcile")
    assert (compared.status, compared.out) == (69, "")
    assert compared.err.startswith("otonom-trader: the venue cannot be asked: ")
    assert (await trader.command("resume", "--reason", "nobody answers")).status == 69

    async with opened(port_of(market)) as market:
        await daemon.logged("kill.tripped")
        (row,), said = await differences(trader)
        assert (row["kind"], row["client_order_id"]) == ("forgotten", id_)
        assert (row["journal"], row["venue"]) == ("resting, filled 0", "not known")
        assert f"the venue does not know order {id_}, which it accepted" in said
        assert f"otonom-trader write-off {id_} --reason TEXT" in said
        refused = await trader.command("resume", "--reason", "too early")
        assert (refused.status, refused.out) == (77, "")
        assert f"still halted: the venue does not know order {id_}" in refused.err
        assert len(daemon.events("kill.tripped")) == 1
        await daemon.stop()

        daemon = await (await trader.start()).in_state("HALTED")
        await daemon.logged("stream.connected")
        await differences(trader)
        assert len(daemon.events("kill.tripped")) == 1
        written = await trader.command("write-off", id_, "--reason", "the network was reset")
        assert written.out == f"order {id_} is written off: cancelled, filled 0 of 0.03\n"
        again = await trader.command("write-off", id_, "--reason", "again")
        assert (again.status, again.out) == (77, "")
        assert "it has ended already" in again.err
        assert (await trader.command("reconcile")).out == "journal and venue agree\n"
        resumed = await trader.command("resume", "--reason", "the network was reset")
        assert resumed.out == "resumed: RUNNING\n"
        trader.decide({"id": "next", "symbol": "BTC-USDT", "direction": "BUY", "qty": "0.01"})
        await outcome(trader, "next", "filled")
        await daemon.stop()
    async with Journal(trader.journal_path, clock=CLOCK) as journal:
        events = [(event.action, event.reason) for event in await journal.kill_events()]
    assert [action for action, _ in events] == ["trip", "write_off", "resume"]
    assert events[1][1] == f"{id_}: the network was reset"


async def test_without_a_daemon_the_same_is_said_and_done_and_known_fills_stay(
    install: Install,
) -> None:
    async with opened() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        id_ = await rests(trader)
        write_book(market, (("19500", "0.01"),), BIDS)
        await daemon.logged("order.working", status="PARTIALLY_FILLED")
        await daemon.kill_9()
        (before,) = await trader.executions()

    async with opened(port_of(market)) as market:
        (row,), said = await differences(trader)
        assert (row["kind"], row["journal"]) == ("forgotten", "resting, filled 0.01")
        assert f"otonom-trader write-off {id_} --reason TEXT" in said
        assert (await trader.command("status", "--json")).json["kill_switch"] is True
        refused = await trader.command("resume", "--reason", "too early")
        assert refused.status == 77
        assert f"still halted: the venue does not know order {id_}" in refused.err
        once = await trader.command("once")
        assert once.status == 77
        assert "otonom-trader reconcile shows what to do" in once.err

        written = await trader.command("write-off", id_, "--reason", "the network was reset")
        assert written.out == f"order {id_} is written off: partly_filled, filled 0.01 of 0.03\n"
        (after,) = await trader.executions()
        assert after["outcome"] == "partly_filled"
        for name in ("broker_qty", "broker_fill_price", "broker_fees"):
            assert after[name] == before[name]
        assert Decimal((await trader.orders())[0]["executed_qty"]) == Decimal("0.01")
        assert (await trader.command("reconcile")).out == "journal and venue agree\n"
        resumed = await trader.command("resume", "--reason", "the network was reset")
        assert resumed.out == "resumed: STOPPED\n"
        await (await (await trader.start()).in_state("RUNNING")).stop()
