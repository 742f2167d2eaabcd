"""promises.md, P6: a canary key is looked for in everything that can be read."""

import asyncio
import logging
import pickle
import traceback

import pytest

from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.order import OrderRequest
from otonom_trader.domain.secret import Secret
from tests.brokers.binance.conftest import (
    API_KEY,
    API_SECRET,
    Desk,
    Handler,
    StubVenue,
    answer,
    hang_up,
    never_answer,
    refuse,
)

FAILURES: list[Handler] = [
    never_answer,
    hang_up,
    answer(200, b"{"),
    answer(302, b"", Location="http://127.0.0.1:1/"),
    answer(401, b"<html>"),
    answer(503, b""),
    refuse(400, -1022, "Signature for this request is not valid."),
    refuse(401, -2015, "Invalid API-key, IP, or permissions for action."),
]


@pytest.mark.parametrize("failure", FAILURES)
async def test_no_answer_log_line_or_traceback_shows_key_secret_or_signature(
    hasty: Desk, failure: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.get_running_loop().set_debug(True)
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    for method, path in (
        ("POST", "/api/v3/order"),
        ("DELETE", "/api/v3/order"),
        ("GET", "/api/v3/account"),
    ):
        hasty.venue.on(method, path, failure)
    order = OrderRequest("BTCUSDT", "BUY", "0.01", client_order_id="mine-1")
    for result in (
        await hasty.broker.place_order(order),
        await hasty.broker.cancel_order("mine-1", "BTCUSDT"),
    ):
        said += [repr(result), str(result), result.message, result.raw]
    with pytest.raises(VenueError) as caught:
        await hasty.broker.get_account()
    said += [repr(caught.value), *traceback.format_exception(caught.value)]
    said += [record.getMessage() for record in caplog.records]
    transport = hasty.broker._transport
    said += [
        repr(hasty.broker),
        repr(transport),
        repr(transport._credentials),
        repr(vars(transport)),
    ]
    text = "\n".join(said)
    signatures = [request.params.get("signature") for request in hasty.venue.requests]
    for secret in (API_KEY, API_SECRET, *filter(None, signatures)):
        assert secret not in text
    assert any(signatures)


async def test_keys_may_be_given_as_secrets(venue: StubVenue) -> None:
    async with BinanceBroker(Secret(API_KEY), Secret(API_SECRET), venue.url) as broker:
        await broker.get_account()
    assert venue.requests[-1].is_well_signed


def test_a_broker_is_not_pickled_with_its_keys() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(BinanceBroker(API_KEY, API_SECRET))
