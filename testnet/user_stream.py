"""User data: which connection is told the events of which account, as they happen.

Sources: pages "User Data Stream" and "User Data Stream requests" of the WebSocket API. What
a request of a connection causes is pushed to that connection before the response to the request;
the documentation leaves the order of the two open. So it does the code for more than 1,000 active
subscriptions, here -1191, and for an unsubscription without any, here -2036.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from otonom_trader.testnet import user_events
from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.clock import Clock
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.events import (
    AccountPosition,
    BalanceUpdate,
    Event,
    Execution,
    ExternalLock,
    ListStatus,
)
from otonom_trader.testnet.faults import USER_PATH
from otonom_trader.testnet.outlets import Outlet, Outlets
from otonom_trader.testnet.ws_session import Session

MOST_ACTIVE: Final = 1000
MOST_EVER: Final = 65_535
_encode = msgspec.json.Encoder().encode


class Subscription:
    """The events of one account on one connection."""

    def __init__(
        self, subscription_id: int, account: Account, ticks: int, outlet: Outlet, *, by_logon: bool
    ) -> None:
        self.subscription_id: Final = subscription_id
        self.account: Final = account
        self.ticks: Final = ticks
        self.outlet: Final = outlet
        self.by_logon: Final = by_logon

    def framed(self, event: user_events.Json) -> bytes:
        return _encode({"subscriptionId": self.subscription_id, "event": event})


class UserStreams:
    """All subscriptions by account; ``on_event`` is for the engine's events."""

    def __init__(self, outlets: Outlets, clock: Clock) -> None:
        self.outlets: Final = outlets
        self.clock: Final = clock
        self._by_account: Final[dict[str, dict[Subscription, None]]] = {}

    def add(self, subscription: Subscription) -> None:
        self._by_account.setdefault(subscription.account.name, {})[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        of_account = self._by_account.get(subscription.account.name, {})
        of_account.pop(subscription, None)
        if not of_account:
            self._by_account.pop(subscription.account.name, None)
        self.outlets.close(subscription.outlet)

    def on_event(self, event: Event) -> None:
        if not self._by_account:
            return
        now_ms = self.clock.time_ms()
        if isinstance(event, Execution):
            self._tell(
                event.order.account,
                lambda ticks: user_events.execution_report(event, now_ms, ticks),
            )
        elif isinstance(event, AccountPosition):
            self._tell(
                event.account, lambda ticks: user_events.account_position(event, now_ms, ticks)
            )
        elif isinstance(event, BalanceUpdate):
            self._tell(
                event.account, lambda ticks: user_events.balance_update(event, now_ms, ticks)
            )
        elif isinstance(event, ExternalLock):
            self._tell(event.account, lambda ticks: user_events.external_lock(event, now_ms, ticks))
        elif isinstance(event, ListStatus):
            self._tell(event.account, lambda ticks: user_events.list_status(event, now_ms, ticks))

    def _tell(self, account: Account, payload: Callable[[int], user_events.Json]) -> None:
        for subscription in list(self._by_account.get(account.name, ())):
            subscription.outlet.deliver(subscription.framed(payload(subscription.ticks)))


class Subscriptions:
    """Those of one connection."""

    def __init__(self, session: Session, ticks: int, streams: UserStreams) -> None:
        self._session: Final = session
        self._ticks: Final = ticks
        self._streams: Final = streams
        self._active: Final[dict[int, Subscription]] = {}
        self._new: Final[list[Subscription]] = []
        self._next_id = 0

    @property
    def is_empty(self) -> bool:
        return not self._active

    def ids(self) -> list[int]:
        return list(self._active)

    def add(self, account: Account, *, by_logon: bool) -> int:
        """The new subscription's id. Raises VenueError: -2035 where the account has one here,
        -2042 where all ids are used up, -1191 where too many are active.
        """
        if any(each.account is account for each in self._active.values()):
            raise VenueError(-2035, "User Data Stream subscription already active.")
        if self._next_id >= MOST_EVER:
            raise VenueError(-2042, "Maximum subscription ID reached for this connection.")
        if len(self._active) >= MOST_ACTIVE:
            raise VenueError(
                -1191,
                "Too many subscriptions. Connection may create up to "
                f"'{MOST_ACTIVE}' subscriptions at a time.",
            )
        subscription_id = self._next_id
        self._next_id += 1
        outlet = self._streams.outlets.open(USER_PATH, self._session)
        subscription = Subscription(
            subscription_id, account, self._ticks, outlet, by_logon=by_logon
        )
        outlet.terminate = lambda: self._end(subscription)
        self._active[subscription_id] = subscription
        self._new.append(subscription)
        self._streams.add(subscription)
        return subscription_id

    def welcome(self) -> None:
        """Let faults meet the new ones, once their responses are on their way."""
        while self._new:
            self._streams.outlets.welcome(self._new.pop().outlet)

    def end(self, subscription_id: int | None) -> None:
        """One, or all; -2036 where there is none to end."""
        ending = (
            list(self._active.values())
            if subscription_id is None
            else [each for each in (self._active.get(subscription_id),) if each is not None]
        )
        if not ending:
            raise VenueError(-2036, "User Data Stream subscription not active.")
        for subscription in ending:
            self._end(subscription)

    def end_logon(self) -> None:
        """What a logout ends."""
        for subscription in list(self._active.values()):
            if subscription.by_logon:
                self._end(subscription)

    def drop_all(self) -> None:
        """The connection is gone: nobody is told."""
        for subscription in self._active.values():
            self._streams.remove(subscription)
        self._active.clear()

    def _end(self, subscription: Subscription) -> None:
        if self._active.pop(subscription.subscription_id, None) is None:
            return
        self._streams.remove(subscription)
        now_ms = self._streams.clock.time_ms()
        event = user_events.stream_terminated(now_ms, self._ticks)
        subscription.outlet.conclude(subscription.framed(event))
