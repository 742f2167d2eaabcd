"""How much: from a decision and what is owned to an order the venue would take. Pure.

Source: contract.md, "Formulas" (size, market decisions).
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from otonom_trader.domain.amount import ZERO, is_multiple, plain, round_down, round_up
from otonom_trader.domain.decision import Decision
from otonom_trader.domain.market import Instrument, MarketSnapshot, PriceRange
from otonom_trader.domain.order import OrderRequest, OrderType, Side, TimeInForce
from otonom_trader.domain.verdict import Verdict

_FINEST = Decimal("1e-12")  # a computed size is kept to so many digits before it is made to fit


@dataclass(frozen=True, slots=True)
class SizingRules:
    """How decisions become orders: percent of equity at full strength, and the collar."""

    risk_per_trade_pct: Decimal = Decimal(1)
    protected: bool = True
    collar_pct: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Means:
    """What can be traded with: equity in the account currency, base held and not yet being sold.

    `rate` turns the quote asset into the account currency. None where it is not known.
    """

    equity: Decimal | None
    sellable: Decimal
    rate: Decimal | None


@dataclass(frozen=True, slots=True)
class Sized:
    """An order of the right size; `requested_qty` is what it was before it was made to fit."""

    order: OrderRequest
    requested_qty: Decimal


class _Terms(NamedTuple):
    """An order but for its quantity; prices are quote per base."""

    kind: OrderType
    limit: Decimal | None = None
    time_in_force: TimeInForce | None = None
    stop: Decimal | None = None


def size(
    decision: Decision,
    instrument: Instrument,
    market: MarketSnapshot,
    means: Means,
    rules: SizingRules,
    client_order_id: str,
) -> Sized | Verdict:
    """Return the order for a BUY or SELL decision, or the verdict that refuses it.

    A quantity given by hand must lie on the venue's step; a computed one is rounded down to it.
    SELL is clamped to the holding; one that is too small to be sold at all is dust. Prices are made
    to fit the tick on the safe side, and a collar what the venue takes.
    """
    side = Side(decision.direction)
    reference = market.reference(side)
    price = decision.price or decision.stop_price or reference
    if price is None or reference is None:
        return _refuse("no_price", f"No opposite quote for {instrument.symbol}")
    requested = _requested(decision, price, means, rules)
    if isinstance(requested, Verdict):
        return requested
    requested = round_down(requested, _FINEST)
    by_hand = decision.qty is not None
    if by_hand and not is_multiple(requested, instrument.qty_step):
        step = plain(instrument.qty_step)
        text = f"Quantity {plain(requested)} is off the step {step} of {instrument.symbol}"
        return _refuse("qty_step", text, step, plain(requested))
    qty = requested if side is Side.BUY else min(requested, means.sellable)
    qty = round_down(qty, instrument.qty_step)
    terms = _terms(decision, side, reference, instrument, market, rules)
    if ZERO in (terms.limit, terms.stop):
        tick = plain(instrument.price_tick)
        return _refuse("price_tick", f"No price below the tick {tick} of {instrument.symbol}", tick)
    price = terms.limit or terms.stop or reference
    too_small = _too_small(qty, requested, price, instrument)
    if too_small is not None:
        dust = _dust(means.sellable, price, instrument) if side is Side.SELL else None
        return dust or too_small
    order = OrderRequest(
        instrument.venue_symbol,
        side,
        qty,
        terms.limit,
        terms.kind,
        terms.time_in_force,
        client_order_id=client_order_id,
        stop_price=terms.stop,
        trailing_delta_bps=decision.trailing_delta_bps,
    )
    return _would_trigger(order, market) or Sized(order, requested)


def _requested(
    decision: Decision, price: Decimal, means: Means, rules: SizingRules
) -> Decimal | Verdict:
    if decision.qty is not None:
        return decision.qty
    if decision.notional is not None:
        return decision.notional / price
    equity = means.equity
    if means.rate is None or equity is None or not equity.is_finite() or equity <= 0:
        return _refuse("no_equity", "Equity is not known: the size cannot be told")
    strength = decision.strength or ZERO
    return equity * rules.risk_per_trade_pct / 100 * strength / (price * means.rate)


def _terms(
    decision: Decision,
    side: Side,
    reference: Decimal,
    instrument: Instrument,
    market: MarketSnapshot,
    rules: SizingRules,
) -> _Terms:
    kind = decision.kind
    if kind is not OrderType.MARKET:
        limit, stop = decision.price, decision.stop_price
        return _Terms(
            kind,
            limit=None if limit is None else _inside(limit, side, instrument),
            stop=None if stop is None else _sooner(stop, kind.waits_above(side), instrument),
        )
    if not rules.protected:
        return _Terms(kind)
    collar = reference * (1 + side.sign * rules.collar_pct / 100)
    if market.limits is not None:
        collar = _drawn_in(collar, side, market.limits.of(side))
    return _Terms(OrderType.LIMIT, _inside(collar, side, instrument), TimeInForce.IOC)


def _drawn_in(collar: Decimal, side: Side, taken: PriceRange) -> Decimal:
    """Draw a collar in to the prices the venue takes; it is never moved outwards."""
    if side is Side.BUY:
        return collar if taken.high is None else min(collar, taken.high)
    return collar if taken.low is None else max(collar, taken.low)


def _inside(price: Decimal, side: Side, instrument: Instrument) -> Decimal:
    """Fit `price` to the tick without paying more, or receiving less, than it says."""
    fit = round_down if side is Side.BUY else round_up
    return fit(price, instrument.price_tick)


def _sooner(stop: Decimal, waits_above: bool, instrument: Instrument) -> Decimal:  # noqa: FBT001
    """Fit a stop price to the tick so that it triggers no later than it was asked to."""
    fit = round_down if waits_above else round_up
    return fit(stop, instrument.price_tick)


def _would_trigger(order: OrderRequest, market: MarketSnapshot) -> Verdict | None:
    """Return the verdict on a stop that the market has passed already: the venue takes none."""
    stop, mark = order.stop_price, market.mark
    if stop is None or mark is None or order.trailing_delta_bps is not None:
        return None
    if (mark < stop) if order.waits_above else (mark > stop):
        return None
    text = f"Stop price {plain(stop)} would trigger at once: {market.symbol} is at {plain(mark)}"
    return _refuse("stop_price", text, plain(stop), plain(mark))


def _too_small(
    qty: Decimal, requested: Decimal, price: Decimal, instrument: Instrument
) -> Verdict | None:
    name = instrument.symbol
    if qty <= 0 or qty < instrument.min_qty:
        least = plain(max(instrument.min_qty, instrument.qty_step))
        text = (
            f"Size {plain(requested)} of {name} comes to {plain(qty)}, below the least of {least}"
        )
        return _refuse("min_qty", text, least, plain(qty))
    notional = qty * price
    if notional < instrument.min_notional:
        least = plain(instrument.min_notional)
        text = f"Notional {plain(notional)} {name.quote} is below the venue's least of {least}"
        return _refuse("min_notional", text, least, plain(notional))
    return None


def _dust(held: Decimal, price: Decimal, instrument: Instrument) -> Verdict | None:
    """Return the verdict on a holding that is too small to be sold whole, None for any other."""
    qty, name = round_down(held, instrument.qty_step), instrument.symbol
    notional, least, quote = qty * price, instrument.min_notional, name.quote
    if not qty:
        return None
    if qty < instrument.min_qty:
        text = (
            f"{plain(qty)} {name.base} are dust: {plain(instrument.min_qty)} is the least to sell"
        )
        return _refuse("dust", text, plain(instrument.min_qty), plain(qty))
    if notional < least:
        text = (
            f"{plain(qty)} {name.base} are dust: worth {plain(notional)} {quote}, "
            f"{plain(least)} {quote} is the least to sell"
        )
        return _refuse("dust", text, plain(least), plain(notional))
    return None


def _refuse(code: str, message: str, limit: str = "", value: str = "") -> Verdict:
    return Verdict(code, allowed=False, message=message, limit=limit, value=value)
