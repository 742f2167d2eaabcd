"""What is asked of the journal, as it is shown."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.domain.execution import TradeExecutionLog
from otonom_trader.domain.order import OrderStatus
from otonom_trader.storage import Journal
from otonom_trader.storage.events import EquityPoint, KillEvent


async def test_executions_are_shown_with_every_field_and_money_as_text(
    journal: Journal, samples: Any
) -> None:
    await journal.record(samples.entry(0))
    await journal.settle(samples.intent(), samples.filled(), samples.execution())

    (row,) = await journal.executions()

    assert row.keys() == {field.name for field in fields(TradeExecutionLog)}
    assert json.loads(json.dumps(row)) == row
    assert row["outcome"] == "filled"
    assert row["qty"] == "0.001"
    assert row["slippage_estimate"] == "-0.0125"
    assert row["broker_fees"] == {"BTC": "0.000001"}
    assert row["latency_ms"] == 12.25
    assert row["broker_ack_time"] == "2026-03-01T12:00:00.135456+00:00"
    assert row["stages_ns"] == {"judge": 41000, "sign_to_ack": 12250000}


async def test_what_does_not_exist_is_shown_as_null(journal: Journal, samples: Any) -> None:
    await journal.record(samples.denied())

    (row,) = await journal.executions()

    absent = (
        "paper_fill_price",
        "broker_fill_price",
        "latency_ms",
        "slippage_estimate",
        "broker_ack_time",
        "paper_status",
        "requested_qty",
    )
    assert [row[name] for name in absent] == [None] * len(absent)
    kept = await journal.execution(samples.key())
    assert kept is not None
    assert kept.slippage_estimate.is_nan()
    assert kept.paper_fill_price.is_nan()
    assert kept.latency_ms != kept.latency_ms


async def test_the_newest_rows_are_shown_newest_last(journal: Journal, samples: Any) -> None:
    for number in range(5):
        await journal.record(samples.entry(number))
        await journal.settle(
            samples.intent(number), samples.filled(number), samples.execution(number=number)
        )

    assert [row["decision_id"] for row in await journal.executions(2)] == ["3", "4"]
    assert [row["decision_id"] for row in await journal.orders(3)] == ["2", "3", "4"]


async def test_orders_are_shown_as_scripts_rely_on_them(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())
    await journal.settle(
        samples.intent(),
        samples.result(("1", "0.0004"), status=OrderStatus.PARTIALLY_FILLED),
        samples.execution(terminal=False, broker_qty="0.0004"),
    )

    (row,) = await journal.orders(open_only=True)

    expected = {
        "decision_id": "0",
        "source": "patron",
        "client_order_id": samples.intent().client_order_id,
        "order_id": "1000",
        "symbol": "BTC-USDT",
        "side": "BUY",
        "status": "PARTIALLY_FILLED",
        "phase": "OUTCOME",
        "qty": "0.001",
        "price": "50501.01",
        "executed_qty": "0.0004",
        "quote_qty": "20.0004",
        "fees": {"BTC": "0.000001"},
        "signed_at_ms": 1772366400123,
        "recorded_at": "2026-03-01T12:00:00.123456+00:00",
    }
    assert {name: row[name] for name in expected} == expected
    assert json.loads(json.dumps(row)) == row


async def test_an_order_is_found_by_its_client_order_id(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())

    assert await journal.has_order(samples.intent(0).client_order_id)
    assert not await journal.has_order(samples.intent(1).client_order_id)


async def test_decisions_are_counted_by_outcome(journal: Journal, samples: Any) -> None:
    for number in range(4):
        await journal.record(samples.entry(number))
    result, unknown = samples.unknown(0)
    await journal.settle(samples.intent(0), result, unknown)
    await journal.settle(samples.intent(1), samples.filled(1), samples.execution(number=1))
    await journal.record(samples.denied(4))
    assert await journal.counts() == {"denied": 1, "filled": 1, "pending": 2, "unknown": 1}

    await journal.settle(samples.intent(0), samples.filled(0), samples.execution(number=0))
    assert await journal.counts() == {"denied": 1, "filled": 2, "pending": 2}


async def test_the_newest_row_is_that_of_before_this_start(
    path: Path, clock: Any, samples: Any
) -> None:
    async with Journal(path, clock=clock) as journal:
        assert await journal.last_row_at() is None
        await journal.record(samples.denied(0))
        written = clock.now()
        # A clock that is set back does not hide what was written before.
        clock.time -= timedelta(hours=1)
        await journal.record(samples.denied(1))
        assert await journal.last_row_at() is None
    async with Journal(path, clock=clock) as journal:
        assert await journal.last_row_at() == written


async def test_a_time_is_kept_in_utc_whatever_its_zone(
    path: Path, clock: Any, samples: Any
) -> None:
    clock.time = datetime(2026, 3, 1, 15, 0, tzinfo=timezone(timedelta(hours=3)))
    async with Journal(path, clock=clock) as journal:
        await journal.record(samples.denied())
        (row,) = await journal.executions()

    assert row["recorded_at"] == "2026-03-01T12:00:00.000000+00:00"


async def test_a_time_without_zone_is_refused(journal: Journal, samples: Any) -> None:
    event = KillEvent(datetime(2026, 3, 1), "trip", "", "")  # noqa: DTZ001

    with pytest.raises(ValueError, match="carry their zone"):
        await journal.record_kill(event)


async def test_kills_and_resumes_are_kept_in_order(journal: Journal, clock: Any) -> None:
    trip = KillEvent(clock.now(), "trip", "SIGUSR1", "pid 7")
    resume = KillEvent(clock.now() + timedelta(1), "resume", "all clear \u2713 \ud800", "cli")
    for event in (trip, resume):
        await journal.record_kill(event)

    assert await journal.kill_events() == [trip, replace(resume, reason="all clear \u2713 \\ud800")]


async def test_equity_is_kept_exactly(journal: Journal) -> None:
    points = [
        EquityPoint(datetime(2026, 3, day, tzinfo=UTC), "paper", Decimal(f"1000{day}.10"), "USDT")
        for day in (1, 2, 3)
    ]
    for point in points:
        await journal.record_equity(point)

    assert await journal.equity(2) == points[1:]
    with pytest.raises(ValueError, match="must be a number"):
        await journal.record_equity(replace(points[0], equity=Decimal("NaN")))


async def test_many_keys_are_asked_for_at_once(journal: Journal, samples: Any) -> None:
    for number in (3, 700):
        await journal.record(samples.denied(number))

    seen = await journal.seen([samples.key(number) for number in range(1000)])

    assert set(seen) == {samples.key(3), samples.key(700)}
