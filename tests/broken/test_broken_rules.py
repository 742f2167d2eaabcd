"""Each rule of an order's life is missed when it is taken out, by the tests that hold it.

They are run here as they are, on a broken adapter.
"""

from pathlib import Path

import pytest

from tests.broken.variants_in_process import (
    fence_skipped,
    fills_added_up,
    gap_between_connections,
    state_goes_back,
)
from tests.brokers.binance.books import test_market_streams
from tests.brokers.binance.transport import test_ws_api
from tests.system import test_fault_catalogue


def fails(kind: type[Exception], match: str | None = None) -> pytest.RaisesGroup[Exception]:
    """A failure that comes out of the groups of tasks it happened among."""
    return pytest.RaisesGroup(pytest.RaisesExc(kind, match=match), flatten_subgroups=True)


async def test_a_status_that_goes_back_leaves_a_filled_order_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state_goes_back(monkeypatch)
    with fails(AssertionError, match=r"not within 10 s: .* filled"):
        await test_fault_catalogue.test_fault_19_an_earlier_state_that_comes_last(tmp_path)


async def test_fills_that_are_added_up_count_a_repeated_one_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fills_added_up(monkeypatch)
    with fails(AssertionError, match="order otn-"):
        await test_fault_catalogue.test_fault_18_events_that_come_twice(tmp_path)


async def test_without_the_fence_an_order_that_is_late_is_taken_for_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence_skipped(monkeypatch)
    late = test_fault_catalogue.test_fault_3_a_request_that_is_late_and_asked_for_before_it_arrives
    with fails(AssertionError, match="ABSENT"):
        await late(tmp_path)


async def test_a_gap_between_two_connections_loses_news_of_orders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gap_between_connections(monkeypatch)
    with fails(AssertionError, match=r"^assert \d+ == \d+"):
        await test_ws_api.test_nothing_is_missed_while_a_connection_is_replaced()


async def test_a_gap_between_two_connections_loses_changes_of_the_book(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gap_between_connections(monkeypatch)
    with fails(AssertionError, match="nothing was missed"):
        await test_market_streams.test_a_connection_is_replaced_without_a_gap()
