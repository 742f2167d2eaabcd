"""One command in one symbol's book, step by step: price, then time, then what follows from it."""

from collections import deque
from typing import Final

from otonom_trader.testnet import contingency
from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import quote_of
from otonom_trader.testnet.book import Book, BookSide, Level
from otonom_trader.testnet.events import (
    Event,
    ExecutionType,
    Prevention,
    RejectReason,
)
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.liquidity import available, market_cost, qty_for_quote
from otonom_trader.testnet.orders import (
    STOPS,
    ExpiryReason,
    NewOrder,
    Order,
    OrderList,
    OrderStatus,
    PreventedMatch,
    SelfTradePrevention,
    Side,
    TimeInForce,
    Trade,
)
from otonom_trader.testnet.prevention import DECREMENTING, effective_mode, prevents
from otonom_trader.testnet.reports import Ids, Reports
from otonom_trader.testnet.settlement import settle, transfer, unlock


class Matching:
    """``reports`` collects what the command is answered with; ``finish`` completes it."""

    def __init__(
        self, rules: SymbolRules, book: Book, ids: Ids, fees: Account, now_ms: int
    ) -> None:
        self.rules: Final = rules
        self.book: Final = book
        self.now_ms: Final = now_ms
        self.reports: Final = Reports(ids, now_ms)
        self._ids: Final = ids
        self._fees: Final = fees
        # Stops that a trade triggered and lists whose working order is filled: they act after
        # the order that caused it.
        self._due: Final[deque[Order | OrderList]] = deque()

    def create(self, account: Account, new: NewOrder) -> Order:
        """An order that locks nothing and works nowhere yet."""
        self._ids.order += 1
        return Order(
            order_id=self._ids.order,
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
            time_ms=self.now_ms,
            update_ms=self.now_ms,
            strategy_id=new.strategy_id,
            strategy_type=new.strategy_type,
            stop_price=new.stop_price,
            trailing_delta=new.trailing_delta,
            iceberg_qty=new.iceberg_qty,
        )

    def lock_market(self, order: Order) -> None:
        """Settle what a MARKET order takes and lock it; VenueError where it cannot be."""
        rules = self.rules
        if order.quote_qty:
            order.qty = qty_for_quote(self.book, order, rules)
        if order.side is Side.SELL:
            cost, asset = order.qty, rules.base
        else:
            cost, asset = market_cost(self.book, order), rules.quote
        order.account.lock(asset, cost)
        order.locked = cost

    def announce(self, order: Order) -> None:
        """The order is accepted: a stop begins to wait, any other is in force."""
        if order.status is not OrderStatus.PENDING_NEW:
            if order.type in STOPS:
                self.book.stops.add(order, self.book.last_price, self.now_ms)
            else:
                order.working_ms = self.now_ms
        self.reports.execution(order, ExecutionType.NEW)

    def work(self, taker: Order) -> None:
        """Take what the order accepts; what remains of it rests or expires."""
        if taker.time_in_force is TimeInForce.FOK:
            within = self._bounds(taker.side)
            if available(self.book, taker, within) < taker.remaining:
                self.expire(taker, ExpiryReason.UNFILLED_FOK)
                return
        self._take(taker)
        if not taker.is_open:
            return
        if not taker.price:
            self.expire(taker, ExpiryReason.INSUFFICIENT_LIQUIDITY)
        elif taker.time_in_force is TimeInForce.GTC:
            self.book.side(taker.side).add(taker)
        else:
            self.expire(taker, ExpiryReason.UNFILLED_IOC)

    def release(self, order_list: OrderList) -> None:
        """Place a list's other orders once the current order is done with."""
        self._due.append(order_list)

    def finish(self) -> list[Event]:
        """Let stops and lists act that are due by now, then tell the balances."""
        while self._due:
            due = self._due.popleft()
            if isinstance(due, OrderList):
                contingency.place_others(self, due)
            elif due.is_open:
                self._trigger(due)
        self.book.close_update()
        self.reports.balances((self.rules.base, self.rules.quote))
        return self.reports.events

    def withdraw(self, order: Order) -> None:
        """Take an open order out of where it rests or waits."""
        if order.is_resting:
            self.book.side(order.side).remove(order)
        elif order.type in STOPS:
            self.book.stops.discard(order)

    def expire(
        self,
        order: Order,
        reason: ExpiryReason | None,
        reject_reason: RejectReason = RejectReason.NONE,
    ) -> None:
        self.withdraw(order)
        order.expiry_reason = reason
        self._close(order, OrderStatus.EXPIRED)
        self.reports.execution(order, ExecutionType.EXPIRED, reject_reason=reject_reason)
        self._after_close(order)

    def cancel(self, order: Order, cancel_client_id: str) -> None:
        self.withdraw(order)
        order.client_id = cancel_client_id
        self._close(order, OrderStatus.CANCELED)
        self.reports.execution(
            order, ExecutionType.CANCELED, replaced_client_id=order.original_client_id
        )
        self._after_close(order)

    def _take(self, taker: Order) -> None:
        side = self.book.opposite(taker.side)
        bounds: tuple[int, int | None] | None = None
        while taker.is_open and taker.remaining > 0:
            level = side.best()
            if level is None or not side.accepts(level, taker.price):
                return
            if bounds is None:
                # Set once for the whole of the taker phase.
                bounds = self._bounds(taker.side)
            lowest, highest = bounds
            if level.price < lowest or (highest is not None and level.price > highest):
                self.expire(taker, ExpiryReason.PRICE_RANGE)
                return
            maker = level.first()
            if prevents(taker, maker):
                self._prevent(taker, maker, side, level)
            else:
                self._trade(taker, maker, side, level)

    def _bounds(self, side: Side) -> tuple[int, int | None]:
        """The prices an order of this side may trade at now (rule PRICE_RANGE)."""
        price_range, reference = self.rules.price_range, self.book.reference
        price = reference.price(self.now_ms) if price_range and reference else 0
        return price_range.bounds(side, price) if price_range and price else (0, None)

    def _trade(self, taker: Order, maker: Order, side: BookSide, level: Level) -> None:
        contingency.activate(self, maker)
        qty = min(taker.remaining, maker.visible)
        price = maker.price
        trade = Trade(
            trade_id=self.book.next_trade_id(),
            symbol=taker.symbol,
            price=price,
            qty=qty,
            quote=quote_of(price, qty),
            time_ms=self.now_ms,
            buyer_is_maker=maker.side is Side.BUY,
            taker_order_id=taker.order_id,
        )
        self.reports.events.append(trade)
        self.book.note(trade)
        for order, is_maker in ((taker, False), (maker, True)):
            fill = settle(order, trade, self.rules, self._fees, is_maker=is_maker)
            order.update_ms = self.now_ms
            if is_maker:
                side.take(level, order, qty)
            if order.remaining == 0:
                self._close(order, OrderStatus.FILLED)
            else:
                order.status = OrderStatus.PARTIALLY_FILLED
            self.reports.execution(order, ExecutionType.TRADE, fill=fill)
            if order.status is OrderStatus.FILLED:
                self._after_close(order)
        self._due.extend(self.book.stops.on_trade(price, self.now_ms))

    def _prevent(self, taker: Order, maker: Order, side: BookSide, level: Level) -> None:
        """A match that must not be, by the mode in effect."""
        mode = effective_mode(taker, maker)
        if mode is not SelfTradePrevention.EXPIRE_TAKER:
            # A choice: a leg whose quantity was prevented has begun to trade.
            contingency.activate(self, maker)
        overlap = min(taker.remaining, maker.visible)
        decrements = mode in DECREMENTING
        taker_qty: int | None = overlap if decrements else taker.remaining
        maker_qty: int | None = overlap if decrements else maker.remaining
        if mode is SelfTradePrevention.EXPIRE_MAKER:
            taker_qty = None
        elif mode is SelfTradePrevention.EXPIRE_TAKER:
            maker_qty = None
        match = PreventedMatch(
            match_id=self.book.next_match_id,
            symbol=taker.symbol,
            taker_order_id=taker.order_id,
            maker_order_id=maker.order_id,
            mode=mode,
            price=maker.price,
            taker_qty=taker_qty,
            maker_qty=maker_qty,
            time_ms=self.now_ms,
        )
        self.book.next_match_id += 1
        if maker_qty is not None and not decrements:
            side.remove(maker)
        for order, counter, qty in ((maker, taker, maker_qty), (taker, maker, taker_qty)):
            order.prevented_matches.append(match)
            order.account.record_prevention(match)
            if qty is None:
                continue
            order.prevented += qty
            order.update_ms = self.now_ms
            if order is maker and decrements:
                side.take(level, maker, qty)
            if mode is SelfTradePrevention.TRANSFER:
                transfer(order, self.rules, qty, quote_of(match.price, qty))
            if order.remaining == 0:
                self._close(order, OrderStatus.EXPIRED_IN_MATCH)
            else:
                unlock(order, self.rules, order.remaining)
            prevention = Prevention(
                match=match,
                last_qty=qty,
                counter_order_id=counter.order_id,
                trade_group_id=order.account.trade_group_id,
                overlap=overlap,
            )
            self.reports.execution(order, ExecutionType.TRADE_PREVENTION, prevention=prevention)
            if not order.is_open:
                self._after_close(order)

    def _trigger(self, order: Order) -> None:
        """The price a stop waited for was traded."""
        contingency.activate(self, order)
        if not order.price and order.side is Side.BUY:
            # Only now is known what it will cost.
            missing = market_cost(self.book, order) - order.locked
            if missing > order.account.balance(self.rules.quote).free:
                self.expire(order, ExpiryReason.REJECTED, RejectReason.INSUFFICIENT_BALANCES)
                return
            order.account.lock(self.rules.quote, missing)
            order.locked += missing
        order.working_ms = order.update_ms = self.now_ms
        self.reports.execution(order, ExecutionType.NEW)
        self.work(order)

    def _close(self, order: Order, status: OrderStatus) -> None:
        order.status = status
        order.update_ms = self.now_ms
        unlock(order, self.rules, 0)
        order.account.finish(order)

    def _after_close(self, order: Order) -> None:
        if order.order_list is not None:
            contingency.after_close(self, order, order.order_list)
