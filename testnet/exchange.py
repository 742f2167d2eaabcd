"""The venue without its wire: engine, tapes and accounts behind two commands."""

from collections.abc import Callable
from random import Random
from typing import Final

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import from_decimal
from otonom_trader.testnet.config import AccountConfig, HistoryCaps
from otonom_trader.testnet.engine import Engine
from otonom_trader.testnet.exchange_info import BUILT_IN, SymbolRules
from otonom_trader.testnet.orders import Event, NewOrder, Order, Trade
from otonom_trader.testnet.tape import Tape

_ID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_FIRST_UID = 1_000_001


class Exchange:
    """All state of the venue. ``listeners`` are told every event, in order, as it happens."""

    def __init__(
        self, *, seed: int, history: HistoryCaps, symbols: tuple[SymbolRules, ...] = BUILT_IN
    ) -> None:
        self.engine: Final = Engine(symbols)
        self.tapes: Final = {
            rules.symbol: Tape(
                trades_cap=history.trades_per_symbol, klines_cap=history.klines_per_interval
            )
            for rules in symbols
        }
        self.listeners: Final[list[Callable[[Event], None]]] = []
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
            config.name or f"account-{uid}", uid, rate, rate, self._history.orders_per_account
        )
        if account.name in self.engine.accounts:
            raise ValueError(f"two accounts are called {account.name!r}")
        for rules in self.engine.rules.values():
            account.balance(rules.base)
            account.balance(rules.quote)
        for asset, amount in config.balances.items():
            self.engine.credit(account, asset, from_decimal(amount))
        return self.engine.open_account(account)

    def open_participant(self, name: str) -> Account:
        """An account of the market's own, without fees; it is endowed where it trades."""
        return self.engine.open_account(Account(name, 0, 0, 0, 0, is_participant=True))

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

    def cancel(self, order: Order, cancel_client_id: str, now_ms: int) -> None:
        self._publish(self.engine.cancel(order, cancel_client_id, now_ms))

    def _publish(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Trade):
                self.tapes[event.symbol].add(event)
            for listener in self.listeners:
                listener(event)
