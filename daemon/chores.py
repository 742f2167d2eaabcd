"""What recurs while the daemon runs, beside trading itself."""

import structlog

from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.daemon.desk import key_objection
from otonom_trader.daemon.floor import Floor
from otonom_trader.daemon.halt import Halt
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.events import EquityPoint
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("chores")


class Chores:
    """Each is done at its time; what the venue does not answer is left to the next time."""

    def __init__(
        self, config: BrokerConfig, floor: Floor, journal: Journal, halt: Halt, clock: Clock
    ) -> None:
        self._config = config
        self._floor = floor
        self._journal = journal
        self._halt = halt
        self._clock = clock

    async def sync_clock(self) -> None:
        """Read the venue's clock anew."""
        try:
            await self._floor.broker.venue.sync_clock()
        except VenueError as failure:
            log.warning("clock.unsynced", reason=str(failure))

    async def record_equity(self) -> None:
        """Journal what the account is worth, where that is known."""
        equity = self._floor.broker.exposure().equity
        if equity is None or self._journal.failure is not None:
            return
        account, currency = str(self._floor.desk.account), self._config.account_currency
        await self._journal.record_equity(EquityPoint(self._clock.now(), account, equity, currency))

    async def check_key(self) -> None:
        """Look at what the key may do; halt where it has come to be too much."""
        broker = self._floor.broker
        try:
            wrong = await key_objection(broker.venue, self._config)
        except VenueError as failure:
            broker.heed(failure.code, str(failure))
            log.warning("account.key_unchecked", reason=str(failure))
            return
        if wrong is not None:
            self._halt.trip(wrong, "key check")
