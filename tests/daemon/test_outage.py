"""What fails again and again is told when it begins, once a minute, and when it is over."""

from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from otonom_trader.daemon.outage import Outage
from tests.daemon.conftest import StandingClock


@pytest.fixture
def outage(clock: StandingClock) -> Outage:
    return Outage(structlog.get_logger(), clock, "account.unreadable", "account.readable")


def fail(outage: Outage, clock: StandingClock, times: int) -> None:
    """Fail every five seconds."""
    for _ in range(times):
        outage.failed("HTTP 503")
        clock.advance(5)


def test_an_outage_is_a_line_at_its_beginning_and_one_at_its_end(
    outage: Outage, clock: StandingClock
) -> None:
    with capture_logs() as lines:
        fail(outage, clock, times=6)
        assert outage.ended()
    assert lines == [
        {"event": "account.unreadable", "log_level": "warning", "reason": "HTTP 503"},
        {
            "event": "account.readable",
            "log_level": "info",
            "failures": 6,
            "lasted_seconds": 30.0,
        },
    ]


def test_a_long_outage_is_remembered_once_a_minute(outage: Outage, clock: StandingClock) -> None:
    with capture_logs() as lines:
        fail(outage, clock, times=36)
    told: list[Any] = [(line.get("failures"), line.get("lasted_seconds")) for line in lines]
    assert told == [(None, None), (13, 60.0), (25, 120.0)]
    assert {line["reason"] for line in lines} == {"HTTP 503"}


def test_what_goes_well_is_no_line(outage: Outage) -> None:
    with capture_logs() as lines:
        assert not outage.ended()
    assert lines == []


def test_each_key_has_outages_of_its_own(outage: Outage) -> None:
    with capture_logs() as lines:
        outage.failed("no", "BTC-USDT", symbol="BTC-USDT")
        outage.failed("no", "ETH-USDT", symbol="ETH-USDT")
        assert outage.ended("BTC-USDT", symbol="BTC-USDT")
        outage.failed("no", "ETH-USDT", symbol="ETH-USDT")
    assert [(line["event"], line["symbol"]) for line in lines] == [
        ("account.unreadable", "BTC-USDT"),
        ("account.unreadable", "ETH-USDT"),
        ("account.readable", "BTC-USDT"),
    ]
