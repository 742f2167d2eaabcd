"""Venues on loopback, and the bars they play."""

import os
from decimal import Decimal
from pathlib import Path
from random import Random

from otonom_trader.testnet import (
    AccountConfig,
    LocalTestnet,
    MarketSpec,
    RateLimits,
    TestnetConfig,
)
from otonom_trader.testnet.amounts import parse_amount
from otonom_trader.testnet.orders import NewOrder, OrderType, Side
from tests.system.harness import CANARY, CLOCK, epoch_ms

Levels = tuple[tuple[str, str], ...]


def account(name: str = "trader", **balances: str) -> AccountConfig:
    """Return an account of the testnet whose secret is the canary."""
    return AccountConfig(
        api_key=f"{name}-key",
        api_secret=CANARY,
        name=name,
        balances={
            asset: Decimal(amount)
            for asset, amount in (balances or {"USDT": "100000", "BTC": "1"}).items()
        },
    )


def venue(
    *accounts: AccountConfig, market: str = "synthetic", speed: int = 10, port: int = 0
) -> LocalTestnet:
    """Return a testnet that limits nobody: these tests send faster than anyone trades."""
    return LocalTestnet(
        TestnetConfig(
            port=port,
            accounts=accounts or (account(),),
            market=MarketSpec.parse(market),
            speed=Decimal(speed),
            warmup_bars=250 if market.startswith("bars:") else 0,
            limits=RateLimits(10**9, 10**9, 10**9, 10**9),
        )
    )


def write_book(market: LocalTestnet, asks: Levels, bids: Levels) -> None:
    """Make the whole book of BTCUSDT, kept by the account ``maker``, prices and quantities."""
    now_ms = int(epoch_ms(CLOCK.now().isoformat()))
    maker = market.exchange.engine.accounts["maker"]
    for order in list(maker.working_on("BTCUSDT").values()):
        market.exchange.cancel(order, order.client_id, now_ms)
    for side, levels in ((Side.SELL, asks), (Side.BUY, bids)):
        for price, qty in levels:
            new = NewOrder(
                symbol="BTCUSDT",
                side=side,
                type=OrderType.LIMIT,
                client_id=market.exchange.new_client_id(),
                qty=parse_amount(qty),
                price=parse_amount(price),
            )
            market.exchange.place(maker, new, now_ms)


def made_up_bars(path: Path, bars: int = 900) -> Path:
    """Write one-minute bars of a seeded random walk, for where the recorded day is absent."""
    random, price = Random(7), Decimal("17000.00")  # noqa: S311  a market, not secrets
    lines = ["open_time_ms,open,high,low,close,volume_base"]
    for number in range(bars):
        closes = price + Decimal(random.randint(-2000, 2000)) / 100
        high = max(price, closes) + Decimal(random.randint(0, 500)) / 100
        low = min(price, closes) - Decimal(random.randint(0, 500)) / 100
        volume = Decimal(random.randint(3_000_000, 20_000_000)) / 100_000
        opened = 1_670_889_600_000 + 60_000 * number
        lines.append(f"{opened},{price},{high},{low},{closes},{volume}")
        price = closes
    path.write_text("\n".join(lines) + "\n")
    return path


def recorded_day() -> Path | None:
    """Return the recorded day of BTCBUSD, None where the shared data is absent."""
    default = Path(__file__).parents[3] / "shared" / "data"
    data = Path(os.environ.get("OTONOM_SHARED_DATA") or default)
    day = data / "market" / "BTCBUSD-1m-2022-12-13.csv"
    return day if day.is_file() else None
