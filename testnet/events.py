"""What the engine answers each command with: its events, in the order they happened.

One command (a placement, a cancel, an amendment, a list, a deposit) gives one list of events: the
``Trade`` and ``Execution`` of each step, the ``ListStatus`` of a list right after the executions
that changed it, and last one ``AccountPosition`` for each account whose balances may have changed.
The documentation does not say where among the executions a listStatus comes: this is a choice.
Each event is a snapshot: it says what was true at that step, whatever happened to the order later.
The letters in brackets are the fields of the user data stream that show a value.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from otonom_trader.testnet.orders import (
    Contingency,
    ExpiryReason,
    Fill,
    ListOrderStatus,
    ListStatusType,
    Order,
    OrderStatus,
    PreventedMatch,
    Trade,
)

if TYPE_CHECKING:
    from otonom_trader.testnet.accounts import Account


class ExecutionType(StrEnum):
    """``x`` of an executionReport."""

    NEW = "NEW"
    CANCELED = "CANCELED"
    REPLACED = "REPLACED"
    REJECTED = "REJECTED"
    TRADE = "TRADE"
    EXPIRED = "EXPIRED"
    TRADE_PREVENTION = "TRADE_PREVENTION"


class RejectReason(StrEnum):
    """``r`` of an executionReport."""

    NONE = "NONE"
    INSUFFICIENT_BALANCES = "INSUFFICIENT_BALANCES"
    WOULD_TRIGGER = "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY"
    WOULD_MATCH = "WOULD_MATCH_IMMEDIATELY"
    BAD_LIST_PRICES = "OCO_BAD_PRICES"


@dataclass(frozen=True, slots=True)
class Prevention:
    """One side of a prevented match: ``v`` is its match's id."""

    match: PreventedMatch
    last_qty: int
    """Prevented by this match, of this order (B)."""
    counter_order_id: int
    """The other order (U), of the same symbol (Cs)."""
    trade_group_id: int
    """Of the order's account, -1 without one (u)."""
    overlap: int
    """What would have traded, at the maker's price (pl, pL, pY)."""


@dataclass(frozen=True, slots=True)
class Execution:
    """A step in an order's life, as executionReport shows it.

    What never changes is read from ``order``: symbol (s), side (S), type (o), time in force (f),
    price (p), stop price (P), iceberg quantity (F), list id (g), order id (i), creation time (O),
    quote quantity (Q), self-trade prevention mode (V), strategy (j, J), trailing delta (d).
    """

    order: Order
    type: ExecutionType
    execution_id: int
    """I: grows by one with each execution of the venue."""
    time_ms: int
    """T"""
    status: OrderStatus
    """X"""
    client_id: str
    """c: the order's, or the cancel's where the order was cancelled."""
    replaced_client_id: str
    """C: what the order was called before a cancel or an amendment renamed it, else empty."""
    qty: int
    """q"""
    executed: int
    """z"""
    cumulative_quote: int
    """Z"""
    prevented: int
    """A, shown where it is not 0."""
    is_on_book: bool
    """w: in the book, where it can be matched."""
    working_ms: int | None
    """W: since when it is in force; None for a stop not triggered and a pending order."""
    trailing_ms: int | None
    """D: since when a trailing stop follows the price; None where it does not."""
    reject_reason: RejectReason = RejectReason.NONE
    """r"""
    expiry_reason: ExpiryReason | None = None
    """eR, shown where there is one."""
    fill: Fill | None = None
    """l, L, Y, n, N, t, m of a TRADE."""
    prevention: Prevention | None = None
    """v, B, u, U, Cs, pl, pL, pY of a TRADE_PREVENTION."""


@dataclass(frozen=True, slots=True)
class ListStatus:
    """Where an order list stands: listStatus."""

    account: "Account"
    symbol: str
    list_id: int
    contingency: Contingency
    status_type: ListStatusType
    order_status: ListOrderStatus
    client_id: str
    time_ms: int
    orders: tuple[tuple[int, str], ...]
    """(order id, client id) of each order of the list (O)."""
    reject_reason: RejectReason = RejectReason.NONE


@dataclass(frozen=True, slots=True)
class AccountPosition:
    """outboundAccountPosition: the assets a command may have changed, absolute."""

    account: "Account"
    time_ms: int
    """u"""
    balances: tuple[tuple[str, int, int], ...]
    """(asset, free, locked) (B)."""


@dataclass(frozen=True, slots=True)
class BalanceUpdate:
    """balanceUpdate: a deposit, or a withdrawal where ``delta`` is negative."""

    account: "Account"
    asset: str
    delta: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class ExternalLock:
    """externalLockUpdate: locked by another system, or released where ``delta`` is negative."""

    account: "Account"
    asset: str
    delta: int
    time_ms: int


Event = Trade | Execution | ListStatus | AccountPosition | BalanceUpdate | ExternalLock
