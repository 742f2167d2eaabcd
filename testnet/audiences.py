"""Who listens to which market stream, and one way to tell all of them something."""

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from otonom_trader.testnet.outlets import Outlet
from otonom_trader.testnet.stream_names import StreamName


class Listener(Protocol):
    """A connection, by the form in which it wants its frames."""

    @property
    def ticks(self) -> int:
        """Output time units a millisecond."""
        ...

    @property
    def is_combined(self) -> bool: ...

    def framed(self, name: str, event: Any) -> bytes:
        """The payload of an event of that stream as a frame."""
        ...


class Audience:
    """Who listens to one stream."""

    def __init__(self, name: StreamName) -> None:
        self.name: Final = name
        self.listeners: Final[dict[Listener, Outlet]] = {}
        self.is_new = True
        """Whether somebody joined since the last event."""


class Audiences:
    """All streams that are listened to, and one way to tell them something."""

    def __init__(self) -> None:
        self._by_name: Final[dict[str, Audience]] = {}
        self.on_change: Callable[[], None] = lambda: None
        """To be called after joining and leaving, once for all of them."""

    def __iter__(self) -> Iterator[Audience]:
        return iter(list(self._by_name.values()))

    @property
    def is_empty(self) -> bool:
        return not self._by_name

    def find(self, name: str) -> Audience | None:
        return self._by_name.get(name)

    def join(self, name: StreamName, client: Listener, outlet: Outlet) -> None:
        audience = self._by_name.setdefault(name.text, Audience(name))
        audience.listeners[client] = outlet
        audience.is_new = True

    def leave(self, name: str, client: Listener) -> None:
        audience = self._by_name.get(name)
        if audience is None:
            return
        audience.listeners.pop(client, None)
        if not audience.listeners:
            del self._by_name[name]

    def publish(self, audience: Audience, event: Callable[[int], Any]) -> None:
        """``event`` makes the payload for that many ticks a millisecond."""
        audience.is_new = False
        frames: dict[tuple[int, bool], bytes] = {}
        for client, outlet in list(audience.listeners.items()):
            form = (client.ticks, client.is_combined)
            frame = frames.get(form)
            if frame is None:
                frame = frames[form] = client.framed(audience.name.text, event(client.ticks))
            outlet.deliver(frame)
