"""An order's life: what is known of it grows, in whatever order the news of it comes.

Replies, events, queries and their repetitions are all folded by `merge`. Any permutation and
duplication of them leads to the same quantities, fills, state and status. Source: promises.md,
faults 18 to 20.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.order import Fill, OrderResult, OrderState, OrderStatus

# What stands later is never replaced by what stands earlier.
_STATES = (OrderState.UNKNOWN, OrderState.NOT_SENT, OrderState.REJECTED, OrderState.ACCEPTED)
_STATUSES = (
    OrderStatus.PENDING_NEW,
    OrderStatus.NEW,
    OrderStatus.PARTIALLY_FILLED,
    OrderStatus.PENDING_CANCEL,
    OrderStatus.REJECTED,
    OrderStatus.EXPIRED,
    OrderStatus.EXPIRED_IN_MATCH,
    OrderStatus.CANCELED,
    OrderStatus.FILLED,
)


def merge(known: OrderResult, told: OrderResult) -> OrderResult:
    """Return `known` with what `told` adds; both are about one order.

    Message, codes and raw text are those of the newest that moved the order on.
    """
    newest = told if state_place(told.state) >= state_place(known.state) else known
    fills = _united(known.fills, told.fills)
    filled_qty, quote_qty = max(
        (known.filled_qty, known.quote_qty),
        (told.filled_qty, told.quote_qty),
        _summed(fills),
    )
    return replace(
        newest,
        symbol=known.symbol or told.symbol,
        side=known.side or told.side,
        order_id=known.order_id or told.order_id,
        client_order_id=known.client_order_id or told.client_order_id,
        status=max(known.status, told.status, key=status_place),
        qty=known.qty or told.qty,
        price=known.price or told.price,
        filled_qty=filled_qty,
        quote_qty=quote_qty,
        fills=fills,
        transact_time=newest.transact_time or known.transact_time,
        signed_at_ms=max(known.signed_at_ms or 0, told.signed_at_ms or 0) or None,
        raw=newest.raw or known.raw,
        verdicts=known.verdicts or told.verdicts,
        stages_ns={**known.stages_ns, **told.stages_ns},
    )


def has_all_fills(result: OrderResult) -> bool:
    """Return whether each fill of an order is known, not only how much they come to."""
    return _summed(result.fills)[0] == result.filled_qty


def state_place(state: OrderState | None) -> int:
    """Return how much a state says; an order never goes back to one that says less."""
    return -1 if state is None else _STATES.index(state)


def status_place(status: OrderStatus | None) -> int:
    """Return how far along a status is; an order never goes back to an earlier one."""
    return -1 if status is None else _STATUSES.index(status)


def _united(known: Iterable[Fill], told: Iterable[Fill]) -> tuple[Fill, ...]:
    by_trade = {fill.trade_id: fill for fill in (*told, *known)}
    return tuple(sorted(by_trade.values(), key=_age))


def _age(fill: Fill) -> tuple[bool, int, str]:
    """Fills in the order of their trades; ids of a venue's are numbers, those of others text."""
    is_number = fill.trade_id.isdecimal()
    return not is_number, int(fill.trade_id) if is_number else 0, fill.trade_id


def _summed(fills: Iterable[Fill]) -> tuple[Decimal, Decimal]:
    qty = quote_qty = ZERO
    for fill in fills:
        qty += fill.qty
        quote_qty += fill.quote_qty
    return qty, quote_qty
