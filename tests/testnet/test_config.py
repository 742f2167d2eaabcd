"""What the command line's texts become, and what is refused."""

from decimal import Decimal
from pathlib import Path

import pytest

from otonom_trader.testnet import (
    AccountConfig,
    LocalTestnet,
    MarketSpec,
    RateLimits,
    TestnetConfig,
    parse_balances,
)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("synthetic", MarketSpec("synthetic")),
        ("empty", MarketSpec("empty")),
        ("bars:day.csv", MarketSpec("bars", Path("day.csv"), "BTCUSDT")),
        ("book:r.txt,s.txt", MarketSpec("book", Path("r.txt"), stream_path=Path("s.txt"))),
        (
            "book:/a/r.txt,s.txt,loop",
            MarketSpec("book", Path("/a/r.txt"), stream_path=Path("s.txt"), is_looped=True),
        ),
        ("bars:/a/b@c/day.csv@ethusdt", MarketSpec("bars", Path("/a/b@c/day.csv"), "ETHUSDT")),
    ],
)
def test_a_market_is_written_in_one_word(text: str, spec: MarketSpec) -> None:
    assert MarketSpec.parse(text) == spec


@pytest.mark.parametrize("text", ["", "random", "bars", "bars:", "bars:@BTCUSDT", "bars:x@"])
def test_another_word_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="bars:FILE"):
        MarketSpec.parse(text)


@pytest.mark.parametrize(
    "text", ["book:", "book:r.txt", "book:r.txt,", "book:,s.txt", "book:r.txt,s.txt,twice"]
)
def test_a_recording_is_two_files(text: str) -> None:
    with pytest.raises(ValueError, match="with two files"):
        MarketSpec.parse(text)


def test_balances_are_asset_and_amount() -> None:
    assert parse_balances(["USDT=100000", "BTC=0.5"]) == {
        "USDT": Decimal(100000),
        "BTC": Decimal("0.5"),
    }


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["USDT"], "is not ASSET=AMOUNT"),
        (["USDT="], "is not ASSET=AMOUNT"),
        (["=5"], "is not ASSET=AMOUNT"),
        (["USDT=-5"], "is not ASSET=AMOUNT"),
        (["USDT=NaN"], "is not ASSET=AMOUNT"),
        (["USDT=lots"], "is not ASSET=AMOUNT"),
        (["USDT=0.000000001"], "has more than 8 decimals"),
        (["usdt=5"], "balance 'usdt=5': assets are in capitals, USDT"),
        (["USDT=1", "USDT=2"], "balance of USDT is given twice"),
    ],
)
def test_a_malformed_balance_is_refused(texts: list[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_balances(texts)


def test_an_account_has_a_name_and_a_key_and_may_have_more() -> None:
    assert AccountConfig.parse("bob,bob-key,bob-secret") == AccountConfig(
        "bob-key", "bob-secret", name="bob"
    )
    told = "eve, eve-key, eve-secret, USDT=5, BTC=0.1, permissions=SPOT+MARGIN"
    assert AccountConfig.parse(told) == AccountConfig(
        "eve-key",
        "eve-secret",
        name="eve",
        balances={"USDT": Decimal(5), "BTC": Decimal("0.1")},
        permissions=frozenset({"SPOT", "MARGIN"}),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("eve", "account 'eve' is not NAME,KEY,SECRET"),
        ("eve,key", "account 'eve' is not NAME,KEY,SECRET"),
        ("eve,key,", "account 'eve' is not NAME,KEY,SECRET"),
        (",key,hidden", "account '' is not NAME,KEY,SECRET"),
        ("name=eve,key,hidden", "account 'name=eve' is not NAME,KEY,SECRET"),
        ("eve,key,hidden,", "account 'eve' is not NAME,KEY,SECRET"),
        ("eve,key,hidden,permissions=", "account 'eve' is not NAME,KEY,SECRET"),
        ("eve,key,hidden,permissions=FOO", "permission 'FOO' is unknown: expected SPOT, MARGIN"),
        ("eve,a key,hidden", "API key 'a key' is not one word of plain characters"),
        ("eve,key,hidden,usdt=5", "assets are in capitals, USDT"),
        ("eve,key,hidden,USDT", "balance 'USDT' is not ASSET=AMOUNT"),
    ],
)
def test_a_malformed_account_is_refused_without_its_secret(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        AccountConfig.parse(text)
    assert "hidden" not in str(caught.value)


def test_limits_are_name_and_number() -> None:
    limits = RateLimits.parse(["orders_per_10_seconds=1000", "weight_per_minute=99"])
    assert limits == RateLimits(orders_per_10_seconds=1000, weight_per_minute=99)


@pytest.mark.parametrize("text", ["orders=5", "weight_per_minute", "weight_per_minute=0"])
def test_an_unknown_or_empty_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="limit"):
        RateLimits.parse([text])


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 65_536},
        {"speed": Decimal(0)},
        {"speed": Decimal("NaN")},
        {"warmup_bars": -1},
        {"certificate": Path("venue.pem")},
        {"accounts": (AccountConfig(), AccountConfig())},
    ],
)
def test_a_venue_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"port|speed|warmup|certificate|API key"):
        TestnetConfig(**wrong)  # type: ignore[arg-type]


async def test_an_account_is_not_called_as_one_of_the_venue_is() -> None:
    config = TestnetConfig(accounts=(AccountConfig(name="market-maker"),))
    with pytest.raises(ValueError, match="an account is called 'market-maker', as one"):
        async with LocalTestnet(config):
            pass


async def test_two_accounts_have_two_names() -> None:
    accounts = (AccountConfig(api_key="a", uid=5), AccountConfig(api_key="b", uid=5))
    config = TestnetConfig(accounts=accounts, market=MarketSpec("empty"))
    with pytest.raises(ValueError, match="two accounts are called 'account-5'"):
        async with LocalTestnet(config):
            pass
