"""What is said of a connection that could not be secured."""

import asyncio
import ssl
from pathlib import Path

import pytest

from otonom_trader.brokers.binance.transport.tls import insecure
from otonom_trader.testnet import LocalTestnet, MarketSpec, TestnetConfig


async def failure(url: str, trusting: ssl.SSLContext, server_hostname: str) -> ssl.SSLError:
    port = int(url.rpartition(":")[2])
    with pytest.raises(ssl.SSLError) as failed:
        await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusting, server_hostname=server_hostname
        )
    return failed.value


async def test_what_to_trust_is_a_remedy_only_where_trust_is_what_lacks(tmp_path: Path) -> None:
    file = tmp_path / "venue.pem"
    config = TestnetConfig(market=MarketSpec("empty"), tls=True, certificate=file)
    async with LocalTestnet(config) as venue:
        unknown = await failure(venue.url, ssl.create_default_context(), "localhost")
        another = await failure(venue.url, ssl.create_default_context(cafile=file), "example.com")
    assert insecure("venue", unknown) == (
        "the certificate of venue is not trusted: self-signed certificate; "
        "name a file with what to trust in SSL_CERT_FILE"
    )
    assert insecure("venue", another) == (
        "the certificate of venue is not trusted: Hostname mismatch, certificate is not valid for "
        "'example.com'."
    )


async def test_a_port_without_tls_is_told_apart() -> None:
    async with LocalTestnet(TestnetConfig(market=MarketSpec("empty"))) as venue:
        plain = await failure(venue.url, ssl.create_default_context(), "localhost")
    assert insecure("venue", plain) == (
        "what answers at venue does not speak TLS; check scheme and port"
    )


def test_what_is_not_known_is_not_made_up() -> None:
    assert insecure("venue", OSError("reset")) == "the TLS handshake with venue failed"
