"""The limits an order is judged by."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class RiskGuardrails:
    """The limits under ``risk_guardrails`` in ``broker.yaml``.

    Notionals are in the account currency, percentages in percent of equity unless said otherwise;
    None, False and an empty list switch a limit off. Days are UTC. The guide's defaults come first;
    what was added is off, but for what keeps a price from being old, far or badly met.
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
    max_judging_seconds: Decimal = Decimal(1)
    price_collar_pct: Decimal = Decimal(1)
    max_expected_slippage_pct: Decimal | None = Decimal(2)
    max_spread_pct: Decimal | None = None
    symbol_whitelist: tuple[str, ...] = ()
    trading_windows: tuple[str, ...] = ()
    blackout_windows: tuple[str, ...] = ()
    max_exposure_per_base_asset_pct: Decimal | None = None
    max_notional_per_day: Decimal | None = None
    max_orders_per_minute: int | None = None
    max_orders_per_day: int | None = None
    min_seconds_between_orders: Decimal | None = None
    max_daily_loss_pct: Decimal | None = None
    max_drawdown_pct: Decimal | None = None
    max_consecutive_losses: int | None = None
    balance_after_fees: bool = False
    venue_minimums: bool = False
