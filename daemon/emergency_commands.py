"""The commands for when something is wrong, and for rehearsing that."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from otonom_trader.daemon.config_commands import ConfigDir, StateDir
from otonom_trader.daemon.control import SOCKET_NAME, NoDaemon, ask
from otonom_trader.daemon.folders import find_state_dir
from otonom_trader.daemon.operations import answer, person, signal_daemon
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotPermitted, TraderError

drill_app = typer.Typer(
    name="drill", help="Rehearse the kill switch, and show past rehearsals.", no_args_is_help=True
)


def panic(
    *,
    config: ConfigDir = None,
    state_dir: StateDir = None,
    every: Annotated[
        bool, typer.Option("--all", help="Cancel every order of the account, whoever placed it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --all.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to try for.")
    ] = 60.0,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "panic",
) -> None:
    """Halt, and cancel own working orders without the daemon; exits with 0 only when verified.

    Works beside a daemon that is dead or hangs, and with a journal that cannot be opened.
    """
    from otonom_trader.daemon.launch import load
    from otonom_trader.daemon.panic import Panic

    doing = Panic(find_state_dir(state_dir), SystemClock(), typer.echo, timeout)
    doing.halt(reason)
    agreed = every and (yes or _confirmed())
    try:
        asyncio.run(doing.cancel(lambda: load(config, state_dir), every=agreed))
    finally:
        for objection in doing.objections:
            typer.echo(f"otonom-trader: {objection}", err=True)
    if every and not agreed:
        raise NotPermitted("the orders of others were left: --all needs a yes, or --yes")
    if doing.objections:
        raise typer.Exit(1)
    typer.echo("trading stays halted until: otonom-trader resume --reason TEXT")


def _confirmed() -> bool:
    try:
        return typer.confirm("Cancel the orders of others on this account too?")
    except typer.Abort:  # nobody is there to answer
        return False


@drill_app.command("halt")
def drill_halt(
    *,
    config: ConfigDir = None,
    state_dir: StateDir = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Trade on afterwards, unless somebody kills meanwhile.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Halt the running daemon by its signal, measure what follows, and put that on record.

    On a testnet own working orders are cancelled; on production nothing is sent, no cancel either.
    """
    from otonom_trader.daemon import tables

    directory = find_state_dir(state_dir)
    drill = asyncio.run(_drill(directory, resume=resume))
    tables.show(drill, as_json=as_json, table=tables.show_drill)
    if not as_json:
        halted = "trading is halted until: otonom-trader resume --reason TEXT"
        typer.echo(f"resumed: {drill['state']}" if resume else halted)


@drill_app.command("show")
def drill_show(
    *,
    config: ConfigDir = None,
    state_dir: StateDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest to show.")] = 100,
) -> None:
    """Show the rehearsals on record, newest last."""
    from otonom_trader.daemon import tables

    found = answer(config, state_dir, "drills", limit=limit)
    tables.show(found["rows"], as_json=as_json, table=tables.show_drills)


async def _drill(state_dir: Path, *, resume: bool) -> dict[str, Any]:
    from otonom_trader.daemon.drill import ANSWER_SECONDS

    socket, by = state_dir / SOCKET_NAME, person()
    try:
        await ask(socket, "drill_announce", by=by)
    except NoDaemon:
        raise TraderError(
            f"no daemon runs on {state_dir}: a drill needs a running one, start it with "
            "otonom-trader run"
        ) from None
    signalled_ns = SystemClock().monotonic_ns()
    signal_daemon(state_dir)
    return await ask(
        socket,
        "drill_measure",
        timeout_seconds=ANSWER_SECONDS,
        signalled_ns=signalled_ns,
        by=by,
        resume=resume,
    )
