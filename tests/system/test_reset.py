"""A venue that was reset gives the ids of its trades a second time."""

from tests.system.conftest import Install
from tests.system.harness import DaemonProcess, Installation
from tests.system.test_contradictions import differences, opened, port_of
from tests.system.test_streams import outcome

BUY = {"symbol": "BTC-USDT", "direction": "BUY", "qty": "0.01"}
SAID = "trade 1 of BTC-USDT is on record with another order, price or quantity than the venue now"


async def filled(trader: Installation, id_: str) -> None:
    trader.decide({"id": id_, **BUY})
    await outcome(trader, id_, "filled")


async def halted_by_a_reset(trader: Installation, id_: str) -> DaemonProcess:
    """Have the first order after the reset met by the id of a trade before it."""
    daemon = await (await trader.start()).in_state("RUNNING")
    trader.decide({"id": id_, **BUY})
    tripped = await daemon.logged("kill.tripped")
    assert tripped["reason"].startswith(SAID)
    assert tripped["reason"].endswith("another took its place (by reconciliation)")
    return daemon


async def test_it_halts_and_the_order_stays_unknown_until_a_new_state_directory(
    install: Install,
) -> None:
    async with opened() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        await filled(trader, "before")
        await daemon.stop()

    async with opened(port_of(market)) as market:
        daemon = await halted_by_a_reset(trader, "after")
        rows = {row["decision_id"]: row for row in await trader.executions()}
        assert rows["before"]["outcome"] == "filled"
        assert rows["after"]["outcome"] == "unknown"
        assert SAID in rows["after"]["broker_message"]
        (difference,), said = await differences(trader)
        assert (difference["kind"], difference["venue"]) == ("reused", "filled, filled 0.01")
        assert "start it with a new state directory (--state-dir)" in said
        refused = await trader.command("resume", "--reason", "hope")
        assert (refused.status, refused.out) == (77, "")
        assert "still halted: trade 1 of BTC-USDT is on record" in refused.err
        assert len(daemon.events("kill.tripped")) == 1
        await daemon.stop()

        # Neither a restart nor a command without a daemon gets by it.
        daemon = await (await trader.start()).in_state("HALTED")
        await daemon.logged("stream.connected")
        await differences(trader)
        await daemon.stop()
        await differences(trader)

        afresh = install(market.url)
        daemon = await (await afresh.start()).in_state("RUNNING")
        await filled(afresh, "next")
        await daemon.stop()
    accepted = [one for one in market.truth()["requests"] if one["accepted"]]
    assert len(accepted) == 2, "the one after the reset, and the one of the new directory"
