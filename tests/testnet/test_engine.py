"""Matching: price, then time; what fills, what rests, what expires, and what it costs."""

import pytest

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import format_amount, parse_amount
from otonom_trader.testnet.built_in import BUILT_IN
from otonom_trader.testnet.engine import Engine
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.events import AccountPosition, Event, Execution
from otonom_trader.testnet.orders import (
    ExpiryReason,
    NewOrder,
    Order,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
    Trade,
)

RATE = parse_amount("0.001")


class Floor:
    """An engine with accounts that each have 100000 USDT and 10 BTC."""

    def __init__(self) -> None:
        self.engine = Engine(BUILT_IN)
        self.book = self.engine.books["BTCUSDT"]
        self.events: list[Event] = []
        self.last_id = 0

    def account(self, name: str) -> Account:
        account = Account(name, 1, RATE, RATE, 1000)
        self.engine.credit(account, "USDT", parse_amount("100000"))
        self.engine.credit(account, "BTC", parse_amount("10"))
        return self.engine.open_account(account)

    def place(
        self,
        account: Account,
        side: Side,
        qty: str = "0",
        price: str = "0",
        *,
        kind: OrderType = OrderType.LIMIT,
        tif: TimeInForce = TimeInForce.GTC,
        quote: str = "0",
        prevention: SelfTradePrevention = SelfTradePrevention.EXPIRE_MAKER,
    ) -> Order:
        self.last_id += 1
        order, self.events = self.engine.place(
            account,
            NewOrder(
                symbol="BTCUSDT",
                side=side,
                type=kind,
                client_id=f"c{self.last_id}",
                qty=parse_amount(qty),
                price=parse_amount(price),
                quote_qty=parse_amount(quote),
                time_in_force=tif,
                self_trade_prevention=prevention,
            ),
            self.last_id,
        )
        return order

    def buy(self, account: Account, qty: str, price: str) -> Order:
        return self.place(account, Side.BUY, qty, price)

    def sell(self, account: Account, qty: str, price: str) -> Order:
        return self.place(account, Side.SELL, qty, price)

    @property
    def trades(self) -> list[tuple[str, str]]:
        """Price and quantity of the last command's trades."""
        return [
            (format_amount(event.price), format_amount(event.qty))
            for event in self.events
            if isinstance(event, Trade)
        ]


def held(account: Account, asset: str) -> tuple[str, str]:
    balance = account.balance(asset)
    return format_amount(balance.free), format_amount(balance.locked)


@pytest.fixture
def floor() -> Floor:
    return Floor()


@pytest.fixture
def ann(floor: Floor) -> Account:
    return floor.account("ann")


@pytest.fixture
def ben(floor: Floor) -> Account:
    return floor.account("ben")


@pytest.fixture
def cat(floor: Floor) -> Account:
    return floor.account("cat")


def test_the_better_price_is_taken_first(
    floor: Floor, ann: Account, ben: Account, cat: Account
) -> None:
    dear = floor.sell(ann, "1", "20001")
    cheap = floor.sell(ben, "1", "20000")
    taker = floor.buy(cat, "1.5", "20001")
    assert floor.trades == [("20000.00000000", "1.00000000"), ("20001.00000000", "0.50000000")]
    assert cheap.status is OrderStatus.FILLED
    assert dear.status is OrderStatus.PARTIALLY_FILLED
    assert taker.status is OrderStatus.FILLED


def test_at_one_price_the_older_order_is_taken_first(
    floor: Floor, ann: Account, ben: Account, cat: Account
) -> None:
    older = floor.buy(ann, "1", "20000")
    younger = floor.buy(ben, "1", "20000")
    floor.sell(cat, "1.25", "19000")
    assert older.status is OrderStatus.FILLED
    assert format_amount(younger.executed) == "0.25000000"
    assert floor.trades == [("20000.00000000", "1.00000000"), ("20000.00000000", "0.25000000")]


def test_a_limit_order_does_not_trade_through_its_price_and_rests(
    floor: Floor, ann: Account, ben: Account
) -> None:
    floor.sell(ann, "1", "20000.01")
    order = floor.buy(ben, "1", "20000")
    assert floor.trades == []
    assert order.status is OrderStatus.NEW
    best = floor.book.bids.best()
    assert best is not None
    assert (format_amount(best.price), format_amount(best.qty)) == ("20000.00000000", "1.00000000")


def test_both_sides_pay_their_fee_from_what_they_receive(
    floor: Floor, ann: Account, ben: Account
) -> None:
    floor.sell(ann, "1", "20000")
    floor.buy(ben, "1", "20000")
    assert held(ann, "USDT") == ("119980.00000000", "0.00000000")
    assert held(ann, "BTC") == ("9.00000000", "0.00000000")
    assert held(ben, "USDT") == ("80000.00000000", "0.00000000")
    assert held(ben, "BTC") == ("10.99900000", "0.00000000")
    assert held(floor.engine.fees, "USDT") == ("20.00000000", "0.00000000")
    assert held(floor.engine.fees, "BTC") == ("0.00100000", "0.00000000")


