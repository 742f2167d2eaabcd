"""Whatever accounts do: assets are conserved, nobody owes, the book never crosses."""

from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import SCALE, quote_of
from otonom_trader.testnet.book import BookSide
from otonom_trader.testnet.engine import Engine
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.exchange_info import BUILT_IN
from otonom_trader.testnet.orders import (
    Event,
    Execution,
    NewOrder,
    Order,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
    Trade,
)

ACCOUNTS = ("ann", "ben", "cat")
# Prices and quantities off any round figure, so that rounding down has something to lose.
PRICES = st.integers(98, 102).map(lambda level: level * 7_777_777)
QUANTITIES = st.integers(1, 60).map(lambda lots: lots * 1_234_567)


class Floor(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(BUILT_IN)
        self.book = self.engine.books["BTCUSDT"]
        self.now_ms = 0
        self.orders: list[Order] = []
        for number, name in enumerate(ACCOUNTS):
            account = Account(name, number, 100_000, 75_000, 10_000)
            self.engine.open_account(account)
            self.engine.credit(account, "BTC", 5 * SCALE)
            self.engine.credit(account, "USDT", 40 * SCALE)

    @rule(
        name=st.sampled_from(ACCOUNTS),
        side=st.sampled_from(Side),
        kind=st.sampled_from(OrderType),
        tif=st.sampled_from(TimeInForce),
        prevention=st.sampled_from(SelfTradePrevention),
        qty=QUANTITIES,
        price=PRICES,
        by_quote=st.booleans(),
    )
    def place(
        self,
        name: str,
        side: Side,
        kind: OrderType,
        tif: TimeInForce,
        prevention: SelfTradePrevention,
        qty: int,
        price: int,
        *,
        by_quote: bool,
    ) -> None:
        self.now_ms += 1
        is_market = kind is OrderType.MARKET
        is_limit = kind is OrderType.LIMIT
        new = NewOrder(
            symbol="BTCUSDT",
            side=side,
            type=kind,
            client_id=f"c{self.now_ms}",
            qty=0 if is_market and by_quote else qty,
            price=0 if is_market else price,
            quote_qty=quote_of(price, qty) if is_market and by_quote else 0,
            time_in_force=tif if is_limit else TimeInForce.GTC,
            self_trade_prevention=prevention,
        )
        try:
            order, events = self.engine.place(self.engine.accounts[name], new, self.now_ms)
        except VenueError as refusal:
            assert refusal.code in (-2010, -1013)  # noqa: PT017
            return
        self.orders.append(order)
        self.check_events(order, events)

    @rule(which=st.integers(min_value=0))
    def cancel(self, which: int) -> None:
        working = [order for order in self.orders if order.is_open]
        if working:
            self.now_ms += 1
            order = working[which % len(working)]
            self.engine.cancel(order, f"x{self.now_ms}", self.now_ms)

    def check_events(self, taker: Order, events: list[Event]) -> None:
        """Each trade is at a price both sides accept, best price first."""
        prices = [event.price for event in events if isinstance(event, Trade)]
        assert prices == sorted(prices, reverse=taker.side is Side.SELL)
        if taker.price:
            worst = max(prices, default=0) if taker.side is Side.BUY else min(prices, default=0)
            assert not prices or (
                worst <= taker.price if taker.side is Side.BUY else worst >= taker.price
            )
        for event in events:
            if isinstance(event, Execution) and event.fill and event.fill.is_maker:
                assert event.fill.trade.price == event.order.price

    @invariant()
    def assets_are_conserved(self) -> None:
        for asset, credited in self.engine.credited.items():
            held = [account.balance(asset) for account in self.engine.accounts.values()]
            assert sum(balance.free + balance.locked for balance in held) == credited

    @invariant()
    def nobody_owes(self) -> None:
        for account in self.engine.accounts.values():
            for balance in account.balances.values():
                assert balance.free >= 0
                assert balance.locked >= 0

    @invariant()
    def what_is_locked_is_locked_by_working_orders(self) -> None:
        for name in ACCOUNTS:
            account = self.engine.accounts[name]
            for asset, side in (("BTC", Side.SELL), ("USDT", Side.BUY)):
                locked = sum(o.locked for o in account.working_orders() if o.side is side)
                assert account.balance(asset).locked == locked

    @invariant()
    def the_book_is_not_crossed(self) -> None:
        bid, ask = self.book.bids.best(), self.book.asks.best()
        assert bid is None or ask is None or bid.price < ask.price

    @invariant()
    def the_book_holds_the_working_orders_in_price_and_time(self) -> None:
        for side in (self.book.bids, self.book.asks):
            working = [o for o in self.orders if o.is_open and o.side is side.side]
            sign = -1 if side.side is Side.BUY else 1
            expected = sorted(working, key=lambda o: (sign * o.price, o.order_id))
            assert list(_in_order(side)) == expected
            assert [level.qty for level in side] == [
                sum(order.remaining for order in level.orders.values()) for level in side
            ]

    @invariant()
    def fills_add_up(self) -> None:
        for order in self.orders:
            assert sum(fill.trade.qty for fill in order.fills) == order.executed
            assert sum(fill.trade.quote for fill in order.fills) == order.cumulative_quote
            assert order.executed + order.prevented <= order.qty
            assert order.is_open or order.locked == 0


def _in_order(side: BookSide) -> Iterable[Order]:
    for level in side:
        yield from level.orders.values()


Floor.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestFloor = Floor.TestCase
