"""Known answers of binance-facts.md, section 2, and what encoding must never lose."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.signing import (
    Credentials,
    HmacSigner,
    encode_query,
    websocket_payload,
)
from otonom_trader.domain.secret import Secret

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
    credentials = Credentials.hmac("canary-key", "canary-secret", 2_000)
    assert "canary" not in f"{credentials!r} {credentials}"


@pytest.mark.parametrize("text", ["", "with space", "new\nline", "zażółć"])
def test_what_cannot_be_a_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="api_secret") as refusal:
        Credentials.hmac("key", text, 2_000)
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize("window", [0, -1, 60_001])
def test_a_window_the_venue_does_not_take_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match="recv_window_ms"):
        Credentials.hmac("key", "secret", window)
