"""The commands for when something is wrong, and for rehearsing that."""

import asyncio
from typing import Annotated

import typer

from otonom_trader.daemon.config_commands import ConfigDir, StateDir
from otonom_trader.daemon.launch import load
from otonom_trader.daemon.panic import Panic
from otonom_trader.daemon.settings import find_state_dir
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotPermitted


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
