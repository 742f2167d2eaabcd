"""A local testnet, and a folder configured for it."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from otonom_trader.testnet import AccountConfig, LocalTestnet, TestnetConfig
from tests.examples.program import ROOT


@pytest_asyncio.fixture
async def venue() -> AsyncIterator[LocalTestnet]:
    """A testnet in whose market a minute passes every second."""
    account = AccountConfig(
        api_key="your_testnet_api_key",
        api_secret="your_testnet_api_secret",
        balances={"USDT": Decimal(100_000), "BTC": Decimal("0.5")},
    )
    config = TestnetConfig(accounts=(account,), speed=Decimal(60), warmup_bars=60)
    async with LocalTestnet(config) as venue:
        yield venue


@pytest.fixture
def folder(venue: LocalTestnet, tmp_path: Path) -> Path:
    """A working folder with the shipped configuration, pointed at the testnet."""
    config = tmp_path / "config"
    config.mkdir()
    for name in ("broker.yaml", "daemon.yaml"):
        text = (ROOT / "config" / name).read_text("utf-8")
        (config / name).write_text(text.replace("https://testnet.binance.vision", venue.url))
    return tmp_path
