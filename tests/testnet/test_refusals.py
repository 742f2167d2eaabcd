"""Each refusal of an order: HTTP status, code and text, and that nothing happened."""

from typing import Any

import pytest

from otonom_trader.testnet import LocalTestnet
from tests.testnet.conftest import Client

LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "20000",
}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
STOP = LIMIT | {"type": "STOP_LOSS_LIMIT", "stopPrice": "20000"}
DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"


def without(order: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in order.items() if name not in names}


def missing(name: str) -> tuple[int, str]:
    return -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def not_required(name: str) -> tuple[int, str]:
    return -1106, f"Parameter '{name}' sent when not required."


def illegal(name: str, legal: str) -> tuple[int, str]:
    return -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."


NO_PEGS = (-2010, "Pegged orders are not supported for this symbol.")
PEGGED = [
    LIMIT | {"pegPriceType": "PRIMARY_PEG"},
    without(LIMIT, "price") | {"pegPriceType": "PRIMARY_PEG"},
    without(LIMIT, "price", "timeInForce")
    | {"type": "LIMIT_MAKER", "pegPriceType": "PRIMARY_PEG", "pegOffsetValue": "1"},
    without(STOP, "stopPrice") | {"pegPriceType": "MARKET_PEG", "pegOffsetType": "PRICE_LEVEL"},
]
REFUSED = [
    (LIMIT | {"symbol": "NOSUCH"}, (-1121, "Invalid symbol.")),
    (LIMIT | {"symbol": "btcusdt"}, illegal("symbol", r"^[\w\-._&&[^a-z]]{1,50}$")),
    (LIMIT | {"side": "buy"}, (-1117, "Invalid side.")),
    (LIMIT | {"type": "LMT"}, (-1116, "Invalid orderType.")),
    (LIMIT | {"timeInForce": "GTX"}, (-1115, "Invalid timeInForce.")),
    (without(LIMIT, "symbol"), missing("symbol")),
    (without(LIMIT, "side"), missing("side")),
    (without(LIMIT, "type"), missing("type")),
    (without(LIMIT, "timeInForce"), missing("timeInForce")),
    (without(LIMIT, "quantity"), missing("quantity")),
    (without(LIMIT, "price"), missing("price")),
    (
        without(MARKET, "quantity"),
        (-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"),
    ),
    (LIMIT | {"quantity": ""}, (-1105, "Parameter 'quantity' was empty.")),
    (MARKET | {"price": "20000"}, not_required("price")),
    (MARKET | {"timeInForce": "GTC"}, not_required("timeInForce")),
    (MARKET | {"quoteOrderQty": "100"}, not_required("quoteOrderQty")),
    (LIMIT | {"quoteOrderQty": "100"}, not_required("quoteOrderQty")),
    (LIMIT | {"stopPrice": "100"}, not_required("stopPrice")),
    (LIMIT | {"type": "LIMIT_MAKER"}, not_required("timeInForce")),
    (LIMIT | {"quantity": "1e-05"}, illegal("quantity", DECIMAL)),
    (LIMIT | {"quantity": "-1"}, illegal("quantity", DECIMAL)),
    (LIMIT | {"quantity": ".5"}, illegal("quantity", DECIMAL)),
    (LIMIT | {"price": "20 000"}, illegal("price", DECIMAL)),
    (LIMIT | {"price": "NaN"}, illegal("price", DECIMAL)),
    (
        LIMIT | {"newClientOrderId": "a b&c"},
        illegal("newClientOrderId", "^[a-zA-Z0-9-_]{1,36}$"),
    ),
    (
        LIMIT | {"newClientOrderId": "x" * 37},
        illegal("newClientOrderId", "^[a-zA-Z0-9-_]{1,36}$"),
    ),
    (LIMIT | {"quantity": "0.010000001"}, (-1111, "Parameter 'quantity' has too much precision.")),
    (LIMIT | {"price": "20000.000000001"}, (-1111, "Parameter 'price' has too much precision.")),
    (LIMIT | {"quantity": "99999999999999"}, (-1108, "Parameter 'quantity' overflowed.")),
    (LIMIT | {"quantity": "0"}, (-1013, "Invalid quantity.")),
    (LIMIT | {"price": "0.00"}, (-1013, "Invalid price.")),
    (LIMIT | {"strategyType": "999999"}, (-1134, "'strategyType' was less than 1000000.")),
    (
        LIMIT | {"newOrderRespType": "ALL"},
        (-1130, "Data sent for parameter 'newOrderRespType' is not valid."),
    ),
    (
        LIMIT | {"selfTradePreventionMode": "NONE"},
        (-1013, "This symbol does not allow the specified self-trade prevention mode."),
    ),
    (LIMIT | {"price": "20000.001"}, (-1013, "Filter failure: PRICE_FILTER")),
    (LIMIT | {"price": "1000000.01"}, (-1013, "Filter failure: PRICE_FILTER")),
    (LIMIT | {"quantity": "0.000001"}, (-1013, "Filter failure: LOT_SIZE")),
    (LIMIT | {"quantity": "0.010001"}, (-1013, "Filter failure: LOT_SIZE")),
    (LIMIT | {"quantity": "9000.00001"}, (-1013, "Filter failure: LOT_SIZE")),
    (MARKET | {"quantity": "121"}, (-1013, "Filter failure: MARKET_LOT_SIZE")),
    (LIMIT | {"quantity": "0.00024"}, (-1013, "Filter failure: NOTIONAL")),
    (without(MARKET, "quantity") | {"quoteOrderQty": "4"}, (-1013, "Filter failure: NOTIONAL")),
    (
        LIMIT | {"quantity": "6"},
        (-2010, "Account has insufficient balance for requested action."),
    ),
    (
        LIMIT | {"side": "SELL", "quantity": "11"},
        (-2010, "Account has insufficient balance for requested action."),
    ),
    (LIMIT | {"type": "STOP_LOSS"}, not_required("timeInForce")),
    (
        without(LIMIT | {"type": "STOP_LOSS"}, "timeInForce", "price"),
        (-1102, "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!"),
    ),
    (
        LIMIT | {"icebergQty": "0.001", "timeInForce": "IOC"},
        (-1014, "Unsupported order combination."),
    ),
    (LIMIT | {"icebergQty": "0.02"}, (-2010, "IcebergQty exceeds QTY.")),
    (LIMIT | {"icebergQty": "0.00009"}, (-1013, "Filter failure: ICEBERG_PARTS")),
    *((order, NO_PEGS) for order in PEGGED),
    (STOP | {"stopPrice": "0"}, (-1013, "Invalid stop price.")),
    (STOP | {"stopPrice": "20000.001"}, (-1013, "Filter failure: PRICE_FILTER")),
    (STOP | {"trailingDelta": "9"}, (-1013, "Filter failure: TRAILING_DELTA")),
    (STOP | {"trailingDelta": "2001"}, (-1013, "Filter failure: TRAILING_DELTA")),
    (STOP | {"quoteOrderQty": "100"}, not_required("quoteOrderQty")),
]


@pytest.mark.parametrize(("order", "refusal"), REFUSED)
async def test_an_order_the_venue_cannot_take_is_refused_by_code_and_text(
    venue: LocalTestnet, alice: Client, order: dict[str, str], refusal: tuple[int, str]
) -> None:
    before = venue.truth()["balances"]
    answer = await alice.order(**order)
    assert answer.refusal == (400, *refusal)
    truth = venue.truth()
    assert truth["orders"] == []
    assert truth["balances"] == before
    assert [request["accepted"] for request in truth["requests"]] == [False]


@pytest.mark.parametrize(
    ("order", "refusal"),
    [case for case in REFUSED if "insufficient balance" not in case[1][1]],
)
async def test_order_test_refuses_alike_but_does_not_look_at_balances(
    alice: Client, order: dict[str, str], refusal: tuple[int, str]
) -> None:
    answer = await alice.signed("POST", "/api/v3/order/test", **order)
    assert answer.refusal == (400, *refusal)


async def test_order_test_passes_what_the_balance_could_not_pay_and_places_nothing(
    venue: LocalTestnet, alice: Client
) -> None:
    answer = await alice.signed("POST", "/api/v3/order/test", **LIMIT | {"quantity": "6"})
    assert (answer.status, answer.content) == (200, {})
    assert venue.truth()["orders"] == []


async def test_an_unknown_parameter_is_counted_as_not_read(alice: Client) -> None:
    answer = await alice.order(**LIMIT, reduceOnly="true")
    text = "Not all sent parameters were read; read '8' parameter(s) but was sent '9'."
    assert answer.refusal == (400, -1104, text)


async def test_more_parameters_than_an_endpoint_has_are_too_many(alice: Client) -> None:
    answer = await alice.get("/api/v3/avgPrice", symbol="BTCUSDT", limit="5")
    assert answer.refusal == (400, -1101, "Too many parameters; expected '1' and received '2'.")


async def test_a_parameter_twice_in_the_query_is_refused(alice: Client) -> None:
    answer = await alice.send("GET", "/api/v3/depth", "symbol=BTCUSDT&symbol=ETHUSDT")
    text = "Duplicate values for parameter 'symbol' detected."
    assert answer.refusal == (400, -1101, text)


async def test_the_query_wins_over_the_body(alice: Client) -> None:
    body = f"quantity=2&recvWindow=5000&timestamp={alice.clock.time_ms()}"
    query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=20000"
    signature = alice.sign(query + body).rpartition("=")[2]
    answer = await alice.send("POST", "/api/v3/order", query, f"{body}&signature={signature}")
    assert answer.content["origQty"] == "1.00000000"


async def test_a_body_of_another_type_holds_no_parameters(alice: Client) -> None:
    answer = await alice.send(
        "POST", "/api/v3/order", "", alice.sign("a=1"), {"Content-Type": "application/json"}
    )
    assert answer.refusal == (400, *missing("timestamp"))


@pytest.mark.parametrize("tif", ["GTC", "IOC", "FOK"])
async def test_a_client_id_is_unique_among_open_orders_only(alice: Client, tif: str) -> None:
    first = await alice.order(**LIMIT, newClientOrderId="mine")
    again = await alice.order(**LIMIT | {"timeInForce": tif}, newClientOrderId="mine")
    assert again.refusal == (400, -2010, "Duplicate order sent.")
    await alice.signed(
        "DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=first.content["orderId"]
    )
    answer = await alice.order(**LIMIT, newClientOrderId="mine")
    assert answer.status == 200


async def test_a_limit_maker_that_would_take_is_refused(alice: Client, bob: Client) -> None:
    await bob.limit("SELL", "1", "20000")
    answer = await alice.order(**without(LIMIT, "timeInForce") | {"type": "LIMIT_MAKER"})
    assert answer.refusal == (400, -2010, "Order would immediately match and take.")


async def test_a_market_order_the_balance_cannot_fully_fund_is_refused(
    alice: Client, bob: Client
) -> None:
    await bob.limit("SELL", "6", "20000")
    answer = await alice.market("BUY", quantity="6")
    text = "Account has insufficient balance for requested action."
    assert answer.refusal == (400, -2010, text)


async def test_prices_far_from_the_average_are_refused_by_side(alice: Client, bob: Client) -> None:
    await bob.limit("SELL", "1", "20000")
    await alice.limit("BUY", "1", "20000")
    refusal = (400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE")
    assert (await alice.limit("BUY", "0.01", "3999.99")).refusal == refusal
    assert (await alice.limit("BUY", "0.01", "4000")).status == 200
    assert (await bob.limit("SELL", "0.01", "100000.01")).refusal == refusal
    assert (await bob.limit("SELL", "0.01", "100000")).status == 200


async def test_the_notional_of_a_market_order_uses_the_average_price(
    alice: Client, bob: Client
) -> None:
    await bob.limit("SELL", "1", "20000")
    await alice.limit("BUY", "0.5", "20000")
    answer = await alice.market("BUY", quantity="0.00024")
    assert answer.refusal == (400, -1013, "Filter failure: NOTIONAL")
    assert (await alice.market("BUY", quantity="0.00025")).status == 200


async def test_an_account_has_at_most_200_orders_open_in_a_symbol(
    venue: LocalTestnet, alice: Client
) -> None:
    small = LIMIT | {"quantity": "0.001"}
    for number in range(200):
        if number % 50 == 0:
            alice.clock.advance(10)
        assert (await alice.order(**small)).status == 200
    alice.clock.advance(10)
    answer = await alice.order(**small)
    assert answer.refusal == (400, -2010, "Filter failure: MAX_NUM_ORDERS")


SELECTOR = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"


@pytest.mark.parametrize(
    ("method", "parameters", "refusal"),
    [
        ("GET", {}, (-1102, SELECTOR)),
        ("DELETE", {}, (-1102, SELECTOR)),
        ("GET", {"orderId": 99}, (-2013, "Order does not exist.")),
        ("GET", {"origClientOrderId": "none"}, (-2013, "Order does not exist.")),
        ("DELETE", {"orderId": 99}, (-2011, "Unknown order sent.")),
        ("DELETE", {"origClientOrderId": "none"}, (-2011, "Unknown order sent.")),
        (
            "DELETE",
            {"orderId": 1, "cancelRestrictions": "ONLY_OLD"},
            (-1145, "Invalid cancelRestrictions"),
        ),
        (
            "DELETE",
            {"orderId": 1, "cancelRestrictions": "ONLY_PARTIALLY_FILLED"},
            (-2011, "Order was not canceled due to cancel restrictions."),
        ),
        (
            "GET",
            {"orderId": 1, "origClientOrderId": "other"},
            (-2039, "Client order ID is not correct for this order ID."),
        ),
        (
            "DELETE",
            {"orderId": 1, "origClientOrderId": "other"},
            (-2039, "Client order ID is not correct for this order ID."),
        ),
    ],
)
async def test_an_order_is_selected_by_its_id_or_client_id(
    alice: Client, method: str, parameters: dict[str, Any], refusal: tuple[int, str]
) -> None:
    await alice.order(**LIMIT)
    answer = await alice.signed(method, "/api/v3/order", symbol="BTCUSDT", **parameters)
    assert answer.refusal == (400, *refusal)


async def test_another_accounts_order_is_unknown(alice: Client, bob: Client) -> None:
    order = await bob.order(**LIMIT, newClientOrderId="bobs")
    for selector in ({"orderId": order.content["orderId"]}, {"origClientOrderId": "bobs"}):
        asked = await alice.signed("GET", "/api/v3/order", symbol="BTCUSDT", **selector)
        assert asked.refusal == (400, -2013, "Order does not exist.")
        cancel = await alice.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", **selector)
        assert cancel.refusal == (400, -2011, "Unknown order sent.")


async def test_a_bad_time_unit_is_refused(alice: Client) -> None:
    answer = await alice.send("GET", "/api/v3/time", headers={"X-MBX-TIME-UNIT": "SECOND"})
    text = "Invalid value for time unit; expected either MICROSECOND or MILLISECOND."
    assert answer.refusal == (400, -1194, text)


async def test_microseconds_are_given_to_who_asks_for_them(alice: Client) -> None:
    answer = await alice.send("GET", "/api/v3/time", headers={"X-MBX-TIME-UNIT": "microsecond"})
    assert answer.content == {"serverTime": alice.clock.time_ms() * 1000}
