"""Accounts: balances free and locked, working orders, and what is remembered of finished ones."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from otonom_trader.testnet.errors import rejected
from otonom_trader.testnet.orders import Fill, Order, OrderList, PreventedMatch


@dataclass(slots=True)
class Balance:
    """One asset; both parts in units of 10**-8 and never negative."""

    free: int = 0
    locked: int = 0


@dataclass(slots=True, eq=False)
class Account:
    """One account of the venue.

    A participant makes the market; of its finished orders nothing is kept. Of any other account
    the newest ``history_cap`` orders and fills are.
    """

    name: str
    uid: int
    maker_rate: int
    taker_rate: int
    history_cap: int
    is_participant: bool = False
    trade_group_id: int = -1
    """Accounts of one group do not trade with each other; -1 is none."""
    permissions: frozenset[str] = frozenset({"SPOT"})
    max_asset: Mapping[str, int] = field(default_factory=dict)
    """The most of an asset in one order (filter MAX_ASSET)."""
    update_ms: int = 0
    balances: dict[str, Balance] = field(default_factory=dict)
    locked_outside: dict[str, int] = field(default_factory=dict)
    """What of the locked balances is locked by other systems than this venue."""
    working: dict[str, dict[int, Order]] = field(default_factory=dict)
    working_by_client_id: dict[str, Order] = field(default_factory=dict)
    # Ordered ones, whose oldest entry is found at once however many were dropped before it.
    orders: OrderedDict[int, Order] = field(default_factory=OrderedDict)
    latest_by_client_id: dict[tuple[str, str], Order] = field(default_factory=dict)
    fills: OrderedDict[tuple[str, int, bool], Fill] = field(default_factory=OrderedDict)
    lists: OrderedDict[int, OrderList] = field(default_factory=OrderedDict)
    open_lists_by_client_id: dict[str, OrderList] = field(default_factory=dict)
    prevented: OrderedDict[tuple[str, int], PreventedMatch] = field(default_factory=OrderedDict)

    def balance(self, asset: str) -> Balance:
        balance = self.balances.get(asset)
        if balance is None:
            balance = self.balances[asset] = Balance()
        return balance

    def lock(self, asset: str, amount: int) -> None:
        balance = self.balance(asset)
        if balance.free < amount:
            raise rejected("Account has insufficient balance for requested action.")
        balance.free -= amount
        balance.locked += amount

    def working_on(self, symbol: str) -> dict[int, Order]:
        """The account's working orders of one symbol, oldest first."""
        return self.working.get(symbol) or {}

    def working_orders(self) -> list[Order]:
        return [order for of_symbol in self.working.values() for order in of_symbol.values()]

    def add(self, order: Order) -> None:
        self.working.setdefault(order.symbol, {})[order.order_id] = order
        self.working_by_client_id[order.client_id] = order
        if self.is_participant:
            return
        self.orders[order.order_id] = order
        self.latest_by_client_id[order.symbol, order.client_id] = order
        if len(self.orders) > self.history_cap:
            self._forget_oldest_finished()

    def finish(self, order: Order) -> None:
        """Take an order off the list of working ones, which frees its client id."""
        self.working[order.symbol].pop(order.order_id)
        self.working_by_client_id.pop(order.original_client_id, None)
        if not self.is_participant:
            # A cancel renamed it: it is found by either id from now on.
            self.latest_by_client_id[order.symbol, order.client_id] = order

    def rename(self, order: Order, client_id: str) -> None:
        """A working order goes by another client id from now on; the old one still finds it."""
        self.working_by_client_id.pop(order.client_id, None)
        order.client_id = order.original_client_id = client_id
        self.working_by_client_id[client_id] = order
        if not self.is_participant:
            self.latest_by_client_id[order.symbol, client_id] = order

    def add_list(self, order_list: OrderList) -> None:
        self.lists[order_list.list_id] = order_list
        self.open_lists_by_client_id[order_list.client_id] = order_list
        if len(self.lists) > self.history_cap:
            oldest = next((each for each in self.lists.values() if not each.is_open), None)
            if oldest is not None:
                del self.lists[oldest.list_id]

    def finish_list(self, order_list: OrderList) -> None:
        self.open_lists_by_client_id.pop(order_list.client_id, None)

    def find_list(self, client_id: str) -> OrderList | None:
        """The open list with this client id, else the newest that had it."""
        found = self.open_lists_by_client_id.get(client_id)
        if found is None:
            same = (each for each in reversed(self.lists.values()) if each.client_id == client_id)
            found = next(same, None)
        return found

    def record_prevention(self, match: PreventedMatch) -> None:
        if self.is_participant:
            return
        self.prevented[match.symbol, match.match_id] = match
        if len(self.prevented) > self.history_cap:
            self.prevented.popitem(last=False)

    def record(self, fill: Fill) -> None:
        if self.is_participant:
            return
        fill.order.fills.append(fill)
        self.fills[fill.trade.symbol, fill.trade.trade_id, fill.is_maker] = fill
        if len(self.fills) > self.history_cap:
            self.fills.popitem(last=False)

    def find(self, symbol: str, client_id: str) -> Order | None:
        """The working order with this client id, else the newest that has it or had it."""
        working = self.working_by_client_id.get(client_id)
        if working is not None and working.symbol == symbol:
            return working
        return self.latest_by_client_id.get((symbol, client_id))

    def _forget_oldest_finished(self) -> None:
        oldest = next((order for order in self.orders.values() if not order.is_open), None)
        if oldest is None:
            return
        del self.orders[oldest.order_id]
        former = {amendment.old_client_id for amendment in oldest.amendments}
        for client_id in {oldest.client_id, oldest.original_client_id} | former:
            key = (oldest.symbol, client_id)
            if self.latest_by_client_id.get(key) is oldest:
                del self.latest_by_client_id[key]
