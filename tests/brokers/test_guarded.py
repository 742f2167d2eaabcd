"""The guard: what must hold before an order leaves, and what is kept of what came of it."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otonom_trader.brokers.dummy import DummyBroker
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.off import OffVenue
from otonom_trader.brokers.paper import PaperBroker, SimulatedAccount
from otonom_trader.brokers.plan import Plan
from otonom_trader.domain.account import AccountKey, AccountSnapshot
from otonom_trader.domain.activity import EarlierActivity, EquityMarks
from otonom_trader.domain.decision import Decision, DecisionKey, Direction
from otonom_trader.domain.errors import (
    JournalError,
    NotReady,
    NotSent,
    OutcomeUnknown,
    PaperOnly,
    Rejected,
    TradingHalted,
    VenueError,
)
from otonom_trader.domain.execution import Outcome, PaperStatus, Stage, TradeExecutionLog
from otonom_trader.domain.intent import (
    Claim,
    Entry,
    Intent,
    LedgerChange,
    OpenIntent,
    Reservation,
)
from otonom_trader.domain.ledger import Ledger
from otonom_trader.domain.market import Instrument, MarketSnapshot
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import (
    Fill,
    OrderRequest,
    OrderResult,
    OrderState,
    OrderStatus,
    OrderType,
    Side,
)
from otonom_trader.domain.resting import RestingOrder
from otonom_trader.domain.symbol import Symbol
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import GUARDRAILS
from otonom_trader.storage.journal import Journal

D = Decimal
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
PRICES = {"BTC-USDT": 50000, "ETH-USDT": 2000, "SOL-USDT": 100}
BUY = OrderRequest("BTCUSDT", "BUY", "0.1")
"""$5000 of an account of $100000: within the guide's limits."""

GUIDE = RiskGuardrails()
UNLIMITED = RiskGuardrails(
    max_notional_per_order=None,
    max_open_risk_pct=None,
    max_total_positions=None,
    max_position_size_pct=None,
    require_confirmation_above=None,
)


