"""The command line. Exit statuses: 0 done, 64 usage, 69 venue unreachable, 75 already running,
77 not permitted, 78 configuration, 1 any other refusal.

A command imports what it works with when it is run: help and a kill do not wait for the rest.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from otonom_trader.daemon import approval_commands, emergency_commands
from otonom_trader.daemon.config_commands import config_app
from otonom_trader.daemon.control import exit_status
from otonom_trader.daemon.folders import find_state_dir
from otonom_trader.daemon.kill import is_doubt, read_latch
from otonom_trader.daemon.operations import answer, answer_at_the_venue, kill_daemon, person
from otonom_trader.daemon.testnet_commands import testnet_app
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotPermitted, TraderError
from otonom_trader.domain.mode import DaemonState

app = typer.Typer(
    name="otonom-trader",
    help="Execute trading decisions on paper and at a broker, side by side: off, shadow or live.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(testnet_app, name="testnet")
app.add_typer(config_app, name="config")
app.add_typer(emergency_commands.drill_app, name="drill")

USAGE = 64
_TYPERS_USAGE = 2

ConfigDir = Annotated[
    Path | None,
    typer.Option("--config", metavar="DIR", help="Folder of broker.yaml and daemon.yaml."),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir", metavar="DIR", help="Folder of the journal and the control socket."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Limit = Annotated[int, typer.Option(min=1, help="How many of the newest to show.")]


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command; return the exit status. Refusals are one sentence on standard error."""
    try:
        typer.main.get_command(app).main(list(arguments), prog_name="otonom-trader")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
        return USAGE if status == _TYPERS_USAGE else status
    except TraderError as refusal:
        return _refuse(refusal)
    except BaseExceptionGroup as group:
        alone = _only_refusal(group)
        if alone is None:
            raise
        return _refuse(alone)
    except BrokenPipeError:
        # The reader of our output went away: nothing is wrong with what was done.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


@app.command()
def run(
    config: ConfigDir = None,
    state_dir: StateDir = None,
    duration: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Stop by itself after so long.")
    ] = None,
) -> None:
    """Run the daemon until SIGTERM, SIGINT or its duration; SIGUSR1 trips the kill switch."""
    from otonom_trader.daemon.launch import trade

    trade(config, state_dir, lambda daemon: daemon.run(duration))


@app.command()
def once(config: ConfigDir = None, state_dir: StateDir = None) -> None:
    """Execute what the decision sources have now, and end.

    Exits with 69 when the venue is unreachable, and with 77 when trading is halted.
    """
    from otonom_trader.daemon.launch import trade

    trade(config, state_dir, lambda daemon: daemon.run_once())


@app.command()
def decide(
    symbol: Annotated[str, typer.Argument(help="Such as BTC-USDT.")],
    direction: Annotated[str, typer.Argument(help="BUY, SELL or HOLD.")],
    id_: Annotated[str, typer.Option("--id", help="Its identity: the same id executes once.")],
    strength: Annotated[str | None, typer.Option(help="Above 0, up to 1.")] = None,
    qty: Annotated[str | None, typer.Option(help="Quantity in the base asset.")] = None,
    notional: Annotated[str | None, typer.Option(help="Amount in the quote asset.")] = None,
    price: Annotated[str | None, typer.Option(help="Makes it a limit order.")] = None,
    order_type: Annotated[
        str | None, typer.Option(help="Such as STOP_LOSS or OCO; by default MARKET or LIMIT.")
    ] = None,
    stop_price: Annotated[str | None, typer.Option(help="Where a stop triggers.")] = None,
    trailing_delta_bps: Annotated[
        str | None, typer.Option(help="How far a stop follows the market, in 0.01 %.")
    ] = None,
    expires_in: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Not executed any later.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    config: ConfigDir = None,
    state_dir: StateDir = None,
) -> None:
    """Write a decision to the first jsonl source; the daemon takes it up at its next poll."""
    from otonom_trader.daemon.settings import load_settings
    from otonom_trader.daemon.sources.append import append_decision, holds
    from otonom_trader.domain.decision import Malformed, parse_decision

    sizes = {"--strength": strength, "--qty": qty, "--notional": notional}
    if len(given_sizes := [name for name, size in sizes.items() if size is not None]) > 1:
        raise typer.BadParameter(f"{' and '.join(given_sizes)} are two sizes: give one")
    now = SystemClock().now()
    expires_at = None if expires_in is None else now + timedelta(seconds=expires_in)
    fields = {
        "id": id_,
        "symbol": symbol,
        "direction": direction,
        "strength": strength,
        "qty": qty,
        "notional": notional,
        "price": price,
        "order_type": order_type,
        "stop_price": stop_price,
        "trailing_delta_bps": trailing_delta_bps,
        "created_at": now.isoformat(),
        "expires_at": expires_at.isoformat() if expires_at else None,
        "reason": reason,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    decision = parse_decision(given, "decide", "command line")
    if isinstance(decision, Malformed):
        raise typer.BadParameter(decision.reason)
    settings = load_settings(config, state_dir)
    target = next(source for source in settings.sources if source.type == "jsonl")
    if target.path.parent == settings.state_dir and not settings.state_dir.is_dir():
        raise typer.BadParameter(
            f"no daemon has used the state directory {settings.state_dir}, which does not exist: "
            "name the daemon's with --state-dir, or start it first (otonom-trader run)"
        )
    if holds(target.path, decision.id):
        raise typer.BadParameter(
            f"decision {decision.id} is in {target.path} already, and an id is executed once: "
            "give another --id"
        )
    target.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    append_decision(target.path, decision.payload())
    typer.echo(f"decision {decision.id} written to {target.path}")


@app.command()
def status(
    config: ConfigDir = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Exit 1 unless a daemon runs, neither halted nor on paper only."
        ),
    ] = False,
) -> None:
    """Show what the daemon is doing, or what it left."""
    from otonom_trader.daemon import tables

    result = answer(config, state_dir, "status")
    tables.show(result, as_json=as_json, table=tables.show_status)
    idle = (DaemonState.STOPPED, DaemonState.HALTED, DaemonState.PAPER_ONLY)
    if check and result["state"] in idle:
        raise typer.Exit(1)


