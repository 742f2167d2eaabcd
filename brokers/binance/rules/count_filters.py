"""The filters on what works already, and on what is owned. Pure.

The venue judges them next to its engine, after all others. Source: binance-facts.md, section 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final, Protocol

from otonom_trader.brokers.binance.rules.context import Context
from otonom_trader.domain.amount import ZERO, plain
from otonom_trader.domain.order import OrderRequest, Side

EXCHANGE: Final = "EXCHANGE_"
"""Begins the names of the filters that count over all symbols."""


class CountFilter(Protocol):
    """What orders are held to together with those that work already; judged after the others."""

    @property
    def name(self) -> str:
        """The venue's ``filterType``."""

    def problem(self, orders: Sequence[OrderRequest], lists: int, context: Context) -> str:
        """As `OrderFilter.problem`, of orders placed together as so many `lists`."""


class Counted(Enum):
    """What a filter on the number of open orders counts."""

    ORDERS = "orders"
    ALGO = "algo"
    ICEBERG = "iceberg"
    LISTS = "lists"


@dataclass(frozen=True, slots=True)
class OpenCount:
    """MAX_NUM_ORDERS and its kind: how many may be open on the symbol, or on all symbols.

    Whether an order that never stays open is counted too is not documented: it is left to the
    venue, so that nothing here keeps an exit back.
    """

    name: str
    counted: Counted
    most: int

    def problem(self, orders: Sequence[OrderRequest], lists: int, context: Context) -> str:
        """See `CountFilter`."""
        is_everywhere = self.name.startswith(EXCHANGE)
        working = context.everywhere if is_everywhere else context.here
        if working is None:
            return ""
        adding = lists
        if self.counted is Counted.ORDERS:
            adding = sum(order.may_rest for order in orders)
        elif self.counted is Counted.ALGO:
            adding = sum(order.order_type.is_stop for order in orders)
        elif self.counted is Counted.ICEBERG:
            adding = sum(order.iceberg_qty is not None for order in orders)
        open_then: int = getattr(working, self.counted.value) + adding
        if not adding or open_then <= self.most:
            return ""
        return f"open {self.counted.value} {open_then} is above the maximum {self.most}"


@dataclass(frozen=True, slots=True)
class MaxPosition:
    """MAX_POSITION: how much of the base asset may be owned and on order; only BUY is held to it.

    Of orders placed together at least the largest counts.
    """

    name: str
    most: Decimal

    def problem(self, orders: Sequence[OrderRequest], lists: int, context: Context) -> str:
        """See `CountFilter`."""
        buying = max((order.qty for order in orders if order.side is Side.BUY), default=ZERO)
        if context.position is None or not buying:
            return ""
        owned = context.position + buying
        if owned > self.most:
            return f"position {plain(owned)} is above the maximum {plain(self.most)}"
        return ""
