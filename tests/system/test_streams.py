"""What the venue tells by itself: fills of resting orders, strangers, a stream that breaks."""

from decimal import Decimal
from typing import Any

import aiohttp

from otonom_trader.testnet import LocalTestnet
from tests.system import checks
from tests.system.conftest import Install
from tests.system.harness import Installation, until
from tests.system.markets import account, venue

# Nothing is learnt by asking within these tests but what a stream asks for.
RARELY = {"schedule": {"account_refresh_seconds": 600}}


def limit_buy(id_: str, price: str, qty: str = "0.01") -> dict[str, object]:
    return {"id": id_, "symbol": "BTC-USDT", "direction": "BUY", "qty": qty, "price": price}


async def by_hand(market: LocalTestnet, path: str, body: dict[str, Any]) -> None:
    """Ask the testnet's control interface."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{market.url}/testnet/{path}", json=body) as reply,
    ):
        assert reply.status == 200, await reply.text()


async def order(market: LocalTestnet, side: str, qty: str, price: str, **more: str) -> None:
    """An order by another participant, or by hand in an account."""
    wanted = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC"}
    await by_hand(market, "orders", wanted | {"quantity": qty, "price": price} | more)


async def outcome(trader: Installation, id_: str, wanted: str) -> dict[str, Any]:
    async def found() -> list[dict[str, Any]]:
        rows = await trader.executions()
        return [row for row in rows if (row["decision_id"], row["outcome"]) == (id_, wanted)]

    return (await until(found, f"{id_} {wanted}"))[0]


async def test_a_resting_order_is_followed_as_it_is_told_of(install: Install) -> None:
    async with venue(account(USDT="100000"), market="empty") as market:
        await order(market, "SELL", "1", "20000")
        await order(market, "BUY", "1", "19000")
        trader = install(market.url, daemon=RARELY)
        daemon = await (await trader.start()).in_state("RUNNING")
        await daemon.logged("stream.connected")
        trader.decide(limit_buy("rests", "19500", "0.03"))
        await outcome(trader, "rests", "resting")

        await order(market, "SELL", "0.01", "19500")
        await daemon.logged("order.working", decision_id="rests", status="PARTIALLY_FILLED")

        # While the stream is down the rest is filled; it is asked for at once.
        await by_hand(market, "faults", {"path": "user", "fault": "omit", "count": 2})
        await order(market, "SELL", "0.02", "19500")
        await by_hand(market, "faults", {"path": "user", "fault": "drop", "count": 1})
        row = await outcome(trader, "rests", "filled")
        assert Decimal(row["broker_qty"]) == Decimal("0.03")
        await daemon.logged("stream.resumed")

        trader.decide(limit_buy("cancelled", "19100"))
        await outcome(trader, "cancelled", "resting")
        (resting,) = [one for one in market.truth()["orders"] if one["status"] == "NEW"]
        cancel = {"account": "trader", "symbol": "BTCUSDT", "orderId": resting["orderId"]}
        async with (
            aiohttp.ClientSession() as session,
            session.delete(f"{market.url}/testnet/orders", json=cancel) as reply,
        ):
            assert reply.status == 200, await reply.text()
        await outcome(trader, "cancelled", "cancelled")
        assert (await trader.command("reconcile")).out == "journal and venue agree\n"
        await daemon.stop()
        orders, executions = await trader.orders(), await trader.executions()
        checks.journal_equals_truth(orders, executions, market.truth())


async def test_what_happened_while_no_daemon_ran_is_told_by_reconcile(install: Install) -> None:
    async with venue(account(USDT="100000"), market="empty") as market:
        await order(market, "SELL", "1", "20000")
        await order(market, "BUY", "1", "19000")
        trader = install(market.url, daemon=RARELY)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(limit_buy("rests", "19500", "0.03"))
        row = await outcome(trader, "rests", "resting")
        await daemon.kill_9()
        await order(market, "SELL", "0.02", "19500")
        await order(market, "BUY", "0.01", "18000", account="trader", newClientOrderId="by-hand")

        told = (await trader.command("reconcile", "--json")).json
        assert [(one["kind"], one["client_order_id"], one["venue"]) for one in told] == [
            ("order", row["client_order_id"], "partially_filled, filled 0.02"),
            ("external", "by-hand", "BUY 0.01, filled 0"),
        ]
        assert (await trader.orders())[0]["executed_qty"] == "0.02"
        assert [one["kind"] for one in (await trader.command("reconcile", "--json")).json] == [
            "external"  # nobody remembers having told of it: each run tells it once
        ]


async def test_an_order_of_another_is_noted_and_one_with_our_prefix_halts(
    install: Install,
) -> None:
    async with venue(account(USDT="100000"), market="empty") as market:
        await order(market, "SELL", "1", "20000")
        await order(market, "BUY", "1", "19000")
        trader = install(market.url, daemon=RARELY)
        daemon = await (await trader.start()).in_state("RUNNING")
        await daemon.logged("stream.connected")
        mine = (market, "BUY", "0.01", "18000")
        await order(*mine, account="trader", newClientOrderId="by-hand")
        await daemon.logged("order.external", client_order_id="by-hand", status="NEW")
        assert (await trader.status())["state"] == "RUNNING"
        await order(*mine, account="trader", newClientOrderId="otn-" + "a" * 26)
        tripped = await daemon.logged("kill.tripped")
        assert "which carries our prefix, but the journal does not know it" in tripped["reason"]
        running = (await trader.command("orders", "--external", "--json")).json
        await daemon.stop()
        assert (await trader.command("orders", "--external", "--json")).json == running
        assert [(row["client_order_id"], row["status"], float(row["qty"])) for row in running] == [
            ("by-hand", "NEW", 0.01)
        ]
        shown = await trader.command("orders", "--external")
        assert shown.out.split()[:3] == ["Orders", "of", "others"]
        assert (await trader.command("orders", "--external", "--open")).status == 64
