"""How often, and how much in a day."""

from dataclasses import replace

import pytest

from tests.risk.samples import EVERY, QUIET, Change, D, denied, verdict_of


@pytest.mark.parametrize(
    ("code", "within", "beyond", "sentence", "limit", "value"),
    [
        (
            "max_orders_per_minute",
            {"orders_last_minute": 4},
            {"orders_last_minute": 5},
            "Orders per minute 6 exceeds max 5",
            "5",
            "6",
        ),
        (
            "max_orders_per_day",
            {"orders_today": 99},
            {"orders_today": 100},
            "Orders per day 101 exceeds max 100",
            "100",
            "101",
        ),
        (
            "max_notional_per_day",
            {"notional_today": D(15000)},
            {"notional_today": D("15000.5")},
            "Notional per day $20000.5 exceeds max $20000",
            "20000",
            "20000.5",
        ),
        (
            "min_seconds_between_orders",
            {"seconds_since_order": D(30)},
            {"seconds_since_order": D("29.99")},
            "Last order of BTC-USDT was 29.9 s ago, min 30 s",
            "30",
            "29.9",
        ),
    ],
)
def test_the_pace_is_kept(
    code: str, within: Change, beyond: Change, sentence: str, limit: str, value: str
) -> None:
    assert verdict_of(code, limits=EVERY, activity=replace(QUIET, **within)).allowed
    verdict = verdict_of(code, limits=EVERY, activity=replace(QUIET, **beyond))
    assert verdict == denied(code, sentence, limit, value)


def test_a_time_a_hair_too_short_never_reads_as_long_enough() -> None:
    code = "min_seconds_between_orders"
    limits = replace(EVERY, min_seconds_between_orders=D("30.05"))
    soon = replace(QUIET, seconds_since_order=D("30.04"))
    assert verdict_of(code, limits=limits, activity=soon) == denied(
        code, "Last order of BTC-USDT was 30 s ago, min 30.1 s", "30.1", "30"
    )


def test_the_first_order_of_a_symbol_need_not_wait() -> None:
    assert verdict_of("min_seconds_between_orders", limits=EVERY).allowed


@pytest.mark.parametrize(
    "code",
    [
        "max_orders_per_minute",
        "max_orders_per_day",
        "max_notional_per_day",
        "min_seconds_between_orders",
    ],
)
def test_a_past_that_is_not_known_denies(code: str) -> None:
    verdict = verdict_of(code, limits=EVERY, activity=None)
    assert not verdict.allowed
    assert "cannot be told" in verdict.message
