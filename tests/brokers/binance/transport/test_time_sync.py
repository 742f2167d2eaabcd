"""promises.md, P12."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.errors import ClockUnsure
from otonom_trader.brokers.binance.transport.time_sync import ClockSample, VenueClock
from tests.brokers.binance.conftest import ManualClock

MS = 1_000_000
NOON_MS = 1_780_000_000_000


def sample(clock: ManualClock, *, venue_ms: int = NOON_MS, round_trip_ms: int = 20) -> ClockSample:
    """A round trip that ends now, whose venue time was read half way."""
    now = clock.monotonic_ns()
    return ClockSample(venue_ms, now - round_trip_ms * MS, now)


@given(
    offset_ms=st.integers(0, 2_000_000_000_000),
    there_ms=st.integers(0, 10_000),
    back_ms=st.integers(0, 10_000),
)
def test_the_true_offset_lies_within_the_uncertainty(
    offset_ms: int, there_ms: int, back_ms: int
) -> None:
    sent_ms = 5_000
    read = ClockSample(
        server_ms=sent_ms + there_ms + offset_ms,
        sent_ns=sent_ms * MS,
        received_ns=(sent_ms + there_ms + back_ms) * MS,
    )
    assert abs(read.offset_ns - offset_ms * MS) <= read.uncertainty_ns


def test_time_goes_on_from_the_estimate() -> None:
    clock = ManualClock()
    venue_clock = VenueClock(clock)
    venue_clock.settle([sample(clock, round_trip_ms=20)])
    clock.advance(3.5)
    assert venue_clock.timestamp_ms() == NOON_MS + 10 + 3_500


def test_the_sample_with_the_shortest_round_trip_counts() -> None:
    clock = ManualClock()
    venue_clock = VenueClock(clock)
    venue_clock.settle(
        [sample(clock, round_trip_ms=400), sample(clock, round_trip_ms=20)],
    )
    assert venue_clock.uncertainty_ms == 10


def test_nothing_is_signed_before_the_first_estimate() -> None:
    venue_clock = VenueClock(ManualClock())
    assert venue_clock.due
    assert not venue_clock.usable
    with pytest.raises(ClockUnsure, match="not been read"):
        venue_clock.timestamp_ms()


@pytest.mark.parametrize(("round_trip_ms", "usable"), [(500, True), (502, False)])
def test_nothing_is_signed_beyond_250_ms_of_uncertainty(
    round_trip_ms: int, *, usable: bool
) -> None:
    clock = ManualClock()
    venue_clock = VenueClock(clock)
    venue_clock.settle([sample(clock, round_trip_ms=round_trip_ms)])
    assert venue_clock.usable is usable
    if not usable:
        with pytest.raises(ClockUnsure, match="known only to 251 ms"):
            venue_clock.timestamp_ms()


@pytest.mark.parametrize(("jump_ms", "usable"), [(1_000, True), (1_001, False), (-1_001, False)])
def test_nothing_is_signed_while_two_estimates_differ_by_more_than_a_second(
    jump_ms: int, *, usable: bool
) -> None:
    clock = ManualClock()
    venue_clock = VenueClock(clock)
    venue_clock.settle([sample(clock)])
    venue_clock.settle([sample(clock, venue_ms=NOON_MS + jump_ms)])
    assert venue_clock.usable is usable
    if not usable:
        with pytest.raises(ClockUnsure, match="differ by 1001 ms"):
            venue_clock.timestamp_ms()


def test_two_samples_of_one_reading_must_agree() -> None:
    clock = ManualClock()
    venue_clock = VenueClock(clock)
    venue_clock.settle([sample(clock), sample(clock, venue_ms=NOON_MS + 5_000)])
    assert not venue_clock.usable


def test_after_a_jump_a_further_agreeing_estimate_is_trusted() -> None:
    clock = ManualClock()
    venue_clock = VenueClock(clock)
    for venue_ms in (NOON_MS, NOON_MS + 5_000, NOON_MS + 5_000):
        venue_clock.settle([sample(clock, venue_ms=venue_ms)])
    assert venue_clock.timestamp_ms() == NOON_MS + 5_010


def test_what_the_venue_has_refused_is_not_compared_with() -> None:
    clock = ManualClock()
    venue_clock = VenueClock(clock)
    venue_clock.settle([sample(clock)])
    venue_clock.distrust()
    assert not venue_clock.usable
    venue_clock.settle([sample(clock, venue_ms=NOON_MS + 5_000)])
    assert venue_clock.timestamp_ms() == NOON_MS + 5_010


@pytest.mark.parametrize(
    ("age_seconds", "due", "usable"), [(599, False, True), (601, True, True), (1201, True, False)]
)
def test_an_estimate_ages(age_seconds: float, *, due: bool, usable: bool) -> None:
    clock = ManualClock()
    venue_clock = VenueClock(clock)
    venue_clock.settle([sample(clock)])
    clock.advance(age_seconds)
    assert (venue_clock.due, venue_clock.usable) == (due, usable)


@given(
    round_trip_ms=st.integers(0, 400),
    where=st.floats(0, 1),
    fraction=st.integers(0, MS - 1),
    later_ms=st.integers(0, 900_000),
    drift_ppm=st.integers(-100, 100),
)
def test_a_venue_time_never_seems_later_than_it_was(
    round_trip_ms: int, where: float, fraction: int, later_ms: int, drift_ppm: int
) -> None:
    """Wherever in the round trip the venue read its clock, and however the clocks drift since."""
    clock = ManualClock()
    received_ns = clock.monotonic_ns()
    read_ns = received_ns - int(round_trip_ms * MS * where)
    # The venue's clock said `NOON_MS` and a fraction then, and tells whole milliseconds.
    venue_clock = VenueClock(clock)
    venue_clock.settle([ClockSample(NOON_MS, received_ns - round_trip_ms * MS, received_ns)])
    clock.advance(later_ms / 1000)
    happened_ns = clock.monotonic_ns()
    venue_ns = NOON_MS * MS + fraction
    venue_ns += (happened_ns - read_ns) * (1_000_000 + drift_ppm) // 1_000_000
    earliest_ns = venue_clock.earliest_ns(venue_ns // MS)
    assert earliest_ns is not None
    slack_ns = 100 * round_trip_ms  # the drift within the round trip itself
    assert earliest_ns <= happened_ns + slack_ns
    assert happened_ns - earliest_ns <= (round_trip_ms + 2) * MS + later_ms * 200 + slack_ns


def test_without_an_estimate_no_venue_time_is_placed() -> None:
    clock = ManualClock()
    venue_clock = VenueClock(clock)
    assert venue_clock.earliest_ns(NOON_MS) is None
    venue_clock.settle([sample(clock)])
    clock.advance(1201)
    assert venue_clock.earliest_ns(NOON_MS) is None
