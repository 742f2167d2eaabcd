"""Replies about orders, checked against what was asked, as the other rooms see them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, Self

from otonom_trader.brokers.binance.errors import MismatchedReply, Reply, Unreadable
from otonom_trader.brokers.binance.wire import (
    CancelledOrder,
    Order,
    OrderFill,
    PlacedOrder,
    QueriedOrder,
    ReportedOrder,
    Trade,
    moment,
    number,
)
from otonom_trader.domain.amount import ZERO, plain
from otonom_trader.domain.execution import Stage
from otonom_trader.domain.order import (
    Fill,
    OrderRequest,
    OrderResult,
    OrderState,
    OrderStatus,
    OrderType,
)

# Orders of others may be of types that nobody knows yet.
_ORDER_TYPES: Final = {kind.value: kind for kind in OrderType}
_TERMS: Final = (
    *("side", "type", "quantity", "price"),
    *("stop price", "trailing delta", "iceberg quantity"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """An order as it is sent, and as the venue's answer must name it."""

    venue_symbol: str
    client_order_id: str
    order: OrderRequest


@dataclass(frozen=True, slots=True)
class OrderName:
    """Which order is meant: by its client order id, or by the venue's own."""

    text: str
    is_client_id: bool = True

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read either id: digits are the venue's."""
        return cls(text, is_client_id=not text.isdigit())

    @property
    def param(self) -> tuple[str, str]:
        """How a request names the order."""
        return ("origClientOrderId" if self.is_client_id else "orderId", self.text)

    def means(self, order_id: int, client_order_id: str) -> bool:
        """Return whether an order with these ids is the one."""
        return self.text == (client_order_id if self.is_client_id else str(order_id))


def order_params(asked: Asked) -> list[tuple[str, str]]:
    """Return what is sent for an order; amounts as plain digits, never with an exponent."""
    order = asked.order
    params = [
        ("symbol", asked.venue_symbol),
        ("side", order.side.value),
        ("type", order.order_type.value),
    ]
    if order.time_in_force is not None:
        params.append(("timeInForce", order.time_in_force.value))
    if order.limit_price is not None:
        params.append(("price", plain(order.limit_price)))
    params += (("quantity", plain(order.qty)), ("newClientOrderId", asked.client_order_id))
    if order.stop_price is not None:
        params.append(("stopPrice", plain(order.stop_price)))
    if order.trailing_delta_bps is not None:
        params.append(("trailingDelta", str(order.trailing_delta_bps)))
    if order.iceberg_qty is not None:
        params.append(("icebergQty", plain(order.iceberg_qty)))
    return params


def placed_order(order: PlacedOrder | ReportedOrder, asked: Asked, reply: Reply) -> OrderResult:
    """Return a placed order with its fills.

    Raises `MismatchedReply` when the reply is about another order, `Unreadable` when it contradicts
    itself. Source: promises.md, fault 12.
    """
    if (order.symbol, order.client_order_id) != (asked.venue_symbol, asked.client_order_id):
        raise MismatchedReply(
            f"the reply tells of {order.client_order_id} of {order.symbol}, not of "
            f"{asked.client_order_id} of {asked.venue_symbol}: it is another order's"
        )
    at = moment(order.transact_time)
    fills = tuple(_fill(fill, at) for fill in order.fills)
    placed = _result(order, at, fills, asked.client_order_id, reply)
    difference = _difference(placed, asked.order)
    if difference:
        raise MismatchedReply(f"the reply tells of {difference}: it is another order's")
    return placed


def cancelled_order(
    order: CancelledOrder, venue_symbol: str, name: OrderName, reply: Reply
) -> OrderResult:
    """Return a cancelled order; raises `MismatchedReply` when it is not the one asked for."""
    client_id = order.orig_client_order_id
    if order.symbol != venue_symbol or not name.means(order.order_id, client_id):
        raise MismatchedReply(
            f"asked to cancel {name.text} of {venue_symbol}, Binance answered for {client_id} "
            f"({order.order_id}) of {order.symbol}"
        )
    return _result(order, moment(order.transact_time), None, client_id, reply)


def found_order(
    order: QueriedOrder, trades: Sequence[Trade], venue_symbol: str, name: OrderName, reply: Reply
) -> OrderResult:
    """Return an order that was asked for by `name`, with its fills.

    Raises `MismatchedReply` when it is another order, `Unreadable` while order and trades, which
    are read from copies that lag separately, do not agree.
    """
    same = name.means(order.order_id, order.client_order_id)
    # A cancel renames its order, so that it may be found under a client id it no longer has.
    renamed = name.is_client_id and order.status is OrderStatus.CANCELED
    if order.symbol != venue_symbol or not (same or renamed):
        raise MismatchedReply(
            f"asked for order {name.text} of {venue_symbol}, Binance answered for "
            f"{order.client_order_id} ({order.order_id}) of {order.symbol}"
        )
    client_id = name.text if name.is_client_id else order.client_order_id
    fills = tuple(_trade(trade, order) for trade in trades)
    found = _result(order, moment(order.update_time), fills, client_id, reply)
    return replace(found, stages_ns={})  # how long asking took is not how long the order did


