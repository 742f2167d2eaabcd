"""Source types are found by name, and opened together."""

from pathlib import Path

import pytest

from otonom_trader.daemon.sources.registry import SOURCES, open_sources, source_type
from otonom_trader.domain.errors import ConfigurationError


@pytest.mark.parametrize("name", SOURCES)
async def test_every_type_is_built_from_a_path_and_a_name_and_reads_a_missing_file_as_empty(
    tmp_path: Path, name: str
) -> None:
    source = source_type(name)(path=tmp_path / "decisions", name="patron")
    async with open_sources([source]) as (opened,):
        assert opened.name == "patron"
        batch = await opened.fetch_new(None, 10)
    assert (batch.sightings, batch.position) == ((), None)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_type_is_refused_naming_the_known_ones() -> None:
    with pytest.raises(ConfigurationError) as refused:
        source_type("kafka")
    assert str(refused.value) == (
        "there is no decision source of type 'kafka'; there are: jsonl, sql"
    )
