"""From configuration to a guarded broker: the one place that chooses.

To add a broker: one package, and one entry in `BROKERS`.
"""

from collections.abc import Callable
from pathlib import Path

from yarl import URL

from otonom_trader.brokers.base import OrderDoor, Venue
from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.market_data import BinanceMarketData
from otonom_trader.brokers.binance.order_cancels import BinanceCancels
from otonom_trader.brokers.binance.shadow import BinanceShadow
from otonom_trader.brokers.config import BrokerConfig, get_broker_config, require_live_permitted
from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import NEEDS_JOURNAL, GuardedBroker
from otonom_trader.brokers.off import OffVenue
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotPermitted
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.ports import Clock, IntentLog, KillGate

DEFAULT_CONFIG = Path("config/broker.yaml")


def create_broker(
    config_path: str | Path = DEFAULT_CONFIG,
    *,
    intents: IntentLog | None = None,
    gate: KillGate | None = None,
) -> GuardedBroker:
    """Return the broker that the configuration names, behind its guardrails.

    Raises `ConfigurationError` for a file that is refused, and `NotPermitted` in live without the
    journal (`intents`). Source: the guide, "Broker Factory"; contract.md, "Names".
    """
    config = get_broker_config(config_path)
    if config.mode is Mode.LIVE:
        if intents is None:
            raise NotPermitted(NEEDS_JOURNAL)
        require_live_permitted(config)
    clock = SystemClock()
    return GuardedBroker(
        build_venue(config, clock, gate),
        config.get_risk_guardrails(),
        intents=intents,
        gate=gate,
        clock=clock,
        account_currency=config.account_currency,
    )


def build_venue(config: BrokerConfig, clock: Clock, gate: KillGate | None) -> Venue:
    """Return the unguarded venue for the configured type and mode; nothing is opened yet."""
    return BROKERS[config.broker_type](config, clock, gate)


def build_exits(venue: Venue, gate: KillGate) -> OrderDoor:
    """Return where orders leave that close positions after a kill, held to a `gate` of their own.

    The gate that all others leave by is shut then. The dummy has no gate.
    """
    return venue.exits(gate) if isinstance(venue, BinanceBroker) else venue


def build_cancels(config: BrokerConfig, clock: Clock) -> BinanceCancels | None:
    """Return the account as far as its orders can be seen and cancelled, whatever the mode.

    None for the dummy, which has no venue. Raises `NotPermitted` in off, which reads no key.
    """
    if config.mode is Mode.OFF:
        raise NotPermitted(
            "the mode is off, which reads no key: run it again with "
            "OTONOM_TRADER__BROKER__MODE=shadow in the environment"
        )
    if config.broker_type == "dummy":
        return None
    return BinanceCancels(
        config.api_key,
        config.api_secret,
        config.base_url,
        use_testnet=config.use_testnet,
        clock=clock,
        recv_window_ms=config.recv_window_ms,
        timeout_seconds=float(config.timeout_seconds),
    )


def _binance(config: BrokerConfig, clock: Clock, gate: KillGate | None) -> Venue:
    if config.mode is Mode.OFF:
        market_data = BinanceMarketData(
            config.base_url,
            clock=clock,
            renames=config.symbols,
            timeout_seconds=float(config.timeout_seconds),
            market_data=config.market_data,
        )
        return OffVenue(market_data, URL(config.base_url).authority, clock)
    if config.mode is Mode.SHADOW:
        return BinanceShadow(
            config.api_key,
            config.api_secret,
            config.base_url,
            config.use_testnet,
            clock=clock,
            renames=config.symbols,
            timeout_seconds=float(config.timeout_seconds),
            recv_window_ms=config.recv_window_ms,
            market_data=config.market_data,
        )
    return BinanceBroker(
        config.api_key,
        config.api_secret,
        config.base_url,
        config.use_testnet,
        clock=clock,
        gate=gate,
        renames=config.symbols,
        timeout_seconds=float(config.timeout_seconds),
        recv_window_ms=config.recv_window_ms,
        order_transport=config.order_transport,
        market_data=config.market_data,
    )


def _dummy(config: BrokerConfig, clock: Clock, gate: KillGate | None) -> Venue:
    broker = DummyBroker(mode=config.mode, prices=config.dummy_prices, clock=clock)
    return OffVenue(broker, "dummy", clock) if config.mode is Mode.OFF else broker


BROKERS: dict[str, Callable[[BrokerConfig, Clock, KillGate | None], Venue]] = {
    "binance": _binance,
    "dummy": _dummy,
}
"""Every broker that is built, by its ``broker.type``."""
