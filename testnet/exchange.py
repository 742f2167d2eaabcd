"""The venue without its wire: engine, tapes and accounts behind a few commands."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import from_decimal
from otonom_trader.testnet.built_in import LISTING
from otonom_trader.testnet.config import AccountConfig, HistoryCaps
from otonom_trader.testnet.engine import Engine
from otonom_trader.testnet.events import Event, RejectReason
from otonom_trader.testnet.exchange_info import Filter, Listing, changed
from otonom_trader.testnet.orders import (
    Amendment,
    ExpiryReason,
    NewOrder,
    NewOrderList,
    Order,
    OrderList,
    Trade,
)
from otonom_trader.testnet.replica import Replica
from otonom_trader.testnet.tape import AVERAGE_MINUTES, Tape

_ID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_FIRST_UID = 1_000_001


class Exchange:
    """All state of the venue. ``listeners`` are told every event, in order, as it happens."""

    def __init__(
        self,
        *,
        seed: int,
        history: HistoryCaps,
        listing: Listing = LISTING,
        replica: Replica | None = None,
    ) -> None:
        self.engine: Final = Engine(listing.symbols)
        self.exchange_filters: Final[tuple[Filter, ...]] = listing.exchange_filters
        self.tapes: Final = {
            rules.symbol: Tape(
                trades_cap=history.trades_per_symbol,
                klines_cap=history.klines_per_interval,
                average_minutes=max(AVERAGE_MINUTES, rules.average_minutes()),
            )
            for rules in listing.symbols
        }
        self.listeners: Final[list[Callable[[Event], None]]] = []
        self.settled: Final[list[Callable[[], None]]] = []
        """Told after the last event of each command."""
        self.on_symbol_changed: Final[list[Callable[[str], None]]] = []
        self._replica: Final = replica
        if self._replica is not None:
            self.listeners.append(self._replica.on_event)
        self._history: Final = history
        self._random: Final = Random(seed)  # noqa: S311  ids, not secrets
        self._next_uid = _FIRST_UID
        self._last_participant_id = 0

    def open_account(self, config: AccountConfig) -> Account:
        """An account of a client, with its first balances."""
        uid = config.uid or self._next_uid
        self._next_uid = max(self._next_uid, uid) + 1
        rate = from_decimal(config.fee_pct / 100)
        account = Account(
            config.name or f"account-{uid}",
            uid,
            rate,
            rate,
            self._history.orders_per_account,
            trade_group_id=config.trade_group_id,
            permissions=config.permissions,
            max_asset={asset: from_decimal(most) for asset, most in config.max_asset.items()},
        )
        if account.name in self.engine.accounts:
            raise ValueError(f"two accounts are called {account.name!r}")
        for rules in self.engine.rules.values():
            account.balance(rules.base)
            account.balance(rules.quote)
        for asset, amount in config.balances.items():
            self.engine.credit(account, asset, from_decimal(amount))
        if self._replica is not None:
            self._replica.open_account(account)
        return self.engine.open_account(account)

    def open_participant(self, name: str) -> Account:
        """An account of the market's own, without fees; it is endowed where it trades."""
        if name in self.engine.accounts:
            raise ValueError(f"an account is called {name!r}, as one of the venue's own is")
        return self.engine.open_account(Account(name, 0, 0, 0, 0, is_participant=True))

    def as_queried(self, account: Account) -> Account:
        """The account as queries see it: itself, or a copy that lags behind."""
        return account if self._replica is None else self._replica.read(account)

    def new_client_id(self) -> str:
        """22 characters, as the venue makes where a client sends none."""
        return "".join(self._random.choices(_ID_CHARACTERS, k=22))

    def new_participant_id(self) -> str:
        self._last_participant_id += 1
        return f"m{self._last_participant_id}"

    def place(self, account: Account, new: NewOrder, now_ms: int) -> Order:
        """Raises VenueError where the engine refuses."""
        order, events = self.engine.place(account, new, now_ms)
        self._publish(events)
        return order

    def place_list(self, account: Account, new: NewOrderList, now_ms: int) -> OrderList:
        """Raises VenueError where the engine refuses."""
        order_list, events = self.engine.place_list(account, new, now_ms)
        self._publish(events)
        return order_list

    def cancel(self, order: Order, cancel_client_id: str, now_ms: int) -> None:
        """Cancels the order's whole list where it is part of one."""
        self._publish(self.engine.cancel(order, cancel_client_id, now_ms))

    def expire(self, order: Order, reason: ExpiryReason, now_ms: int) -> None:
        """End an open order as only the venue can."""
        self._publish(self.engine.expire(order, reason, now_ms))

    def amend(self, order: Order, qty: int, client_id: str, now_ms: int) -> Amendment:
        """Raises VenueError where the engine refuses."""
        amendment, events = self.engine.amend(order, qty, client_id, now_ms)
        self._publish(events)
        return amendment

    def requote(
        self,
        account: Account,
        symbol: str,
        cuts: Iterable[tuple[Order, int]],
        added: Iterable[NewOrder],
        now_ms: int,
        *,
        update_id: int = 0,
    ) -> list[Order]:
        """One change of what a participant has in a book: the orders it added."""
        orders, events = self.engine.requote(
            account, symbol, cuts, added, now_ms, update_id=update_id
        )
        self._publish(events)
        return orders

    def report_rejected(
        self, account: Account, new: NewOrder, reason: RejectReason, now_ms: int
    ) -> None:
        self._publish(self.engine.report_rejected(account, new, reason, now_ms))

    def credit(self, account: Account, asset: str, amount: int, now_ms: int) -> None:
        """A deposit, or a withdrawal where it is negative; VenueError beyond what is free."""
        self._publish(self.engine.credit(account, asset, amount, now_ms))

    def lock(self, account: Account, asset: str, amount: int, now_ms: int) -> None:
        """For another system, or released where it is negative; VenueError beyond what is there."""
        self._publish(self.engine.lock(account, asset, amount, now_ms))

    def change_symbol(self, symbol: str, *, status: str | None = None, filters: Any = None) -> None:
        """Give a symbol another status or other filters; ValueError says what is wrong."""
        rules = self.engine.rules.get(symbol)
        if rules is None:
            raise ValueError(f"symbol {symbol!r} is not listed here")
        self.engine.rules[symbol] = changed(rules, status=status, filters=filters)
        for told in self.on_symbol_changed:
            told(symbol)

    def record_past(self, trade: Trade) -> None:
        """A trade from before the venue opened."""
        self.engine.note_past(trade)
        self.tapes[trade.symbol].add(trade)

    def reference(self, symbol: str, minutes: int, now_ms: int) -> int:
        """The price that filters compare with: the reference price, else the average over the
        minutes, else the last price; 0 where there is none.
        """
        reference = self.engine.books[symbol].reference
        price = reference.price(now_ms) if reference is not None else 0
        return price or self.tapes[symbol].average_price(now_ms, minutes)

    def _publish(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Trade):
                self.tapes[event.symbol].add(event)
            for listener in self.listeners:
                listener(event)
        for settled in self.settled:
            settled()
