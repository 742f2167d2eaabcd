"""How an order leaves: brokers behind one interface, always guarded."""

from otonom_trader.brokers.base import Broker
from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.factory import create_broker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.domain.order import OrderRequest, OrderResult
from otonom_trader.risk.limits import RiskGuardrails

__all__ = [
    "BinanceBroker",
    "Broker",
    "DummyBroker",
    "GuardedBroker",
    "OrderRequest",
    "OrderResult",
    "RiskGuardrails",
    "create_broker",
]
