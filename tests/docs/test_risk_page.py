"""docs/risk.md: every guardrail with its default, and with the words it denies in."""

import re
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from otonom_trader.brokers.config import get_broker_config
from otonom_trader.domain.market import Walk
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import GUARDRAILS, judge, rejection_message
from tests.docs.markdown import ROOT, blocks
from tests.risk.samples import ACCOUNT, BUY, QUIET, D

PAGE = (ROOT / "docs" / "risk.md").read_text("utf-8")
SECTIONS = {
    name: text.split("\n## ")[0]
    for name, text in re.findall(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}


@dataclass(frozen=True)
class Denied:
    """What is other than in an order that all allow."""

    proposal: dict[str, Any] | None = None
    exposure: dict[str, Any] | None = None
    activity: dict[str, Any] | None = None
    took_ns: int = 0


EXAMPLES = {
    "max_price_age_seconds": Denied({"price_age_seconds": D("7.5")}),
    "max_account_age_seconds": Denied(exposure={"age_seconds": D(61)}),
    "max_decision_age_seconds": Denied({"decision_age_seconds": D("300.5")}),
    "max_judging_seconds": Denied(took_ns=2_500_000_000),
    "max_notional_per_order": Denied({"qty": D("0.3")}),
    "max_position_size_pct": Denied(exposure={"holdings": {"BTC": D("0.2")}}),
    "max_exposure_per_base_asset_pct": Denied(exposure={"pending_buy_values": {"BTC": D(10000)}}),
    "max_open_risk_pct": Denied(exposure={"positions_value": D(25000)}),
    "max_total_positions": Denied(exposure={"positions": {f"A{n}" for n in range(10)}}),
    "balance_after_fees": Denied(exposure={"balances": {"USDT": D(5000)}}),
    "venue_minimums": Denied({"qty": D("0.00009")}),
    "price_collar_pct": Denied({"limit_price": D(51000)}),
    "max_expected_slippage_pct": Denied({"walk": Walk(D("0.1"), D(5090), None, ())}),
    "max_spread_pct": Denied({"bid": D(49500), "ask": D(50500)}),
    "max_orders_per_minute": Denied(activity={"orders_last_minute": 5}),
    "max_orders_per_day": Denied(activity={"orders_today": 100}),
    "max_notional_per_day": Denied(activity={"notional_today": D("15000.5")}),
    "min_seconds_between_orders": Denied(activity={"seconds_since_order": D("12.34")}),
    "max_daily_loss_pct": Denied(exposure={"equity": D(94999)}),
    "max_drawdown_pct": Denied(exposure={"equity": D(70000)}),
    "max_consecutive_losses": Denied(activity={"losses_in_a_row": 3}),
}
"""Where the limit alone does not deny."""


def test_the_page_has_every_guardrail() -> None:
    assert sorted(SECTIONS) == sorted(GUARDRAILS)
    assert EXAMPLES.keys() <= SECTIONS.keys()


@pytest.mark.parametrize("name", GUARDRAILS)
def test_the_default_is_the_one_in_force(name: str) -> None:
    told = re.findall(r"Default:\s`([^`]+)`", SECTIONS[name])
    default = next(limit.default for limit in fields(RiskGuardrails) if limit.name == name)
    assert [_plain(yaml.safe_load(text)) for text in told] == [_plain(default)]


@pytest.mark.parametrize("name", GUARDRAILS)
def test_it_denies_in_the_words_shown_with_the_limit_shown(name: str, tmp_path: Path) -> None:
    (example,) = blocks(SECTIONS[name], "yaml")
    file = tmp_path / "broker.yaml"
    file.write_text(f"broker: {{type: dummy}}\nrisk_guardrails:\n  {example.text}")
    limits = get_broker_config(file, environ={}).get_risk_guardrails()
    given = EXAMPLES.get(name, Denied())
    times = iter((0, given.took_ns))
    verdicts = judge(
        replace(BUY, **(given.proposal or {})),
        replace(ACCOUNT, **(given.exposure or {})),
        limits,
        None,
        replace(QUIET, **(given.activity or {})),
        monotonic_ns=lambda: next(times),
    )
    shown = blocks(SECTIONS[name], "text")[0].text.strip()
    assert rejection_message(verdicts[GUARDRAILS.index(name)]) == shown


def _plain(value: Any) -> Any:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return Decimal(str(value))
    return list(value) if isinstance(value, tuple) else value
