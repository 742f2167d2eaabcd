"""``otonom-trader testnet``: the exchange as a process, and faults ordered from it."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet, MarketSpec, TestnetConfig

ENTRY = (sys.executable, "-m", "otonom_trader.daemon.entry", "testnet")


async def command(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *ENTRY, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_it_prints_one_line_with_its_url_and_ends_by_a_signal() -> None:
    process = await asyncio.create_subprocess_exec(*ENTRY, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("Local Binance Spot testnet ready at http://127.0.0.1:")
    process.send_signal(signal.SIGTERM)
    assert await process.stdout.read() == b""
    assert await process.wait() == 0


async def test_a_fault_is_ordered_listed_and_ended() -> None:
    async with LocalTestnet(TestnetConfig()) as venue:
        url = ("--url", venue.url)
        status, out, _ = await command(
            "fault", "http_503", *url, "--count", "2", "--unexecuted", "--path", "/api/v3/order"
        )
        assert status == 0
        _, listed, _ = await command("faults", *url)
        (fault,) = json.loads(listed)
        assert fault["id"] == int(out)
        assert (fault["fault"], fault["count"], fault["executed"]) == ("http_503", 2, False)
        assert (fault["count_left"], fault["seconds_left"]) == (2, None)
        assert await command("mend", *url) == (
            0,
            "fault 1 ended: http_503 on POST /api/v3/order, struck 0\n",
            "",
        )
        assert await command("mend", *url) == (0, "no fault was in force\n", "")
        assert json.loads((await command("faults", *url))[1]) == []
        truth = json.loads((await command("truth", *url))[1])
        assert truth["orders"] == []


async def test_a_method_where_none_can_be_is_refused() -> None:
    async with LocalTestnet(TestnetConfig()) as venue:
        status, out, err = await command(
            *("fault", "drop", "--url", venue.url, "--path", "user", "--method", "GET"),
            *("--count", "1"),
        )
    assert (status, out) == (1, "")
    assert err == (
        "otonom-trader: the testnet refused: method is for REST paths only; 'user' is not one\n"
    )


async def test_each_strike_is_a_line_of_the_testnets_terminal() -> None:
    process = await asyncio.create_subprocess_exec(
        *ENTRY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().split()[-1]
    await command(
        *("fault", "http_503", "--url", url, "--path", "/api/v3/ping", "--method", "GET"),
        *("--count", "2"),
    )
    async with aiohttp.ClientSession() as session:
        for status in (503, 503, 200):
            async with session.get(f"{url}/api/v3/ping") as reply:
                assert reply.status == status
    process.send_signal(signal.SIGTERM)
    out, err = await process.communicate()
    assert (process.returncode, out) == (0, b"")
    assert [line.partition(" ")[2] for line in err.decode().splitlines()] == [
        "fault 1: http_503 on GET /api/v3/ping, 1 more",
        "fault 1: http_503 on GET /api/v3/ping, the last",
    ]


async def test_an_unknown_fault_is_refused_with_the_ones_there_are() -> None:
    async with LocalTestnet(TestnetConfig()) as venue:
        status, _, err = await command("fault", "earthquake", "--url", venue.url, "--count", "1")
    assert status == 1
    assert "'earthquake' is unknown" in err
    assert "drop_after" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--speed", "fast"), "speed must be a finite number"),
        (("--market", "stocks"), "unknown market 'stocks'"),
        (("--market", "bars:/nowhere.csv"), "/nowhere.csv: No such file"),
        (("--balance", "USDT"), "is not ASSET=AMOUNT"),
        (("--balance", "usdt=5"), "assets are in capitals, USDT"),
        (("--api-key", ""), "API key '' is not one word"),
        (("--api-key", "a,b"), "API key 'a,b' is not one word"),
        (("--api-secret", ""), "the secret of key 'testApiKey' is empty"),
        (("--limit", "patience=1"), "unknown limit 'patience'"),
        (("--public-key", "pem"), "is not KEY=FILE"),
        (("--account", "bob,key"), "account 'bob' is not NAME,KEY,SECRET"),
        (("--account", "bob,testApiKey,secret"), "have the same API key"),
        (("faults", "--url", "https://api.binance.com"), "is no local testnet"),
        (("faults", "--url", "http://127.0.0.1.example.com:80"), "is no local testnet"),
        (("faults", "--url", "http://127.0.0.1:http"), "is no local testnet"),
    ],
)
async def test_what_cannot_be_meant_is_a_usage_error(
    arguments: tuple[str, ...], sentence: str
) -> None:
    status, _, err = await command(*arguments)
    assert (status, sentence in err) == (64, True), err
    assert "Traceback" not in err


async def test_several_accounts_may_be_given() -> None:
    accounts = ("--account", "bob,bob-key,bob-secret,USDT=5", "--account", "eve,eve-key,eve-secret")
    process = await asyncio.create_subprocess_exec(
        *ENTRY, "--market", "empty", *accounts, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().split()[-1]
    balances = json.loads((await command("truth", "--url", url))[1])["balances"]
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert balances["bob"]["USDT"]["free"] == "5.00000000"
    assert balances["bob"]["BTC"]["free"] == "0.00000000"
    assert balances["eve"]["BTC"]["free"] == "0.50000000"


async def test_no_testnet_at_the_url_is_said_so() -> None:
    status, _, err = await command("faults", "--url", "http://127.0.0.1:9")
    assert status == 1
    assert err == "otonom-trader: no testnet answers at http://127.0.0.1:9: connection refused\n"


async def test_a_connection_that_cannot_be_secured_is_told_with_the_remedy() -> None:
    config = TestnetConfig(market=MarketSpec("empty"), tls=True)
    async with LocalTestnet(config) as venue, LocalTestnet() as plain:
        place, port = venue.url.removeprefix("https://"), plain.url.rpartition(":")[2]
        told = {
            venue.url: f"the certificate of {place} is not trusted: self-signed certificate; "
            "name a file with what to trust in SSL_CERT_FILE",
            f"http://{place}": "it closed the connection; with --tls its address begins with "
            "https://",
            f"https://127.0.0.1:{port}": f"what answers at 127.0.0.1:{port} does not speak TLS; "
            "check scheme and port",
        }
        for url, reason in told.items():
            status, _, err = await command("faults", "--url", url)
            assert (status, err) == (1, f"otonom-trader: no testnet answers at {url}: {reason}\n")


async def test_a_further_key_may_be_given_by_file(tmp_path: Path) -> None:
    missing = tmp_path / "key.pem"
    status, _, err = await command("--public-key", f"mine={missing}")
    assert status == 64
    assert f"{missing}: No such file" in err
