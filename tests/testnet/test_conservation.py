"""Whatever accounts do: assets are conserved, nobody owes, the book never crosses."""

from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import SCALE, quote_of
from otonom_trader.testnet.book import BookSide
from otonom_trader.testnet.built_in import BUILT_IN
from otonom_trader.testnet.engine import Engine
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.events import AccountPosition, Event, Execution, ListStatus
from otonom_trader.testnet.orders import (
    STOPS,
    ListOrderStatus,
    NewOrder,
    NewOrderList,
    Order,
    OrderList,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

ACCOUNTS = ("ann", "ben", "cat", "dan")
# The last two share a trade group.
GROUPS = {"cat": 7, "dan": 7}
# Prices and quantities off any round figure, so that rounding down has something to lose.
PRICES = st.integers(98, 102).map(lambda level: level * 7_777_777)
QUANTITIES = st.integers(1, 60).map(lambda lots: lots * 1_234_567)
PREVENTIONS = st.sampled_from(SelfTradePrevention)
NAMES = st.sampled_from(ACCOUNTS)
SIDES = st.sampled_from(Side)
WITHOUT_PRICE = (OrderType.MARKET, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT)
WITH_TIME_IN_FORCE = (OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT)


class Floor(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(BUILT_IN)
        self.book = self.engine.books["BTCUSDT"]
        self.now_ms = 0
        self.orders: list[Order] = []
        self.lists: list[OrderList] = []
        self.last_execution_id = 0
        for number, name in enumerate(ACCOUNTS):
            group = GROUPS.get(name, -1)
            account = Account(name, number, 100_000, 75_000, 10_000, trade_group_id=group)
            self.engine.open_account(account)
            self.engine.credit(account, "BTC", 5 * SCALE)
            self.engine.credit(account, "USDT", 40 * SCALE)

    def new(
        self,
        side: Side,
        kind: OrderType,
        tif: TimeInForce,
        prevention: SelfTradePrevention,
        qty: int,
        price: int,
        stop_price: int,
        trailing_delta: int,
        parts: int,
    ) -> NewOrder:
        self.now_ms += 1
        has_tif = kind in WITH_TIME_IN_FORCE
        tif = tif if has_tif else TimeInForce.GTC
        is_iceberg = kind not in WITHOUT_PRICE and tif is TimeInForce.GTC and parts > 1
        is_stop = kind in STOPS
        return NewOrder(
            symbol="BTCUSDT",
            side=side,
            type=kind,
            client_id=f"c{self.now_ms}",
            qty=qty,
            price=0 if kind in WITHOUT_PRICE else price,
            time_in_force=tif,
            self_trade_prevention=prevention,
            stop_price=stop_price if is_stop else 0,
            trailing_delta=(trailing_delta or (0 if stop_price else 60)) if is_stop else 0,
            iceberg_qty=max(1, qty // parts) if is_iceberg else 0,
        )

    @rule(
        name=NAMES,
        side=SIDES,
        kind=st.sampled_from(OrderType),
        tif=st.sampled_from(TimeInForce),
        prevention=PREVENTIONS,
        qty=QUANTITIES,
        price=PRICES,
        stop_price=st.one_of(st.just(0), PRICES),
        trailing_delta=st.sampled_from((0, 0, 60)),
        parts=st.integers(1, 4),
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
        stop_price: int,
        trailing_delta: int,
        parts: int,
        *,
        by_quote: bool,
    ) -> None:
        new = self.new(side, kind, tif, prevention, qty, price, stop_price, trailing_delta, parts)
        if kind is OrderType.MARKET and by_quote:
            new = NewOrder(
                symbol=new.symbol,
                side=side,
                type=kind,
                client_id=new.client_id,
                quote_qty=quote_of(price, qty),
                self_trade_prevention=prevention,
            )
        account = self.engine.accounts[name]
        try:
            order, events = self.engine.place(account, new, self.now_ms)
        except VenueError as refusal:
            assert refusal.code in (-2010, -1013)  # noqa: PT017
            return
        self.orders.append(order)
        self.check_events(events)

    @rule(
        name=NAMES,
        side=SIDES,
        prevention=PREVENTIONS,
        qty=QUANTITIES,
        prices=st.tuples(PRICES, PRICES, PRICES),
        stop_is_market=st.booleans(),
        other=st.sampled_from(
            (OrderType.LIMIT_MAKER, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)
        ),
        working=st.sampled_from((None, OrderType.LIMIT, OrderType.LIMIT_MAKER)),
        pending=st.sampled_from((None, *OrderType)),
        tif=st.sampled_from(TimeInForce),
        working_qty=QUANTITIES,
    )
    def place_list(
        self,
        name: str,
        side: Side,
        prevention: SelfTradePrevention,
        qty: int,
        prices: tuple[int, int, int],
        other: OrderType,
        working: OrderType | None,
        pending: OrderType | None,
        tif: TimeInForce,
        working_qty: int,
        *,
        stop_is_market: bool,
    ) -> None:
        first, second, third = prices
        gtc = TimeInForce.GTC
        stop = OrderType.STOP_LOSS if stop_is_market else OrderType.STOP_LOSS_LIMIT
        others: tuple[NewOrder, ...]
        if working is not None and pending is not None:
            others = (self.new(side, pending, tif, prevention, qty, first, second, 0, 1),)
        else:
            others = (
                self.new(side, stop, tif, prevention, qty, first, second, 0, 1),
                self.new(side, other, gtc, prevention, qty, third, third, 0, 2),
            )
        leading = None
        if working is not None:
            opposite = Side.SELL if side is Side.BUY else Side.BUY
            leading = self.new(opposite, working, tif, prevention, working_qty, first, 0, 0, 1)
        new = NewOrderList("BTCUSDT", f"l{self.now_ms}", leading, others)
        account = self.engine.accounts[name]
        try:
            order_list, events = self.engine.place_list(account, new, self.now_ms)
        except VenueError as refusal:
            assert refusal.code == -2010  # noqa: PT017
            return
        self.lists.append(order_list)
        self.orders.extend(order_list.orders)
        self.check_events(events)

    @rule(which=st.integers(min_value=0))
    def cancel(self, which: int) -> None:
        working = [order for order in self.orders if order.is_open]
        if working:
            self.now_ms += 1
            order = working[which % len(working)]
            self.check_events(self.engine.cancel(order, f"x{self.now_ms}", self.now_ms))
            assert order.status is OrderStatus.CANCELED

    @rule(which=st.integers(min_value=0), share=st.integers(1, 99))
    def amend(self, which: int, share: int) -> None:
        working = [order for order in self.orders if order.is_open and order.qty > 1]
        if working:
            self.now_ms += 1
            order = working[which % len(working)]
            qty = max(1, order.qty * share // 100)
            _, events = self.engine.amend(order, qty, f"a{self.now_ms}", self.now_ms)
            self.check_events(events)

    def check_events(self, events: list[Event]) -> None:
        """Each trade is at the maker's price, each execution numbered in turn, and what is told
        of balances at the end is what they are.
        """
        for event in events:
            if isinstance(event, Execution):
                assert event.execution_id > self.last_execution_id
                self.last_execution_id = event.execution_id
                if event.fill is not None:
                    price, order = event.fill.trade.price, event.order
                    if event.fill.is_maker:
                        assert price == order.price
                    elif order.price:
                        better = (
                            price <= order.price
                            if order.side is Side.BUY
                            else (price >= order.price)
                        )
                        assert better
            if isinstance(event, AccountPosition):
                for asset, free, locked in event.balances:
                    held = event.account.balance(asset)
                    assert (held.free, held.locked) == (free, locked)
        touched = {e.order.account.name for e in events if isinstance(e, Execution)}
        told = [e.account.name for e in events if isinstance(e, AccountPosition)]
        assert sorted(told) == sorted(touched)
        for order_list in self.lists:
            done = [
                event
                for event in events
                if isinstance(event, ListStatus)
                and event.list_id == order_list.list_id
                and event.order_status is ListOrderStatus.ALL_DONE
            ]
            assert len(done) <= 1

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
    def an_order_locks_what_it_needs_and_a_pair_the_larger_need(self) -> None:
        for order in self.orders:
            if not order.is_open:
                continue
            sibling = order.order_list.sibling(order) if order.order_list else None
            pair = [order] if sibling is None else [order, sibling]
            locked = sum(each.locked for each in pair)
            if order.status is OrderStatus.PENDING_NEW:
                assert locked == 0
            elif all(each.price or each.side is Side.SELL for each in pair):
                assert locked == max(_need(each) for each in pair if each.is_open)

    @invariant()
    def the_book_is_not_crossed(self) -> None:
        bid, ask = self.book.bids.best(), self.book.asks.best()
        assert bid is None or ask is None or bid.price < ask.price

    @invariant()
    def the_book_holds_the_resting_orders_in_price_and_time(self) -> None:
        for side in (self.book.bids, self.book.asks):
            resting = [o for o in self.orders if o.is_resting and o.side is side.side]
            sign = -1 if side.side is Side.BUY else 1
            held = list(_in_order(side))
            assert sorted(o.order_id for o in held) == sorted(o.order_id for o in resting)
            assert [sign * o.price for o in held] == sorted(sign * o.price for o in held)
            for level in side:
                queue = [o for o in level.orders.values() if not o.iceberg_qty]
                since = [(o.working_ms or 0, o.order_id) for o in queue]
                assert [ms for ms, _ in since] == sorted(ms for ms, _ in since)
                assert level.qty == sum(o.visible for o in level.orders.values())
                assert level.total == sum(o.remaining for o in level.orders.values())
                for order in level.orders.values():
                    assert 0 < order.visible <= (order.iceberg_qty or order.remaining)

    @invariant()
    def an_open_order_rests_waits_or_is_pending(self) -> None:
        for order in self.orders:
            waits = order.type in STOPS and order.working_ms is None
            pending = order.status is OrderStatus.PENDING_NEW
            assert order.is_open == (order.is_resting or ((waits or pending) and order.is_open))

    @invariant()
    def no_stop_waits_for_a_price_that_was_traded(self) -> None:
        last = self.book.last_price
        for order in self.orders:
            is_waiting = order.status is OrderStatus.NEW and order.working_ms is None
            if is_waiting and order.stop_price and not order.trailing_delta and last:
                above = (order.type in (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)) is (
                    order.side is Side.BUY
                )
                assert last < order.stop_price if above else last > order.stop_price

    @invariant()
    def of_a_pair_only_one_leg_trades(self) -> None:
        for order_list in self.lists:
            if len(order_list.others) == 2:
                first, second = order_list.others
                assert not (first.executed and second.executed)
                assert not (first.executed and second.is_open)
                assert not (second.executed and first.is_open)

    @invariant()
    def a_list_is_open_as_long_as_one_of_its_orders(self) -> None:
        for order_list in self.lists:
            assert order_list.is_open == any(order.is_open for order in order_list.orders)
            if order_list.working is not None and not order_list.working.is_open:
                assert all(o.status is not OrderStatus.PENDING_NEW for o in order_list.others)

    @invariant()
    def fills_add_up(self) -> None:
        for order in self.orders:
            assert sum(fill.trade.qty for fill in order.fills) == order.executed
            assert sum(fill.trade.quote for fill in order.fills) == order.cumulative_quote
            assert order.executed + order.prevented <= order.qty
            assert order.is_open or order.locked == 0
            if order.status is OrderStatus.FILLED:
                assert order.executed + order.prevented == order.qty

    @invariant()
    def client_ids_of_open_orders_find_them(self) -> None:
        for order in self.orders:
            if order.is_open:
                assert order.account.working_by_client_id[order.client_id] is order
        for name in ACCOUNTS:
            account = self.engine.accounts[name]
            assert len(account.working_by_client_id) == len(account.working_orders())


def _need(order: Order) -> int:
    if order.side is Side.SELL:
        return order.remaining
    return quote_of(order.price, order.remaining)


def _in_order(side: BookSide) -> Iterable[Order]:
    for level in side:
        yield from level.orders.values()


Floor.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestFloor = Floor.TestCase
