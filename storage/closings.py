"""What selling has realised: costs of own fills, and the orders that ended by it."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.intent import Intent
from otonom_trader.domain.ledger import Cost, net_changes
from otonom_trader.domain.order import Fill
from otonom_trader.storage.rows import digits, instant

_MOST_LOSSES = 1_000  # of more nobody asks


def book_cost(
    connection: sqlite3.Connection, account: int, intent: Intent, fill: Fill
) -> Decimal | None:
    """Add a live account's fill to the cost of its symbol; return what it has realised, in quote.

    None where nothing of known cost was sold. What is sold beyond what the symbol has was bought
    on another one of the same base, or was there before.
    """
    symbol = intent.symbol
    costs = _costs_of_base(connection, account, symbol.base)
    before = costs.pop(symbol.canonical, Cost())
    base_change, quote_change = net_changes(symbol, intent.order.side, fill, intent.fee_pct)
    after = before.after(base_change, quote_change)
    _write_cost(connection, account, symbol.canonical, before, after)
    _take(connection, account, costs, -base_change - before.qty)
    return realised_between(before, after)


def bound_costs(connection: sqlite3.Connection, account: int, base: str, held: Decimal) -> None:
    """Forget the cost of what is not held any more: it went by another way than own orders."""
    costs = _costs_of_base(connection, account, base)
    _take(connection, account, costs, sum((cost.qty for cost in costs.values()), ZERO) - held)


def _costs_of_base(connection: sqlite3.Connection, account: int, base: str) -> dict[str, Cost]:
    rows = connection.execute(
        "SELECT symbol, qty, total, realised FROM costs WHERE account = ? AND symbol GLOB ?",
        (account, f"{base}-*"),
    )
    return {symbol: Cost(*map(Decimal, numbers)) for symbol, *numbers in rows}


def _take(
    connection: sqlite3.Connection, account: int, costs: Mapping[str, Cost], qty: Decimal
) -> None:
    """Take so much out of `costs`, one symbol after another."""
    for symbol, before in costs.items():
        after = before.without(qty)
        _write_cost(connection, account, symbol, before, after)
        qty -= before.qty - after.qty


def _write_cost(
    connection: sqlite3.Connection, account: int, symbol: str, before: Cost, after: Cost
) -> None:
    if after != before:
        numbers = (digits(after.qty), digits(after.total), digits(after.realised))
        connection.execute(
            "INSERT OR REPLACE INTO costs VALUES (?, ?, ?, ?, ?)", (account, symbol, *numbers)
        )


def realised_between(before: Cost, after: Cost) -> Decimal | None:
    """Return what was realised from one state of a cost to a later one, None for no sale."""
    return after.realised - before.realised if after.qty < before.qty else None


def realise(connection: sqlite3.Connection, order: int, realised: Decimal | None) -> None:
    """Add to what an order has realised; None adds nothing."""
    if realised is None:
        return
    (known,) = connection.execute("SELECT realised FROM orders WHERE seq = ?", (order,)).fetchone()
    total = realised + (ZERO if known is None else Decimal(known))
    connection.execute("UPDATE orders SET realised = ? WHERE seq = ?", (digits(total), order))


def close(connection: sqlite3.Connection, account: int, order: int, now: datetime) -> None:
    """Note an order that has ended, where it sold something of known cost."""
    connection.execute(
        'INSERT INTO closings (account, "order", realised, at)'
        " SELECT ?, seq, realised, ? FROM orders WHERE seq = ? AND realised IS NOT NULL"
        " ON CONFLICT DO UPDATE SET realised = excluded.realised",
        (account, instant(now), order),
    )


def losses_in_a_row(connection: sqlite3.Connection, account: int) -> int:
    """How many of the newest closing orders have lost, since trading was last resumed."""
    rows = connection.execute(
        "SELECT realised FROM closings WHERE account = ? AND at > coalesce("
        " (SELECT max(at) FROM kill_events WHERE action = 'resume'), '')"
        " ORDER BY seq DESC LIMIT ?",
        (account, _MOST_LOSSES),
    )
    losses = 0
    for (realised,) in rows:
        if Decimal(realised) >= 0:
            break
        losses += 1
    return losses
