"""Which way a limit is tighter: what may change while the daemon runs.

Source: promises.md, P14: tightening applies at once, loosening needs a restart.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from otonom_trader.risk.limits import RiskGuardrails

AtLeastAsTight = Callable[[Any, Any], bool]
"""Given the old value and the new: whether the new one allows nothing that the old one denies."""


def no_higher(old: Any, new: Any) -> bool:
    """A number by which less is allowed the lower it is; None switches it off."""
    return old is None or (new is not None and new <= old)


def no_lower(old: Any, new: Any) -> bool:
    """A number by which less is allowed the higher it is; None switches it off."""
    return old is None or (new is not None and new >= old)


def keeps_all(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """A list of what is forbidden."""
    return set(old) <= set(new)


def keeps_within(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """A list of what alone is allowed; an empty one allows all."""
    return not old or (bool(new) and set(new) <= set(old))


def once_on(old: bool, new: bool) -> bool:  # noqa: FBT001  the values of a switch, told by position
    """A switch that stops something."""
    return new or not old


LIMITS: Final[Mapping[str, AtLeastAsTight]] = {
    "max_notional_per_order": no_higher,
    "max_open_risk_pct": no_higher,
    "max_total_positions": no_higher,
    "max_position_size_pct": no_higher,
    "symbol_blacklist": keeps_all,
    "require_confirmation_above": no_higher,
    "kill_switch": once_on,
    "max_decision_age_seconds": no_higher,
    "max_price_age_seconds": no_higher,
    "max_account_age_seconds": no_higher,
    "max_judging_seconds": no_higher,
    "price_collar_pct": no_higher,
    "max_expected_slippage_pct": no_higher,
    "max_spread_pct": no_higher,
    "symbol_whitelist": keeps_within,
    "trading_windows": keeps_within,
    "blackout_windows": keeps_all,
    "max_exposure_per_base_asset_pct": no_higher,
    "max_notional_per_day": no_higher,
    "max_orders_per_minute": no_higher,
    "max_orders_per_day": no_higher,
    "min_seconds_between_orders": no_lower,
    "max_daily_loss_pct": no_higher,
    "max_drawdown_pct": no_higher,
    "max_consecutive_losses": no_higher,
    "balance_after_fees": once_on,
    "venue_minimums": once_on,
}
"""Every limit by its name. One that is missing here may only change with a restart."""


def loosened(old: RiskGuardrails, new: RiskGuardrails) -> tuple[str, ...]:
    """Return the limits by which `new` might allow an order that `old` denies, in their order."""
    names = [limit.name for limit in fields(RiskGuardrails)]
    return tuple(
        name for name in names if not _as_tight(name, getattr(old, name), getattr(new, name))
    )


def _as_tight(name: str, old: Any, new: Any) -> bool:
    if old == new:
        return True
    direction = LIMITS.get(name)
    return direction is not None and direction(old, new)
