"""What the storage tests write down: one decision's entry and outcome, and a clock that is told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.decision import Decision, DecisionKey, Direction
from otonom_trader.domain.execution import (
    Outcome,
    PaperStatus,
    SimulatedFill,
    Stage,
    TradeExecutionLog,
)
from otonom_trader.domain.ids import client_order_id
from otonom_trader.domain.intent import (
    Claim,
    Entry,
    Intent,
    LedgerChange,
    Reservation,
    SourcePosition,
)
from otonom_trader.domain.ledger import Ledger, Payment
from otonom_trader.domain.market import Book, Level, MarketSnapshot
from otonom_trader.domain.order import (
    Fill,
    OrderRequest,
    OrderResult,
    OrderState,
    OrderStatus,
    Side,
)
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.verdict import Verdict
from otonom_trader.storage.journal import Journal

START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


class ToldClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def monotonic_ns(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Samples:
    """Entries and outcomes of decisions ``0``, ``1``, ... that each buy 0.001 BTC at 50001."""

    source = "patron"
    symbol = Symbol("BTC", "USDT")
    account = AccountKey("live", "127.0.0.1:8080", "7")
    opening = Ledger({"USDT": Decimal("100000.00"), "BTC": Decimal("0.5")})
    payment = Payment.of_fill(
        symbol, Side.BUY, Decimal("0.001"), Decimal("50.001"), Decimal("0.000001")
    )
    verdicts = (
        Verdict("kill_switch", allowed=True),
        Verdict("max_notional_per_order", allowed=True, limit="10000", value="50.001"),
    )

    clock = ToldClock

    def key(self, number: int = 0) -> DecisionKey:
        return DecisionKey(self.source, str(number))

    def decision(self, number: int = 0) -> Decision:
        return Decision(
            id=str(number),
            symbol="BTC-USDT",
            direction=Direction.BUY,
            strength=Decimal("0.8"),
            created_at=START,
            reason="momentum",
            source=self.source,
        )

    def claim(self, number: int = 0) -> Claim:
        return Claim(self.decision(number), START, SourcePosition(self.source, str(number)))

    def market(self) -> MarketSnapshot:
        book = Book(
            bids=tuple(Level(Decimal(50000 - i), Decimal("0.50")) for i in range(20)),
            asks=tuple(Level(Decimal(50001 + i), Decimal("0.50")) for i in range(20)),
        )
        return MarketSnapshot(self.symbol, book, START, 0)

    def intent(self, number: int = 0) -> Intent:
        id_ = client_order_id(self.account, self.key(number))
        return Intent(
            client_order_id=id_,
            account=self.account,
            decision=self.key(number),
            order=OrderRequest(
                "BTCUSDT", "BUY", "0.00100", "50501.01", "LIMIT", "IOC", client_order_id=id_
            ),
            symbol=self.symbol,
            reservation=Reservation(
                self.symbol, Side.BUY, Decimal("0.001"), Decimal("50551.51101")
            ),
            paper=SimulatedFill(
                PaperStatus.FILLED,
                Decimal("0.001"),
                Decimal("50.001"),
                Decimal("0.000001"),
                "BTC",
            ),
            requested_qty=Decimal("0.00103499999"),
            recorded_at=START,
            expires_at=START + timedelta(minutes=5),
        )

    def entry(self, number: int = 0) -> Entry:
        """With an intent, and no simulated account."""
        return Entry(
            claim=self.claim(number),
            verdicts=self.verdicts,
            market=self.market(),
            equity=Decimal("125000.5"),
            intent=self.intent(number),
        )

    def denied(self, number: int = 0) -> Entry:
        """Without an intent: denied by a guardrail."""
        verdict = Verdict("kill_switch", allowed=False, message="RISK REJECTED: kill switch is on")
        execution = TradeExecutionLog(
            decision_id=str(number),
            source=self.source,
            symbol="BTC-USDT",
            side=Side.BUY,
            qty=Decimal(0),
            outcome=Outcome.DENIED,
            broker_message=verdict.message,
            broker_code="kill_switch",
        )
        return Entry(self.claim(number), (verdict,), execution=execution)

    def change(self, before: Ledger, name: str = "paper") -> LedgerChange:
        return LedgerChange(name, self.payment, before.apply(self.payment))

    def fill(self, trade_id: str, qty: str = "0.001") -> Fill:
        price = Decimal("50001.00")
        return Fill(
            trade_id, price, Decimal(qty), price * Decimal(qty), Decimal("0.000001"), "BTC", START
        )

    def result(
        self,
        *trades: tuple[str, str],
        state: OrderState = OrderState.ACCEPTED,
        status: OrderStatus | None = OrderStatus.FILLED,
        number: int = 0,
    ) -> OrderResult:
        """What the venue says; `trades` are trade ids with their quantities."""
        fills = tuple(self.fill(trade_id, qty) for trade_id, qty in trades)
        return OrderResult(
            state=state,
            symbol="BTCUSDT",
            side=Side.BUY,
            order_id=str(1000 + number),
            client_order_id=self.intent(number).client_order_id,
            status=status,
            qty=Decimal("0.001"),
            price=Decimal("50501.01"),
            filled_qty=sum((fill.qty for fill in fills), Decimal(0)),
            quote_qty=sum((fill.quote_qty for fill in fills), Decimal(0)),
            fills=fills,
            transact_time=START,
            signed_at_ms=1772366400123,
            raw='{"orderId": 1000}',
        )

    def filled(self, number: int = 0) -> OrderResult:
        """Filled in one trade, which has an id of its own."""
        return self.result((f"t{number}", "0.001"), number=number)

    def execution(
        self,
        outcome: Outcome = Outcome.FILLED,
        *,
        terminal: bool = True,
        broker_qty: str = "0.001",
        number: int = 0,
    ) -> TradeExecutionLog:
        return TradeExecutionLog(
            decision_id=str(number),
            symbol="BTC-USDT",
            side=Side.BUY,
            qty=Decimal("0.00100"),
            outcome=outcome,
            source=self.source,
            mode="live",
            client_order_id=self.intent(number).client_order_id,
            paper_status=PaperStatus.FILLED,
            paper_qty=Decimal("0.001"),
            paper_fill_price=Decimal(50001),
            paper_fee=Decimal("0.000001"),
            paper_fee_asset="BTC",
            broker_ok=True,
            broker_order_id=str(1000 + number),
            broker_message="",
            broker_ack_time=START + timedelta(milliseconds=12),
            broker_qty=Decimal(broker_qty),
            broker_fill_price=Decimal("50001.00"),
            broker_fees={"BTC": Decimal("0.000001")},
            latency_ms=12.25,
            slippage_estimate=Decimal("-0.0125"),
            requested_qty=Decimal("0.00103499999"),
            stages_ns={Stage.JUDGE.value: 41000, Stage.SIGN_TO_ACK.value: 12250000},
            recorded_at=START + timedelta(milliseconds=13),
            terminal=terminal,
        )

    def unknown(self, number: int = 0) -> tuple[OrderResult, TradeExecutionLog]:
        """The answer never came."""
        result = self.result(state=OrderState.UNKNOWN, status=None, number=number)
        execution = self.execution(Outcome.UNKNOWN, terminal=False, broker_qty="0", number=number)
        return replace(result, order_id=None), replace(execution, broker_order_id=None)


@pytest.fixture(scope="session")
def samples() -> Samples:
    return Samples()


@pytest.fixture
def clock() -> ToldClock:
    return ToldClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def journal(path: Path, clock: ToldClock) -> AsyncIterator[Journal]:
    async with Journal(path, clock=clock) as opened:
        yield opened
