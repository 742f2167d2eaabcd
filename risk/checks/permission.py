"""Whether anything may trade at all: the switch, which symbols, at which times."""

from datetime import UTC, date, datetime
from functools import lru_cache

from otonom_trader.domain.symbol import Symbol, is_symbol, names_symbol
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.verdicts import allow, deny, within
from otonom_trader.risk.windows import DAYS, Window, parse_window


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
    entry = _entry_against(tuple(case.limits.symbol_blacklist), symbol)
    if entry is None:
        return allow("symbol_blacklist")
    return deny("symbol_blacklist", f"Symbol {symbol} is blacklisted", entry, str(symbol))


def symbol_whitelist(case: Case) -> Verdict:
    """Where symbols or base assets are listed, nothing else trades."""
    symbol, listed = case.proposal.symbol, case.limits.symbol_whitelist
    if not listed or _is_listed(tuple(listed), symbol):
        return allow("symbol_whitelist")
    text = f"Symbol {symbol} is not on the whitelist"
    return deny("symbol_whitelist", text, ", ".join(listed), str(symbol))


def trading_windows(case: Case) -> Verdict:
    """Where times are named, nothing trades at others."""
    code, windows, now = "trading_windows", case.limits.trading_windows, case.proposal.judged_at
    if not windows:
        return allow(code)
    if now is None or now.tzinfo is None:
        return deny(code, "Trading windows cannot be told: the time is not known")
    listed = _listed(windows)
    for _, window in _parsed(windows):
        if window.contains(now):
            return within(code, listed, now, _told)
    told = _told(now)
    return deny(code, f"It is {told}, outside the trading windows {listed}", listed, told)


def blackout_windows(case: Case) -> Verdict:
    """Nothing trades at the times that are named."""
    code, windows, now = "blackout_windows", case.limits.blackout_windows, case.proposal.judged_at
    if not windows:
        return allow(code)
    if now is None or now.tzinfo is None:
        return deny(code, "Blackout windows cannot be told: the time is not known")
    for text, window in _parsed(windows):
        if window.contains(now):
            told = _told(now)
            return deny(code, f"It is {told}, inside the blackout window {text}", text, told)
    return within(code, _listed(windows), now, _told)


# Limits stay the same and symbols are few: what follows is asked anew for every order.


@lru_cache(maxsize=1024)
def _entry_against(listed: tuple[str, ...], symbol: Symbol) -> str | None:
    return next((entry for entry in listed if names_symbol(entry, symbol)), None)


@lru_cache(maxsize=1024)
def _is_listed(listed: tuple[str, ...], symbol: Symbol) -> bool:
    return any(is_symbol(entry, symbol) for entry in listed)


@lru_cache(maxsize=64)
def _parsed(windows: tuple[str, ...]) -> tuple[tuple[str, Window], ...]:
    """Read all `windows`: one that is none must not pass for want of being looked at."""
    return tuple((window, parse_window(window)) for window in windows)


@lru_cache(maxsize=64)
def _listed(entries: tuple[str, ...]) -> str:
    return ", ".join(entries)


def _told(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{_day(moment.date())}T{_time(moment.hour, moment.minute)}Z"


@lru_cache(maxsize=64)
def _day(day: date) -> str:
    return f"{DAYS[day.weekday()]} {day.isoformat()}"


@lru_cache(maxsize=1440)
def _time(hour: int, minute: int) -> str:
    return f"{hour:02}:{minute:02}"
