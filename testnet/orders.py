"""Orders, trades and the events the engine answers each command with."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otonom_trader.testnet.accounts import Account


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class OrderStatus(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


class SelfTradePrevention(StrEnum):
    NONE = "NONE"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"
    DECREMENT = "DECREMENT"


class ExpiryReason(StrEnum):
    UNFILLED_IOC = "UNFILLED_IOC_QUANTITY_EXPIRED"
    UNFILLED_FOK = "UNFILLED_FOK_ORDER_EXPIRED"
    INSUFFICIENT_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"


class ExecutionType(StrEnum):
    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    TRADE_PREVENTION = "TRADE_PREVENTION"


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
    maker_order_id: int
    price: int
    taker_qty: int | None
    maker_qty: int | None


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
    time_ms: int
    update_ms: int
    working_ms: int
    status: OrderStatus = OrderStatus.NEW
    executed: int = 0
    cumulative_quote: int = 0
    prevented: int = 0
    locked: int = 0
    expiry_reason: ExpiryReason | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None
    fills: list[Fill] = field(default_factory=list)
    prevented_matches: list[PreventedMatch] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        return self.qty - self.executed - self.prevented

    @property
    def is_open(self) -> bool:
        return self.status is OrderStatus.NEW or self.status is OrderStatus.PARTIALLY_FILLED


@dataclass(frozen=True, slots=True)
class Execution:
    """A step in an order's life, with the figures as they were at that step."""

    order: Order
    type: ExecutionType
    execution_id: int
    time_ms: int
    status: OrderStatus
    executed: int
    cumulative_quote: int
    fill: Fill | None = None


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """An asset of an account after a command, absolute."""

    account: "Account"
    asset: str
    free: int
    locked: int
    time_ms: int


Event = Execution | Trade | BalanceChange
