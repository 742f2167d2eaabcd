"""What is answered for an order, and what its request looked like on the wire."""

import asyncio
import re
from decimal import Decimal

import pytest

from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.transport.rest import MAX_CONNECTIONS
from otonom_trader.domain.errors import VenueUnreachable
from otonom_trader.domain.ids import PREFIX
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState, OrderStatus
from tests.brokers.binance.conftest import (
    API_KEY,
    API_SECRET,
    BTCUSDT,
    Desk,
    Handler,
    Request,
    StubVenue,
    answer,
    fill_order,
    hang_up,
    http,
    never_answer,
    queried_order,
    refuse,
)

UNKNOWN = "OUTCOME UNKNOWN, do not resend: POST /api/v3/order "


def buy(client_order_id: str | None = "mine-1", **changes: object) -> OrderRequest:
    fields: dict[str, object] = {"symbol": "BTCUSDT", "side": "BUY", "qty": "0.01"}
    return OrderRequest(client_order_id=client_order_id, **(fields | changes))  # type: ignore[arg-type]


async def test_an_accepted_order_is_told_with_its_fills(desk: Desk) -> None:
    result = await desk.broker.place_order(buy())
    assert result.ok
    assert result.status is OrderStatus.FILLED
    assert (result.order_id, result.client_order_id) == ("28", "mine-1")
    assert result.avg_price == Decimal(50_000)
    assert [(fill.qty, fill.fee_asset) for fill in result.fills] == [(Decimal("0.01"), "BTC")]
    assert result.stages_ns["sign_to_ack"] > 0
    assert result.signed_at_ms == int(desk.venue.orders[0].params["timestamp"])


async def test_an_order_is_signed_over_the_very_bytes_that_arrive(desk: Desk) -> None:
    await desk.broker.place_order(buy())
    request = desk.venue.orders[0]
    assert request.is_well_signed
    assert request.query.startswith(
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=mine-1"
        "&newOrderRespType=FULL&recvWindow=2000&timestamp="
    )
    assert abs(int(request.params["timestamp"]) - request.arrived_ms) < 250
    assert request.headers["content-length"] == "0"


async def test_the_price_of_a_market_order_never_reaches_the_wire(desk: Desk) -> None:
    await desk.broker.place_order(buy(price="50000"))
    assert "price" not in desk.venue.orders[0].params


async def test_a_limit_order_goes_out_as_it_was_told(desk: Desk) -> None:
    order = buy(price="50000.10", order_type="LIMIT", time_in_force="IOC")
    assert (await desk.broker.place_order(order)).ok
    params = desk.venue.orders[0].params
    assert (params["type"], params["timeInForce"]) == ("LIMIT", "IOC")
    assert (params["price"], params["quantity"]) == ("50000.1", "0.01")


async def test_without_a_client_id_one_is_made_that_is_not_the_daemons(desk: Desk) -> None:
    first = await desk.broker.place_order(buy(None))
    second = await desk.broker.place_order(buy(None))
    ids = [request.params["newClientOrderId"] for request in desk.venue.orders]
    assert [first.client_order_id, second.client_order_id] == ids
    assert len(set(ids)) == 2
    for one in ids:
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,36}", one)
        assert not one.startswith(PREFIX)


@pytest.mark.parametrize("client_order_id", ["", "x" * 37, "a b", "a&b", "ą", "a\n"])
async def test_a_client_id_the_venue_does_not_take_is_a_wrong_argument(
    desk: Desk, client_order_id: str
) -> None:
    with pytest.raises(ValueError, match="1 to 36 letters"):
        await desk.broker.place_order(buy(client_order_id))
    assert desk.venue.orders == []


@pytest.mark.parametrize(
    ("status", "code", "text", "machine", "message"),
    [
        (
            400,
            -2010,
            "Account has insufficient balance for requested action.",
            "new_order_rejected",
            "400 Bad Request (-2010 Account has insufficient balance for requested action.)",
        ),
        (
            401,
            -2015,
            "Invalid API-key, IP, or permissions for action.",
            "auth",
            "401 Unauthorized (-2015 Invalid API-key, IP, or permissions for action.)",
        ),
        (
            400,
            -1013,
            "Filter failure: PERCENT_PRICE_BY_SIDE",
            "filter_failure",
            "400 Bad Request (-1013 Filter failure: PERCENT_PRICE_BY_SIDE)",
        ),
    ],
)
async def test_a_refusal_is_rejected_in_the_venues_own_words(
    desk: Desk, status: int, code: int, text: str, machine: str, message: str
) -> None:
    desk.venue.order_answers(refuse(status, code, text))
    result = await desk.broker.place_order(buy())
    assert result.state is OrderState.REJECTED
    assert (result.code, result.venue_code) == (machine, code)
    assert result.message == f"Failed to place Binance order: HTTP {message}"
    assert result.client_order_id == "mine-1"
    assert text in result.raw


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        (
            buy(qty="0.0000123"),
            "qty 0.0000123 is off the step 0.00001 of BTCUSDT (LOT_SIZE)",
        ),
        (
            buy(price="50000.001", order_type="LIMIT"),
            "price 50000.001 is off the step 0.01 of BTCUSDT (PRICE_FILTER)",
        ),
    ],
)
async def test_an_order_that_breaks_a_filter_is_not_sent(
    desk: Desk, order: OrderRequest, problem: str
) -> None:
    result = await desk.broker.place_order(order)
    assert result.state is OrderState.REJECTED
    assert result.code == "filter_failure"
    assert problem in result.message
    assert result.message.startswith("Failed to place Binance order: Filter failure: ")
    assert desk.venue.orders == []


