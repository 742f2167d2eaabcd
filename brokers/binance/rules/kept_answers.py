"""One endpoint's answers about symbols, each kept for as long as it is good."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from otonom_trader.brokers.binance.errors import Reply
from otonom_trader.brokers.binance.transport.rest import PublicTransport
from otonom_trader.domain.errors import VenueError

_T = TypeVar("_T")

_SECOND: Final = 1_000_000_000
_FAILED_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Kept(Generic[_T]):
    """What was answered, when to ask anew and until when it is used; monotonic."""

    value: _T | None
    due_ns: int
    good_until_ns: int


class KeptAnswers(Generic[_T]):
    """Asks `path` about a symbol; `parse` returns what an answer says, and for how many seconds.

    It is used twice as long, by whoever cannot wait.
    """

    def __init__(
        self,
        transport: PublicTransport,
        path: str,
        parse: Callable[[Reply, str], tuple[_T, float]],
    ) -> None:
        self._transport = transport
        self._path = path
        self._parse = parse
        self._kept: dict[str, _Kept[_T]] = {}
        self._asking: dict[str, asyncio.Event] = {}

    def value(self, venue_symbol: str) -> _T | None:
        """Return what is known, None where nothing is or it is too old."""
        kept = self._kept.get(venue_symbol)
        if kept is None or self._transport.clock.monotonic_ns() > kept.good_until_ns:
            return None
        return kept.value

    def last_value(self, venue_symbol: str) -> _T | None:
        """Return what was answered last, however old."""
        kept = self._kept.get(venue_symbol)
        return None if kept is None else kept.value

    def is_due(self, venue_symbol: str) -> bool:
        """Whether it is time to ask, or somebody is asking."""
        if venue_symbol in self._asking:
            return True
        kept = self._kept.get(venue_symbol)
        return kept is None or self._transport.clock.monotonic_ns() >= kept.due_ns

    async def ask(self, venue_symbol: str) -> None:
        """Ask where that is due, or wait for who does; without an answer what is known stays.

        Raises no `VenueError`.
        """
        if not self.is_due(venue_symbol):
            return
        if venue_symbol in self._asking:
            await self._asking[venue_symbol].wait()
            return
        now_ns = self._transport.clock.monotonic_ns()
        again_ns = now_ns + _ns(_FAILED_SECONDS)
        kept = self._kept.get(venue_symbol)
        self._kept[venue_symbol] = (
            _Kept(None, again_ns, 0) if kept is None else replace(kept, due_ns=again_ns)
        )
        answered = self._asking[venue_symbol] = asyncio.Event()
        try:
            reply = await self._transport.get(self._path, (("symbol", venue_symbol),))
            value, seconds = self._parse(reply, venue_symbol)
            due_ns, good_until_ns = now_ns + _ns(seconds), now_ns + _ns(2 * seconds)
            self._kept[venue_symbol] = _Kept(value, due_ns, good_until_ns)
        except VenueError:
            return
        finally:
            del self._asking[venue_symbol]
            answered.set()

    def forget(self, venue_symbol: str) -> None:
        """Drop what is known of a symbol."""
        self._kept.pop(venue_symbol, None)


def _ns(seconds: float) -> int:
    return int(seconds * _SECOND)