def test_a_working_order_locks_what_it_may_need_and_no_more(
    floor: Floor, ann: Account, ben: Account
) -> None:
    order = floor.buy(ann, "2", "20000")
    assert held(ann, "USDT") == ("60000.00000000", "40000.00000000")
    floor.sell(ben, "0.5", "20000")
    assert held(ann, "USDT") == ("60000.00000000", "30000.00000000")
    floor.engine.cancel(order, "the-cancel", 9)
    assert held(ann, "USDT") == ("90000.00000000", "0.00000000")
    assert order.status is OrderStatus.CANCELED


def test_a_buyer_gets_back_what_a_better_price_saves(
    floor: Floor, ann: Account, ben: Account
) -> None:
    floor.sell(ann, "1", "19000")
    floor.buy(ben, "2", "20000")
    # 19000 paid for one, 20000 locked for the other.
    assert held(ben, "USDT") == ("61000.00000000", "20000.00000000")


def test_an_immediate_or_cancel_order_expires_what_it_did_not_get(
    floor: Floor, ann: Account, ben: Account
) -> None:
    floor.sell(ann, "1", "20000")
    order = floor.place(ben, Side.BUY, "3", "20000", tif=TimeInForce.IOC)
    assert order.status is OrderStatus.EXPIRED
    assert order.expiry_reason is ExpiryReason.UNFILLED_IOC
    assert format_amount(order.executed) == "1.00000000"
    assert held(ben, "USDT") == ("80000.00000000", "0.00000000")
    assert floor.book.bids.best() is None


def test_a_fill_or_kill_order_fills_whole_or_not_at_all(
    floor: Floor, ann: Account, ben: Account, cat: Account
) -> None:
    floor.sell(ann, "1", "20000")
    floor.sell(ben, "1", "20001")
    killed = floor.place(cat, Side.BUY, "2", "20000", tif=TimeInForce.FOK)
    assert killed.status is OrderStatus.EXPIRED
    assert killed.expiry_reason is ExpiryReason.UNFILLED_FOK
    assert killed.executed == 0
    filled = floor.place(cat, Side.BUY, "2", "20001", tif=TimeInForce.FOK)
    assert filled.status is OrderStatus.FILLED


def test_a_market_order_walks_the_book_and_expires_where_it_ends(
    floor: Floor, ann: Account, ben: Account
) -> None:
    floor.buy(ann, "1", "20000")
    floor.buy(ann, "1", "19000")
    order = floor.place(ben, Side.SELL, "3", kind=OrderType.MARKET)
    assert floor.trades == [("20000.00000000", "1.00000000"), ("19000.00000000", "1.00000000")]
    assert order.status is OrderStatus.EXPIRED
    assert order.expiry_reason is ExpiryReason.INSUFFICIENT_LIQUIDITY
    assert held(ben, "BTC") == ("8.00000000", "0.00000000")


def test_a_market_order_on_an_empty_book_expires_unfilled(floor: Floor, ann: Account) -> None:
    order = floor.place(ann, Side.BUY, "1", kind=OrderType.MARKET)
    assert order.status is OrderStatus.EXPIRED
    assert order.executed == 0
    assert held(ann, "USDT") == ("100000.00000000", "0.00000000")


def test_a_quote_quantity_on_an_empty_book_is_refused(floor: Floor, ann: Account) -> None:
    text = "Order book liquidity is less than symbol minimum quantity"
    with pytest.raises(VenueError, match=text):
        floor.place(ann, Side.BUY, quote="100", kind=OrderType.MARKET)
    assert held(ann, "USDT") == ("100000.00000000", "0.00000000")


def test_a_quote_quantity_buys_the_most_whole_lots_it_pays_for(
    floor: Floor, ann: Account, ben: Account
) -> None:
    floor.sell(ann, "0.01", "20000")
    floor.sell(ann, "1", "30000")
    order = floor.place(ben, Side.BUY, quote="1000", kind=OrderType.MARKET)
    # 200 USDT buy 0.01; of the other 800 at 30000, 0.02666 is the most that ends on a lot.
    assert format_amount(order.qty) == "0.03666000"
    assert format_amount(order.cumulative_quote) == "999.80000000"
    assert order.status is OrderStatus.FILLED


def test_a_quote_quantity_beyond_the_book_expires_the_rest(
    floor: Floor, ann: Account, ben: Account
) -> None:
    floor.sell(ann, "0.01", "20000")
    order = floor.place(ben, Side.BUY, quote="1000", kind=OrderType.MARKET)
    assert format_amount(order.executed) == "0.01000000"
    assert order.status is OrderStatus.EXPIRED
    assert held(ben, "USDT") == ("99800.00000000", "0.00000000")


