"""Kinds of keys, what each may do, and keys that are taken away."""

import base64
from dataclasses import replace
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from otonom_trader.testnet import KeyConfig, LocalTestnet, ManualClock, TestnetConfig
from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.security import find_key, make_key
from tests.testnet.conftest import ALICE, BOB, Client

ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.1",
    "price": "20000",
}
REFUSED = (401, -2015, "Invalid API-key, IP, or permissions for action.")
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def sign(kind: str, payload: bytes) -> str:
    raw = (
        RSA.sign(payload, padding.PKCS1v15(), hashes.SHA256())
        if kind == "rsa"
        else ED25519.sign(payload)
    )
    return base64.b64encode(raw).decode()


@pytest.fixture
def config(config: TestnetConfig) -> TestnetConfig:
    keys = (
        KeyConfig("rsa-key", public_key=pem(RSA)),
        KeyConfig("ed25519-key", public_key=pem(ED25519)),
        KeyConfig("reader", secret="reader-secret", can_trade=False),
        KeyConfig("trader", secret="trader-secret", can_read=False),
    )
    return replace(config, accounts=(replace(ALICE, keys=keys), BOB))


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
async def test_a_key_pair_signs_in_base64(alice: Client, kind: str) -> None:
    alice.key = f"{kind}-key"
    query = urlencode(ORDER | {"timestamp": alice.clock.time_ms()})
    signature = quote(sign(kind, query.encode()), safe="")
    answer = await alice.send("POST", "/api/v3/order", f"{query}&signature={signature}")
    assert (answer.status, answer.content["status"]) == (200, "NEW")


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
@pytest.mark.parametrize("spoiled", ["swapped", "payload", "hex", "no base64"])
async def test_any_other_signature_is_refused(alice: Client, kind: str, spoiled: str) -> None:
    alice.key = f"{kind}-key"
    query = urlencode(ORDER | {"timestamp": alice.clock.time_ms()})
    signature = sign(kind, query.encode())
    if spoiled == "swapped":
        # Base64 minds upper and lower case.
        signature = signature.swapcase()
    elif spoiled == "payload":
        query = query.replace("quantity=0.1", "quantity=0.2")
    elif spoiled == "hex":
        signature = base64.b64decode(signature).hex()
    else:
        signature = "%%%"
    answer = await alice.send(
        "POST", "/api/v3/order", f"{query}&signature={quote(signature, safe='')}"
    )
    assert answer.refusal == (400, -1022, "Signature for this request is not valid.")


async def test_all_keys_of_an_account_see_the_same_orders(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, clock: ManualClock
) -> None:
    await alice.order(**ORDER)
    reader = Client(venue.url, session, clock, "reader", "reader-secret")
    assert len((await reader.signed("GET", "/api/v3/openOrders")).content) == 1


async def test_a_key_that_may_only_read_cannot_trade(
    venue: LocalTestnet, session: aiohttp.ClientSession, alice: Client, clock: ManualClock
) -> None:
    reader = Client(venue.url, session, clock, "reader", "reader-secret")
    assert (await reader.order(**ORDER)).refusal == REFUSED
    assert (await reader.signed("POST", "/api/v3/order/test", **ORDER)).refusal == REFUSED
    assert (await reader.signed("GET", "/api/v3/account")).status == 200
    rights = (await reader.signed("GET", "/sapi/v1/account/apiRestrictions")).content
    assert rights["enableSpotAndMarginTrading"] is False
    assert venue.truth()["orders"] == []


async def test_a_key_that_may_only_trade_cannot_read(
    venue: LocalTestnet, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    trader = Client(venue.url, session, clock, "trader", "trader-secret")
    assert (await trader.order(**ORDER)).status == 200
    assert (await trader.signed("GET", "/api/v3/openOrders")).refusal == REFUSED


def test_a_revoked_key_is_no_key() -> None:
    account = Account("alice", 1, 0, 0, 1)
    key = make_key(KeyConfig("key", secret="s"), account, 0)
    assert find_key({"key": key}, "key") is key
    key.revoked = True
    with pytest.raises(VenueError, match="-2015"):
        find_key({"key": key}, "key")


@pytest.mark.parametrize("public_key", ["not pem", pem(ec.generate_private_key(ec.SECP256R1()))])
async def test_a_public_key_of_another_kind_is_refused_at_the_start(
    config: TestnetConfig, public_key: str
) -> None:
    accounts = (replace(ALICE, keys=(KeyConfig("odd", public_key=public_key),)),)
    with pytest.raises(ValueError, match="key 'odd': the public key is n"):
        async with LocalTestnet(replace(config, accounts=accounts)):
            pass


def test_a_key_has_a_secret_or_a_public_key() -> None:
    for secret, public_key in (("", ""), ("s", "p")):
        with pytest.raises(ValueError, match="either a secret or a public key"):
            KeyConfig("key", secret=secret, public_key=public_key)
