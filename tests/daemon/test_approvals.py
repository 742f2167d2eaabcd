"""A person's word on an order that waits for it: given once, in time, and on what was seen."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.paper import PaperBroker, open_account
from otonom_trader.brokers.waiting import WaitingRoom
from otonom_trader.daemon.approvals import Approvals
from otonom_trader.daemon.approved import Approved
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.sizing import SizingRules
from otonom_trader.daemon.turn import Turn
from otonom_trader.domain.approval import Parked
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.errors import (
    JournalError,
    NotPermitted,
    NotReady,
    NotSent,
    PaperOnly,
    TradingHalted,
    VenueUnreachable,
)
from otonom_trader.domain.execution import Outcome, TradeExecutionLog
from otonom_trader.domain.ids import client_order_id
from otonom_trader.domain.intent import Claim, Entry, SourcePosition
from otonom_trader.domain.market import MarketSnapshot
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.storage.journal import Journal
from tests.daemon.conftest import NOON, StandingClock

LIMITS = RiskGuardrails(
    max_notional_per_order=None,
    max_position_size_pct=None,
    max_open_risk_pct=None,
    require_confirmation_above=Decimal(5000),
)


@dataclass
class Gate:
    shut: TradingHalted | None = None

    def check(self) -> None:
        if self.shut is not None:
            raise self.shut


@dataclass
class Desk:
    """What trades, what waits, and the commands a person has."""

    venue: DummyBroker
    broker: GuardedBroker
    executor: ShadowModeExecutor
    approvals: Approvals
    waiting: WaitingRoom
    journal: Journal
    clock: StandingClock
    gate: Gate
    faults: list[JournalError] = field(default_factory=list)

    async def take(self, decision: Decision) -> TradeExecutionLog | Parked:
        """Take a decision in as it comes from a source."""
        position = SourcePosition(decision.source, decision.id)
        return await self.executor.execute_or_park(
            Claim(decision, self.clock.now(), position), Turn()
        )

    async def park(self, decision: Decision) -> Parked:
        parked = await self.take(decision)
        assert isinstance(parked, Parked)
        return parked

    async def approve(self, id_: str = "d1", **more: str) -> dict[str, Any]:
        answer = await self.approvals.approve({"id": id_, "by": "alice"} | more)
        row: dict[str, Any] = answer["execution"]
        return row

    async def deny(self, id_: str = "d1", reason: str = "too big", **more: str) -> dict[str, Any]:
        given = {"id": id_, "by": "alice", "reason": reason} | more
        row: dict[str, Any] = (await self.approvals.deny(given))["execution"]
        return row

    def held(self, asset: str = "BTC") -> Decimal:
        return self.venue._amounts.get(asset, Decimal(0))

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)


async def open_desk(
    journal: Journal, clock: StandingClock, mode: Mode = Mode.LIVE, **room: Any
) -> Desk:
    prices, balances = {"BTC-USDT": 50000}, {"USDT": 100_000, "BTC": 1}
    venue = DummyBroker(mode=mode, prices=prices, balances=balances, clock=clock)
    paper = await open_account(journal, "paper", {"USDT": Decimal(100_000)})
    shadow = None
    if mode is Mode.SHADOW:
        shadow = await open_account(journal, "shadow", {"USDT": Decimal(100_000)})
    gate, waiting = Gate(), WaitingRoom(clock, **room)
    broker = GuardedBroker(
        venue,
        LIMITS,
        intents=journal,
        gate=gate,
        clock=clock,
        paper=PaperBroker(paper, Decimal(0)),
        shadow=shadow,
        waiting=waiting,
    )
    executor = ShadowModeExecutor(broker, journal, SizingRules(), clock)

    async def execute(
        approved: Approved, on_recorded: Callable[[], None]
    ) -> TradeExecutionLog | Parked:
        return await executor.execute_approved(approved, on_recorded)

    faults: list[JournalError] = []
    approvals = Approvals(journal, waiting, clock, execute, faults.append)
    await approvals.take_up()
    await approvals.announce()
    return Desk(venue, broker, executor, approvals, waiting, journal, clock, gate, faults)


@pytest.fixture
async def desk(journal: Journal, clock: StandingClock) -> Desk:
    return await open_desk(journal, clock)


@pytest.fixture
def big() -> Decision:
    """$6000 of BTC."""
    return Decision(
        id="d1",
        symbol="BTC-USDT",
        direction=Direction.BUY,
        qty=Decimal("0.12"),
        created_at=NOON,
        source="test",
    )


# Parked


async def test_an_order_that_needs_a_confirmation_waits_and_nothing_is_reserved_or_filled(
    desk: Desk, big: Decision
) -> None:
    parked = await desk.park(big)
    assert (parked.qty, parked.notional) == (Decimal("0.12"), Decimal(6000))
    assert parked.reason == "Order notional $6000 requires confirmation above $5000"
    assert (parked.parked_at, parked.expires_at) == (NOON, NOON + timedelta(seconds=900))
    assert desk.approvals.count == 1
    assert await desk.journal.executions() == await desk.journal.orders() == []
    assert not desk.broker.exposure().pending_buys
    assert desk.broker.paper is not None
    assert desk.broker.paper.account.ledger.amount("USDT") == 100_000


async def test_it_is_announced_with_the_command_to_run(desk: Desk, big: Decision) -> None:
    with capture_logs() as logs:
        await desk.park(replace(big, id="a b"))
    (line,) = (line for line in logs if line["event"] == "approval.parked")
    assert line["log_level"] == "warning"
    assert line["hint"].startswith("otonom-trader approve 'a b' --source test")


async def test_it_waits_no_longer_than_its_decision_lives(desk: Desk, big: Decision) -> None:
    until = NOON + timedelta(seconds=30)
    assert (await desk.park(replace(big, expires_at=until))).expires_at == until


async def test_what_breaks_another_limit_as_well_is_denied(desk: Desk, big: Decision) -> None:
    desk.gate.shut = TradingHalted("fat finger")
    row = await desk.take(big)
    assert isinstance(row, TradeExecutionLog)
    assert (row.outcome, row.broker_code) == (Outcome.DENIED, "kill_switch")
    assert desk.approvals.count == 0


async def test_an_order_placed_directly_is_denied_as_the_guide_says(
    desk: Desk, big: Decision
) -> None:
    result = await desk.broker.place_order(OrderRequest("BTCUSDT", "BUY", "0.12"))
    message = "RISK REJECTED: Order notional $6000 requires confirmation above $5000"
    assert result.message == message
    row = await desk.executor.execute_decision(None, big)
    assert (row.outcome, row.broker_message) == (Outcome.DENIED, message)
    assert desk.approvals.count == 0


async def test_no_more_wait_than_somebody_would_look_at(
    journal: Journal, clock: StandingClock, big: Decision
) -> None:
    desk = await open_desk(journal, clock, most=3)
    taken = [await desk.take(replace(big, id=str(number))) for number in range(4)]
    assert [type(one) for one in taken] == [Parked, Parked, Parked, TradeExecutionLog]
    (row,) = await journal.executions()
    assert row["broker_message"] == (
        "RISK REJECTED: Order notional $6000 requires confirmation above $5000, and 3 orders wait "
        "for one already"
    )
    await desk.deny("0")
    assert isinstance(await desk.take(replace(big, id="later")), Parked)


async def test_many_at_once_are_bounded_too(
    journal: Journal, clock: StandingClock, big: Decision
) -> None:
    desk = await open_desk(journal, clock, most=3)
    many = (replace(big, id=str(number)) for number in range(10))
    await asyncio.gather(*(desk.take(decision) for decision in many))
    assert desk.approvals.count == len(await journal.waiting()) == 3


# Approved


async def test_an_approved_order_is_filled_once_and_who_approved_it_is_on_record(
    desk: Desk, big: Decision
) -> None:
    await desk.park(big)
    desk.advance(60)
    row = await desk.approve()
    assert (row["outcome"], row["broker_qty"], row["paper_qty"]) == ("filled", "0.12", "0.12")
    assert desk.held() == Decimal("1.12")
    (asked,) = await desk.journal.approvals()
    assert (asked["ruling"], asked["ruled_by"]) == ("approved", "alice")
    at = (NOON + timedelta(seconds=60)).isoformat(timespec="microseconds")
    assert asked["ruled_at"] == at
    assert await desk.journal.counts() == {"filled": 1}


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.SHADOW])
async def test_every_mode_that_sends_waits(
    journal: Journal, clock: StandingClock, big: Decision, mode: Mode
) -> None:
    desk = await open_desk(journal, clock, mode)
    await desk.park(big)
    assert (await desk.approve())["outcome"] == "filled"


async def test_its_decision_grows_no_older_while_it_waits(desk: Desk, big: Decision) -> None:
    await desk.park(big)
    desk.advance(899)  # more than max_decision_age_seconds
    assert (await desk.approve())["outcome"] == "filled"


async def test_it_is_bought_at_the_price_of_now_in_the_quantity_that_was_seen(
    desk: Desk, big: Decision
) -> None:
    sized = replace(big, qty=None, notional=Decimal(6000))
    assert (await desk.park(sized)).qty == Decimal("0.12")
    desk.venue.set_price("BTC-USDT", 50400)
    row = await desk.approve()
    assert (row["qty"], row["requested_qty"]) == ("0.12", "0.12")
    assert row["broker_fill_price"] == row["paper_fill_price"] == "50400"


@pytest.mark.parametrize("price", [50600, 49400])
async def test_what_is_worth_more_than_a_percent_more_or_less_is_asked_about_again(
    desk: Desk, big: Decision, price: int
) -> None:
    before = await desk.park(big)
    desk.venue.set_price("BTC-USDT", price)
    desk.advance(10)
    worth = price * 12 // 100
    with pytest.raises(
        NotPermitted, match=rf"'d1' waits again: its notional was \$6000 and is \${worth}"
    ):
        await desk.approve()
    assert desk.held() == 1
    (again,) = desk.waiting.parked
    assert again.notional == worth
    assert (again.parked_at, again.expires_at) == (before.parked_at, before.expires_at)
    assert await desk.journal.waiting() == [again]
    assert (await desk.approve())["outcome"] == "filled"
    rulings = [row["ruling"] for row in await desk.journal.approvals()]
    assert rulings == ["approved", "approved"]


async def test_what_has_come_below_the_limit_needs_no_second_word(
    desk: Desk, big: Decision
) -> None:
    await desk.park(big)
    desk.venue.set_price("BTC-USDT", 41000)
    assert (await desk.approve())["outcome"] == "filled"


async def test_limits_are_judged_anew_and_deny_what_a_person_has_approved(
    desk: Desk, big: Decision
) -> None:
    await desk.park(big)
    desk.broker.guardrails = replace(LIMITS, max_total_positions=0)
    row = await desk.approve()
    assert (row["outcome"], row["broker_code"]) == ("denied", "max_total_positions")
    assert row["broker_message"].startswith("RISK REJECTED: Total positions")
    assert desk.held() == 1
    assert desk.approvals.count == 0
    with pytest.raises(NotPermitted, match="was approved by alice at 2026-07-01T12:00:00Z"):
        await desk.approve()


async def test_an_exit_whose_holding_has_shrunk_is_denied_rather_than_sold_in_another_size(
    desk: Desk, big: Decision
) -> None:
    await desk.park(replace(big, direction=Direction.SELL, qty=Decimal("0.5")))
    await desk.venue.place_order(OrderRequest("BTCUSDT", "SELL", "0.7"))
    await desk.broker.refresh()
    row = await desk.approve()
    assert (row["outcome"], row["broker_code"]) == ("denied", "qty_changed")
    assert "Quantity has become 0.3 BTC, approved were 0.5" in row["broker_message"]


async def test_two_approvals_at_once_send_one_order(desk: Desk, big: Decision) -> None:
    await desk.park(big)
    answers = await asyncio.gather(*(desk.approve() for _ in range(5)), return_exceptions=True)
    filled = [one for one in answers if isinstance(one, dict)]
    refused = [str(one) for one in answers if isinstance(one, NotPermitted)]
    assert ([row["outcome"] for row in filled], len(refused)) == (["filled"], 4)
    assert set(refused) == {"decision 'd1' was approved by alice at 2026-07-01T12:00:00Z"}
    assert desk.held() == Decimal("1.12")


async def test_of_yes_and_no_at_once_one_holds(desk: Desk, big: Decision) -> None:
    await desk.park(big)
    answers = await asyncio.gather(desk.approve(), desk.deny(), return_exceptions=True)
    assert sum(isinstance(answer, NotPermitted) for answer in answers) == 1
    (row,) = await desk.journal.executions()
    assert desk.held() == (Decimal("1.12") if row["outcome"] == "filled" else 1)


async def test_an_order_that_the_venue_has_already_is_adopted_not_sent_again(
    desk: Desk, big: Decision
) -> None:
    # Restored from a backup, the journal has forgotten that it was approved and sent.
    await desk.park(big)
    id_ = client_order_id(await desk.venue.get_account_key(), big.key)
    await desk.venue.place_order(OrderRequest("BTCUSDT", "BUY", "0.12", client_order_id=id_))
    desk.executor._preparation._ask_before = NOON
    assert (await desk.approve())["outcome"] == "filled"
    assert desk.held() == Decimal("1.12")


# Not now


@pytest.mark.parametrize(
    ("shut", "said"),
    [
        (TradingHalted("fat finger"), "Kill switch is active: fat finger"),
        (PaperOnly("paper only"), "paper only"),
        (NotReady("the daemon is RECONCILING"), "the daemon is RECONCILING"),
    ],
)
async def test_while_nothing_is_traded_it_waits_on_and_can_be_denied(
    desk: Desk, big: Decision, shut: TradingHalted, said: str
) -> None:
    await desk.park(big)
    desk.gate.shut = shut
    with pytest.raises(NotPermitted, match=f"'d1' is not approved and still waits: {said}"):
        await desk.approve()
    assert desk.approvals.count == 1
    assert await desk.journal.counts() == {"waiting": 1}
    desk.gate.shut = None
    assert (await desk.approve())["outcome"] == "filled"


async def test_while_the_venue_cannot_be_read_it_waits_on(
    desk: Desk, big: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.park(big)

    async def no_market(symbol: str) -> MarketSnapshot:
        raise NotSent("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(desk.venue, "get_market", no_market)
        with pytest.raises(VenueUnreachable, match="still waits: the venue cannot be asked: conn"):
            await desk.approve()
    assert (await desk.approve())["outcome"] == "filled"


# Denied, expired


async def test_a_denied_order_is_never_sent_and_says_who_and_why(desk: Desk, big: Decision) -> None:
    await desk.park(big)
    with capture_logs() as logs:
        row = await desk.deny()
    assert (row["outcome"], row["broker_code"]) == ("denied", "require_confirmation_above")
    assert row["broker_message"] == (
        "RISK REJECTED: Order notional $6000 requires confirmation above $5000, and alice denied "
        "it: too big"
    )
    assert row["paper_status"] is None
    assert [line["event"] for line in logs] == ["approval.denied", "decision.denied"]
    assert (logs[0]["by"], logs[0]["reason"]) == ("alice", "too big")
    with pytest.raises(NotPermitted, match="'d1' was denied by alice at 2026-07-01T12:00:00Z"):
        await desk.approve()


async def test_without_a_reason_nothing_is_denied(desk: Desk, big: Decision) -> None:
    await desk.park(big)
    with pytest.raises(NotPermitted, match="a reason is needed"):
        await desk.deny(reason=" ")
    assert desk.approvals.count == 1


async def test_it_expires_when_nobody_comes(desk: Desk, big: Decision) -> None:
    await desk.park(big)
    desk.advance(899)
    await desk.approvals.expire()
    assert desk.approvals.count == 1
    desk.advance(1)
    with capture_logs() as logs:
        await desk.approvals.expire()
    assert [line["event"] for line in logs] == ["approval.expired", "decision.expired"]
    (row,) = await desk.journal.executions()
    assert (row["outcome"], row["broker_code"]) == ("expired", "approval_expired")
    assert row["broker_message"] == (
        "Order notional $6000 requires confirmation above $5000, and nobody approved it by "
        "2026-07-01T12:15:00Z"
    )
    for refused in (desk.approve(), desk.deny()):
        with pytest.raises(NotPermitted, match="'d1' has expired: nobody approved it by 2026-07-"):
            await refused


async def test_an_approval_that_comes_too_late_is_refused_before_the_end_is_written(
    desk: Desk, big: Decision
) -> None:
    await desk.park(big)
    desk.advance(900)
    with pytest.raises(NotPermitted, match="has expired"):
        await desk.approve()
    assert desk.held() == 1
    assert await desk.journal.counts() == {"expired": 1}


async def test_an_end_that_cannot_be_written_is_told_once_and_written_when_it_can_be(
    desk: Desk, big: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.park(big)
    desk.advance(900)

    async def full(entry: Entry) -> None:
        raise JournalError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(desk.journal, "record", full)
        for _ in range(3):
            await desk.approvals.expire()
    assert [str(fault) for fault in desk.faults] == ["the disk is full"]
    await desk.approvals.expire()
    assert await desk.journal.counts() == {"expired": 1}


# Which one


async def test_an_id_of_two_sources_is_asked_back(desk: Desk, big: Decision) -> None:
    await desk.park(big)
    await desk.park(replace(big, source="other"))
    with pytest.raises(NotPermitted, match=r"2 decisions 'd1' wait .* --source test or --source o"):
        await desk.approve()
    assert (await desk.approve(source="other"))["source"] == "other"
    assert (await desk.deny())["source"] == "test"


async def test_an_id_that_does_not_wait_is_said_not_to(desk: Desk, big: Decision) -> None:
    await desk.take(replace(big, qty=Decimal("0.01")))
    for id_ in ("d1", "nobody"):
        with pytest.raises(NotPermitted, match=f"no decision '{id_}' waits for approval"):
            await desk.approve(id_)


async def test_they_are_listed_and_on_request_those_that_wait_no_more(
    desk: Desk, big: Decision
) -> None:
    await desk.park(big)
    await desk.park(replace(big, id="d2", reason="momentum"))
    await desk.deny("d1")
    (row,) = (await desk.approvals.approvals({}))["rows"]
    assert (row["decision_id"], row["notional"]) == ("d2", "6000")
    assert row["decision"]["reason"] == "momentum"
    rows = (await desk.approvals.approvals({"all": True}))["rows"]
    assert [one["ruling"] for one in rows] == ["denied", None]


# Restarted


async def test_a_restart_finds_them_waiting_and_their_time_goes_on(
    tmp_path: Path, clock: StandingClock, big: Decision
) -> None:
    path = tmp_path / "restarted.db"
    async with Journal(path, clock=clock) as journal:
        desk = await open_desk(journal, clock)
        await desk.park(big)
        await desk.park(replace(big, id="d2", expires_at=NOON + timedelta(seconds=50)))
        parked = desk.waiting.parked
    clock.advance(100)
    async with Journal(path, clock=clock) as journal:
        desk = await open_desk(journal, clock)
        assert desk.waiting.parked == parked[:1]
        assert await journal.counts() == {"expired": 1, "waiting": 1}
        assert (await desk.approve())["outcome"] == "filled"
        assert await journal.check() == []
