"""What a saved configuration would change, and which of it may change while the daemon runs. Pure.

Source: promises.md, P14.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.brokers.config_layers import DEFAULT
from otonom_trader.daemon.configuration import Configuration
from otonom_trader.risk.tightening import loosened, no_higher

RESTART = "restart the daemon to apply the file"
"""What is to be done about every objection."""
_KEYS = ("api_key", "api_secret")


@dataclass(frozen=True, slots=True)
class Change:
    """A key whose effective value differs; values are fit for JSON, None where there is none."""

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.key}: {_shown(self.old)} to {_shown(self.new)}"


def changes_of(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return in what two sets of effective values differ, by key."""
    keys = sorted({*old, *new})
    changes = (Change(key, old.get(key), new.get(key)) for key in keys)
    return tuple(change for change in changes if change.old != change.new)


def differences(old: Configuration, new: Configuration) -> tuple[Change, ...]:
    """Return in what two configurations differ; of keys only that they do."""
    return changes_of(_plain_values(old), _plain_values(new))


def objections(old: Configuration, new: Configuration, *, halted: bool) -> tuple[str, ...]:
    """Return for each change that needs a `RESTART` why; empty where all may be applied.

    While trading is `halted` the latch stands in the place of ``kill_switch: true``, and saving
    ``false`` opens nothing.
    """
    return tuple(
        _objection(change, new)
        for change in differences(old, new)
        if not _may_change(change.key, old.broker, new.broker, halted=halted)
    ) + _changed_keys(old.broker, new.broker)


def _may_change(key: str, old: BrokerConfig, new: BrokerConfig, *, halted: bool) -> bool:
    section, _, name = key.partition(".")
    if section == "risk_guardrails":
        limit = re.split(r"[.\[]", name)[0]
        if limit == "kill_switch" and halted:
            return True
        return limit not in loosened(old.risk_guardrails, new.risk_guardrails)
    if section == "health_breaker":
        return no_higher(getattr(old.health_breaker, name), getattr(new.health_breaker, name))
    if key == "sizing.risk_per_trade_pct":
        return no_higher(old.risk_per_trade_pct, new.risk_per_trade_pct)
    return key == "broker.market_orders" and new.market_orders == "protected"


def _objection(change: Change, new: Configuration) -> str:
    told = new.values.get(change.key)
    place = "" if told is None or told.origin == DEFAULT else f"{told.origin}: "
    loosens = change.key.startswith(("risk_guardrails.", "health_breaker."))
    why = "loosens a limit" if loosens else "is not changed while trading"
    return f"{place}{change}: that {why}"


def _changed_keys(old: BrokerConfig, new: BrokerConfig) -> tuple[str, ...]:
    """Return what is to be said of another key or secret, whose values are never told."""
    return tuple(
        f"broker.binance.{name} is another one: that is not changed while trading"
        for name in _KEYS
        if getattr(old, name) != getattr(new, name)
    )


def _plain_values(configuration: Configuration) -> dict[str, Any]:
    rows = configuration.values.items()
    return {key: setting.value for key, setting in rows if setting.value != {}}


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
