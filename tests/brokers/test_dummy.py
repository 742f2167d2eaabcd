"""The dummy broker: an exchange in memory, for trying things out and for the tests."""

from decimal import Decimal

import pytest

from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.domain.account import Balance
from otonom_trader.domain.errors import NotSent, Rejected
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest, OrderState, OrderStatus, Side
from otonom_trader.domain.symbol import Symbol

D = Decimal


@pytest.fixture
def broker() -> DummyBroker:
    return DummyBroker(prices={"BTC-USDT": 50000})


def limit(side: str, price: int, tif: str = "GTC", qty: str = "0.1") -> OrderRequest:
    return OrderRequest("BTCUSDT", side, qty, price, "LIMIT", tif)


async def test_it_opens_with_play_money_and_needs_no_argument() -> None:
    async with DummyBroker() as dummy:
        assert await dummy.get_account_balance() == {"USDT": Balance("USDT", D(100000))}
        assert dummy.mode is Mode.SHADOW


async def test_a_market_order_fills_at_the_known_price(broker: DummyBroker) -> None:
    result = await broker.place_order(OrderRequest("btc-usdt", "BUY", "0.1", price=1))
    assert (result.state, result.status) == (OrderState.ACCEPTED, OrderStatus.FILLED)
    assert (result.symbol, result.side) == ("BTCUSDT", Side.BUY)
    assert result.filled_qty == D("0.1")
    assert result.avg_price == 50000
    assert sum(fill.quote_qty for fill in result.fills) == 5000
    assert await broker.get_account_balance() == {
        "USDT": Balance("USDT", D(95000)),
        "BTC": Balance("BTC", D("0.1")),
    }


async def test_without_a_known_price_the_requests_own_counts() -> None:
    dummy = DummyBroker()
    result = await dummy.place_order(OrderRequest("ETHUSDT", "BUY", 1, price=2000))
    assert result.avg_price == 2000
    unpriced = await dummy.place_order(OrderRequest("SOLUSDT", "BUY", 1))
    assert (unpriced.state, unpriced.code) == (OrderState.REJECTED, "no_price")
    with pytest.raises(NotSent, match="knows no price for SOL-USDT"):
        await dummy.get_market("SOLUSDT")


async def test_a_limit_that_does_not_cross_rests_until_it_is_cancelled(
    broker: DummyBroker,
) -> None:
    result = await broker.place_order(limit("BUY", 49999))
    assert result.status is OrderStatus.NEW
    assert [order.order_id for order in await broker.get_open_orders()] == [result.order_id]
    assert result.order_id is not None
    cancelled = await broker.cancel_order(result.order_id)
    assert (cancelled.state, cancelled.status) == (OrderState.ACCEPTED, OrderStatus.CANCELED)
    assert await broker.get_open_orders() == []
    again = await broker.cancel_order(result.order_id)
    assert (again.state, again.code) == (OrderState.REJECTED, "unknown_order")


async def test_a_limit_that_crosses_fills_at_the_market(broker: DummyBroker) -> None:
    result = await broker.place_order(limit("BUY", 50500))
    assert result.avg_price == 50000


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
async def test_an_immediate_limit_that_meets_nothing_expires(broker: DummyBroker, tif: str) -> None:
    result = await broker.place_order(limit("SELL", 50001, tif))
    assert result.status is OrderStatus.EXPIRED
    assert result.filled_qty == 0
    assert await broker.get_open_orders() == []


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (OrderRequest("BTCUSDT", "BUY", 3), "insufficient_balance", "not enough USDT"),
        (OrderRequest("BTCUSDT", "SELL", 1), "insufficient_balance", "not enough BTC"),
        (OrderRequest("BTCUSDT", "BUY", "0.000001"), "off_step", "off the step 0.00001"),
        (OrderRequest("nothing", "BUY", 1), "not_listed", "not a pair"),
    ],
)
async def test_a_refusal_is_an_answer_and_moves_nothing(
    broker: DummyBroker, request_: OrderRequest, code: str, message: str
) -> None:
    result = await broker.place_order(request_)
    assert (result.state, result.code, result.order_id) == (OrderState.REJECTED, code, None)
    assert result.message.startswith("Failed to place dummy order: ")
    assert message in result.message
    assert await broker.get_account_balance() == {"USDT": Balance("USDT", D(100000))}
    assert await broker.find_order("BTCUSDT", result.client_order_id or "") is None


@pytest.mark.parametrize("kind", ["LIMIT_MAKER", "STOP_LOSS_LIMIT"])
async def test_types_that_are_not_simulated_are_refused(broker: DummyBroker, kind: str) -> None:
    stop_price = None if kind == "LIMIT_MAKER" else 1
    request = OrderRequest("BTC-USDT", "BUY", "0.1", 1, kind, stop_price=stop_price)
    result = await broker.place_order(request)
    assert (result.state, result.code) == (OrderState.REJECTED, "order_type")
    assert result.message == f"Failed to place dummy order: {kind} orders are not simulated"


async def test_orders_are_found_by_their_client_order_id(broker: DummyBroker) -> None:
    placed = await broker.place_order(OrderRequest("BTCUSDT", "BUY", 1, client_order_id="mine"))
    assert await broker.find_order("BTCUSDT", "mine") == placed
    assert await broker.find_order("BTCUSDT", "other") is None


async def test_an_id_that_is_used_again_still_names_a_new_order_and_trade(
    broker: DummyBroker,
) -> None:
    request_ = OrderRequest("BTCUSDT", "BUY", "0.1", client_order_id="mine")
    one, other = await broker.place_order(request_), await broker.place_order(request_)
    assert one.order_id != other.order_id
    assert one.fills[0].trade_id != other.fills[0].trade_id


async def test_positions_are_what_is_held(broker: DummyBroker) -> None:
    await broker.place_order(OrderRequest("BTCUSDT", "BUY", 2))
    rows = {row["asset"]: row["qty"] for row in await broker.get_positions()}
    assert rows == {"BTC": D(2)}  # all money is spent


async def test_marks_are_the_prices_that_were_set(broker: DummyBroker) -> None:
    broker.set_price("ETHUSDT", "2000.5")
    marks = await broker.get_marks([Symbol("ETH", "USDT"), Symbol("SOL", "USDT")])
    assert marks == {Symbol("ETH", "USDT"): D("2000.5")}
    with pytest.raises(ValueError, match="price of ETHUSDT must be above zero"):
        broker.set_price("ETHUSDT", 0)


async def test_what_is_no_pair_has_no_instrument(broker: DummyBroker) -> None:
    with pytest.raises(Rejected, match="not a pair"):
        await broker.get_instrument("BTC")
