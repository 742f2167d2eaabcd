"""Whether anything may trade at all: the switch, which symbols, at which times."""

from datetime import UTC, datetime
from functools import lru_cache

from otonom_trader.domain.symbol import is_symbol, names_symbol
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.verdicts import allow, deny
from otonom_trader.risk.windows import DAYS, parse_window


def kill_switch(case: Case) -> Verdict:
    """Nothing passes while trading is halted."""
    if case.limits.kill_switch:
        return deny("kill_switch", "Kill switch is active: kill_switch is true in broker.yaml")
    if case.halted is not None:
        return deny("kill_switch", f"Kill switch is active: {case.halted}")
    return allow("kill_switch")


def symbol_blacklist(case: Case) -> Verdict:
    """A listed symbol, or any symbol of a listed base asset, never trades."""
    symbol = case.proposal.symbol
    for entry in case.limits.symbol_blacklist:
        if names_symbol(entry, symbol):
            return deny("symbol_blacklist", f"Symbol {symbol} is blacklisted", entry, str(symbol))
    return allow("symbol_blacklist")


def symbol_whitelist(case: Case) -> Verdict:
    """Where symbols or base assets are listed, nothing else trades."""
    symbol, listed = case.proposal.symbol, case.limits.symbol_whitelist
    if not listed or any(is_symbol(entry, symbol) for entry in listed):
        return allow("symbol_whitelist")
    text = f"Symbol {symbol} is not on the whitelist"
    return deny("symbol_whitelist", text, _listed(listed), str(symbol))


def trading_windows(case: Case) -> Verdict:
    """Where times are named, nothing trades at others."""
    windows, now = case.limits.trading_windows, case.proposal.judged_at
    if not windows:
        return allow("trading_windows")
    if now is None or now.tzinfo is None:
        return deny("trading_windows", "Trading windows cannot be told: the time is not known")
    # All are read: a window that is none must not pass for want of being looked at.
    if any([parse_window(window).contains(now) for window in windows]):  # noqa: C419
        return allow("trading_windows", _listed(windows), _told(now))
    text = f"It is {_told(now)}, outside the trading windows {_listed(windows)}"
    return deny("trading_windows", text, _listed(windows), _told(now))


def blackout_windows(case: Case) -> Verdict:
    """Nothing trades at the times that are named."""
    windows, now = case.limits.blackout_windows, case.proposal.judged_at
    if not windows:
        return allow("blackout_windows")
    if now is None or now.tzinfo is None:
        return deny("blackout_windows", "Blackout windows cannot be told: the time is not known")
    for window in windows:
        if parse_window(window).contains(now):
            text = f"It is {_told(now)}, inside the blackout window {window}"
            return deny("blackout_windows", text, window, _told(now))
    return allow("blackout_windows", _listed(windows), _told(now))


@lru_cache(maxsize=64)
def _listed(entries: tuple[str, ...]) -> str:
    return ", ".join(entries)


def _told(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{DAYS[moment.weekday()]} {moment.isoformat(timespec='minutes')[:-6]}Z"
