"""What only the venue can confirm of a configuration.

Source: contract.md, "Configuration"; nothing here can place an order.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

from otonom_trader.brokers.base import Venue
from otonom_trader.brokers.binance.account import AccountReader
from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.brokers.factory import build_venue
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.domain.amount import plain, round_up
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotPermitted, TradingHalted, VenueError
from otonom_trader.domain.market import Instrument
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest, OrderState, OrderType
from otonom_trader.domain.symbol import Symbol
