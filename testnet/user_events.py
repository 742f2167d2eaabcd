"""JSON of user data: names, order and types as the documentation shows them.

``ticks`` is how many output time units a millisecond has: 1, or 1000 for microseconds. Fields that
appear only where they say something follow the documentation's table of conditional fields.
"""

from typing import Any, Final

from otonom_trader.testnet.amounts import format_amount, quote_of
from otonom_trader.testnet.events import (
    AccountPosition,
    BalanceUpdate,
    Execution,
    ExternalLock,
    ListStatus,
    Prevention,
)
from otonom_trader.testnet.orders import Fill

Json = dict[str, Any]
_ZERO: Final = format_amount(0)


def execution_report(event: Execution, now_ms: int, ticks: int) -> Json:
    order, fill = event.order, event.fill
    report: Json = {
        "e": "executionReport",
        "E": now_ms * ticks,
        "s": order.symbol,
        "c": event.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": format_amount(event.qty),
        "p": format_amount(order.price),
        "P": format_amount(order.stop_price),
    }
    if order.trailing_delta:
        report["d"] = order.trailing_delta
    report |= {
        "F": format_amount(order.iceberg_qty),
        "g": order.list_id,
        "C": event.replaced_client_id,
        "x": event.type,
        "X": event.status,
        "r": event.reject_reason,
        "i": order.order_id,
        "l": format_amount(fill.trade.qty if fill else 0),
        "z": format_amount(event.executed),
        "L": format_amount(fill.trade.price if fill else 0),
        "n": format_amount(fill.commission) if fill else "0",
        "N": fill.commission_asset if fill else None,
        "T": event.time_ms * ticks,
        "t": fill.trade.trade_id if fill else -1,
    }
    if event.prevention is not None:
        report["v"] = event.prevention.match.match_id
    report |= {
        "I": event.execution_id,
        "w": event.is_on_book,
        "m": fill.is_maker if fill else False,
        # "Ignore" in the documentation, whose samples have it so.
        "M": fill is not None,
        "O": order.time_ms * ticks,
        "Z": format_amount(event.cumulative_quote),
        "Y": _quote(fill),
        "Q": format_amount(order.quote_qty),
    }
    if event.trailing_ms is not None:
        report["D"] = event.trailing_ms * ticks
    if order.strategy_id is not None:
        report["j"] = order.strategy_id
    if order.strategy_type is not None:
        report["J"] = order.strategy_type
    if event.working_ms is not None:
        report["W"] = event.working_ms * ticks
    report["V"] = order.self_trade_prevention
    if event.prevention is not None:
        report |= _prevented(event, event.prevention)
    elif event.prevented:
        report["A"] = format_amount(event.prevented)
    if event.expiry_reason is not None:
        report["eR"] = event.expiry_reason
    return report


def account_position(event: AccountPosition, now_ms: int, ticks: int) -> Json:
    return {
        "e": "outboundAccountPosition",
        "E": now_ms * ticks,
        "u": event.time_ms * ticks,
        "B": [
            {"a": asset, "f": format_amount(free), "l": format_amount(locked)}
            for asset, free, locked in event.balances
        ],
    }


def balance_update(event: BalanceUpdate, now_ms: int, ticks: int) -> Json:
    return {
        "e": "balanceUpdate",
        "E": now_ms * ticks,
        "a": event.asset,
        "d": format_amount(event.delta),
        "T": event.time_ms * ticks,
    }


def external_lock(event: ExternalLock, now_ms: int, ticks: int) -> Json:
    return {
        "e": "externalLockUpdate",
        "E": now_ms * ticks,
        "a": event.asset,
        "d": format_amount(event.delta),
        "T": event.time_ms * ticks,
    }


def list_status(event: ListStatus, now_ms: int, ticks: int) -> Json:
    return {
        "e": "listStatus",
        "E": now_ms * ticks,
        "s": event.symbol,
        "g": event.list_id,
        "c": event.contingency,
        "l": event.status_type,
        "L": event.order_status,
        "r": event.reject_reason,
        "C": event.client_id,
        "T": event.time_ms * ticks,
        "O": [
            {"s": event.symbol, "i": order_id, "c": client_id}
            for order_id, client_id in event.orders
        ],
    }


def stream_terminated(now_ms: int, ticks: int) -> Json:
    return {"e": "eventStreamTerminated", "E": now_ms * ticks}


def _quote(fill: Fill | None) -> str:
    return _ZERO if fill is None else format_amount(fill.trade.quote)


def _prevented(event: Execution, prevention: Prevention) -> Json:
    qty, price = prevention.overlap, prevention.match.price
    return {
        "A": format_amount(event.prevented),
        "B": format_amount(prevention.last_qty),
        "u": prevention.trade_group_id,
        "U": prevention.counter_order_id,
        "Cs": event.order.symbol,
        "pl": format_amount(qty),
        "pL": format_amount(price),
        "pY": format_amount(quote_of(price, qty)),
    }
