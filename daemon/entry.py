"""Where the console command begins: the kill switch's handler first, everything else after.

Until a handler stands, SIGUSR1 would end the process; the imports that follow take long enough for
one to arrive.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

DEFAULT_STATE_DIR = "var"
_TRADING_COMMANDS = {"run", "once", "reconcile"}


def main() -> int:
    """Run the command line; returns the exit status."""
    if _TRADING_COMMANDS.intersection(sys.argv[1:2]):
        _arm(_state_dir(sys.argv[1:], dict(os.environ)))
    else:
        # A command that holds the state directory for a moment may be taken for the daemon.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    from otonom_trader.daemon.cli import run_command_line  # noqa: PLC0415  after the handler

    return run_command_line(sys.argv[1:])


def _state_dir(arguments: list[str], environ: dict[str, str]) -> Path:
    """Find the state directory as the command line will; a wrong one is refused there."""
    for position, argument in enumerate(arguments):
        if argument.startswith("--state-dir="):
            return Path(argument.partition("=")[2])
        if argument == "--state-dir" and position + 1 < len(arguments):
            return Path(arguments[position + 1])
    return Path(environ.get("STATE_DIRECTORY") or DEFAULT_STATE_DIR)


def _arm(state_dir: Path) -> None:
    from otonom_trader.daemon.kill import process_switch  # noqa: PLC0415  standard library only

    switch = process_switch(state_dir)
    signal.signal(signal.SIGUSR1, switch.on_signal)
    # Asks for the configuration to be read anew; until the daemon is up it is about to be read.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # A directory that is not there yet is made by the command, once its options are understood.
    with suppress(OSError):
        switch.open()


if __name__ == "__main__":
    sys.exit(main())
