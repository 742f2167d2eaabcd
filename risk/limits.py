"""The limits an order is judged by."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class RiskGuardrails:
    """The limits under ``risk_guardrails`` in ``broker.yaml``.

    Notionals are in the account currency, percentages in percent of equity unless said otherwise;
    None switches a limit off. Defaults are the guide's.
    Source: the guide, "Broker Configuration"; contract.md, "Formulas".
    """

    max_notional_per_order: Decimal | None = Decimal(10000)
    max_open_risk_pct: Decimal | None = Decimal(25)
    max_total_positions: int | None = 10
    max_position_size_pct: Decimal | None = Decimal(10)
    symbol_blacklist: tuple[str, ...] = ()
    require_confirmation_above: Decimal | None = Decimal(50000)
    kill_switch: bool = False
    max_decision_age_seconds: Decimal = Decimal(300)
    max_price_age_seconds: Decimal = Decimal(5)
    max_account_age_seconds: Decimal = Decimal(60)
    price_collar_pct: Decimal = Decimal(1)
