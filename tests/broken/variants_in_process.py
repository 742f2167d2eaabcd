"""One rule taken out within this process, for as long as a test lasts.

Each variant makes a mistake that is made easily, in the few lines it takes.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from otonom_trader.brokers import outcomes
from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.transport.ws_keeper import Keeper
from otonom_trader.daemon import resolver
from otonom_trader.domain import order_life
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.order import Fill, OrderResult


def state_goes_back(patch: pytest.MonkeyPatch) -> None:
    """What was told last is believed, whenever it happened."""
    merge = order_life.merge

    def newest(known: OrderResult, told: OrderResult) -> OrderResult:
        return replace(merge(known, told), status=told.status or known.status)

    patch.setattr(outcomes, "merge", newest)


def fills_added_up(patch: pytest.MonkeyPatch) -> None:
    """Each fill that is told is another one, whatever its trade."""

    def all_of(known: tuple[Fill, ...], told: tuple[Fill, ...]) -> tuple[Fill, ...]:
        return (*known, *told)

    patch.setattr(order_life, "_united", all_of)


def fence_skipped(patch: pytest.MonkeyPatch) -> None:
    """An order that is not there is absent at once."""
    make = BinanceBroker.__init__

    def without_fence(self: BinanceBroker, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        self.unknown_fence_seconds = 0

    patch.setattr(BinanceBroker, "__init__", without_fence)
    patch.setattr(resolver, "_MISSES_TO_ABSENT", 1)


def gap_between_connections(patch: pytest.MonkeyPatch) -> None:
    """The connection that is due goes before another one has taken its place."""
    open_at_last = Keeper._open_at_last

    async def close_first(
        self: Keeper[Any], tasks: asyncio.TaskGroup, lost: Callable[[VenueError], None]
    ) -> Any:
        if self.current is not None:
            self.current.abort()
        return await open_at_last(self, tasks, lost)

    patch.setattr(Keeper, "_open_at_last", close_first)
