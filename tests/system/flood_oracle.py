"""Whether an account ever carried more than it may, told by the venue's own books step by step.

A step is an order accepted, ended, or filled, as the venue dates them. Carried is what is held and
what working orders may still buy. It is valued at the marks, and held against the equity, that were
stored with the verdict of the last order judged of those the venue had accepted by then: a mark
that moves later is no breach.
"""

import json
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

ZERO = Decimal(0)
_LEAST_POSITION = Decimal(5)  # the venue's minimum notional
# Requests are on their way for up to two seconds, and count from when they were judged.
_MINUTE_MS = 58_000
_RESOLUTION_PCT = Decimal("0.1")  # of the percentages that verdicts tell


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits a run is held to, in the account currency and in percent of equity."""

    max_notional_per_order: Decimal
    max_position_size_pct: Decimal
    max_open_risk_pct: Decimal
    max_total_positions: int
    max_orders_per_minute: int | None = None
    max_notional_per_day: Decimal | None = None

    def as_section(self) -> dict[str, Any]:
        """As ``risk_guardrails`` in ``broker.yaml``."""
        return {
            name: limit if isinstance(limit, int) else float(limit)
            for name, limit in asdict(self).items()
            if limit is not None
        }


@dataclass(frozen=True, slots=True)
class Admitted:
    """An order that the guardrails let pass, with what was stored with its verdicts.

    `number` is its place in the order of judging; `bid` and `ask` are the best quotes then.
    """

    number: int
    client_order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    bid: Decimal
    ask: Decimal
    equity: Decimal

    @property
    def mark(self) -> Decimal:
        return (self.bid + self.ask) / 2

    @property
    def notional(self) -> Decimal:
        """At what it can execute at: the best quote, or its limit where that is lower."""
        return self.qty * min(self.ask if self.side == "BUY" else self.bid, self.price)


class _Step(NamedTuple):
    """What one step changes: of which coin, and how much of it is carried from then on."""

    at_ms: int
    is_more: bool  # within a millisecond what ends comes first: nothing here is faster
    client_order_id: str
    symbol: str
    change: Decimal


def admitted_orders(journal: Path) -> list[Admitted]:
    """Read all that passed from a journal that nobody has open."""
    connection = sqlite3.connect(journal)
    try:
        rows = connection.execute(
            "SELECT decision, client_order_id, orders.symbol, side, qty, price, bids, asks, equity"
            " FROM orders JOIN snapshots USING (decision) ORDER BY decision"
        ).fetchall()
    finally:
        connection.close()
    return [
        Admitted(
            *(number, client_id, symbol.replace("-", ""), side, Decimal(qty)),
            # Where a side of the book was empty, only the other could matter.
            price=Decimal(price),
            bid=_best(bids) or _best(asks),
            ask=_best(asks) or _best(bids),
            equity=Decimal(equity),
        )
        for number, client_id, symbol, side, qty, price, bids, asks, equity in rows
    ]


def _best(levels: str) -> Decimal:
    return next((Decimal(price) for price, _ in json.loads(levels)), ZERO)


def times_unknown(journal: Path) -> int:
    """Return how many rows of executions said unknown before they were settled."""
    connection = sqlite3.connect(journal)
    try:
        (count,) = connection.execute(
            "SELECT count(*) FROM executions_history"
            " WHERE json_extract(execution, '$.outcome') = 'unknown'"
        ).fetchone()
    finally:
        connection.close()
    return int(count)


def breaches(
    truth: Mapping[str, Any],
    opening: Mapping[str, int],
    admitted: Sequence[Admitted],
    limits: Limits,
) -> list[str]:
    """Return a sentence for each step at which a limit was exceeded, from `opening` balances on."""
    by_id = {order.client_order_id: order for order in admitted}
    carried = defaultdict(
        lambda: ZERO, {f"{coin}USDT": Decimal(qty) for coin, qty in opening.items()}
    )
    accepted: set[str] = set()
    found = [
        f"{order.client_order_id} is worth {order.notional:.2f}, "
        f"max {limits.max_notional_per_order}"
        for order in admitted
        if order.notional > limits.max_notional_per_order * (1 + _RESOLUTION_PCT / 100)
    ]
    found += _too_many(truth, limits)
    newest: Admitted | None = None
    marks = _Marks(admitted)
    for step in _steps(truth):
        carried[step.symbol] += step.change
        if step.client_order_id not in accepted:
            accepted.add(step.client_order_id)
            order = by_id[step.client_order_id]
            if order.side == "BUY" and (newest is None or order.number > newest.number):
                newest = order
        if newest is not None and step.is_more:
            where = f"at {step.at_ms}, with {step.client_order_id}"
            found += (f"{where}: {what}" for what in _too_much(carried, newest, marks, limits))
    return found


def _too_many(truth: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    own = [order for order in truth["orders"] if order["account"] == "trader"]
    times, per_minute = sorted(order["time"] for order in own), limits.max_orders_per_minute
    for number, at_ms in enumerate(times):
        orders = number + 1 - bisect_right(times, at_ms - _MINUTE_MS)
        if per_minute is not None and orders > per_minute:
            yield f"at {at_ms}: {orders} orders in a minute, max {per_minute}"
    traded, most = (
        sum(Decimal(one["cummulativeQuoteQty"]) for one in own),
        limits.max_notional_per_day,
    )
    if most is not None and traded > most:  # a run is shorter than a day
        yield f"{traded:.2f} were traded, max {most} a day"


def _too_much(
    carried: Mapping[str, Decimal], newest: Admitted, marks: "_Marks", limits: Limits
) -> Iterator[str]:
    worth = {symbol: qty * marks.at(symbol, newest) for symbol, qty in carried.items() if qty}
    size_pct = worth.get(newest.symbol, ZERO) / newest.equity * 100
    if size_pct > limits.max_position_size_pct + _RESOLUTION_PCT:
        yield f"{newest.symbol} is {size_pct:.2f} % of equity, max {limits.max_position_size_pct}"
    risk_pct = sum(worth.values(), ZERO) / newest.equity * 100
    if risk_pct > limits.max_open_risk_pct + _RESOLUTION_PCT:
        yield f"open risk is {risk_pct:.2f} % of equity, max {limits.max_open_risk_pct}"
    positions = sum(value >= _LEAST_POSITION for value in worth.values())
    if positions > limits.max_total_positions:
        yield f"{positions} positions, max {limits.max_total_positions}"


@dataclass
class _Marks:
    """The marks stored with verdicts, by symbol and place in the order of judging."""

    admitted: Sequence[Admitted]
    _known: dict[str, list[Admitted]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for order in self.admitted:
            self._known[order.symbol].append(order)

    def at(self, symbol: str, order: Admitted) -> Decimal:
        """Return the mark of `symbol` when `order` was judged: the lower of those around it.

        What had not been traded by then counts as nothing: it was no position yet.
        """
        if symbol == order.symbol:
            return order.mark
        known = self._known[symbol]
        place = bisect_right(known, order.number, key=lambda one: one.number)
        return min(one.mark for one in known[place - 1 : place + 1]) if place else ZERO


def _steps(truth: Mapping[str, Any]) -> list[_Step]:
    steps = []
    for fill in truth["fills"]:
        at, id_, symbol = fill["time"], fill["origClientOrderId"], fill["symbol"]
        if fill["account"] == "trader" and fill["side"] == "SELL":
            steps.append(_Step(at, False, id_, symbol, -Decimal(fill["qty"])))
        elif fill["account"] == "trader":  # the fee of a purchase is paid in the coin
            steps.append(_Step(at, False, id_, symbol, -Decimal(fill["commission"])))
    for order in truth["orders"]:
        if order["account"] != "trader":
            continue
        id_, symbol = order["origClientOrderId"], order["symbol"]
        qty, filled = Decimal(order["origQty"]), Decimal(order["executedQty"])
        began, ended = order["time"], order["updateTime"]
        if order["side"] == "SELL":
            continue
        if began == ended:
            steps.append(_Step(began, True, id_, symbol, filled))
        else:
            steps.append(_Step(began, True, id_, symbol, qty))
            if filled < qty:
                steps.append(_Step(ended, False, id_, symbol, filled - qty))
    return sorted(steps)
