"""Faults on command: which were ordered, and what each one strikes.

A path names what is struck: a REST path (``/api/v3/order``), a method of the WebSocket API
(``order.place``), a market stream (``btcusdt@depth``) or all user data (``user``).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from otonom_trader.testnet.clock import Clock
from otonom_trader.testnet.faults import (
    CONNECTION_TROUBLES,
    FAULTS,
    USER_PATH,
    Door,
    Fault,
    Hitch,
    Trouble,
)


@dataclass(slots=True)
class OrderedFault:
    """A fault that was ordered: for ``count`` strikes, until a time, or by chance."""

    fault_id: int
    path: str
    method: str | None
    name: str
    executed: bool
    count: int | None
    until: float | None
    probability: float | None
    ms: int
    retry_after_s: int
    on_event: bool
    struck: int = 0
    is_ended: bool = False

    @property
    def fault(self) -> Fault:
        return FAULTS[self.name]

    @property
    def is_delay(self) -> bool:
        """Whether what it strikes goes its way, only later: whoever waits for it."""
        return self.fault.hitch is not None and self.fault.hitch[1] is Hitch.DELAY

    @property
    def is_used_up(self) -> bool:
        """Whether it strikes nothing any more."""
        return self.count is not None and self.struck >= self.count

    @property
    def title(self) -> str:
        """What it does, and where."""
        place = self.path if self.method is None else f"{self.method} {self.path}"
        return f"{self.name} on {place}"

    @property
    def count_left(self) -> int | None:
        """How many strikes are still to come; None where they are not counted."""
        return None if self.count is None else max(0, self.count - self.struck)

    def seconds_left(self, now: float) -> float | None:
        """How long it is still in force; None where that is not a matter of time."""
        return None if self.until is None else max(0.0, round(self.until - now, 1))

    def as_json(self, now: float) -> dict[str, Any]:
        """As GET /testnet/faults shows it; ``now`` is the time of the clock it was ordered by."""
        return {
            "id": self.fault_id,
            "path": self.path,
            "method": self.method,
            "fault": self.name,
            "executed": self.executed,
            "count": self.count,
            "count_left": self.count_left,
            "seconds_left": self.seconds_left(now),
            "probability": self.probability,
            "ms": self.ms,
            "retry_after_s": self.retry_after_s,
            "on_event": self.on_event,
            "struck": self.struck,
        }


class Faults:
    """The faults in force, oldest first; the first that fits strikes.

    ``listeners`` are told of each new one, so that those for connections strike at once, and
    ``witnesses`` of each strike.
    """

    def __init__(self, clock: Clock, seed: int) -> None:
        self.listeners: Final[list[Callable[[OrderedFault], None]]] = []
        self.witnesses: Final[list[Callable[[OrderedFault], None]]] = []
        self._clock: Final = clock
        self._random: Final = Random(seed)  # noqa: S311  chance of faults, not secrets
        self._orders: dict[int, OrderedFault] = {}
        self._last_id = 0

    def add(self, wanted: Mapping[str, Any]) -> int:
        """Order a fault from the body of POST /testnet/faults; ValueError says what is wrong."""
        ordered = self._read(wanted)
        self._last_id = ordered.fault_id
        self._orders[ordered.fault_id] = ordered
        for listener in self.listeners:
            listener(ordered)
        return ordered.fault_id

    @property
    def is_empty(self) -> bool:
        """Whether surely none is in force; quick to ask."""
        return not self._orders

    def take(
        self, method: str, path: str, *, at_once: bool = False, is_leaving: bool = False
    ) -> OrderedFault | None:
        """The fault that strikes this request or event, if one does; it is counted as struck.

        ``at_once`` asks without an event: only what strikes connections and waits for none. A
        connection that is leaving is not told so again.
        """
        if not self._orders:
            return None
        self._forget_ended()
        for order in self._orders.values():
            if order.path != path or order.method not in (None, method) or order.is_used_up:
                continue
            if at_once and (order.on_event or order.fault.trouble not in CONNECTION_TROUBLES):
                continue
            if is_leaving and order.fault.trouble is Trouble.SHUTDOWN:
                continue
            if order.probability is not None and self._random.random() >= order.probability:
                continue
            order.struck += 1
            for witness in self.witnesses:
                witness(order)
            return order
        return None

    def is_over(self, ordered: OrderedFault) -> bool:
        """Whether what it did to a connection is to end: its time is over, or it was ended."""
        return ordered.is_ended or (
            ordered.until is not None and self._clock.monotonic() >= ordered.until
        )

    def in_force(self) -> list[OrderedFault]:
        self._forget_ended()
        return list(self._orders.values())

    def as_json(self, ordered: Iterable[OrderedFault]) -> list[dict[str, Any]]:
        """As GET /testnet/faults shows them."""
        now = self._clock.monotonic()
        return [each.as_json(now) for each in ordered]

    def end(self, fault_id: int) -> OrderedFault | None:
        """End one fault; None when it was not in force."""
        self._forget_ended()
        ordered = self._orders.pop(fault_id, None)
        if ordered is not None:
            ordered.is_ended = True
        return ordered

    def end_all(self) -> list[OrderedFault]:
        """End what is in force."""
        ended = self.in_force()
        for ordered in ended:
            ordered.is_ended = True
        self._orders.clear()
        return ended

    def _read(self, wanted: Mapping[str, Any]) -> OrderedFault:
        unknown = wanted.keys() - _FIELDS
        if unknown:
            raise ValueError(
                f"unknown field {min(unknown)!r}; the fields are {', '.join(sorted(_FIELDS))}"
            )
        path, name, method = wanted.get("path"), wanted.get("fault"), wanted.get("method")
        if not isinstance(path, str) or not path:
            raise ValueError("path is missing, for example /api/v3/order")
        if not isinstance(name, str) or name not in FAULTS:
            raise ValueError(f"fault {name!r} is unknown; the faults are {', '.join(FAULTS)}")
        fault, door = FAULTS[name], Door.of(path)
        if door not in fault.doors:
            places = " or ".join(each.value for each in Door if each in fault.doors)
            raise ValueError(f"{name} strikes {places}; {path!r} is not one")
        if method is not None and door is not Door.REST:
            raise ValueError(f"method is for REST paths only; {path!r} is not one")
        if method is not None and not isinstance(method, str):
            raise ValueError("method must be a text such as POST")
        if fault.trouble is Trouble.TERMINATE and path != USER_PATH:
            raise ValueError("terminate ends user data subscriptions: its path is user")
        executed = wanted.get("executed", fault.executes)
        if not isinstance(executed, bool):
            raise ValueError("executed must be true or false")
        if fault.fixed and executed is not fault.executes:
            raise ValueError(f"executed of {name} is always {str(fault.executes).lower()}")
        on_event = wanted.get("on_event", False)
        if not isinstance(on_event, bool):
            raise ValueError("on_event must be true or false")
        if on_event and door is not Door.STREAM:
            raise ValueError(f"on_event is for streams only; {path!r} is not one")
        count = _number(wanted, "count", whole=True)
        seconds = _number(wanted, "seconds")
        probability = _number(wanted, "probability")
        if probability is not None and probability > 1:
            raise ValueError("probability is above 1")
        if count is None and seconds is None and probability is None:
            raise ValueError("say how long: count, seconds or probability")
        return OrderedFault(
            fault_id=self._last_id + 1,
            path=path,
            method=method.upper() if method else None,
            name=name,
            executed=executed,
            count=None if count is None else int(count),
            until=None if seconds is None else self._clock.monotonic() + seconds,
            probability=probability,
            ms=_option(wanted, "ms", name, fault.ms),
            retry_after_s=_option(wanted, "retry_after_s", name, fault.retry_after_s),
            on_event=on_event,
        )

    def _forget_ended(self) -> None:
        """Silence that is used up lasts where it struck, so it stays until it is ended."""
        now = self._clock.monotonic()
        self._orders = {
            fault_id: order
            for fault_id, order in self._orders.items()
            if (not order.is_used_up or order.fault.trouble is Trouble.SILENCE)
            and (order.until is None or now < order.until)
        }


_FIELDS: Final = frozenset(
    {
        "path",
        "method",
        "fault",
        "count",
        "seconds",
        "probability",
        "executed",
        "ms",
        "retry_after_s",
        "on_event",
    }
)


def _number(wanted: Mapping[str, Any], name: str, *, whole: bool = False) -> float | None:
    value = wanted.get(name)
    if value is None:
        return None
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or value <= 0 or (whole and not isinstance(value, int)):
        raise ValueError(f"{name} must be a {'whole ' if whole else ''}number above 0")
    return float(value)


def _option(wanted: Mapping[str, Any], field: str, name: str, default: int | None) -> int:
    """A field that only some faults have; 0 as the default says that it must be given."""
    value = _number(wanted, field, whole=True)
    if default is None:
        if value is not None:
            raise ValueError(f"{name} has no {field}")
        return 0
    if value is None and not default:
        raise ValueError(f"{name} needs {field}")
    return default if value is None else int(value)
