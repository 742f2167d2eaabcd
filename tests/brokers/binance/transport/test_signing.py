"""Known answers of binance-facts.md, section 2, and what encoding must never lose."""

from base64 import b64decode
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.transport.signing import (
    Credentials,
    HmacSigner,
    encode_query,
    load_signer,
    websocket_payload,
)
from otonom_trader.domain.secret import Secret
from tests.brokers.binance.keys import encrypted, pem

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SIGNER = HmacSigner(Secret("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"))

ORDER = (
    ("side", "BUY"),
    ("type", "LIMIT"),
    ("timeInForce", "GTC"),
    ("quantity", "1"),
    ("price", "0.1"),
    ("recvWindow", "5000"),
    ("timestamp", "1499827319559"),
)


@pytest.mark.parametrize(
    ("symbol", "signature"),
    [
        ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        ("１２３４５６", "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),  # noqa: RUF001
    ],
)
def test_a_query_is_encoded_and_then_signed(symbol: str, signature: str) -> None:
    assert SIGNER.sign(encode_query([("symbol", symbol), *ORDER])) == signature


def test_query_and_body_are_signed_with_nothing_between_them() -> None:
    query = encode_query([("symbol", "LTCBTC"), *ORDER[:3]])
    body = encode_query(ORDER[3:])
    signature = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
    assert SIGNER.sign(query + body) == signature


@pytest.mark.parametrize(
    ("params", "signature"),
    [
        (
            {
                "symbol": "BTCUSDT",
                "side": "SELL",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "quantity": "0.01000000",
                "price": "52000.00",
                "recvWindow": "100",
                "timestamp": "1645423376532",
                "apiKey": KEY,
                "signature": "left out",
            },
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
        ),
        (
            {"timestamp": "1649729878532", "apiKey": KEY},
            "1cf54395b336b0a9727ef27d5d98987962bc47aca6e13fe978612d0adee066ed",
        ),
    ],
)
def test_a_websocket_request_is_sorted_and_not_encoded(
    params: dict[str, str], signature: str
) -> None:
    assert SIGNER.sign(websocket_payload(params)) == signature


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(min_size=1)), max_size=5))
def test_what_is_encoded_is_ascii_and_reads_back_the_same(params: list[tuple[str, str]]) -> None:
    text = encode_query(params)
    assert text.isascii()
    assert parse_qsl(text, keep_blank_values=True, errors="surrogatepass") == params


def test_credentials_never_show_what_they_hold() -> None:
    credentials = Credentials.of("canary-key", "canary-secret", 2_000)
    assert "canary" not in f"{credentials!r} {credentials}"


@pytest.mark.parametrize("text", ["", "with space", "new\nline", "zażółć"])
def test_what_cannot_be_a_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="api_secret") as refusal:
        Credentials.of("key", text, 2_000)
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize("window", [0, -1, 60_001])
def test_a_window_the_venue_does_not_take_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match="recv_window_ms"):
        Credentials.of("key", "secret", window)


RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
SHORT = rsa.generate_private_key(65_537, 1024)  # noqa: S505  it is refused
ED25519 = ed25519.Ed25519PrivateKey.generate()
# To load an RSA key is to check it, which takes a hundred times as long as to sign with it.
RSA_SIGNER, ED25519_SIGNER = (load_signer(Secret(pem(key))) for key in (RSA, ED25519))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_private_keys_sign_what_their_public_halves_verify(payload: str) -> None:
    by_rsa = b64decode(RSA_SIGNER.sign(payload), validate=True)
    RSA.public_key().verify(by_rsa, payload.encode(), PKCS1v15(), SHA256())
    by_ed25519 = b64decode(ED25519_SIGNER.sign(payload), validate=True)
    ED25519.public_key().verify(by_ed25519, payload.encode())


def test_a_private_key_may_come_folded_into_one_line() -> None:
    signer = load_signer(Secret(" ".join(pem(ED25519).split("\n"))))
    assert signer.sign("text") == load_signer(Secret(pem(ED25519))).sign("text")


def test_only_an_ed25519_key_may_log_on() -> None:
    secrets = "hmac secret", pem(RSA), pem(ED25519)
    assert [load_signer(Secret(text)).can_log_on for text in secrets] == [False, False, True]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (encrypted(ED25519), "is an encrypted private key; give it decrypted"),
        (pem(ED25519)[:70], "is not a private key in PEM that can be read"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "of another kind than Ed25519 or RSA"),
        (pem(SHORT), "is an RSA key of 1024 bits; 2048 are"),
    ],
    ids=["encrypted", "cut off", "of another kind", "short"],
)
def test_a_private_key_that_the_venue_does_not_take_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refusal:
        Credentials.of("key", text, 2_000)
    assert str(refusal.value).startswith("api_secret is ")
    assert text.splitlines()[1] not in str(refusal.value)
