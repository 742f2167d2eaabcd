"""The matching engine: pure, synchronous, price then time. Commands in, events out.

Amounts are integers of 10**-8. Fees are taken from what a fill receives and booked on the fee
account, and every balance was credited through ``credit``: so for each asset the sum over all
accounts always equals what was credited.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import quote_of
from otonom_trader.testnet.book import Book, BookSide, Level
from otonom_trader.testnet.errors import VenueError, rejected
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.liquidity import available, market_cost, qty_for_quote
from otonom_trader.testnet.orders import (
    BalanceChange,
    Event,
    Execution,
    ExecutionType,
    ExpiryReason,
    Fill,
    NewOrder,
    Order,
    OrderStatus,
    OrderType,
    PreventedMatch,
    SelfTradePrevention,
    Side,
    TimeInForce,
    Trade,
)
from otonom_trader.testnet.settlement import settle, unlock


class Engine:
    """Books and accounts of all symbols, changed only by ``place`` and ``cancel``."""

    def __init__(self, symbols: Iterable[SymbolRules]) -> None:
        self.rules: Final[Mapping[str, SymbolRules]] = {rules.symbol: rules for rules in symbols}
        self.books: Final[Mapping[str, Book]] = {symbol: Book() for symbol in self.rules}
        self.accounts: Final[dict[str, Account]] = {}
        self.credited: Final[dict[str, int]] = {}
        self.fees: Final = self.open_account(Account("fees", 0, 0, 0, 0, is_participant=True))
        self._last_order_id = 0
        self._last_execution_id = 0
        self._last_match_id = 0

    def open_account(self, account: Account) -> Account:
        self.accounts[account.name] = account
        return account

    def credit(self, account: Account, asset: str, amount: int) -> None:
        """Bring an asset into the venue."""
        account.balance(asset).free += amount
        self.credited[asset] = self.credited.get(asset, 0) + amount

    def place(self, account: Account, new: NewOrder, now_ms: int) -> tuple[Order, list[Event]]:
        """Take an order and match it.

        A client id must be new among the account's working orders of all symbols.
        Raises VenueError (-2010, or -1013 for a quoteOrderQty below one lot) and changes nothing
        when the order is refused.
        """
        book = self.books[new.symbol]
        if new.client_id in account.working_by_client_id:
            raise rejected("Duplicate order sent.")
        if new.type is OrderType.LIMIT_MAKER and _crosses(book.opposite(new.side), new.price):
            raise rejected("Order would immediately match and take.")
        order = self._admit(account, new, book, now_ms)
        events: list[Event] = [self._execution(order, ExecutionType.NEW, now_ms)]
        if new.time_in_force is TimeInForce.FOK and available(book, order) < order.qty:
            self._expire(order, ExpiryReason.UNFILLED_FOK, events, now_ms)
        else:
            self._match(order, book, events, now_ms)
            if order.is_open:
                self._rest_or_expire(order, book, events, now_ms)
        book.update_id += 1
        self._report_balances(order, events, now_ms)
        return order, events

    def cancel(self, order: Order, cancel_client_id: str, now_ms: int) -> list[Event]:
        """Cancel a working order; it takes the cancel's client id, which frees its own."""
        book = self.books[order.symbol]
        book.side(order.side).remove(order)
        book.update_id += 1
        order.client_id = cancel_client_id
        events: list[Event] = []
        self._close(order, OrderStatus.CANCELED, now_ms)
        events.append(self._execution(order, ExecutionType.CANCELED, now_ms))
        self._report_balances(order, events, now_ms)
        return events

    def _admit(self, account: Account, new: NewOrder, book: Book, now_ms: int) -> Order:
        self._last_order_id += 1
        order = Order(
            order_id=self._last_order_id,
            account=account,
            symbol=new.symbol,
            side=new.side,
            type=new.type,
            time_in_force=new.time_in_force,
            self_trade_prevention=new.self_trade_prevention,
            price=new.price,
            qty=new.qty,
            quote_qty=new.quote_qty,
            client_id=new.client_id,
            original_client_id=new.client_id,
            time_ms=now_ms,
            update_ms=now_ms,
            working_ms=now_ms,
            strategy_id=new.strategy_id,
            strategy_type=new.strategy_type,
        )
        rules = self.rules[new.symbol]
        try:
            if new.quote_qty:
                order.qty = qty_for_quote(book, order, rules.step)
            if new.side is Side.SELL:
                account.lock(rules.base, order.qty)
                order.locked = order.qty
            else:
                cost = market_cost(book, order) if not new.price else quote_of(new.price, new.qty)
                account.lock(rules.quote, cost)
                order.locked = cost
        except VenueError:
            self._last_order_id -= 1
            raise
        account.add(order)
        return order

    def _match(self, taker: Order, book: Book, events: list[Event], now_ms: int) -> None:
        side = book.opposite(taker.side)
        while taker.is_open and taker.remaining > 0:
            level = side.best()
            if level is None or not side.accepts(level, taker.price):
                return
            maker = level.first()
            if (
                maker.account is taker.account
                and taker.self_trade_prevention is not SelfTradePrevention.NONE
            ):
                self._prevent(taker, maker, side, level, events, now_ms)
            else:
                self._trade(taker, maker, book, level, events, now_ms)

    def _trade(
        self,
        taker: Order,
        maker: Order,
        book: Book,
        level: Level,
        events: list[Event],
        now_ms: int,
    ) -> None:
        rules = self.rules[taker.symbol]
        qty = min(taker.remaining, maker.remaining)
        price = maker.price
        trade = Trade(
            trade_id=book.next_trade_id(),
            symbol=taker.symbol,
            price=price,
            qty=qty,
            quote=quote_of(price, qty),
            time_ms=now_ms,
            buyer_is_maker=maker.side is Side.BUY,
        )
        events.append(trade)
        for order, is_maker in ((taker, False), (maker, True)):
            fill = settle(order, trade, rules, self.fees, is_maker=is_maker)
            order.update_ms = now_ms
            if is_maker:
                book.side(order.side).reduce(level, order, qty)
            if order.remaining == 0:
                self._close(order, OrderStatus.FILLED, now_ms)
            else:
                order.status = OrderStatus.PARTIALLY_FILLED
            events.append(self._execution(order, ExecutionType.TRADE, now_ms, fill))

    def _prevent(
        self,
        taker: Order,
        maker: Order,
        side: BookSide,
        level: Level,
        events: list[Event],
        now_ms: int,
    ) -> None:
        """Self-trade prevention by the taker's mode (page "Self Trade Prevention FAQ")."""
        mode = taker.self_trade_prevention
        overlap = min(taker.remaining, maker.remaining)
        taker_qty: int | None = taker.remaining
        maker_qty: int | None = maker.remaining
        if mode is SelfTradePrevention.DECREMENT:
            taker_qty = maker_qty = overlap
        elif mode is SelfTradePrevention.EXPIRE_MAKER:
            taker_qty = None
        elif mode is SelfTradePrevention.EXPIRE_TAKER:
            maker_qty = None
        self._last_match_id += 1
        prevented = PreventedMatch(
            self._last_match_id, maker.order_id, maker.price, taker_qty, maker_qty
        )
        if maker_qty:
            maker.prevented += maker_qty
            side.reduce(level, maker, maker_qty)
            self._after_prevention(maker, prevented, events, now_ms)
        if taker_qty:
            taker.prevented += taker_qty
        self._after_prevention(taker, prevented, events, now_ms, untouched=not taker_qty)

    def _after_prevention(
        self,
        order: Order,
        prevented: PreventedMatch,
        events: list[Event],
        now_ms: int,
        *,
        untouched: bool = False,
    ) -> None:
        order.prevented_matches.append(prevented)
        if untouched:
            return
        order.update_ms = now_ms
        if order.remaining == 0:
            self._close(order, OrderStatus.EXPIRED_IN_MATCH, now_ms)
        else:
            unlock(order, self.rules[order.symbol], order.remaining)
        events.append(self._execution(order, ExecutionType.TRADE_PREVENTION, now_ms))

    def _rest_or_expire(self, order: Order, book: Book, events: list[Event], now_ms: int) -> None:
        if order.type is OrderType.MARKET:
            self._expire(order, ExpiryReason.INSUFFICIENT_LIQUIDITY, events, now_ms)
        elif order.time_in_force is TimeInForce.GTC:
            book.side(order.side).add(order)
        else:
            self._expire(order, ExpiryReason.UNFILLED_IOC, events, now_ms)

    def _expire(self, order: Order, reason: ExpiryReason, events: list[Event], now_ms: int) -> None:
        order.expiry_reason = reason
        self._close(order, OrderStatus.EXPIRED, now_ms)
        events.append(self._execution(order, ExecutionType.EXPIRED, now_ms))

    def _close(self, order: Order, status: OrderStatus, now_ms: int) -> None:
        order.status = status
        order.update_ms = now_ms
        unlock(order, self.rules[order.symbol], 0)
        order.account.finish(order)

    def _execution(
        self, order: Order, kind: ExecutionType, now_ms: int, fill: Fill | None = None
    ) -> Execution:
        self._last_execution_id += 1
        return Execution(
            order,
            kind,
            self._last_execution_id,
            now_ms,
            order.status,
            order.executed,
            order.cumulative_quote,
            fill,
        )

    def _report_balances(self, order: Order, events: list[Event], now_ms: int) -> None:
        """After the executions: both assets of each account a command touched, once."""
        rules = self.rules[order.symbol]
        touched = {order.account.name: order.account}
        for event in events:
            if isinstance(event, Execution):
                touched[event.order.account.name] = event.order.account
        for account in touched.values():
            account.update_ms = now_ms
            for asset in (rules.base, rules.quote):
                balance = account.balance(asset)
                events.append(BalanceChange(account, asset, balance.free, balance.locked, now_ms))


def _crosses(side: BookSide, price: int) -> bool:
    best = side.best()
    return best is not None and side.accepts(best, price)
