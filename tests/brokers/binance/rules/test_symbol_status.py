"""A symbol whose rules or status change while orders go out: what is done then, and what not."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.errors import NotTrading
from otonom_trader.brokers.binance.shadow import BinanceShadow
from otonom_trader.domain.order import OrderRequest, OrderState, OrderStatus
from otonom_trader.testnet import AccountConfig, LocalTestnet, MarketSpec, TestnetConfig
from tests.brokers.binance.conftest import API_KEY, API_SECRET, SteppedClock, StubVenue, refuse

TRADER = AccountConfig(
    api_key="trader-key",
    api_secret="trader-secret",
    name="trader",
    balances={"USDT": Decimal(1_000_000), "BTC": Decimal(20)},
)
CLOSED = ["HALT", "BREAK", "END_OF_DAY", "CANCEL_ONLY"]


@pytest.fixture
async def local() -> AsyncIterator[LocalTestnet]:
    config = TestnetConfig(accounts=(TRADER,), market=MarketSpec("empty"))
    async with LocalTestnet(config) as opened:
        yield opened


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def broker(local: LocalTestnet, clock: SteppedClock) -> AsyncIterator[BinanceBroker]:
    async with BinanceBroker(TRADER.api_key, TRADER.api_secret, local.url, clock=clock) as opened:
        yield opened


def limit(price: str = "20000", client_order_id: str | None = None) -> OrderRequest:
    return OrderRequest("BTCUSDT", "BUY", "0.01", price, "LIMIT", client_order_id=client_order_id)


def placed(local: LocalTestnet) -> int:
    """How many orders were asked for, taken or not."""
    requests = local.truth()["requests"]
    return sum((one["method"], one["path"]) == ("POST", "/api/v3/order") for one in requests)


@pytest.mark.parametrize("status", CLOSED)
async def test_a_symbol_that_stops_trading_is_noticed_and_its_orders_can_be_cancelled(
    local: LocalTestnet, broker: BinanceBroker, clock: SteppedClock, status: str
) -> None:
    assert (await broker.place_order(limit(client_order_id="mine-1"))).ok
    local.exchange.change_symbol("BTCUSDT", status=status)
    # The rules that are known are an hour old at most: once, the venue has to say so.
    first = await broker.place_order(limit(client_order_id="mine-2"))
    assert (first.state, first.code, first.venue_code) == (
        OrderState.REJECTED,
        "market_closed",
        -2010,
    )
    second = await broker.place_order(limit(client_order_id="mine-3"))
    assert (second.state, second.code) == (OrderState.REJECTED, "not_trading")
    assert f"BTCUSDT is {status}, not TRADING" in second.message
    assert placed(local) == 2
    found = await broker.find_order("BTCUSDT", "mine-1")
    assert found is not None
    assert found.status is OrderStatus.NEW
    assert (await broker.cancel_order("mine-1", "BTCUSDT")).status is OrderStatus.CANCELED
    instrument = await broker.get_instrument("BTCUSDT")
    assert (instrument.tradable, instrument.status) == (False, status)
    # It is looked at again within seconds.
    local.exchange.change_symbol("BTCUSDT", status="TRADING")
    clock.advance(10.1)
    assert (await broker.place_order(limit(client_order_id="mine-4"))).ok


async def test_an_empty_book_is_told_as_what_it_is_where_the_symbol_has_ceased_to_trade(
    local: LocalTestnet, broker: BinanceBroker
) -> None:
    assert not (await broker.get_market("BTC-USDT")).book.bids
    local.exchange.change_symbol("BTCUSDT", status="HALT")
    with pytest.raises(NotTrading, match="BTC-USDT is not trading: its status is HALT") as refusal:
        await broker.get_market("BTC-USDT")
    assert refusal.value.code == "not_tradable"


COARSE: dict[str, dict[str, Any]] = {
    "LOT_SIZE": {"minQty": "0.1", "maxQty": "9", "stepSize": "0.1"},
    "NOTIONAL": {
        "minNotional": "500",
        "applyMinToMarket": True,
        "maxNotional": "9000000",
        "applyMaxToMarket": False,
        "avgPriceMins": 5,
    },
    "MAX_NUM_ORDERS": {"maxNumOrders": 0},
}


@pytest.mark.parametrize("name", COARSE)
async def test_rules_that_change_are_read_again_after_the_first_refusal(
    local: LocalTestnet, broker: BinanceBroker, name: str
) -> None:
    assert (await broker.place_order(limit())).ok
    local.exchange.change_symbol("BTCUSDT", filters=[{"filterType": name} | COARSE[name]])
    refused = await broker.place_order(limit())
    assert (refused.state, refused.code) == (OrderState.REJECTED, "filter_failure")
    assert f"Filter failure: {name}" in refused.message
    assert refused.venue_code in (-1013, -2010)
    again = await broker.place_order(limit())
    assert again.code == "filter_failure"
    # How many orders are open is the venue's to count; the rest is known now.
    assert placed(local) == (3 if name == "MAX_NUM_ORDERS" else 2)


@pytest.mark.parametrize("code", [-1013, -1111, -1121])
async def test_shadow_reads_rules_again_after_a_refusal_by_them(
    venue: StubVenue, code: int
) -> None:
    async with BinanceShadow(API_KEY, API_SECRET, venue.url) as shadow:
        venue.on("POST", "/api/v3/order/test", refuse(400, code, "Refused by a rule."))
        for _ in range(2):
            assert (await shadow.place_order(limit())).state is OrderState.REJECTED
    assert len(venue.seen("GET", "/api/v3/exchangeInfo")) == 2