@dataclass
class StandingClock:
    """Moves only when it is told to."""

    elapsed_ns: int = 0

    def now(self) -> datetime:
        return NOON + timedelta(microseconds=self.elapsed_ns // 1000)

    def monotonic_ns(self) -> int:
        return self.elapsed_ns

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.elapsed_ns += int(seconds * 1e9)


async def let_others_run(turns: int = 30) -> None:
    """Give every other task that many turns; with 30 it comes to where it waits for the venue."""
    for _ in range(turns):
        await asyncio.sleep(0)  # noqa: TID251  takes no time


@dataclass
class Notebook:
    """An `IntentLog` that keeps all it is given, and fails where it is told to.

    Like a real one it lets other tasks run before it answers.
    """

    calls: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    rows: list[TradeExecutionLog] = field(default_factory=list)
    failing: str = ""

    async def record(self, entry: Entry) -> None:
        await self._write("record")
        self.entries.append(entry)

    async def settle(
        self,
        intent: Intent,
        result: OrderResult,
        execution: TradeExecutionLog,
        shadow: LedgerChange | None = None,
        rests: RestingOrder | None = None,
    ) -> None:
        await self._write("settle")
        self.rows.append(execution)

    async def move_resting(
        self, moved: RestingOrder, change: LedgerChange | None
    ) -> TradeExecutionLog | None:
        await self._write("move_resting")
        return None

    async def earlier_activity(self, account: AccountKey) -> EarlierActivity:
        return EarlierActivity()

    async def record_equity_marks(self, account: AccountKey, marks: EquityMarks) -> None:
        await self._write("record_equity_marks")

    async def losses_in_a_row(self, account: AccountKey) -> int:
        return 0

    async def _write(self, name: str) -> None:
        await asyncio.sleep(0)  # noqa: TID251  takes no time
        self.calls.append(name)
        if self.failing == name:
            raise JournalError(f"the journal could not be written ({name})")


class Exchange(DummyBroker):
    """A venue that notes what reaches it and, where `answer` is given, answers with that."""

    def __init__(
        self,
        mode: Mode = Mode.LIVE,
        *,
        clock: StandingClock,
        balances: dict[str, str] | None = None,
        calls: list[str] | None = None,
    ) -> None:
        super().__init__(
            mode=mode, prices=PRICES, balances=balances or {"USDT": "100000"}, clock=clock
        )
        self.time = clock
        self.sent: list[OrderRequest] = []
        self.calls = calls if calls is not None else []
        self.answer: OrderResult | VenueError | None = None
        self.unreadable: set[str] = set()
        self.account_reads = 0

    async def place_order(self, req: OrderRequest) -> OrderResult:
        self.calls.append("send")
        self.sent.append(req)
        self.time.advance(0.001)  # no two fills fall on one instant
        if isinstance(self.answer, VenueError):
            raise self.answer
        if self.answer is not None:
            return replace(self.answer, client_order_id=req.client_order_id)
        return await super().place_order(req)

    async def get_instrument(self, symbol: str) -> Instrument:
        self._read("instrument")
        return await super().get_instrument(symbol)

    async def get_market(self, symbol: str) -> MarketSnapshot:
        self._read("market")
        return await super().get_market(symbol)

    async def get_marks(self, symbols: Iterable[Symbol]) -> dict[Symbol, Decimal]:
        self._read("marks")
        return await super().get_marks(symbols)

    async def get_account(self) -> AccountSnapshot:
        self._read("account")
        self.account_reads += 1
        return await super().get_account()

    async def get_account_key(self) -> AccountKey:
        self._read("account_key")
        return await super().get_account_key()

    def held(self, asset: str) -> Decimal:
        return self._amounts.get(asset, D(0))

    def _read(self, what: str) -> None:
        if what in self.unreadable:
            raise NotSent(f"the {what} cannot be read")


@dataclass
class Gate:
    """A kill gate that is open until it is given a reason not to be."""

    shut: TradingHalted | None = None

    def check(self) -> None:
        if self.shut is not None:
            raise self.shut


@dataclass
class Desk:
    """A guarded venue with all that stands around it."""

    venue: Exchange
    broker: GuardedBroker
    log: Notebook
    gate: Gate
    clock: StandingClock

    @property
    def paper(self) -> PaperBroker:
        assert self.broker.paper is not None
        return self.broker.paper

    def reserved(self, base: str = "BTC") -> Decimal:
        return self.broker.exposure().pending_buys.get(base, D(0))


def open_desk(
    mode: Mode = Mode.LIVE,
    limits: RiskGuardrails = GUIDE,
    *,
    balances: dict[str, str] | None = None,
    paper: dict[str, str] | None = None,
    shadow: dict[str, str] | None = None,
) -> Desk:
    """Put a desk together; `paper` and `shadow` are what those accounts open with."""
    clock, log, gate = StandingClock(), Notebook(), Gate()
    venue = Exchange(mode, clock=clock, balances=balances, calls=log.calls)
    paper = {"USDT": "100000"} if paper is None else paper
    broker = GuardedBroker(
        OffVenue(venue, "dummy", clock) if mode is Mode.OFF else venue,
        limits,
        intents=log,
        gate=gate,
        clock=clock,
        paper=PaperBroker(account_of("paper", paper), D(0)),
        shadow=None if shadow is None else account_of("shadow", shadow),
    )
    return Desk(venue, broker, log, gate, clock)


def account_of(name: str, amounts: dict[str, str]) -> SimulatedAccount:
    return SimulatedAccount(name, Ledger({asset: D(text) for asset, text in amounts.items()}))


def limit_order(price: int, qty: str = "0.1") -> OrderRequest:
    return OrderRequest("BTCUSDT", "BUY", qty, price, "LIMIT")


def partly_filled(qty: str, of: str, status: OrderStatus) -> OrderResult:
    fill = Fill(
        "t1", D(50000), D(qty), D(50000) * D(qty), D(0), "USDT", NOON + timedelta(seconds=1)
    )
    return OrderResult(
        OrderState.ACCEPTED,
        symbol="BTCUSDT",
        side=Side.BUY,
        order_id="28",
        status=status,
        qty=D(of),
        filled_qty=fill.qty,
        quote_qty=fill.quote_qty,
        fills=(fill,),
    )


def unknown() -> OrderResult:
    return OrderResult(
        OrderState.UNKNOWN, symbol="BTCUSDT", message="OUTCOME UNKNOWN, do not resend: timeout"
    )


# Before anything leaves.


async def test_an_order_within_the_limits_is_recorded_then_sent_then_booked() -> None:
    desk = open_desk()
    result = await desk.broker.place_order(BUY)
    assert result.ok
    assert result.filled_qty == D("0.1")
    assert desk.log.calls == ["record", "send", "settle"]
    (entry,) = desk.log.entries
    assert entry.intent is not None
    assert entry.execution is None
    assert entry.intent.order == desk.venue.sent[0]
    assert [verdict.code for verdict in entry.verdicts] == list(GUARDRAILS)
    assert entry.equity == 100000


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.SHADOW, Mode.OFF])
async def test_what_cannot_be_recorded_is_not_sent_nor_filled_on_paper(mode: Mode) -> None:
    desk = open_desk(mode)
    desk.log.failing = "record"
    result = await desk.broker.place_order(BUY)
    assert result.state is OrderState.NOT_SENT
    assert result.message == "Not sent: the journal could not be written (record)"
    assert desk.venue.sent == []
    assert desk.reserved() == 0
    assert desk.paper.account.ledger == Ledger({"USDT": D(100000)})


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.SHADOW])
async def test_a_denied_order_is_recorded_with_all_verdicts_and_moves_nothing(mode: Mode) -> None:
    desk = open_desk(mode)
    result = await desk.broker.place_order(replace(BUY, qty=D("0.3")))
    assert (result.state, result.code) == (OrderState.REJECTED, "max_notional_per_order")
    assert not result.ok
    assert result.message == "RISK REJECTED: Order notional $15000 exceeds max $10000"
    assert len(result.verdicts) == len(GUARDRAILS)
    assert desk.log.calls == ["record"]
    (entry,) = desk.log.entries
    assert entry.intent is None
    assert entry.execution is not None
    assert entry.execution.outcome is Outcome.DENIED
    assert entry.execution.broker_message == result.message
    assert desk.paper.account.ledger == Ledger({"USDT": D(100000)})
    assert desk.reserved() == 0


@pytest.mark.parametrize("mode", Mode)
async def test_behind_a_shut_kill_gate_no_leg_fills(mode: Mode) -> None:
    desk = open_desk(mode)
    desk.gate.shut = TradingHalted("tripped by hand")
    result = await desk.broker.place_order(BUY)
    assert (result.state, result.code) == (OrderState.REJECTED, "kill_switch")
    assert result.message == "RISK REJECTED: Kill switch is active: tripped by hand"
    assert desk.log.calls == ["record"]
    assert desk.paper.account.ledger == Ledger({"USDT": D(100000)})


@pytest.mark.parametrize("mode", Mode)
async def test_with_the_kill_switch_on_in_the_file_no_leg_fills(mode: Mode) -> None:
    desk = open_desk(mode, replace(GUIDE, kill_switch=True))
    result = await desk.broker.place_order(BUY)
    assert result.code == "kill_switch"
    assert desk.venue.sent == []
    assert desk.paper.account.ledger == Ledger({"USDT": D(100000)})


