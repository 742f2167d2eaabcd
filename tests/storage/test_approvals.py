"""Orders that wait for a person: written with their claim, and ended once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.approval import Parked, Ruling, RulingKind
from otonom_trader.domain.decision import Decision, parse_decision
from otonom_trader.domain.errors import NotWaiting
from otonom_trader.domain.intent import Entry
from otonom_trader.domain.verdict import Verdict
from otonom_trader.storage import DuplicateDecision, Journal
from otonom_trader.storage.opening import open_file
from otonom_trader.storage.schema import MIGRATIONS
from tests.storage.conftest import START

NEEDED = Verdict("require_confirmation_above", allowed=False, message="too much", value="6000")
LATER = START + timedelta(minutes=2)
BY_ALICE = Ruling(RulingKind.APPROVED, "alice", LATER)

Park = Callable[..., Entry]


@pytest.fixture
def parked(samples: Any) -> Callable[[int], Parked]:
    def make(number: int = 0) -> Parked:
        return Parked(
            decision=samples.decision(number),
            received_at=START,
            account=samples.account,
            symbol=samples.symbol,
            qty=Decimal("0.12000"),
            requested_qty=Decimal("0.12000999"),
            notional=Decimal("6000.1"),
            reason="Order notional $6000.1 requires confirmation above $5000",
            parked_at=START + timedelta(seconds=1),
            expires_at=START + timedelta(seconds=901),
        )

    return make


@pytest.fixture
def waits(samples: Any, parked: Callable[[int], Parked]) -> Park:
    def make(number: int = 0) -> Entry:
        return Entry(
            samples.claim(number), (NEEDED,), samples.market(), Decimal(9), parked=parked(number)
        )

    return make


def approved(samples: Any, number: int = 0) -> Entry:
    """The entry of an approved order that is about to be sent."""
    entry: Entry = samples.entry(number)
    claim = replace(entry.claim, position=None)
    return replace(entry, claim=claim, ruling=BY_ALICE)


def denied(samples: Any, number: int = 0) -> Entry:
    entry: Entry = samples.denied(number)
    ruling = Ruling(RulingKind.DENIED, "bob", LATER, "fat finger")
    claim = replace(entry.claim, position=None)
    return replace(entry, claim=claim, verdicts=(), ruling=ruling)


async def test_what_waits_comes_back_as_it_was_written_after_a_restart_too(
    path: Path, clock: Any, waits: Park, parked: Callable[[int], Parked], samples: Any
) -> None:
    async with Journal(path, clock=clock) as journal:
        await journal.record(waits(0))
        await journal.record(waits(1))
    async with Journal(path, clock=clock) as journal:
        assert await journal.waiting() == [parked(0), parked(1)]
        assert await journal.counts() == {"waiting": 2}
        assert await journal.executions() == []
        assert await journal.verdicts(samples.key()) == (NEEDED,)
        assert await journal.positions() == {"patron": "1"}
        assert await journal.check() == []


async def test_a_decision_that_waits_is_claimed(
    journal: Journal, waits: Park, samples: Any
) -> None:
    await journal.record(waits())
    for again in (waits(), samples.entry(), samples.denied()):
        with pytest.raises(DuplicateDecision):
            await journal.record(again)
    assert await journal.seen([samples.key()])


async def test_an_approved_order_takes_the_claim_that_is_there(
    journal: Journal, waits: Park, samples: Any
) -> None:
    await journal.record(waits())
    await journal.record(approved(samples))
    (intent,) = await journal.open_intents()
    assert intent.intent == samples.intent()
    assert await journal.waiting() == []
    assert await journal.counts() == {"pending": 1}
    (row,) = await journal.approvals()
    assert (row["ruling"], row["ruled_by"], row["ruling_reason"]) == ("approved", "alice", "")
    assert row["ruled_at"] == LATER.isoformat(timespec="microseconds")


async def test_a_ruling_refers_to_the_configuration_it_was_given_under(
    journal: Journal, waits: Park, samples: Any
) -> None:
    await journal.record_configuration("first", "{}")
    await journal.record(waits())
    await journal.record_configuration("second", "{}")
    await journal.record(approved(samples))

    def hashes(connection: Any) -> Any:
        return connection.execute(
            "SELECT c.hash, r.hash FROM approvals a JOIN decisions d ON d.seq = a.decision"
            " JOIN configurations c ON c.seq = d.configuration"
            " JOIN configurations r ON r.seq = a.configuration"
        ).fetchall()

    assert await journal._read(hashes) == [("first", "second")]


async def test_what_it_was_judged_on_first_is_kept_beside_what_it_is_judged_on_now(
    journal: Journal, waits: Park, samples: Any
) -> None:
    await journal.record(waits())
    await journal.record(approved(samples))
    assert await journal.verdicts(samples.key()) == samples.verdicts

    def earlier(connection: Any) -> list[Any]:
        rows = connection.execute("SELECT equity, verdicts FROM snapshots_history")
        return list(rows.fetchall())

    ((equity, verdicts),) = await journal._read(earlier)
    assert equity == "9"
    assert "too much" in verdicts


@pytest.mark.parametrize("first", [approved, denied])
@pytest.mark.parametrize("second", [approved, denied])
async def test_a_wait_ends_once(
    journal: Journal, waits: Park, samples: Any, first: Any, second: Any
) -> None:
    await journal.record(waits())
    await journal.record(first(samples))
    with pytest.raises(NotWaiting, match="'0' of source 'patron' does not wait"):
        await journal.record(second(samples))
    assert len(await journal.orders()) + len(await journal.executions()) == 1


async def test_nothing_is_ruled_on_that_does_not_wait(journal: Journal, samples: Any) -> None:
    with pytest.raises(NotWaiting):
        await journal.record(approved(samples))
    await journal.record(samples.denied())
    with pytest.raises(NotWaiting):
        await journal.record(approved(samples))
    assert await journal.orders() == []


async def test_asked_again_it_waits_anew_and_both_askings_are_kept(
    journal: Journal, waits: Park, parked: Callable[[int], Parked], samples: Any
) -> None:
    await journal.record(waits())
    dearer = replace(parked(0), notional=Decimal(6100))
    claim = replace(samples.claim(), position=None)
    await journal.record(Entry(claim, parked=dearer, ruling=BY_ALICE))
    assert await journal.waiting() == [dearer]
    rows = await journal.approvals_of("0")
    assert [(row["notional"], row["ruling"]) for row in rows] == [
        ("6000.1", "approved"),
        ("6100", None),
    ]
    assert await journal.approvals(waiting_only=True) == rows[1:]
    assert await journal.approvals(limit=1) == rows[1:]


async def test_parts_that_do_not_belong_together_are_not_written(
    journal: Journal, waits: Park, parked: Callable[[int], Parked], samples: Any
) -> None:
    wrong = (
        replace(waits(0), parked=parked(1)),
        replace(waits(0), intent=samples.intent()),
        replace(approved(samples), claim=samples.claim()),  # it would set its source back
    )
    for entry in wrong:
        with pytest.raises(ValueError, match=r"is not decision|is parked|does not move"):
            await journal.record(entry)
    assert await journal.seen([samples.key()]) == {}


async def test_a_journal_of_before_is_brought_up_to_waiting(
    path: Path, clock: Any, samples: Any, waits: Park
) -> None:
    open_file(path, MIGRATIONS[:3]).close()
    async with Journal(path, clock=clock) as journal:
        await journal.record(waits())
        assert len(await journal.waiting()) == 1


text = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
sizes = st.decimals("0.00000001", "1000000", places=8)


@given(
    st.fixed_dictionaries(
        {
            "id": text.filter(str.isprintable),
            "symbol": st.just("BTC-USDT"),
            "direction": st.sampled_from(["BUY", "SELL"]),
            "created_at": st.datetimes(timezones=st.just(START.tzinfo)).map(
                lambda t: t.isoformat()
            ),
        },
        optional={
            "qty": sizes,
            "strength": st.decimals("0.01", "1", places=2),
            "price": sizes,
            "reason": text,
            "expires_at": st.just("2026-07-01T12:00:00+02:00"),
        },
    )
)
def test_a_decision_reads_from_its_record_as_it_read_from_its_source(raw: dict[str, Any]) -> None:
    decision = parse_decision(raw, "patron", "line 1")
    if isinstance(decision, Decision):
        assert parse_decision(decision.payload(), "patron", "journal") == decision
