from decimal import Decimal

import pytest

from otonom_trader.brokers.binance.errors import Unreadable
from otonom_trader.domain.account import AccountKey, Balance
from otonom_trader.domain.errors import OutcomeUnknown, Rejected
from otonom_trader.domain.order import OrderStatus
from tests.brokers.binance.conftest import ACCOUNT, Desk, answer, queried_order, refuse


async def test_an_account_is_read_with_the_venues_time(desk: Desk) -> None:
    before_ns = desk.clock.monotonic_ns()
    snapshot = await desk.broker.get_account()
    assert snapshot.balances == {
        "BTC": Balance("BTC", Decimal("0.5"), Decimal("0.1")),
        "USDT": Balance("USDT", Decimal(1000)),
    }
    assert snapshot.updated_at.isoformat() == "2023-11-14T22:13:20+00:00"
    assert before_ns < snapshot.taken_ns < desk.clock.monotonic_ns()
    assert snapshot.uid == "354937868"
    request = desk.venue.seen("GET", "/api/v3/account")[0]
    assert request.is_well_signed
    assert request.params["omitZeroBalances"] == "true"


async def test_an_account_is_told_apart_by_mode_host_and_uid(desk: Desk) -> None:
    port = desk.venue.url.rpartition(":")[2]
    key = AccountKey("live", f"127.0.0.1:{port}", "354937868")
    assert await desk.broker.get_account_key() == key
    assert await desk.broker.get_account_key() == key
    assert len(desk.venue.seen("GET", "/api/v3/account")) == 1


async def test_positions_are_what_is_held_besides_cash(desk: Desk) -> None:
    assert await desk.broker.get_positions() == [
        {
            "asset": "BTC",
            "qty": Decimal("0.6"),
            "free": Decimal("0.5"),
            "locked": Decimal("0.1"),
        }
    ]
    assert set(await desk.broker.get_account_balance()) == {"BTC", "USDT"}


async def test_open_orders_are_listed_whoever_placed_them(desk: Desk) -> None:
    desk.venue.on(
        "GET",
        "/api/v3/openOrders",
        answer(
            200,
            [
                queried_order(status="PARTIALLY_FILLED", executedQty="0.00400000"),
                queried_order(orderId=29, clientOrderId="x", type="STOP_LOSS_LIMIT"),
            ],
        ),
    )
    first, second = await desk.broker.get_open_orders()
    assert (first.order_id, first.status) == ("28", OrderStatus.PARTIALLY_FILLED)
    assert first.filled_qty == Decimal("0.004")
    assert second.client_order_id == "x"


async def test_a_refused_key_is_an_error_and_no_empty_account(desk: Desk) -> None:
    desk.venue.on("GET", "/api/v3/account", refuse(401, -2015, "Invalid API-key."))
    for read in (desk.broker.get_account, desk.broker.get_positions, desk.broker.get_account_key):
        with pytest.raises(Rejected, match=r"GET /api/v3/account failed: HTTP 401 Unauthorized"):
            await read()


@pytest.mark.parametrize(
    "change",
    [
        {"balances": [{"asset": "BTC", "free": "NaN", "locked": "0"}]},
        {"balances": [{"asset": "BTC", "free": "1"}]},
        {"balances": None},
        {"uid": "354937868"},
        {"updateTime": -1},
    ],
    ids=str,
)
async def test_an_account_that_cannot_be_read_is_not_guessed_at(
    desk: Desk, change: dict[str, object]
) -> None:
    desk.venue.on("GET", "/api/v3/account", answer(200, ACCOUNT | change))
    with pytest.raises(Unreadable):
        await desk.broker.get_account()


async def test_a_503_is_no_empty_list_of_orders(desk: Desk) -> None:
    desk.venue.on("GET", "/api/v3/openOrders", answer(503, b""))
    with pytest.raises(OutcomeUnknown):
        await desk.broker.get_open_orders()


async def test_the_clock_is_read_again_before_it_is_needed(desk: Desk) -> None:
    await desk.broker.get_account_key()
    assert len(desk.venue.seen("GET", "/api/v3/time")) == 2
    desk.clock.advance(601)
    await desk.broker.get_account()
    assert len(desk.venue.seen("GET", "/api/v3/time")) == 2
    await desk.broker.get_account_key()
    assert len(desk.venue.seen("GET", "/api/v3/time")) == 4


async def test_a_clock_that_cannot_be_read_again_does_not_hide_whose_account_it_is(
    desk: Desk,
) -> None:
    key = await desk.broker.get_account_key()
    desk.clock.advance(601)
    desk.venue.on("GET", "/api/v3/time", answer(503, b""))
    assert await desk.broker.get_account_key() == key


async def test_the_clock_can_be_read_on_demand(desk: Desk) -> None:
    await desk.broker.sync_clock()
    assert len(desk.venue.seen("GET", "/api/v3/time")) == 2