async def test_the_gate_is_asked_again_for_every_order() -> None:
    desk = open_desk()
    assert (await desk.broker.place_order(BUY)).ok
    desk.gate.shut = TradingHalted("drawdown")
    assert not (await desk.broker.place_order(BUY)).ok
    desk.gate.shut = None
    assert not (await desk.broker.place_order(replace(BUY, qty=D(1)))).ok
    assert (await desk.broker.place_order(replace(BUY, qty=D("0.01")))).ok
    assert len(desk.venue.sent) == 2


async def test_where_only_paper_may_go_on_it_does() -> None:
    desk = open_desk()
    desk.gate.shut = PaperOnly("the venue is unhealthy")
    result = await desk.broker.place_order(BUY)
    assert (result.state, result.code) == (OrderState.NOT_SENT, "paper_only")
    assert result.message == "Not sent: the venue is unhealthy"
    assert desk.venue.sent == []
    assert desk.paper.account.ledger.amount("BTC") == D("0.1")
    (entry,) = desk.log.entries
    assert entry.execution is not None
    assert entry.execution.outcome is Outcome.FILLED
    assert entry.execution.broker_code == "paper_only"
    assert entry.execution.broker_message == "Not sent: the venue is unhealthy"
    assert entry.paper is not None


async def test_where_only_paper_may_go_on_a_denied_order_still_fills_nothing() -> None:
    desk = open_desk()
    desk.gate.shut = PaperOnly("the venue is unhealthy")
    result = await desk.broker.place_order(replace(BUY, qty=D("0.3")))
    assert result.code == "max_notional_per_order"
    assert desk.paper.account.ledger.amount("BTC") == 0


async def test_before_the_daemon_is_ready_an_order_leaves_no_trace() -> None:
    desk = open_desk()
    desk.gate.shut = NotReady("reconciling")
    result = await desk.broker.place_order(BUY)
    assert (result.state, result.message) == (OrderState.NOT_SENT, "Not sent: reconciling")
    assert desk.log.calls == []
    assert desk.paper.account.ledger.amount("BTC") == 0


@pytest.mark.parametrize("opens", [True, False])
async def test_an_order_that_the_gate_holds_back_may_leave_while_its_price_is_fresh(
    monkeypatch: pytest.MonkeyPatch, *, opens: bool
) -> None:
    desk = open_desk()
    desk.venue.answer = OrderResult(OrderState.NOT_SENT, code="not_ready", message="reconciling")

    async def sleep(seconds: float) -> None:
        desk.venue.time.advance(seconds)
        if opens:
            desk.venue.answer = None

    monkeypatch.setattr(desk.venue.time, "sleep", sleep)
    result = await desk.broker.place_order(BUY)
    assert result.ok is opens
    assert desk.venue.time.elapsed_ns < float(GUIDE.max_price_age_seconds) * 1e9


async def test_live_without_a_journal_sends_nothing_and_says_what_to_do() -> None:
    venue = Exchange(clock=StandingClock())
    result = await GuardedBroker(venue, GUIDE).place_order(BUY)
    assert result.state is OrderState.NOT_SENT
    assert "intents=" in result.message
    assert "otonom-trader run" in result.message
    assert venue.sent == []


async def test_shadow_works_without_a_journal() -> None:
    clock = StandingClock()
    broker = GuardedBroker(Exchange(Mode.SHADOW, clock=clock), GUIDE, clock=clock)
    assert (await broker.place_order(BUY)).ok


async def test_the_claim_is_on_record_before_the_order_leaves() -> None:
    desk = open_desk()
    plan = await plan_of(desk, "0.1")
    await desk.broker.carry_out(plan, None, lambda: desk.log.calls.append("recorded"))
    assert desk.log.calls == ["record", "recorded", "send", "settle"]


# Modes.


async def test_in_off_a_denied_order_fills_on_paper_all_the_same() -> None:
    desk = open_desk(Mode.OFF)
    result = await desk.broker.place_order(replace(BUY, qty=D("0.3")))
    assert (result.state, result.code) == (OrderState.REJECTED, "max_notional_per_order")
    assert desk.paper.account.ledger.amount("BTC") == D("0.3")
    (entry,) = desk.log.entries
    assert entry.execution is not None
    assert entry.execution.outcome is Outcome.FILLED
    assert entry.execution.broker_code == "max_notional_per_order"


async def test_in_off_nothing_is_sent_and_the_answer_says_so() -> None:
    desk = open_desk(Mode.OFF)
    result = await desk.broker.place_order(BUY)
    assert result.state is OrderState.NOT_SENT
    assert result.message == "Not sent: the mode is off, no broker is used"
    assert desk.venue.sent == []
    assert desk.paper.account.ledger.amount("BTC") == D("0.1")


async def test_in_off_the_paper_account_is_the_one_that_is_judged() -> None:
    desk = open_desk(Mode.OFF, paper={"USDT": "20000"})
    result = await desk.broker.place_order(BUY)
    assert result.message == "RISK REJECTED: Position size 25.0% exceeds max 10.0%"


async def test_shadow_orders_are_judged_on_the_shadow_account_and_charged_to_it() -> None:
    desk = open_desk(Mode.SHADOW, shadow={"USDT": "60000"})
    assert (await desk.broker.place_order(BUY)).ok
    exposure = desk.broker.exposure()
    assert exposure.equity == 60000
    assert exposure.holdings == {"BTC": D("0.1")}
    second = await desk.broker.place_order(BUY)
    assert second.message == "RISK REJECTED: Position size 16.7% exceeds max 10.0%"


async def test_a_shadow_account_that_cannot_pay_fills_nothing_and_says_so() -> None:
    desk = open_desk(Mode.SHADOW, UNLIMITED, shadow={"USDT": "4000"})
    carried = await desk.broker.carry_out(await plan_of(desk, "0.1"))
    assert carried.result.filled_qty == 0
    assert carried.result.code == "insufficient_balance"
    assert carried.execution.outcome is Outcome.UNFILLED
    assert carried.execution.broker_qty == 0
    assert carried.execution.slippage_estimate.is_nan()
    assert carried.execution.paper_status is PaperStatus.FILLED
    assert desk.broker.exposure().equity == 4000


