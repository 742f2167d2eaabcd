"""What one transaction writes about a claim."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otonom_trader.domain.decision import Malformed
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.intent import Claim, LedgerChange, SourcePosition
from otonom_trader.domain.ledger import Ledger, Payment
from otonom_trader.domain.order import OrderRequest, Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.storage import DuplicateDecision, Journal, payload_digest
from otonom_trader.storage.errors import JournalConflict
from otonom_trader.storage.rows import digits


async def test_an_intent_comes_back_as_it_was_written(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())

    (found,) = await journal.open_intents()

    assert found.intent == samples.intent()
    assert (found.order_id, found.signed_at_ms, found.execution) == (None, None, None)
    assert not found.filled_qty
    assert not found.quote_qty


async def test_an_intent_without_paper_leg_limit_or_expiry_comes_back_without(
    journal: Journal, samples: Any
) -> None:
    entry = samples.entry()
    order = OrderRequest("BTCUSDT", "BUY", 1, client_order_id=entry.intent.client_order_id)
    intent = replace(entry.intent, order=order, paper=None, expires_at=None)
    await journal.record(replace(entry, intent=intent, market=None, equity=None))

    (found,) = await journal.open_intents()

    assert found.intent == intent


async def test_an_intent_to_stop_comes_back_with_its_prices(journal: Journal, samples: Any) -> None:
    entry = samples.entry()
    order = OrderRequest(
        "BTCUSDT",
        "BUY",
        1,
        50_600,
        "STOP_LOSS_LIMIT",
        client_order_id=entry.intent.client_order_id,
        stop_price="50500.5",
        trailing_delta_bps=150,
        iceberg_qty="0.1",
    )
    intent = replace(entry.intent, order=order)
    await journal.record(replace(entry, intent=intent))

    (found,) = await journal.open_intents()

    assert found.intent == intent


async def test_a_decision_is_claimed_once(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())

    with pytest.raises(DuplicateDecision, match=r"'0' of source 'patron'"):
        await journal.record(samples.denied())

    assert await journal.counts() == {"pending": 1}


async def test_the_same_id_of_another_source_is_another_decision(
    journal: Journal, samples: Any
) -> None:
    await journal.record(samples.denied())
    other = replace(samples.decision(), source="other")
    execution = replace(samples.denied().execution, source="other")

    await journal.record(
        replace(samples.denied(), claim=Claim(other, other.created_at), execution=execution)
    )

    assert await journal.counts() == {"denied": 2}


async def test_a_refused_claim_leaves_nothing_behind(journal: Journal, samples: Any) -> None:
    await journal.open_ledger("paper", samples.opening)
    await journal.record(samples.entry(0))
    change = samples.change(samples.opening)
    repeat = replace(
        samples.entry(0),
        claim=Claim(
            samples.decision(0), samples.decision(0).created_at, SourcePosition("patron", "later")
        ),
        paper=change,
    )

    with pytest.raises(DuplicateDecision):
        await journal.record(repeat)

    assert await journal.positions() == {"patron": "0"}
    assert await journal.load_ledger("paper") == samples.opening
    assert await journal.ledger_entries("paper") == []


async def test_the_position_of_a_source_is_written_with_the_claim(
    journal: Journal, samples: Any
) -> None:
    await journal.record(samples.denied(0))
    await journal.record(samples.denied(1))
    await journal.set_position(SourcePosition("other", "line 9"))

    assert await journal.positions() == {"patron": "1", "other": "line 9"}


async def test_seen_tells_a_repeat_from_another_payload(journal: Journal, samples: Any) -> None:
    await journal.record(samples.denied(0))

    seen = await journal.seen([samples.key(0), samples.key(1)])

    assert seen == {samples.key(0): payload_digest(samples.decision(0))}
    assert payload_digest(samples.decision(0)) != payload_digest(
        replace(samples.decision(0), strength=Decimal("0.9"))
    )


async def test_what_is_no_decision_is_kept_with_its_reason(journal: Journal, samples: Any) -> None:
    broken = Malformed("@line 3", "patron", "no such field", "\ud800 \0 \x1b[31m")
    claim = Claim(broken, samples.decision().created_at, SourcePosition("patron", "3"))
    execution = replace(
        samples.denied().execution,
        decision_id="@line 3",
        outcome=Outcome.MALFORMED,
        symbol="\udcff",
        side=None,
    )

    await journal.record(replace(samples.denied(), claim=claim, execution=execution, verdicts=()))

    assert await journal.seen([broken.key]) == {broken.key: payload_digest(broken)}
    row = await journal.execution(broken.key)
    assert row is not None
    assert (row.outcome, row.symbol, row.side) == (Outcome.MALFORMED, "\\udcff", None)


async def test_text_that_utf_8_cannot_hold_is_escaped(journal: Journal, samples: Any) -> None:
    odd = replace(samples.decision(), reason="\udcff\0")

    await journal.record(replace(samples.denied(), claim=Claim(odd, odd.created_at)))

    assert await journal.seen([odd.key]) == {odd.key: payload_digest(odd)}


async def test_every_verdict_is_kept_in_order(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry())

    assert await journal.verdicts(samples.key()) == samples.verdicts
    assert await journal.verdicts(samples.key(1)) == ()


async def test_symbols_met_are_remembered(journal: Journal, samples: Any) -> None:
    await journal.record(samples.entry(0))
    elsewhere = replace(samples.decision(1), symbol="eth/usdt")
    await journal.record(
        replace(samples.denied(1), claim=Claim(elsewhere, elsewhere.created_at, None))
    )

    assert await journal.traded_symbols() == {Symbol("BTC", "USDT"), Symbol("ETH", "USDT")}


async def test_an_entry_has_either_an_intent_or_an_execution(
    journal: Journal, samples: Any
) -> None:
    with pytest.raises(ValueError, match="either an intent or an execution"):
        await journal.record(replace(samples.entry(), intent=None))
    with pytest.raises(ValueError, match="either an intent or an execution"):
        await journal.record(replace(samples.entry(), execution=samples.execution()))


@pytest.mark.parametrize("part", ["decision", "order", "reservation", "execution"])
async def test_parts_of_different_decisions_are_not_written_together(
    journal: Journal, samples: Any, part: str
) -> None:
    entry, intent = samples.entry(), samples.intent()
    wrong = {
        "decision": replace(entry, intent=samples.intent(1)),
        "order": replace(entry, intent=replace(intent, order=samples.intent(1).order)),
        "reservation": replace(
            entry, intent=replace(intent, reservation=replace(intent.reservation, side=Side.SELL))
        ),
        "execution": replace(samples.denied(), execution=samples.denied(1).execution),
    }[part]

    with pytest.raises(ValueError, match=r"not that of|another"):
        await journal.record(wrong)

    assert await journal.seen([samples.key()]) == {}


async def test_the_paper_account_moves_with_the_claim(journal: Journal, samples: Any) -> None:
    await journal.open_ledger("paper", samples.opening)
    change = samples.change(samples.opening)

    await journal.record(replace(samples.entry(), paper=change))

    assert await journal.load_ledger("paper") == change.after
    assert await journal.ledger_entries("paper") == [samples.payment]


async def test_a_change_computed_from_an_outdated_account_is_refused(
    journal: Journal, samples: Any
) -> None:
    await journal.open_ledger("paper", samples.opening)
    change = samples.change(samples.opening)
    await journal.record(replace(samples.entry(0), paper=change))

    with pytest.raises(JournalConflict, match="load it again"):
        await journal.record(replace(samples.entry(1), paper=change))

    assert await journal.load_ledger("paper") == change.after
    assert await journal.seen([samples.key(1)]) == {}


async def test_a_change_of_an_account_that_was_never_opened_is_refused(
    journal: Journal, samples: Any
) -> None:
    with pytest.raises(JournalConflict, match="never opened"):
        await journal.record(replace(samples.entry(), paper=samples.change(samples.opening)))


async def test_an_account_is_opened_once(journal: Journal, samples: Any) -> None:
    assert await journal.load_ledger("paper") is None
    await journal.open_ledger("paper", samples.opening)

    with pytest.raises(JournalConflict, match="open already"):
        await journal.open_ledger("paper", Ledger())

    assert await journal.load_ledger("paper") == samples.opening


AMOUNTS = st.decimals(min_value="1e-8", max_value="1e6", places=8)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_keeps_every_digit_as_text(value: Decimal) -> None:
    text = digits(value)

    assert Decimal(text) == value
    assert "E" not in text


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(Side), AMOUNTS, AMOUNTS), max_size=20))
async def test_an_account_is_its_opening_with_its_entries_applied(
    tmp_path_factory: pytest.TempPathFactory,
    samples: Any,
    trades: list[tuple[Side, Decimal, Decimal]],
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "journal.db"
    opening = ledger = Ledger({"USDT": Decimal(10**12), "BTC": Decimal(10**8)})
    clock = samples.clock()
    async with Journal(path, clock=clock) as journal:
        await journal.open_ledger("paper", opening)
        for number, (side, qty, quote_qty) in enumerate(trades):
            payment = Payment.of_fill(samples.symbol, side, qty, quote_qty, Decimal("1e-9"))
            ledger = ledger.apply(payment)
            change = LedgerChange("paper", payment, ledger)
            await journal.record(replace(samples.denied(number), paper=change))
    async with Journal(path, clock=clock) as journal:
        kept = await journal.load_ledger("paper")
        folded = opening
        for payment in await journal.ledger_entries("paper"):
            folded = folded.apply(payment)

        assert kept == ledger == folded
        assert await journal.check() == []