def test_a_quote_quantity_below_one_lot_is_refused(
    floor: Floor, ann: Account, ben: Account
) -> None:
    floor.sell(ann, "1", "900000")
    with pytest.raises(VenueError, match="Filter failure: LOT_SIZE"):
        floor.place(ben, Side.BUY, quote="8.99", kind=OrderType.MARKET)
    assert held(ben, "USDT") == ("100000.00000000", "0.00000000")


def test_a_cancel_renames_the_order_and_frees_its_client_id(floor: Floor, ann: Account) -> None:
    order = floor.buy(ann, "1", "20000")
    original = order.client_id
    floor.engine.cancel(order, "the-cancel", 9)
    assert (order.client_id, order.original_client_id) == ("the-cancel", original)
    assert ann.find("BTCUSDT", "the-cancel") is order
    assert ann.find("BTCUSDT", original) is order


def test_events_come_in_the_order_of_what_happened(
    floor: Floor, ann: Account, ben: Account
) -> None:
    maker = floor.sell(ann, "1", "20000")
    taker = floor.place(ben, Side.BUY, "2", "20000", tif=TimeInForce.IOC)
    told = [
        (event.order, event.type.value, event.status.value)
        for event in floor.events
        if isinstance(event, Execution)
    ]
    assert told == [
        (taker, "NEW", "NEW"),
        (taker, "TRADE", "PARTIALLY_FILLED"),
        (maker, "TRADE", "FILLED"),
        (taker, "EXPIRED", "EXPIRED"),
    ]
    ids = [event.execution_id for event in floor.events if isinstance(event, Execution)]
    assert ids == sorted(set(ids))
    changes = [event for event in floor.events if isinstance(event, AccountPosition)]
    assert floor.events[-len(changes) :] == changes
    assert {change.account.name for change in changes} == {"ann", "ben"}


@pytest.mark.parametrize(
    ("mode", "maker_status", "taker_status", "traded"),
    [
        (SelfTradePrevention.EXPIRE_MAKER, "EXPIRED_IN_MATCH", "PARTIALLY_FILLED", "1.00000000"),
        (SelfTradePrevention.EXPIRE_TAKER, "NEW", "EXPIRED_IN_MATCH", "0.00000000"),
        (SelfTradePrevention.EXPIRE_BOTH, "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH", "0.00000000"),
        (SelfTradePrevention.DECREMENT, "EXPIRED_IN_MATCH", "FILLED", "1.00000000"),
    ],
)
def test_an_account_does_not_trade_with_itself(
    floor: Floor,
    ann: Account,
    ben: Account,
    mode: SelfTradePrevention,
    maker_status: str,
    taker_status: str,
    traded: str,
) -> None:
    own = floor.sell(ann, "1", "20000")
    floor.sell(ben, "1", "20001")
    taker = floor.place(ann, Side.BUY, "2", "20001", prevention=mode)
    assert (own.status, taker.status) == (maker_status, taker_status)
    assert format_amount(taker.executed) == traded
    assert own.executed == 0


def test_decrement_takes_the_overlap_from_both_and_unlocks_it(floor: Floor, ann: Account) -> None:
    own = floor.sell(ann, "3", "20000")
    taker = floor.place(ann, Side.BUY, "1", "20000", prevention=SelfTradePrevention.DECREMENT)
    assert own.status is OrderStatus.NEW
    assert format_amount(own.remaining) == "2.00000000"
    assert taker.status is OrderStatus.EXPIRED_IN_MATCH
    assert held(ann, "BTC") == ("8.00000000", "2.00000000")
    assert held(ann, "USDT") == ("100000.00000000", "0.00000000")
    best = floor.book.asks.best()
    assert best is not None
    assert format_amount(best.qty) == "2.00000000"


def test_a_fill_or_kill_order_does_not_count_on_ones_own_orders(
    floor: Floor, ann: Account, ben: Account
) -> None:
    floor.sell(ann, "1", "20000")
    floor.sell(ben, "1", "20000")
    order = floor.place(ann, Side.BUY, "2", "20000", tif=TimeInForce.FOK)
    assert order.status is OrderStatus.EXPIRED
    assert order.executed == 0


def test_a_refused_order_leaves_no_gap_in_the_ids(floor: Floor, ann: Account) -> None:
    first = floor.buy(ann, "1", "20000")
    with pytest.raises(VenueError, match="insufficient balance"):
        floor.buy(ann, "100", "20000")
    assert floor.buy(ann, "1", "20000").order_id == first.order_id + 1


def test_the_memory_of_finished_orders_is_bounded(floor: Floor) -> None:
    account = Account("short", 1, RATE, RATE, 10)
    floor.engine.credit(account, "USDT", parse_amount("100000"))
    floor.engine.open_account(account)
    kept = floor.buy(account, "0.1", "20000")
    for _ in range(50):
        floor.engine.cancel(floor.buy(account, "0.1", "20000"), "cancel", 1)
    assert len(account.orders) == 10
    assert kept.order_id in account.orders
    assert len(account.latest_by_client_id) <= 20
