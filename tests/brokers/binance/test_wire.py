"""The documentation's own examples, and what must not be read."""

import contextlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance import wire
from otonom_trader.brokers.binance.errors import Reply, Unreadable
from otonom_trader.brokers.binance.rules import parse_rules

EXAMPLES: list[tuple[str, type, bool]] = [
    ("00766-check-server-time", wire.ServerTime, False),
    ("00812-exchange-information", wire.ExchangeInfo, False),
    ("00908-query-execution-rules", wire.ExecutionRules, False),
    ("00955-order-book", wire.Depth, False),
    ("01253-current-average-price", wire.AveragePrice, False),
    ("01719-symbol-price-ticker", wire.TickerPrice, False),
    ("01825-symbol-order-book-ticker", wire.BookTicker, True),
    ("02048-query-reference-price", wire.ReferencePrice, False),
    ("02237-new-order", wire.PlacedOrder, False),
    ("02409-cancel-order", wire.CancelledOrder, False),
    ("04195-account-information", wire.Account, False),
    ("04260-query-order", wire.QueriedOrder, False),
    ("04310-current-open-orders", wire.QueriedOrder, True),
    ("04614-account-trade-list", wire.Trade, True),
]


def example(shared_data: Path, name: str) -> bytes:
    return (shared_data / "binance-docs-examples" / "rest-api" / f"{name}.json").read_bytes()


def as_reply(body: bytes) -> Reply:
    return Reply("GET /x", 200, 0, 1, body=body)


@pytest.mark.parametrize(("name", "kind", "many"), EXAMPLES, ids=[row[0] for row in EXAMPLES])
def test_the_documented_reply_is_read(
    shared_data: Path, name: str, kind: type, *, many: bool
) -> None:
    body = example(shared_data, name)
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[kind] if many else kind)  # type: ignore[valid-type]
    message = wire.read(decoder, as_reply(body))
    told = json.loads(body)
    for one, raw in zip(message if many else [message], told if many else [told], strict=True):
        for field, value in msgspec.to_builtins(one).items():
            if not isinstance(value, list | dict):
                assert value == raw.get(field)


@pytest.mark.parametrize(
    ("name", "kind", "place"),
    [
        *((name, kind, [0] if many else []) for name, kind, many in EXAMPLES),
        ("00812-exchange-information", wire.SymbolInfo, ["symbols", 0]),
        ("00908-query-execution-rules", wire.SymbolRules, ["symbolRules", 0]),
        ("00908-query-execution-rules", wire.ExecutionRule, ["symbolRules", 0, "rules", 0]),
        ("02237-new-order", wire.OrderFill, ["fills", 1]),
        ("04195-account-information", wire.AssetBalance, ["balances", 1]),
        ("04195-account-information", wire.CommissionRates, ["commissionRates"]),
    ],
    ids=str,
)
def test_each_field_that_is_read_is_mandatory(
    shared_data: Path, name: str, kind: type, place: list[str | int]
) -> None:
    whole = json.loads(example(shared_data, name))
    for step in place:
        whole = whole[step]
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)
    assert wire.read(decoder, as_reply(json.dumps(whole).encode()))
    for field in msgspec.structs.fields(kind):
        if not field.required:  # an order has a stop price or not, a rule an upper bound or not
            continue
        rest = {key: value for key, value in whole.items() if key != field.encode_name}
        with pytest.raises(Unreadable, match=field.encode_name):
            wire.read(decoder, as_reply(json.dumps(rest).encode()))


