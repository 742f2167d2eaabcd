"""A configuration that is saved while the daemon runs: applied as a whole, or refused as a whole.

Source: promises.md, P14 and fault 36.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from typing import Any

import structlog

from otonom_trader.daemon.configuration import Configuration, ConfigurationFiles, Texts
from otonom_trader.daemon.configuration_change import (
    RESTART,
    Change,
    changes_of,
    differences,
    objections,
)
from otonom_trader.daemon.control import Handler
from otonom_trader.domain.errors import ConfigurationError, NotPermitted
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("reload")

_PAUSE_SECONDS = 0.1
_MOST_READINGS = 20

PutInForce = Callable[[Configuration, Callable[[], Awaitable[None]]], Awaitable[None]]
"""Has all that trades go by a configuration, once the given record of it is durable."""


class Reload:
    """Keeps what is in force, and takes over what is saved where it is tighter.

    `in_force` is what the daemon was started with and then what was applied, `since` when that was.
    `refused` is why what lies on disk is not in force, None where nothing was refused. `is_halted`
    says whether the latch is set.
    """

    def __init__(
        self,
        files: ConfigurationFiles,
        configuration: Configuration,
        journal: Journal,
        clock: Clock,
        is_halted: Callable[[], bool],
        put_in_force: PutInForce,
    ) -> None:
        self.in_force = configuration
        self.since: datetime | None = None
        self.refused: str | None = None
        self._files = files
        self._journal = journal
        self._clock = clock
        self._is_halted = is_halted
        self._put_in_force = put_in_force
        self._judged: Texts | None = None
        self._seen: Texts | None = None
        self._one_at_a_time = asyncio.Lock()

    async def begin(self) -> None:
        """Journal what is in force from the start on, and in what it differs from the last run."""
        last = await self._journal.last_configuration()
        before = json.loads(last or self.in_force.text)
        await self._record(self.in_force, changes_of(before, json.loads(self.in_force.text)))

    async def watch(self) -> None:
        """Look at the files once; what was saved is taken over when it is read alike twice.

        An editor may be halfway through writing when it is read first.
        """
        texts = self._files.texts()
        if texts == self._seen and texts != self._judged:
            await self._judge(texts, told_if_same=self._judged is not None)
        self._seen = texts

    def handlers(self) -> dict[str, Handler]:
        """Return the commands of the control socket by name."""
        return {"reload": self.reload}

    async def reload(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Read the files; return what changed, and in `configuration_refused` why nothing did."""
        changes = await self.read_now()
        return {"changes": [str(change) for change in changes], **self.facts()}

    async def read_now(self, *, told_if_same: bool = True) -> tuple[Change, ...]:
        """Read the files because somebody asks, once they keep still; return what was applied."""
        texts = self._files.texts()
        for _ in range(_MOST_READINGS):
            await self._clock.sleep(_PAUSE_SECONDS)
            before, texts = texts, self._files.texts()
            if texts == before:
                return await self._judge(texts, told_if_same=told_if_same)
        self._refuse("the files of the configuration change all the time: save them once")
        return ()

    async def require_trading(self) -> None:
        """Read the files; raise `NotPermitted` while ``kill_switch: true`` is in force."""
        await self.read_now(told_if_same=False)
        guardrails = self.in_force.broker.risk_guardrails
        if guardrails.kill_switch:
            origin = self.in_force.values["risk_guardrails.kill_switch"].origin
            why = f"; what lies on disk is refused: {self.refused}" if self.refused else ""
            raise NotPermitted(
                f"kill_switch is true in {origin}: set it to false, then resume{why}"
            )

    def facts(self) -> dict[str, Any]:
        """Return what a status tells of it."""
        return {
            "configuration": self.in_force.hash[:12],
            "configuration_since": self.since,
            "configuration_refused": self.refused,
        }

    async def _judge(self, texts: Texts, *, told_if_same: bool) -> tuple[Change, ...]:
        async with self._one_at_a_time:
            return await self._take_over(texts, told_if_same=told_if_same)

    async def _take_over(self, texts: Texts, *, told_if_same: bool) -> tuple[Change, ...]:
        self._judged = texts
        try:
            saved = self._files.load()
        except ConfigurationError as wrong:
            self._refuse(str(wrong))
            return ()
        if self._files.texts() != texts:
            self._judged = None  # saved again meanwhile: what was loaded may be half of it
            return ()
        refusals = objections(self.in_force, saved, halted=self._is_halted())
        if refusals:
            self._refuse(*refusals, remedy=RESTART)
            return ()
        self.refused = None
        changes = differences(self.in_force, saved)
        if changes:
            await self._put_in_force(saved, lambda: self._record(saved, changes))
            self.in_force = saved
            told = [str(change) for change in changes]
            log.info("config.reloaded", changes=told, configuration=saved.hash[:12])
        elif told_if_same:
            log.info("config.unchanged", configuration=saved.hash[:12])
        return changes

    def _refuse(self, *reasons: str, remedy: str = "") -> None:
        end = f"; {remedy}" if remedy else ""
        self.refused = "; ".join(reasons) + end
        for reason in reasons:
            log.error("config.refused", reason=reason + end)

    async def _record(self, configuration: Configuration, changes: tuple[Change, ...]) -> None:
        diff = json.dumps([asdict(change) for change in changes], ensure_ascii=False)
        await self._journal.record_configuration(
            configuration.hash, configuration.text, version("otonom-trader"), diff
        )
        self.since = self._clock.now()
