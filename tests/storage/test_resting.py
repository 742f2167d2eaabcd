"""Orders that rest on simulated accounts: kept until they end, their fills in account and row."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from otonom_trader.domain.execution import Outcome, PaperStatus, SimulatedFill, TradeExecutionLog
from otonom_trader.domain.intent import LedgerChange
from otonom_trader.domain.order import OrderRequest, OrderStatus
from otonom_trader.domain.resting import Leg, RestingOrder
from otonom_trader.storage.journal import Journal

PAPER = "paper:live:7"


@pytest.fixture
def resting(samples: Any) -> RestingOrder:
    return RestingOrder(
        decision=samples.key(),
        leg=Leg.PAPER,
        ledger=PAPER,
        symbol=samples.symbol,
        order=OrderRequest(
            "BTCUSDT",
            "SELL",
            "0.001",
            "49000",
            "STOP_LOSS_LIMIT",
            client_order_id=samples.intent().client_order_id,
            stop_price="49500.5",
            trailing_delta_bps=150,
        ),
        fee_pct=Decimal("0.1"),
        so_far=SimulatedFill(
            PaperStatus.RESTING, Decimal("0.0004"), Decimal(20), Decimal("0.0000004"), "BTC"
        ),
        decides=False,
        is_triggered=True,
        best_price=Decimal("51000.25"),
    )


def rests(samples: Any) -> TradeExecutionLog:
    row: TradeExecutionLog = samples.execution(Outcome.RESTING, terminal=False, broker_qty="0")
    return row


async def record(journal: Journal, samples: Any, resting: RestingOrder) -> None:
    await journal.open_ledger(PAPER, samples.opening)
    await journal.record(replace(samples.entry(), resting=resting))


async def test_an_order_that_rests_comes_back_as_it_was(
    journal: Journal, samples: Any, resting: RestingOrder
) -> None:
    await record(journal, samples, resting)
    assert await journal.load_resting(PAPER) == [resting]
    assert await journal.load_resting("paper:another") == []


async def test_a_fill_moves_order_account_and_row_together(
    journal: Journal, samples: Any, resting: RestingOrder
) -> None:
    await record(journal, samples, resting)
    await journal.settle(samples.intent(), samples.result(status=OrderStatus.NEW), rests(samples))
    whole = replace(
        resting.so_far,
        status=PaperStatus.FILLED,
        qty=Decimal("0.001"),
        quote_qty=Decimal("50.001"),
    )
    after = samples.opening.apply(samples.payment)

    row = await journal.move_resting(
        replace(resting, so_far=whole), LedgerChange(PAPER, samples.payment, after)
    )

    assert row is not None
    assert (row.paper_status, row.paper_qty) == (PaperStatus.FILLED, Decimal("0.001"))
    assert row.paper_fill_price == 50001
    assert row.outcome is rests(samples).outcome
    assert await journal.execution(resting.decision) == row
    assert await journal.load_ledger(PAPER) == after
    assert await journal.load_resting(PAPER) == []
    assert await journal.check() == []
    (found,) = await journal.open_intents()
    assert found.intent.paper == whole


async def test_one_that_decides_gives_its_decision_its_outcome(
    journal: Journal, samples: Any, resting: RestingOrder
) -> None:
    await record(journal, samples, replace(resting, decides=True, leg=Leg.EXPECTED))
    await journal.settle(samples.intent(), samples.result(status=OrderStatus.NEW), rests(samples))

    row = await journal.move_resting(
        replace(resting, decides=True, leg=Leg.EXPECTED).ended(PaperStatus.CANCELLED), None
    )

    assert row is not None
    assert (row.outcome, row.terminal) == (Outcome.PARTLY_FILLED, True)
    assert (row.broker_qty, row.broker_fill_price) == (Decimal("0.0004"), Decimal(50000))


async def test_one_that_moves_before_the_first_outcome_waits_in_the_intent(
    journal: Journal, samples: Any, resting: RestingOrder
) -> None:
    await record(journal, samples, resting)
    assert await journal.move_resting(resting.ended(PaperStatus.CANCELLED), None) is None
    (found,) = await journal.open_intents()
    assert found.intent.paper is not None
    assert found.intent.paper.status is PaperStatus.PARTLY_FILLED