async def test_a_paper_account_that_cannot_pay_leaves_the_broker_leg_alone() -> None:
    desk = open_desk(paper={"USDT": "4000"})
    carried = await desk.broker.carry_out(await plan_of(desk, "0.1"))
    assert carried.execution.paper_status is PaperStatus.INSUFFICIENT_BALANCE
    assert carried.execution.paper_fill_price.is_nan()
    assert carried.execution.outcome is Outcome.FILLED
    assert carried.result.filled_qty == D("0.1")
    assert desk.paper.account.ledger == Ledger({"USDT": D(4000)})


async def test_a_venues_rejection_leaves_the_paper_leg_filled() -> None:
    desk = open_desk()
    desk.venue.answer = OrderResult(OrderState.REJECTED, message="no", code="venue")
    result = await desk.broker.place_order(BUY)
    assert result.state is OrderState.REJECTED
    assert desk.paper.account.ledger.amount("BTC") == D("0.1")
    assert desk.log.rows[0].outcome is Outcome.REJECTED
    assert desk.reserved() == 0


async def test_both_legs_are_priced_on_one_snapshot() -> None:
    desk = open_desk()
    plan = await plan_of(desk, "0.1")
    desk.venue.set_price("BTC-USDT", 50500)  # the market moves on before the order arrives
    row = (await desk.broker.carry_out(plan)).execution
    assert row.paper_fill_price == 50000
    assert row.broker_fill_price == 50500
    assert row.slippage_estimate == 1


# What the caller says.


@pytest.mark.parametrize(
    ("price", "equity", "sentence"),
    [
        (120000, None, "RISK REJECTED: Order notional $12000 exceeds max $10000"),
        (None, 40000, "RISK REJECTED: Position size 12.5% exceeds max 10.0%"),
    ],
)
async def test_in_live_a_callers_worse_figures_tighten(
    price: int | None, equity: int | None, sentence: str
) -> None:
    desk = open_desk()
    result = await desk.broker.place_order(BUY, current_price=price, current_equity=equity)
    assert result.message == sentence
    assert desk.venue.sent == []


async def test_in_live_a_callers_better_figures_loosen_nothing() -> None:
    desk = open_desk()
    over = replace(BUY, qty=D("0.3"))  # $15000, 15 %
    result = await desk.broker.place_order(over, current_price=1, current_equity=10**9)
    denied = {verdict.code for verdict in result.verdicts if not verdict.allowed}
    assert denied == {"max_notional_per_order", "max_position_size_pct"}
    assert result.message == "RISK REJECTED: Order notional $15000 exceeds max $10000"


async def test_in_live_a_callers_equity_does_not_replace_one_that_cannot_be_read() -> None:
    desk = open_desk()
    desk.venue.unreadable.add("account")
    result = await desk.broker.place_order(BUY, current_equity=100000)
    assert result.message == "RISK REJECTED: Account balances are not known"


async def test_in_live_a_callers_price_does_not_replace_a_market_that_cannot_be_read() -> None:
    desk = open_desk()
    desk.venue.unreadable.add("market")
    result = await desk.broker.place_order(BUY, current_price=50000)
    assert result.message == "Not sent: the market cannot be read"
    assert desk.log.calls == []


async def test_a_callers_price_never_reaches_the_wire() -> None:
    desk = open_desk()
    await desk.broker.place_order(BUY, current_price=50001)
    await desk.broker.place_order(replace(BUY, qty=D("0.01"), price=D(50002)))
    assert [order.limit_price for order in desk.venue.sent] == [None, None]
    assert [order.order_type for order in desk.venue.sent] == [OrderType.MARKET, OrderType.MARKET]


async def test_in_shadow_a_callers_figures_stand_in_only_where_none_are_read() -> None:
    desk = open_desk(Mode.SHADOW)
    result = await desk.broker.place_order(BUY, current_price=1, current_equity=10)
    assert result.ok  # both were read: 50000 and 100000

    blind = open_desk(Mode.SHADOW)
    blind.venue.unreadable |= {"market", "account"}
    denied = await blind.broker.place_order(BUY, current_price=50000, current_equity=40000)
    assert denied.message == "RISK REJECTED: Position size 12.5% exceeds max 10.0%"
    assert (await blind.broker.place_order(BUY, 50000, 100000)).ok


async def test_the_guides_example_works_on_a_dummy_that_knows_no_price() -> None:
    broker = GuardedBroker(underlying_broker=DummyBroker(), guardrails=GUIDE)
    result = await broker.place_order(
        OrderRequest(symbol="BTCUSDT", side="BUY", qty=0.001),
        current_price=50000,
        current_equity=100000,
    )
    assert result.ok
    assert result.avg_price == 50000


async def test_the_price_of_a_market_order_stands_for_the_current_one() -> None:
    broker = GuardedBroker(underlying_broker=DummyBroker(), guardrails=GUIDE)
    assert (await broker.place_order(replace(BUY, price=D(50000)))).avg_price == 50000
    limited = await broker.place_order(limit_order(50000))  # a limit is no market
    assert limited.message.startswith("Not sent: the dummy broker knows no price for BTC-USDT")


async def test_without_any_price_there_is_no_order() -> None:
    broker = GuardedBroker(underlying_broker=DummyBroker(), guardrails=GUIDE)
    result = await broker.place_order(BUY)
    assert result.message.startswith("Not sent: the dummy broker knows no price for BTC-USDT")


@pytest.mark.parametrize("name", ["current_price", "current_equity"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), "x"])
async def test_a_wrong_argument_is_refused_by_its_name(name: str, value: float | str) -> None:
    desk = open_desk()
    with pytest.raises(ValueError, match=f"^{name} must be"):
        await desk.broker.place_order(BUY, **{name: value})
    assert desk.log.calls == []