async def test_what_is_not_listed_is_rejected_unsent(desk: Desk) -> None:
    result = await desk.broker.place_order(buy(symbol="DOGE-XYZ"))
    assert (result.state, result.code) == (OrderState.REJECTED, "not_tradable")
    assert result.message.endswith("'DOGE-XYZ' is not tradable here")
    assert desk.venue.orders == []


async def truncated(request: Request, writer: asyncio.StreamWriter) -> None:
    whole = http(200, b'{"symbol":"BTCUSDT","orderId":28,"clientOrderId":"mine-1"}')
    writer.write(whole[:-20])
    await writer.drain()
    writer.close()


def raw(reply: bytes) -> Handler:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        await writer.drain()
        writer.close()

    return handle


async def stall(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(http(200, b'{"symbol":"BTCUSDT"}')[:-10])


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (never_answer, "was not answered within 0.2 s"),
        (stall, "was not answered within 0.2 s"),
        (hang_up, "lost its connection before a complete answer"),
        (truncated, "lost its connection before a complete answer"),
        (raw(b"\x00\xff this is no HTTP\r\n\r\n"), "lost its connection"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"), "lost its"),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), "lost its connection"),
        (answer(200, b"no gzip at all", Content_Encoding="gzip"), "lost its connection"),
        (answer(200, b'{"symbol":"BTCUSDT","order'), "HTTP 200 with an unreadable body"),
        (answer(200, b""), "HTTP 200 with an unreadable body"),
        (answer(200, b"<html>welcome</html>"), "HTTP 200 with an unreadable body"),
        (answer(403, b"<html>blocked</html>"), "HTTP 403 Forbidden"),
        (answer(502, b"<html>bad gateway</html>"), "HTTP 502 Bad Gateway"),
        (answer(503, b""), "HTTP 503 Service Unavailable"),
        (refuse(503, -1008, "Server is currently overloaded."), "-1008 Server is currently"),
        (refuse(500, -1007, "Timeout waiting for response."), "-1007 Timeout waiting"),
        (refuse(400, -1006, "Unexpected response."), "-1006 Unexpected response."),
        (answer(302, b"", Location="/elsewhere"), "302 Found (redirects are not followed)"),
        (answer(307, b"", Location="/elsewhere"), "redirects are not followed"),
    ],
)
async def test_an_order_that_may_have_been_carried_out_is_unknown_and_sent_once(
    hasty: Desk, handler: Handler, reason: str
) -> None:
    hasty.venue.order_answers(handler)
    result = await hasty.broker.place_order(buy())
    assert result.state is OrderState.UNKNOWN
    assert not result.ok
    assert result.message.startswith(UNKNOWN)
    assert reason in result.message
    assert result.signed_at_ms == int(hasty.venue.orders[0].params["timestamp"])
    assert result.client_order_id == "mine-1"
    assert len(hasty.venue.orders) == 1
    assert hasty.venue.seen("GET", "/elsewhere") == []