def open_order(order: QueriedOrder) -> OrderResult:
    """Return a working order; its fills are not told of."""
    return _result(order, moment(order.update_time), None, order.client_order_id, None)


def check_found(found: OrderResult, asked: Asked) -> None:
    """Raise `MismatchedReply` when an order found by its client id is not what was asked for."""
    difference = _difference(found, asked.order)
    if difference:
        raise MismatchedReply(f"order {asked.client_order_id} at Binance has {difference}")


def stages_of(reply: Reply) -> dict[str, int]:
    """Return how long signing to acknowledgement took; nothing when there was none."""
    return {} if reply.lost else {Stage.SIGN_TO_ACK.value: reply.received_ns - reply.sent_ns}


def _difference(told: OrderResult, order: OrderRequest) -> str:
    """Say what of an order at the venue is not as it was asked for, nothing where all is."""
    limit, stop_price = order.limit_price, order.stop_price
    meant = (
        *(order.side, order.order_type, order.qty, limit, stop_price),
        *(order.trailing_delta_bps, order.iceberg_qty),
    )
    is_ = (
        *(told.side, told.order_type, told.qty, limit and told.price),
        *(stop_price and told.stop_price, told.trailing_delta_bps, told.iceberg_qty),
    )
    if is_ == meant:
        return ""
    return next(
        f"{name} {one}, not {other}"
        for name, one, other in zip(_TERMS, is_, meant, strict=True)
        if one != other
    )


def _result(
    order: Order,
    at: datetime,
    fills: tuple[Fill, ...] | None,
    client_order_id: str,
    reply: Reply | None,
) -> OrderResult:
    """Return what `order` tells; `fills` are None where the reply does not list them."""
    qty, filled = number(order.orig_qty), number(order.executed_qty)
    if not 0 <= filled <= qty:
        raise Unreadable(
            f"order {order.order_id} tells of {order.executed_qty} executed of {order.orig_qty}"
        )
    if fills is not None and sum((fill.qty for fill in fills), ZERO) != filled:
        raise Unreadable(
            f"the fills of order {order.order_id} do not add up to {order.executed_qty}"
        )
    quote_qty = number(order.cummulative_quote_qty)
    if quote_qty < 0:  # marks an order too old for the venue to know it
        quote_qty = sum((fill.quote_qty for fill in fills or ()), ZERO)
    rejected = order.status is OrderStatus.REJECTED
    return OrderResult(
        state=OrderState.REJECTED if rejected else OrderState.ACCEPTED,
        symbol=order.symbol,
        side=order.side,
        order_id=str(order.order_id),
        client_order_id=client_order_id,
        status=order.status,
        message=f"Binance order {order.order_id} is {order.status}",
        code="rejected" if rejected else None,
        qty=qty,
        price=number(order.price) or None,  # a MARKET order tells 0, which is no price
        filled_qty=filled,
        quote_qty=quote_qty,
        fills=fills or (),
        transact_time=at,
        signed_at_ms=reply.signed_at_ms if reply else None,
        raw=reply.text if reply else "",
        stages_ns=stages_of(reply) if reply else {},
        order_type=_ORDER_TYPES.get(order.type),
        stop_price=_given(order.stop_price),
        trailing_delta_bps=order.trailing_delta,
        iceberg_qty=_given(order.iceberg_qty),
    )


def _given(text: str | None) -> Decimal | None:
    """Read what is 0, or left out, where the order has none."""
    return None if text is None else number(text) or None


def _fill(fill: OrderFill, at: datetime) -> Fill:
    price, qty = number(fill.price), number(fill.qty)
    return Fill(
        trade_id=str(fill.trade_id),
        price=price,
        qty=qty,
        quote_qty=price * qty,
        fee=number(fill.commission),
        fee_asset=fill.commission_asset,
        at=at,
    )


def fill_of_trade(trade: Trade, venue_symbol: str) -> Fill:
    """Return a trade of the account; raises `MismatchedReply` for one of another symbol."""
    if trade.symbol != venue_symbol:
        raise MismatchedReply(
            f"asked for trades of {venue_symbol}, Binance answered with one of {trade.symbol}"
        )
    return Fill(
        trade_id=str(trade.id),
        price=number(trade.price),
        qty=number(trade.qty),
        quote_qty=number(trade.quote_qty),
        fee=number(trade.commission),
        fee_asset=trade.commission_asset,
        at=moment(trade.time),
        is_maker=trade.is_maker,
    )


def _trade(trade: Trade, order: Order) -> Fill:
    if trade.order_id != order.order_id:
        raise MismatchedReply(
            f"asked for the trades of order {order.order_id} of {order.symbol}, Binance answered "
            f"with one of order {trade.order_id}"
        )
    return fill_of_trade(trade, order.symbol)
