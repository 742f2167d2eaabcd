"""Requests that are not what a client means to send: each is refused in the venue's own words."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from otonom_trader.testnet import LocalTestnet
from otonom_trader.testnet.rest import RestApi
from otonom_trader.testnet.security import sign
from tests.testnet.conftest import ALICE, Client

LIMIT = b"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=20000"
BAD_SIGNATURE = (400, -1022, "Signature for this request is not valid.")
PATIENCE_SECONDS = 5


async def raw(venue: LocalTestnet, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """What comes back for these bytes: status, headers, body."""
    port = urlsplit(venue.url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(PATIENCE_SECONDS):
        reply = await reader.read()
    writer.close()
    head, _, body = reply.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, body


def posted(body: bytes) -> bytes:
    return (
        b"POST /api/v3/order HTTP/1.1\r\nHost: venue\r\nConnection: close\r\n"
        b"X-MBX-APIKEY: alice-key\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )


def signed(alice: Client, body: bytes) -> bytes:
    payload = b"%s&timestamp=%d" % (body, alice.clock.time_ms())
    return b"%s&signature=%s" % (payload, sign(ALICE.api_secret.encode(), payload).encode())


async def refusal(venue: LocalTestnet, request: bytes) -> tuple[int, int, str]:
    status, headers, body = await raw(venue, request)
    assert headers["Content-Type"] == "application/json;charset=UTF-8"
    told = json.loads(body)
    return status, told["code"], told["msg"]


async def test_a_signature_that_is_not_text_is_no_signature(
    venue: LocalTestnet, alice: Client
) -> None:
    body = b"%s&timestamp=%d&signature=\xff" % (LIMIT, alice.clock.time_ms())
    assert await refusal(venue, posted(body)) == BAD_SIGNATURE


@pytest.mark.parametrize("text", [b"\xff", b"\xc3", b"\xed\xb3\xbf", "é".encode()])
async def test_text_outside_ascii_can_only_be_signed_percent_encoded(
    venue: LocalTestnet, alice: Client, text: bytes
) -> None:
    body = signed(alice, LIMIT.replace(b"BTCUSDT", text))
    assert await refusal(venue, posted(body)) == BAD_SIGNATURE


async def test_bytes_that_are_not_utf_8_are_illegal_characters(alice: Client) -> None:
    for query in ("symbol=%FF", "symbol=%ED%B3%BF"):
        answer = await alice.send("GET", "/api/v3/depth", query)
        assert (answer.status, answer.content["code"]) == (400, -1100)
        assert "in parameter 'symbol'" in answer.content["msg"]


async def test_a_name_that_is_not_text_is_told_as_far_as_it_can_be(venue: LocalTestnet) -> None:
    status, code, text = await refusal(venue, posted(b"\xff=1&\xff=2"))
    assert (status, code) == (400, -1101)
    assert text == "Duplicate values for parameter '\ufffd' detected."


async def test_the_truth_can_be_told_of_any_request(venue: LocalTestnet, alice: Client) -> None:
    body = b"symbol=\xff&newClientOrderId=\xfe&timestamp=1"
    assert (await raw(venue, posted(body)))[0] == 400
    request = (await alice.truth())["requests"][-1]
    assert (request["symbol"], request["clientOrderId"]) == ("\ufffd", "\ufffd")


@pytest.mark.parametrize("text", ["[" * 2000, "[1]", "[[]]", '["SPOT"', '["\\ud800"', "[1e]"])
async def test_permissions_that_are_no_list_of_names_are_refused(alice: Client, text: str) -> None:
    answer = await alice.get("/api/v3/exchangeInfo", permissions=text)
    assert answer.refusal == (400, -1130, "Data sent for parameter 'permissions' is not valid.")


@pytest.mark.parametrize(
    ("query", "code"),
    [("symbol=这是测试币456", -1100), ("symbol=这是测试币456&timestamp=1&signature=00", -1022)],
)
async def test_a_url_outside_ascii_is_refused_in_json(
    venue: LocalTestnet, query: str, code: int
) -> None:
    line = f"GET /api/v3/depth?{query} HTTP/1.1\r\nHost: venue\r\nConnection: close\r\n\r\n"
    status, told, _ = await refusal(venue, line.encode())
    assert (status, told) == (400, code)


async def test_what_is_not_http_is_refused_without_a_word_of_what_serves_it(
    venue: LocalTestnet,
) -> None:
    status, headers, body = await raw(venue, b"GET /api/v3/time?x= 5 HTTP/1.1\r\nHost: v\r\n\r\n")
    assert (status, headers["Content-Type"]) == (400, "text/html")
    assert body == b"<html><body><h1>400 Bad Request</h1></body></html>"


@pytest.mark.filterwarnings("default")
async def test_a_fault_of_its_own_is_told_as_the_venue_tells_it(
    alice: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(RestApi, "answer", broken)
    answer = await alice.get("/api/v3/time")
    text = "An unknown error occurred while processing the request."
    assert answer.refusal == (500, -1000, text)
    assert "ZeroDivisionError" in caplog.text
