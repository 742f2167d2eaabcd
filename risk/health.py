"""Is the venue fit to trade at? Runs of bad answers, counted without looking at a clock. Pure.

Source: the guide, "Emergency Procedures" (broker disconnection); contract.md, "States".
"""

from dataclasses import dataclass, replace
from enum import StrEnum, auto
from typing import Final

from otonom_trader.domain.execution import Stage
from otonom_trader.domain.order import OrderResult, OrderState

_NS_PER_MS: Final = 1_000_000
_NOT_THE_VENUE: Final = frozenset(
    {"kill_switch", "paper_only", "not_ready", "paused", "clock_unsure", "no_journal"}
)
"""Codes of what did not leave by our own doing: a shut gate, the rate governor, an unsure clock."""
_PROPER_ANSWERS: Final = frozenset({"not_tradable", "unknown_order"})
"""Codes of refusals that say nothing against whoever answers so."""


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """How long a run trips the breaker, under ``health_breaker`` in ``broker.yaml``.

    None switches one off. An order acknowledged later than `slow_ack_ms` after it was signed is
    slow.
    """

    consecutive_rejections: int | None = 5
    consecutive_unknowns: int | None = 3
    consecutive_errors: int | None = 10
    consecutive_slow_acks: int | None = 5
    slow_ack_ms: int = 2000


class Sign(StrEnum):
    """What one answer, or the want of it, says of the venue."""

    ACCEPTED = auto()
    SLOW = auto()
    REJECTED = auto()
    UNKNOWN = auto()
    READ = auto()
    ERROR = auto()


@dataclass(frozen=True, slots=True)
class Health:
    """How long each run of bad signs is; a good sign ends it."""

    rejections: int = 0
    unknowns: int = 0
    errors: int = 0
    slow_acks: int = 0


def sign_of_order(result: OrderResult, limits: HealthLimits) -> Sign | None:
    """Return what the first answer to an order says; None for what the venue has no part in.

    That is an order held back here, or refused here by the venue's rules: nothing was signed.
    """
    if result.state is OrderState.ACCEPTED:
        took_ns = result.stages_ns.get(Stage.SIGN_TO_ACK, 0)
        return Sign.SLOW if took_ns > limits.slow_ack_ms * _NS_PER_MS else Sign.ACCEPTED
    if result.state is OrderState.UNKNOWN:
        return Sign.UNKNOWN
    if result.state is OrderState.REJECTED:
        return None if result.signed_at_ms is None else Sign.REJECTED
    return None if result.code in _NOT_THE_VENUE | _PROPER_ANSWERS else Sign.ERROR


def sign_of_request(code: str | None) -> Sign | None:
    """Return what the answer to a request that is no order says; `code` None is one in order."""
    if code is None:
        return Sign.READ
    return None if code in _NOT_THE_VENUE | _PROPER_ANSWERS else Sign.ERROR


def after(health: Health, sign: Sign) -> Health:
    """Return `health` with one more sign.

    Any answer to an order ends a run of unknown ones and of errors, an accepted one that of
    rejections, a quick one that of slow ones; a request that is answered ends a run of errors.
    """
    match sign:
        case Sign.ACCEPTED:
            return Health()
        case Sign.SLOW:
            return Health(slow_acks=health.slow_acks + 1)
        case Sign.REJECTED:
            return replace(health, rejections=health.rejections + 1, unknowns=0, errors=0)
        case Sign.UNKNOWN:
            return replace(health, unknowns=health.unknowns + 1)
        case Sign.READ:
            return replace(health, errors=0)
        case Sign.ERROR:
            return replace(health, errors=health.errors + 1)


def ailment(health: Health, limits: HealthLimits) -> str | None:
    """Return which run is as long as its limit, as the beginning of a sentence; None where none."""
    runs = (
        (health.unknowns, limits.consecutive_unknowns, "orders in a row were not answered"),
        (health.rejections, limits.consecutive_rejections, "orders in a row were rejected"),
        (
            health.slow_acks,
            limits.consecutive_slow_acks,
            f"orders in a row were acknowledged later than {limits.slow_ack_ms} ms",
        ),
        (health.errors, limits.consecutive_errors, "requests in a row failed"),
    )
    for length, limit, text in runs:
        if limit is not None and length >= limit:
            return f"{length} {text}"
    return None
