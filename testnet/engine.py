"""The matching engine: pure, synchronous, price then time. Commands in, events out.

Amounts are integers of 10**-8. Fees are taken from what a fill receives and booked on the fee
account, and every balance was credited through ``credit``: so for each asset the sum over all
accounts always equals what was credited.
"""

from collections.abc import Iterable
from typing import Final

from otonom_trader.testnet import contingency
from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.book import Book
from otonom_trader.testnet.errors import VenueError, rejected
from otonom_trader.testnet.events import (
    AccountPosition,
    BalanceUpdate,
    Event,
    ExecutionType,
    ExternalLock,
    RejectReason,
)
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.liquidity import qty_for_quote
from otonom_trader.testnet.matching import Matching
from otonom_trader.testnet.orders import (
    STOPS,
    Amendment,
    Contingency,
    ExpiryReason,
    ListStatusType,
    NewOrder,
    NewOrderList,
    Order,
    OrderList,
    OrderStatus,
    OrderType,
    Trade,
)
from otonom_trader.testnet.reports import Ids
from otonom_trader.testnet.settlement import unlock

REJECTIONS: Final = {
    RejectReason.INSUFFICIENT_BALANCES: "Account has insufficient balance for requested action.",
    RejectReason.WOULD_TRIGGER: "Order would trigger immediately.",
    RejectReason.WOULD_MATCH: "Order would immediately match and take.",
    RejectReason.BAD_LIST_PRICES: ("The relationship of the prices for the orders is not correct."),
}


