"""Journal and venue brought to agree: before anything new is sent, and every few minutes.

Source: promises.md, P4; contract.md, "States" (RECONCILING).
"""

import structlog

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.daemon.difference import Difference
from otonom_trader.daemon.resolver import Resolver
from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.errors import NotListed
from otonom_trader.domain.ids import is_ours
from otonom_trader.domain.intent import Intent, Reservation
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderResult, Side
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.symbol import Symbol
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("reconcile")

CANCEL_HINT = "'otonom-trader panic' halts and cancels it"
_PAUSE_SECONDS = 0.5


class Reconciler:
    """Compares the journal with the venue: own orders, their fills, and orders of others.

    What the venue tells is booked; nothing is made up and nothing is sent. `venue` names it in the
    journal.
    """

    def __init__(
        self,
        broker: GuardedBroker,
        resolver: Resolver,
        journal: Journal,
        clock: Clock,
        venue: str = "",
    ) -> None:
        self._broker = broker
        self._resolver = resolver
        self._journal = journal
        self._clock = clock
        self._venue = venue

    async def take_up_earlier_orders(self) -> None:
        """Take up every unsettled order of earlier runs on this account, and every symbol traded.

        Orders of another account (another mode, venue or uid) are left as they are, and said to be.
        """
        broker = self._broker
        account = await broker.venue.get_account_key()
        for symbol in await self._journal.traded_symbols():
            try:
                broker.account.trade(await broker.venue.get_instrument(symbol.canonical))
            except NotListed as gone:
                log.warning("symbol.gone", symbol=symbol, reason=str(gone))
        for earlier in await self._journal.open_intents():
            if earlier.intent.account != account:
                log.warning(
                    "order.left_working",
                    client_order_id=earlier.intent.client_order_id,
                    account=str(earlier.intent.account),
                    hint=CANCEL_HINT,
                )
                continue
            carried = await broker.outcomes.take_up(earlier)
            if carried is not None:
                log.warning(
                    "order.unknown",
                    decision_id=earlier.intent.decision.id,
                    client_order_id=earlier.intent.client_order_id,
                    reason=carried.execution.broker_message,
                )

    async def reconcile(self) -> list[Difference]:
        """Return once every order of ours is accounted for and the account is read.

        Waits out the fence of UNKNOWN orders, unless there is a doubt. Returns as `look_over` does.
        """
        found: list[Difference] = []
        if self._broker.mode is Mode.LIVE:
            while self._resolver.unknown and not any(each.doubt for each in found):
                found += await self._resolver.settle_unknown()
                if self._resolver.unknown:
                    await self._clock.sleep(_PAUSE_SECONDS)
        # A doubt is found in every round.
        return list(dict.fromkeys(found + await self.look_over()))

    async def look_over(self) -> list[Difference]:
        """Compare once, without waiting for anybody; returns in what the two differed.

        Raises `VenueError` when the venue cannot be asked for all of it.
        """
        found: list[Difference] = []
        if self._broker.mode is Mode.LIVE:
            found += await self._resolver.settle_unknown()
            found += await self._resolver.follow_working()
            found += await self._find_missing_fills()
        found += await self.look_at_working_orders()
        await self._broker.refresh()
        for difference in found:
            if not difference.doubt:  # a doubt halts, and is told there
                fields = difference.as_fields()
                log.warning("reconcile.difference", **{n: v for n, v in fields.items() if v})
        return found

    async def look_at_working_orders(self) -> list[Difference]:
        """Count and note the working orders of others, and see whether ours are on record.

        One of ours that is not is a doubt in live; in shadow an earlier live run has left it.
        """
        if self._broker.mode is Mode.OFF:
            return []
        others: dict[str, OrderResult] = {}
        unrecorded: list[Difference] = []
        for order in await self._broker.get_open_orders():
            id_ = order.client_order_id or ""
            if not is_ours(id_):
                others[f"{order.symbol}:{order.order_id}"] = order
            elif self._broker.mode is Mode.LIVE and not await self._journal.has_order(id_):
                unrecorded.append(Difference.of_unrecorded(order))
            elif self._broker.mode is Mode.SHADOW:
                log.warning(
                    "order.left_working",
                    client_order_id=id_,
                    symbol=order.symbol,
                    hint=CANCEL_HINT,
                )
        return unrecorded + await self._note_others(others)

    async def _note_others(self, others: dict[str, OrderResult]) -> list[Difference]:
        account, reservations = self._broker.account, {}
        for key, order in others.items():
            reservation = await self._reservation(order)
            if reservation is not None:
                reservations[key] = reservation
        new = [order for key, order in others.items() if key not in account.foreign]
        account.update_foreign(reservations)
        if others:
            await self._journal.record_external(self._venue, list(others.values()))
        return [Difference.of_another(order) for order in new]

    async def _reservation(self, order: OrderResult) -> Reservation | None:
        if order.side is None or order.price is None:
            return None
        instrument = await self._broker.venue.get_instrument(order.symbol)
        left = order.qty - order.filled_qty
        return Reservation(instrument.symbol, Side(order.side), left, order.price)

    async def _find_missing_fills(self) -> list[Difference]:
        """Book fills of own orders that the venue has and the journal has not."""
        account = await self._broker.venue.get_account_key()
        found: list[Difference] = []
        for symbol in await self._journal.traded_symbols():
            try:
                for intent in await self._orders_with_missing_fills(account, symbol):
                    found += await self._book_missing(intent)
            except NotListed:
                continue  # not listed any more: said when its orders were taken up
        return found

    async def _orders_with_missing_fills(self, account: AccountKey, symbol: Symbol) -> list[Intent]:
        since = await self._journal.trade_mark(account, symbol)
        trades = await self._broker.venue.get_trades(symbol.canonical, since)
        told = [(order_id, fill.trade_id) for order_id, fill in trades]
        return await self._journal.orders_with_missing_fills(account, symbol, told)

    async def _book_missing(self, intent: Intent) -> list[Difference]:
        order = await self._broker.venue.find_order(intent.order.symbol, intent.client_order_id)
        if order is None:
            return []
        carried = await self._broker.outcomes.settle(intent, order)
        return [Difference.of_fills(intent, carried.result)]
