"""A venue that counts as production: a testnet behind a name of this machine's, over TLS.

Every host that is not known to trade play money is production, so the machine's own name is.
"""

import asyncio
import ipaddress
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from otonom_trader.brokers.binance.hosts import is_testnet
from otonom_trader.testnet import LocalTestnet
from tests.system.conftest import Install
from tests.system.harness import CANARY, CLOCK, Installation
from tests.system.test_contradictions import port_of

_CHUNK_BYTES = 65_536


@asynccontextmanager
async def at_production(install: Install, market: LocalTestnet) -> AsyncIterator[Installation]:
    """Make an installation in shadow for which `market` is production.

    Skips the test where the name of this machine leads elsewhere than over loopback.
    """
    host = socket.gethostname()
    if is_testnet(host) or not _is_on_loopback(host):
        pytest.skip(f"the name of this machine, {host}, is not reached over loopback")
    with tempfile.TemporaryDirectory() as folder:
        key, trusted = Path(folder) / "key.pem", Path(folder) / "trusted.pem"
        trusted.write_bytes(_certify(host, key))
        async with _serve(host, key, trusted, port_of(market)) as url:
            trader = install(
                url,
                mode="shadow",
                broker={"broker": {"binance": {"use_testnet": False}}},
                environ={
                    "OTONOM_TRADER__BROKER__BINANCE__API_KEY": "trader-key",
                    "OTONOM_TRADER__BROKER__BINANCE__API_SECRET": CANARY,
                    "SSL_CERT_FILE": str(trusted),
                },
            )
            _take_keys_out(trader.config_dir / "broker.yaml")
            yield trader
            await trader.aclose()


@asynccontextmanager
async def _serve(host: str, key: Path, certificate: Path, port: int) -> AsyncIterator[str]:
    """Pass on what comes over TLS to `port` of this machine; yield the address."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pump(reader, requests), _pump(answers, writer))

    async with await asyncio.start_server(pass_on, host, ssl=context) as server:
        yield f"https://{host}:{server.sockets[0].getsockname()[1]}"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # the other end has gone
    finally:
        writer.close()


def _take_keys_out(file: Path) -> None:
    """Production keys do not stand in the file."""
    content = yaml.safe_load(file.read_text())
    for name in ("api_key", "api_secret"):
        del content["broker"]["binance"][name]
    file.write_text(yaml.safe_dump(content))


def _is_on_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(socket.gethostbyname(host)).is_loopback
    except OSError:
        return False


def _certify(host: str, key_file: Path) -> bytes:
    """Write a key, and return a certificate for `host` that is its own authority, as PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), CLOCK.now()
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)
