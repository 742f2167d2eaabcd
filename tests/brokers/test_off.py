"""Mode off: markets can be seen, and nothing can be sent."""

from decimal import Decimal

import pytest

from otonom_trader.brokers.binance.market_data import BinanceMarketData
from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.off import OffVenue
from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotPermitted
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest, OrderState
from otonom_trader.domain.symbol import Symbol


@pytest.fixture
def behind() -> DummyBroker:
    return DummyBroker(prices={"BTC-USDT": 50000})


@pytest.fixture
def venue(behind: DummyBroker) -> OffVenue:
    return OffVenue(behind, "dummy", SystemClock())


async def test_markets_are_those_of_the_venue(venue: OffVenue) -> None:
    btc = Symbol("BTC", "USDT")
    assert (await venue.get_instrument("btc/usdt")).symbol == btc
    assert (await venue.get_market("BTCUSDT")).mark == 50000
    assert await venue.get_marks([btc]) == {btc: Decimal(50000)}


async def test_an_order_is_answered_and_not_sent(venue: OffVenue, behind: DummyBroker) -> None:
    result = await venue.place_order(OrderRequest("BTCUSDT", "BUY", 1, client_order_id="mine"))
    assert (result.state, result.code) == (OrderState.NOT_SENT, "mode_off")
    assert result.message == "Not sent: the mode is off, no broker is used"
    assert await behind.find_order("BTCUSDT", "mine") is None
    assert await behind.get_open_orders() == []


async def test_there_is_no_account_and_nothing_to_cancel(venue: OffVenue) -> None:
    assert venue.mode is Mode.OFF
    assert await venue.get_account_key() == AccountKey("off", "dummy", "paper")
    assert (await venue.get_account()).balances == {}
    assert await venue.get_account_balance() == {}
    assert await venue.get_positions() == []
    assert await venue.get_open_orders() == []
    assert await venue.find_order("BTCUSDT", "mine") is None
    with pytest.raises(NotPermitted, match="the mode is off"):
        await venue.cancel_order("mine")


async def test_what_off_sees_binance_through_can_place_no_order_and_holds_no_key() -> None:
    async with OffVenue(
        BinanceMarketData("https://testnet.binance.vision", clock=SystemClock()),
        "testnet.binance.vision",
        SystemClock(),
    ) as venue:
        seen = venue._market_data
        assert not {"place_order", "place", "cancel_order", "get_account"} & set(dir(seen))
        assert not any("secret" in name or "credential" in name for name in vars(seen))