def test_the_client_librarys_recorded_replies_are_read(shared_data: Path) -> None:
    folder = shared_data / "binance-request-response" / "Endpoints" / "Spot"
    for name, kind in (
        ("Trading/PlaceOrder", wire.PlacedOrder),
        ("Trading/CancelOrder", wire.CancelledOrder),
        ("Trading/GetOrder", wire.QueriedOrder),
        ("Trading/GetOpenOrders", list[wire.QueriedOrder]),
        ("Account/GetAccountInfo", wire.Account),
        ("ExchangeData/GetServerTime", wire.ServerTime),
        ("ExchangeData/GetExchangeInfo", wire.ExchangeInfo),
        ("ExchangeData/GetExecutionRules", wire.ExecutionRules),
        ("ExchangeData/GetReferencePrice", wire.ReferencePrice),
        ("ExchangeData/GetAvgPrice", wire.AveragePrice),
    ):
        text = (folder / f"{name}.txt").read_text()
        body = text[text.index("[" if kind == list[wire.QueriedOrder] else "{") :]
        decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)
        assert wire.read(decoder, as_reply(body.encode()))


def test_the_rules_of_real_symbols_are_read(shared_data: Path) -> None:
    body = (shared_data / "exchangeInfo-2025-08-07.json").read_bytes()
    info = wire.read(msgspec.json.Decoder(wire.ExchangeInfo), as_reply(body))
    by_name = {one.symbol: parse_rules(one) for one in info.symbols}
    bitcoin = by_name["BTCUSDT"].instrument
    assert bitcoin.tradable
    assert bitcoin.qty_step == Decimal("0.00001")
    assert bitcoin.price_tick == Decimal("0.01")
    assert bitcoin.min_notional == 5
    assert not by_name["BCCBTC"].instrument.tradable
    for told in info.symbols:
        rules = by_name[told.symbol]
        names = [one.name for one in rules.filters] + [one.name for one in rules.counts]
        assert sorted(names) == sorted(entry["filterType"] for entry in told.filters)
        assert rules.minutes == {5}


def test_a_reference_price_may_be_null_but_not_missing(shared_data: Path) -> None:
    decoder = msgspec.json.Decoder(wire.ReferencePrice)
    null = wire.read(decoder, as_reply(example(shared_data, "02058-query-reference-price")))
    assert null.reference_price is None
    with pytest.raises(Unreadable, match="referencePrice"):
        wire.read(decoder, as_reply(b'{"symbol":"BAZUSD","timestamp":1}'))


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "1e-05",
        "1_0",
        "",
        " 1",
        "1 ",
        "+1",
        "0x10",
        ".5",
        "5.",
        "--1",
        "１",  # noqa: RUF001
        "1" * 21,
        "0." + "1" * 19,
        "1\n",
    ],
)
def test_what_is_no_plain_decimal_is_no_number(text: str) -> None:
    with pytest.raises(Unreadable):
        wire.number(text)


@given(st.decimals(-(10**20) + 1, 10**20 - 1, places=18, allow_nan=False))
def test_a_plain_decimal_is_read_exactly(value: Decimal) -> None:
    assert wire.number(f"{value:f}") == value


@given(st.text(max_size=30))
def test_no_text_makes_a_number_that_is_not_finite(text: str) -> None:
    with contextlib.suppress(Unreadable):
        assert wire.number(text).is_finite()


@pytest.mark.parametrize("epoch_ms", [-1, 253_402_300_800_000, 10**30])
def test_a_time_outside_of_all_years_is_not_read(epoch_ms: int) -> None:
    with pytest.raises(Unreadable):
        wire.moment(epoch_ms)


def test_a_time_is_read_to_the_millisecond() -> None:
    assert wire.moment(1_499_827_319_559).isoformat() == "2017-07-12T02:41:59.559000+00:00"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"serverTime":"1"}',
        b'{"serverTime":1.5}',
        b'{"serverTime":1',
        b"\xff\xfe",
        b'{"serverTime":1}x',
        b"[" * 100_000,
        b'{"x":' + b"[" * 100_000,
    ],
    ids=range(11),
)
def test_a_body_that_is_not_as_documented_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable, match="unreadable body"):
        wire.read(msgspec.json.Decoder(wire.ServerTime), as_reply(body))
