"""What only the venue can confirm: clock, key, account, symbols, limits."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from otonom_trader.brokers.config import BrokerConfig, get_broker_config
from otonom_trader.daemon.config_commands import config_app
from otonom_trader.daemon.online_check import check_online
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotPermitted, VenueError
from otonom_trader.testnet import AccountConfig, LocalTestnet, TestnetConfig

KEY, SECRET = "k" * 32, "s" * 32


@pytest.fixture
async def testnet() -> AsyncIterator[LocalTestnet]:
    account = AccountConfig(
        api_key=KEY, api_secret=SECRET, balances={"USDT": Decimal(1000), "BTC": Decimal(1)}
    )
    async with LocalTestnet(TestnetConfig(accounts=(account,))) as venue:
        yield venue


def configured(folder: Path, url: str, mode: str = "shadow", secret: str = SECRET) -> BrokerConfig:
    path = folder / "broker.yaml"
    path.write_text(f"""
broker:
  type: binance
  mode: {mode}
  binance: {{use_testnet: true, api_key: {KEY}, api_secret: {secret}, base_url: "{url}"}}
symbols: {{ETH-USD: ETH-USDT, DOGE-USD: DOGE-USDT}}
""")
    return get_broker_config(path, environ={})


async def told(config: BrokerConfig) -> list[str]:
    return [line async for line in check_online(config, SystemClock())]


@pytest.mark.parametrize("mode", ["shadow", "live"])
async def test_a_good_configuration_is_confirmed_line_by_line(
    testnet: LocalTestnet, tmp_path: Path, mode: str
) -> None:
    lines = await told(configured(tmp_path, testnet.url, mode))
    text = "\n".join(lines)
    assert "clock: the venue's is " in text
    assert "symbol BTC-USDT: BTCUSDT trades" in lines
    assert "symbol ETH-USD: ETHUSDT trades" in lines
    assert any(line.startswith("symbol DOGE-USD:") and "not tradable" in line for line in lines)
    assert "key: may trade, order/test accepts it for ETHUSDT" in lines
    assert f"account: uid 1000001 at {testnet.url.removeprefix('http://')}" in lines
    assert "positions: 1 (BTC)" in lines
    assert "limit max_notional_per_order: 10000" in lines


@pytest.mark.parametrize("mode", ["shadow", "live"])
async def test_no_order_is_placed_whatever_the_mode(
    testnet: LocalTestnet, tmp_path: Path, mode: str
) -> None:
    await told(configured(tmp_path, testnet.url, mode))
    truth = testnet.truth()
    assert truth["orders"] == []
    assert [request["path"] for request in truth["requests"]] == ["/api/v3/order/test"]


async def test_off_asks_nothing_that_needs_a_key(testnet: LocalTestnet, tmp_path: Path) -> None:
    lines = await told(configured(tmp_path, testnet.url, "off"))
    assert "symbol BTC-USDT: BTCUSDT trades" in lines
    assert not any(line.startswith(("key", "account", "equity")) for line in lines)


async def test_a_wrong_secret_is_named_beside_the_venues_words(
    testnet: LocalTestnet, tmp_path: Path
) -> None:
    with pytest.raises(NotPermitted) as refused:
        await told(configured(tmp_path, testnet.url, secret="x" * 32))
    assert str(refused.value).endswith(
        "(-1022 Signature for this request is not valid.); "
        "the secret (api_secret) is not the one that belongs to this api_key"
    )


async def test_a_certificate_that_nobody_vouches_for_is_told_with_the_remedy(
    tmp_path: Path,
) -> None:
    async with LocalTestnet(TestnetConfig(tls=True)) as venue:
        with pytest.raises(VenueError) as failed:
            await told(configured(tmp_path, venue.url))
    place = venue.url.removeprefix("https://")
    assert str(failed.value) == (
        f"GET /api/v3/time not sent: the certificate of {place} is not trusted: self-signed "
        "certificate; name a file with what to trust in SSL_CERT_FILE"
    )


async def test_a_venue_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(VenueError, match=r"127\.0\.0\.1:9"):
        await told(configured(tmp_path, "http://127.0.0.1:9"))


def test_the_command_exits_69_when_the_venue_cannot_be_asked(tmp_path: Path) -> None:
    configured(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "daemon.yaml").write_text("{}\n")
    result = CliRunner().invoke(
        config_app, ["check", "--online", "--config", str(tmp_path), "--state-dir", str(tmp_path)]
    )
    assert result.exit_code == 69, result.output
    assert "the venue cannot be asked" in result.output
