"""Installations that are ended after their test, and searched for the secret."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.system.harness import Installation, secret_seen_in

Install = Callable[..., Installation]


@pytest_asyncio.fixture
async def install(tmp_path: Path) -> AsyncIterator[Install]:
    """Make installations: ``install(venue.url, mode="live")``, each under a folder of its own."""
    made: list[Installation] = []

    def make(url: str, **given: Any) -> Installation:
        made.append(Installation(tmp_path / f"installation-{len(made)}", url, **given))
        return made[-1]

    yield make
    for installation in made:
        await installation.aclose()
    assert secret_seen_in(made) == []
