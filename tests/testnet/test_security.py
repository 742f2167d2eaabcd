"""Signatures, keys and timing, against the venue's published known answers."""

import pytest

from otonom_trader.testnet import (
    AccountConfig,
    LocalTestnet,
    ManualClock,
    MarketSpec,
    TestnetConfig,
)
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.security import check_time, sign, without_signature
from tests.testnet.conftest import Client

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
SIGNED_AT_MS = 1499827319559

ALL_IN_QUERY = (
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
    f"&timestamp={SIGNED_AT_MS}"
)
KNOWN_ANSWERS = [
    pytest.param(
        ALL_IN_QUERY,
        "",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        id="query",
    ),
    pytest.param(
        ALL_IN_QUERY.replace("LTCBTC", "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96"),
        "",
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
        id="percent-encoded symbol",
    ),
    pytest.param(
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
        f"quantity=1&price=0.1&recvWindow=5000&timestamp={SIGNED_AT_MS}",
        "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
        id="query and body",
    ),
]


@pytest.mark.parametrize(("query", "body", "signature"), KNOWN_ANSWERS)
def test_the_published_signatures_are_reproduced(query: str, body: str, signature: str) -> None:
    assert sign(SECRET.encode(), (query + body).encode()) == signature


@pytest.fixture
def config() -> TestnetConfig:
    return TestnetConfig(
        accounts=(AccountConfig(api_key=KEY, api_secret=SECRET),),
        market=MarketSpec.parse("empty"),
        clock=ManualClock(SIGNED_AT_MS),
    )


@pytest.mark.parametrize("place", ["query", "body"])
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize(("query", "body", "signature"), KNOWN_ANSWERS)
async def test_a_published_request_passes_security_and_fails_only_at_its_symbol(
    alice: Client, query: str, body: str, signature: str, place: str, *, upper: bool
) -> None:
    alice.key = KEY
    proof = f"signature={signature.upper() if upper else signature}"
    if place == "query":
        query += f"&{proof}"
    else:
        body += f"&{proof}" if body else proof
    answer = await alice.send("POST", "/api/v3/order", query, body or None)
    assert answer.refusal == (400, -1121, "Invalid symbol.")


async def test_the_signature_may_stand_anywhere(alice: Client) -> None:
    alice.key = KEY
    proof = sign(SECRET.encode(), ALL_IN_QUERY.encode())
    answer = await alice.send("POST", "/api/v3/order", f"signature={proof}&{ALL_IN_QUERY}")
    assert answer.refusal == (400, -1121, "Invalid symbol.")


@pytest.mark.parametrize(
    "changed",
    [
        ALL_IN_QUERY.replace("quantity=1", "quantity=2"),
        # The same parameters in another order are other bytes.
        ALL_IN_QUERY.replace("symbol=LTCBTC&side=BUY", "side=BUY&symbol=LTCBTC"),
        ALL_IN_QUERY.replace("LTCBTC", "LTC%42TC"),
    ],
)
async def test_other_bytes_than_those_signed_are_refused(alice: Client, changed: str) -> None:
    alice.key = KEY
    proof = sign(SECRET.encode(), ALL_IN_QUERY.encode())
    answer = await alice.send("POST", "/api/v3/order", f"{changed}&signature={proof}")
    assert answer.refusal == (400, -1022, "Signature for this request is not valid.")


async def test_text_outside_ascii_must_be_encoded_before_it_is_signed(alice: Client) -> None:
    alice.key, alice.secret = KEY, SECRET
    body = alice.sign(ALL_IN_QUERY.replace("LTCBTC", "\uff11\uff12"))
    answer = await alice.send("POST", "/api/v3/order", "", body)
    assert answer.refusal == (400, -1022, "Signature for this request is not valid.")


@pytest.mark.parametrize(
    ("key", "refusal"),
    [
        ("", (401, -2014, "API-key format invalid.")),
        ("too short", (401, -2014, "API-key format invalid.")),
        ("x" * 64, (401, -2015, "Invalid API-key, IP, or permissions for action.")),
    ],
)
async def test_an_unknown_key_is_refused(
    alice: Client, key: str, refusal: tuple[int, int, str]
) -> None:
    alice.key = key
    assert (await alice.signed("GET", "/api/v3/account")).refusal == refusal


@pytest.mark.parametrize("missing", ["timestamp", "signature"])
async def test_a_signed_request_needs_time_and_signature(alice: Client, missing: str) -> None:
    alice.key = KEY
    query = {"timestamp": "signature=00", "signature": f"timestamp={SIGNED_AT_MS}"}[missing]
    answer = await alice.send("GET", "/api/v3/account", query)
    text = f"Mandatory parameter '{missing}' was not sent, was empty/null, or malformed."
    assert answer.refusal == (400, -1102, text)


LATE = "Timestamp for this request is outside of the recvWindow."
EARLY = "Timestamp for this request was 1000ms ahead of the server's time."


@pytest.mark.parametrize(
    ("timestamp", "recv_window", "text"),
    [
        ("1000000", None, None),
        ("1000999", None, None),
        ("1001000", None, EARLY),
        ("995000", None, None),
        ("994999", None, LATE),
        ("999900", "100", None),
        ("999899", "100", LATE),
        ("999900", "99.999", LATE),
        ("999900", "100.001", None),
        ("940000", "60000", None),
    ],
)
def test_a_request_is_accepted_within_its_window_and_less_than_a_second_ahead(
    timestamp: str, recv_window: str | None, text: str | None
) -> None:
    if text is None:
        check_time(timestamp, recv_window, 1_000_000)
    else:
        with pytest.raises(VenueError) as caught:
            check_time(timestamp, recv_window, 1_000_000)
        assert (caught.value.code, caught.value.msg) == (-1021, text)


def test_microseconds_are_told_by_their_length() -> None:
    check_time(f"{SIGNED_AT_MS}000", None, SIGNED_AT_MS)
    with pytest.raises(VenueError, match=r"outside of the recvWindow"):
        check_time(f"{SIGNED_AT_MS - 5001}999", None, SIGNED_AT_MS)


def test_a_window_above_a_minute_is_refused() -> None:
    with pytest.raises(VenueError, match="recvWindow must be less than 60000"):
        check_time("1000000", "60000.001", 1_000_000)


@pytest.mark.parametrize(
    ("raw", "signed"),
    [
        ("a=1&signature=ff", "a=1"),
        ("signature=ff&a=1", "a=1"),
        ("a=1&signature=ff&b=2", "a=1&b=2"),
        ("signature=ff", ""),
        ("a=signature=1", "a=signature=1"),
    ],
)
def test_what_was_signed_is_everything_but_the_signature(raw: str, signed: str) -> None:
    assert without_signature(raw) == signed


async def test_a_wrong_clock_is_told_before_a_wrong_signature(
    venue: LocalTestnet, alice: Client
) -> None:
    alice.key = KEY
    answer = await alice.send("GET", "/api/v3/account", "timestamp=1499827000000&signature=00")
    assert answer.refusal == (400, -1021, LATE)
