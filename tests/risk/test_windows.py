"""Windows of time: what is inside, and what is no window."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.risk.windows import DAYS, parse_window

MONDAY = datetime(2026, 6, 29, tzinfo=UTC)


def inside(window: str) -> set[str]:
    """The quarters of an hour of a week that lie inside."""
    parsed = parse_window(window)
    quarters = (MONDAY + timedelta(minutes=15 * number) for number in range(7 * 24 * 4))
    return {f"{DAYS[at.weekday()]} {at:%H:%M}" for at in quarters if parsed.contains(at)}


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("mon 08:00-08:30", {"mon 08:00", "mon 08:15"}),
        ("sat,sun 10:00-10:15", {"sat 10:00", "sun 10:00"}),
        ("sat-mon 10:00-10:15", {"sat 10:00", "sun 10:00", "mon 10:00"}),
        ("sun 23:45-00:15", {"sun 23:45", "mon 00:00"}),  # over the end of the week
        ("daily 23:45-24:00", {f"{day} 23:45" for day in DAYS}),
        ("tue 00:00-00:15", {"tue 00:00"}),
    ],
)
def test_what_a_window_holds(window: str, expected: set[str]) -> None:
    assert inside(window) == expected


def test_a_whole_day_is_from_its_first_minute_to_its_last() -> None:
    assert len(inside("daily 00:00-24:00")) == 7 * 24 * 4
    assert len(inside("wed 00:00-24:00")) == 24 * 4


def test_a_window_of_its_own_comes_once() -> None:
    window = parse_window("2026-12-24T00:00Z/2026-12-26T00:00Z")
    begin, end = datetime(2026, 12, 24, tzinfo=UTC), datetime(2026, 12, 26, tzinfo=UTC)
    assert window.contains(begin)
    assert window.contains(end - timedelta(microseconds=1))
    assert not window.contains(end)
    assert not window.contains(begin - timedelta(microseconds=1))
    assert not window.contains(begin + timedelta(days=365))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "08:00-20:00",
        "mon-fri 8-20",
        "mon-fri 08:00-20:00 UTC",
        "Mon 08:00-20:00",
        "monday 08:00-20:00",
        "mon- 08:00-20:00",
        "mon,,tue 08:00-20:00",
        "mon 08:00-08:00",
        "mon 24:00-08:00",
        "mon 08:60-09:00",
        "mon 25:00-26:00",
        "2026-12-24T00:00Z/2026-12-24T00:00Z",
        "2026-12-24T00:00Z/2026-12-23T00:00Z",
        "2026-12-24T00:00/2026-12-26T00:00",
        "2026-13-24T00:00Z/2027-12-26T00:00Z",
        "mon 08:00-20:00\n",
        "mon ٠٨:00-20:00",
    ],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_window(text)


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 6), st.integers(0, 10079))
def test_a_window_holds_what_comes_after_its_begin_and_before_its_end(
    begin: int, end: int, day: int, minute: int
) -> None:
    if begin == end:
        return
    window = parse_window(f"{DAYS[day]} {_clock(begin)}-{_clock(end)}")
    since_begin = (minute - (day * 1440 + begin)) % (7 * 1440)
    inside = since_begin < (end - begin) % 1440
    assert window.contains(MONDAY + timedelta(minutes=minute)) is inside


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
