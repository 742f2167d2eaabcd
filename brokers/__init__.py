"""How an order leaves: brokers behind one interface, always guarded.

What is named here is imported when it is asked for: a command that only reads the configuration
does not wait for what speaks to a venue.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "Broker": "otonom_trader.brokers.base",
    "BinanceBroker": "otonom_trader.brokers.binance.broker",
    "DummyBroker": "otonom_trader.brokers.dummy",
    "GuardedBroker": "otonom_trader.brokers.guarded",
    "OrderRequest": "otonom_trader.domain.order",
    "OrderResult": "otonom_trader.domain.order",
    "RiskGuardrails": "otonom_trader.risk.limits",
    "create_broker": "otonom_trader.brokers.factory",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
