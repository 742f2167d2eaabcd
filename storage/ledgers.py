"""Simulated accounts: an opening, the payments since, and what they come to."""

import sqlite3
from datetime import datetime
from decimal import Decimal

from otonom_trader.domain.intent import LedgerChange
from otonom_trader.domain.ledger import Cost, Ledger, Payment
from otonom_trader.storage.closings import realised_between
from otonom_trader.storage.errors import JournalConflict
from otonom_trader.storage.rows import amounts_text, digits, instant, read_amounts

Known = dict[str, tuple[int, Ledger]]
"""Ledgers as they are written, by name, with their row's number."""


def open_ledger(
    connection: sqlite3.Connection, known: Known, name: str, ledger: Ledger, now: datetime
) -> None:
    """Write the opening state of a new account.

    `JournalConflict` where the name exists, or where there are costs: an opening has none, since
    what was held before has no known cost.
    """
    if ledger.costs:
        raise JournalConflict(f"the account {name} cannot open with costs: only fills make them")
    if load_ledger(connection, known, name) is not None:
        raise JournalConflict(f"the account {name} is open already")
    seq = connection.execute(
        "INSERT INTO ledgers (name, opening, opened_at) VALUES (?, ?, ?)",
        (name, amounts_text(ledger.amounts), instant(now)),
    ).lastrowid
    connection.executemany(
        "INSERT INTO ledger_balances VALUES (?, ?, ?)",
        [(seq, asset, digits(amount)) for asset, amount in ledger.amounts.items()],
    )


def load_ledger(connection: sqlite3.Connection, known: Known, name: str) -> Ledger | None:
    """The account called `name` as it stands, None when it was never opened."""
    if name not in known:
        row = connection.execute("SELECT seq FROM ledgers WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        known[name] = row[0], _stored(connection, row[0])
    return known[name][1]


def book(
    connection: sqlite3.Connection,
    known: Known,
    decision: int,
    change: LedgerChange,
    now: datetime,
) -> Decimal | None:
    """Append a payment and write what the account comes to.

    Returns what it has realised, in quote, None where nothing of known cost was sold.
    `JournalConflict` where ``change.after`` is not the stored account with the payment applied:
    whoever computed it did not know of an entry, or of one that was not written.
    """
    before = load_ledger(connection, known, change.ledger)
    if before is None:
        raise JournalConflict(f"the account {change.ledger} was never opened")
    payment, after = change.payment, change.after
    for asset, moved in payment.changes.items():
        if before.amount(asset) + moved != after.amount(asset):
            raise JournalConflict(
                f"the account {change.ledger} holds {digits(before.amount(asset))} {asset}, so a "
                f"change of {digits(moved)} does not lead to {digits(after.amount(asset))}: load "
                "it again"
            )
    seq = known[change.ledger][0]
    connection.execute(
        "INSERT INTO ledger_entries (ledger, decision, symbol, base_change, quote_change, changes,"
        " recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (seq, decision, *_payment_row(payment), instant(now)),
    )
    connection.executemany(
        "INSERT INTO ledger_balances VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET amount = excluded.amount",
        [(seq, asset, digits(after.amount(asset))) for asset in payment.changes],
    )
    cost = after.costs.get(payment.symbol, Cost())
    connection.execute(
        "INSERT INTO ledger_costs VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET qty = excluded.qty, total = excluded.total, realised = excluded.realised",
        (seq, payment.symbol, digits(cost.qty), digits(cost.total), digits(cost.realised)),
    )
    known[change.ledger] = seq, after
    return realised_between(before.costs.get(payment.symbol, Cost()), cost)


def is_booked(connection: sqlite3.Connection, decision: int, change: LedgerChange) -> bool:
    """Whether this decision's payment stands in that account already."""
    rows = connection.execute(
        "SELECT e.symbol, base_change, quote_change, changes FROM ledger_entries e"
        " JOIN ledgers l ON l.seq = e.ledger WHERE e.decision = ? AND l.name = ?",
        (decision, change.ledger),
    )
    return any(_read_payment(*row) == change.payment for row in rows)


def load_entries(connection: sqlite3.Connection, name: str) -> list[Payment]:
    """All payments of an account in the order in which they were booked."""
    rows = connection.execute(
        "SELECT e.symbol, base_change, quote_change, changes FROM ledger_entries e"
        " JOIN ledgers l ON l.seq = e.ledger WHERE l.name = ? ORDER BY e.seq",
        (name,),
    )
    return [_read_payment(*row) for row in rows]


def unbalanced(connection: sqlite3.Connection) -> list[str]:
    """Findings where an account is not its opening with all payments applied."""
    findings = []
    ledgers = connection.execute("SELECT seq, name, opening FROM ledgers").fetchall()
    for seq, name, opening in ledgers:
        ledger = Ledger(read_amounts(opening))
        try:
            for payment in load_entries(connection, name):
                ledger = ledger.apply(payment)
        except ValueError as error:
            findings.append(f"the account {name}: {error}")
            continue
        if ledger != _stored(connection, seq):
            findings.append(f"the account {name} is not what its entries come to")
    return findings


def _stored(connection: sqlite3.Connection, seq: int) -> Ledger:
    amounts = connection.execute(
        "SELECT asset, amount FROM ledger_balances WHERE ledger = ?", (seq,)
    )
    costs = connection.execute(
        "SELECT symbol, qty, total, realised FROM ledger_costs WHERE ledger = ?", (seq,)
    )
    return Ledger(
        {asset: Decimal(amount) for asset, amount in amounts},
        {symbol: Cost(*map(Decimal, numbers)) for symbol, *numbers in costs},
    )


def _payment_row(payment: Payment) -> tuple[str, str, str, str]:
    """Symbol, base change, quote change and changes of a ledger entry."""
    return (
        payment.symbol,
        digits(payment.base_change),
        digits(payment.quote_change),
        amounts_text(payment.changes),
    )


def _read_payment(symbol: str, base_change: str, quote_change: str, changes: str) -> Payment:
    """A payment from the values of `_payment_row`."""
    return Payment(symbol, Decimal(base_change), Decimal(quote_change), read_amounts(changes))
