"""promises.md, P8: what a mode cannot do, its transport has no way to do."""

import inspect

import pytest

from otonom_trader.brokers.base import MarketData, Venue
from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.market_data import BinanceMarketData
from otonom_trader.brokers.binance.shadow import BinanceShadow
from otonom_trader.brokers.binance.transport.departure import Departure, GuardedRequest
from otonom_trader.brokers.binance.transport.governor import Toll
from otonom_trader.brokers.binance.transport.rest import PublicRequest, PublicTransport
from otonom_trader.brokers.binance.transport.signed_rest import (
    AccountRequest,
    CancelRequest,
    CancelTransport,
    LiveRequest,
    ShadowRequest,
    ShadowTransport,
)
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotSent
from otonom_trader.domain.order import OrderRequest
from tests.brokers.binance.conftest import API_KEY, API_SECRET, Gate, StubVenue

ORDER_ENDPOINTS = [
    (method, path)
    for method in ("POST", "DELETE", "PUT")
    for path in (
        "/api/v3/order",
        "/api/v3/order/cancelReplace",
        "/api/v3/openOrders",
        "/api/v3/orderList/oco",
        "/api/v3/sor/order",
    )
]


@pytest.mark.parametrize("request_class", [PublicRequest, AccountRequest, ShadowRequest])
def test_no_order_endpoint_is_open_but_to_live(request_class: type[GuardedRequest]) -> None:
    assert not request_class.allowed.intersection(ORDER_ENDPOINTS)
    posts = {path for method, path in request_class.allowed if method != "GET"}
    assert posts <= {"/api/v3/order/test"}


def test_live_places_orders_and_pairs_and_cancels_single_orders_and_nothing_more() -> None:
    writes = {endpoint for endpoint in LiveRequest.allowed if endpoint[0] != "GET"}
    assert writes == {
        ("POST", "/api/v3/order"),
        ("POST", "/api/v3/orderList/oco"),
        ("DELETE", "/api/v3/order"),
    }


def test_the_emergency_command_cancels_single_orders_and_cannot_place_one() -> None:
    writes = {endpoint for endpoint in CancelRequest.allowed if endpoint[0] != "GET"}
    assert writes == {("DELETE", "/api/v3/order")}
    methods = {name for name, _ in inspect.getmembers(CancelTransport, inspect.isfunction)}
    assert not {name for name in methods if "place" in name}
    assert CancelTransport.ws_methods == frozenset()


@pytest.mark.parametrize("transport", [PublicTransport, ShadowTransport])
def test_off_and_shadow_have_no_method_that_places_or_cancels(transport: type) -> None:
    methods = {name for name, _ in inspect.getmembers(transport, inspect.isfunction)}
    assert not {name for name in methods if "place" in name or "cancel" in name}


@pytest.mark.parametrize(("method", "path"), ORDER_ENDPOINTS)
async def test_even_when_forced_no_byte_of_an_order_leaves_off_or_shadow(
    venue: StubVenue, method: str, path: str
) -> None:
    data = BinanceMarketData(venue.url)
    shadow = BinanceShadow(API_KEY, API_SECRET, venue.url)
    async with data, shadow:
        for transport in (data._reader, shadow._transport):
            toll = Toll(transport.governor, 1)
            departure = Departure(SystemClock(), toll, lambda: (None, "symbol=BTCUSDT"))
            with pytest.raises(NotSent, match="is not open to this connection"):
                await transport._exchange(method, path, departure, {})
            assert not departure.left
    assert venue.bytes_seen == 0


async def test_a_request_without_leave_does_not_leave(venue: StubVenue) -> None:
    async with BinanceMarketData(venue.url) as data:
        session = data._reader._open()
        with pytest.raises(NotSent):
            await session.get(f"{venue.url}/api/v3/time")
    assert venue.bytes_seen == 0


async def test_market_data_has_neither_key_nor_orders(venue: StubVenue) -> None:
    data = BinanceMarketData(venue.url)
    assert not hasattr(data, "place_order")
    assert not hasattr(data._reader, "_credentials")


async def test_a_shadow_sends_orders_to_validation_alone(venue: StubVenue) -> None:
    async with BinanceShadow(API_KEY, API_SECRET, venue.url) as shadow:
        await shadow.place_order(OrderRequest("BTCUSDT", "BUY", "0.01"))
        await shadow.cancel_order("28", "BTCUSDT")
    writes = [(one.method, one.path) for one in venue.requests if one.method != "GET"]
    assert writes == [("POST", "/api/v3/order/test")]


@pytest.mark.parametrize("kind", [BinanceBroker, BinanceShadow])
@pytest.mark.parametrize(
    ("url", "use_testnet"),
    [("https://api.binance.com", True), ("https://testnet.binance.vision", False)],
)
def test_a_host_of_the_other_environment_is_refused(
    kind: type[BinanceBroker | BinanceShadow], url: str, *, use_testnet: bool
) -> None:
    with pytest.raises(ValueError, match="use_testnet is"):
        kind(API_KEY, API_SECRET, url, use_testnet)


def test_the_classes_are_what_the_other_rooms_ask_for() -> None:
    broker: Venue = BinanceBroker(API_KEY, API_SECRET, gate=Gate())
    shadow: Venue = BinanceShadow(API_KEY, API_SECRET)
    data: MarketData = BinanceMarketData("https://data-api.binance.vision")
    assert [broker.mode, shadow.mode] == ["live", "shadow"]
    assert callable(data.get_market)
