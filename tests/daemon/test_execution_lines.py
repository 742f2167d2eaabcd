"""The one log line of each execution."""

from dataclasses import replace
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from otonom_trader.daemon.execution_lines import tell
from otonom_trader.domain.execution import Outcome, TradeExecutionLog, slippage_warning
from otonom_trader.domain.order import Side

FILLED = TradeExecutionLog(
    decision_id="d1",
    symbol="BTC-USDT",
    side=Side.BUY,
    qty=Decimal("0.02"),
    outcome=Outcome.FILLED,
    mode="live",
    client_order_id="otn-x",
    paper_qty=Decimal("0.02"),
    paper_fill_price=Decimal(50000),
    broker_ok=True,
    broker_order_id="7",
    broker_qty=Decimal("0.02"),
    broker_fill_price=Decimal(50100),
    latency_ms=1.26,
    slippage_estimate=Decimal("0.2"),
)


def test_a_fill_tells_both_legs_latency_and_slippage() -> None:
    with capture_logs() as lines:
        tell(FILLED)
    assert lines == [
        {
            "event": "decision.executed",
            "log_level": "info",
            "outcome": Outcome.FILLED,
            "symbol": "BTC-USDT",
            "side": Side.BUY,
            "qty": Decimal("0.02"),
            "mode": "live",
            "client_order_id": "otn-x",
            "paper_fill_price": 50000,
            "order_id": "7",
            "latency_ms": 1.3,
            "broker_fill_price": 50100,
            "slippage_pct": Decimal("0.2000"),
        }
    ]


def test_a_fill_whose_answer_never_came_tells_no_latency() -> None:
    with capture_logs() as lines:
        tell(replace(FILLED, latency_ms=float("nan")))
    assert lines[0]["order_id"] == "7"
    assert "latency_ms" not in lines[0]


@pytest.mark.parametrize(
    ("outcome", "event", "level"),
    [
        (Outcome.DENIED, "decision.denied", "warning"),
        (Outcome.UNKNOWN, "order.unknown", "error"),
        (Outcome.MALFORMED, "decision.malformed", "warning"),
        (Outcome.EXPIRED, "decision.expired", "info"),
        (Outcome.REJECTED, "decision.rejected", "warning"),
    ],
)
def test_what_was_not_executed_tells_its_code_and_reason(
    outcome: Outcome, event: str, level: str
) -> None:
    row = TradeExecutionLog(
        "d1", "", None, Decimal(0), outcome, broker_code="why", broker_message="because"
    )
    with capture_logs() as lines:
        tell(row)
    assert lines == [
        {
            "event": event,
            "log_level": level,
            "outcome": outcome,
            "code": "why",
            "reason": "because",
        }
    ]


def test_high_slippage_is_warned_about_in_the_guides_words() -> None:
    with capture_logs() as lines:
        tell(replace(FILLED, slippage_estimate=Decimal("2.5")))
    assert lines[1]["reason"] == "Slippage estimate: 2.5% (warning threshold: 2.0%)"
    assert lines[1]["log_level"] == "warning"


@pytest.mark.parametrize("slippage", ["2.0", "-9", "NaN"])
def test_slippage_up_to_the_threshold_or_in_our_favour_is_no_warning(slippage: str) -> None:
    assert slippage_warning(Decimal(slippage)) is None
