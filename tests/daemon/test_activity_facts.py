"""What guardrails count, as a status tells it."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from otonom_trader.daemon.activity_facts import activity_facts, activity_lines
from otonom_trader.daemon.tables import show_status
from otonom_trader.risk.activity import Activity
from otonom_trader.risk.limits import RiskGuardrails
from tests.docs.markdown import ROOT, blocks

D = Decimal
NOW = datetime(2026, 7, 1, 18, 47, 30, tzinfo=UTC)
PAST = Activity(
    orders_last_minute=2,
    orders_today=17,
    notional_today=D("4210.55000001"),
    seconds_since_order=None,
    day_start_equity=D(10000),
    highest_equity=D("10450.25"),
    losses_in_a_row=1,
)
LIMITS = RiskGuardrails(
    max_orders_per_minute=5,
    max_notional_per_day=D(20000),
    max_daily_loss_pct=D(5),
    max_drawdown_pct=D(20),
    max_consecutive_losses=3,
)
EQUITY = D("9882.34")


def lines(
    past: Activity = PAST, limits: RiskGuardrails = LIMITS, equity: D | None = EQUITY
) -> dict[str, str]:
    return dict(activity_lines(activity_facts(past, limits, equity, NOW)))


def test_each_count_stands_beside_its_limit() -> None:
    facts = activity_facts(PAST, LIMITS, EQUITY, NOW)
    assert facts == {
        "orders_last_minute": 2,
        "max_orders_per_minute": 5,
        "orders_today": 17,
        "max_orders_per_day": None,
        "notional_today": "4210.55",
        "max_notional_per_day": "20000",
        "losses_in_a_row": 1,
        "max_consecutive_losses": 3,
        "day_start_equity": "10000",
        "daily_loss_pct": "1.2",
        "max_daily_loss_pct": "5",
        "highest_equity": "10450.25",
        "drawdown_pct": "5.5",
        "max_drawdown_pct": "20",
        "day_ends_in_seconds": 5 * 3600 + 12 * 60 + 30,
    }


def test_people_read_what_the_page_shows() -> None:
    console = Console(file=io.StringIO(), width=120)
    show_status(console, {"activity": activity_facts(PAST, LIMITS, EQUITY, NOW)})
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    (shown,) = [block.text for block in blocks(page, "text") if "orders last minute" in block.text]
    file = console.file
    assert isinstance(file, io.StringIO)
    assert [line.split() for line in file.getvalue().splitlines()] == [
        line.split() for line in shown.splitlines()
    ]


@pytest.mark.parametrize(
    ("equity", "shown"),
    [
        (D(10000), "10000, about the same now, max 5 %"),
        (D(10034), "10000, now 0.3 % above, max 5 %"),
        (D(9999), "10000, now 0.1 % below, max 5 %"),
        (D("NaN"), "10000, not known now, max 5 %"),
        (None, "10000, not known now, max 5 %"),
    ],
)
def test_equity_is_told_by_how_far_it_is_from_what_it_was(equity: D | None, shown: str) -> None:
    assert lines(equity=equity)["day_start_equity"] == shown


def test_what_is_not_known_or_not_limited_is_told_as_that() -> None:
    unknown = replace(PAST, day_start_equity=None, highest_equity=None, losses_in_a_row=-1)
    shown = lines(unknown, RiskGuardrails())
    assert {shown[name] for name in ("day_start_equity", "highest_equity", "losses_in_a_row")} == {
        "-"
    }
    assert (shown["orders_last_minute"], shown["notional_today"]) == ("2", "4210.55")


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (datetime(2026, 7, 1, tzinfo=UTC), 86_400),
        (datetime(2026, 7, 1, 23, 59, 59, 999_999, tzinfo=UTC), 1),
    ],
)
def test_a_day_ends_at_midnight_utc(now: datetime, seconds: int) -> None:
    assert activity_facts(PAST, LIMITS, EQUITY, now)["day_ends_in_seconds"] == seconds
