"""A certificate that the venue makes for itself, for clients that insist on TLS."""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from otonom_trader.testnet.clock import WallClock
from otonom_trader.testnet.config import HOST

_VALID: Final = timedelta(days=365)
_CLOCK_TOLERANCE: Final = timedelta(days=1)


def make_context() -> tuple[ssl.SSLContext, str]:
    """What the venue serves TLS with, and its certificate as PEM.

    The certificate is its own authority and names 127.0.0.1 and localhost. The key is new each
    time and stays in memory. It is valid for a year by the machine's clock, which is what clients
    check it by.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(key).public_bytes(serialization.Encoding.PEM)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # The standard library loads a chain from a file only.
    with tempfile.NamedTemporaryFile() as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        file.write(certificate)
        file.flush()
        context.load_cert_chain(Path(file.name))
    return context, certificate.decode()


def _sign(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    now = datetime.fromtimestamp(WallClock().time_ms() / 1000, UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "otonom-trader local testnet")])
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    names = [x509.IPAddress(IPv4Address(HOST)), x509.DNSName("localhost")]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_TOLERANCE)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
