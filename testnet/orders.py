"""Orders and order lists, and what trades and prevented trades are made of."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from otonom_trader.testnet.accounts import Account


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    MARKET = "MARKET"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


STOP_LOSSES: Final = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})
TAKE_PROFITS: Final = frozenset({OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})
STOPS: Final = STOP_LOSSES | TAKE_PROFITS
"""What the filters call algo orders."""


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class OrderStatus(StrEnum):
    NEW = "NEW"
    PENDING_NEW = "PENDING_NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


class SelfTradePrevention(StrEnum):
    NONE = "NONE"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"
    DECREMENT = "DECREMENT"
    TRANSFER = "TRANSFER"


class ExpiryReason(StrEnum):
    REJECTED = "REJECTED"
    EXCHANGE_CANCELED = "EXCHANGE_CANCELED"
    OCO_TRIGGER = "OCO_TRIGGER"
    OTO_PHASE_ONE = "OTO_PHASE_ONE_EXPIRED"
    UNFILLED_IOC = "UNFILLED_IOC_QUANTITY_EXPIRED"
    UNFILLED_FOK = "UNFILLED_FOK_ORDER_EXPIRED"
    INSUFFICIENT_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"
    PRICE_RANGE = "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"


class Contingency(StrEnum):
    """``contingencyType`` of an order list; a one-triggers-a-pair list is an OTO too."""

    OCO = "OCO"
    OTO = "OTO"


class ListStatusType(StrEnum):
    RESPONSE = "RESPONSE"
    EXEC_STARTED = "EXEC_STARTED"
    UPDATED = "UPDATED"
    ALL_DONE = "ALL_DONE"


class ListOrderStatus(StrEnum):
    EXECUTING = "EXECUTING"
    ALL_DONE = "ALL_DONE"
    REJECT = "REJECT"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What an account asks for; amounts in units of 10**-8, 0 where the type has none."""

    symbol: str
    side: Side
    type: OrderType
    client_id: str
    qty: int = 0
    price: int = 0
    quote_qty: int = 0
    time_in_force: TimeInForce = TimeInForce.GTC
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.EXPIRE_MAKER
    strategy_id: int | None = None
    strategy_type: int | None = None
    stop_price: int = 0
    trailing_delta: int = 0
    """Basis points; 0 does not trail."""
    iceberg_qty: int = 0


@dataclass(frozen=True, slots=True)
class NewOrderList:
    """An order list to place: a pair alone (OCO), or a working order and what it triggers: one
    order (OTO) or a pair (OTOCO). Of a pair the stop-loss leg comes first.
    """

    symbol: str
    client_id: str
    working: NewOrder | None
    others: tuple[NewOrder, ...]

    @property
    def orders(self) -> tuple[NewOrder, ...]:
        return self.others if self.working is None else (self.working, *self.others)


@dataclass(frozen=True, slots=True)
class Trade:
    """One print of the tape."""

    trade_id: int
    symbol: str
    price: int
    qty: int
    quote: int
    time_ms: int
    buyer_is_maker: bool
    taker_order_id: int = 0
    """0 for what was traded before the venue opened."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One account's half of a trade."""

    trade: Trade
    order: "Order"
    is_maker: bool
    commission: int
    commission_asset: str


@dataclass(frozen=True, slots=True)
class PreventedMatch:
    """A match that would have been with oneself; the quantity taken out on either side."""

    match_id: int
    """Counted by symbol from 0."""
    symbol: str
    taker_order_id: int
    maker_order_id: int
    mode: SelfTradePrevention
    price: int
    taker_qty: int | None
    maker_qty: int | None
    time_ms: int


@dataclass(frozen=True, slots=True)
class Amendment:
    """A quantity that was reduced."""

    execution_id: int
    old_client_id: str
    new_client_id: str
    old_qty: int
    new_qty: int
    time_ms: int


@dataclass(slots=True, eq=False)
class Order:
    """An order in the engine; the engine alone changes it."""

    order_id: int
    account: "Account"
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    self_trade_prevention: SelfTradePrevention
    price: int
    qty: int
    quote_qty: int
    client_id: str
    original_client_id: str
    """What the order is called while it works; a cancel leaves it, an amendment renames it."""
    time_ms: int
    update_ms: int
    working_ms: int | None = None
    """Since when it may trade; None for a stop not triggered and for a pending order."""
    status: OrderStatus = OrderStatus.NEW
    executed: int = 0
    cumulative_quote: int = 0
    prevented: int = 0
    locked: int = 0
    expiry_reason: ExpiryReason | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None
    stop_price: int = 0
    trailing_delta: int = 0
    trailing_ms: int | None = None
    extreme: int = 0
    """The best price since a trailing stop began to follow; 0 before the first."""
    iceberg_qty: int = 0
    visible: int = 0
    """What the book shows of it."""
    is_resting: bool = False
    """In the book, not yet matched or no longer."""
    order_list: "OrderList | None" = None
    fills: list[Fill] = field(default_factory=list)
    prevented_matches: list[PreventedMatch] = field(default_factory=list)
    amendments: list[Amendment] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        return self.qty - self.executed - self.prevented

    @property
    def is_open(self) -> bool:
        status = self.status
        return (
            status is OrderStatus.NEW
            or status is OrderStatus.PARTIALLY_FILLED
            or status is OrderStatus.PENDING_NEW
        )

    @property
    def list_id(self) -> int:
        return -1 if self.order_list is None else self.order_list.list_id


@dataclass(slots=True, eq=False)
class OrderList:
    """Orders that depend on one another."""

    list_id: int
    account: "Account"
    symbol: str
    contingency: Contingency
    client_id: str
    time_ms: int
    working: Order | None = None
    """The order whose complete fill places the others; None in an OCO."""
    others: tuple[Order, ...] = ()
    status_type: ListStatusType = ListStatusType.EXEC_STARTED
    order_status: ListOrderStatus = ListOrderStatus.EXECUTING

    @property
    def orders(self) -> tuple[Order, ...]:
        return self.others if self.working is None else (self.working, *self.others)

    @property
    def is_open(self) -> bool:
        return self.order_status is ListOrderStatus.EXECUTING

    def sibling(self, order: Order) -> Order | None:
        """The other leg of the pair that the order belongs to."""
        if len(self.others) != 2 or order is self.working:
            return None
        first, second = self.others
        return second if order is first else first
