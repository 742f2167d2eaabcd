"""The rules of real symbols, and what must not be read."""

import contextlib
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance import wire
from otonom_trader.brokers.binance.errors import Reply, Unreadable
from otonom_trader.brokers.binance.rules.trading_rules import parse_rules


def example(shared_data: Path, name: str) -> bytes:
    return (shared_data / "binance-docs-examples" / "rest-api" / f"{name}.json").read_bytes()


def as_reply(body: bytes) -> Reply:
    return Reply("GET /x", 200, 0, 1, body=body)


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
