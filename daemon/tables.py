"""What people read on a terminal: orders, executions and status as tables."""

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from statistics import quantiles
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from otonom_trader.daemon.activity_facts import activity_lines
from otonom_trader.domain.amount import plain
from otonom_trader.domain.compare import ABSENT

_DASH = "-"


def show(result: Any, *, as_json: bool, table: Callable[[Console, Any], None]) -> None:
    """Print what a command found, as JSON or by `table`."""
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    else:
        # Off a terminal nothing is known of the width: lines are long rather than folded.
        table(Console(width=None if sys.stdout.isatty() else 160), result)


def show_executions(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print paper against broker, one row a decision, and what they come to."""
    table = Table(title="Paper against broker", header_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("decision", overflow="fold")
    for heading in ("symbol", "side", "outcome"):
        table.add_column(heading, no_wrap=True)
    for heading in ("qty", "paper", "broker", "slip %", "ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            str(row["decision_id"]),
            _text(row["symbol"]),
            _text(row["side"]),
            str(row["outcome"]),
            _text(row["qty"]),
            _price(row["paper_fill_price"]),
            _price(row["broker_fill_price"]),
            _rounded(row["slippage_estimate"], 4),
            _rounded(row["latency_ms"], 1),
        )
    console.print(table)
    for code, count in _reasons(rows).items():
        console.print(f"{count:>5} x {code}", highlight=False)
    console.print(summary(rows), highlight=False)


def _reasons(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count the codes of what was not executed as asked, most frequent first."""
    codes = Counter(
        row["broker_code"]
        for row in rows
        if row["broker_code"] and row["broker_code"] != row["outcome"]
    )
    return dict(codes.most_common())


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return one line: decisions by outcome, mean slippage, latency."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
    parts = [f"{len(rows)} decisions"]
    parts += [f"{count} {outcome}" for outcome, count in sorted(counts.items())]
    slippages = [Decimal(row["slippage_estimate"]) for row in rows if row["slippage_estimate"]]
    if slippages:
        parts.append(f"mean slippage {sum(slippages) / len(slippages):.4f} %")
    latencies = [
        float(row["latency_ms"])
        for row in rows
        if row["latency_ms"] is not None and not math.isnan(float(row["latency_ms"]))
    ]
    if len(latencies) > 1:
        cuts = quantiles(latencies, n=20, method="inclusive")
        parts.append(f"latency p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms")
    return " · ".join(parts)


def show_differences(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print in what journal and venue differed."""
    if not rows:
        console.print("journal and venue agree", highlight=False)
        return
    table = Table(title="What the venue told otherwise", header_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("kind", "symbol", "client order id", "journal", "venue"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        names = ("kind", "symbol", "client_order_id", "journal", "venue")
        table.add_row(*(str(row[name]) for name in names))
    console.print(table)


def show_orders(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print orders as the journal knows them: what was asked for, and what became of it."""
    table = Table(title="Orders", header_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("decision", overflow="fold")
    for heading in ("symbol", "side", "type"):
        table.add_column(heading, no_wrap=True)
    for heading in ("qty", "price", "stop"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for heading in ("executed", "quote"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("client order id", overflow="fold")
    for row in rows:
        names = ("decision_id", "symbol", "side", "order_type", "qty", "price")
        table.add_row(
            *(_text(row[name]) for name in names),
            _stop(row),
            _standing(row),
            *(_text(row[name]) for name in ("executed_qty", "quote_qty", "client_order_id")),
        )
    console.print(table)


def show_external_orders(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print orders of others on the account as the venue told of them last."""
    table = Table(title="Orders of others", header_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("symbol", "side"):
        table.add_column(heading, no_wrap=True)
    for heading in ("qty", "price"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("executed", justify="right", no_wrap=True)
    for heading in ("order id", "client order id", "told at"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            *(str(row[name]) for name in ("symbol", "side")),
            *(_number(row[name]) for name in ("qty", "price")),
            str(row["status"]),
            _number(row["filled_qty"]),
            *(_text(row[name]) for name in ("order_id", "client_order_id")),
            str(row["updated_at"])[:19],
        )
    console.print(table)


def _stop(row: Mapping[str, Any]) -> str:
    """Where a stop triggers, or how far it follows the market."""
    if row["trailing_delta_bps"] is None:
        return _text(row["stop_price"])
    return f"{int(row['trailing_delta_bps']) / 100:g} %"


def _standing(row: Mapping[str, Any]) -> str:
    """The venue's word where there is one, else what is known here."""
    if row["status"]:
        return str(row["status"])
    return str(row["code"] if row["code"] == ABSENT else row["state"] or row["phase"])


def show_drill(console: Console, drill: Mapping[str, Any]) -> None:
    """Print what one rehearsal of the kill switch measured."""
    table = Table(title="From the signal on", header_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("what", "ms"):
        table.add_column(heading, justify="right" if heading == "ms" else "left", no_wrap=True)
    table.add_row("the latch is durable", _rounded(drill["latch_ms"], 2))
    last = drill["last_order_ms"]
    table.add_row("the last order at the socket", "none" if last is None else _rounded(last, 2))
    if drill["verified_ms"] is None:
        table.add_row("own orders at the venue", _not_looked(drill))
    else:
        cancelled = f"own orders are seen to be gone, {drill['orders_cancelled']} cancelled"
        table.add_row(cancelled, _rounded(drill["verified_ms"], 2))
    console.print(table)


def show_drills(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rehearsals of the kill switch, durations in milliseconds from the signal on."""
    if not rows:
        console.print("no drill is on record: otonom-trader drill halt", highlight=False)
        return
    table = Table(title="Drills", header_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("at", "by", "environment", "mode"):
        table.add_column(heading, no_wrap=True)
    for heading in ("latch ms", "last order ms", "cancelled", "gone ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            *(str(row[name]) for name in ("at", "by", "environment", "mode")),
            _rounded(row["latch_ms"], 2),
            "none" if row["last_order_ms"] is None else _rounded(row["last_order_ms"], 2),
            str(row["orders_cancelled"]),
            _rounded(row["verified_ms"], 2),
        )
    console.print(table)


def _not_looked(drill: Mapping[str, Any]) -> str:
    if drill["environment"] == "production":
        return "not looked: nothing is sent to production"
    return f"none in mode {drill['mode']}"


def show_approvals(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print orders that wait, or waited, for a person."""
    if not rows:
        console.print("nothing waits for approval", highlight=False)
        return
    table = Table(title="Approvals", header_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("decision", "source"):
        table.add_column(heading, overflow="fold")
    for heading in ("symbol", "side"):
        table.add_column(heading, no_wrap=True)
    for heading in ("qty", "price", "notional"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("until (UTC)", no_wrap=True)
    table.add_column("why, and what was said", overflow="fold")
    for row in rows:
        names = ("decision_id", "source", "symbol", "side", "qty")
        table.add_row(
            *(_text(row[name]) for name in names),
            _text(row["decision"].get("price")),
            _rounded(row["notional"], 2),
            str(row["expires_at"])[:19].replace("T", " "),
            _said(row),
        )
    console.print(table)


def _said(row: Mapping[str, Any]) -> str:
    """Why somebody decided so; where nobody is heard yet, why the decision was made."""
    if row["ruling"] is None:
        return _text(row["decision"].get("reason"))
    by = f" by {row['ruled_by']}" if row["ruled_by"] else ""
    why = f": {row['ruling_reason']}" if row["ruling_reason"] else ""
    return f"{row['ruling']}{by}{why}"


def show_status(console: Console, status: Mapping[str, Any]) -> None:
    """Print a status, one line a fact."""
    table = Table(show_header=False, box=None)
    for name, value in status.items():
        lines = activity_lines(value) if name == "activity" else [(name, _joined(value))]
        for heading, text in lines:
            table.add_row(heading.replace("_", " "), text)
    console.print(table)


def _joined(value: object) -> str:
    if isinstance(value, Mapping):
        return _text(", ".join(f"{count} {key}" for key, count in value.items()))
    if isinstance(value, list):
        return _text(", ".join(str(entry) for entry in value))
    return _text(value)


def _text(value: object) -> str:
    return _DASH if value is None or value == "" else str(value)


def _number(value: object) -> str:
    return _DASH if value is None else plain(Decimal(str(value)))


def _price(value: object) -> str:
    return _DASH if value is None else f"{Decimal(str(value)):.2f}"


def _rounded(value: object, digits: int) -> str:
    if value is None or math.isnan(float(str(value))):
        return _DASH
    return f"{Decimal(str(value)):.{digits}f}"
