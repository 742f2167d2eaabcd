"""What recurs while the daemon runs, beside trading itself."""

from collections.abc import Iterable

import structlog

from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.brokers.resting import Moved
from otonom_trader.daemon.desk import key_objection
from otonom_trader.daemon.floor import Floor
from otonom_trader.daemon.halt import Halt
from otonom_trader.daemon.outage import Outage
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.events import EquityPoint
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("chores")


def tell_moved(moved: Iterable[Moved]) -> None:
    """Log what has filled of orders that rest in simulations, or ended them."""
    for order, row in moved:
        if not order.so_far.qty and not order.has_ended:
            continue  # a stop has moved, or been triggered
        log.info(
            "order.simulated",
            decision_id=order.decision.id,
            leg=order.leg,
            symbol=order.symbol.canonical,
            side=order.order.side,
            status=order.so_far.status,
            filled_qty=order.so_far.qty,
            price=order.so_far.avg_price,
            outcome=None if row is None else row.outcome,
        )


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
        self._clock_reading = Outage(log, clock, "clock.unsynced", "clock.synced")

    async def sync_clock(self) -> None:
        """Read the venue's clock anew."""
        try:
            await self._floor.broker.venue.sync_clock()
        except VenueError as failure:
            self._clock_reading.failed(str(failure))
        else:
            self._clock_reading.ended()

    async def follow_resting(self) -> None:
        """Have what rests in simulations meet the market as it is now."""
        broker = self._floor.broker
        for symbol in sorted(broker.resting.symbols):
            try:
                market = await broker.venue.get_market(symbol)
            except VenueError as failure:
                broker.heed(failure.code, str(failure))
                continue
            tell_moved(await broker.meet(market))

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
