"""Binance Spot: market data, shadow validation and live execution over REST."""

from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.market_data import BinanceMarketData
from otonom_trader.brokers.binance.shadow import BinanceShadow

__all__ = ["BinanceBroker", "BinanceMarketData", "BinanceShadow"]
