"""The keys of ``broker.yaml``: their types, bounds and defaults.

Source: the guide, "Broker Configuration"; contract.md, "Configuration".
"""

from dataclasses import fields
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_type_hints

from pydantic import Field, PlainValidator, create_model

from otonom_trader.brokers.binance.choices import MARKET_DATA, ORDER_TRANSPORTS
from otonom_trader.brokers.config_fields import (
    ACCOUNT,
    ASSET,
    BOOLEAN,
    EACH_PAIR_ONCE,
    KEY,
    LINE_OF_TEXT,
    SECRET,
    Pair,
    Section,
    SymbolEntry,
    WindowEntry,
    choice,
    number,
    number_or_null,
    seconds,
    whole,
    whole_or_null,
)
from otonom_trader.brokers.config_layers import Layers
from otonom_trader.domain.secret import Secret
from otonom_trader.risk.limits import RiskGuardrails

BROKER_TYPES: Final = ("dummy", "binance")
UNBUILT_BROKER_TYPES: Final = ("alpaca", "ibkr")

# A collar of 50 % reserves the whole price again for a plain market order; more is none at all.
_HIGHEST_PCT: Final = {"price_collar_pct": 50}


class BinanceSection(Section):
    """``broker.binance``; unset keys and URL are settled in `config`."""

    use_testnet: Annotated[bool, BOOLEAN] = True
    base_url: Annotated[str | None, LINE_OF_TEXT] = None
    api_key: Annotated[Secret | None, KEY] = None
    api_secret: Annotated[Secret | None, SECRET] = None
    api_key_file: Annotated[str | None, LINE_OF_TEXT] = None
    api_secret_file: Annotated[str | None, LINE_OF_TEXT] = None
    timeout_seconds: Annotated[float, seconds(most=60)] = 5.0
    recv_window_ms: Annotated[int, whole(least=1, most=60_000)] = 2000
    require_ip_restriction: Annotated[bool, BOOLEAN] = True
    order_transport: Annotated[str, choice(*ORDER_TRANSPORTS)] = "rest"
    market_data: Annotated[str, choice(*MARKET_DATA)] = "rest"


class DummySection(Section):
    """``broker.dummy``: the prices at which the dummy broker trades."""

    prices: Annotated[dict[Pair, Annotated[Decimal, number(above=0)]], EACH_PAIR_ONCE] = Field(
        default_factory=dict
    )


class BrokerSection(Section):
    """``broker``: which broker, and in which mode."""

    type: Annotated[str | None, LINE_OF_TEXT] = None
    mode: Annotated[str | None, choice("off", "shadow", "live")] = None
    shadow_mode: Annotated[bool | None, BOOLEAN] = None
    market_orders: Annotated[str, choice("protected", "plain")] = "protected"
    binance: BinanceSection = BinanceSection()
    dummy: DummySection = DummySection()


class SizingSection(Section):
    """``sizing``: how a decision's strength becomes a quantity."""

    risk_per_trade_pct: Annotated[Decimal, number(above=0, most=100)] = Decimal(1)


class HealthSection(Section):
    """``health_breaker``: how long a run of failures leaves it to paper."""

    consecutive_rejections: Annotated[int | None, whole_or_null(least=1)] = 5
    consecutive_unknowns: Annotated[int | None, whole_or_null(least=1)] = 3
    consecutive_errors: Annotated[int | None, whole_or_null(least=1)] = 10
    consecutive_slow_acks: Annotated[int | None, whole_or_null(least=1)] = 5
    slow_ack_ms: Annotated[int, whole(least=1)] = 2000


class LiveSection(Section):
    """``live``: what live trading on production is bound to."""

    account: Annotated[str | None, ACCOUNT] = None


def _rule(name: str, kind: Any) -> Any:
    """Return the type of a limit in the file, told by its type and the unit in its name."""
    kinds = {*get_args(kind)} or {kind}
    optional = NoneType in kinds
    if bool in kinds:
        return Annotated[kind, BOOLEAN]
    if int in kinds:
        return Annotated[kind, whole_or_null(least=1) if optional else whole(least=1)]
    if Decimal in kinds:
        most = _HIGHEST_PCT.get(name, 100) if name.endswith("_pct") else None
        bounds: PlainValidator = (number_or_null if optional else number)(above=0, most=most)
        return Annotated[kind, bounds]
    if kind == tuple[str, ...]:
        entry: Any = WindowEntry if name.endswith("_windows") else SymbolEntry
        return tuple[entry, ...]
    raise TypeError(f"no rule for the limit {name} of type {kind}")


if TYPE_CHECKING:
    RiskSection = Section
else:
    # Made from the limits themselves, so that a new one is accepted in the file as it is added.
    _KINDS = get_type_hints(RiskGuardrails)
    RiskSection = create_model(
        "RiskSection",
        __base__=Section,
        **{f.name: (_rule(f.name, _KINDS[f.name]), f.default) for f in fields(RiskGuardrails)},
    )


class BrokerFile(Layers):
    """The whole of ``broker.yaml``."""

    broker: BrokerSection = BrokerSection()
    account_currency: Annotated[str, ASSET] = "USDT"
    symbols: Annotated[dict[Pair, Pair], EACH_PAIR_ONCE] = Field(default_factory=dict)
    sizing: SizingSection = SizingSection()
    risk_guardrails: RiskSection = RiskSection()
    health_breaker: HealthSection = HealthSection()
    live: LiveSection = LiveSection()
