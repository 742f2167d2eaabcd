"""The guardrails: each a small pure function, and the list of them.

To add one: write the function in the module it belongs to, name it in `CHECKS` after the limit it
enforces. Source: the guide, "Risk Guardrails"; contract.md, "Formulas" and "Messages kept word for
word".
"""

from otonom_trader.risk.case import Check
from otonom_trader.risk.checks.freshness import (
    max_account_age_seconds,
    max_decision_age_seconds,
    max_price_age_seconds,
)
from otonom_trader.risk.checks.losses import (
    max_consecutive_losses,
    max_daily_loss_pct,
    max_drawdown_pct,
)
from otonom_trader.risk.checks.market import (
    max_expected_slippage_pct,
    max_spread_pct,
    price_collar_pct,
)
from otonom_trader.risk.checks.pace import (
    max_notional_per_day,
    max_orders_per_day,
    max_orders_per_minute,
    min_seconds_between_orders,
)
from otonom_trader.risk.checks.permission import (
    blackout_windows,
    kill_switch,
    symbol_blacklist,
    symbol_whitelist,
    trading_windows,
)
from otonom_trader.risk.checks.size import (
    balance_after_fees,
    max_exposure_per_base_asset_pct,
    max_notional_per_order,
    max_open_risk_pct,
    max_position_size_pct,
    max_total_positions,
    require_confirmation_above,
    venue_minimums,
)

CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        kill_switch,
        symbol_blacklist,
        symbol_whitelist,
        trading_windows,
        blackout_windows,
        max_price_age_seconds,
        max_account_age_seconds,
        max_decision_age_seconds,
        max_daily_loss_pct,
        max_drawdown_pct,
        max_consecutive_losses,
        max_notional_per_order,
        require_confirmation_above,
        max_position_size_pct,
        max_exposure_per_base_asset_pct,
        max_open_risk_pct,
        max_total_positions,
        price_collar_pct,
        max_expected_slippage_pct,
        max_spread_pct,
        max_orders_per_minute,
        max_orders_per_day,
        max_notional_per_day,
        min_seconds_between_orders,
        balance_after_fees,
        venue_minimums,
    )
}
"""Every guardrail by the limit it enforces, in the order their messages are preferred."""
