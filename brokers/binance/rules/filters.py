"""The filters one order is held to by itself, each a value that says what is wrong with it. Pure.

Source: binance-facts.md, section 6. A filter never finds fault with an order that the venue would
take: what cannot be told from the context, where anything may be unknown, is left to the venue. Nor
does it pass one of which all is known that the venue needs to refuse it.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from otonom_trader.brokers.binance.rules.context import UNBOUNDED, Context
from otonom_trader.domain.amount import ZERO, is_multiple, plain, round_down
from otonom_trader.domain.market import PriceRange
from otonom_trader.domain.order import OrderRequest, OrderType, Side

_FINEST: Final = Decimal("0.00000001")


class OrderFilter(Protocol):
    """What one order is held to by itself."""

    @property
    def name(self) -> str:
        """The venue's ``filterType``."""

    def problem(self, order: OrderRequest, context: Context) -> str:
        """Say what is wrong with `order`, nothing when it passes or that cannot be told."""


class Bounds(NamedTuple):
    """Least, most and step of a figure; 0 sets no rule."""

    low: Decimal = ZERO
    high: Decimal = ZERO
    step: Decimal = ZERO

    def problem(self, what: str, value: Decimal) -> str:
        """Say what is wrong with `value`, nothing when it keeps to the bounds."""
        low, high, step = self
        if value < low:
            return f"{what} {plain(value)} is below the minimum {plain(low)}"
        if high and value > high:
            return f"{what} {plain(value)} is above the maximum {plain(high)}"
        if not is_multiple(value, step):
            return f"{what} {plain(value)} is off the step {plain(step)}"
        return ""


@dataclass(frozen=True, slots=True)
class PriceFilter:
    """PRICE_FILTER: limit and stop price."""

    name: str
    bounds: Bounds

    def problem(self, order: OrderRequest, context: Context) -> str:
        """See `OrderFilter`."""
        price, stop_price = order.limit_price, order.stop_price
        problem = "" if price is None else self.bounds.problem("price", price)
        if problem or stop_price is None:
            return problem
        return self.bounds.problem("stop_price", stop_price)


@dataclass(frozen=True, slots=True)
class LotSize:
    """LOT_SIZE, and MARKET_LOT_SIZE, which holds for MARKET orders beside it."""

    name: str
    bounds: Bounds
    only_market: bool = False

    def problem(self, order: OrderRequest, context: Context) -> str:
        """See `OrderFilter`."""
        if self.only_market and order.order_type is not OrderType.MARKET:
            return ""
        problem = self.bounds.problem("qty", order.qty)
        if problem or order.iceberg_qty is None:
            return problem
        return self.bounds.problem("iceberg_qty", order.iceberg_qty)


class Multipliers(NamedTuple):
    """How far below and above the price that is compared with a price may lie."""

    down: Decimal
    up: Decimal

    def around(self, compared: PriceRange) -> PriceRange:
        """Return the prices that may be allowed, wherever in `compared` the compared one lies."""
        low, high = compared
        if low is None or high is None:
            return UNBOUNDED
        return PriceRange(low * self.down, high * self.up)


@dataclass(frozen=True, slots=True)
class PercentPrice:
    """PERCENT_PRICE and PERCENT_PRICE_BY_SIDE; the former is alike for both sides."""

    name: str
    bid: Multipliers
    ask: Multipliers
    mins: int | None

    def problem(self, order: OrderRequest, context: Context) -> str:
        """See `OrderFilter`."""
        price = order.limit_price
        if price is None:
            return ""
        low, high = self.allowed(order.side, context)
        if low is not None and price < low:
            return f"price {plain(price)} is below the minimum {plain(low)}"
        if high is not None and price > high:
            return f"price {plain(price)} is above the maximum {plain(high)}"
        return ""

    def allowed(self, side: Side, context: Context) -> PriceRange:
        """Return which limit prices pass."""
        multipliers = self.bid if side is Side.BUY else self.ask
        return multipliers.around(context.price_over(self.mins))


@dataclass(frozen=True, slots=True)
class Notional:
    """MIN_NOTIONAL and NOTIONAL, in quote.

    The flags say whether a bound holds for MARKET orders, None where that is not known. What a stop
    without a limit is worth is not documented: it is left to the venue.
    """

    name: str
    low: Decimal
    high: Decimal
    low_for_market: bool | None
    high_for_market: bool | None
    mins: int | None

    @property
    def compares(self) -> bool:
        """Whether MARKET orders are held to a bound, for which they need a price."""
        return bool(self.low_for_market or self.high_for_market)

    def problem(self, order: OrderRequest, context: Context) -> str:
        """See `OrderFilter`."""
        price = order.limit_price
        if price is not None:
            notional = price * order.qty
            return self._too_small(notional) or self._too_large(notional)
        if order.order_type is not OrderType.MARKET:
            return ""
        least, most = context.price_over(self.mins)
        if least is None or most is None:
            return ""
        problem = self._too_small(most * order.qty) if self.low_for_market else ""
        if not problem and self.high_for_market:
            problem = self._too_large(least * order.qty)
        return problem

    def _too_small(self, notional: Decimal) -> str:
        if notional >= self.low:
            return ""
        return f"notional {plain(notional)} is below the minimum {plain(self.low)}"

    def _too_large(self, notional: Decimal) -> str:
        if not self.high or notional <= self.high:
            return ""
        # What is finer than the venue's amounts is taken to be cut off: it does not say.
        if round_down(notional, _FINEST) <= self.high:
            return ""
        return f"notional {plain(notional)} is above the maximum {plain(self.high)}"


@dataclass(frozen=True, slots=True)
class IcebergParts:
    """ICEBERG_PARTS: how many times an iceberg order shows a part of itself."""

    name: str
    most: int

    def problem(self, order: OrderRequest, context: Context) -> str:
        """See `OrderFilter`."""
        part = order.iceberg_qty
        if part is None or order.qty <= part * self.most:
            return ""
        return f"iceberg_qty {plain(part)} makes more parts than the maximum {self.most}"


@dataclass(frozen=True, slots=True)
class TrailingDelta:
    """TRAILING_DELTA, in basis points: one range for orders that wait above the market, one below.

    See `OrderRequest.waits_above`.
    """

    name: str
    above: tuple[int, int]
    below: tuple[int, int]

    def problem(self, order: OrderRequest, context: Context) -> str:
        """See `OrderFilter`."""
        delta = order.trailing_delta_bps
        if delta is None:
            return ""
        least, most = self.above if order.waits_above else self.below
        if delta < least:
            return f"trailing_delta_bps {delta} is below the minimum {least}"
        if delta > most:
            return f"trailing_delta_bps {delta} is above the maximum {most}"
        return ""
