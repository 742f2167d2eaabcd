"""Symbols: one pair, however it is written, and what a blacklist's entry means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.symbol import QUOTE_ASSETS, Symbol, names_symbol

assets = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=8)


@pytest.mark.parametrize(
    "text", ["BTC-USDT", "btc/usdt", "BTC_USDT", "btc:usdt", "BTC usdt", "btcusdt", " BTCUSDT "]
)
def test_a_pair_is_the_same_however_it_is_written(text: str) -> None:
    symbol = Symbol.parse(text)
    assert symbol == Symbol("BTC", "USDT")
    assert (symbol.canonical, symbol.joined, str(symbol)) == ("BTC-USDT", "BTCUSDT", "BTC-USDT")


@pytest.mark.parametrize(
    ("text", "base", "quote"),
    [
        ("BTCFDUSD", "BTC", "FDUSD"),
        ("USDCUSDT", "USDC", "USDT"),
        ("ETHBTC", "ETH", "BTC"),
        ("1INCHUSDT", "1INCH", "USDT"),
    ],
)
def test_a_pair_without_a_separator_ends_in_its_quote_asset(
    text: str, base: str, quote: str
) -> None:
    assert Symbol.parse(text) == Symbol(base, quote)


@pytest.mark.parametrize(
    "text",
    ["", " ", "BTC", "USDT", "-", "BTC-", "-USDT", "BTC--USDT", "BTC-USDT-PERP", "BTC$USDT",
     "A" * 38 + "USDT", "BTC\0USDT", "BTC-US\nDT", "\ud800-USDT"],
)  # fmt: skip
def test_what_is_no_pair_is_refused_with_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="is not a pair such as BTC-USDT"):
        Symbol.parse(text)


def test_a_pair_of_40_characters_is_the_longest() -> None:
    assert Symbol.parse("A" * 36 + "USDT").base == "A" * 36
    with pytest.raises(ValueError, match="is not a pair"):
        Symbol.parse("A" * 37 + "USDT")


@given(st.text())
def test_any_text_is_a_pair_or_refused(text: str) -> None:
    try:
        symbol = Symbol.parse(text)
    except ValueError as refusal:
        assert len(str(refusal)) < 250  # noqa: PT017  both endings are right
    else:
        assert symbol.base
        assert symbol.quote


@given(assets, st.sampled_from(QUOTE_ASSETS))
def test_the_canonical_name_reads_back(base: str, quote: str) -> None:
    symbol = Symbol(base, quote)
    assert Symbol.parse(symbol.canonical) == symbol


@pytest.mark.parametrize(
    "entry", ["LUNA-USD", "LUNAUSDT", "luna/usdt", "LUNA", " luna ", "LUNA_BTC", "LUNAUSD"]
)
def test_an_entry_means_every_pair_of_its_base_asset(entry: str) -> None:
    assert names_symbol(entry, Symbol("LUNA", "USDT"))
    assert names_symbol(entry, Symbol("LUNA", "EUR"))


@pytest.mark.parametrize("entry", ["LUNA2-USD", "LUNC", "USDT", "BTC-LUNA", "", "LUN", "LUNA-"])
def test_an_entry_means_no_other_asset(entry: str) -> None:
    assert not names_symbol(entry, Symbol("LUNA", "USDT"))


def test_an_entry_that_can_be_split_in_two_ways_means_both() -> None:
    # FTT-USD or FT-TUSD: a blacklist that guesses one lets the other trade.
    assert names_symbol("FTTUSD", Symbol("FTT", "USDT"))
    assert names_symbol("FTTUSD", Symbol("FT", "USDT"))


@given(assets, st.sampled_from(QUOTE_ASSETS), st.sampled_from(QUOTE_ASSETS))
def test_every_spelling_of_a_pair_names_its_base(base: str, quote: str, other: str) -> None:
    symbol = Symbol(base, quote)
    listed = Symbol(base, other)
    for entry in (base, listed.joined, listed.canonical, listed.canonical.lower()):
        assert names_symbol(entry, symbol)
