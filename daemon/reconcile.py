"""Journal and venue brought to agree, before anything new is sent.

Source: promises.md, P4; contract.md, "States" (RECONCILING).
"""

import structlog

from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.daemon.resolver import Resolver
from otonom_trader.domain.errors import Rejected
from otonom_trader.domain.ids import is_ours
from otonom_trader.domain.intent import Reservation
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderResult, Side
from otonom_trader.domain.ports import Clock
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("reconcile")

CANCEL_HINT = "run the daemon in mode live on that account, then 'otonom-trader kill' cancels it"
_PAUSE_SECONDS = 0.5


class TruthInDoubt(Exception):
    """Journal and venue contradict each other: trading must stop; the text says how."""


async def take_up_earlier_orders(broker: GuardedBroker, journal: Journal) -> None:
    """Take up every unsettled order of earlier runs on this account, and every symbol traded.

    Orders of another account (another mode, venue or uid) are left as they are, and said to be.
    """
    account = await broker.venue.get_account_key()
    for symbol in await journal.traded_symbols():
        try:
            broker.account.trade(await broker.venue.get_instrument(symbol.canonical))
        except Rejected as gone:
            log.warning("symbol.gone", symbol=symbol, reason=str(gone))
    for earlier in await journal.open_intents():
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


async def reconcile(
    broker: GuardedBroker, resolver: Resolver, journal: Journal, clock: Clock
) -> None:
    """Return once every order of ours is accounted for and the account is read.

    Waits out the fence of UNKNOWN orders. Raises `TruthInDoubt` for a working order that carries
    our prefix and is not on record, `VenueError` when the venue cannot be read.
    """
    if broker.mode is Mode.LIVE:
        while resolver.unknown:
            await resolver.settle_unknown()
            if resolver.unknown:
                await clock.sleep(_PAUSE_SECONDS)
        await resolver.follow_working()
    await look_at_working_orders(broker, journal)
    await broker.refresh()


async def look_at_working_orders(broker: GuardedBroker, journal: Journal) -> None:
    """Count the working orders of others, and make sure that all of ours are on record.

    Raises `TruthInDoubt` in live; in shadow it is said which orders an earlier live run left.
    """
    if broker.mode is Mode.OFF:
        return
    foreign: dict[str, Reservation] = {}
    for order in await broker.get_open_orders():
        id_ = order.client_order_id or ""
        if not is_ours(id_):
            reservation = await _reservation(broker, order)
            if reservation is not None:
                foreign[f"{order.symbol}:{order.order_id}"] = reservation
        elif broker.mode is Mode.LIVE and not await journal.has_order(id_):
            raise TruthInDoubt(
                f"order {id_} of {order.symbol} works at the venue and carries our prefix, but the "
                "journal does not know it: another daemon, or an older journal, placed it"
            )
        elif broker.mode is Mode.SHADOW:
            log.warning(
                "order.left_working",
                client_order_id=id_,
                symbol=order.symbol,
                hint=CANCEL_HINT,
            )
    broker.account.update_foreign(foreign)


async def _reservation(broker: GuardedBroker, order: OrderResult) -> Reservation | None:
    if order.side is None or order.price is None:
        return None
    instrument = await broker.venue.get_instrument(order.symbol)
    left = order.qty - order.filled_qty
    return Reservation(instrument.symbol, Side(order.side), left, order.price)
