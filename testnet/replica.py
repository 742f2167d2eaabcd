"""Accounts as queries see them on a venue whose queries lag behind its engine.

The venue answers order queries from memory and database copies that are filled asynchronously
("Data Sources" of the REST page): right after a placement an order may not be found yet.
"""

import copy
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from otonom_trader.testnet.accounts import Account, Balance
from otonom_trader.testnet.clock import Clock
from otonom_trader.testnet.events import AccountPosition, Event, Execution, ListStatus
from otonom_trader.testnet.orders import Order, OrderList


class Replica:
    """A copy of every client's account as it was ``lag_ms`` ago, however the clock is set."""

    def __init__(self, lag_ms: int, clock: Clock) -> None:
        self._lag_seconds: Final = lag_ms / 1000
        self._clock: Final = clock
        self._accounts: Final[dict[str, Account]] = {}
        # What is still on its way, with when it happened by the monotonic clock.
        self._coming: Final[deque[tuple[float, Callable[[], None]]]] = deque()

    def open_account(self, account: Account) -> None:
        twin = copy.copy(account)
        twin.balances = {
            asset: Balance(held.free, held.locked) for asset, held in account.balances.items()
        }
        for name in ("working", "working_by_client_id", "latest_by_client_id"):
            setattr(twin, name, {})
        for name in ("orders", "fills", "lists", "prevented"):
            setattr(twin, name, type(account.orders)())
        twin.open_lists_by_client_id = {}
        self._accounts[account.name] = twin

    def read(self, account: Account) -> Account:
        """The copy, brought up to what is old enough."""
        self._catch_up()
        return self._accounts[account.name]

    def on_event(self, event: Event) -> None:
        if isinstance(event, Execution):
            twin = self._accounts.get(event.order.account.name)
            if twin is not None:
                self._bring(partial(_show, twin, _snapshot(event.order), event))
        elif isinstance(event, AccountPosition):
            twin = self._accounts.get(event.account.name)
            if twin is not None:
                self._bring(partial(_hold, twin, event))
        elif isinstance(event, ListStatus):
            twin = self._accounts.get(event.account.name)
            if twin is not None:
                order_list = copy.copy(event.account.lists[event.list_id])
                self._bring(partial(_show_list, twin, order_list))

    def _bring(self, news: Callable[[], None]) -> None:
        self._coming.append((self._clock.monotonic(), news))

    def _catch_up(self) -> None:
        now = self._clock.monotonic()
        # Rounded, as differences of seconds are not exact.
        while self._coming and round(now - self._coming[0][0], 6) >= self._lag_seconds:
            self._coming.popleft()[1]()


def _snapshot(order: Order) -> Order:
    twin = copy.copy(order)
    twin.fills = list(order.fills)
    twin.prevented_matches = list(order.prevented_matches)
    twin.amendments = list(order.amendments)
    return twin


def _show(twin: Account, order: Order, event: Execution) -> None:
    """Put an order's newest known state where queries look for it."""
    client_ids = {order.original_client_id, event.replaced_client_id} - {""}
    fill = event.fill
    if fill is not None:
        twin.fills[fill.trade.symbol, fill.trade.trade_id, fill.is_maker] = fill
        if len(twin.fills) > twin.history_cap:
            twin.fills.popitem(last=False)
    if event.prevention is not None:
        twin.record_prevention(event.prevention.match)
    twin.orders[order.order_id] = order
    working = twin.working.setdefault(order.symbol, {})
    for client_id in client_ids:
        twin.working_by_client_id.pop(client_id, None)
        twin.latest_by_client_id[order.symbol, client_id] = order
    twin.latest_by_client_id[order.symbol, order.client_id] = order
    if order.is_open:
        working[order.order_id] = order
        twin.working_by_client_id[order.client_id] = order
    else:
        working.pop(order.order_id, None)
    if len(twin.orders) > twin.history_cap:
        twin.orders.popitem(last=False)


def _hold(twin: Account, event: AccountPosition) -> None:
    twin.update_ms = event.time_ms
    for asset, free, locked in event.balances:
        twin.balances[asset] = Balance(free, locked)


def _show_list(twin: Account, order_list: OrderList) -> None:
    twin.lists[order_list.list_id] = order_list
    if order_list.is_open:
        twin.open_lists_by_client_id[order_list.client_id] = order_list
    else:
        twin.finish_list(order_list)
