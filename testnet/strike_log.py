"""The strikes of faults as lines for a terminal, few enough to be read."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from otonom_trader.testnet.clock import Clock
from otonom_trader.testnet.ordered_faults import OrderedFault

_MOST_IN_A_SECOND: Final = 5


class StrikeLog:
    """A line for each strike; of a fault that strikes more than five times in a second, the rest
    of that second is one line.
    """

    def __init__(self, clock: Clock, tell: Callable[[str], None]) -> None:
        self._clock: Final = clock
        self._tell: Final = tell
        self._seconds: Final[dict[int, tuple[float, int]]] = {}
        """Of each fault: when the second that is counted began, and the strikes in it."""

    def note(self, ordered: OrderedFault) -> None:
        now = self._clock.monotonic()
        began, strikes = self._seconds.get(ordered.fault_id, (now, 0))
        if now - began >= 1:
            began, strikes = now, 0
        self._seconds[ordered.fault_id] = (began, strikes + 1)
        if strikes < _MOST_IN_A_SECOND:
            self._line(ordered, f"{ordered.title}{_rest(ordered, now)}")
        elif strikes == _MOST_IN_A_SECOND:
            self._line(ordered, "what else it strikes in this second is not told")

    def _line(self, ordered: OrderedFault, text: str) -> None:
        time = datetime.fromtimestamp(self._clock.time_ms() / 1000, UTC)
        self._tell(f"{time:%H:%M:%S}Z fault {ordered.fault_id}: {text}")


def _rest(ordered: OrderedFault, now: float) -> str:
    """What is left of it, to end the line."""
    if ordered.count_left == 0:
        return ", the last"
    left = [] if ordered.count_left is None else [f"{ordered.count_left} more"]
    seconds = ordered.seconds_left(now)
    if seconds is not None:
        left.append(f"for {seconds:g} s more")
    return ", " + " or ".join(left) if left else ""
