"""The oracles: what must hold of a run, told from the venue's own books and the journal.

Each raises ``AssertionError``; the broken daemons of ``tests/broken`` are held to the same ones.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from otonom_trader.domain.ledger import Ledger
from otonom_trader.storage.journal import Journal
from tests.system.harness import CLOCK

Rows = Sequence[Mapping[str, Any]]
Truth = Mapping[str, Any]

ZERO = Decimal(0)
_STOP = "-stop"
"""What the client id of a pair's stop ends with."""


def no_decision_executed_twice(truth: Truth, quantities: Collection[str] | None = None) -> None:
    """At most one accepted order for each client id, and for each decision told by its quantity.

    `quantities` are those that belong to one decision alone; all of them unless given.
    """
    truth = _with_pairs_folded(truth)
    own = None if quantities is None else {Decimal(quantity) for quantity in quantities}
    for name in ("origClientOrderId", "origQty"):
        counts = Counter(
            order[name]
            for order in truth["orders"]
            if name != "origQty" or own is None or Decimal(order[name]) in own
        )
        twice = {value: count for value, count in counts.items() if count > 1}
        assert not twice, f"executed twice, by {name}: {twice}"


def every_decision_has_one_execution(ids: Iterable[str], executions: Rows) -> None:
    """Each decision that was written has exactly one row, and there are no others."""
    counts = Counter(row["decision_id"] for row in executions)
    assert counts == Counter(ids), (
        f"lost: {set(ids) - counts.keys()}, of nowhere: {counts.keys() - set(ids)}, "
        f"more than once: {[id_ for id_, count in counts.items() if count > 1]}"
    )


def nothing_left_unknown(executions: Rows) -> None:
    """Every outcome is known and final."""
    left = [row["decision_id"] for row in executions if row["outcome"] == "unknown"]
    assert not left, f"left UNKNOWN: {left}"


def journal_equals_truth(orders: Rows, executions: Rows, truth: Truth) -> None:
    """Accepted orders on both sides are the same: ids, status, quantities, fees; so are outcomes.

    The venue is asked for its own list, so that what the journal forgot is missed too.
    """
    journaled = {
        row["client_order_id"]: (
            row["order_id"],
            row["symbol"].replace("-", ""),
            row["side"],
            row["status"],
            Decimal(row["qty"]),
            Decimal(row["executed_qty"]),
            Decimal(row["quote_qty"]),
            {asset: Decimal(fee) for asset, fee in row["fees"].items()},
        )
        for row in orders
        if row["state"] == "ACCEPTED"
    }
    truth = _with_pairs_folded(truth)
    fees = _fees(truth["fills"])
    accepted = {
        order["origClientOrderId"]: (
            str(order["orderId"]),
            order["symbol"],
            order["side"],
            order["status"],
            Decimal(order["origQty"]),
            Decimal(order["executedQty"]),
            Decimal(order["cummulativeQuoteQty"]),
            fees.get(order["orderId"], {}),
        )
        for order in truth["orders"]
    }
    assert journaled.keys() == accepted.keys(), (
        f"only in the journal: {journaled.keys() - accepted.keys()}, "
        f"only at the venue: {accepted.keys() - journaled.keys()}"
    )
    for client_id, told in accepted.items():
        assert journaled[client_id] == told, f"order {client_id}"
    rows = {row["client_order_id"]: row for row in executions if row["client_order_id"]}
    for client_id, told in accepted.items():
        row = rows[client_id]
        filled, quote = told[5], told[6]
        assert row["broker_ok"], f"order {client_id} was accepted, its execution says {row}"
        assert Decimal(row["broker_qty"]) == filled
        if filled:
            assert Decimal(row["broker_fill_price"]) == quote / filled


