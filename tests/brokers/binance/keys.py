"""Private keys as users keep them, and their public halves as the venue does."""

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


def pem(key: PrivateKeyTypes) -> str:
    return _written(key, NoEncryption())


def encrypted(key: PrivateKeyTypes) -> str:
    return _written(key, BestAvailableEncryption(b"a password"))


def public_pem(key: PrivateKeyTypes) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _written(key: PrivateKeyTypes, encryption: KeySerializationEncryption) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()
