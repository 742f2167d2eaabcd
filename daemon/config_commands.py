"""``otonom-trader config check | show | reload | init``.

Source: contract.md, "Configuration"; exit statuses 77 not permitted, 78 configuration.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from otonom_trader.brokers.config import (
    BrokerConfig,
    get_broker_config,
    require_live_permitted,
    require_own_keys,
)
from otonom_trader.brokers.yaml_source import shown
from otonom_trader.daemon.control import SOCKET_NAME, ask
from otonom_trader.daemon.online_check import check_online
from otonom_trader.daemon.settings import (
    Settings,
    SourceSettings,
    configuration_hash,
    find_config_dir,
    find_state_dir,
    load_settings,
)
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import (
    ConfigurationError,
    NotPermitted,
    Rejected,
    VenueError,
    VenueUnreachable,
)
from otonom_trader.domain.mode import Mode
from otonom_trader.risk.limits import RiskGuardrails

EXIT_UNREACHABLE: Final = 69
EXIT_NOT_PERMITTED: Final = 77
EXIT_CONFIGURATION: Final = 78
FILE_NAMES: Final = ("broker.yaml", "daemon.yaml")

_OFF: Final = (None, (), False)

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


async def _tell_online(broker: BrokerConfig) -> None:
    try:
        async for line in check_online(broker, SystemClock()):
            typer.echo(f"ok  {line}")
    except Rejected as refusal:
        raise NotPermitted(str(refusal)) from None
    except VenueError as failure:
        raise VenueUnreachable(f"the venue cannot be asked: {failure}") from None


def load_configuration(
    config: Path | None, state_dir: Path | None
) -> tuple[BrokerConfig, Settings]:
    """Read and check both files; raises ``ConfigurationError``."""
    folder = find_config_dir(config)
    return get_broker_config(folder / "broker.yaml"), load_settings(folder, state_dir)


def described(broker: BrokerConfig, settings: Settings) -> Iterator[str]:
    """Yield a line for each thing a checked configuration settles."""
    venue = broker.broker_type
    if broker.base_url:
        money = "play money" if broker.use_testnet else "real money"
        venue = f"{broker.broker_type} at {broker.base_url} ({money})"
    yield f"{broker.path}: mode {broker.mode} on {venue}"
    if broker.api_key:
        places = broker.sources
        yield (
            f"keys: api_key from {places['broker.binance.api_key']}, "
            f"api_secret from {places['broker.binance.api_secret']}"
        )
    else:
        yield f"keys: {broker.sources['broker.binance.api_key']}"
    yield f"limits: {_limits_in_force(broker.get_risk_guardrails())}"
    if broker.get_risk_guardrails().kill_switch:
        yield "limits: kill_switch is true, so nothing will trade"
    if broker.mode is Mode.LIVE:
        yield "mode live: orders will be executed"
    yield f"{settings.path}: polls every {settings.poll_interval_seconds:g} s"
    for source in settings.sources:
        yield f"source {source.name}: {_source_state(source)}"
    yield f"state directory {shown(str(settings.state_dir), limit=200)}: {_state_of(settings)}"


def _limits_in_force(limits: RiskGuardrails) -> str:
    """Return how many guardrails may deny, and which of those on by default may not."""
    optional = [limit for limit in fields(limits) if limit.name != "kill_switch"]
    off = [limit for limit in optional if getattr(limits, limit.name) in _OFF]
    removed = ", ".join(limit.name for limit in off if limit.default not in _OFF)
    told = f"{len(optional) + 1 - len(off)} in force, {len(off)} off"
    return f"{told}, of which by default on: {removed}" if removed else told


def _source_state(source: SourceSettings) -> str:
    name = shown(str(source.path), limit=200)
    if not os.path.lexists(source.path):
        return f"{source.type} {name}, not there yet"
    if os.access(source.path, os.F_OK) and source.path.is_dir():
        raise ConfigurationError(f"source {source.name}: {name} is a directory, not a file")
    if not os.access(source.path, os.R_OK):
        raise ConfigurationError(f"source {source.name}: {name} cannot be read by this user")
    return f"{source.type} {name}, readable"


def _state_of(settings: Settings) -> str:
    folder = settings.state_dir
    if not os.path.lexists(folder):
        return "not there yet, the daemon makes it"
    if os.access(folder, os.F_OK) and not folder.is_dir():
        raise ConfigurationError(f"state directory {folder} is not a directory")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(f"state directory {folder} cannot be written by this user")
    return "writable"


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
