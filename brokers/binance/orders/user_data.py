"""User data: what the venue tells of an account's orders and balances. Pure but for the telling.

Source: binance-facts.md, section 10.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from otonom_trader.brokers.binance.errors import AUTH, Unreadable
from otonom_trader.brokers.binance.orders.lists import as_news, own_id
from otonom_trader.brokers.binance.transport.ws_frames import Incoming
from otonom_trader.brokers.binance.wire import NO_LIST, moment, number
from otonom_trader.domain.account import Balance
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.errors import VenueError
from otonom_trader.domain.order import Fill, OrderResult, OrderState, OrderStatus, Side
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.venue_event import (
    BalancesUpdate,
    OrderUpdate,
    StreamLost,
    StreamResumed,
    VenueEvent,
)

_TRADE: Final = "TRADE"
_REJECTED: Final = "REJECTED"
_NO_REASON: Final = "NONE"
_OVERDUE_NS: Final = 10 * 1_000_000_000


class _Named(msgspec.Struct, gc=False):
    e: str


class ExecutionReport(msgspec.Struct, gc=False):
    """``executionReport``: what happened to an order, and the order after it."""

    symbol: str = msgspec.field(name="s")
    client_order_id: str = msgspec.field(name="c")
    original_client_order_id: str = msgspec.field(name="C")
    """Of a cancelled or amended order its own id, `client_order_id` being the request's."""
    side: Side = msgspec.field(name="S")
    qty: str = msgspec.field(name="q")
    price: str = msgspec.field(name="p")
    execution_type: str = msgspec.field(name="x")
    status: OrderStatus = msgspec.field(name="X")
    reject_reason: str = msgspec.field(name="r")
    order_id: int = msgspec.field(name="i")
    last_qty: str = msgspec.field(name="l")
    last_price: str = msgspec.field(name="L")
    last_quote_qty: str = msgspec.field(name="Y")
    filled_qty: str = msgspec.field(name="z")
    quote_qty: str = msgspec.field(name="Z")
    fee: str = msgspec.field(name="n")
    fee_asset: str | None = msgspec.field(name="N")
    transaction_time: int = msgspec.field(name="T")
    trade_id: int = msgspec.field(name="t")
    is_maker: bool = msgspec.field(name="m")
    order_list_id: int = msgspec.field(name="g")
    expiry_reason: str | None = msgspec.field(name="eR", default=None)


class _AssetBalance(msgspec.Struct, gc=False):
    asset: str = msgspec.field(name="a")
    free: str = msgspec.field(name="f")
    locked: str = msgspec.field(name="l")


class AccountPosition(msgspec.Struct, gc=False):
    """``outboundAccountPosition``: the balances that may have changed, as they are now."""

    updated: int = msgspec.field(name="u")
    balances: list[_AssetBalance] = msgspec.field(name="B")


_named: Final = msgspec.json.Decoder(_Named)
_report: Final = msgspec.json.Decoder(ExecutionReport)
_position: Final = msgspec.json.Decoder(AccountPosition)


def read_event(raw: msgspec.Raw | bytes) -> VenueEvent | None:
    """Return what an event means here, None for one that is of no concern.

    Raises `Unreadable` for one that is not what the venue documents.
    """
    try:
        match _named.decode(raw).e:
            case "executionReport":
                return order_update(_report.decode(raw))
            case "outboundAccountPosition":
                return balances_update(_position.decode(raw))
            case "eventStreamTerminated":
                return StreamLost("the venue has ended the subscription")
            case _:
                return None
    except (msgspec.DecodeError, ValueError) as error:
        raise Unreadable(f"a user event is unreadable: {str(error)[:200]}") from None


def order_update(report: ExecutionReport) -> OrderUpdate:
    """Return the order after a report, with the fill it brought."""
    at = moment(report.transaction_time)
    qty, filled = number(report.qty), number(report.filled_qty)
    client_id = report.original_client_order_id or report.client_order_id
    refused = report.execution_type == _REJECTED
    told = OrderResult(
        state=OrderState.REJECTED if refused else OrderState.ACCEPTED,
        symbol=report.symbol,
        side=report.side,
        order_id=str(report.order_id),
        client_order_id=client_id,
        status=report.status,
        message=_message(report),
        code=report.reject_reason.lower() if refused else None,
        qty=qty,
        price=number(report.price) or None,
        filled_qty=filled,
        quote_qty=number(report.quote_qty),
        fills=(_fill(report, at),) if report.execution_type == _TRADE else (),
        transact_time=at,
    )
    if report.order_list_id != NO_LIST:
        told = as_news(told)
    return OrderUpdate(own_id(client_id), told)


def balances_update(position: AccountPosition) -> BalancesUpdate:
    """Return the balances an event tells of."""
    balances = {
        row.asset: Balance(row.asset, number(row.free), number(row.locked))
        for row in position.balances
    }
    return BalancesUpdate(balances, moment(position.updated))


class Expected:
    """Orders that were accepted, and of which an event must come: a stream may die silently."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since_ns: dict[str, int] = {}

    def expect(self, client_order_id: str) -> None:
        """Begin to wait for an event of an order."""
        self._since_ns[client_order_id] = self._clock.monotonic_ns()

    def came(self, client_order_id: str) -> None:
        """Note that an event of it came."""
        self._since_ns.pop(client_order_id, None)

    def clear(self) -> None:
        """Expect nothing: what there was to tell is asked for."""
        self._since_ns.clear()

    @property
    def is_overdue(self) -> bool:
        """Whether an event has not come for longer than the venue ever takes."""
        oldest = next(iter(self._since_ns.values()), None)
        return oldest is not None and self._clock.monotonic_ns() - oldest > _OVERDUE_NS


class UserData:
    """Tells what comes over a connection; the one who is told must not wait.

    An event that cannot be read is a hole in what is known, and is told as such.
    """

    def __init__(self, tell: Callable[[VenueEvent], None], expected: Expected) -> None:
        self._tell = tell
        self._expected = expected

    def event(self, incoming: Incoming) -> None:
        """See `ws_api.Listener`."""
        try:
            event = read_event(incoming.event)
        except Unreadable as error:
            self._tell(StreamLost(str(error)))
            self._tell(StreamResumed())
            return
        if isinstance(event, OrderUpdate):
            self._expected.came(event.client_order_id)
        if event is not None:
            self._tell(event)

    def subscribed(self) -> None:
        """See `ws_api.Listener`."""
        self._expected.clear()
        self._tell(StreamResumed())

    def lost(self, failure: VenueError) -> None:
        """See `ws_api.Listener`."""
        self._tell(StreamLost(str(failure), refused=failure.code == AUTH))


def _fill(report: ExecutionReport, at: datetime) -> Fill:
    return Fill(
        trade_id=str(report.trade_id),
        price=number(report.last_price),
        qty=number(report.last_qty),
        quote_qty=number(report.last_quote_qty),
        fee=number(report.fee) if report.fee_asset else ZERO,
        fee_asset=report.fee_asset or "",
        at=at,
        is_maker=report.is_maker,
    )


def _message(report: ExecutionReport) -> str:
    reason = report.expiry_reason or report.reject_reason
    return report.status if reason == _NO_REASON else f"{report.status} ({reason})"
