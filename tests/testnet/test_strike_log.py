"""What a terminal shows of the strikes of faults."""

from typing import Any

from otonom_trader.testnet import ManualClock
from otonom_trader.testnet.ordered_faults import Faults
from otonom_trader.testnet.strike_log import StrikeLog

PATH = "/api/v3/order"
MIDNIGHT_MS = 1_760_054_400_000


def told(clock: ManualClock, **wanted: Any) -> tuple[Faults, list[str]]:
    lines: list[str] = []
    faults = Faults(clock, 0)
    faults.witnesses.append(StrikeLog(clock, lines.append).note)
    faults.add({"path": PATH, "method": "POST", "fault": "http_503"} | wanted)
    return faults, lines


def test_a_strike_is_told_with_its_time_and_what_is_left() -> None:
    clock = ManualClock(MIDNIGHT_MS)
    faults, lines = told(clock, count=3, seconds=20)
    faults.take("POST", PATH)
    clock.advance(4)
    faults.take("GET", PATH)
    faults.take("POST", PATH)
    faults.take("POST", PATH)
    assert lines == [
        "00:00:00Z fault 1: http_503 on POST /api/v3/order, 2 more or for 20 s more",
        "00:00:04Z fault 1: http_503 on POST /api/v3/order, 1 more or for 16 s more",
        "00:00:04Z fault 1: http_503 on POST /api/v3/order, the last",
    ]


def test_a_flood_is_a_few_lines_a_second() -> None:
    clock = ManualClock(MIDNIGHT_MS)
    faults, lines = told(clock, probability=1)
    for _ in range(1000):
        faults.take("POST", PATH)
    assert lines == ["00:00:00Z fault 1: http_503 on POST /api/v3/order"] * 5 + [
        "00:00:00Z fault 1: what else it strikes in this second is not told"
    ]
    clock.advance(1)
    faults.take("POST", PATH)
    assert lines[6:] == ["00:00:01Z fault 1: http_503 on POST /api/v3/order"]
