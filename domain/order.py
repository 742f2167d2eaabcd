"""Orders: what is asked of a broker, and what became of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from otonom_trader.domain.amount import ZERO, Number, plain, positive
from otonom_trader.domain.verdict import Verdict

_Member = TypeVar("_Member", bound=StrEnum)

# What every venue takes. Checked here, since an order refused after its intent is on record would
# stay there without an end.
_CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)


class Side(StrEnum):
    """Which way an order trades; `sign` is +1 for BUY, -1 for SELL."""

    BUY = "BUY"
    SELL = "SELL"

    def __init__(self, value: str) -> None:
        self.sign: Final = 1 if value == "BUY" else -1


class OrderType(StrEnum):
    """What makes an order trade, and at which price. Source: binance-facts.md, section 5.

    OCO is a pair of which one cancels the other: a maker at a limit, and a stop loss at market.
    """

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"
    OCO = "OCO"

    @property
    def is_stop(self) -> bool:
        """Whether the order waits for the price of a trade before it works."""
        return self in _STOPS

    @property
    def has_limit(self) -> bool:
        """Whether the order has a price of its own."""
        return self in _LIMITED

    def waits_above(self, side: Side) -> bool:
        """Whether a stop of `side` waits for a rise: a loss to a BUY, a profit to a SELL."""
        return (self in _STOP_LOSSES) is (side is Side.BUY)


_TAKERS = frozenset({OrderType.MARKET, OrderType.LIMIT})
_TIMED = frozenset({OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
_LIMITED = _TIMED | {OrderType.LIMIT_MAKER, OrderType.OCO}
_STOP_LOSSES = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.OCO})
_STOPS = _STOP_LOSSES | {OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}


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

    `qty` is in the base asset. `price` is the limit of an order that has one; with a MARKET order
    it only tells the current price for judging and never reaches the wire. Limit orders without
    `time_in_force` are good till cancelled; LIMIT_MAKER knows no other.

    A stop order waits for a trade at `stop_price`, or for the price to turn by `trailing_delta_bps`
    (hundredths of a percent) from its best, which is followed from `stop_price` on where both are
    given. `iceberg_qty` is how much of a resting order the book shows. An OCO has its limit in
    `price` and its stop in `stop_price`, on the other side of the market.
    """

    symbol: str
    side: Side
    qty: Decimal
    price: Decimal | None
    order_type: OrderType
    time_in_force: TimeInForce | None
    client_order_id: str | None
    stop_price: Decimal | None
    trailing_delta_bps: int | None
    iceberg_qty: Decimal | None

    def __init__(
        self,
        symbol: str,
        side: Side | str,
        qty: Number,
        price: Number | None = None,
        order_type: OrderType | str = OrderType.MARKET,
        time_in_force: TimeInForce | str | None = None,
        client_order_id: str | None = None,
        stop_price: Number | None = None,
        trailing_delta_bps: int | None = None,
        iceberg_qty: Number | None = None,
    ) -> None:
        """Check and normalise; raises ``ValueError`` naming the field that is wrong."""
        kind = _member(OrderType, order_type, "order_type")
        tif = (
            None if time_in_force is None else _member(TimeInForce, time_in_force, "time_in_force")
        )
        if tif is None and kind in _TIMED:
            tif = TimeInForce.GTC
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
        set_field(self, "price", _optional(price, "price"))
        set_field(self, "order_type", kind)
        set_field(self, "time_in_force", tif)
        set_field(self, "client_order_id", client_order_id)
        set_field(self, "stop_price", _optional(stop_price, "stop_price"))
        set_field(self, "trailing_delta_bps", _basis_points(trailing_delta_bps))
        set_field(self, "iceberg_qty", _optional(iceberg_qty, "iceberg_qty"))
        _check_terms(self)

    @property
    def limit_price(self) -> Decimal | None:
        """The price the order may not cross, None where it takes whatever the market gives."""
        return self.price if self.order_type in _LIMITED else None

    @property
    def takes_at_once(self) -> bool:
        """Whether the order may trade with the book as it is: no stop does, nor LIMIT_MAKER."""
        return self.order_type in _TAKERS

    @property
    def may_rest(self) -> bool:
        """Whether the order, or what is left of it, may go on working after it was taken."""
        return self.order_type not in _TAKERS or self.time_in_force is TimeInForce.GTC

    @property
    def waits_above(self) -> bool:
        """Whether a stop order waits for the price to rise."""
        return self.order_type.waits_above(self.side)


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
    holds monotonic durations by stage name (see `execution.Stage`). The last four are as of
    `OrderRequest`, where the venue told of them.
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
    order_type: OrderType | None = None
    stop_price: Decimal | None = None
    trailing_delta_bps: int | None = None
    iceberg_qty: Decimal | None = None

    @property
    def ok(self) -> bool:
        """True for ACCEPTED alone."""
        return self.state is OrderState.ACCEPTED

    @property
    def avg_price(self) -> Decimal | None:
        """Cumulative quote over cumulative base of the fills; None while nothing is filled."""
        return self.quote_qty / self.filled_qty if self.filled_qty else None