# Failures are answers.


@pytest.mark.parametrize("what", ["instrument", "market", "account_key"])
async def test_a_venue_that_cannot_be_read_is_an_answer_not_an_exception(what: str) -> None:
    desk = open_desk()
    desk.venue.unreadable.add(what)
    result = await desk.broker.place_order(BUY)
    assert result.state is OrderState.NOT_SENT
    assert result.message == f"Not sent: the {what} cannot be read"
    assert (desk.venue.sent, desk.log.calls) == ([], [])


async def test_a_symbol_the_venue_does_not_list_is_an_answer_not_an_exception() -> None:
    desk = open_desk()
    result = await desk.broker.place_order(OrderRequest("???", "BUY", 1))
    assert result.state is OrderState.NOT_SENT
    assert "not a pair" in result.message


@pytest.mark.parametrize("what", ["marks", "account"])
async def test_an_account_that_cannot_be_read_denies(what: str) -> None:
    desk = open_desk()
    desk.venue.unreadable.add(what)
    result = await desk.broker.place_order(BUY)
    assert result.message == "RISK REJECTED: Account balances are not known"
    assert desk.venue.sent == []


@pytest.mark.parametrize("failure", [OutcomeUnknown("timeout"), NotSent("reset"), Rejected("no")])
async def test_once_recorded_a_failure_of_the_venue_is_unknown_never_not_sent(
    failure: VenueError,
) -> None:
    desk = open_desk()
    desk.venue.answer = failure
    result = await desk.broker.place_order(BUY)
    assert result.state is OrderState.UNKNOWN
    assert result.message == f"OUTCOME UNKNOWN, do not resend: {failure}"
    assert result.client_order_id == desk.venue.sent[0].client_order_id
    assert desk.reserved() == D("0.1")


async def test_an_answer_that_cannot_be_recorded_is_unknown_and_stays_reserved() -> None:
    desk = open_desk()
    desk.log.failing = "settle"
    result = await desk.broker.place_order(BUY)
    assert desk.log.calls == ["record", "send", "settle"]
    assert result.state is OrderState.UNKNOWN
    assert result.message == (
        "OUTCOME UNKNOWN, do not resend: the journal could not be written (settle)"
    )
    assert desk.reserved() == D("0.1")
    # And it is asked for, until the journal takes what the venue says.
    (order,) = desk.broker.outcomes.open_orders
    assert order.row.outcome is Outcome.UNKNOWN
    assert order.in_doubt
    desk.log.failing = ""
    await desk.broker.outcomes.settle(order.intent, partly_filled("0.1", "0.1", OrderStatus.FILLED))
    assert not desk.broker.outcomes.open_orders
    assert desk.reserved() == 0


# What is not settled counts at its worst.


async def test_an_unknown_order_stays_reserved_until_it_is_settled() -> None:
    desk = open_desk()
    desk.venue.answer = unknown()
    result = await desk.broker.place_order(replace(BUY, qty=D("0.2")))
    assert result.state is OrderState.UNKNOWN
    assert desk.reserved() == D("0.2")
    (order,) = desk.broker.outcomes.open_orders
    assert (order.row.outcome, order.row.terminal) == (Outcome.UNKNOWN, False)

    desk.venue.answer = None
    second = await desk.broker.place_order(BUY)
    assert second.message == "RISK REJECTED: Position size 15.0% exceeds max 10.0%"

    # It turns out to have filled: what was reserved is held from the same moment.
    filled = partly_filled("0.2", "0.2", OrderStatus.FILLED)
    await desk.broker.outcomes.settle(order.intent, filled)
    assert desk.reserved() == 0
    assert desk.broker.exposure().holdings == {"BTC": D("0.2")}
    assert desk.broker.outcomes.open_orders == ()
    third = await desk.broker.place_order(BUY)
    assert third.message == "RISK REJECTED: Position size 15.0% exceeds max 10.0%"


async def test_an_order_that_never_was_there_is_released() -> None:
    desk = open_desk()
    desk.venue.answer = unknown()
    await desk.broker.place_order(replace(BUY, qty=D("0.2")))
    (order,) = desk.broker.outcomes.open_orders
    absent = OrderResult(OrderState.NOT_SENT, code="absent", message="never there")
    carried = await desk.broker.outcomes.settle(order.intent, absent)
    assert carried.execution.outcome is Outcome.ABSENT
    assert desk.reserved() == 0
    assert desk.broker.outcomes.open_orders == ()
    desk.venue.answer = None
    assert (await desk.broker.place_order(BUY)).ok


async def test_an_unanswered_validation_in_shadow_reserves_nothing() -> None:
    desk = open_desk(Mode.SHADOW)
    desk.venue.answer = unknown()
    carried = await desk.broker.carry_out(await plan_of(desk, "0.1"))
    assert (carried.execution.outcome, carried.execution.terminal) == (Outcome.UNKNOWN, True)
    assert desk.reserved() == 0
    assert desk.broker.outcomes.open_orders == ()


async def test_of_a_partly_filled_order_the_rest_stays_reserved() -> None:
    desk = open_desk()
    desk.venue.answer = partly_filled("0.04", "0.1", OrderStatus.PARTIALLY_FILLED)
    await desk.broker.place_order(limit_order(50000))
    assert desk.reserved() == D("0.06")
    assert desk.broker.exposure().holdings == {"BTC": D("0.04")}
    (order,) = desk.broker.outcomes.open_orders
    assert order.row.outcome is Outcome.RESTING

    # The same fill told again moves nothing; the remainder's cancellation releases it.
    again = partly_filled("0.04", "0.1", OrderStatus.CANCELED)
    carried = await desk.broker.outcomes.settle(order.intent, again)
    assert carried.execution.outcome is Outcome.PARTLY_FILLED
    assert desk.reserved() == 0
    assert desk.broker.exposure().holdings == {"BTC": D("0.04")}


