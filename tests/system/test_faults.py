"""The venue does not answer, or answers with an error: no order twice, none forgotten."""

from typing import Any

import pytest

from tests.system.conftest import Install
from tests.system.markets import account, venue
from tests.system.scenarios import (
    OVER_WS,
    decisions_meet_a_fault,
    many_at_once_under_one_limit,
)

FAULTS: dict[str, dict[str, Any]] = {
    "drop_before": {"fault": "drop_before"},
    "drop_after": {"fault": "drop_after"},
    "no_answer_after": {"fault": "no_answer_after"},
    "http_503, executed": {"fault": "http_503"},
    "http_503, not executed": {"fault": "http_503", "executed": False},
}
IMPATIENT: dict[str, Any] = {
    "broker": {"binance": {"timeout_seconds": 0.3, "recv_window_ms": 1000}}
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_an_order_whose_outcome_is_unknown_is_asked_for_and_never_sent_again(
    install: Install, fault: dict[str, Any]
) -> None:
    async with venue(account(USDT="1000000")) as market:
        await decisions_meet_a_fault(install(market.url, broker=IMPATIENT), market, fault, 200)


@pytest.mark.parametrize("fault", ["no_answer_after", "error_1007"])
async def test_it_is_so_over_the_web_socket_api_as_well(install: Install, fault: str) -> None:
    binance = {**IMPATIENT["broker"]["binance"], "order_transport": "auto"}
    over_ws = {"broker": {"binance": binance}}
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, broker=over_ws)
        await decisions_meet_a_fault(trader, market, {"fault": fault}, 200, OVER_WS)


async def test_orders_whose_outcome_is_unknown_count_against_the_limits(install: Install) -> None:
    # 0.1 BTC is about 6 % of 100000 USDT: one fits below 10 %, two do not.
    limits = {"risk_guardrails": {"max_position_size_pct": 10}}
    async with venue(account(USDT="100000")) as market:
        trader = install(market.url, broker=IMPATIENT | limits)
        await many_at_once_under_one_limit(trader, market)
