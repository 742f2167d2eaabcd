"""What people read on a terminal."""

import io
from typing import Any

import pytest
from rich.console import Console

from otonom_trader.daemon.tables import show_external_orders, show_orders

ORDER: dict[str, Any] = {
    "decision_id": "d1",
    "symbol": "BTC-USDT",
    "side": "SELL",
    "order_type": "OCO",
    "qty": "0.5",
    "price": "66000",
    "stop_price": "55000",
    "trailing_delta_bps": None,
    "status": "NEW",
    "state": "ACCEPTED",
    "phase": "OUTCOME",
    "code": None,
    "executed_qty": "0",
    "quote_qty": "0",
    "client_order_id": "otn-1",
}


def printed(show: Any = show_orders, **fields: Any) -> str:
    console = Console(file=io.StringIO(), width=120)
    show(console, [ORDER | fields])
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_an_order_is_shown_with_what_was_asked_for() -> None:
    words = printed().split()
    assert {"OCO", "0.5", "66000", "55000", "NEW", "otn-1"} <= set(words)
    assert "1.5 %" in printed(stop_price=None, trailing_delta_bps=150)


def test_an_order_of_another_is_shown_as_it_was_told_of_last() -> None:
    told = printed(
        show_external_orders,
        client_order_id="web_1",
        order_id="42",
        qty="0.50000000",
        filled_qty="0.10000000",
        updated_at="2026-11-23T12:00:00.123456+00:00",
    )
    shown = {"BTC-USDT", "SELL", "0.5", "66000", "NEW", "0.1", "42", "web_1", "2026-11-23T12:00:00"}
    assert shown <= set(told.split())


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"state": "UNKNOWN"}, "UNKNOWN"),
        ({"state": "NOT_SENT", "code": "absent"}, "absent"),
        ({"state": "NOT_SENT", "code": "paused"}, "NOT_SENT"),
        ({"state": None, "phase": "INTENT"}, "INTENT"),
    ],
)
def test_without_a_word_of_the_venue_an_order_stands_where_it_is_known_to(
    fields: dict[str, Any], shown: str
) -> None:
    assert shown in printed(status=None, **fields).split()
