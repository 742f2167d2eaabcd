"""The daemon with a loop that stands still from SIGUSR2 on: ``python stalling.py HOW run ...``.

``asleep`` waits in a system call, ``busy`` computes; nothing else is changed.
"""

import sys
import time

from otonom_trader.daemon.app import Daemon
from otonom_trader.daemon.entry import main

STALL_SECONDS = 60


def asleep(_daemon: Daemon) -> None:
    time.sleep(STALL_SECONDS)  # noqa: TID251  it is to block


def busy(_daemon: Daemon) -> None:
    until = time.monotonic() + STALL_SECONDS  # noqa: TID251  it is to block
    while time.monotonic() < until:  # noqa: TID251  likewise
        pass


def program(how: str) -> tuple[str, ...]:
    """Return the command line's program that stalls like this."""
    return (sys.executable, __file__, how)


if __name__ == "__main__":
    setattr(Daemon, "_dump_status", {"asleep": asleep, "busy": busy}[sys.argv.pop(1)])  # noqa: B010
    sys.exit(main())
