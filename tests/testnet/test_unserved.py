"""What is not served: paths there are not, methods a path has not, and what no symbol has."""

from dataclasses import replace

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, RateLimits, TestnetConfig
from tests.testnet.conftest import Client
from tests.testnet.wire import Signer, wire

UNKNOWN = [
    ("GET", "/api/v3/exchangie"),
    ("POST", "/api/v3/order/oco"),
    ("POST", "/api/v3/userDataStream"),
    ("GET", "/sapi/v1/capital/config/getall"),
    ("GET", "/api/v1/ping"),
    ("GET", "/"),
]
PAGE = "<html><body><h2>404 Not found</h2></body></html>"
WEIGHT = "X-MBX-USED-WEIGHT-1M"
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
NO_SOR = (-1013, "This symbol has no SOR.")


@pytest.mark.parametrize(("method", "path"), UNKNOWN)
async def test_a_path_there_is_not_is_404_with_a_page_for_who_reads_pages(
    alice: Client, method: str, path: str
) -> None:
    answer = await alice.signed(method, path)
    assert (answer.status, answer.content) == (404, "")
    assert answer.headers["X-Testnet-Note"].startswith("not served here")
    for accept in ("text/html", "application/xhtml+xml, text/html;q=0.9, */*"):
        answer = await alice.send(method, path, headers={"Accept": accept})
        assert (answer.status, answer.content) == (404, PAGE)
        assert answer.headers["Content-Type"] == "text/html"
    answer = await alice.send(method, path, headers={"Accept": "application/json"})
    assert (answer.status, answer.content) == (404, "")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/v3/order/test", "POST"),
        ("POST", "/api/v3/ping", "GET"),
        ("PUT", "/api/v3/order", "POST, DELETE, GET"),
    ],
)
async def test_a_method_a_path_has_not_is_405(
    alice: Client, method: str, path: str, allowed: str
) -> None:
    answer = await alice.signed(method, path)
    assert (answer.status, answer.content) == (405, "")
    assert answer.headers["Allow"] == allowed


async def test_either_is_counted_like_any_request(
    config: TestnetConfig, session: aiohttp.ClientSession, alice: Client
) -> None:
    assert (await alice.get("/api/v3/nothing")).headers[WEIGHT] == "1"
    assert (await alice.send("POST", "/api/v3/ping")).headers[WEIGHT] == "2"
    limits = RateLimits(weight_per_minute=1, refusals_before_ban=1)
    async with LocalTestnet(replace(config, limits=limits)) as venue:
        client = Client(venue.url, session, alice.clock, alice.key, alice.secret)
        statuses = [(await client.get("/api/v3/nothing")).status for _ in range(3)]
    assert statuses == [404, 429, 418]


@pytest.mark.parametrize("path", ["/api/v3/sor/order", "/api/v3/sor/order/test"])
async def test_no_symbol_is_routed_by_sor(alice: Client, path: str) -> None:
    assert (await alice.signed("POST", path, **ORDER)).refusal == (400, *NO_SOR)
    unsigned = await alice.send("POST", path, "symbol=BTCUSDT")
    assert unsigned.content["code"] == -1102
    assert (await alice.truth())["orders"] == []


async def test_no_symbol_is_routed_by_sor_over_the_websocket_api(
    venue: LocalTestnet, session: aiohttp.ClientSession, config: TestnetConfig, alice: Client
) -> None:
    signer = Signer(config.accounts[0], alice.clock)
    async with wire(session, venue.url, "/ws-api/v3") as api:
        for method in ("sor.order.place", "sor.order.test"):
            answer = await api.ask(signer.request(method, **ORDER))
            assert answer["error"] == dict(zip(("code", "msg"), NO_SOR, strict=True))


async def test_a_websocket_path_without_a_handshake_is_not_supported(alice: Client) -> None:
    for path in ("/ws-api/v3", "/ws", "/stream"):
        answer = await alice.get(path)
        assert answer.refusal == (400, -1020, "This operation is not supported.")
