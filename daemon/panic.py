"""Halt and cancel without the daemon, or beside one that is dead or hangs.

The journal is not opened: it may be locked, damaged, or on a full disk.
Source: design.md, "The way of a kill"; docs/emergency.md.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from otonom_trader.brokers.binance.errors import AUTH
from otonom_trader.brokers.binance.order_cancels import BinanceCancels
from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.brokers.factory import build_cancels
from otonom_trader.daemon.control import SOCKET_NAME, ask
from otonom_trader.daemon.kill import KillSwitch, unlatched
from otonom_trader.daemon.operations import confirmation, signal_daemon
from otonom_trader.daemon.settings import Settings
from otonom_trader.daemon.withdrawal import Cancelled, cancel_working, own
from otonom_trader.domain.amount import plain
from otonom_trader.domain.errors import NotPermitted, TraderError, VenueError, VenueUnreachable
from otonom_trader.domain.order import OrderResult
from otonom_trader.domain.ports import Clock

BY = "otonom-trader panic"
_BY_HAND = "orders may work on, cancel them at the venue by hand"
_PAUSE_SECONDS = 1.0
_MOST_NAMED = 5
_RECENT_SECONDS = 60.0
_NS = 1_000_000_000

Say = Callable[[str], None]
Load = Callable[[], tuple[BrokerConfig, Settings]]


class Panic:
    """Trips the latch of `state_dir`, signals its daemon, and cancels; tells each step to `say`.

    What of a halt cannot be done does not keep orders from being cancelled: it is in `objections`,
    a sentence each.
    """

    def __init__(self, state_dir: Path, clock: Clock, say: Say, timeout_seconds: float) -> None:
        self._state_dir = state_dir
        self._clock = clock
        self._say = say
        self._began_ns = clock.monotonic_ns()
        self._timeout_seconds = timeout_seconds
        self.objections: list[str] = []
        self._daemon: int | None = None

    def halt(self, reason: str) -> None:
        """Set the latch, and signal the daemon that runs, if one does."""
        switch = KillSwitch(self._state_dir)
        try:
            switch.open()
            try:
                switch.trip(reason, BY)
            finally:
                switch.close()
            self._say(f"halted: the latch {switch.path} is set")
        except OSError as fault:
            self.objections.append(unlatched(self._state_dir, fault))
        try:
            self._daemon = signal_daemon(self._state_dir)
        except TraderError as refusal:
            self.objections.append(str(refusal))
        if self._daemon is not None:
            self._say(f"daemon {self._daemon} is signalled")

    async def cancel(self, load: Load, *, every: bool) -> None:
        """Cancel own working orders, or `every` order of the account; return once that is verified.

        Raises `VenueUnreachable` where the venue does not answer in time, `NotPermitted` where it
        refuses the key or there is none, `TraderError` where orders are left.
        """
        config, settings = load()
        venue = build_cancels(config, self._clock)
        if venue is None:
            self._say("the dummy broker has no venue: there is nothing to cancel")
            await self._confirm()
            return
        async with venue:
            ended = await asyncio.gather(
                self._confirm(),
                self._until_none(venue, config, settings, every=every),
                return_exceptions=True,
            )
        for failure in ended:
            if failure is not None:
                raise failure

    async def _confirm(self) -> None:
        """Have the daemon say that it is halted."""
        if self._daemon is None:
            return
        try:
            status = await confirmation(self._state_dir, self._daemon)
        except TraderError as silence:
            self.objections.append(str(silence))
            return
        said = "has ended" if status is None else f"is {status['state']}"
        self._say(f"daemon {self._daemon} {said}")

    async def _until_none(
        self, venue: BinanceCancels, config: BrokerConfig, settings: Settings, *, every: bool
    ) -> None:
        wanted = _any if every else own
        whose = "" if every else " of the daemon's"
        host = config.base_url
        self._say(f"asking {host} for working orders")
        await self._cancel_until_none(venue, wanted)
        left_seconds = venue.unknown_fence_seconds - self._elapsed_seconds()
        if left_seconds > 0 and self._may_be_on_its_way(settings):
            self._say(
                f"no order{whose} is left; one that was on its way may turn up for another "
                f"{left_seconds:.0f} s: looking until then"
            )
            await self._wait_for_the_late(left_seconds)
            await self._cancel_until_none(venue, wanted)
        self._say(f"verified: no order{whose} works at {host}")

    async def _cancel_until_none(
        self, venue: BinanceCancels, wanted: Callable[[OrderResult], bool]
    ) -> None:
        told = ""
        while True:
            failed: TraderError
            try:
                sent = await cancel_working(venue, wanted)
                if not sent:
                    return
                for order, result in sent:
                    self._say(_line(order, result))
                if all(result.ok for _, result in sent):
                    continue  # and look whether they are gone
                failed = TraderError(f"not cancelled: {_names(sent)}")
            except VenueError as failure:
                if failure.code == AUTH:
                    raise NotPermitted(
                        f"{_BY_HAND}: the venue refuses the key: {failure}"
                    ) from None
                failed = VenueUnreachable(f"{_BY_HAND}: the venue cannot be asked: {failure}")
                if str(failure) != told:
                    told = str(failure)
                    self._say(f"{told}; trying on")
            if self._elapsed_seconds() > self._timeout_seconds:
                raise failed
            await self._clock.sleep(_PAUSE_SECONDS)

    async def _wait_for_the_late(self, seconds: float) -> None:
        """Wait until none that left can turn up any more, which a daemon may know earlier."""
        until_ns = self._clock.monotonic_ns() + int(seconds * _NS)
        while (left_ns := until_ns - self._clock.monotonic_ns()) > 0:
            if await self._daemon_has_verified():
                return
            await self._clock.sleep(min(_PAUSE_SECONDS, left_ns / _NS))

    async def _daemon_has_verified(self) -> bool:
        try:
            status = await ask(self._state_dir / SOCKET_NAME, "status", timeout_seconds=1.0)
        except TraderError:
            return False
        return bool(status.get("kill_verified"))

    def _may_be_on_its_way(self, settings: Settings) -> bool:
        """Whether an order may have left shortly before: none does without a line in the journal.

        Source: promises.md, P3.
        """
        if self._daemon is not None:
            return True
        written = (
            path.stat().st_mtime for path in settings.state_dir.glob(f"{settings.storage.journal}*")
        )
        newest = max(written, default=None)
        if newest is None:
            return False
        since = self._clock.now() - datetime.fromtimestamp(newest, tz=self._clock.now().tzinfo)
        return since.total_seconds() < _RECENT_SECONDS

    def _elapsed_seconds(self) -> float:
        return (self._clock.monotonic_ns() - self._began_ns) / _NS


def _any(_order: OrderResult) -> bool:
    return True


def _line(order: OrderResult, result: OrderResult) -> str:
    name = order.client_order_id or order.order_id
    what = f"{order.side} {plain(order.qty)} {order.symbol}"
    if result.ok:
        return f"{name} {what}: {result.status}"
    return f"{name} {what}: not cancelled: {result.message}"


def _names(sent: list[Cancelled]) -> str:
    names = [
        order.client_order_id or order.order_id or "" for order, result in sent if not result.ok
    ]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"
