"""Orders that rest on simulated accounts: by price and time, and never beyond what is there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from otonom_trader.brokers.account_book import AccountBook
from otonom_trader.brokers.paper import SimulatedAccount
from otonom_trader.brokers.resting import RestingOrders
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.execution import PaperStatus, SimulatedFill
from otonom_trader.domain.ledger import Ledger
from otonom_trader.domain.market import Book, Level, MarketSnapshot
from otonom_trader.domain.order import OrderRequest
from otonom_trader.domain.resting import Leg, RestingOrder
from otonom_trader.domain.symbol import Symbol

D = Decimal
BTC = Symbol("BTC", "USDT")
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


class Noon(SystemClock):
    def now(self) -> datetime:
        return NOON


class Desk:
    """One simulated account that orders are judged on, and what rests there."""

    def __init__(self, **amounts: int) -> None:
        ledger = Ledger({asset: D(amount) for asset, amount in amounts.items()})
        self.account = SimulatedAccount("paper", ledger)
        self.book = AccountBook("USDT", self.account)
        self.told: list[str] = []
        self.resting = RestingOrders(
            self.book, None, Noon(), lambda id_, _fill: self.told.append(id_)
        )

    def rest(self, id_: str, side: str, qty: int, price: int) -> RestingOrder:
        order = RestingOrder(
            decision=DecisionKey("patron", id_),
            leg=Leg.PAPER,
            ledger="paper",
            symbol=BTC,
            order=OrderRequest("BTCUSDT", side, qty, price, "LIMIT"),
            fee_pct=D(0),
            so_far=SimulatedFill(PaperStatus.RESTING),
            decides=True,
        )
        self.resting.hold(order, self.account)
        return order

    async def meet(self, bid: int, ask: int, qty: int = 1) -> dict[str, PaperStatus]:
        book = Book((Level(D(bid), D(qty)),), (Level(D(ask), D(qty)),))
        moved = await self.resting.meet(MarketSnapshot(BTC, book, NOON, 0))
        return {each.order.decision.id: each.order.so_far.status for each in moved}


async def test_the_better_price_is_served_first_then_the_older_order() -> None:
    desk = Desk(USDT=1000)
    for id_, price in (("low", 99), ("first", 100), ("second", 100)):
        desk.rest(id_, "BUY", 1, price)
    assert await desk.meet(90, 98, qty=2) == {
        "first": PaperStatus.FILLED,
        "second": PaperStatus.FILLED,
    }
    assert desk.account.ledger.amounts == {"USDT": D(800), "BTC": D(2)}


async def test_what_one_order_took_is_not_there_for_the_next_nor_the_next_time() -> None:
    desk = Desk(USDT=1000)
    desk.rest("1", "BUY", 3, 100)
    assert await desk.meet(90, 99) == {"1": PaperStatus.RESTING}
    assert await desk.meet(90, 99) == {}
    assert await desk.meet(90, 99, qty=3) == {"1": PaperStatus.FILLED}
    assert len(desk.told) == 2


async def test_what_an_order_may_still_take_is_locked_and_counts_as_pending() -> None:
    desk = Desk(USDT=1000)
    desk.rest("1", "BUY", 3, 100)
    assert desk.account.free("USDT") == 700
    assert desk.book.exposure(0, D(60)).pending_buys == {"BTC": D(3)}
    await desk.meet(90, 99)
    assert desk.account.free("USDT") == 700
    assert desk.book.exposure(0, D(60)).pending_buys == {"BTC": D(2)}
    await desk.resting.cancel_all()
    assert desk.account.free("USDT") == 900
    assert desk.book.exposure(0, D(60)).pending_buys == {}
    assert desk.resting.symbols == frozenset()


async def test_an_account_that_cannot_pay_any_more_ends_the_order() -> None:
    desk = Desk(USDT=1000)
    desk.rest("1", "BUY", 3, 100)
    desk.account.ledger = Ledger({"USDT": D(50)})
    assert await desk.meet(90, 99, qty=3) == {"1": PaperStatus.INSUFFICIENT_BALANCE}
    assert desk.account.ledger.amounts == {"USDT": D(50)}


async def test_an_order_whose_time_is_over_is_cancelled_before_it_meets_the_market() -> None:
    desk = Desk(USDT=1000)
    order = desk.rest("1", "BUY", 3, 100)
    desk.resting.hold(replace(order, expires_at=NOON - timedelta(seconds=1)), desk.account)
    assert await desk.meet(90, 99) == {"1": PaperStatus.CANCELLED}


async def test_another_symbol_is_left_alone() -> None:
    desk = Desk(USDT=1000)
    desk.rest("1", "BUY", 3, 100)
    eth = MarketSnapshot(
        Symbol("ETH", "USDT"), Book((Level(D(1), D(9)),), (Level(D(2), D(9)),)), NOON, 0
    )
    assert await desk.resting.meet(eth) == []
