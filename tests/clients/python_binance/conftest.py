"""What the suites of python-binance share."""

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from binance import AsyncClient, BinanceSocketManager
from binance.base_client import BaseClient
from binance.ws.reconnecting_websocket import ReconnectingWebsocket

from tests.clients.venue import Venue


def login(venue: Venue, kind: str) -> dict[str, Any]:
    key = venue.keys[kind]
    if key.pem:
        return {"api_key": key.api_key, "private_key": Path(key.pem)}
    return {"api_key": key.api_key, "api_secret": key.secret}


class Connections:
    """Async clients, one for each key and setting, on one event loop for all checks."""

    def __init__(self, venue: Venue) -> None:
        self._venue: Final = venue
        self._clients: Final[dict[tuple[str, str | None], Any]] = {}
        self._runner: Final = asyncio.Runner()

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._runner.run(coroutine)

    async def client(self, kind: str = "HMAC", time_unit: str | None = None) -> Any:
        name = (kind, time_unit)
        if name not in self._clients:
            settings = login(self._venue, kind) | {"time_unit": time_unit}
            self._clients[name] = await AsyncClient.create(**settings)
        return self._clients[name]

    def close(self) -> None:
        async def close() -> None:
            closing = [client.close_connection() for client in self._clients.values()]
            await asyncio.gather(*closing)

        with self._runner:
            self._runner.run(close())


@pytest.fixture(scope="session", autouse=True)
def _pointed_at_the_venue(venue: Venue) -> None:
    """This client takes no addresses; they are attributes of its classes.

    So is how long it may take to notice that a quiet connection is to be closed.
    """
    ReconnectingWebsocket.TIMEOUT = 1
    BaseClient.API_URL = f"{venue.http}/api"
    BaseClient.MARGIN_API_URL = f"{venue.http}/sapi"
    BaseClient.WS_API_URL = f"{venue.ws}/ws-api/v3"
    BinanceSocketManager.STREAM_URL = f"{venue.ws}/"


@pytest.fixture(scope="session")
def connections(venue: Venue, _pointed_at_the_venue: None) -> Iterator[Connections]:
    opened = Connections(venue)
    yield opened
    opened.close()