async def test_a_resting_order_is_reserved_whole() -> None:
    desk = open_desk()
    result = await desk.broker.place_order(limit_order(49000))
    assert result.status is OrderStatus.NEW
    assert desk.reserved() == D("0.1")
    assert len(desk.broker.outcomes.open_orders) == 1


async def test_an_immediate_order_that_filled_in_part_reserves_nothing() -> None:
    desk = open_desk()
    desk.venue.answer = partly_filled("0.04", "0.1", OrderStatus.EXPIRED)
    result = await desk.broker.place_order(
        OrderRequest("BTCUSDT", "BUY", "0.1", 50000, "LIMIT", "IOC")
    )
    assert result.filled_qty == D("0.04")
    assert desk.log.rows[0].outcome is Outcome.PARTLY_FILLED
    assert desk.reserved() == 0


async def test_a_market_order_is_reserved_at_twice_the_collar_and_the_fee() -> None:
    desk = open_desk()
    desk.venue.answer = unknown()
    await desk.broker.place_order(BUY)
    # 0.1 BTC at 50000, 2 % above, with a fee of 0.1 %.
    assert desk.broker.exposure().pending_buy_value == D("0.1") * 50000 * D("1.02") * D("1.001")


async def test_an_order_of_an_earlier_run_counts_until_it_is_settled() -> None:
    earlier = await unsettled_order()
    desk = open_desk()
    desk.broker.account.trade(await desk.venue.get_instrument("BTCUSDT"))
    carried = await desk.broker.outcomes.take_up(earlier)
    assert carried is not None
    assert carried.result.state is OrderState.UNKNOWN
    assert carried.result.message.startswith("OUTCOME UNKNOWN, do not resend:")
    assert desk.reserved() == D("0.2")
    assert (desk.venue.sent, desk.log.calls) == ([], ["settle"])

    # One whose outcome is on record already is taken up with that, and counts for what is left.
    resumed = open_desk()
    known = replace(earlier, execution=carried.execution, filled_qty=D("0.05"))
    assert await resumed.broker.outcomes.take_up(known) is None
    assert resumed.reserved() == D("0.15")
    assert resumed.broker.outcomes.open_orders[0].row == carried.execution
    assert resumed.log.calls == []


async def unsettled_order() -> OpenIntent:
    """An order whose process died before its answer was written."""
    desk = open_desk()
    desk.log.failing = "settle"
    await desk.broker.place_order(replace(BUY, qty=D("0.2")))
    intent = desk.log.entries[0].intent
    assert intent is not None
    return OpenIntent(intent, None, None, D(0), D(0), None)


async def test_an_order_the_venue_has_already_is_recorded_and_not_sent_again() -> None:
    desk = open_desk()
    plan = await plan_of(desk, "0.1")
    carried = await desk.broker.adopt_found(plan, partly_filled("0.1", "0.1", OrderStatus.FILLED))
    assert carried.execution.outcome is Outcome.FILLED
    assert carried.execution.paper_status is None
    assert desk.log.calls == ["record", "settle"]
    assert desk.venue.sent == []
    assert desk.reserved() == 0


async def plan_of(desk: Desk, qty: str) -> Plan:
    """A market decision to buy BTC, as the executor hands it over."""
    key = DecisionKey("patron", "42")
    decision = Decision("42", "BTC-USDT", Direction.BUY, qty=D(qty), source=key.source)
    return Plan(
        claim=Claim(decision, desk.clock.now()),
        order=OrderRequest("BTCUSDT", "BUY", qty, client_order_id="otn-42"),
        instrument=await desk.venue.get_instrument("BTCUSDT"),
        market=await desk.venue.get_market("BTCUSDT"),
        requested_qty=D(qty),
        started_ns=desk.clock.monotonic_ns(),
    )


# How long it took.


async def test_the_row_tells_how_long_each_stage_took() -> None:
    desk = open_desk()
    desk.clock.advance(10)  # so that no stage is right by starting at zero
    plan = await plan_of(desk, "0.1")
    desk.clock.advance(0.25)
    row = (await desk.broker.carry_out(plan)).execution
    assert row.stages_ns[Stage.QUEUE] == 0
    assert row.stages_ns[Stage.JUDGE] == 0
    assert row.stages_ns[Stage.INTENT] == 0
    for stage in (Stage.DECISION_TO_ACK, Stage.FIRST_FILL, Stage.DONE):
        assert row.stages_ns[stage] == 251_000_000  # a millisecond of it at the venue


async def test_the_first_fill_and_the_end_of_a_resting_order_are_told_when_they_come() -> None:
    desk = open_desk()
    desk.clock.advance(10)
    await desk.broker.place_order(limit_order(49000))
    (order,) = desk.broker.outcomes.open_orders
    assert not {Stage.FIRST_FILL, Stage.DONE} & set(order.row.stages_ns)
    desk.clock.advance(1)
    part = partly_filled("0.04", "0.1", OrderStatus.PARTIALLY_FILLED)
    await desk.broker.outcomes.settle(order.intent, part)
    desk.clock.advance(1)
    rest = partly_filled("0.06", "0.1", OrderStatus.FILLED).fills[0]
    fills = (*part.fills, replace(rest, trade_id="t2"))
    whole = replace(partly_filled("0.1", "0.1", OrderStatus.FILLED), fills=fills)
    row = (await desk.broker.outcomes.settle(order.intent, whole)).execution
    assert row.stages_ns[Stage.FIRST_FILL] == 1_001_000_000
    assert row.stages_ns[Stage.DONE] == 2_001_000_000


# Freshness.


