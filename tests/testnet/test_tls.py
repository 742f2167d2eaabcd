"""TLS with a certificate of the venue's own making."""

import ssl
from pathlib import Path

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, MarketSpec, TestnetConfig
from tests.testnet.wire import wire

EMPTY = MarketSpec("empty")


async def test_a_client_that_trusts_the_certificate_is_served_by_every_door(tmp_path: Path) -> None:
    file = tmp_path / "venue.pem"
    config = TestnetConfig(market=EMPTY, tls=True, certificate=file)
    async with LocalTestnet(config) as venue:
        assert venue.url.startswith("https://127.0.0.1:")
        assert file.read_text() == venue.certificate
        assert "PRIVATE" not in venue.certificate
        trusting = ssl.create_default_context(cafile=file)
        trusting.verify_flags |= ssl.VERIFY_X509_STRICT
        connector = aiohttp.TCPConnector(ssl=trusting)
        async with aiohttp.ClientSession(connector=connector) as session:
            for host in (venue.url, venue.url.replace("127.0.0.1", "localhost")):
                async with session.get(f"{host}/api/v3/ping") as reply:
                    assert await reply.json() == {}
            async with wire(session, venue.url, "/ws") as stream:
                assert await stream.ask({"id": 1, "method": "LIST_SUBSCRIPTIONS"}) == {
                    "result": [],
                    "id": 1,
                }
            async with wire(session, venue.url, "/ws-api/v3") as api:
                assert (await api.call("ping"))["status"] == 200


async def test_a_client_that_does_not_know_the_certificate_refuses_it() -> None:
    async with (
        LocalTestnet(TestnetConfig(market=EMPTY, tls=True)) as venue,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(f"{venue.url}/api/v3/ping")


async def test_each_venue_makes_its_own() -> None:
    config = TestnetConfig(market=EMPTY, tls=True)
    async with LocalTestnet(config) as one, LocalTestnet(config) as other:
        assert one.certificate != other.certificate


async def test_a_certificate_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    config = TestnetConfig(market=EMPTY, tls=True, certificate=tmp_path / "none" / "venue.pem")
    with pytest.raises(ValueError, match=r"venue\.pem: No such file"):
        async with LocalTestnet(config):
            pass
