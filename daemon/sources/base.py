"""What every decision source offers."""

from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from otonom_trader.domain.decision import Decision, Malformed
from otonom_trader.domain.errors import TraderError

MAX_BATCH = 250
"""No fetch gives more, whatever its limit: reading them holds up the event loop for some ms."""


class SourceUnavailable(TraderError):
    """A source cannot be read now: nothing was taken from it, and the next poll tries again."""


class Sighting(NamedTuple):
    """One thing a source gave, and where the source stands once it is written down."""

    item: Decision | Malformed
    position: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one fetch gave, in the order of the source.

    `position` is where the fetch stopped: hand it to the next one. It may lie behind the last
    sighting (blank lines, the rest of an over-long line), so it is kept in memory; what is
    journaled is each sighting's own position, in the transaction that writes its claim. When it
    differs from what was handed in, more may be waiting.
    """

    sightings: tuple[Sighting, ...]
    position: str | None


class DecisionSource(Protocol):
    """A place decisions are read from, opened and closed by ``async with``."""

    @property
    def name(self) -> str:
        """The source's half of a decision's identity."""

    async def fetch_new(self, after: str | None, limit: int) -> Batch:
        """Return at most `limit` decisions behind the position `after`, None for the beginning.

        What is no decision comes as `Malformed`, in its place. A fetch reads a bounded amount and
        gives at most `MAX_BATCH`.
        Raises `SourceUnavailable` when the source cannot be read.
        """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
