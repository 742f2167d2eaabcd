"""What ``broker.yaml`` means: the one way from the file to a checked configuration.

Source: the guide, "Broker Configuration"; contract.md, "Configuration".
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Final

from otonom_trader.brokers.binance.hosts import (
    PRODUCTION_URL,
    TESTNET_URL,
    is_loopback,
    is_testnet,
)
from otonom_trader.brokers.config_fields import described
from otonom_trader.brokers.config_layers import Loaded, Setting, load
from otonom_trader.brokers.config_schema import BROKER_TYPES, UNBUILT_BROKER_TYPES, BrokerFile
from otonom_trader.brokers.credentials import (
    SECTION,
    find_key,
    is_placeholder,
    missing_key,
    other_places,
    refuse_misplaced_keys,
)
from otonom_trader.brokers.yaml_source import read_yaml
from otonom_trader.domain.errors import ConfigurationError, NotPermitted
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.secret import Secret
from otonom_trader.risk.health import HealthLimits
from otonom_trader.risk.limits import RiskGuardrails

DAEMON_KEYS: Final = frozenset(
    {
        "poll_interval_seconds", "sources", "decisions_db", "schedule", "storage", "logging",
        "kill", "paper", "approvals", "max_concurrent_decisions", "inbox_size",
        "drain_timeout_seconds",
    }
)  # fmt: skip
"""First keys of ``daemon.yaml``: environment variables of theirs are judged where it is read."""

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:]+\])(?::(?P<port>\d{1,5}))?/?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """A checked configuration of the broker, its limits and its sizing.

    `api_key` and `api_secret` are empty in mode off and for the dummy. `base_url` has no trailing
    slash and is empty for the dummy. `symbols` and `dummy_prices` go by canonical symbol.
    """

    path: str
    broker_type: str
    mode: Mode
    use_testnet: bool
    base_url: str
    api_key: Secret
    api_secret: Secret
    timeout_seconds: float
    recv_window_ms: int
    order_transport: str
    market_data: str
    require_ip_restriction: bool
    market_orders: str
    account_currency: str
    symbols: Mapping[str, str]
    risk_per_trade_pct: Decimal
    risk_guardrails: RiskGuardrails
    health_breaker: HealthLimits
    live_account: str | None
    dummy_prices: Mapping[str, Decimal]
    settings: tuple[Setting, ...]
    """Every effective value, redacted, and where it came from."""

    @property
    def shadow_mode(self) -> bool:
        """Whether orders are validated by the broker and not executed."""
        return self.mode is Mode.SHADOW

    @property
    def sources(self) -> dict[str, str]:
        """Where each value came from, by dotted key."""
        return {setting.key: setting.origin for setting in self.settings}

    def get_risk_guardrails(self) -> RiskGuardrails:
        """Return the limits under ``risk_guardrails``."""
        return self.risk_guardrails


def get_broker_config(
    path: str | Path = "config/broker.yaml", *, environ: Mapping[str, str] = os.environ
) -> BrokerConfig:
    """Read and check the broker's configuration.

    `environ` may override values (``OTONOM_TRADER__BROKER__MODE``) and hold keys. Raises
    ``ConfigurationError`` naming file, line, key and remedy.
    """
    loaded = load(BrokerFile, read_yaml(path), environ, DAEMON_KEYS)
    file = loaded.schema
    broker_type = _broker_type(loaded)
    mode, mode_key = _mode(loaded)
    base_url, url_origin = _base_url(loaded)
    refuse_misplaced_keys(loaded)
    settled: dict[str, tuple[str | None, str]] = {
        "broker.mode": (str(mode), loaded.origin(("broker", mode_key))),
        "broker.binance.base_url": (base_url, url_origin),
    }
    keys = {}
    for name in ("api_key", "api_secret"):
        keys[name], origin = _key(loaded, name, mode, environ)
        settled[f"broker.binance.{name}"] = (str(keys[name]) if keys[name] else None, origin)
    return BrokerConfig(
        path=loaded.document.name,
        broker_type=broker_type,
        mode=mode,
        use_testnet=file.broker.binance.use_testnet,
        base_url="" if broker_type == "dummy" else base_url,
        api_key=keys["api_key"],
        api_secret=keys["api_secret"],
        timeout_seconds=file.broker.binance.timeout_seconds,
        recv_window_ms=file.broker.binance.recv_window_ms,
        order_transport=file.broker.binance.order_transport,
        market_data=file.broker.binance.market_data,
        require_ip_restriction=file.broker.binance.require_ip_restriction,
        market_orders=file.broker.market_orders,
        account_currency=file.account_currency,
        symbols=MappingProxyType(file.symbols),
        risk_per_trade_pct=file.sizing.risk_per_trade_pct,
        risk_guardrails=_guardrails(file),
        health_breaker=HealthLimits(**dict(file.health_breaker)),
        live_account=file.live.account,
        dummy_prices=MappingProxyType(file.broker.dummy.prices),
        settings=_settings(loaded, settled),
    )


def require_live_permitted(config: BrokerConfig) -> None:
    """Return when `config` may start; raise ``NotPermitted`` for live trading on production.

    Source: contract.md, "Configuration" (arming): until the evidence gate is built, nothing
    overrides.
    """
    if config.mode is not Mode.LIVE or config.broker_type == "dummy" or config.use_testnet:
        return
    armed = "" if config.live_account else "live.account with the account's uid, and "
    raise NotPermitted(
        f"{config.path}: mode live with use_testnet: false is not permitted: it needs {armed}"
        "the proof of a shadow phase, which this version cannot give yet; "
        "use mode shadow, or live with use_testnet: true"
    )


def require_own_keys(config: BrokerConfig) -> None:
    """Return when the keys in force may be somebody's.

    Raises ``ConfigurationError`` for the text that an example has in a key's place.
    """
    for name, key in (("api_key", config.api_key), ("api_secret", config.api_secret)):
        if is_placeholder(key.reveal()):
            where = f"broker.binance.{name}"
            raise ConfigurationError(
                f"{config.sources[where]}: {where} is still the example's placeholder, not a key; "
                f"write your own there, or {other_places(name)}"
            )


def _broker_type(loaded: Loaded[BrokerFile]) -> str:
    path = ("broker", "type")
    broker_type = loaded.schema.broker.type
    known = ", ".join(BROKER_TYPES)
    if broker_type is None:
        raise loaded.refusal(path, f"is missing; it must be one of {known}")
    if broker_type in UNBUILT_BROKER_TYPES:
        raise loaded.refusal(path, f"is {broker_type}, which is not built yet; use one of {known}")
    if broker_type not in BROKER_TYPES:
        raise loaded.refusal(path, f"must be one of {known}, not {described(broker_type)}")
    return broker_type


def _mode(loaded: Loaded[BrokerFile]) -> tuple[Mode, str]:
    """Return the mode and the key that says it."""
    mode, shadow_mode = loaded.schema.broker.mode, loaded.schema.broker.shadow_mode
    if shadow_mode is None:
        return Mode(mode or Mode.SHADOW), "mode"
    short_for = Mode.SHADOW if shadow_mode else Mode.LIVE
    if mode not in (None, short_for):
        given = str(shadow_mode).lower()
        raise loaded.refusal(
            ("broker", "mode"),
            f"is {mode}, but broker.shadow_mode is {given}, which means {short_for}; keep one",
        )
    return short_for, "mode" if mode else "shadow_mode"


def _base_url(loaded: Loaded[BrokerFile]) -> tuple[str, str]:
    """Return the venue's URL and where it came from."""
    section, path = loaded.schema.broker.binance, (*SECTION, "base_url")
    wanted = str(section.use_testnet).lower()
    if section.base_url is None:
        url = TESTNET_URL if section.use_testnet else PRODUCTION_URL
        return url, f"default for use_testnet: {wanted}"
    match = _URL.fullmatch(section.base_url)
    if match is None or int(match["port"] or 1) not in range(1, 65_536):
        raise loaded.refusal(path, f"must be a scheme and a host, such as {TESTNET_URL}")
    host = match["host"].lower()
    testnet = is_testnet(host)
    if testnet != section.use_testnet:
        kind = "testnet" if testnet else "production"
        raise loaded.refusal(
            path, f"names {host}, a {kind} host, but use_testnet is {wanted}; change one of them"
        )
    if match["scheme"].lower() != "https" and not is_loopback(host):
        raise loaded.refusal(path, f"must begin with https://, since {host} is another machine")
    return section.base_url.lower().removesuffix("/"), loaded.origin(path)


def _key(
    loaded: Loaded[BrokerFile], name: str, mode: Mode, environ: Mapping[str, str]
) -> tuple[Secret, str]:
    """Return a key and where it came from; an empty one where none is needed."""
    if loaded.schema.broker.type == "dummy" or mode is Mode.OFF:
        reason = "mode off" if mode is Mode.OFF else "the dummy broker"
        return Secret(""), f"not read: {reason} needs no key"
    found = find_key(loaded, name, environ)
    if found is None:
        raise missing_key(loaded, name, mode)
    return found


def _guardrails(file: BrokerFile) -> RiskGuardrails:
    names = [limit.name for limit in fields(RiskGuardrails)]
    return RiskGuardrails(**{name: getattr(file.risk_guardrails, name) for name in names})


def _settings(
    loaded: Loaded[BrokerFile], settled: Mapping[str, tuple[str | None, str]]
) -> tuple[Setting, ...]:
    rows = []
    for setting in loaded.settings():
        if setting.key == "broker.shadow_mode":
            continue  # told by broker.mode
        value, origin = settled.get(setting.key, (setting.value, setting.origin))
        rows.append(replace(setting, value=value, origin=origin))
    return tuple(rows)
