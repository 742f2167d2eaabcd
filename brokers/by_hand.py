"""Orders that a program places by itself, past any decision-maker: each a decision of its own."""

import itertools
from dataclasses import replace
from decimal import Decimal

from otonom_trader.brokers.base import Venue
from otonom_trader.brokers.plan import Plan, flat_market
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.ids import client_order_id
from otonom_trader.domain.intent import Claim
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest, OrderType
from otonom_trader.domain.ports import Clock

_numbers = itertools.count(1)


async def plan_by_hand(
    venue: Venue, clock: Clock, req: OrderRequest, price: Decimal | None
) -> Plan:
    """Return the plan of an order as it was asked for, with the market as it is now.

    `price` (quote per base) stands in for a market that cannot be read, but in live. Raises
    `VenueError` when something that is needed cannot be read.
    """
    started_ns, now = clock.monotonic_ns(), clock.now()
    if price is None and req.limit_price is None:
        price = req.price
    instrument = await venue.get_instrument(req.symbol)
    try:
        market = await venue.get_market(req.symbol)
    except VenueError:
        if price is None or venue.mode is Mode.LIVE:
            raise
        market = flat_market(instrument.symbol, price, now, started_ns)
        if req.order_type is OrderType.MARKET:
            req = replace(req, price=price)
    decision = Decision(
        id=req.client_order_id or f"{now.isoformat()}#{started_ns}#{next(_numbers)}",
        symbol=instrument.symbol.canonical,
        direction=Direction(req.side),
        qty=req.qty,
        price=req.limit_price,
        created_at=now,
        order_type=req.order_type if req.order_type.is_stop else None,
        stop_price=req.stop_price,
        trailing_delta_bps=req.trailing_delta_bps,
    )
    order = req
    if order.client_order_id is None:
        account = await venue.get_account_key()
        order = replace(req, client_order_id=client_order_id(account, decision.key))
    return Plan(
        claim=Claim(decision, now),
        order=order,
        instrument=instrument,
        market=market,
        requested_qty=req.qty,
        started_ns=started_ns,
        current_price=price if venue.mode is Mode.LIVE else None,
    )
