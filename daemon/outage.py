"""What fails again and again, told in a few lines: its beginning, a reminder, its end."""

from dataclasses import dataclass
from typing import Any

from otonom_trader.domain.ports import Clock

_REMIND_NS = 60_000_000_000
_NS = 1_000_000_000


@dataclass(slots=True)
class _Spell:
    began_ns: int
    told_ns: int
    failures: int = 1


class Outage:
    """Logs to `log` that something is `failing`, and when it is `over`; both are names of events.

    Each `key`, such as a symbol, has outages of its own.
    """

    def __init__(self, log: Any, clock: Clock, failing: str, over: str) -> None:
        self._log = log
        self._clock = clock
        self._failing = failing
        self._over = over
        self._spells: dict[str, _Spell] = {}

    def failed(self, reason: str, key: str = "", **facts: object) -> None:
        """Take note of a failure; the first is a line, then one a minute says how many there were.

        `facts` are further fields of the line.
        """
        now_ns = self._clock.monotonic_ns()
        spell = self._spells.get(key)
        if spell is None:
            self._spells[key] = _Spell(now_ns, now_ns)
            self._log.warning(self._failing, reason=reason, **facts)
            return
        spell.failures += 1
        if now_ns - spell.told_ns >= _REMIND_NS:
            spell.told_ns = now_ns
            self._log.warning(self._failing, reason=reason, **facts, **_extent(spell, now_ns))

    def ended(self, key: str = "", **facts: object) -> bool:
        """Take note of a success; one that ends an outage is a line. Returns whether it did."""
        spell = self._spells.pop(key, None)
        if spell is None:
            return False
        self._log.info(self._over, **facts, **_extent(spell, self._clock.monotonic_ns()))
        return True


def _extent(spell: _Spell, now_ns: int) -> dict[str, object]:
    lasted_seconds = (now_ns - spell.began_ns) / _NS
    return {"failures": spell.failures, "lasted_seconds": round(lasted_seconds, 1)}
