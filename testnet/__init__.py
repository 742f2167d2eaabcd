"""A local Binance Spot exchange on loopback, to rehearse on.

Written from the venue's documentation: signed REST, a price-time matching engine, markets that
move, and faults on command. Nothing here is shared with the adapter, so that neither can excuse
the other.
"""

from otonom_trader.testnet.clock import Clock, ManualClock, WallClock
from otonom_trader.testnet.config import (
    AccountConfig,
    HistoryCaps,
    KeyConfig,
    MarketSpec,
    RateLimits,
    TestnetConfig,
    parse_balances,
)
from otonom_trader.testnet.server import LocalTestnet, serve

__all__ = [
    "AccountConfig",
    "Clock",
    "HistoryCaps",
    "KeyConfig",
    "LocalTestnet",
    "ManualClock",
    "MarketSpec",
    "RateLimits",
    "TestnetConfig",
    "WallClock",
    "parse_balances",
    "serve",
]
