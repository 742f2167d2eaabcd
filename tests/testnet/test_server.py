"""Opening, announcing, closing."""

import asyncio
import socket
from dataclasses import replace

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, TestnetConfig, serve


async def test_the_venue_listens_on_loopback_at_the_port_it_names(config: TestnetConfig) -> None:
    async with LocalTestnet(config) as venue, aiohttp.ClientSession() as session:
        assert venue.url.startswith("http://127.0.0.1:")
        async with session.get(f"{venue.url}/api/v3/ping") as reply:
            assert await reply.text() == "{}"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{venue.url}/api/v3/ping")


async def test_the_url_is_not_known_before_the_venue_is_open(config: TestnetConfig) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        _ = LocalTestnet(config).url


async def test_a_taken_port_is_an_error_that_names_it(config: TestnetConfig) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=str(port)):
            async with LocalTestnet(replace(config, port=port)):
                pass


async def test_what_the_block_raises_comes_out_as_it_is(config: TestnetConfig) -> None:
    with pytest.raises(KeyError):
        async with LocalTestnet(config):
            raise KeyError


async def test_serve_announces_its_url_in_one_line_and_runs_until_cancelled(
    config: TestnetConfig,
) -> None:
    lines: list[str] = []
    announced = asyncio.Event()

    def announce(line: str) -> None:
        lines.append(line)
        announced.set()

    async with asyncio.TaskGroup() as tasks, aiohttp.ClientSession() as session:
        serving = tasks.create_task(serve(config, announce))
        await announced.wait()
        url = lines[0].split()[-1]
        async with session.get(f"{url}/api/v3/time") as reply:
            assert reply.status == 200
        serving.cancel()
    assert len(lines) == 1
    assert "\n" not in lines[0]
