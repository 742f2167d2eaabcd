"""Taking up a decision: claim, verdicts, intent, paper leg and position in one transaction."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.decision import Decision
from otonom_trader.domain.intent import Claim, Entry, Intent, SourcePosition
from otonom_trader.domain.market import Level
from otonom_trader.domain.symbol import Symbol
from otonom_trader.storage import activity, approvals, ledgers, resting
from otonom_trader.storage.errors import DuplicateDecision
from otonom_trader.storage.ledgers import Known
from otonom_trader.storage.order_rows import ORDER_COLUMNS, intent_row
from otonom_trader.storage.outcomes import insert_execution
from otonom_trader.storage.rows import (
    digest,
    digits,
    instant,
    json_text,
    payload,
    storable,
    verdicts_text,
)

SNAPSHOT_LEVELS = 10
"""How many levels of each side of the book are kept with a decision."""

_INSERT_ORDER = (
    f"INSERT INTO orders (decision, account, updated_at, {', '.join(ORDER_COLUMNS)})"  # noqa: S608
    f" VALUES (?, ?, ?{', ?' * len(ORDER_COLUMNS)})"
)


@dataclass(slots=True)
class Remembered:
    """What is written and asked for again and again; emptied after a rollback."""

    accounts: dict[AccountKey, int] = field(default_factory=dict)
    symbols: set[str] = field(default_factory=set)
    ledgers: Known = field(default_factory=dict)

    def clear(self) -> None:
        """Forget all: it is read again when it is needed."""
        self.accounts.clear()
        self.symbols.clear()
        self.ledgers.clear()


def record(
    connection: sqlite3.Connection,
    remembered: Remembered,
    entry: Entry,
    configuration: int | None,
    now: datetime,
) -> None:
    """Write all of `entry`; `configuration` is the row of the one in force.

    Raises `DuplicateDecision` for a decision that is claimed already, `NotWaiting` for a ruling on
    one that does not wait for a person, and ``ValueError`` for an entry whose parts do not belong
    together.
    """
    _belongs_together(entry)
    if entry.ruling is None:
        decision = _claim(connection, entry.claim, configuration, now)
    else:
        decision = approvals.rule(connection, entry.claim.key, entry.ruling, configuration)
    _snapshot(connection, decision, entry, now)
    _meet_symbol(connection, remembered.symbols, entry, now)
    if entry.claim.position is not None:
        write_position(connection, entry.claim.position, now)
    if entry.intent is not None:
        _intend(connection, remembered.accounts, decision, entry.intent, now)
    if entry.paper is not None:
        ledgers.book(connection, remembered.ledgers, decision, entry.paper, now)
    if entry.resting is not None:
        resting.insert(connection, decision, entry.resting)
    if entry.execution is not None:
        insert_execution(connection, decision, entry.execution, now)
    if entry.parked is not None:
        account = _account(connection, remembered.accounts, entry.parked.account)
        approvals.insert(connection, decision, account, entry.parked)


def write_position(connection: sqlite3.Connection, position: SourcePosition, now: datetime) -> None:
    """Note how far a source was read."""
    connection.execute(
        "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
        " SET position = excluded.position, updated_at = excluded.updated_at",
        (*position, instant(now)),
    )


def _belongs_together(entry: Entry) -> None:
    key, intent, execution = entry.claim.key, entry.intent, entry.execution
    parked, ruling = entry.parked, entry.ruling
    if (intent, execution, parked).count(None) != 2:
        raise ValueError(
            f"decision {key.id}: an entry has either an intent or an execution, or it is parked"
        )
    if execution is not None and (execution.source, execution.decision_id) != key:
        raise ValueError(f"the execution of {execution.decision_id} is not that of {key.id}")
    if parked is not None and parked.key != key:
        raise ValueError(f"what waits for a person is not decision {key.id}")
    if ruling is not None and entry.claim.position is not None:
        raise ValueError(f"decision {key.id}: a ruling does not move its source")
    if intent is None:
        return
    reserved, order = intent.reservation, intent.order
    if intent.decision != key:
        raise ValueError(f"the intent of {intent.decision.id} is not that of {key.id}")
    if order.client_order_id != intent.client_order_id:
        raise ValueError(f"decision {key.id}: the order carries another client order id")
    if (reserved.symbol, reserved.side) != (intent.symbol, order.side):
        raise ValueError(f"decision {key.id}: the reservation is for another symbol or side")


def _claim(
    connection: sqlite3.Connection, claim: Claim, configuration: int | None, now: datetime
) -> int:
    item = claim.item
    content = payload(item)
    try:
        row = connection.execute(
            "INSERT INTO decisions (source, id, digest, payload, defect, received_at, recorded_at,"
            " configuration) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                storable(item.source),
                storable(item.id),
                digest(content),
                content,
                None if isinstance(item, Decision) else storable(item.reason),
                instant(claim.received_at),
                instant(now),
                configuration,
            ),
        ).lastrowid
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorname != "SQLITE_CONSTRAINT_UNIQUE":
            raise
        raise DuplicateDecision(
            f"decision {item.id!r} of source {item.source!r} is claimed already"
        ) from None
    assert row is not None  # noqa: S101  an insert that did not raise has a row
    return row


def _snapshot(connection: sqlite3.Connection, decision: int, entry: Entry, now: datetime) -> None:
    market, equity = entry.market, entry.equity
    if market is None and equity is None and not entry.verdicts:
        return
    if entry.ruling is not None:
        connection.execute(
            "INSERT INTO snapshots_history (decision, symbol, taken_at, bids, asks, equity,"
            " verdicts, replaced_at) SELECT decision, symbol, taken_at, bids, asks, equity,"
            " verdicts, ? FROM snapshots WHERE decision = ?",
            (instant(now), decision),
        )
        connection.execute("DELETE FROM snapshots WHERE decision = ?", (decision,))
    connection.execute(
        "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            decision,
            *(
                (None,) * 4
                if market is None
                else (
                    market.symbol.canonical,
                    instant(market.taken_at),
                    _levels(market.book.bids[:SNAPSHOT_LEVELS]),
                    _levels(market.book.asks[:SNAPSHOT_LEVELS]),
                )
            ),
            # An equity that could not be told is no number, and is kept as none.
            None if equity is None or equity.is_nan() else digits(equity),
            verdicts_text(entry.verdicts),
        ),
    )


def _meet_symbol(
    connection: sqlite3.Connection, met: set[str], entry: Entry, now: datetime
) -> None:
    symbol = _symbol(entry)
    if symbol is None or symbol.canonical in met:
        return
    connection.execute(
        "INSERT INTO symbols VALUES (?, ?) ON CONFLICT DO NOTHING",
        (symbol.canonical, instant(now)),
    )
    met.add(symbol.canonical)


def _symbol(entry: Entry) -> Symbol | None:
    if entry.intent is not None:
        return entry.intent.symbol
    if entry.market is not None:
        return entry.market.symbol
    if not isinstance(entry.claim.item, Decision):
        return None
    try:
        return Symbol.parse(entry.claim.item.symbol)
    except ValueError:
        return None  # the denial that is being recorded says so


def _intend(
    connection: sqlite3.Connection,
    accounts: dict[AccountKey, int],
    decision: int,
    intent: Intent,
    now: datetime,
) -> None:
    account = _account(connection, accounts, intent.account)
    connection.execute(_INSERT_ORDER, (decision, account, instant(now), *intent_row(intent)))
    activity.count_intent(connection, account, intent)


def _account(
    connection: sqlite3.Connection, accounts: dict[AccountKey, int], key: AccountKey
) -> int:
    if key not in accounts:
        names = (key.mode, key.venue, key.uid)
        connection.execute(
            "INSERT INTO accounts (mode, venue, uid) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", names
        )
        accounts[key] = connection.execute(
            "SELECT seq FROM accounts WHERE mode = ? AND venue = ? AND uid = ?", names
        ).fetchone()[0]
    return accounts[key]


def _levels(levels: Iterable[Level]) -> str:
    """Book levels as JSON ``[[price, qty], ...]``, best first."""
    return json_text([(digits(price), digits(qty)) for price, qty in levels])
