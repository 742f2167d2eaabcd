"""One request on its way through the venue, and what a route is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from otonom_trader.testnet import errors
from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.limits import Limits
from otonom_trader.testnet.parameters import Parameters
from otonom_trader.testnet.security import Key, check_timing
from otonom_trader.testnet.truth import RequestRecord


class Security(Enum):
    """Public, or signed with a key."""

    NONE = "NONE"
    SIGNED = "SIGNED"


@dataclass(slots=True)
class Call:
    """A request that passed security and the check of its characters."""

    exchange: Exchange
    limits: Limits
    parameters: Parameters
    now_ms: int
    ticks: int
    """Output time units a millisecond: 1, or 1000 for microseconds."""
    key: Key | None = None
    record: RequestRecord | None = None
    is_late: bool = False
    """Whether it was held up since its time was checked."""
    is_free: bool = True
    """Whether success costs a trading request no weight."""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        return self.signed_key.account

    @property
    def queried(self) -> Account:
        """The caller's account as queries see it, which may lag behind."""
        return self.exchange.as_queried(self.account)

    @property
    def signed_key(self) -> Key:
        if self.key is None:
            raise AssertionError("a public route asked for the caller's account")
        return self.key

    def forward(self) -> None:
        """To be called just before the engine is: by now a request may be too old (-1021)."""
        if self.is_late:
            check_timing(self.parameters, self.now_ms)

    def symbol(self) -> SymbolRules:
        """The mandatory symbol; -1121 when it is not listed."""
        return self.find_symbol(self.parameters.required("symbol"))

    def find_symbol(self, name: str) -> SymbolRules:
        rules = self.exchange.engine.rules.get(name)
        if rules is None:
            raise errors.invalid_symbol()
        return rules


Handler = Callable[[Call], Any]

SIGNED_PARAMETERS: Final = ("recvWindow", "timestamp", "signature")


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: who answers it, what it weighs, which parameters it knows."""

    handler: Handler
    weight: Callable[[Parameters], int]
    parameters: frozenset[str]
    security: Security
    is_trading: bool = False
    """Costs its weight only when it fails."""
    is_recorded: bool = False
    """Put on the record of order requests."""


def public(handler: Handler, weight: int | Callable[[Parameters], int], names: str = "") -> Route:
    return Route(handler, _weigher(weight), frozenset(names.split()), Security.NONE)


def signed(
    handler: Handler,
    weight: int | Callable[[Parameters], int],
    names: str = "",
    *,
    is_trading: bool = False,
    is_recorded: bool = False,
) -> Route:
    return Route(
        handler,
        _weigher(weight),
        frozenset((*names.split(), *SIGNED_PARAMETERS)),
        Security.SIGNED,
        is_trading,
        is_trading or is_recorded,
    )


def _weigher(weight: int | Callable[[Parameters], int]) -> Callable[[Parameters], int]:
    return weight if callable(weight) else lambda _: weight