def _with_pairs_folded(truth: Truth) -> Truth:
    """Return the truth with each pair of ours as one order: its limit, with the stop's fills."""
    stops = {
        order["origClientOrderId"].removesuffix(_STOP): order
        for order in truth["orders"]
        if order["origClientOrderId"].endswith(_STOP)
    }
    orders, owners = [], {}
    for order in truth["orders"]:
        stop = stops.get(order["origClientOrderId"])
        if stop is not None:
            owners[stop["orderId"]] = order["orderId"]
            orders.append(_folded(order, stop))
        elif not order["origClientOrderId"].endswith(_STOP):
            orders.append(order)
    fills = [
        fill | {"orderId": owners.get(fill["orderId"], fill["orderId"])} for fill in truth["fills"]
    ]
    return {**truth, "orders": orders, "fills": fills}


def _folded(limit: Mapping[str, Any], stop: Mapping[str, Any]) -> dict[str, Any]:
    sums = {
        name: str(Decimal(limit[name]) + Decimal(stop[name]))
        for name in ("executedQty", "cummulativeQuoteQty")
    }
    ended = stop if Decimal(stop["executedQty"]) else limit
    return {**limit, **sums, "status": ended["status"]}


def orders_are_trades(truth: Truth) -> None:
    """The venue's fills add up to its orders: the oracle itself is sound."""
    for order in truth["orders"]:
        of_order = [fill for fill in truth["fills"] if fill["orderId"] == order["orderId"]]
        assert sum((Decimal(f["qty"]) for f in of_order), ZERO) == Decimal(order["executedQty"])


def nothing_sent_after_the_latch(truth: Truth, latched_ms: float, signalled_ms: float) -> None:
    """No order signed after the latch was accepted, none at all from a second after the signal.

    The signature is dated by the daemon's estimate of the venue's clock, which is off by half a
    round trip: tens of milliseconds on a loaded machine.
    """
    for request in truth["requests"]:
        if (request["method"], request["path"]) != ("POST", "/api/v3/order"):
            continue
        if request["accepted"]:
            assert request["timestamp"] <= latched_ms + 50, f"signed after the latch: {request}"
            assert request["time"] <= signalled_ms + 1000, f"accepted after the signal: {request}"


async def paper_is_a_replay_of_the_executions(
    journal_path: Path, executions: Rows, account: str, opening: Mapping[str, Decimal]
) -> None:
    """The paper account is its opening and the paper fills of the executions, to the last digit.

    `account` names it without its leg. The daemon must have ended.
    """
    expected = dict(opening)
    for row in executions:
        qty = Decimal(row["paper_qty"] or 0)
        if not qty:
            continue
        base, quote = row["symbol"].split("-")
        sign = 1 if row["side"] == "BUY" else -1
        # Ticks times steps have few decimals; the average price was rounded at 28 digits.
        paid = (qty * Decimal(row["paper_fill_price"])).quantize(Decimal("1e-12"))
        expected[base] = expected.get(base, ZERO) + sign * qty
        expected[quote] = expected.get(quote, ZERO) - sign * paid
        expected[row["paper_fee_asset"]] -= Decimal(row["paper_fee"])
    async with Journal(journal_path, clock=CLOCK) as journal:
        assert await journal.check() == []
        ledger = await journal.load_ledger(f"paper:{account}")
        entries = await journal.ledger_entries(f"paper:{account}")
    assert ledger is not None
    assert {asset: amount for asset, amount in ledger.amounts.items() if amount} == {
        asset: amount for asset, amount in expected.items() if amount
    }
    replayed = Ledger(dict(opening))
    for payment in entries:
        replayed = replayed.apply(payment)
    assert replayed == ledger


def _fees(fills: Rows) -> dict[int, dict[str, Decimal]]:
    fees: dict[int, dict[str, Decimal]] = {}
    for fill in fills:
        of_order = fees.setdefault(fill["orderId"], {})
        asset = fill["commissionAsset"]
        of_order[asset] = of_order.get(asset, ZERO) + Decimal(fill["commission"])
    return fees
