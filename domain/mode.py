"""The three modes, and the states of the daemon."""

from enum import StrEnum


class Mode(StrEnum):
    """What happens beside the paper leg. Source: contract.md, "Modes"."""

    OFF = "off"
    SHADOW = "shadow"
    LIVE = "live"


class DaemonState(StrEnum):
    """What the daemon may do now. Source: contract.md, "States"; STOPPED where none runs."""

    STARTING = "STARTING"
    RECONCILING = "RECONCILING"
    RUNNING = "RUNNING"
    PAPER_ONLY = "PAPER_ONLY"
    HALTED = "HALTED"
    DRAINING = "DRAINING"
    STOPPED = "STOPPED"
