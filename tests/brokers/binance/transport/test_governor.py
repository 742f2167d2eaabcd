"""The venue's limits, kept by its counts and by what is on its way; the silences it asks for."""

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.errors import NO_REPLY, Paused, Reply
from otonom_trader.brokers.binance.transport.governor import (
    Lane,
    RateGovernor,
    Toll,
    retry_after_seconds,
)
from otonom_trader.brokers.binance.transport.weights import DEPTH, weight_of
from otonom_trader.brokers.binance.usage import (
    ORDERS,
    REQUEST_WEIGHT,
    RateLimit,
    Usage,
    usage_of_headers,
    usage_of_limits,
)
from tests.brokers.binance.conftest import ManualClock


def reply(
    status: int = 200,
    *usage: Usage,
    retry_after: float | None = None,
    code: int = -1003,
) -> Reply:
    body = json.dumps({"code": code, "msg": "text"}).encode()
    return Reply("GET /x", status, 0, 1, body=body, retry_after_seconds=retry_after, usage=usage)


def weight(used: int, limit: int = 0) -> Usage:
    return Usage(REQUEST_WEIGHT, 60, used, limit)


def may(governor: RateGovernor, lane: Lane, weight: int = 1, *, orders: int = 0) -> bool:
    try:
        governor.check(weight, lane, orders=orders)
    except Paused:
        return False
    return True


def test_an_ordinary_reply_pauses_nothing() -> None:
    governor = RateGovernor(ManualClock())
    for status in (200, 400, 401, 500, 503):
        governor.observe(reply(status))
    governor.check(1, Lane.ORDINARY, orders=1)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (reply(429, retry_after=7), 7),
        (reply(418, retry_after=180), 180),
        (reply(429), 60),
        (reply(418), 120),
        (reply(403), 60),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_everything_pauses_until_the_venue_listens_again(answer: Reply, seconds: int) -> None:
    clock = ManualClock()
    governor = RateGovernor(clock)
    governor.observe(answer)
    clock.advance(seconds - 1)
    with pytest.raises(Paused, match=f"HTTP {answer.status} .* another 1 s"):
        governor.check(1, Lane.ORDINARY)
    with pytest.raises(Paused):
        governor.check(1, Lane.ORDER, orders=1)
    assert governor.order_pause_seconds() == 1
    clock.advance(1)
    governor.check(1, Lane.ORDER, orders=1)


@pytest.mark.parametrize(("retry_after", "seconds"), [(4.0, 4), (None, 10)])
def test_a_used_up_order_limit_pauses_new_orders_only(
    retry_after: float | None, seconds: int
) -> None:
    clock = ManualClock()
    governor = RateGovernor(clock)
    governor.observe(reply(429, retry_after=retry_after, code=-1015))
    governor.check(1, Lane.ORDINARY)
    clock.advance(seconds - 1)
    with pytest.raises(Paused, match="order rate limit"):
        governor.check(1, Lane.ORDER, orders=1)
    clock.advance(1)
    governor.check(1, Lane.ORDER, orders=1)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    clock = ManualClock()
    governor = RateGovernor(clock)
    governor.observe(reply(418, retry_after=100))
    governor.observe(reply(429, retry_after=1))
    clock.advance(50)
    with pytest.raises(Paused, match="HTTP 418"):
        governor.check(1, Lane.ORDINARY)


def test_a_cancel_may_knock_now_and_then_while_silence_is_asked_for_but_not_through_a_ban() -> None:
    clock = ManualClock()
    governor = RateGovernor(clock)
    governor.observe(reply(429, retry_after=60))
    for _ in range(2):
        assert may(governor, Lane.URGENT)
        assert may(governor, Lane.URGENT)  # it is asked twice before a request leaves
        governor.left(1, Lane.URGENT)
        assert not may(governor, Lane.URGENT)
        clock.advance(5)
    governor.left(1, Lane.URGENT)
    governor.observe(reply(418, retry_after=600))
    clock.advance(61)
    assert not may(governor, Lane.URGENT)


def test_a_ban_is_told_of_and_outlives_the_process() -> None:
    clock, bans = ManualClock(), list[datetime]()
    governor = RateGovernor(clock, bans.append)
    governor.observe(reply(418, retry_after=90))
    assert bans == [clock.now() + timedelta(seconds=90)]
    clock.advance(30)
    restarted = RateGovernor(clock)
    restarted.keep_silent_until(bans[0])
    with pytest.raises(Paused, match="another 60 s"):
        restarted.check(1, Lane.URGENT)
    clock.advance(60)
    assert may(restarted, Lane.ORDINARY)
    restarted.keep_silent_until(bans[0])
    assert may(restarted, Lane.ORDINARY)


