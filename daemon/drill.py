"""The kill switch rehearsed: tripped by a real signal, measured, and put on record.

On production nothing is sent, no cancel either: the gate is closed, and that is all.
Source: design.md, "The way of a kill"; docs/emergency.md.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final

from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.daemon.control import Handler
from otonom_trader.daemon.floor import Floor
from otonom_trader.daemon.halt import Halt
from otonom_trader.daemon.kill import DRILL, DRY_DRILL
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.domain.errors import NotPermitted, TraderError
from otonom_trader.domain.mode import DaemonState, Mode
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.drills import Drill
from otonom_trader.storage.journal import Journal

ANNOUNCED_SECONDS: Final = 5.0
"""How soon the signal must follow its announcement."""
VERIFIED_SECONDS: Final = 60.0
"""How long own orders may take to be gone."""
ANSWER_SECONDS: Final = VERIFIED_SECONDS + 30.0
"""How long whoever asked for a rehearsal waits to hear of it."""
_LOOK_SECONDS: Final = 0.005
_MS: Final = 1_000_000
_NS: Final = 1_000_000_000


class Drills:
    """What a running daemon does of a rehearsal; the signal itself comes from outside.

    `floor` returns what trades, `resume` clears the latch for a reason and trades on.
    """

    def __init__(
        self,
        config: BrokerConfig,
        lifecycle: Lifecycle,
        halt: Halt,
        journal: Journal,
        clock: Clock,
        floor: Callable[[], Floor | None],
        resume: Callable[[str], Awaitable[None]],
    ) -> None:
        self._environment = "testnet" if config.use_testnet else "production"
        self._mode = config.mode
        self._lifecycle = lifecycle
        self._switch = lifecycle.switch
        self._halt = halt
        self._journal = journal
        self._clock = clock
        self._floor = floor
        self._resume = resume

    def handlers(self) -> dict[str, Handler]:
        """Return the commands by name."""
        return {
            "drill_announce": self.announce,
            "drill_measure": self.measure,
            "drills": self.drills,
        }

    async def announce(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Expect the signal of a rehearsal `by` somebody; raises `NotPermitted` unless trading."""
        state = self._lifecycle.state
        if state is not DaemonState.RUNNING:
            raise NotPermitted(f"the daemon is {state}: a drill needs one that is RUNNING")
        door = DRILL if self._environment == "testnet" else DRY_DRILL
        by = str(arguments.get("by", ""))
        self._switch.announce(f"rehearsed by {by}", door, ANNOUNCED_SECONDS)
        return {"environment": self._environment}

    async def measure(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Tell what followed the signal of `signalled_ns` (monotonic), and put it on record.

        With `resume`, trading goes on then, unless somebody else has killed meanwhile. Raises
        `TraderError` where the signal did not come, or own orders are not gone in time.
        """
        signalled_ns = int(arguments["signalled_ns"])
        latched_ns = await self._latched(signalled_ns)
        floor = self._floor()
        if floor is None:
            raise NotPermitted("the venue has not been reached yet")
        verified_ns = await self._verified() if self._sends else None
        last_ns = floor.broker.venue.last_order_ns or 0
        drill = Drill(
            at=self._clock.now(),
            by=str(arguments.get("by", "")),
            environment=self._environment,
            mode=self._mode,
            latch_ms=(latched_ns - signalled_ns) / _MS,
            last_order_ms=None if last_ns < signalled_ns else (last_ns - signalled_ns) / _MS,
            orders_cancelled=self._halt.withdrawal.cancelled,
            verified_ms=None if verified_ns is None else (verified_ns - signalled_ns) / _MS,
        )
        await self._journal.record_drill(drill)
        if arguments.get("resume"):
            await self._go_on()
        return asdict(drill) | {"state": self._lifecycle.state}

    async def drills(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the newest `limit` rehearsals on record."""
        found = await self._journal.drills(int(arguments.get("limit", 100)))
        return {"rows": [asdict(drill) for drill in found]}

    @property
    def _sends(self) -> bool:
        return self._environment == "testnet" and self._mode is Mode.LIVE

    async def _latched(self, signalled_ns: int) -> int:
        """Return when the latch was durable; raises `TraderError` where that does not come."""
        deadline_ns = signalled_ns + int(ANNOUNCED_SECONDS * _NS)
        while (latched_ns := self._switch.latched_ns or 0) < signalled_ns:
            if self._switch.unwritten is not None:
                raise TraderError(f"the latch cannot be written: {self._switch.unwritten}")
            if self._clock.monotonic_ns() > deadline_ns:
                raise TraderError("the signal has not come: is the daemon another process?")
            await self._clock.sleep(_LOOK_SECONDS)
        return latched_ns

    async def _verified(self) -> int:
        deadline_ns = self._clock.monotonic_ns() + int(VERIFIED_SECONDS * _NS)
        while (verified_ns := self._halt.withdrawal.verified_ns) is None:
            if self._clock.monotonic_ns() > deadline_ns:
                left = self._halt.withdrawal.left
                raise TraderError(
                    f"halted, but own orders still work after {VERIFIED_SECONDS:g} s: "
                    f"{'unknown how many' if left is None else left}; otonom-trader panic"
                )
            await self._clock.sleep(_LOOK_SECONDS)
        return verified_ns

    async def _go_on(self) -> None:
        if self._switch.asked > 1:
            raise NotPermitted(
                "measured and on record, but somebody else has killed meanwhile: look, then "
                "otonom-trader resume --reason TEXT"
            )
        if self._lifecycle.paper_only:
            raise NotPermitted(
                "measured and on record, but the venue answers too badly meanwhile: look, then "
                "otonom-trader resume --reason TEXT"
            )
        await self._resume("drill")
