"""Which symbols, and when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from otonom_trader.domain.symbol import Symbol
from tests.risk.samples import BUY, GUIDE, Change, denied, verdict_of


@pytest.mark.parametrize("entry", ["BTC-USDT", "btc/usdt", "BTCUSDT", "BTC"])
def test_a_listed_pair_or_asset_trades(entry: str) -> None:
    limits = replace(GUIDE, symbol_whitelist=("ETH-USDT", entry))
    assert verdict_of("symbol_whitelist", limits=limits).allowed


def test_what_is_not_listed_does_not_trade() -> None:
    limits = replace(GUIDE, symbol_whitelist=("BTC-USDT", "ETH"))
    in_euro = replace(BUY, symbol=Symbol("BTC", "EUR"))
    assert verdict_of("symbol_whitelist", in_euro, limits=limits) == denied(
        "symbol_whitelist", "Symbol BTC-EUR is not on the whitelist", "BTC-USDT, ETH", "BTC-EUR"
    )


@pytest.mark.parametrize("name", ["symbol_blacklist", "symbol_whitelist"])
def test_a_program_may_list_symbols_in_a_list(name: str) -> None:
    change: Change = {name: ["BTC"]}
    listed = verdict_of(name, limits=replace(GUIDE, **change))
    assert listed.allowed is (name == "symbol_whitelist")
    in_ether = replace(BUY, symbol=Symbol("ETH", "USDT"))
    assert verdict_of(name, in_ether, limits=replace(GUIDE, **change)).allowed is not listed.allowed


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_outside_the_trading_windows_nothing_trades() -> None:
    windows = ("mon-fri 08:00-20:00", "sat 10:00-12:00")
    limits = replace(GUIDE, trading_windows=windows)
    for now in ("2026-07-03T19:59:59Z", "2026-07-04T11:00:00Z"):
        assert verdict_of("trading_windows", replace(BUY, judged_at=at(now)), limits=limits).allowed
    late = replace(BUY, judged_at=at("2026-07-03T20:00:00Z"))
    assert verdict_of("trading_windows", late, limits=limits) == denied(
        "trading_windows",
        "It is fri 2026-07-03T20:00Z, outside the trading windows "
        "mon-fri 08:00-20:00, sat 10:00-12:00",
        "mon-fri 08:00-20:00, sat 10:00-12:00",
        "fri 2026-07-03T20:00Z",
    )


def test_inside_a_blackout_window_nothing_trades() -> None:
    windows = ("2026-12-24T00:00Z/2026-12-26T00:00Z", "daily 23:55-00:05")
    limits = replace(GUIDE, blackout_windows=windows)
    christmas = replace(BUY, judged_at=at("2026-12-25T12:00:00Z"))
    assert verdict_of("blackout_windows", christmas, limits=limits) == denied(
        "blackout_windows",
        "It is fri 2026-12-25T12:00Z, inside the blackout window "
        "2026-12-24T00:00Z/2026-12-26T00:00Z",
        "2026-12-24T00:00Z/2026-12-26T00:00Z",
        "fri 2026-12-25T12:00Z",
    )
    midnight = replace(BUY, judged_at=at("2026-12-27T00:04:59Z"))
    assert not verdict_of("blackout_windows", midnight, limits=limits).allowed
    after = replace(BUY, judged_at=at("2026-12-27T00:05:00Z"))
    assert verdict_of("blackout_windows", after, limits=limits).allowed


def test_times_are_compared_in_utc_wherever_the_clock_stands() -> None:
    limits = replace(GUIDE, trading_windows=("daily 12:00-13:00",))
    tokyo = timezone(timedelta(hours=9))
    noon = datetime(2026, 7, 1, 12, 30, tzinfo=UTC).astimezone(tokyo)
    assert verdict_of("trading_windows", replace(BUY, judged_at=noon), limits=limits).allowed


@pytest.mark.parametrize("name", ["trading_windows", "blackout_windows"])
@pytest.mark.parametrize("now", [None, datetime(2026, 7, 1, 12)])  # noqa: DTZ001  that is the point
def test_without_a_time_and_its_zone_windows_deny(name: str, now: datetime | None) -> None:
    change: Change = {name: ("mon-fri 00:00-00:01",)}
    limits = replace(GUIDE, **change)
    verdict = verdict_of(name, replace(BUY, judged_at=now), limits=limits)
    assert "the time is not known" in verdict.message


@pytest.mark.parametrize("name", ["trading_windows", "blackout_windows"])
def test_a_window_that_is_none_denies(name: str) -> None:
    change: Change = {name: ("sun 00:00-24:00", "whenever")}
    assert not verdict_of(name, limits=replace(GUIDE, **change)).allowed
    change = {name: ("whenever", "daily 00:00-24:00")}
    assert not verdict_of(name, limits=replace(GUIDE, **change)).allowed