def _check_terms(order: OrderRequest) -> None:
    """Raise ``ValueError`` where a field is missing or does not belong to the order's type.

    Source: binance-facts.md, section 5 (mandatory by type).
    """
    kind = order.order_type
    if order.price is None and kind in _LIMITED:
        raise ValueError(
            f"price is needed for {'an' if kind is OrderType.OCO else 'a'} {kind} order"
        )
    if order.price is not None and kind in _STOPS and kind not in _LIMITED:
        raise ValueError(f"price belongs to {kind}_LIMIT orders: a {kind} order takes any")
    if order.time_in_force is not None and kind not in _TIMED:
        raise ValueError(f"time_in_force belongs to LIMIT orders, not to a {kind} order")
    has_trigger = order.stop_price is not None or order.trailing_delta_bps is not None
    if kind in _STOPS and not has_trigger:
        raise ValueError(f"stop_price or trailing_delta_bps is needed for a {kind} order")
    if has_trigger and kind not in _STOPS:
        name = "trailing_delta_bps" if order.stop_price is None else "stop_price"
        raise ValueError(f"{name} belongs to stop orders, not to a {kind} order")
    if kind is OrderType.OCO:
        _check_pair(order)
    if order.iceberg_qty is None:
        return
    if kind not in _LIMITED - {OrderType.OCO} or order.time_in_force not in (None, TimeInForce.GTC):
        raise ValueError("iceberg_qty belongs to limit orders that are good till cancelled")
    if order.iceberg_qty > order.qty:
        raise ValueError(f"iceberg_qty must be at most qty, not {plain(order.iceberg_qty)}")


def _check_pair(order: OrderRequest) -> None:
    if order.stop_price is None or order.trailing_delta_bps is not None:
        raise ValueError("an OCO order has a stop_price, and does not trail")
    if order.price is not None and (order.price > order.stop_price) is (order.side is Side.BUY):
        where = "below" if order.side is Side.BUY else "above"
        raise ValueError(f"price must be {where} stop_price for a {order.side} OCO order")


def _optional(value: Number | None, field_name: str) -> Decimal | None:
    return None if value is None else positive(value, field_name)


def _basis_points(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError(f"trailing_delta_bps must be a whole number above zero, not {value!r:.40}")
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_client_order_id(value: object) -> bool:
    return isinstance(value, str) and _CLIENT_ORDER_ID.fullmatch(value) is not None


def _member(kind: type[_Member], value: str, field_name: str) -> _Member:
    if isinstance(value, kind):
        return value
    try:
        return kind(value.upper())
    except (ValueError, AttributeError):
        raise ValueError(
            f"{field_name} must be one of {', '.join(kind)}, not {value!r:.40}"
        ) from None
