"""What came of an intent, and that knowledge only grows."""

import sqlite3
from dataclasses import replace
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.errors import JournalError, TradeConflict
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.order import OrderResult, OrderState, OrderStatus
from otonom_trader.storage import Journal
from otonom_trader.storage.errors import JournalConflict
from otonom_trader.storage.standing import Phase, Standing, merged


async def only_order(journal: Journal) -> dict[str, Any]:
    (order,) = await journal.orders()
    return order


async def test_a_filled_order_is_settled_with_its_fills_and_fees(
    journal: Journal, samples: Any
) -> None:
    await journal.record(samples.entry())

    await journal.settle(
        samples.intent(), samples.result(("1", "0.0004"), ("2", "0.0006")), samples.execution()
    )

    order = await only_order(journal)
    assert (order["phase"], order["state"], order["status"]) == ("SETTLED", "ACCEPTED", "FILLED")
    assert (order["executed_qty"], order["quote_qty"]) == ("0.001", "50.001")
    assert order["fees"] == {"BTC": "0.000002"}
    assert order["signed_at_ms"] == 1772366400123
    assert await journal.open_intents() == []
    assert await journal.orders(open_only=True) == []
    assert await journal.counts() == {"filled": 1}


async def test_an_execution_comes_back_as_it_was_written(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())
    await journal.settle(samples.intent(), samples.filled(), samples.execution())

    assert await journal.execution(samples.key()) == samples.execution()


async def test_an_unknown_outcome_stays_open_until_it_is_learnt(
    journal: Journal, samples: Any
) -> None:
    await journal.record(samples.entry())
    result, execution = samples.unknown()

    await journal.settle(samples.intent(), result, execution)
    (found,) = await journal.open_intents()
    assert found.signed_at_ms == 1772366400123
    assert found.execution is not None
    assert found.execution.outcome is Outcome.UNKNOWN
    assert (await only_order(journal))["phase"] == "OUTCOME"

    await journal.settle(samples.intent(), samples.filled(), samples.execution())
    assert await journal.open_intents() == []
    assert (await only_order(journal))["state"] == "ACCEPTED"
    assert await journal.counts() == {"filled": 1}


async def test_every_version_of_an_execution_is_kept(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())
    result, unknown = samples.unknown()
    await journal.settle(samples.intent(), result, unknown)
    await journal.settle(samples.intent(), samples.filled(), samples.execution())

    (before,) = await journal.execution_history(samples.key())

    assert before.outcome is Outcome.UNKNOWN
    assert repr(before) == repr(unknown)


async def test_asking_again_and_learning_nothing_adds_no_version(
    journal: Journal, samples: Any
) -> None:
    await journal.record(samples.entry())
    resting = samples.execution(Outcome.RESTING, terminal=False, broker_qty="0")
    result = samples.result(status=OrderStatus.NEW)
    for second in range(3):
        later = replace(resting, recorded_at=resting.recorded_at.replace(second=second))
        await journal.settle(samples.intent(), result, later)

    assert await journal.execution_history(samples.key()) == []


async def test_a_terminal_execution_is_not_taken_back(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())
    await journal.settle(samples.intent(), samples.filled(), samples.execution())
    result, unknown = samples.unknown()

    await journal.settle(samples.intent(), result, unknown)

    order = await only_order(journal)
    assert (order["phase"], order["state"], order["status"]) == ("SETTLED", "ACCEPTED", "FILLED")
    assert await journal.execution(samples.key()) == samples.execution()


async def test_a_fill_after_a_cancel_is_added(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())
    cancelled = samples.result(status=OrderStatus.CANCELED)
    await journal.settle(
        samples.intent(), cancelled, samples.execution(Outcome.CANCELLED, broker_qty="0")
    )

    late = samples.result(("7", "0.0003"), status=OrderStatus.CANCELED)
    row = samples.execution(Outcome.PARTLY_FILLED, broker_qty="0.0003")
    await journal.settle(samples.intent(), late, row)

    order = await only_order(journal)
    assert (order["status"], order["executed_qty"]) == ("CANCELED", "0.0003")
    assert await journal.execution(samples.key()) == row
    (before,) = await journal.execution_history(samples.key())
    assert before.outcome is Outcome.CANCELLED


