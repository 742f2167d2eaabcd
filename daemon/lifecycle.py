"""What the daemon may do now: its state, and the gate every order passes."""

from otonom_trader.daemon.kill import KillSwitch
from otonom_trader.domain.errors import NotReady, PaperOnly, TradingHalted
from otonom_trader.domain.mode import DaemonState

_TAKING_DECISIONS = (DaemonState.RUNNING, DaemonState.PAPER_ONLY, DaemonState.HALTED)


class Lifecycle:
    """The state of `contract.md`, "States"; it is the `KillGate` handed to brokers.

    The kill switch stands above the phase: whatever the phase, a tripped switch means HALTED, and
    only DRAINING is shown over it. `paper_only` is why only the paper leg goes on, empty where
    orders may leave: RUNNING is PAPER_ONLY then. While draining nothing new is taken in, and what
    was taken in before goes on as it would have: an order on record that never left would be a
    decision lost.
    """

    def __init__(self, switch: KillSwitch) -> None:
        self.switch = switch
        self.phase = DaemonState.STARTING
        self.paper_only = ""
        self._drained_from = DaemonState.STARTING

    @property
    def state(self) -> DaemonState:
        """The state as `status` shows it."""
        if self.switch.tripped and self.phase is not DaemonState.DRAINING:
            return DaemonState.HALTED
        if self.paper_only and self.phase is DaemonState.RUNNING:
            return DaemonState.PAPER_ONLY
        return self.phase

    @property
    def takes_decisions(self) -> bool:
        """Whether decisions are taken in: executed, or denied on record while halted."""
        return self.state in _TAKING_DECISIONS

    @property
    def flattens(self) -> bool:
        """Whether positions may be closed: a kill has halted, and every order is known."""
        return self.switch.flattens and self.phase is DaemonState.RUNNING

    def enter(self, phase: DaemonState) -> None:
        """Move on to `phase`; nothing follows DRAINING, but what it drains from may change."""
        if self.phase is DaemonState.DRAINING:
            self._drained_from = phase
        else:
            self._drained_from, self.phase = self.phase, phase

    def check(self) -> None:
        """Return while new orders may leave; raise a `TradingHalted` otherwise."""
        self.switch.check()
        phase = self._drained_from if self.phase is DaemonState.DRAINING else self.phase
        if phase is not DaemonState.RUNNING:
            raise NotReady(f"the daemon is {phase}")
        if self.paper_only:
            raise PaperOnly(f"paper only: {self.paper_only}")


class ExitGate:
    """The `KillGate` of orders that close positions after a kill; shut at all other times."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    def check(self) -> None:
        """Return while they may leave; raise `TradingHalted` otherwise."""
        if not self._lifecycle.flattens:
            raise TradingHalted("positions are not closed now")
