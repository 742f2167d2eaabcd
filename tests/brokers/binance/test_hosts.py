import pytest

from otonom_trader.brokers.binance.hosts import (
    choose_base_url,
    is_testnet,
    parse_base_url,
    streams_url,
    venue_name,
    ws_api_url,
)


@pytest.mark.parametrize(
    "host",
    [
        "testnet.binance.vision",
        "api1.testnet.binance.vision",
        "demo-api.binance.com",
        "127.0.0.1",
        "localhost",
        "::1",
        "Testnet.Binance.Vision",
    ],
)
def test_these_hosts_trade_play_money(host: str) -> None:
    assert is_testnet(host)


@pytest.mark.parametrize(
    "host",
    [
        "api.binance.com",
        "testnet.binance.vision.example.com",
        "xtestnet.binance.vision",
        "10.0.0.1",
        "",
    ],
)
def test_every_other_host_is_production(host: str) -> None:
    assert not is_testnet(host)


@pytest.mark.parametrize(
    ("use_testnet", "url"),
    [(True, "https://testnet.binance.vision"), (False, "https://api.binance.com")],
)
def test_without_a_url_the_environment_chooses(url: str, *, use_testnet: bool) -> None:
    assert str(choose_base_url(None, use_testnet=use_testnet)) == url


@pytest.mark.parametrize(
    ("use_testnet", "url", "reason"),
    [
        (True, "https://api.binance.com", "is a production host"),
        (True, "https://example.com", "is a production host"),
        (False, "https://testnet.binance.vision", "is a testnet host"),
        (False, "http://127.0.0.1:8080", "is a testnet host"),
    ],
)
def test_a_url_of_the_other_environment_is_refused(
    url: str, reason: str, *, use_testnet: bool
) -> None:
    with pytest.raises(ValueError, match=reason):
        choose_base_url(url, use_testnet=use_testnet)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.binance.com",
        "ftp://api.binance.com",
        "https://",
        "https://api.binance.com/api/v3",
        "https://api.binance.com?x=1",
        "https://user:pw@api.binance.com",
        "https://api.binance.com:port",
        "http://[::1",
    ],
)
def test_a_url_that_is_not_just_a_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url") as refusal:
        parse_base_url(url)
    assert "pw" not in str(refusal.value)


def test_plain_http_is_refused_beyond_this_machine() -> None:
    with pytest.raises(ValueError, match="must be https"):
        parse_base_url("http://testnet.binance.vision")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.binance.com/", "api.binance.com:443"),
        ("http://127.0.0.1:9000", "127.0.0.1:9000"),
    ],
)
def test_a_venue_is_named_by_host_and_port(url: str, name: str) -> None:
    assert venue_name(parse_base_url(url)) == name


@pytest.mark.parametrize(
    ("url", "ws_api", "streams"),
    [
        ("https://api.binance.com", "wss://ws-api.binance.com", "wss://stream.binance.com"),
        ("https://api4.binance.com", "wss://ws-api.binance.com", "wss://stream.binance.com"),
        ("https://api-gcp.binance.com", "wss://ws-api.binance.com", "wss://stream.binance.com"),
        (
            "https://testnet.binance.vision",
            "wss://ws-api.testnet.binance.vision",
            "wss://stream.testnet.binance.vision",
        ),
        (
            "https://api1.testnet.binance.vision",
            "wss://ws-api.testnet.binance.vision",
            "wss://stream.testnet.binance.vision",
        ),
        (
            "https://demo-api.binance.com",
            "wss://demo-ws-api.binance.com",
            "wss://demo-stream.binance.com",
        ),
        (
            "https://data-api.binance.vision",
            "wss://data-api.binance.vision",
            "wss://data-stream.binance.vision",
        ),
        ("http://127.0.0.1:9000", "ws://127.0.0.1:9000", "ws://127.0.0.1:9000"),
        ("http://[::1]:9000", "ws://[::1]:9000", "ws://[::1]:9000"),
        ("https://localhost", "wss://localhost", "wss://localhost"),
        ("https://example.com:8443", "wss://example.com:8443", "wss://example.com:8443"),
    ],
)
def test_sockets_are_where_the_environments_rest_is(url: str, ws_api: str, streams: str) -> None:
    assert ws_api_url(parse_base_url(url)) == f"{ws_api}/ws-api/v3"
    assert streams_url(parse_base_url(url)) == f"{streams}/stream"