async def test_a_fill_that_is_told_twice_is_booked_once(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())
    working = samples.execution(Outcome.RESTING, terminal=False, broker_qty="0.0004")
    partly = samples.result(("1", "0.0004"), status=OrderStatus.PARTIALLY_FILLED)

    await journal.settle(samples.intent(), partly, working)
    await journal.settle(samples.intent(), partly, working)
    both = samples.result(("1", "0.0004"), ("2", "0.0006"))
    await journal.settle(samples.intent(), both, samples.execution())

    order = await only_order(journal)
    assert (order["executed_qty"], order["fees"]) == ("0.001", {"BTC": "0.000002"})


async def test_fills_count_even_where_the_cumulative_quantity_lags(
    journal: Journal, samples: Any
) -> None:
    await journal.record(samples.entry())
    working = samples.execution(Outcome.RESTING, terminal=False, broker_qty="0")
    for trade_id in ("1", "2"):
        alone = samples.result((trade_id, "0.0004"), status=OrderStatus.PARTIALLY_FILLED)
        await journal.settle(samples.intent(), alone, working)

    assert (await only_order(journal))["executed_qty"] == "0.0008"


async def test_a_trade_is_not_booked_with_two_quantities(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())
    working = samples.execution(Outcome.RESTING, terminal=False, broker_qty="0.0004")
    partly = samples.result(("1", "0.0004"), status=OrderStatus.PARTIALLY_FILLED)
    await journal.settle(samples.intent(), partly, working)

    with pytest.raises(TradeConflict, match="trade 1 of BTC-USDT is on record with another"):
        await journal.settle(samples.intent(), samples.result(("1", "0.0005")), samples.execution())

    assert (await only_order(journal))["phase"] == "OUTCOME"


async def test_a_trade_is_not_booked_to_two_orders(journal: Journal, samples: Any) -> None:
    for number in (0, 1):
        await journal.record(samples.entry(number))
    await journal.settle(samples.intent(0), samples.result(("1", "0.001")), samples.execution())

    with pytest.raises(TradeConflict, match="trade 1 of BTC-USDT is on record with another"):
        await journal.settle(
            samples.intent(1),
            samples.result(("1", "0.001"), number=1),
            samples.execution(number=1),
        )


async def test_an_order_is_not_filled_beyond_its_quantity(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())

    with pytest.raises(JournalConflict, match=r"of 0.00100 BTC would be filled with 0.0012"):
        await journal.settle(
            samples.intent(), samples.result(("1", "0.0006"), ("2", "0.0006")), samples.execution()
        )

    assert (await only_order(journal))["phase"] == "INTENT"


async def test_an_intent_that_was_never_recorded_cannot_be_settled(
    journal: Journal, samples: Any
) -> None:
    with pytest.raises(JournalError, match="never recorded"):
        await journal.settle(samples.intent(), samples.filled(), samples.execution())


async def test_an_execution_of_another_decision_is_refused(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())

    with pytest.raises(ValueError, match="not that of 0"):
        await journal.settle(samples.intent(), samples.filled(), samples.execution(number=1))


async def test_the_shadow_account_moves_once_however_often_the_outcome_is_told(
    journal: Journal, samples: Any
) -> None:
    await journal.open_ledger("shadow", samples.opening)
    await journal.record(samples.entry())
    change = samples.change(samples.opening, "shadow")

    for _ in range(2):
        await journal.settle(samples.intent(), samples.filled(), samples.execution(), change)

    assert await journal.load_ledger("shadow") == change.after
    assert await journal.ledger_entries("shadow") == [samples.payment]


