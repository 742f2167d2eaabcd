"""The venue's clock, as it is known here. Source: promises.md, P12."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otonom_trader.brokers.binance.errors import ClockUnsure
from otonom_trader.domain.ports import Clock

_MS: Final = 1_000_000
_WIDEST_NS: Final = 250 * _MS
FARTHEST_APART_NS: Final = 1_000 * _MS
"""How far apart two estimates may be for one of them to be signed with."""
# A quartz drifts 30 ms in ten minutes at 50 ppm, two of them apart twice that.
_FRESH_FOR_NS: Final = 600 * 1_000 * _MS
_DRIFT: Final = 10_000
_USABLE_FOR_NS: Final = 2 * _FRESH_FOR_NS


@dataclass(frozen=True, slots=True)
class ClockSample:
    """One round trip: the venue said `server_ms` somewhere between two monotonic times."""

    server_ms: int
    sent_ns: int
    received_ns: int

    @property
    def offset_ns(self) -> int:
        """Venue time minus monotonic time, as if the venue answered half way."""
        return self.server_ms * _MS - (self.sent_ns + self.received_ns) // 2

    @property
    def uncertainty_ns(self) -> int:
        """How far off the offset may be: half the round trip."""
        return (self.received_ns - self.sent_ns) // 2


class VenueClock:
    """Estimates the venue's time; anchored to monotonic time, so that a wall clock set is not felt.

    Says nothing while the best estimate is uncertain by more than 250 ms or two estimates differ by
    more than 1 s.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._best: ClockSample | None = None
        self._spread_ns = 0
        self._last_offset_ns: int | None = None

    @property
    def due(self) -> bool:
        """Whether a new estimate would be good to have."""
        return self._is_older_than(_FRESH_FOR_NS) or bool(self._problem())

    @property
    def usable(self) -> bool:
        """Whether `timestamp_ms` has an answer, from an estimate that is not too old."""
        return not self._is_older_than(_USABLE_FOR_NS) and not self._problem()

    @property
    def uncertainty_ms(self) -> float:
        """How far off `timestamp_ms` may be; infinite before the first estimate."""
        return self._best.uncertainty_ns / _MS if self._best else float("inf")

    def settle(self, samples: Sequence[ClockSample]) -> int:
        """Take the best of `samples` as the estimate, and compare it with the others and the last.

        After a jump the next call, comparing with this one, can agree again. Returns how far the
        estimate moved, in nanoseconds, also from one that was distrusted.
        """
        offsets = [sample.offset_ns for sample in samples]
        if self._best:
            offsets.append(self._best.offset_ns)
        self._spread_ns = max(offsets) - min(offsets)
        best = self._best = min(samples, key=lambda sample: sample.uncertainty_ns)
        before, self._last_offset_ns = self._last_offset_ns, best.offset_ns
        return 0 if before is None else best.offset_ns - before

    def distrust(self) -> None:
        """Forget the estimate: the venue has refused a timestamp made from it."""
        self._best = None

    def timestamp_ms(self) -> int:
        """Return the venue's time in epoch ms; raises `ClockUnsure` when it is not known."""
        best = self._best
        problem = self._problem()
        if best is None or problem:
            raise ClockUnsure(f"not signed: {problem}")
        return (self._clock.monotonic_ns() + best.offset_ns) // _MS

    def earliest_ns(self, epoch_ms: int) -> int | None:
        """Return the monotonic time before which it cannot have been `epoch_ms` at the venue.

        None when its clock is not known.
        """
        best = self._best
        if best is None or not self.usable:
            return None
        # The venue tells whole milliseconds, and the clocks drift apart after the estimate.
        drift_ns = abs(self._clock.monotonic_ns() - best.received_ns) // _DRIFT
        return epoch_ms * _MS - best.offset_ns - best.uncertainty_ns - drift_ns - _MS

    def _is_older_than(self, age_ns: int) -> bool:
        best = self._best
        return best is None or self._clock.monotonic_ns() - best.received_ns > age_ns

    def _problem(self) -> str:
        if self._best is None:
            return "the venue's clock has not been read yet"
        if self._best.uncertainty_ns > _WIDEST_NS:
            return (
                f"the venue's clock is known only to {self._best.uncertainty_ns // _MS} ms, "
                f"{_WIDEST_NS // _MS} ms is the limit"
            )
        if self._spread_ns > FARTHEST_APART_NS:
            return (
                f"two readings of the venue's clock differ by {self._spread_ns // _MS} ms, "
                f"{FARTHEST_APART_NS // _MS} ms is the limit"
            )
        return ""
