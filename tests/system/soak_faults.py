"""What strikes in a soak: every fault that neither halts, nor pauses all requests, nor bans."""

from collections import Counter
from collections.abc import Mapping
from itertools import cycle
from typing import Any

from tests.system.rig import Rig

# By name, with what else is said of it.
_OF_REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "drop_before": {},
    "drop_after": {},
    "no_answer_before": {},
    "no_answer_after": {},
    "delay_before": {},
    "delay_after": {},
    "truncate_json": {},
    "error_1006": {},
    "error_1007": {},
    "error_1008": {},
}
_OF_REST: Mapping[str, Mapping[str, Any]] = {
    **_OF_REQUESTS,
    "reset_mid_reply": {},
    "html_502": {},
    "http_503": {},
    "redirect": {},
    "slow_drip": {"ms": 20},
}
_OF_EVENTS: Mapping[str, Mapping[str, Any]] = {
    "duplicate": {},
    "reorder": {},
    "delay": {"ms": 50},
    "omit": {},
}
_OF_CONNECTIONS: Mapping[str, Mapping[str, Any]] = {
    "drop": {},
    "server_shutdown": {"ms": 300},
    "terminate": {},
    "silence": {},
}
KINDS = frozenset(_OF_REST) | frozenset(_OF_EVENTS) | frozenset(_OF_CONNECTIONS)

_ORDERS = (("POST", "/api/v3/order"), ("DELETE", "/api/v3/order"))
_READS = (
    *(("GET", "/api/v3/order"), ("GET", "/api/v3/myTrades"), ("GET", "/api/v3/account")),
    *(("GET", "/api/v3/openOrders"), ("GET", "/api/v3/depth")),
)
_ORDERS_OVER_WS = ("order.place", "order.cancel")
_BOOK = "btcusdt@depth@100ms"
_STREAMS = ("user", _BOOK)
_SHAKES = (
    *(("drop", "user"), ("server_shutdown", _BOOK), ("terminate", "user"), ("silence", _BOOK)),
    *(("drop", _BOOK), ("server_shutdown", "user"), ("terminate", "user"), ("silence", "user")),
)
_OF_EVERY_EVENT = 0.01
_OF_EVERY_READ = 0.00075  # of each kind: about one read in seventy
_LEFT_EXECUTED = ("html", "http", "error")
"""What these begin does not say whether the request was carried out: both are ordered."""


class Storm:
    """Orders the faults, and counts how often each kind has struck."""

    def __init__(self, one: Rig, probability: float) -> None:
        self._one = one
        self._probability = probability
        # By then nobody waits for the answer any more.
        self._too_late = {"ms": int(one.config.timeout_seconds * 1000) + 100}
        self._shaken: Counter[str] = Counter()
        self._shakes = cycle(_SHAKES)
        self._shake: tuple[str, int] | None = None

    async def begin(self) -> None:
        """Have requests and events struck by chance, reads more rarely than orders."""
        for method, path in _ORDERS:
            await self._by_chance(_OF_REST, path, self._probability, method=method)
        for method, path in _READS:
            await self._by_chance(_OF_REST, path, _OF_EVERY_READ, method=method)
        for method in _ORDERS_OVER_WS:
            await self._by_chance(_OF_REQUESTS, method, self._probability)
        for stream in _STREAMS:
            await self._by_chance(_OF_EVENTS, stream, _OF_EVERY_EVENT)

    async def shake(self) -> None:
        """Strike whoever is connected, or connects next; each time in another way."""
        await self._count_shake()
        if self._shake is None:
            name, stream = next(self._shakes)
            self._shake = name, await self._one.fault(name, stream, **_OF_CONNECTIONS[name])

    async def struck(self) -> Counter[str]:
        """How often each kind has struck so far."""
        await self._count_shake()
        counts = Counter(self._shaken)
        for fault in await self._in_force():
            if fault["probability"] is not None:
                counts[fault["fault"]] += fault["struck"]
        return counts

    async def _count_shake(self) -> None:
        """Count the last shake, unless nobody has been there since."""
        if self._shake is None:
            return
        name, number = self._shake
        if all(fault["struck"] for fault in await self._in_force() if fault["id"] == number):
            self._shaken[name] += 1
            self._shake = None

    async def _in_force(self) -> list[dict[str, Any]]:
        return list(await self._one.ask("faults", {}, "GET"))

    async def _by_chance(
        self,
        faults: Mapping[str, Mapping[str, Any]],
        path: str,
        probability: float,
        **more: Any,
    ) -> None:
        for name, said in faults.items():
            for executed in (True, False) if name.startswith(_LEFT_EXECUTED) else (None,):
                known = {} if executed is None else {"executed": executed}
                late = self._too_late if name.startswith("delay_") else {}
                wanted = {"probability": probability, **more, **said, **late, **known}
                await self._one.fault(name, path, **wanted)
