"""``otonom-trader config check | show | reload | init``.

Source: contract.md, "Configuration"; exit statuses 77 not permitted, 78 configuration.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from otonom_trader.daemon.control import SOCKET_NAME, ask
from otonom_trader.daemon.folders import find_state_dir
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import (
    ConfigurationError,
    NotPermitted,
    Rejected,
    VenueError,
    VenueUnreachable,
)

if TYPE_CHECKING:
    from otonom_trader.brokers.config import BrokerConfig

EXIT_UNREACHABLE: Final = 69
EXIT_NOT_PERMITTED: Final = 77
EXIT_CONFIGURATION: Final = 78
FILE_NAMES: Final = ("broker.yaml", "daemon.yaml")

config_app = typer.Typer(
    help="Check, show or write the configuration.", no_args_is_help=True, add_completion=False
)

ConfigDir = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="DIR",
        help="Folder of broker.yaml and daemon.yaml (default: ./config, then /etc/otonom-trader)",
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir", metavar="DIR", help="State directory (default: $STATE_DIRECTORY, then ./var)"
    ),
]


@config_app.command()
def check(
    config: ConfigDir = None,
    state_dir: StateDir = None,
    online: Annotated[
        bool, typer.Option("--online", help="Ask the venue too: clock, key, account, symbols.")
    ] = False,
) -> None:
    """Say whether the configuration is in order, one line for each thing verified.

    Nothing is sent, but with --online, and even then no order is placed. Exit status 0 when all is
    well, 78 when the configuration is refused, 77 when what it asks for, or its key, is not
    permitted, 69 when the venue cannot be asked.
    """
    from otonom_trader.brokers.config import require_live_permitted, require_own_keys
    from otonom_trader.daemon.config_report import described, load_configuration

    with _refusals_told():
        broker, settings = load_configuration(config, state_dir)
        require_own_keys(broker)
        for line in described(broker, settings):
            typer.echo(f"ok  {line}")
        if online:
            asyncio.run(_tell_online(broker))
        require_live_permitted(broker)


@config_app.command()
def show(
    config: ConfigDir = None,
    state_dir: StateDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Print every value in force and where it comes from; keys are shown as ***."""
    from otonom_trader.daemon.config_report import load_configuration
    from otonom_trader.daemon.settings import configuration_hash

    with _refusals_told():
        broker, settings = load_configuration(config, state_dir)
    rows = [*broker.settings, *settings.settings]
    digest = configuration_hash(broker, settings)
    if as_json:
        document = {"settings": [asdict(row) for row in rows], "hash": digest}
        typer.echo(json.dumps(document, indent=2))
        return
    texts = [(row.key, _text(row.value), row.origin) for row in rows]
    key_width = max(len(key) for key, _, _ in texts)
    value_width = min(max(len(value) for _, value, _ in texts), 40)
    for key, value, origin in texts:
        typer.echo(f"{key:<{key_width}}  {value:<{value_width}}  {origin}")
    typer.echo(f"\nhash {digest}")


@config_app.command()
def reload(config: ConfigDir = None, state_dir: StateDir = None) -> None:
    """Have the running daemon read the configuration anew, and say what it made of it.

    What is tighter applies at once, all of it or nothing. Exit status 78 when it is refused, 1 when
    no daemon runs.
    """
    answer = asyncio.run(ask(find_state_dir(state_dir) / SOCKET_NAME, "reload"))
    with _refusals_told():
        if answer["configuration_refused"] is not None:
            raise ConfigurationError(answer["configuration_refused"])
    for change in answer["changes"]:
        typer.echo(change)
    told = "in force" if answer["changes"] else "in force as before"
    typer.echo(f"configuration {answer['configuration']} is {told}")


@config_app.command()
def init(config: ConfigDir = None) -> None:
    """Write commented defaults; a file that is there already is left alone."""
    folder = config or Path("config")
    with _refusals_told():
        for name in FILE_NAMES:
            typer.echo(_write_default(folder, name))
    typer.echo(f"now edit them, then run: otonom-trader config check --config {folder}")


async def _tell_online(broker: "BrokerConfig") -> None:
    from otonom_trader.daemon.online_check import check_online

    try:
        async for line in check_online(broker, SystemClock()):
            typer.echo(f"ok  {line}")
    except Rejected as refusal:
        raise NotPermitted(str(refusal)) from None
    except VenueError as failure:
        raise VenueUnreachable(f"the venue cannot be asked: {failure}") from None


def _write_default(folder: Path, name: str) -> str:
    path = folder / name
    text = files("otonom_trader.daemon").joinpath("defaults", name).read_text("utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        if not folder.is_dir():
            raise ConfigurationError(f"{folder} is not a folder; name another") from None
        return f"{path} exists already and was left as it is"
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise ConfigurationError(f"{path} cannot be written: {reason}") from None
    return f"{path} written"


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


@contextmanager
def _refusals_told() -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        typer.echo(f"configuration refused: {error}", err=True)
        raise typer.Exit(EXIT_CONFIGURATION) from None
    except NotPermitted as error:
        typer.echo(f"not permitted: {error}", err=True)
        raise typer.Exit(EXIT_NOT_PERMITTED) from None
    except VenueUnreachable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_UNREACHABLE) from None
