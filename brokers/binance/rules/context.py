"""What filters look at besides an order. Pure. Source: binance-facts.md, section 6."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.market import PriceRange


class OpenOrders(NamedTuple):
    """How many orders of the account work, and how many order lists; stops are ``algo``."""

    orders: int = 0
    algo: int = 0
    iceberg: int = 0
    lists: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """What filters look at besides an order; None where it is not known.

    Prices are quote per base, 0 where the venue has none: `reference_price` then gives way to
    `average_price`, the average over `average_mins` minutes, or to `last_price`. They may have
    moved by the fraction `drift` since they were read. `here` counts the symbol's orders,
    `everywhere` those of the account. `position` is the base asset, free and locked, and what open
    orders still buy of it.
    """

    reference_price: Decimal | None = None
    average_price: Decimal | None = None
    average_mins: int | None = None
    last_price: Decimal | None = None
    drift: Decimal = ZERO
    here: OpenOrders | None = None
    everywhere: OpenOrders | None = None
    position: Decimal | None = None

    def price_over(self, mins: int | None) -> PriceRange:
        """Return between which prices the one lies that a filter over `mins` minutes compares with.

        Both ends are None where it is not known, or there is none.
        """
        price = self.reference_price
        if price is not None and not price and mins is not None:
            over_minutes = self.average_price if mins == self.average_mins else None
            price = over_minutes if mins else self.last_price
        if not price:
            return UNBOUNDED
        if not self.drift:
            return PriceRange(price, price)
        return PriceRange(price * (1 - self.drift), price * (1 + self.drift))


UNBOUNDED: Final = PriceRange(None, None)
UNKNOWN: Final = Context()
