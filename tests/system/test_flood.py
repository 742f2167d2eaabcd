"""The flood in short, and that its oracle notices an account that carries too much."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from otonom_trader.brokers.account_book import AccountBook
from tests.system.flood import LIMITS, Flood, wishes

# The account holds a tenth and a fifth already: nearly every purchase meets a limit.
_TIGHT = replace(
    LIMITS,
    max_position_size_pct=Decimal(11),
    max_open_risk_pct=Decimal(22),
    max_notional_per_day=Decimal(400_000),
)
_DECISIONS, _WAVE, _SEED = 240, 120, 3


async def test_no_limit_is_exceeded_by_decisions_that_come_at_once(tmp_path: Path) -> None:
    flood = Flood(wishes(_DECISIONS, _SEED), _WAVE, _SEED, is_rough=True, limits=_TIGHT)
    await flood.run(tmp_path)
    assert flood.breaches == []
    assert flood.disagreement == ""
    assert sum(flood.outcomes.values()) == _DECISIONS
    # Which of the limits an order meets depends on what has become of the others by then.
    assert flood.denied["max_open_risk_pct"] + flood.denied["max_notional_per_day"] > 0
    assert flood.outcomes["partly_filled"] + flood.outcomes["unfilled"] > 0


async def test_without_reservations_the_oracle_finds_limits_exceeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AccountBook, "reserve", lambda *_: None)
    limits = replace(_TIGHT, max_notional_per_day=None)
    flood = Flood(wishes(_DECISIONS, _SEED), _WAVE, _SEED, is_rough=True, limits=limits)
    await flood.run(tmp_path)
    assert any("open risk is" in breach for breach in flood.breaches)
