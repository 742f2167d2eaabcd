"""What ``otonom-trader config check`` says of a configuration that is in order."""

import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final

from otonom_trader.brokers.config import BrokerConfig, get_broker_config
from otonom_trader.brokers.yaml_source import shown
from otonom_trader.daemon.folders import find_config_dir
from otonom_trader.daemon.settings import Settings, SourceSettings, load_settings
from otonom_trader.domain.errors import ConfigurationError
from otonom_trader.domain.mode import Mode
from otonom_trader.risk.limits import RiskGuardrails

_OFF: Final = (None, (), False)


def load_configuration(
    config: Path | None, state_dir: Path | None
) -> tuple[BrokerConfig, Settings]:
    """Read and check both files; raises ``ConfigurationError``."""
    folder = find_config_dir(config)
    return get_broker_config(folder / "broker.yaml"), load_settings(folder, state_dir)


def described(broker: BrokerConfig, settings: Settings) -> Iterator[str]:
    """Yield a line for each thing a checked configuration settles."""
    venue = broker.broker_type
    if broker.base_url:
        money = "play money" if broker.use_testnet else "real money"
        venue = f"{broker.broker_type} at {broker.base_url} ({money})"
    yield f"{broker.path}: mode {broker.mode} on {venue}"
    if broker.api_key:
        places = broker.sources
        yield (
            f"keys: api_key from {places['broker.binance.api_key']}, "
            f"api_secret from {places['broker.binance.api_secret']}"
        )
    else:
        yield f"keys: {broker.sources['broker.binance.api_key']}"
    yield f"limits: {_limits_in_force(broker.get_risk_guardrails())}"
    if broker.get_risk_guardrails().kill_switch:
        yield "limits: kill_switch is true, so nothing will trade"
    if broker.mode is Mode.LIVE:
        yield "mode live: orders will be executed"
    yield f"{settings.path}: polls every {settings.poll_interval_seconds:g} s"
    for source in settings.sources:
        yield f"source {source.name}: {_source_state(source)}"
    yield f"state directory {shown(str(settings.state_dir), limit=200)}: {_state_of(settings)}"


def _limits_in_force(limits: RiskGuardrails) -> str:
    """Return how many guardrails may deny, and which of those on by default may not."""
    optional = [limit for limit in fields(limits) if limit.name != "kill_switch"]
    off = [limit for limit in optional if getattr(limits, limit.name) in _OFF]
    removed = ", ".join(limit.name for limit in off if limit.default not in _OFF)
    told = f"{len(optional) + 1 - len(off)} in force, {len(off)} off"
    return f"{told}, of which by default on: {removed}" if removed else told


def _source_state(source: SourceSettings) -> str:
    name = shown(str(source.path), limit=200)
    if not os.path.lexists(source.path):
        return f"{source.type} {name}, not there yet"
    if os.access(source.path, os.F_OK) and source.path.is_dir():
        raise ConfigurationError(f"source {source.name}: {name} is a directory, not a file")
    if not os.access(source.path, os.R_OK):
        raise ConfigurationError(f"source {source.name}: {name} cannot be read by this user")
    return f"{source.type} {name}, readable"


def _state_of(settings: Settings) -> str:
    folder = settings.state_dir
    if not os.path.lexists(folder):
        return "not there yet, the daemon makes it"
    if os.access(folder, os.F_OK) and not folder.is_dir():
        raise ConfigurationError(f"state directory {folder} is not a directory")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(f"state directory {folder} cannot be written by this user")
    return "writable"