class Engine:
    """Books and accounts of all symbols, changed only by the commands here."""

    def __init__(self, symbols: Iterable[SymbolRules]) -> None:
        self.rules: Final[dict[str, SymbolRules]] = {rules.symbol: rules for rules in symbols}
        self.books: Final = {
            symbol: Book(rules.new_reference()) for symbol, rules in self.rules.items()
        }
        self.accounts: Final[dict[str, Account]] = {}
        self.credited: Final[dict[str, int]] = {}
        self.fees: Final = self.open_account(Account("fees", 0, 0, 0, 0, is_participant=True))
        self._ids: Final = Ids()

    def open_account(self, account: Account) -> Account:
        self.accounts[account.name] = account
        return account

    def credit(self, account: Account, asset: str, amount: int, now_ms: int = 0) -> list[Event]:
        """Bring an asset into the venue, or take it out with a negative amount.

        Raises VenueError (-2010) where less than that is free.
        """
        balance = account.balance(asset)
        if balance.free + amount < 0:
            raise rejected(REJECTIONS[RejectReason.INSUFFICIENT_BALANCES])
        balance.free += amount
        self.credited[asset] = self.credited.get(asset, 0) + amount
        account.update_ms = max(account.update_ms, now_ms)
        return [
            BalanceUpdate(account, asset, amount, now_ms),
            AccountPosition(account, now_ms, ((asset, balance.free, balance.locked),)),
        ]

    def lock(self, account: Account, asset: str, amount: int, now_ms: int) -> list[Event]:
        """Lock an asset for a system outside of the venue, or release it with a negative amount.

        Raises VenueError (-2010) where less than that is free, or locked in that way.
        """
        balance, outside = account.balance(asset), account.locked_outside.get(asset, 0)
        if balance.free < amount or outside + amount < 0:
            raise rejected(REJECTIONS[RejectReason.INSUFFICIENT_BALANCES])
        balance.free -= amount
        balance.locked += amount
        account.locked_outside[asset] = outside + amount
        account.update_ms = max(account.update_ms, now_ms)
        return [
            ExternalLock(account, asset, amount, now_ms),
            AccountPosition(account, now_ms, ((asset, balance.free, balance.locked),)),
        ]

    def note_past(self, trade: Trade) -> None:
        """A trade from before the venue opened: it sets the last price and nothing else."""
        self.books[trade.symbol].note(trade)

    def quantity_of_quote(self, account: Account, new: NewOrder, now_ms: int) -> int:
        """What an order's quoteOrderQty comes to with the book as it is; raises as ``place``."""
        run = self._command(new.symbol, now_ms)
        last_id = self._ids.order
        order = run.create(account, new)
        self._ids.order = last_id
        return qty_for_quote(run.book, order, run.rules)

    def place(self, account: Account, new: NewOrder, now_ms: int) -> tuple[Order, list[Event]]:
        """Take an order and match it.

        A client id must be new among the account's open orders of all symbols.
        Raises VenueError (-2010, or -1013 for a quoteOrderQty below one lot) and changes nothing
        when the order is refused.
        """
        run = self._command(new.symbol, now_ms)
        _check_client_ids(account, (new,))
        _refuse(contingency.refusal(run.book, (new,)))
        last_id = self._ids.order
        order = run.create(account, new)
        try:
            if new.type is OrderType.MARKET:
                run.lock_market(order)
            else:
                contingency.lock(account, run.rules, (order,), run.book.last_price)
        except VenueError:
            self._ids.order = last_id
            raise
        account.add(order)
        run.announce(order)
        if new.type not in STOPS:
            run.work(order)
        return order, run.finish()

    def place_list(
        self, account: Account, new: NewOrderList, now_ms: int
    ) -> tuple[OrderList, list[Event]]:
        """Take an order list. Raises VenueError (-2010) and changes nothing when it is refused."""
        run = self._command(new.symbol, now_ms)
        _check_client_ids(account, new.orders)
        if new.client_id in account.open_lists_by_client_id:
            raise rejected("Duplicate order sent.")
        placed_now = new.others if new.working is None else (new.working,)
        _refuse(contingency.refusal(run.book, placed_now))
        last_id = self._ids.order
        orders = tuple(run.create(account, each) for each in new.orders)
        others = orders if new.working is None else orders[1:]
        try:
            first = orders if new.working is None else orders[:1]
            contingency.lock(account, run.rules, first, run.book.last_price)
        except VenueError:
            self._ids.order = last_id
            raise
        order_list = OrderList(
            list_id=self._ids.next_list,
            account=account,
            symbol=new.symbol,
            contingency=Contingency.OCO if new.working is None else Contingency.OTO,
            client_id=new.client_id,
            time_ms=run.now_ms,
            working=None if new.working is None else orders[0],
            others=others,
        )
        self._ids.next_list += 1
        for order in orders:
            order.order_list = order_list
            if new.working is not None and order is not orders[0]:
                order.status = OrderStatus.PENDING_NEW
            account.add(order)
        account.add_list(order_list)
        contingency.start(run, order_list, orders)
        return order_list, run.finish()

    def cancel(self, order: Order, cancel_client_id: str, now_ms: int) -> list[Event]:
        """Cancel an open order, and with it its list; each takes the cancel's client id, which
        frees its own.
        """
        run = self._command(order.symbol, now_ms)
        together = (order,) if order.order_list is None else order.order_list.orders
        for each in together:
            if each.is_open:
                run.cancel(each, cancel_client_id)
        return run.finish()

    def expire(self, order: Order, reason: ExpiryReason, now_ms: int) -> list[Event]:
        """End an open order as only the venue can; what it is listed with follows."""
        run = self._command(order.symbol, now_ms)
        run.expire(order, reason)
        return run.finish()

    def amend(
        self, order: Order, qty: int, client_id: str, now_ms: int
    ) -> tuple[Amendment, list[Event]]:
        """Reduce the quantity of an open order, which keeps its place in the book.

        Both legs of a pair are reduced. A quantity no larger than what is filled already leaves
        nothing, and the order expires: which status that has is not documented. Raises
        VenueError (-2038) and changes nothing when it is refused.
        """
        if qty == order.qty:
            raise VenueError(-2038, "The requested action would change no state; rejecting")
        if qty > order.qty:
            raise VenueError(-2038, "Order amend (quantity increase) is not supported.")
        account = order.account
        taken = account.working_by_client_id.get(client_id)
        if taken is not None and taken is not order:
            raise VenueError(-2038, "Duplicate order sent.")
        run = self._command(order.symbol, now_ms)
        pair = order.order_list.sibling(order) if order.order_list is not None else None
        together = (order,) if pair is None or not pair.is_open else (order, pair)
        before, old_client_id = order.remaining, order.client_id
        account.rename(order, client_id)
        amendment: Amendment | None = None
        for each in together:
            old = each.qty
            reduced = each.remaining
            each.qty = max(qty, each.executed + each.prevented)
            each.update_ms = run.now_ms
            if each.is_resting:
                run.book.side(each.side).shrink(each, reduced - each.remaining)
            old_id = old_client_id if each is order else each.client_id
            execution_id = run.reports.execution(
                each, ExecutionType.REPLACED, replaced_client_id=old_id
            )
            done = Amendment(execution_id, old_id, each.client_id, old, each.qty, run.now_ms)
            each.amendments.append(done)
            amendment = amendment or done
        if before:
            contingency.relock(run.rules, together, before)
        if order.order_list is not None and client_id != old_client_id:
            run.reports.order_list(order.order_list, ListStatusType.UPDATED)
        for each in together:
            if each.is_open and not each.remaining:
                run.expire(each, None)
        if amendment is None:
            raise AssertionError("an amendment has at least one order")
        return amendment, run.finish()

    def requote(
        self,
        account: Account,
        symbol: str,
        cuts: Iterable[tuple[Order, int]],
        added: Iterable[NewOrder],
        now_ms: int,
        *,
        update_id: int = 0,
    ) -> tuple[list[Order], list[Event]]:
        """Take quantity off a participant's resting orders, then place others, as one change.

        What keeps quantity keeps its place in the book. ``lastUpdateId`` is at least
        ``update_id`` after it. The account must be able to pay, and its client ids be new: neither
        is refused half way.
        """
        run = self._command(symbol, now_ms)
        for order, qty in cuts:
            if qty == order.remaining:
                run.cancel(order, order.client_id)
                continue
            order.qty -= qty
            order.update_ms = run.now_ms
            run.book.side(order.side).shrink(order, qty)
            unlock(order, run.rules, order.remaining)
            run.reports.execution(order, ExecutionType.REPLACED, replaced_client_id=order.client_id)
        orders = []
        for new in added:
            order = run.create(account, new)
            contingency.lock(account, run.rules, (order,), run.book.last_price)
            account.add(order)
            run.announce(order)
            run.work(order)
            orders.append(order)
        events = run.finish()
        run.book.update_id = max(run.book.update_id, update_id)
        return orders, events

    def report_rejected(
        self, account: Account, new: NewOrder, reason: RejectReason, now_ms: int
    ) -> list[Event]:
        """What the stream is told of a replacement that was refused after its cancel succeeded.

        Whether other refusals are told is not documented; here they are not.
        """
        run = self._command(new.symbol, now_ms)
        order = run.create(account, new)
        order.status = OrderStatus.REJECTED
        run.reports.execution(order, ExecutionType.REJECTED, reject_reason=reason)
        return run.reports.events

    def _command(self, symbol: str, now_ms: int) -> Matching:
        book = self.books[symbol]
        # Where the clock was put back, a symbol's time stands still until it has caught up.
        now_ms = max(now_ms, book.last_trade_ms)
        return Matching(self.rules[symbol], book, self._ids, self.fees, now_ms)


def _check_client_ids(account: Account, orders: tuple[NewOrder, ...]) -> None:
    ids = {order.client_id for order in orders}
    if len(ids) < len(orders) or not ids.isdisjoint(account.working_by_client_id):
        raise rejected("Duplicate order sent.")


def _refuse(reason: RejectReason) -> None:
    if reason is not RejectReason.NONE:
        raise rejected(REJECTIONS[reason])
