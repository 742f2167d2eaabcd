"""What both parts of the soak do: decide, and come to rest."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.decision import Direction
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.execution import TradeExecutionLog
from tests.system.harness import until
from tests.system.rig import Rig

CLOCK = SystemClock()
# Each is asked for and cancelled by itself, which takes longer than to place it.
_LIMITS = 0.1


async def trade(one: Rig, random: Random) -> TradeExecutionLog:
    """Execute one decision."""
    return await one.decide(**await _decision(one, random))


async def _decision(one: Rig, random: Random) -> dict[str, Any]:
    """At market, or a limit that rests for a second or two."""
    given: dict[str, Any] = {
        "qty": f"0.{random.randint(100, 900):05d}",
        "direction": random.choice((Direction.BUY, Direction.SELL)),
    }
    if random.random() < _LIMITS:
        mark = None
        with suppress(VenueError):  # struck as well: at market, then
            mark = (await one.broker.venue.get_market("BTCUSDT")).mark
        if mark is not None:
            away = Decimal(random.randint(-5, 5)) / 10_000
            given["price"] = (mark * (1 + away)).quantize(Decimal("0.01"))
            given["expires_at"] = one.clock.now() + timedelta(seconds=random.uniform(0.5, 3))
    return given


async def come_to_rest(one: Rig) -> None:
    """End all faults, and wait until every order is at its end."""
    await one.mend()
    await one.resolve()
    await until(lambda: all_at_their_end(one), "every order at its end", seconds=120)
    assert await one.recovery.look_over(one.floor) == []


async def all_at_their_end(one: Rig) -> bool:
    """Ask after every order that is not, and cancel those whose time is over."""
    await one.settle()
    await one.recovery.refresh(one.floor)
    return not one.broker.outcomes.open_orders


async def every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do `work` again and again, `seconds` apart."""
    while True:
        await CLOCK.sleep(seconds)
        await work()


def listed(counts: Mapping[str, int]) -> str:
    """Counts in a line, the largest first."""
    return ", ".join(f"{count} {name}" for name, count in Counter(counts).most_common())
