"""A daemon started from the command line: its configuration, log, latch and locks.

Source: contract.md, "States"; design.md, "The way of a kill".
"""

import asyncio
import getpass
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

from otonom_trader.brokers.config import BrokerConfig, require_own_keys
from otonom_trader.daemon.configuration import ConfigurationFiles
from otonom_trader.daemon.control import SOCKET_NAME, NoDaemon, ask
from otonom_trader.daemon.kill import process_switch
from otonom_trader.daemon.locks import wait_for_state_dir_lock
from otonom_trader.daemon.logs import Level, LogFormat, configure_logging
from otonom_trader.daemon.settings import Settings, find_config_dir, find_state_dir
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import ConfigurationError
from otonom_trader.domain.mode import DaemonState

_Result = TypeVar("_Result")


def at_the_venue(
    config: Path | None, state_dir: Path | None, command: str, **arguments: object
) -> dict[str, Any]:
    """Have the running daemon carry out a command that asks the venue, and return its answer.

    Without a daemon it is done here, under the locks that one would hold.
    """
    try:
        socket = find_state_dir(state_dir) / SOCKET_NAME
        return asyncio.run(ask(socket, command, timeout_seconds=120.0, **arguments))
    except NoDaemon:
        pass
    done = trade(
        config, state_dir, lambda daemon: daemon.run_by_hand(command, arguments), level="error"
    )
    return {**done, "state": DaemonState.STOPPED}


def person() -> str:
    """Return who runs this command, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def trade(
    config: Path | None,
    state_dir: Path | None,
    work: Callable[[Any], Coroutine[Any, Any, _Result]],
    level: str = "",
) -> _Result:
    """Make a daemon, have it do `work` under the lock of its state directory; return the result.

    `level` stands in for the log level of the configuration. Raises `ConfigurationError`,
    `AlreadyRunning`, and what the work raises.
    """
    from otonom_trader.daemon.app import Daemon  # noqa: PLC0415  the other commands start faster

    files = _files(config, state_dir)
    configuration = files.load()
    settings = configuration.settings
    require_own_keys(configuration.broker)
    log_output = configure_logging(
        cast("LogFormat", settings.logging.format), cast("Level", level or settings.logging.level)
    )
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        switch = process_switch(settings.state_dir)
        switch.open()
    except OSError as fault:
        raise ConfigurationError(
            f"the state directory {settings.state_dir} cannot be used: {fault.strerror}; "
            "name another with --state-dir"
        ) from None
    clock = SystemClock()

    async def locked() -> _Result:
        async with wait_for_state_dir_lock(settings.state_dir, clock=clock):
            daemon = Daemon(configuration, files, switch, clock, lambda: log_output.lost_lines)
            return await work(daemon)

    return asyncio.run(locked())


def load(config: Path | None, state_dir: Path | None) -> tuple[BrokerConfig, Settings]:
    """Return both files of the configuration; raises `ConfigurationError` for what is wrong."""
    configuration = _files(config, state_dir).load()
    return configuration.broker, configuration.settings


def _files(config: Path | None, state_dir: Path | None) -> ConfigurationFiles:
    return ConfigurationFiles(find_config_dir(config), find_state_dir(state_dir), dict(os.environ))
