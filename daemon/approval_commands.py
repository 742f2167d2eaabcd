"""``otonom-trader approvals | approve | deny``: a person's word on orders that wait for it."""

from typing import Annotated

import typer

from otonom_trader.daemon.config_commands import ConfigDir, StateDir
from otonom_trader.daemon.operations import answer, person
from otonom_trader.domain.errors import NotPermitted, TraderError

Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="The decision's id, as otonom-trader approvals shows it."),
]
Source = Annotated[
    str | None, typer.Option(help="Its source, where decisions of several wait under one id.")
]


def approvals(
    *,
    config: ConfigDir = None,
    state_dir: StateDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest to show.")] = 100,
    all_: Annotated[bool, typer.Option("--all", help="Also those that wait no more.")] = False,
) -> None:
    """Show the orders that wait for a person, newest last."""
    from otonom_trader.daemon import tables

    result = answer(config, state_dir, "approvals", limit=limit, all=all_)
    tables.show(result["rows"], as_json=as_json, table=tables.show_approvals)


def approve(
    id_: Id, source: Source = None, config: ConfigDir = None, state_dir: StateDir = None
) -> None:
    """Have an order that waits executed, and say what became of it; it is judged once more.

    Exits with 77 where it is denied, or waits on, and with 1 where the venue did not take it.
    """
    from otonom_trader.domain.execution import Outcome

    result = answer(config, state_dir, "approve", id=id_, source=source, by=person())
    row = result["execution"]
    outcome, message = row["outcome"], row["broker_message"]
    said = f"decision {id_} is approved, and {outcome}"
    if outcome in (Outcome.DENIED, Outcome.EXPIRED):
        raise NotPermitted(f"{said}: {message}")
    if not row["broker_ok"]:
        raise TraderError(f"{said}: {message}")
    typer.echo(f"{said}: order {row['broker_order_id']}, {row['broker_qty']} of {row['qty']}")


def deny(
    id_: Id,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    source: Source = None,
    config: ConfigDir = None,
    state_dir: StateDir = None,
) -> None:
    """End the wait of an order: it is never sent."""
    answer(config, state_dir, "deny", id=id_, source=source, reason=reason, by=person())
    typer.echo(f"decision {id_} is denied")