@app.command()
def orders(
    config: ConfigDir = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
    limit: Limit = 100,
    open_only: Annotated[bool, typer.Option("--open", help="Only those not settled.")] = False,
    external: Annotated[
        bool, typer.Option("--external", help="Those of others on the account, as last told of.")
    ] = False,
) -> None:
    """Show the orders on record, newest last."""
    from otonom_trader.daemon import tables

    if open_only and external:
        raise typer.BadParameter("--open is about own orders, --external about others: give one")
    result = answer(
        config, state_dir, "orders", limit=limit, open_only=open_only, external=external
    )
    table = tables.show_external_orders if external else tables.show_orders
    tables.show(result["rows"], as_json=as_json, table=table)


@app.command()
def executions(
    config: ConfigDir = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
    limit: Limit = 100,
) -> None:
    """Show paper against broker for every decision, newest last."""
    from otonom_trader.daemon import tables

    result = answer(config, state_dir, "executions", limit=limit)
    tables.show(result["rows"], as_json=as_json, table=tables.show_executions)


@app.command()
def reconcile(
    config: ConfigDir = None, state_dir: StateDir = None, as_json: AsJson = False
) -> None:
    """Compare journal and venue, and print in what they differ; the venue's word is booked.

    Exits with 77 where they contradict each other: trading is halted then, and it says what to do.
    """
    from otonom_trader.daemon import tables

    rows = answer_at_the_venue(config, state_dir, "reconcile")["rows"]
    tables.show(rows, as_json=as_json, table=tables.show_differences)
    doubts = [row for row in rows if row["doubt"]]
    for row in doubts:
        typer.echo(f"otonom-trader: {row['doubt']}; {row['remedy']}", err=True)
    if doubts:
        raise NotPermitted("trading is halted until then, and otonom-trader resume --reason TEXT")


@app.command("write-off")
def write_off(
    client_order_id: Annotated[str, typer.Argument(help="As otonom-trader reconcile shows it.")],
    reason: Annotated[str, typer.Option(help="What was seen at the venue, for the record.")],
    config: ConfigDir = None,
    state_dir: StateDir = None,
) -> None:
    """End an order that the venue accepted and does not know any more; look there first.

    Its fills so far stay, nothing is added. Refused where the venue knows it, or cannot be asked.
    """
    ended = answer_at_the_venue(
        config, state_dir, "write_off", client_order_id=client_order_id, reason=reason, by=person()
    )
    typer.echo(
        f"order {client_order_id} is written off: {ended['outcome']}, "
        f"filled {ended['filled_qty']} of {ended['qty']}"
    )


@app.command()
def kill(
    config: ConfigDir = None,
    state_dir: StateDir = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> None:
    """Halt trading now, and at every start until resumed; fails unless the halt is confirmed."""
    directory = find_state_dir(state_dir)
    typer.echo(asyncio.run(kill_daemon(directory, reason or "by hand", "otonom-trader kill")))


@app.command()
def resume(
    reason: Annotated[str, typer.Option(help="Why it is safe to trade again, for the record.")],
    config: ConfigDir = None,
    state_dir: StateDir = None,
) -> None:
    """Clear the kill switch and the health breaker: reconcile, then trade again.

    Refused while a contradiction stands.
    """
    if is_doubt(read_latch(find_state_dir(state_dir)) or ""):
        result = answer_at_the_venue(config, state_dir, "resume", reason=reason)
    else:
        result = answer(config, state_dir, "resume", reason=reason)
    typer.echo(f"resumed: {result['state']}")


# After the others, in whose order the help lists them.
for command in (
    emergency_commands.panic,
    approval_commands.approvals,
    approval_commands.approve,
    approval_commands.deny,
):
    app.command()(command)


def _refuse(refusal: TraderError) -> int:
    typer.echo(f"otonom-trader: {refusal}", err=True)
    return exit_status(refusal)


def _only_refusal(group: BaseExceptionGroup[BaseException]) -> TraderError | None:
    """Return the refusal a task group ended with, None when a bug is among its exceptions."""
    refusals, others = group.split(TraderError)
    if refusals is None or others is not None:
        return None
    first: BaseException = refusals
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, TraderError) else None