@pytest.mark.parametrize(
    "change",
    [
        {"clientOrderId": "mine-2"},
        {"symbol": "ETHUSDT"},
        {"side": "SELL"},
        {"origQty": "0.02000000"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_reply_about_another_order_is_unknown_and_marked(
    desk: Desk, change: dict[str, str]
) -> None:
    desk.venue.order_answers(fill_order(**change))
    result = await desk.broker.place_order(buy())
    assert (result.state, result.code) == (OrderState.UNKNOWN, "mismatched_reply")
    assert result.message.startswith("OUTCOME UNKNOWN, do not resend:")


@pytest.mark.parametrize("times", [1, 3])
async def test_a_dead_connection_that_was_reused_does_not_send_the_order_again(
    desk: Desk, times: int
) -> None:
    for _ in range(times):
        desk.venue.order_answers(fill_order(), hang_up)
        assert (await desk.broker.place_order(buy())).ok
        assert (await desk.broker.place_order(buy())).state is OrderState.UNKNOWN
    assert len(desk.venue.orders) == 2 * times


async def refused_connection(venue: StubVenue) -> BinanceBroker:
    """A broker that knows symbol and clock, and then loses the venue."""
    server = await asyncio.start_server(venue.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    broker = BinanceBroker(API_KEY, API_SECRET, f"http://127.0.0.1:{port}")
    await broker.get_account()
    await broker.get_instrument("BTCUSDT")
    await broker.aclose()
    server.close()
    await server.wait_closed()
    return broker


async def test_a_refused_connection_is_not_sent(venue: StubVenue) -> None:
    async with await refused_connection(venue) as broker:
        result = await broker.place_order(buy())
        assert (result.state, result.code) == (OrderState.NOT_SENT, "unreachable")
        assert "POST /api/v3/order not sent: 127.0.0.1" in result.message
        with pytest.raises(VenueUnreachable):
            await broker.get_account()


async def test_a_broken_tls_handshake_is_not_sent() -> None:
    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(400, b"this port speaks no TLS"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, BinanceBroker(API_KEY, API_SECRET, f"https://127.0.0.1:{port}") as broker:
        result = await broker.place_order(buy())
    assert (result.state, result.code) == (OrderState.NOT_SENT, "tls")
    assert f"not sent: what answers at 127.0.0.1:{port} does not speak TLS" in result.message


async def test_a_host_without_an_address_is_not_sent() -> None:
    broker = BinanceBroker(
        API_KEY, API_SECRET, "https://nobody.invalid", use_testnet=False, timeout_seconds=0.5
    )
    async with broker:
        result = await broker.place_order(buy())
    assert (result.state, result.code) == (OrderState.NOT_SENT, "unreachable")


def window_of(desk: Desk) -> Handler:
    """Refuse what is not within the window, as the venue does."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        age_ms = desk.venue.time_ms() - int(request.params["timestamp"])
        if not -1_000 < age_ms <= int(request.params["recvWindow"]):
            await refuse(400, -1021, "Timestamp for this request is outside of the recvWindow.")(
                request, writer
            )
        else:
            await fill_order()(request, writer)

    return handle


@pytest.mark.parametrize("skew_ms", [5_000, -5_000])
async def test_a_stale_timestamp_is_signed_once_more_by_a_clock_read_afresh(
    desk: Desk, skew_ms: int
) -> None:
    desk.venue.on("POST", "/api/v3/order", window_of(desk))
    assert (await desk.broker.place_order(buy("before"))).ok
    desk.venue.skew_ms = skew_ms
    result = await desk.broker.place_order(buy("after"))
    assert result.ok
    first, second = desk.venue.orders[1:]
    assert first.params["newClientOrderId"] == second.params["newClientOrderId"] == "after"
    moved_ms = int(second.params["timestamp"]) - int(first.params["timestamp"])
    assert abs(moved_ms - skew_ms) < 250
    assert result.signed_at_ms == int(second.params["timestamp"])


async def test_a_timestamp_that_stays_stale_is_rejected_after_the_second_signature(
    desk: Desk,
) -> None:
    desk.venue.on("POST", "/api/v3/order", refuse(400, -1021, "Timestamp for this request ..."))
    result = await desk.broker.place_order(buy())
    assert (result.state, result.code, result.venue_code) == (OrderState.REJECTED, "clock", -1021)
    assert len(desk.venue.orders) == 2


async def test_without_a_clock_to_read_nothing_is_signed_again(desk: Desk) -> None:
    await desk.broker.place_order(buy("warm"))
    desk.venue.order_answers(refuse(400, -1021, "Timestamp for this request ..."))
    desk.venue.on("GET", "/api/v3/time", answer(503, b""))
    result = await desk.broker.place_order(buy())
    assert (result.state, result.code) == (OrderState.NOT_SENT, "clock_unsure")
    assert len(desk.venue.orders) == 2


async def test_nothing_is_signed_by_a_clock_that_is_not_known_well(desk: Desk) -> None:
    async def slow_time(request: Request, writer: asyncio.StreamWriter) -> None:
        desk.clock.advance(0.6)
        writer.write(http(200, {"serverTime": desk.venue.time_ms()}))

    desk.venue.on("GET", "/api/v3/time", slow_time)
    result = await desk.broker.place_order(buy())
    assert (result.state, result.code) == (OrderState.NOT_SENT, "clock_unsure")
    assert "is known only to 3" in result.message
    assert desk.venue.orders == []


async def test_a_rate_limit_is_obeyed_until_it_ends(desk: Desk) -> None:
    desk.venue.order_answers(refuse(429, -1003, "Too much request weight.", Retry_After="7"))
    limited = await desk.broker.place_order(buy())
    assert (limited.state, limited.code) == (OrderState.REJECTED, "rate_limited")
    bytes_seen = desk.venue.bytes_seen
    paused = await desk.broker.place_order(buy())
    assert (paused.state, paused.code) == (OrderState.NOT_SENT, "paused")
    assert desk.venue.bytes_seen == bytes_seen
    desk.clock.advance(7)
    assert (await desk.broker.place_order(buy())).ok


async def test_a_used_up_order_limit_leaves_the_way_free_for_cancels(desk: Desk) -> None:
    desk.venue.order_answers(refuse(429, -1015, "Too many new orders.", Retry_After="7"))
    await desk.broker.place_order(buy())
    assert (await desk.broker.place_order(buy())).code == "paused"
    await desk.broker.cancel_order("mine-1", "BTCUSDT")
    assert len(desk.venue.seen("DELETE", "/api/v3/order")) == 1


async def test_a_firewalls_answer_pauses_everything(desk: Desk) -> None:
    desk.venue.order_answers(answer(403, b"<html>blocked</html>"))
    blocked = await desk.broker.place_order(buy())
    assert (blocked.state, blocked.code) == (OrderState.UNKNOWN, "blocked")
    assert (await desk.broker.place_order(buy())).code == "paused"


async def test_a_filter_that_changed_is_read_again(desk: Desk) -> None:
    assert (await desk.broker.place_order(buy())).ok
    finer = {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "9", "stepSize": "0.1"}
    desk.venue.on(
        "GET",
        "/api/v3/exchangeInfo",
        answer(
            200,
            {"rateLimits": [], "exchangeFilters": [], "symbols": [BTCUSDT | {"filters": [finer]}]},
        ),
    )
    desk.venue.order_answers(refuse(400, -1013, "Filter failure: LOT_SIZE"))
    assert (await desk.broker.place_order(buy())).venue_code == -1013
    unsent = await desk.broker.place_order(buy())
    assert "below the minimum 0.1 of BTCUSDT (LOT_SIZE)" in unsent.message
    assert len(desk.venue.orders) == 2


def market_order(**changes: object) -> dict[str, object]:
    return queried_order(type="MARKET", price="0.00000000", **changes)


async def after_a_minus_2010(desk: Desk, found: Handler) -> OrderResult:
    desk.venue.order_answers(refuse(400, -2010, "Duplicate order sent."))
    desk.venue.on("GET", "/api/v3/order", found)
    return await desk.broker.place_order(buy())


async def test_a_duplicate_that_works_already_is_found_by_asking(desk: Desk) -> None:
    result = await after_a_minus_2010(desk, answer(200, market_order()))
    assert (result.state, result.status) == (OrderState.ACCEPTED, OrderStatus.NEW)
    assert (result.order_id, result.client_order_id) == ("28", "mine-1")
    assert desk.venue.seen("GET", "/api/v3/order")[0].params["origClientOrderId"] == "mine-1"


async def test_a_duplicate_of_another_quantity_is_not_ours(desk: Desk) -> None:
    result = await after_a_minus_2010(desk, answer(200, market_order(origQty="0.02000000")))
    assert (result.state, result.code) == (OrderState.UNKNOWN, "mismatched_reply")


async def test_an_earlier_order_of_the_same_id_that_ended_leaves_doubt(desk: Desk) -> None:
    result = await after_a_minus_2010(desk, answer(200, market_order(status="EXPIRED")))
    assert (result.state, result.code) == (OrderState.UNKNOWN, "duplicate_id")


async def test_a_rejection_that_cannot_be_looked_into_is_unknown(desk: Desk) -> None:
    result = await after_a_minus_2010(desk, answer(503, b""))
    assert result.state is OrderState.UNKNOWN


async def test_orders_at_once_share_one_reading_of_rules_and_clock(desk: Desk) -> None:
    results = await asyncio.gather(
        *(desk.broker.place_order(buy(f"mine-{number}")) for number in range(100))
    )
    assert all(result.ok for result in results)
    assert len(desk.venue.orders) == 100
    assert len({request.query for request in desk.venue.orders}) == 100
    assert len(desk.venue.seen("GET", "/api/v3/exchangeInfo")) == 1
    assert len(desk.venue.seen("GET", "/api/v3/time")) == 2
    assert desk.venue.connections <= MAX_CONNECTIONS


async def test_a_closed_broker_opens_again(desk: Desk) -> None:
    assert (await desk.broker.place_order(buy())).ok
    await desk.broker.aclose()
    await desk.broker.aclose()
    assert (await desk.broker.place_order(buy())).ok
    assert desk.venue.connections == 2
