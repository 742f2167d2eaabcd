"""Stop orders: what triggers them, what they then do, and how the venue shows them."""

import pytest

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import format_amount, parse_amount
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.events import Execution, ExecutionType, RejectReason
from otonom_trader.testnet.orders import (
    ExpiryReason,
    NewOrder,
    Order,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tests.testnet.conftest import Client
from tests.testnet.test_engine import Floor, held

BTC = {"symbol": "BTCUSDT"}


@pytest.fixture
def floor() -> Floor:
    return Floor()


@pytest.fixture
def ann(floor: Floor) -> Account:
    return floor.account("ann")


@pytest.fixture
def ben(floor: Floor) -> Account:
    return floor.account("ben")


@pytest.fixture
def cat(floor: Floor) -> Account:
    return floor.account("cat")


def print_at(floor: Floor, one: Account, other: Account, *prices: str) -> None:
    """Trade once at each price, between two others."""
    for price in prices:
        floor.sell(one, "0.001", price)
        floor.buy(other, "0.001", price)


def stop(
    floor: Floor,
    account: Account,
    kind: OrderType,
    side: Side,
    stop_price: str = "0",
    *,
    price: str = "0",
    delta: int = 0,
    tif: TimeInForce = TimeInForce.GTC,
    qty: str = "1",
) -> Order:
    floor.last_id += 1
    order, floor.events = floor.engine.place(
        account,
        NewOrder(
            symbol="BTCUSDT",
            side=side,
            type=kind,
            client_id=f"c{floor.last_id}",
            qty=parse_amount(qty),
            price=parse_amount(price),
            stop_price=parse_amount(stop_price),
            trailing_delta=delta,
            time_in_force=tif,
        ),
        floor.last_id,
    )
    return order


def since(order: Order) -> int | None:
    """When the order began to work."""
    return order.working_ms


@pytest.mark.parametrize(
    ("kind", "side", "waiting", "met"),
    [
        ("STOP_LOSS", Side.BUY, "20099.99", "20100"),
        ("STOP_LOSS", Side.SELL, "19900.01", "19900"),
        ("TAKE_PROFIT", Side.SELL, "20099.99", "20100"),
        ("TAKE_PROFIT", Side.BUY, "19900.01", "19900"),
    ],
)
@pytest.mark.parametrize("limited", [False, True])
def test_a_stop_waits_for_the_price_on_its_side_of_the_market(
    floor: Floor,
    ann: Account,
    ben: Account,
    cat: Account,
    kind: str,
    side: Side,
    waiting: str,
    met: str,
    *,
    limited: bool,
) -> None:
    print_at(floor, ben, cat, "20000")
    order = stop(
        floor,
        ann,
        OrderType(f"{kind}_LIMIT" if limited else kind),
        side,
        met,
        price="20000" if limited else "0",
    )
    assert since(order) is None
    print_at(floor, ben, cat, waiting)
    assert since(order) is None
    print_at(floor, ben, cat, met)
    assert since(order) == floor.last_id
    if limited:
        assert order.is_open
    else:
        assert order.expiry_reason is ExpiryReason.INSUFFICIENT_LIQUIDITY


@pytest.mark.parametrize(
    ("kind", "side", "stop_price"),
    [
        (OrderType.STOP_LOSS, Side.BUY, "20000"),
        (OrderType.STOP_LOSS, Side.SELL, "20000"),
        (OrderType.TAKE_PROFIT, Side.BUY, "20001"),
        (OrderType.TAKE_PROFIT, Side.SELL, "19999"),
    ],
)
def test_a_stop_whose_price_is_met_already_is_refused(
    floor: Floor, ann: Account, ben: Account, kind: OrderType, side: Side, stop_price: str
) -> None:
    print_at(floor, ann, ben, "20000")
    with pytest.raises(VenueError, match="Order would trigger immediately"):
        stop(floor, ann, kind, side, stop_price)


def test_a_triggered_stop_takes_after_the_order_that_triggered_it(
    floor: Floor, ann: Account, ben: Account, cat: Account
) -> None:
    print_at(floor, ben, cat, "20000")
    order = stop(floor, ann, OrderType.STOP_LOSS, Side.SELL, "19900", qty="0.5")
    floor.buy(ben, "1", "19900")
    floor.buy(ben, "1", "19800")
    floor.sell(cat, "1.75", "19800")
    assert order.status is OrderStatus.PARTIALLY_FILLED or order.status is OrderStatus.EXPIRED
    assert floor.trades == [
        ("19900.00000000", "1.00000000"),
        ("19800.00000000", "0.75000000"),
        ("19800.00000000", "0.25000000"),
    ]
    assert format_amount(order.executed) == "0.25000000"


def test_what_is_told_of_a_stop(floor: Floor, ann: Account, ben: Account, cat: Account) -> None:
    print_at(floor, ben, cat, "20000")
    order = stop(floor, ann, OrderType.STOP_LOSS_LIMIT, Side.SELL, "19900", price="19950")
    placed = [event for event in floor.events if isinstance(event, Execution)]
    assert [(e.type, e.status, e.is_on_book, e.working_ms) for e in placed] == [
        (ExecutionType.NEW, OrderStatus.NEW, False, None)
    ]
    print_at(floor, ben, cat, "19900")
    told = [e for e in floor.events if isinstance(e, Execution) and e.order is order]
    assert [(e.type, e.status, e.is_on_book) for e in told] == [
        (ExecutionType.NEW, OrderStatus.NEW, True)
    ]
    assert told[0].working_ms == floor.last_id


def test_stops_trigger_each_other_in_a_chain(
    floor: Floor, ann: Account, ben: Account, cat: Account
) -> None:
    print_at(floor, ben, cat, "20000")
    lower = stop(floor, ann, OrderType.STOP_LOSS, Side.SELL, "19800", qty="0.1")
    upper = stop(floor, ann, OrderType.STOP_LOSS, Side.SELL, "19900", qty="0.1")
    for price in ("19900", "19800", "19700"):
        floor.buy(ben, "0.1", price)
    floor.sell(cat, "0.1", "19900")
    assert [price for price, _ in floor.trades] == [
        "19900.00000000",
        "19800.00000000",
        "19700.00000000",
    ]
    assert (upper.status, lower.status) == (OrderStatus.FILLED, OrderStatus.FILLED)


def test_a_market_stop_to_buy_pays_what_the_book_asks_or_expires(
    floor: Floor, ann: Account, ben: Account, cat: Account
) -> None:
    print_at(floor, ben, cat, "20000")
    paid = stop(floor, ann, OrderType.STOP_LOSS, Side.BUY, "20100", qty="1")
    assert held(ann, "USDT") == ("79900.00000000", "20100.00000000")
    floor.sell(ben, "1", "30000")
    print_at(floor, ben, cat, "20100")
    assert paid.status is OrderStatus.FILLED
    assert held(ann, "USDT") == ("70000.00000000", "0.00000000")
    poor = stop(floor, ann, OrderType.STOP_LOSS, Side.BUY, "30100", qty="2")
    floor.sell(ben, "2", "36000")
    print_at(floor, ben, cat, "30100")
    assert (poor.status, poor.expiry_reason) == (OrderStatus.EXPIRED, ExpiryReason.REJECTED)
    reasons = [e.reject_reason for e in floor.events if isinstance(e, Execution)]
    assert RejectReason.INSUFFICIENT_BALANCES in reasons
    assert held(ann, "USDT") == ("70000.00000000", "0.00000000")


def test_a_cancelled_stop_never_triggers(
    floor: Floor, ann: Account, ben: Account, cat: Account
) -> None:
    print_at(floor, ben, cat, "20000")
    order = stop(floor, ann, OrderType.STOP_LOSS, Side.SELL, "19900")
    floor.engine.cancel(order, "x", 99)
    print_at(floor, ben, cat, "19900")
    assert (order.status, order.working_ms) == (OrderStatus.CANCELED, None)
    assert held(ann, "BTC") == ("10.00000000", "0.00000000")


def test_a_stop_before_the_first_trade_waits_for_it(
    floor: Floor, ann: Account, ben: Account, cat: Account
) -> None:
    order = stop(floor, ann, OrderType.STOP_LOSS, Side.SELL, "19900")
    print_at(floor, ben, cat, "19901")
    assert order.is_open
    print_at(floor, ben, cat, "19900")
    assert not order.is_open


# The scenarios of the FAQ "Spot Trailing Stop order".
SCENARIOS = [
    pytest.param(
        *("STOP_LOSS_LIMIT", Side.BUY, "44000", 500, "45000"),
        ["37000", "43999", "44000", "46000", "42000", "44099.99"],
        "44100",
        id="A",
    ),
    pytest.param(
        *("STOP_LOSS_LIMIT", Side.SELL, "39000", 1000, "38000"),
        ["41500", "39000", "37000", "41000", "36900.01"],
        "36900",
        id="B",
    ),
    pytest.param(
        *("TAKE_PROFIT_LIMIT", Side.BUY, "38000", 850, "38500"),
        ["42000", "38000", "37000", "39000", "38000", "40144.99"],
        "40145",
        id="C",
    ),
    pytest.param(
        *("TAKE_PROFIT_LIMIT", Side.SELL, "42000", 750, "41000"),
        ["41500", "39000", "42000", "45000", "44000", "46500", "43012.51"],
        "43012.5",
        id="D",
    ),
    pytest.param(
        *("STOP_LOSS_LIMIT", Side.SELL, "0", 700, "39000"),
        ["42000", "39500", "45500", "42315.01"],
        "42315",
        id="E",
    ),
]


@pytest.mark.parametrize(
    ("kind", "side", "stop_price", "delta", "price", "path", "last"), SCENARIOS
)
def test_a_trailing_stop_is_triggered_as_in_the_documented_scenarios(
    floor: Floor,
    ann: Account,
    ben: Account,
    cat: Account,
    kind: str,
    side: Side,
    stop_price: str,
    delta: int,
    price: str,
    path: list[str],
    last: str,
) -> None:
    print_at(floor, ben, cat, "40000")
    order = stop(floor, ann, OrderType(kind), side, stop_price, price=price, delta=delta)
    assert (order.trailing_ms is None) is (stop_price != "0")
    print_at(floor, ben, cat, *path)
    assert order.working_ms is None
    assert order.trailing_ms is not None
    print_at(floor, ben, cat, last)
    assert order.working_ms == floor.last_id


async def test_rest_shows_a_stop_that_waits(alice: Client, bob: Client) -> None:
    await bob.limit("SELL", "0.1", "20000")
    await bob.limit("BUY", "0.1", "20000", selfTradePreventionMode="EXPIRE_MAKER")
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000")
    now = alice.clock.time_ms()
    placed = await alice.order(
        **BTC,
        side="SELL",
        type="STOP_LOSS_LIMIT",
        timeInForce="GTC",
        quantity="0.2",
        price="18000",
        stopPrice="19000",
        trailingDelta="100",
        icebergQty="0.1",
        strategyId="5",
        newOrderRespType="RESULT",
    )
    assert placed.content == {
        "symbol": "BTCUSDT",
        "orderId": placed.content["orderId"],
        "orderListId": -1,
        "clientOrderId": placed.content["clientOrderId"],
        "transactTime": now,
        "price": "18000.00000000",
        "origQty": "0.20000000",
        "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "STOP_LOSS_LIMIT",
        "side": "SELL",
        "stopPrice": "19000.00000000",
        "trailingDelta": 100,
        "trailingTime": -1,
        "workingTime": -1,
        "icebergQty": "0.10000000",
        "strategyId": 5,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    found = await alice.signed("GET", "/api/v3/order", **BTC, orderId=placed.content["orderId"])
    assert found.content["isWorking"] is False
    assert found.content["workingTime"] == -1
    assert found.content["stopPrice"] == "19000.00000000"
    assert (await alice.get("/api/v3/depth", **BTC)).content["asks"] == []


async def test_an_acknowledgement_is_the_default_reply_to_a_stop(alice: Client) -> None:
    placed = await alice.order(
        **BTC, side="SELL", type="STOP_LOSS", quantity="0.1", stopPrice="19000"
    )
    assert list(placed.content) == [
        *("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
    ]


async def test_an_account_has_at_most_5_stops_open_in_a_symbol(alice: Client) -> None:
    order = BTC | {"side": "SELL", "type": "STOP_LOSS", "quantity": "0.1", "stopPrice": "19000"}
    for _ in range(5):
        assert (await alice.order(**order)).status == 200
    answer = await alice.order(**order)
    assert answer.refusal == (400, -2010, "Filter failure: MAX_NUM_ALGO_ORDERS")
