"""Orders: what is asked of a broker, and what became of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from otonom_trader.domain.amount import ZERO, Number, positive
from otonom_trader.domain.verdict import Verdict

_Member = TypeVar("_Member", bound=StrEnum)

# What every venue takes. Checked here, since an order refused after its intent is on record would
# stay there without an end.
_CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """Order types built so far."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class TimeInForce(StrEnum):
    """How long an order works: until cancelled, only at once, or at once and whole."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class OrderState(StrEnum):
    """What is known of an order after it was asked for. Source: contract.md, "Names"."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"


class OrderStatus(StrEnum):
    """Where an order stands at the venue. Source: binance-facts.md, section 7."""

    NEW = "NEW"
    PENDING_NEW = "PENDING_NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    PENDING_CANCEL = "PENDING_CANCEL"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"

    @property
    def terminal(self) -> bool:
        """Whether nothing more can happen to the order."""
        return self not in _WORKING


_WORKING = {
    OrderStatus.NEW,
    OrderStatus.PENDING_NEW,
    OrderStatus.PARTIALLY_FILLED,
    OrderStatus.PENDING_CANCEL,
}


@dataclass(frozen=True, slots=True, init=False)
class OrderRequest:
    """An order to be placed.

    `qty` is in the base asset. `price` is the limit of a LIMIT order; with a MARKET order it only
    tells the current price for judging and never reaches the wire. A LIMIT order without
    `time_in_force` is good till cancelled.
    """

    symbol: str
    side: Side
    qty: Decimal
    price: Decimal | None
    order_type: OrderType
    time_in_force: TimeInForce | None
    client_order_id: str | None

    def __init__(
        self,
        symbol: str,
        side: Side | str,
        qty: Number,
        price: Number | None = None,
        order_type: OrderType | str = OrderType.MARKET,
        time_in_force: TimeInForce | str | None = None,
        client_order_id: str | None = None,
    ) -> None:
        """Check and normalise; raises ``ValueError`` naming the field that is wrong."""
        kind = _member(OrderType, order_type, "order_type")
        if kind is OrderType.LIMIT and price is None:
            raise ValueError("price is needed for a LIMIT order")
        tif = (
            None if time_in_force is None else _member(TimeInForce, time_in_force, "time_in_force")
        )
        if kind is OrderType.LIMIT and tif is None:
            tif = TimeInForce.GTC
        if kind is OrderType.MARKET and tif is not None:
            raise ValueError("time_in_force belongs to LIMIT orders, not to a MARKET order")
        if not _is_text(symbol):
            raise ValueError("symbol must be a text such as BTCUSDT")
        if client_order_id is not None and not _is_client_order_id(client_order_id):
            raise ValueError(
                "client_order_id must be 1 to 36 letters, digits, '-' and '_', "
                f"not {client_order_id!r:.40}"
            )
        set_field = object.__setattr__  # the class is frozen for everyone else
        set_field(self, "symbol", symbol)
        set_field(self, "side", _member(Side, side, "side"))
        set_field(self, "qty", positive(qty, "qty"))
        set_field(self, "price", None if price is None else positive(price, "price"))
        set_field(self, "order_type", kind)
        set_field(self, "time_in_force", tif)
        set_field(self, "client_order_id", client_order_id)

    @property
    def limit_price(self) -> Decimal | None:
        """The price the order may not cross, None for a MARKET order."""
        return self.price if self.order_type is OrderType.LIMIT else None

    @property
    def may_rest(self) -> bool:
        """Whether an unfilled remainder stays in the book."""
        return self.time_in_force is TimeInForce.GTC


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of an order. `quote_qty` is price times quantity, as the venue booked it."""

    trade_id: str
    price: Decimal
    qty: Decimal
    quote_qty: Decimal
    fee: Decimal
    fee_asset: str
    at: datetime
    is_maker: bool = False


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What a broker knows of an order after placing, cancelling or querying it.

    `state` UNKNOWN means the venue may or may not have acted: ask for `client_order_id`, never send
    again. `code` is a stable machine code, `venue_code` the venue's own; `raw` is its reply.
    `signed_at_ms` (venue clock, epoch ms) dates the signature that carried the request. `stages_ns`
    holds monotonic durations by stage name (see `execution.Stage`).
    """

    state: OrderState
    symbol: str = ""
    side: Side | None = None
    order_id: str | None = None
    client_order_id: str | None = None
    status: OrderStatus | None = None
    message: str = ""
    code: str | None = None
    venue_code: int | None = None
    qty: Decimal = ZERO
    price: Decimal | None = None
    filled_qty: Decimal = ZERO
    quote_qty: Decimal = ZERO
    fills: tuple[Fill, ...] = ()
    transact_time: datetime | None = None
    signed_at_ms: int | None = None
    raw: str = field(default="", repr=False)
    verdicts: tuple[Verdict, ...] = field(default=(), repr=False)
    stages_ns: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        """True for ACCEPTED alone."""
        return self.state is OrderState.ACCEPTED

    @property
    def avg_price(self) -> Decimal | None:
        """Cumulative quote over cumulative base of the fills; None while nothing is filled."""
        return self.quote_qty / self.filled_qty if self.filled_qty else None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_client_order_id(value: object) -> bool:
    return isinstance(value, str) and _CLIENT_ORDER_ID.fullmatch(value) is not None


def _member(kind: type[_Member], value: str, field_name: str) -> _Member:
    try:
        return kind(value.upper())
    except (ValueError, AttributeError):
        raise ValueError(
            f"{field_name} must be one of {', '.join(kind)}, not {value!r:.40}"
        ) from None
