"""Pairs of which one cancels the other: two orders at the venue, one order here. Pure.

The limit carries the order's own client id, the stop the same with a suffix: asked for by that id,
the venue answers with the limit, which tells that it is of a list; the stop is then asked for too.
Source: binance-facts.md, section 5 (lists).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from otonom_trader.brokers.binance.errors import MismatchedReply, Reply
from otonom_trader.brokers.binance.orders.replies import Asked, OrderName, placed_order
from otonom_trader.brokers.binance.rules.context import Context
from otonom_trader.brokers.binance.rules.trading_rules import (
    Rules,
    Violation,
    find_list_violation,
    find_violation,
)
from otonom_trader.brokers.binance.wire import (
    CancelledList,
    CancelledOrder,
    PlacedList,
    read,
)
from otonom_trader.domain.amount import plain
from otonom_trader.domain.order import (
    OrderRequest,
    OrderResult,
    OrderState,
    OrderStatus,
    OrderType,
    Side,
)

_cancelled = msgspec.json.Decoder(CancelledOrder)
_cancelled_list = msgspec.json.Decoder(CancelledList)

_STOP: Final = "-stop"
_LIST: Final = "-list"
_LONGEST_ID: Final = 31  # with what is put behind it, 36


def orders_of(order: OrderRequest) -> tuple[OrderRequest, ...]:
    """Return what the venue works for `order`: itself, or of a pair the limit and the stop."""
    if order.order_type is not OrderType.OCO:
        return (order,)
    limit = replace(order, order_type=OrderType.LIMIT_MAKER, stop_price=None)
    return limit, replace(order, order_type=OrderType.STOP_LOSS, price=None)


def stop_id(client_order_id: str) -> str:
    """Return the client id of the stop of a pair."""
    return client_order_id + _STOP


def is_stop(client_order_id: str) -> bool:
    """Return whether a client id is that of the stop of a pair."""
    return client_order_id.endswith(_STOP)


def own_id(client_order_id: str) -> str:
    """Return the client id of the order here that one at the venue belongs to."""
    return client_order_id.removesuffix(_STOP)


def find_problem(rules: Rules, asked: Asked, context: Context) -> Violation | None:
    """Return the first rule that an order, or a pair, breaks; None when it keeps to all."""
    orders = orders_of(asked.order)
    if len(orders) == 1:
        return find_violation(rules, asked.order, context)
    if len(asked.client_order_id) > _LONGEST_ID:
        text = f"client_order_id of an OCO order must have at most {_LONGEST_ID} characters"
        return Violation("client_order_id", text)
    return find_list_violation(rules, orders, context)


def list_params(asked: Asked) -> list[tuple[str, str]]:
    """Return what is sent for a pair."""
    order, id_ = asked.order, asked.client_order_id
    limit, stop = ("below", "above") if order.side is Side.BUY else ("above", "below")
    return [
        ("symbol", asked.venue_symbol),
        ("listClientOrderId", id_ + _LIST),
        ("side", order.side.value),
        ("quantity", plain(order.qty)),
        (f"{limit}Type", OrderType.LIMIT_MAKER.value),
        (f"{limit}Price", plain(order.price or order.qty)),
        (f"{limit}ClientOrderId", id_),
        (f"{stop}Type", OrderType.STOP_LOSS.value),
        (f"{stop}StopPrice", plain(order.stop_price or order.qty)),
        (f"{stop}ClientOrderId", stop_id(id_)),
    ]


def placed_list(placed: PlacedList, asked: Asked, reply: Reply) -> OrderResult:
    """Return a pair that was placed; raises `MismatchedReply` when the reply tells of another."""
    ids = (asked.client_order_id, stop_id(asked.client_order_id))
    reports = {report.client_order_id: report for report in placed.order_reports}
    if reports.keys() != set(ids):
        raise MismatchedReply(
            f"the reply tells of {', '.join(sorted(reports))}, not of {' and '.join(ids)}: it is "
            "another list's"
        )
    limit, stop = (
        placed_order(reports[id_], Asked(asked.venue_symbol, id_, order), reply)
        for id_, order in zip(ids, orders_of(asked.order), strict=True)
    )
    return pair(limit, stop)


def cancelled_of(reply: Reply, name: OrderName) -> CancelledOrder:
    """Return the order `name` in the reply to its cancel, which of a pair tells of both."""
    if b'"orderReports"' not in reply.body:
        return read(_cancelled, reply)
    reports = read(_cancelled_list, reply).order_reports
    for order in reports:
        if name.means(order.order_id, order.orig_client_order_id):
            return order
    raise MismatchedReply(f"asked to cancel {name.text}, Binance answered for another list")


def pair(limit: OrderResult, stop: OrderResult) -> OrderResult:
    """Return the order here that `limit` and `stop` are at the venue."""
    filled_qty = limit.filled_qty + stop.filled_qty
    return replace(
        limit,
        state=_state((limit, stop)),
        status=_status((limit, stop)),
        message=f"{limit.message}, its stop {stop.order_id} is {stop.status}",
        filled_qty=filled_qty,
        quote_qty=limit.quote_qty + stop.quote_qty,
        fills=limit.fills + stop.fills,
        transact_time=max(
            (each.transact_time for each in (limit, stop) if each.transact_time), default=None
        ),
        order_type=OrderType.OCO,
        stop_price=stop.stop_price,
    )


def as_news(told: OrderResult) -> OrderResult:
    """Return what an event of one of a pair tells of the pair: its fill, but never its end.

    Whether the other works on is asked for.
    """
    status = OrderStatus.PARTIALLY_FILLED if told.filled_qty else OrderStatus.NEW
    return replace(
        told,
        state=OrderState.ACCEPTED,
        status=OrderStatus.FILLED if told.filled_qty == told.qty else status,
        client_order_id=own_id(told.client_order_id or ""),
        order_id=None,
        price=None,
        code=None,
    )


def without_stops(working: Sequence[OrderResult]) -> list[OrderResult]:
    """Return working orders with each pair but once, under its own id."""
    ids = {order.client_order_id for order in working}
    named = ((own_id(order.client_order_id or ""), order) for order in working)
    return [
        replace(order, client_order_id=id_)
        for id_, order in named
        if order.client_order_id == id_ or id_ not in ids
    ]


def _state(legs: Sequence[OrderResult]) -> OrderState:
    refused = all(leg.state is OrderState.REJECTED for leg in legs)
    return OrderState.REJECTED if refused else OrderState.ACCEPTED


def _status(legs: Sequence[OrderResult]) -> OrderStatus:
    filled_qty = sum(leg.filled_qty for leg in legs)
    if filled_qty >= legs[0].qty:
        return OrderStatus.FILLED
    statuses = [leg.status for leg in legs if leg.status is not None]
    if not all(status.terminal for status in statuses):
        return OrderStatus.PARTIALLY_FILLED if filled_qty else OrderStatus.NEW
    if OrderStatus.CANCELED in statuses:
        return OrderStatus.CANCELED
    return OrderStatus.EXPIRED if OrderStatus.EXPIRED in statuses else statuses[0]
