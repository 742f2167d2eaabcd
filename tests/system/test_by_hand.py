"""What the account's owner does to our orders, past the daemon."""

from decimal import Decimal
from pathlib import Path

from otonom_trader.domain.decision import Direction
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.mode import DaemonState
from tests.system.rig import Rig, rig

AMEND, ORDER = "/api/v3/order/amend/keepPriority", "/api/v3/order"


async def resting(one: Rig) -> TradeExecutionLog:
    row = await one.decide("0.02", price=Decimal(19_995), direction=Direction.BUY)
    assert row.outcome is Outcome.RESTING
    return row


async def sell_into_it(one: Rig) -> None:
    wanted = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "IOC"}
    await one.ask("orders", wanted | {"quantity": "1", "price": "19995", "account": "other"})


async def test_an_order_that_was_cancelled_is_known_to_be(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        row = await resting(one)
        await one.by_hand(
            "DELETE", ORDER, symbol="BTCUSDT", origClientOrderId=row.client_order_id or ""
        )
        await one.becomes(row, Outcome.CANCELLED)
        await one.agree()


async def test_an_order_that_was_amended_is_followed_to_its_end(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        row = await resting(one)
        id_ = row.client_order_id or ""
        amended = {"symbol": "BTCUSDT", "origClientOrderId": id_, "newQty": "0.01"}
        await one.by_hand("PUT", AMEND, **amended, newClientOrderId=id_)
        await one.recovery.refresh(one.floor)
        assert await one.outcome(row) is Outcome.RESTING
        await sell_into_it(one)
        await one.becomes(row, Outcome.FILLED)
        (told,) = await one.journal.executions()
        assert (told["qty"], told["broker_qty"]) == ("0.02", "0.01")
        assert one.broker.exposure().pending_buys == {}


async def test_an_order_that_was_renamed_by_its_amendment_halts(tmp_path: Path) -> None:
    """Under the id that was given it the venue tells of another: nothing is guessed."""
    async with rig(tmp_path) as one:
        row = await resting(one)
        amended = {"origClientOrderId": row.client_order_id or "", "newQty": "0.01"}
        renamed = await one.by_hand("PUT", AMEND, symbol="BTCUSDT", **amended)
        await one.recovery.refresh(one.floor)
        assert one.state is DaemonState.HALTED
        assert renamed["amendedOrder"]["clientOrderId"] in one.switch.reason
        assert await one.outcome(row) is Outcome.RESTING


async def test_an_order_that_was_replaced_is_cancelled_and_the_other_is_somebody_s(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as one:
        row = await resting(one)
        await one.by_hand(
            "POST",
            "/api/v3/order/cancelReplace",
            symbol="BTCUSDT",
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity="0.01",
            price="19000",
            cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrigClientOrderId=row.client_order_id or "",
        )
        await one.becomes(row, Outcome.CANCELLED)
        await one.recovery.refresh(one.floor)
        assert one.state is DaemonState.RUNNING
        assert [each.price for each in one.broker.account.foreign.values()] == [19000]
