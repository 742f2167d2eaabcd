"""A daemon started from the command line: its configuration, log, latch and locks.

Source: contract.md, "States"; design.md, "The way of a kill".
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

from otonom_trader.brokers.config import BrokerConfig, require_own_keys
from otonom_trader.daemon.configuration import ConfigurationFiles
from otonom_trader.daemon.folders import find_config_dir, find_state_dir
from otonom_trader.daemon.kill import process_switch
from otonom_trader.daemon.locks import wait_for_state_dir_lock
from otonom_trader.daemon.logs import Level, LogFormat, configure_logging
from otonom_trader.daemon.settings import Settings
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import ConfigurationError

_Result = TypeVar("_Result")


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