def test_a_lane_is_kept_for_cancels_and_questions() -> None:
    governor = RateGovernor(ManualClock())
    governor.observe(reply(200, weight(4_800, 6_000)))
    assert not may(governor, Lane.ORDINARY)
    assert may(governor, Lane.ORDER)
    governor.observe(reply(200, weight(5_400)))
    assert not may(governor, Lane.ORDER)
    assert may(governor, Lane.URGENT, 600)
    assert not may(governor, Lane.URGENT, 601)


def test_what_is_on_its_way_counts_until_it_is_answered() -> None:
    governor = RateGovernor(ManualClock())
    governor.observe(reply(200, weight(0, 100)))
    toll = Toll(governor, 50)
    toll.check()
    toll.left()
    assert not may(governor, Lane.ORDINARY, 31)
    toll.answered(reply(200, weight(10)))
    assert may(governor, Lane.ORDINARY, 70)


def test_what_was_not_answered_counts_as_carried_out() -> None:
    governor = RateGovernor(ManualClock())
    governor.observe(reply(200, weight(0, 100)))
    toll = Toll(governor, 50)
    toll.left()
    toll.answered(NO_REPLY)
    assert not may(governor, Lane.ORDINARY, 31)
    assert may(governor, Lane.ORDINARY, 30)


def test_a_window_ends_with_the_minute_of_the_clock() -> None:
    clock = ManualClock()
    clock.advance(2)  # it is 00:16:42
    governor = RateGovernor(clock)
    governor.observe(reply(200, weight(6_000)))
    with pytest.raises(Paused, match="request weight is used up for another 18 s"):
        governor.check(1, Lane.URGENT)
    clock.advance(18)
    governor.check(1, Lane.ORDINARY)


def test_orders_are_counted_in_both_windows_and_given_back_as_the_venue_says() -> None:
    clock = ManualClock()
    governor = RateGovernor(clock)
    governor.learn((Usage(ORDERS, 10, 0, 2), Usage(ORDERS, 86_400, 0, 5)))
    toll = Toll(governor, 1, Lane.ORDER, orders=1)
    for _ in range(2):
        toll.check()
        toll.left()
    assert not may(governor, Lane.ORDER, orders=1)
    assert may(governor, Lane.ORDER)  # a query is no order
    toll.answered(reply(200, Usage(ORDERS, 10, 0), Usage(ORDERS, 86_400, 4)))
    assert may(governor, Lane.ORDER, orders=1) is False  # one is still on its way: 4 + 1
    toll.answered(reply(200, Usage(ORDERS, 10, 0), Usage(ORDERS, 86_400, 4)))
    assert may(governor, Lane.ORDER, orders=1)
    governor.observe(reply(200, Usage(ORDERS, 86_400, 5)))
    assert governor.order_pause_seconds() == pytest.approx(85_400)
    clock.advance(85_400)
    assert may(governor, Lane.ORDER, orders=1)


@given(st.lists(st.tuples(st.integers(1, 100), st.booleans(), st.integers(0, 30))))
def test_no_order_of_events_lets_more_leave_than_the_limit(
    steps: list[tuple[int, bool, int]],
) -> None:
    """The venue counts what arrives; half of the answers are lost."""
    clock, limit = ManualClock(), 300
    governor = RateGovernor(clock)
    governor.learn((Usage(REQUEST_WEIGHT, 60, 0, limit),))
    counted, minute = 0, clock.now().minute
    for amount, is_answered, pause in steps:
        clock.advance(pause)
        if clock.now().minute != minute:
            counted, minute = 0, clock.now().minute
        toll = Toll(governor, amount, Lane.URGENT)
        try:
            toll.check()
        except Paused:
            continue
        toll.left()
        counted += amount
        assert counted <= limit
        toll.answered(reply(200, weight(counted)) if is_answered else NO_REPLY)


def test_usage_is_read_from_headers_and_from_limits() -> None:
    headers = {
        "X-MBX-USED-WEIGHT-1M": "12",
        "X-MBX-ORDER-COUNT-10S": "3",
        "X-MBX-ORDER-COUNT-1D": "x",
    }
    assert usage_of_headers(headers) == (weight(12), Usage(ORDERS, 10, 3))
    limits = [
        RateLimit("REQUEST_WEIGHT", "MINUTE", 1, 6_000, 70),
        RateLimit("ORDERS", "DAY", 1, 160_000),
        RateLimit("ORDERS", "FORTNIGHT", 1, 1),
    ]
    assert usage_of_limits(limits) == (weight(70, 6_000), Usage(ORDERS, 86_400, 0, 160_000))


@pytest.mark.parametrize(
    ("levels", "expected"),
    [("1", 5), ("100", 5), ("101", 25), ("500", 25), ("1000", 50), ("1001", 250), ("5000", 250)],
)
def test_a_book_weighs_by_its_levels(levels: str, expected: int) -> None:
    assert weight_of(DEPTH, (("symbol", "BTCUSDT"), ("limit", levels))) == expected


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0.0), ("17", 17.0), ("9" * 12, 604_800.0), ("-1", None), ("1.5", None), (None, None)],
)
def test_retry_after_is_whole_seconds(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds
