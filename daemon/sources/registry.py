"""The types of decision source there are."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import entry_points

from otonom_trader.daemon.sources.base import DecisionSource
from otonom_trader.daemon.sources.jsonl import JsonlSource
from otonom_trader.daemon.sources.sql import SqlSource
from otonom_trader.domain.errors import ConfigurationError

SourceType = Callable[..., DecisionSource]

SOURCES: dict[str, SourceType] = {"jsonl": JsonlSource, "sql": SqlSource}
"""Each `type` of `daemon.yaml`, called with the other keys of its entry by name."""

ENTRY_POINTS = "otonom_trader.sources"
"""The entry point group by which other packages offer their own types."""


def source_type(name: str) -> SourceType:
    """Return the source type called `name`; `ConfigurationError` when there is none."""
    if name in SOURCES:
        return SOURCES[name]
    offered = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name in offered:
        loaded: SourceType = offered[name].load()
        return loaded
    known = ", ".join(sorted({*SOURCES, *offered}))
    raise ConfigurationError(f"there is no decision source of type {name!r}; there are: {known}")


@asynccontextmanager
async def open_sources(sources: Iterable[DecisionSource]) -> AsyncIterator[list[DecisionSource]]:
    """Open `sources` in order, and close them in reverse."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(source) for source in sources]
