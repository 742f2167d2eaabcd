"""What only the venue can confirm of a configuration: ``config check --online``.

Source: contract.md, "Configuration". Nothing here can place an order: whatever the mode, the venue
is asked in shadow.
"""

from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from decimal import Decimal

from otonom_trader.brokers.base import Venue
from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.brokers.factory import build_venue
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.domain.amount import plain, round_down, round_up
from otonom_trader.domain.errors import NotPermitted, VenueError
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest
from otonom_trader.domain.ports import Clock

_MARGIN = Decimal("1.5")  # of the venue's least notional: no filter but the key's own may refuse


async def check_online(config: BrokerConfig, clock: Clock) -> AsyncIterator[str]:
    """Yield a line for each thing the venue confirms.

    Raises `NotPermitted` when the venue refuses the key, `VenueError` when it cannot be asked.
    """
    if config.mode is Mode.LIVE:
        config = replace(config, mode=Mode.SHADOW)
    async with build_venue(config, clock, None) as venue:
        broker = GuardedBroker(
            venue,
            config.get_risk_guardrails(),
            clock=clock,
            account_currency=config.account_currency,
        )
        offset_ms = await venue.clock_offset_ms()
        if offset_ms is not None:
            yield f"clock: the venue's is {offset_ms:+.0f} ms from ours"
        async for line in _symbols(config, broker):
            yield line
        if config.mode is not Mode.OFF:
            yield await _key(config, venue)
            async for line in _account(config, broker):
                yield line
    for name, limit in asdict(config.get_risk_guardrails()).items():
        yield f"limit {name}: {_text(limit)}"


async def _symbols(config: BrokerConfig, broker: GuardedBroker) -> AsyncIterator[str]:
    wanted = {*config.symbols, f"BTC-{config.account_currency}"}
    for name in sorted(wanted):
        try:
            instrument = await broker.venue.get_instrument(name)
        except VenueError as refusal:
            yield f"symbol {name}: {refusal}"
            continue
        broker.account.trade(instrument)
        state = "trades" if instrument.tradable else f"does not trade ({instrument.status})"
        yield f"symbol {name}: {instrument.venue_symbol} {state}"


async def _key(config: BrokerConfig, venue: Venue) -> str:
    """Have the venue validate a small order: key, signature, permission and filters."""
    name = next(iter(config.symbols.values()), f"BTC-{config.account_currency}")
    instrument = await venue.get_instrument(name)
    mark = (await venue.get_market(instrument.venue_symbol)).mark
    if mark is None:
        raise NotPermitted(f"{name} has no quotes to check the key with: name another in symbols")
    least = max(instrument.min_notional * _MARGIN / mark, instrument.min_qty)
    order = OrderRequest(
        instrument.venue_symbol,
        "BUY",
        round_up(least, instrument.qty_step),
        round_down(mark, instrument.price_tick),
        "LIMIT",
        "IOC",
    )
    answer = await venue.place_order(order)
    if not answer.ok:
        raise NotPermitted(f"order/test was not accepted: {answer.message}")
    return f"key: may trade, order/test accepts it for {instrument.venue_symbol}"


async def _account(config: BrokerConfig, broker: GuardedBroker) -> AsyncIterator[str]:
    await broker.refresh()
    account = await broker.venue.get_account_key()
    exposure = broker.exposure()
    yield f"account: uid {account.uid} at {account.venue}"
    if exposure.equity is None:
        yield "equity: not known, a holding has no mark"
    else:
        yield f"equity: {plain(exposure.equity)} {config.account_currency}"
    names = ", ".join(sorted(exposure.positions)) or "none"
    yield f"positions: {len(exposure.positions)} ({names})"


def _text(limit: object) -> str:
    if limit is None:
        return "off"
    if isinstance(limit, Decimal):
        return plain(limit)
    if isinstance(limit, tuple):
        return ", ".join(limit) or "none"
    return str(limit).lower() if isinstance(limit, bool) else str(limit)