async def test_the_same_knowledge_in_any_order_comes_to_the_same(
    tmp_path: Path, clock: Any, samples: Any
) -> None:
    unknown = samples.unknown()
    resting = (
        samples.result(status=OrderStatus.NEW),
        samples.execution(Outcome.RESTING, terminal=False, broker_qty="0"),
    )
    partly = (
        samples.result(("1", "0.0004"), status=OrderStatus.PARTIALLY_FILLED),
        samples.execution(Outcome.RESTING, terminal=False, broker_qty="0.0004"),
    )
    filled = (samples.result(("1", "0.0004"), ("2", "0.0006")), samples.execution())
    async with Journal(tmp_path / "journal.db", clock=clock) as journal:
        orders = list(permutations((unknown, resting, partly, filled)))
        for number, order in enumerate(orders):
            await journal.record(samples.entry(number))
            for result, execution in order:
                fills = tuple(
                    replace(fill, trade_id=f"{number}-{fill.trade_id}") for fill in result.fills
                )
                await journal.settle(
                    samples.intent(number),
                    replace(result, fills=fills),
                    replace(execution, decision_id=str(number)),
                )
        rows = await journal.orders(len(orders))
        assert len(rows) == len(orders) == 24
        assert {
            (row["phase"], row["state"], row["status"], row["executed_qty"], row["quote_qty"])
            for row in rows
        } == {("SETTLED", "ACCEPTED", "FILLED", "0.001", "50.001")}
        assert await journal.counts() == {"filled": len(orders)}


def results() -> st.SearchStrategy[OrderResult]:
    quantity = st.integers(0, 5).map(Decimal)
    return st.builds(
        OrderResult,
        state=st.sampled_from(OrderState),
        status=st.none() | st.sampled_from(OrderStatus),
        filled_qty=quantity,
        quote_qty=quantity,
        signed_at_ms=st.none() | st.integers(1, 9),
    )


TOLD = st.lists(st.tuples(results(), st.booleans()), min_size=1, max_size=6)


def known(told: list[tuple[OrderResult, bool]]) -> Standing:
    standing = Standing()
    for result, settles in told:
        standing = merged(standing, result, settles=settles)
    return standing


@given(TOLD, st.randoms())
def test_what_is_known_does_not_depend_on_the_order_of_the_news(told: Any, random: Any) -> None:
    shuffled = random.sample(told, len(told))

    assert known(told) == known(shuffled)


@given(TOLD)
def test_news_told_again_changes_nothing(told: Any) -> None:
    assert known(told + told) == known(told)


@given(TOLD)
def test_an_order_never_goes_back(told: Any) -> None:
    phases, standing = list(Phase), Standing()
    for result, settles in told:
        before, standing = standing, merged(standing, result, settles=settles)

        assert phases.index(standing.phase) >= phases.index(before.phase)
        assert standing.filled_qty >= before.filled_qty
        if before.status is not None and before.status.terminal:
            assert standing.status is not None
            assert standing.status.terminal
        if before.state is OrderState.ACCEPTED:
            assert standing.state is OrderState.ACCEPTED


async def test_the_raw_reply_and_what_was_judged_on_are_in_the_file(
    path: Path, clock: Any, samples: Any
) -> None:
    async with Journal(path, clock=clock) as journal:
        await journal.record_configuration("c0ffee", "mode: live", "0.1.0")
        await journal.record(samples.entry())
        await journal.settle(samples.intent(), samples.filled(), samples.execution())
    connection = sqlite3.connect(path)
    (row,) = connection.execute(
        "SELECT o.raw, s.equity, json_extract(s.asks, '$[0][0]'), c.hash, c.version"
        " FROM orders o JOIN decisions d ON d.seq = o.decision"
        " JOIN snapshots s ON s.decision = d.seq JOIN configurations c ON c.seq = d.configuration"
    )
    connection.close()

    assert row == ('{"orderId": 1000}', "125000.5", "50001", "c0ffee", "0.1.0")