async def test_a_stale_account_is_read_again_before_judging() -> None:
    desk = open_desk()
    assert (await desk.broker.place_order(replace(BUY, qty=D("0.01")))).ok
    desk.clock.advance(61)
    assert (await desk.broker.place_order(replace(BUY, qty=D("0.01")))).ok

    desk.clock.advance(61)
    desk.venue.unreadable.add("account")
    result = await desk.broker.place_order(replace(BUY, qty=D("0.01")))
    assert result.code == "max_account_age_seconds"
    assert len(desk.venue.sent) == 2


async def test_what_is_fresh_is_not_read_again_for_every_order() -> None:
    desk = open_desk()
    for _ in range(3):
        assert (await desk.broker.place_order(replace(BUY, qty=D("0.01")))).ok
        desk.clock.advance(10)
    assert desk.venue.account_reads == 1


async def test_a_stale_mark_of_another_holding_is_read_again_before_judging() -> None:
    desk = open_desk(Mode.SHADOW, shadow={"USDT": "98000", "ETH": "1"})
    desk.broker.account.trade(await desk.venue.get_instrument("ETHUSDT"))
    small = replace(BUY, qty=D("0.01"))
    assert (await desk.broker.place_order(small)).ok
    desk.clock.advance(61)
    assert desk.broker.exposure().equity is None
    assert (await desk.broker.place_order(small)).ok


async def test_a_working_order_of_unknown_value_has_its_conversion_read() -> None:
    desk = open_desk()
    assert (await desk.broker.place_order(replace(BUY, qty=D("0.01")))).ok
    desk.venue.set_price("EURUSDT", "1.25")
    abroad = Reservation(Symbol("ETH", "EUR"), Side.BUY, D(1), D(2000))
    desk.broker.account.update_foreign({"ETHEUR:1": abroad})
    assert desk.broker.exposure().pending_buy_value is None
    assert (await desk.broker.place_order(replace(BUY, qty=D("0.01")))).ok
    assert desk.broker.exposure().pending_buy_value == 2500


async def test_the_venues_account_is_not_read_where_another_is_judged() -> None:
    for desk in (open_desk(Mode.OFF), open_desk(Mode.SHADOW, shadow={"USDT": "100000"})):
        desk.venue.unreadable.add("account")
        await desk.broker.refresh()
        assert (await desk.broker.place_order(BUY)).state is not OrderState.REJECTED


async def test_a_snapshot_that_grew_old_on_its_way_denies() -> None:
    desk = open_desk()
    plan = await plan_of(desk, "0.1")
    desk.clock.advance(6)
    result = (await desk.broker.carry_out(plan)).result
    assert result.message == "RISK REJECTED: Price is 6 s old, max 5 s"


async def test_a_conversion_is_used_only_while_it_is_fresh() -> None:
    desk = open_desk(limits=replace(GUIDE, max_position_size_pct=None))
    desk.venue.set_price("ETH-BTC", "0.04")
    eth = OrderRequest("ETHBTC", "SELL", "1")
    first = await desk.broker.place_order(eth)  # 0.04 BTC at 50000 are $2000
    assert not first.ok  # no ETH is held
    notional = desk.log.entries[0].verdicts[GUARDRAILS.index("max_notional_per_order")]
    assert notional.value_text == "2000"
    desk.clock.advance(61)
    desk.venue.unreadable.add("marks")
    second = await desk.broker.place_order(eth)
    assert "no_conversion" in {verdict.code for verdict in second.verdicts}
    assert not second.ok


# Together.


class SlowExchange(Exchange):
    """Executes orders when it is told to, and not in the order they came."""

    def __init__(self, clock: StandingClock, calls: list[str]) -> None:
        super().__init__(clock=clock, calls=calls, balances={"USDT": "99000", "BTC": "0.02"})
        self.waiting: list[asyncio.Event] = []

    async def place_order(self, req: OrderRequest) -> OrderResult:
        turn = asyncio.Event()
        self.waiting.append(turn)
        await turn.wait()
        return await super().place_order(req)

    def execute(self, number: int) -> None:
        if self.waiting:
            self.waiting.pop(number % len(self.waiting)).set()

    def size_pct(self, base: str) -> Decimal:
        return self.held(base) * PRICES[f"{base}-USDT"] / 100000 * 100


def slow_desk(limits: RiskGuardrails) -> tuple[Desk, SlowExchange]:
    clock, log, gate = StandingClock(), Notebook(), Gate()
    venue = SlowExchange(clock, log.calls)
    broker = GuardedBroker(venue, limits, intents=log, gate=gate, clock=clock)
    return Desk(venue, broker, log, gate, clock), venue


orders = st.builds(
    lambda symbol, part: OrderRequest(symbol, "BUY", part * 10 / PRICES[symbol]),
    st.sampled_from(sorted(PRICES)),
    st.integers(1, 60).map(Decimal),  # $10 to $600 at the price of the symbol
)


@dataclass(frozen=True)
class Execute:
    """One of the orders that wait at the venue is carried out."""

    number: int


@dataclass(frozen=True)
class Pause:
    """All tasks get that many turns."""

    turns: int


steps = orders | st.builds(Execute, st.integers(0, 9)) | st.builds(Pause, st.integers(1, 12))


