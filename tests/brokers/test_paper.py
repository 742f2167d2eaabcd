"""The paper leg: fills on the snapshot that was judged, in an account that is never overdrawn."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.paper import PaperBroker, SimulatedAccount, charge, open_account
from otonom_trader.domain.account import AccountKey, Balance
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.compare import outcome_of
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.execution import Outcome, PaperStatus
from otonom_trader.domain.intent import Intent, Reservation
from otonom_trader.domain.ledger import Ledger
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
from otonom_trader.storage.journal import Journal

D = Decimal
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
BTC = Symbol("BTC", "USDT")
MARKET = MarketSnapshot(
    BTC,
    Book(
        bids=(Level(D(99), D(1)), Level(D(98), D(1))),
        asks=(Level(D(101), D(1)), Level(D(103), D(1))),
    ),
    NOON,
    0,
)


def broker(fee_pct: str = "0", **amounts: str) -> PaperBroker:
    ledger = Ledger({asset: D(text) for asset, text in amounts.items()})
    return PaperBroker(SimulatedAccount("paper", ledger), D(fee_pct))


def order(side: str, qty: str, price: int | None = None, tif: str | None = None) -> OrderRequest:
    kind = "MARKET" if price is None else "LIMIT"
    return OrderRequest("BTCUSDT", side, qty, price, kind, tif)


def test_a_market_buy_pays_the_asks_and_its_fee_from_the_base_received() -> None:
    paper = broker("0.1", USDT="1000")
    fill, change = paper.simulate(order("BUY", "2"), MARKET)
    assert (fill.status, fill.fee_asset) == (PaperStatus.FILLED, "BTC")
    assert fill.qty == 2
    assert fill.quote_qty == 204  # 101 and 103
    assert fill.avg_price == 102
    assert fill.fee == D("0.002")
    assert change is not None
    assert change.ledger == "paper"
    assert change.after.amounts == {"USDT": D(796), "BTC": D("1.998")}


def test_a_market_sell_pays_its_fee_from_the_quote_received() -> None:
    fill, change = broker("0.1", BTC="2").simulate(order("SELL", "1.5"), MARKET)
    assert fill.quote_qty == 148  # 99, and half of 98
    assert (fill.fee, fill.fee_asset) == (D("0.148"), "USDT")
    assert change is not None
    assert change.after.amounts == {"BTC": D("0.5"), "USDT": D("147.852")}


def test_nothing_is_booked_until_the_change_is_written() -> None:
    paper = broker(USDT="1000")
    _, change = paper.simulate(order("BUY", "1"), MARKET)
    assert change is not None
    assert paper.account.ledger == Ledger({"USDT": D(1000)})
    paper.account.book(change)
    assert paper.account.ledger.amount("BTC") == 1


@pytest.mark.parametrize(
    ("request_", "status", "qty"),
    [
        (order("BUY", "1", 101), PaperStatus.FILLED, "1"),
        (order("BUY", "2", 101), PaperStatus.RESTING, "1"),
        (order("BUY", "2", 101, "IOC"), PaperStatus.PARTLY_FILLED, "1"),
        (order("BUY", "2", 101, "FOK"), PaperStatus.UNFILLED, "0"),
        (order("BUY", "2", 103, "FOK"), PaperStatus.FILLED, "2"),
        (order("BUY", "1", 100), PaperStatus.RESTING, "0"),
        (order("BUY", "1", 100, "IOC"), PaperStatus.UNFILLED, "0"),
        (order("BUY", "1", 100, "FOK"), PaperStatus.UNFILLED, "0"),
        (order("SELL", "1", 100), PaperStatus.RESTING, "0"),
        (order("SELL", "3"), PaperStatus.PARTLY_FILLED, "2"),
    ],
)
def test_what_becomes_of_an_order_follows_from_its_limit_and_time_in_force(
    request_: OrderRequest, status: PaperStatus, qty: str
) -> None:
    fill, change = broker(USDT="1000", BTC="10").simulate(request_, MARKET)
    assert (fill.status, fill.qty) == (status, D(qty))
    assert (change is None) is (fill.qty == 0)


@pytest.mark.parametrize(
    ("kind", "terms"),
    [
        ("LIMIT_MAKER", {"price": 100}),
        ("STOP_LOSS", {"stop_price": 200}),
        ("TAKE_PROFIT_LIMIT", {"price": 200, "stop_price": 50}),
    ],
)
def test_what_does_not_take_at_once_rests(kind: str, terms: dict[str, Any]) -> None:
    request = OrderRequest("BTCUSDT", "BUY", 1, order_type=kind, **terms)
    fill, change = broker(USDT="1000").simulate(request, MARKET)
    assert (fill.status, fill.qty, change) == (PaperStatus.RESTING, D(0), None)


def test_a_maker_order_that_would_take_is_refused_as_the_venue_does() -> None:
    request = OrderRequest("BTCUSDT", "BUY", 1, 101, "LIMIT_MAKER")
    fill, change = broker(USDT="1000").simulate(request, MARKET)
    assert (fill.status, change) == (PaperStatus.UNFILLED, None)


def test_an_order_that_will_rest_must_be_payable_whole() -> None:
    for paper, request in ((broker(USDT="300"), order("BUY", "4", 100)),
                           (broker(USDT="300"), order("BUY", "3", 101)),
                           (broker(BTC="0.9"), order("SELL", "1", 105))):  # fmt: skip
        fill, change = paper.simulate(request, MARKET)
        assert (fill.status, change) == (PaperStatus.INSUFFICIENT_BALANCE, None)


def test_what_is_set_aside_for_one_order_pays_for_no_other() -> None:
    paper = broker(USDT="300")
    paper.account.lock("one", "USDT", D(200))
    fill, _ = paper.simulate(order("BUY", "1"), MARKET)
    assert fill.status is PaperStatus.INSUFFICIENT_BALANCE
    assert paper.get_account_balance()["USDT"] == Balance("USDT", D(100), D(200))
    paper.account.unlock("one")
    fill, _ = paper.simulate(order("BUY", "1"), MARKET)
    assert fill.status is PaperStatus.FILLED


def test_an_account_that_cannot_pay_fills_nothing() -> None:
    for paper, request_ in ((broker(USDT="203.99"), order("BUY", "2")),
                            (broker(BTC="0.9"), order("SELL", "1"))):  # fmt: skip
        fill, change = paper.simulate(request_, MARKET)
        assert fill.status is PaperStatus.INSUFFICIENT_BALANCE
        assert fill.qty == 0
        assert fill.avg_price is None
        assert change is None
    exactly, _ = broker(USDT="204").simulate(order("BUY", "2"), MARKET)
    assert exactly.status is PaperStatus.FILLED


def test_an_empty_book_fills_nothing() -> None:
    empty = MarketSnapshot(BTC, Book((), ()), NOON, 0)
    fill, change = broker(USDT="1000").simulate(order("BUY", "1"), empty)
    assert (fill.status, change) == (PaperStatus.UNFILLED, None)


def test_results_are_told_by_symbol() -> None:
    paper = broker(USDT="1000")
    for request_ in (order("BUY", "2"), order("SELL", "1")):
        _, change = paper.simulate(request_, MARKET)
        assert change is not None
        paper.account.book(change)
    # 2 bought at 102, 1 sold at 99; the other is worth 110.
    assert paper.realised() == {"BTC-USDT": D(-3)}
    assert paper.unrealised({BTC: D(110), Symbol("ETH", "USDT"): D(1)}) == {"BTC-USDT": D(8)}
    assert paper.get_account_balance() == {
        "USDT": Balance("USDT", D(895)),
        "BTC": Balance("BTC", D(1)),
    }
    assert [row["asset"] for row in paper.get_positions()] == ["BTC", "USDT"]


steps = st.lists(
    st.tuples(
        st.sampled_from(["BUY", "SELL"]),
        st.decimals("0.01", "3", places=2).map(str),
        st.none() | st.integers(95, 105),
        st.sampled_from(["GTC", "IOC", "FOK"]),
    ),
    max_size=15,
)


@given(steps, st.decimals("0", "1", places=2))
def test_no_balance_ever_turns_negative_and_value_is_lost_to_fees_alone(
    orders: list[tuple[str, str, int | None, str]], fee_pct: Decimal
) -> None:
    paper = broker(str(fee_pct), USDT="300", BTC="1")
    spent = bought = D(0)
    base_fees = quote_fees = D(0)
    for side, qty, price, tif in orders:
        request_ = order(side, qty, price, None if price is None else tif)
        fill, change = paper.simulate(request_, MARKET)
        if change is None:
            assert fill.qty == 0
            continue
        paper.account.book(change)
        sign = request_.side.sign
        spent, bought = spent + sign * fill.quote_qty, bought + sign * fill.qty
        if request_.side is Side.BUY:
            base_fees += fill.fee
        else:
            quote_fees += fill.fee
    ledger = paper.account.ledger
    assert min(ledger.amounts.values()) >= 0
    assert ledger.amount("BTC") == 1 + bought - base_fees
    assert ledger.amount("USDT") == 300 - spent - quote_fees


# Shadow's account.


def expected(qty: str, quote: str, fee: str = "0") -> OrderResult:
    fill = Fill("e1", D(quote) / D(qty), D(qty), D(quote), D(fee), "BTC", NOON)
    return OrderResult(
        OrderState.ACCEPTED,
        status=OrderStatus.FILLED,
        filled_qty=D(qty),
        quote_qty=D(quote),
        fills=(fill,),
    )


INTENT = Intent(
    client_order_id="otn-1",
    account=AccountKey("shadow", "host", "7"),
    decision=DecisionKey("patron", "42"),
    order=order("BUY", "2"),
    symbol=BTC,
    reservation=Reservation(BTC, Side.BUY, D(2), D(103)),
    paper=None,
    requested_qty=D(2),
    recorded_at=NOON,
)


def test_an_expected_fill_is_charged_with_the_fees_of_its_fills() -> None:
    account = SimulatedAccount("shadow", Ledger({"USDT": D(1000)}))
    result, change = charge(account, INTENT, expected("2", "204", fee="0.002"))
    assert result.filled_qty == 2
    assert change is not None
    assert change.after.amounts == {"USDT": D(796), "BTC": D("1.998")}


def test_an_expected_fill_that_cannot_be_paid_is_taken_back() -> None:
    account = SimulatedAccount("shadow", Ledger({"USDT": D(203)}))
    result, change = charge(account, INTENT, expected("2", "204"))
    assert change is None
    assert result.filled_qty == 0
    assert result.fills == ()
    assert result.code == "insufficient_balance"
    assert outcome_of(result) is Outcome.UNFILLED


def test_without_a_fill_nothing_is_charged() -> None:
    account = SimulatedAccount("shadow", Ledger())
    rejected = OrderResult(OrderState.REJECTED)
    assert charge(account, INTENT, rejected) == (rejected, None)


# Its place in the journal.


async def test_an_account_is_opened_once_and_found_again_as_it_was_left(tmp_path: Path) -> None:
    async with Journal(tmp_path / "journal.db", clock=SystemClock()) as journal:
        first = await open_account(journal, "paper:shadow:host:7", {"USDT": D(1000)})
        assert first.ledger == Ledger({"USDT": D(1000)})
        again = await open_account(journal, "paper:shadow:host:7", {"USDT": D(5)})
        assert again.ledger == first.ledger
        other = await open_account(journal, "paper:live:host:7", {"USDT": D(5)})
        assert other.ledger == Ledger({"USDT": D(5)})
