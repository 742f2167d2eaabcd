"""The reference price, the range it allows trades in, and what else looks at it."""

from dataclasses import replace

import pytest

from otonom_trader.testnet import LocalTestnet
from otonom_trader.testnet.orders import Side
from otonom_trader.testnet.reference_price import PriceRange, ReferencePrice
from tests.testnet.conftest import Client

BTC = {"symbol": "BTCUSDT"}


def test_the_mean_is_of_trades_and_not_weighted_by_quantity() -> None:
    reference = ReferencePrice(bucket_count=10, bucket_width_ms=1000)
    for price in (100, 100, 400):
        reference.add(price, 50_000)
    assert reference.price(50_500) == 200


def test_the_oldest_bucket_counts_with_the_part_still_in_the_window() -> None:
    reference = ReferencePrice(bucket_count=2, bucket_width_ms=1000)
    reference.add(100, 10_000)
    reference.add(400, 11_000)
    assert reference.price(12_000) == 250
    # Three quarters of the first bucket are over: (25 + 400) / 1.25.
    assert reference.price(12_750) == 340
    assert reference.price(13_000) == 400


def test_a_window_without_trades_has_no_price_but_once_had_one() -> None:
    reference = ReferencePrice(bucket_count=2, bucket_width_ms=1000)
    assert not reference.was_set
    reference.add(100, 10_000)
    assert reference.price(13_000) == 0
    assert reference.was_set


def test_a_missing_multiplier_bounds_nothing() -> None:
    allowed = PriceRange(bid_up="1.5", ask_down="0.5")
    assert allowed.bounds(Side.BUY, 100) == (0, 150)
    assert allowed.bounds(Side.SELL, 100) == (50, None)
    assert allowed.as_json() == {
        "ruleType": "PRICE_RANGE",
        "bidLimitMultUp": "1.5",
        "askLimitMultDown": "0.5",
    }


@pytest.fixture
async def ranged(venue: LocalTestnet, alice: Client, bob: Client) -> Client:
    """Alice, where trades are allowed within 10 % of 20000."""
    rules = venue.exchange.engine.rules
    tight = PriceRange(bid_up="1.1", bid_down="0.9", ask_up="1.1", ask_down="0.9")
    rules["BTCUSDT"] = replace(rules["BTCUSDT"], price_range=tight)
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000")
    return alice


@pytest.mark.parametrize(
    ("side", "inside", "outside"),
    [("BUY", "22000", "22000.01"), ("SELL", "18000", "17999.99")],
)
async def test_a_taker_expires_where_the_range_ends(
    ranged: Client, bob: Client, side: str, inside: str, outside: str
) -> None:
    other = "SELL" if side == "BUY" else "BUY"
    await bob.limit(other, "0.1", inside)
    await bob.limit(other, "0.1", outside)
    answer = await ranged.market(side, quantity="0.2")
    content = answer.content
    assert (content["status"], content["executedQty"]) == ("EXPIRED", "0.10000000")
    assert content["expiryReason"] == "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"


async def test_a_fill_or_kill_order_cannot_count_on_what_is_out_of_range(
    ranged: Client, bob: Client
) -> None:
    await bob.limit("SELL", "0.1", "20000")
    await bob.limit("SELL", "0.1", "22000.01")
    answer = await ranged.limit("BUY", "0.2", "23000", "FOK")
    assert (answer.content["executedQty"], answer.content["expiryReason"]) == (
        "0.00000000",
        "UNFILLED_FOK_ORDER_EXPIRED",
    )


async def test_without_a_reference_price_the_range_is_off(ranged: Client, bob: Client) -> None:
    ranged.clock.advance(60)
    await bob.limit("SELL", "0.1", "30000")
    answer = await ranged.market("BUY", quantity="0.1")
    assert answer.content["status"] == "FILLED"


async def test_rest_tells_rule_price_and_calculation(alice: Client, bob: Client) -> None:
    path = "/api/v3/referencePrice"
    rules = (await alice.get("/api/v3/executionRules")).content["symbolRules"]
    assert [each["symbol"] for each in rules] == ["BTCUSDT"]
    assert (await alice.get("/api/v3/executionRules", symbol="ETHUSDT")).content == {
        "symbolRules": []
    }
    await bob.limit("SELL", "0.1", "20000")
    await alice.limit("BUY", "0.1", "20000")
    now = alice.clock.time_ms()
    assert (await alice.get(path, **BTC)).content == {
        "symbol": "BTCUSDT",
        "referencePrice": "20000.00000000",
        "timestamp": now,
    }
    alice.clock.advance(12)
    assert (await alice.get(path, **BTC)).content["referencePrice"] is None
    calculation = (await alice.get(f"{path}/calculation", **BTC)).content
    assert (calculation["bucketCount"], calculation["bucketWidthMs"]) == (10, 1000)


async def test_filters_prefer_it_to_the_average_price(alice: Client, bob: Client) -> None:
    await bob.limit("SELL", "1", "20000")
    await alice.limit("BUY", "1", "20000")
    alice.clock.advance(20)
    await bob.limit("SELL", "0.001", "40000")
    await alice.limit("BUY", "0.001", "40000")
    # Five times the average would be little above 100000.
    assert (await bob.limit("SELL", "0.01", "150000")).status == 200