@given(
    st.lists(steps, min_size=4, max_size=30),
    st.integers(1, 15),
    st.integers(1, 20),
    st.integers(1, 3),
)
@settings(max_examples=150, deadline=None)
def test_orders_cannot_pass_together_what_they_cannot_pass_one_after_another(
    script: Sequence[OrderRequest | Execute | Pause],
    position_tenths: int,
    risk_tenths: int,
    positions: int,
) -> None:
    """Orders arrive while others are on their way; the venue's own totals are the judge."""
    most_position, most_risk = D(position_tenths) / 10 + 1, D(risk_tenths) / 10 + 1  # 1 % is held
    limits = RiskGuardrails(
        max_position_size_pct=most_position,
        max_open_risk_pct=most_risk,
        max_total_positions=positions,
    )

    async def run() -> None:
        desk, venue = slow_desk(limits)
        desk.broker.account.trade(await venue.get_instrument("BTCUSDT"))

        def within_limits() -> None:
            sizes = [venue.size_pct(base) for base in ("BTC", "ETH", "SOL")]
            assert max(sizes) <= most_position
            assert sum(sizes) <= most_risk
            assert sum(size > 0 for size in sizes) <= positions

        async with asyncio.TaskGroup() as group:
            for step in script:
                if isinstance(step, OrderRequest):
                    group.create_task(desk.broker.place_order(step))
                elif isinstance(step, Execute):
                    venue.execute(step.number)
                else:
                    await let_others_run(step.turns)
                within_limits()
            for _ in script:  # each order waits at the venue once
                await let_others_run()
                venue.execute(0)
                within_limits()
        within_limits()
        assert desk.broker.exposure().pending_buys == {}
        assert desk.broker.outcomes.open_orders == ()

    asyncio.run(run())


@given(st.lists(st.integers(1, 60), min_size=2, max_size=10), st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_what_passes_all_at_once_is_what_passes_one_after_another(
    sizes: Sequence[int], limit_tenths: int
) -> None:
    limits = replace(UNLIMITED, max_position_size_pct=D(limit_tenths) / 10 + 1)
    requests = [OrderRequest("BTCUSDT", "BUY", D(size) / 5000) for size in sizes]

    async def together() -> list[bool]:
        desk, venue = slow_desk(limits)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(desk.broker.place_order(order)) for order in requests]
            await let_others_run()
            await let_others_run()
            while venue.waiting:
                venue.execute(0)
                await let_others_run()
        return [task.result().ok for task in tasks]

    async def in_turn() -> list[bool]:
        desk = open_desk(limits=limits, balances={"USDT": "99000", "BTC": "0.02"})
        return [(await desk.broker.place_order(order)).ok for order in requests]

    assert asyncio.run(together()) == asyncio.run(in_turn())


async def test_two_sells_together_are_not_both_exits() -> None:
    limits = replace(GUIDE, max_position_size_pct=D("0.5"))
    desk, venue = slow_desk(limits)
    sell = OrderRequest("BTCUSDT", "SELL", "0.015")  # of 0.02 held
    async with asyncio.TaskGroup() as group:
        first = group.create_task(desk.broker.place_order(sell))
        await let_others_run()
        second = group.create_task(desk.broker.place_order(sell))
        await let_others_run()
        assert len(venue.waiting) == 1
        venue.execute(0)
    assert first.result().ok
    assert second.result().code == "max_position_size_pct"


async def test_orders_placed_by_hand_at_the_same_instant_are_different_orders() -> None:
    desk, venue = slow_desk(GUIDE)
    small = replace(BUY, qty=D("0.01"))
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(desk.broker.place_order(small))
        await let_others_run()
        await let_others_run()
        assert desk.reserved() == D("0.03")
        while venue.waiting:
            venue.execute(0)
    assert len({order.client_order_id for order in venue.sent}) == 3
    assert venue.held("BTC") == D("0.05")


async def test_an_account_read_in_the_middle_of_an_order_counts_its_fill_once() -> None:
    desk = open_desk()
    await desk.broker.place_order(replace(BUY, qty=D("0.01")))
    desk.clock.advance(1)
    before = await desk.venue.get_account()  # read now, arriving after the next fill
    desk.clock.advance(1)
    await desk.broker.place_order(replace(BUY, qty=D("0.01")))
    desk.broker.account.update_account(before)
    assert desk.broker.exposure().holdings == {"BTC": D("0.02")}
    await desk.broker.refresh()
    assert desk.broker.exposure().holdings == {"BTC": D("0.02")}


# With the real journal.


async def test_in_shadow_the_journal_holds_what_was_judged_sent_and_expected(
    tmp_path: Path,
) -> None:
    clock = StandingClock()
    venue = Exchange(Mode.SHADOW, clock=clock)
    async with Journal(tmp_path / "journal.db", clock=clock) as journal:
        opening = Ledger({"USDT": D(100000)})
        for name in ("paper", "shadow"):
            await journal.open_ledger(name, opening)
        broker = GuardedBroker(
            venue,
            GUIDE,
            intents=journal,
            clock=clock,
            paper=PaperBroker(SimulatedAccount("paper", opening), D("0.1")),
            shadow=SimulatedAccount("shadow", opening),
        )
        await broker.place_order(replace(BUY, client_order_id="mine-1"))
        denied = await broker.place_order(replace(BUY, qty=D("0.3")))
        again = await broker.place_order(replace(BUY, client_order_id="mine-1"))
        rows = await journal.executions()
        paper, shadow = await journal.load_ledger("paper"), await journal.load_ledger("shadow")
    assert [row["outcome"] for row in rows] == ["filled", "denied"]
    assert rows[1]["broker_message"] == denied.message
    assert paper is not None
    assert paper.amount("BTC") == D("0.1") * D("0.999")  # the fee is taken from what is received
    assert shadow is not None
    assert shadow.amount("BTC") == D("0.1")
    assert again.state is OrderState.NOT_SENT  # an id is executed once
    assert len(venue.sent) == 1


async def test_an_order_whose_sender_is_cancelled_stays_in_sight_as_unknown() -> None:
    desk = open_desk()
    sent = asyncio.Event()

    async def never_answers(req: OrderRequest) -> OrderResult:
        sent.set()
        await asyncio.Event().wait()
        raise AssertionError

    desk.venue.place_order = never_answers  # type: ignore[method-assign]
    sender = asyncio.ensure_future(desk.broker.place_order(BUY))  # noqa: TID251  cancelled below
    await sent.wait()
    sender.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sender
    (order,) = desk.broker.outcomes.open_orders
    assert order.row.outcome is Outcome.UNKNOWN
    assert desk.reserved() == D("0.1")
