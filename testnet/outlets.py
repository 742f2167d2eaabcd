"""What each connection is sent, path by path, through the faults in force.

An outlet is one subscription of one connection: to a market stream, whose name is its path, or to
the events of an account, path ``user``. A strike is one event to one connection, or one
connection:

- ``drop`` closes the connection without a word, ``server_shutdown`` announces it once and closes
  it ``ms`` later, ``terminate`` ends a user data subscription, ``silence`` leaves the connection
  open and sends nothing on it any more, pings and replies included, until the fault's time is over
  or it is ended. These strike every listener when they are ordered, whoever subscribes while they
  are in force, and whoever is about to get an event, which is lost unless the connection is only
  announced to close; with ``on_event`` only the last.
- ``omit`` loses an event, ``duplicate`` sends it twice, ``reorder`` sends it after the next one of
  its path, ``delay`` sends it ``ms`` later and holds up those behind it.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from aiohttp import WSCloseCode

from otonom_trader.testnet.clock import Clock
from otonom_trader.testnet.faults import Trouble
from otonom_trader.testnet.ordered_faults import Faults, OrderedFault
from otonom_trader.testnet.ws_session import Session


class Outlet:
    """``deliver`` sends an event, or does to it what was ordered."""

    def __init__(self, path: str, session: Session, outlets: "Outlets") -> None:
        self.path: Final = path
        self.session: Final = session
        self.terminate: Callable[[], None] = lambda: None
        """Ends the subscription, where that is something the venue does."""
        self._outlets: Final = outlets
        self._held_back: bytes | None = None
        self._late: Final[deque[tuple[float, bytes]]] = deque()

    def deliver(self, frame: bytes) -> None:
        faults = self._outlets.faults
        if self._held_back is not None:
            held_back, self._held_back = self._held_back, None
            self._send(frame)
            self._send(held_back)
        elif faults.is_empty:
            self._send(frame)
        else:
            self._meet(faults.take("", self.path, is_leaving=self.session.is_leaving), frame)

    def conclude(self, frame: bytes) -> None:
        """Send what says that nothing more will come, behind everything that is still to come."""
        if self._held_back is not None:
            held_back, self._held_back = self._held_back, None
            self._send(held_back)
        self._send(frame)

    def strike(self, ordered: OrderedFault) -> None:
        """What the fault does to the connection itself."""
        session, trouble = self.session, ordered.fault.trouble
        if trouble is Trouble.CLOSE:
            session.abort()
        elif trouble is Trouble.SILENCE:
            session.is_silent = lambda: not self._outlets.faults.is_over(ordered)
        elif trouble is Trouble.SHUTDOWN:
            session.is_leaving = True
            session.send(session.farewell())
            session.spawn(self._close_later(ordered.ms / 1000))
        elif trouble is Trouble.TERMINATE:
            self.terminate()

    def _meet(self, ordered: OrderedFault | None, frame: bytes) -> None:
        trouble = ordered.fault.trouble if ordered is not None else None
        if ordered is None:
            self._send(frame)
        elif trouble is Trouble.DUPLICATE:
            self._send(frame)
            self._send(frame)
        elif trouble is Trouble.REORDER:
            self._held_back = frame
        elif trouble is Trouble.DELAY:
            self._send_later(frame, ordered.ms / 1000)
        elif trouble is not Trouble.OMIT:
            self.strike(ordered)
            if trouble is Trouble.SHUTDOWN:
                self._send(frame)

    def _send(self, frame: bytes) -> None:
        if self._late:
            self._send_later(frame, 0)
        else:
            self.session.send(frame)

    def _send_later(self, frame: bytes, seconds: float) -> None:
        """Not before the frames that are late already."""
        due = self._outlets.clock.monotonic() + seconds
        if self._late:
            due = max(due, self._late[-1][0])
        self._late.append((due, frame))
        if len(self._late) == 1:
            self.session.spawn(self._catch_up())

    async def _catch_up(self) -> None:
        clock = self._outlets.clock
        while self._late:
            due, frame = self._late[0]
            if due > clock.monotonic():
                await clock.sleep(due - clock.monotonic())
            else:
                self.session.send(frame)
                self._late.popleft()

    async def _close_later(self, seconds: float) -> None:
        await self._outlets.clock.sleep(seconds)
        self.session.close(WSCloseCode.GOING_AWAY)


class Outlets:
    """All of them by path, so that a fault finds who is connected."""

    def __init__(self, faults: Faults, clock: Clock) -> None:
        self.faults: Final = faults
        self.clock: Final = clock
        # Dictionaries for their order: what strikes first must not depend on chance.
        self._by_path: Final[dict[str, dict[Outlet, None]]] = {}
        faults.listeners.append(self._on_ordered)

    def open(
        self, path: str, session: Session, terminate: Callable[[Outlet], None] | None = None
    ) -> Outlet:
        """A fault that is in force for connections strikes it when ``welcome`` is called."""
        outlet = Outlet(path, session, self)
        if terminate is not None:
            outlet.terminate = lambda: terminate(outlet)
        self._by_path.setdefault(path, {})[outlet] = None
        return outlet

    def welcome(self, outlet: Outlet) -> None:
        """To be called when the client knows of its subscription."""
        ordered = self.faults.take(
            "", outlet.path, at_once=True, is_leaving=outlet.session.is_leaving
        )
        if ordered is not None:
            outlet.strike(ordered)

    def close(self, outlet: Outlet) -> None:
        listening = self._by_path.get(outlet.path, {})
        listening.pop(outlet, None)
        if not listening:
            self._by_path.pop(outlet.path, None)

    def _on_ordered(self, _: OrderedFault) -> None:
        for listening in list(self._by_path.values()):
            for outlet in list(listening):
                self.welcome(outlet)
