"""Faults on command: what is done to the next requests of a path, before and after they act.

A fault has up to three parts: what happens instead of acting or before it, what happens to the
reply afterwards, and a reply that replaces the real one. A new fault is one entry in ``FAULTS``.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Protocol

from otonom_trader.testnet.clock import Clock


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the client."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    content_type: str = "application/json;charset=UTF-8"


class Connection(Protocol):
    """The one thing a fault may do to the client's connection."""

    def close(self) -> None:
        """Close it without sending anything more."""
        ...


Step = Callable[[Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """``before`` and ``after`` run around the request's execution; one that closes the connection
    ends the exchange. ``reply`` replaces the real one. ``executes`` is the default of the field
    ``executed``; ``fixed`` says that it cannot be chosen.
    """

    before: Step | None = None
    after: Step | None = None
    reply: Reply | None = None
    executes: bool = True
    fixed: bool = True


async def _close(connection: Connection) -> None:
    connection.close()


async def _hold(_: Connection) -> None:
    """Until the client gives up or the venue closes; either cancels this."""
    await asyncio.get_running_loop().create_future()


FAULTS: Final[Mapping[str, Fault]] = {
    "drop_before": Fault(before=_close, executes=False),
    "drop_after": Fault(after=_close),
    "no_answer_before": Fault(before=_hold, executes=False),
    "no_answer_after": Fault(after=_hold),
    "http_503": Fault(
        reply=Reply(
            503,
            b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>",
            {},
            "text/html",
        ),
        fixed=False,
    ),
}


@dataclass(slots=True)
class OrderedFault:
    """A fault that was ordered: for ``count`` requests, until a time, or by chance."""

    fault_id: int
    path: str
    method: str | None
    name: str
    executed: bool
    count: int | None
    until: float | None
    probability: float | None
    struck: int = 0

    @property
    def fault(self) -> Fault:
        return FAULTS[self.name]

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.fault_id,
            "path": self.path,
            "method": self.method,
            "fault": self.name,
            "executed": self.executed,
            "count": self.count,
            "probability": self.probability,
            "struck": self.struck,
        }


class Faults:
    """The faults in force, oldest first; the first that fits a request strikes it."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock: Final = clock
        self._random: Final = Random(seed)  # noqa: S311  chance of faults, not secrets
        self._orders: dict[int, OrderedFault] = {}
        self._last_id = 0

    def add(self, wanted: Mapping[str, Any]) -> int:
        """Order a fault from the body of POST /testnet/faults; ValueError says what is wrong."""
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
        if method is not None and not isinstance(method, str):
            raise ValueError("method is not a text such as POST")
        fault = FAULTS[name]
        executed = wanted.get("executed", fault.executes)
        if not isinstance(executed, bool) or (fault.fixed and executed is not fault.executes):
            raise ValueError(f"executed of {name} is {str(fault.executes).lower()}")
        count = _number(wanted, "count", whole=True)
        seconds = _number(wanted, "seconds")
        probability = _number(wanted, "probability")
        if probability is not None and probability > 1:
            raise ValueError("probability is above 1")
        if count is None and seconds is None and probability is None:
            raise ValueError("say how long: count, seconds or probability")
        self._last_id += 1
        self._orders[self._last_id] = OrderedFault(
            fault_id=self._last_id,
            path=path,
            method=method.upper() if method else None,
            name=name,
            executed=executed,
            count=None if count is None else int(count),
            until=None if seconds is None else self._clock.monotonic() + seconds,
            probability=probability,
        )
        return self._last_id

    def take(self, method: str, path: str) -> OrderedFault | None:
        """The fault that strikes this request, if one does; it is counted as struck."""
        if not self._orders:
            return None
        self._forget_ended()
        for order in self._orders.values():
            if order.path != path or order.method not in (None, method):
                continue
            if order.probability is not None and self._random.random() >= order.probability:
                continue
            order.struck += 1
            return order
        return None

    def in_force(self) -> list[OrderedFault]:
        self._forget_ended()
        return list(self._orders.values())

    def end(self, fault_id: int) -> bool:
        """End one fault; False when it was not in force."""
        return self._orders.pop(fault_id, None) is not None

    def end_all(self) -> None:
        self._orders.clear()

    def _forget_ended(self) -> None:
        now = self._clock.monotonic()
        self._orders = {
            fault_id: order
            for fault_id, order in self._orders.items()
            if (order.count is None or order.struck < order.count)
            and (order.until is None or now < order.until)
        }


_FIELDS: Final = frozenset(
    {"path", "method", "fault", "count", "seconds", "probability", "executed"}
)


def _number(wanted: Mapping[str, Any], name: str, *, whole: bool = False) -> float | None:
    value = wanted.get(name)
    if value is None:
        return None
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or value <= 0 or (whole and not isinstance(value, int)):
        raise ValueError(f"{name} is not a {'whole ' if whole else ''}number above 0")
    return float(value)
